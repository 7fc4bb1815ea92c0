"""SHAP values and nomogram of a run, written as tables and arrays that the report draws (METHODS H1, H2)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError, InputWarning
from ovfrad.explanation import importance
from ovfrad.explanation.background import choose_cases, kmeans_background
from ovfrad.explanation.combined import combined_variables
from ovfrad.explanation.nomogram import build_nomograms
from ovfrad.explanation.sampling import Tell
from ovfrad.explanation.shap import EVALUATIONS, ShapTable, shap_values
from ovfrad.models.fitted import FittedModel, Views, raw_proba
from ovfrad.models.folds import patient_folds
from ovfrad.models.procedure import BEST, Procedure
from ovfrad.models.rows import Rows
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import NINE, StudySettings
from ovfrad.workflow.adapt import adapted_chain
from ovfrad.workflow.attribution import INPUT, LAYER, attribute
from ovfrad.workflow.evaluate import settings_of
from ovfrad.workflow.explain_chosen import write_chosen
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.model import load_models
from ovfrad.workflow.rows import make_rows
from ovfrad.workflow.tuned import with_network

NOMOGRAM_NOTE = (
    "Fitted to rad-scores of chains that did not see the patient; tests take vertebrae of one patient as independent"
)
#: Cases explained: enough for a beeswarm, few enough for sampling.
MOST_CASES = 60
#: The same for each of the nine, and the model rows that sampling may then ask for: a fifth of the headline's.
MOST_CASES_NINE, EVALUATIONS_NINE = 40, EVALUATIONS // 5
#: Where the explained cases come from: the first of these that the study has.
EXPLAINED = ("internal", "external", "prospective", "train")


def explain_run(
    folder: RunFolder, model: str | None, progress: Progress, layer: str = LAYER, size: int = INPUT
) -> Path:
    """Write `explanation/`: SHAP of one `model`; or of the headline model, each of the nine, nomogram, attribution.

    `layer` and `size` are those of Grad-CAM (`ovfrad.workflow.attribution`).
    """
    settings, run = settings_of(folder), folder.read_json("run.json")
    headline = run["prespecified"]["headline"]
    chain, models, best = load_models(folder)
    one = _Explained(folder, settings, tuple(run["classes"]), chain, models, headline["arm"])
    name = model or headline["model"]
    name = str(best) if name == BEST else name
    if name not in models:
        raise InputError("E_MODEL", folder.path, f"has no model {name!r}", f"choose one of {', '.join(models)}")
    if model is not None:
        return one.write(f"explanation/{name}", name, progress).parent
    for other in (n for n in NINE if n in models):
        one.write(f"explanation/{other}", other, progress, MOST_CASES_NINE, EVALUATIONS_NINE)
    extra = {"chosen": write_chosen(folder, chain, one.training, one.classes)}
    reason = _no_nomogram(settings, chain)
    made = {"absent": {"nomogram": reason}} if reason else _nomogram(one, headline["arm"], progress)
    looked = attribute(folder, settings, chain, one.training, one.rows, one.cases, progress, layer, size)
    network = {} if looked is None else {"network": {**looked, "cohort": one.cohort}}
    return one.write("explanation", name, progress, extra=extra | network | made).parent


class _Explained:
    """Rows and models of a run, and the writing of one model's SHAP values."""

    def __init__(
        self,
        folder: RunFolder,
        settings: StudySettings,
        classes: tuple[str, ...],
        chain: FusedFeatures,
        models: dict[str, FittedModel],
        arm: str,
    ) -> None:
        self.folder, self.settings, self.classes, self.chain, self.models = folder, settings, classes, chain, models
        self.cases = folder.read_table("cases.parquet")
        table = with_network(folder.read_table("features.parquet"), folder)
        self.cohort = next(c for c in EXPLAINED if (self.cases["cohort"] == c).any())
        self.training = make_rows(settings, self.cases, table, "train")
        self.rows = make_rows(settings, self.cases, table, self.cohort)
        if settings.harmonisation.unseen == "adapt" and self.cohort != "train":
            self.chain = self._as_evaluated(arm)

    def _as_evaluated(self, arm: str) -> FusedFeatures:
        """The chain that predicted the explained cohort; the fit has told what it learned of new scanners."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            return adapted_chain(self.chain, self.rows.for_arm(arm), self.cohort)

    def write(
        self,
        place: str,
        name: str,
        progress: Progress,
        most: int = MOST_CASES,
        evaluations: int = EVALUATIONS,
        extra: dict[str, Any] | None = None,
    ) -> Path:
        """SHAP values of one model under `place`, the JSON that tells of them last; its path."""
        progress(f"SHAP {name}", 0, 1)
        found = _shap(self, self.models[name], most, evaluations, lambda done, n: progress(f"SHAP {name}", done, n))
        progress(f"SHAP {name}", 1, 1)
        told: dict[str, Any] = {"model": name, "cohort": self.cohort, "classes": list(self.classes), "absent": {}}
        if found is None:
            none = f"No SHAP values: no feature survived selection, so {name} predicts the class shares."
            told["absent"]["shap"] = none
        else:
            _write_shap(self.folder, place, *found)
            table = found[0]
            told |= {"method": table.method, "evaluations": table.evaluations, "error_share": table.error_share}
        more = dict(extra or {})
        told["absent"] |= more.pop("absent", {})
        return self.folder.write_json(f"{place}/explanation.json", told | more)


def _shap(
    told: _Explained, model: FittedModel, most: int, evaluations: int, tell: Tell
) -> tuple[ShapTable, pd.MultiIndex, np.ndarray] | None:
    """SHAP table of chosen cases, their index and codes; None for a model without a feature."""
    columns, classes, seed = list(model.columns), told.classes, told.settings.seed
    if not columns:
        return None
    background = kmeans_background(_seen(told.chain, model, told.training), random_state=seed)
    X = _seen(told.chain, model, told.rows)
    chosen = choose_cases(told.rows.codes, most, seed)

    def predict(array: np.ndarray) -> np.ndarray:
        return raw_proba(model.estimator, pd.DataFrame(array, columns=columns), len(classes))

    table = shap_values(
        predict, X[chosen], background, columns, model=model.estimator, classes=classes, evaluations=evaluations,
        random_state=seed, tell=tell,
    )  # fmt: skip
    return table, told.rows.X.index[chosen], told.rows.codes[chosen]


def _seen(chain: FusedFeatures, model: FittedModel, rows: Rows) -> np.ndarray:
    """Columns of the model's view, shape (n_rows, p)."""
    seen: np.ndarray = Views.of(chain, rows).for_model(model.name)[list(model.columns)].to_numpy(float)
    return seen


def _write_shap(folder: RunFolder, place: str, table: ShapTable, index: pd.MultiIndex, codes: np.ndarray) -> None:
    """Arrays for the figures, and the two tables that people read."""
    arrays = {
        "values": table.values, "base": table.base, "output": table.output, "error": table.error, "X": table.X,
        "names": np.array(table.feature_names), "cases": np.array([" ".join(map(str, case)) for case in index]),
        "y_true": codes, "output_name": np.array(table.output_name),
    }  # fmt: skip

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    folder.replace(f"{place}/shap.npz", write)
    folder.write_table(f"{place}/shap_global.csv", importance.global_bar(table).reset_index())
    long = pd.DataFrame(
        [
            (*case, feature, table.X[n, j], *table.values[n, j])
            for n, case in enumerate(index)
            for j, feature in enumerate(table.feature_names)
        ],
        columns=["patient_id", "vertebra", "feature", "value", *(f"shap_{name}" for name in table.classes)],
    )
    folder.write_table(f"{place}/shap_values.csv", long)


def _no_nomogram(settings: StudySettings, chain: FusedFeatures) -> str | None:
    """Why there can be no nomogram, or None."""
    if not settings.outcome.ordered:
        return "No nomogram: the classes of this outcome have no order (outcome.ordered)."
    if chain.rad_score_ is None:
        return "No nomogram: the LASSO has one coefficient vector per class (selection.lasso_kind), so no rad-score."
    if not chain.fused_:
        return "No nomogram: no feature kept a coefficient, so there is no rad-score."
    return None


def _nomogram(told: _Explained, arm: str, progress: Progress) -> dict[str, Any]:
    """Nomogram of the cross-fitted rad-score and the baseline characteristics that count; or why there is none."""
    folder, settings, classes, training = told.folder, told.settings, told.classes, told.training
    progress("nomogram", 0, 1)
    try:
        score = cross_fitted_score(settings, training, classes, arm)
        clinical = told.cases.loc[training.X.index]
        allowed = tuple(c for c in settings.clinical.columns if c in clinical and clinical[c].notna().all())
        kept = combined_variables(score, clinical, training.codes, len(classes), columns=allowed)
        drawn = build_nomograms(kept.frame, training.codes, classes, outcome="class")
    except (ValueError, InputError) as error:
        return {"absent": {"nomogram": f"No nomogram: {error}"}}
    progress("nomogram", 1, 1)
    folder.write_table("explanation/nomogram_tests.csv", kept.tests.reset_index())
    parts = [one.points_table().assign(nomogram=k) for k, one in enumerate(drawn.nomograms)]
    folder.write_table("explanation/nomogram_points.csv", pd.concat(parts))
    folder.write_table("explanation/nomogram_rows.parquet", kept.frame.assign(y=training.codes))
    return {"nomogram": {"proportional": drawn.proportional, "notes": [*drawn.notes, NOMOGRAM_NOTE]}}


def cross_fitted_score(settings: StudySettings, rows: Rows, classes: tuple[str, ...], arm: str) -> pd.Series:
    """Rad-score of each training row from a chain that did not see its patient.

    In-sample scores would make the score's axis too long: it would look surer than it is for the next patient.
    """
    procedure = Procedure(
        classes=classes, models=settings.models, harmonisation=settings.harmonisation, selection=settings.selection,
        ordered=settings.outcome.ordered, arm=arm, recipe=settings.recipe, random_state=settings.seed,
    )  # fmt: skip
    rows, score = rows.for_arm(arm), pd.Series(np.nan, index=rows.X.index, name="rad_score")
    folds = patient_folds(rows.codes, rows.groups, settings.models.inner_folds, settings.seed, classes)
    for inside, outside in folds:
        part, unseen = rows.take(inside), rows.take(outside)
        chain = procedure.chain().fit(
            part.X, part.codes, groups=part.groups, batch=part.batch, covariates=part.covariates,
            reader2=part.reader2, survival=part.survival,
        )  # fmt: skip
        values = chain.rad_score(unseen.X, batch=unseen.batch, covariates=unseen.covariates)
        score.iloc[outside] = values.to_numpy()
    return score
