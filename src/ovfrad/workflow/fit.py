"""Fit a study: features, the learned chain in patient folds, the final models, the bundle."""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad import __version__
from ovfrad.errors import InputError, InputWarning, warn
from ovfrad.models import engine
from ovfrad.models.procedure import BEST, OWN, Procedure
from ovfrad.models.rows import Rows
from ovfrad.study import Study, StudySettings
from ovfrad.study import load as load_study
from ovfrad.study.cohorts import COHORTS
from ovfrad.study.file import to_yaml
from ovfrad.study.load import batch_column, clinical_columns
from ovfrad.workflow.adapt import adapted
from ovfrad.workflow.features import StudyFeatures, check_duplicates, extract_study, in_short, without_shuffled
from ovfrad.workflow.folder import Progress, RunFolder

RECIPES = ("sound", "paper")


@dataclass(frozen=True, eq=False)
class FittedStudy:
    """A study after `fit`, in memory for the steps that follow.

    Attributes
    ----------
    studies : dict
        Recipe -> Study.
    features : StudyFeatures
    outcomes : dict
        (recipe, arm) -> `engine.Outcome`.
    rows : dict
        (recipe, cohort) -> Rows of all arms.
    folder : RunFolder
    run : dict
        What run.json holds.
    """

    studies: dict[str, Study]
    features: StudyFeatures
    outcomes: dict[tuple[str, str], engine.Outcome]
    rows: dict[tuple[str, str], Rows]
    folder: RunFolder
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """Study of the headline's recipe."""
        return next(iter(self.studies.values()))

    @property
    def headline(self) -> tuple[str, str, str]:
        """Recipe, arm and model the study stands for."""
        settings = self.study.settings
        return settings.recipe, settings.headline_arm, settings.models.headline.model


def load_recipes(path: Path, recipe: str | None) -> dict[str, Study]:
    """Study under its own recipe, under the one named, or under `both` (the file's own first)."""
    if recipe != "both":
        study = load_study(path, recipe)
        return {study.settings.recipe: study}
    first = load_study(path)
    other = next(name for name in RECIPES if name != first.settings.recipe)
    return {first.settings.recipe: first, other: load_study(path, other)}


def fit_study(studies: dict[str, Study], folder: RunFolder, progress: Progress, jobs: int | None = None) -> FittedStudy:
    """Fit every recipe and arm; write study.yaml, run.json, cases, features, predictions and quarantine."""
    started, jobs = time.monotonic(), jobs or os.cpu_count() or 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        study = next(iter(studies.values()))
        run = {**facts(study), "classes": list(study.classes), "recipes": list(studies)}
        run["prespecified"] = prespecification(study)
        folder.replace("study.yaml", lambda path: path.write_text(to_yaml(study.settings), encoding="utf-8"))
        folder.write_json("run.json", run)
        features = extract_study(study, folder, tuple(s.settings.radiomics for s in studies.values()), progress)
        duplicates = check_duplicates(study, features.cases)
        for pair in duplicates:
            warn("W_DUPLICATE", study.table, f"{' and '.join(pair['cases'])} have the same voxels", "they count as two")
        _check_still_whole(study, features)
        rows = {
            (recipe, cohort): make_rows(one.settings, features.cases, features.of(one.settings), cohort)
            for recipe, one in studies.items()
            for cohort in COHORTS
            if (features.cases["cohort"] == cohort).any()
        }
        outcomes = _fit_arms(studies, rows, folder, progress, jobs)
    told = list(dict.fromkeys([*in_short(features.warnings), *(str(w.message) for w in caught)]))
    for line in told:
        warnings.warn(line, InputWarning, stacklevel=2)
    run |= {
        "weights": features.weights,
        "warnings": told,
        "case_warnings": features.warnings,
        "fit_seconds": round(time.monotonic() - started, 1),
    }
    fitted = FittedStudy(studies, features, outcomes, rows, folder, run)
    _write(fitted)
    return fitted


def facts(study: Study) -> dict[str, Any]:
    """Versions, machine and hashes that belong to every number of a run."""
    from importlib.metadata import version

    packages = (
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "xgboost-cpu",
        "lightgbm",
        "torch",
        "SimpleITK",
        "numba",
        "shap",
    )
    known = {}
    for name in packages:
        try:
            known[name] = version(name)
        except ModuleNotFoundError:
            continue
    return {
        "ovfrad": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": known,
        "study": study.settings.name,
        "study_sha256": study.sha256,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "ovfrad " + " ".join(Path(a).name if os.sep in a else a for a in sys.argv[1:]),
        "excluded": [(*case, str(reason)) for case, reason in study.excluded["exclusion"].items()],
        "synthetic": (study.table.parent / "truth.csv").is_file(),
    }


def prespecification(study: Study) -> dict[str, Any]:
    """What was fixed before the outcomes of a validation cohort were read (A8)."""
    settings = study.settings
    return {
        "study_sha256": study.sha256,
        "case_list_sha256": study.case_list_sha256,
        "at": study.case_list_at,
        "headline": {"recipe": settings.recipe, "arm": settings.headline_arm, "model": settings.models.headline.model},
    }


def _check_still_whole(study: Study, features: StudyFeatures) -> None:
    """Quarantine may have taken the last training case of a class."""
    training = features.cases[features.cases["cohort"] == "train"]
    for code, name in enumerate(study.classes):
        if not (training["y"] == code).any():
            fault = f"class {name} has no training case left after {len(features.quarantine)} were set aside"
            raise InputError("E_CLASS_TRAIN", study.table, fault, "correct the files named in quarantine.csv")


def make_rows(settings: StudySettings, cases: pd.DataFrame, table: pd.DataFrame, cohort: str) -> Rows:
    """Rows of one cohort.

    Parameters
    ----------
    settings : StudySettings
    cases : DataFrame
        All cases, index (patient_id, vertebra), columns of the case table with `cohort` and `y`.
    table : DataFrame
        Features, index (patient_id, vertebra, reader).
    cohort : str
    """
    part = cases[cases["cohort"] == cohort]
    X, second = of_reader(table, "1").loc[part.index], of_reader(table, "2")
    second = second.loc[second.index.isin(part.index)]
    radiomics = [name for name in X.columns if not str(name).startswith("deep_")]
    column, clinical = batch_column(settings, cases), clinical_columns(settings, cases)
    return Rows(
        X,
        part["y"],
        part.index.get_level_values("patient_id").to_numpy(dtype=object),
        batch=None if column is None else part[column].to_numpy(dtype=object),
        covariates=_covariates(part, settings.harmonisation.covariates),
        reader2=second[radiomics] if len(second) else None,
        clinical=part[clinical] if clinical else None,
        center=part["center"].to_numpy(dtype=object) if cases["center"].notna().all() else None,
    )


def of_reader(table: pd.DataFrame, reader: str) -> pd.DataFrame:
    """Features of one reader, index (patient_id, vertebra)."""
    return table[table.index.get_level_values("reader") == reader].droplevel("reader")


def _covariates(cases: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame | None:
    if not names:
        return None
    for name in names:
        if cases[name].isna().any():
            fault = f"ComBat covariate {name} is empty in {int(cases[name].isna().sum())} cases"
            raise InputError("E_CLINICAL_GAP", "cases", fault, "fill it, or take it out of harmonisation.covariates")
    columns = {name: cases[name] if name == "age" else (cases[name] == "F").astype(float) for name in names}
    return pd.DataFrame(columns, index=cases.index).astype(float)


def procedure_of(study: Study, arm: str) -> Procedure:
    """What the engine is told about one arm of a study."""
    settings = study.settings
    scored = settings.outcome.ordered or len(study.classes) == 2  # else there is no rad-score
    own = [name for name in OWN if name != "rad_score" or scored]
    return Procedure(
        classes=study.classes,
        names=(*settings.models.classifiers, *own),
        models=settings.models,
        harmonisation=settings.harmonisation,
        selection=settings.selection,
        ordered=settings.outcome.ordered,
        arm=arm,
        recipe=settings.recipe,
        random_state=settings.seed,
    )


def arms_of(study: Study) -> list[str]:
    """Arms of a study, the headline's first."""
    first = study.settings.headline_arm
    if study.features is not None:
        return [first]
    return [first, *(name for name in study.settings.deep.arms if name != first)]


def _fit_arms(
    studies: dict[str, Study], rows: dict[tuple[str, str], Rows], folder: RunFolder, progress: Progress, jobs: int
) -> dict[tuple[str, str], engine.Outcome]:
    outcomes = {}
    for recipe, study in studies.items():
        cohorts = {cohort: part for (of, cohort), part in rows.items() if of == recipe and cohort != "train"}
        for arm in arms_of(study):
            progress(f"fit {recipe} / {arm}", 0, study.settings.models.outer_folds + 1)
            outcome = engine.run(
                rows[recipe, "train"],
                procedure_of(study, arm),
                cohorts,
                jobs=jobs,
                progress=lambda step, done, total: progress(f"fit {step}", done, total),
                store=folder.cache / "folds",
            )
            adapt = study.settings.harmonisation.unseen == "adapt"
            outcomes[recipe, arm] = adapted(outcome, cohorts) if adapt else outcome
    _check_headline(next(iter(studies.values())), outcomes)
    return outcomes


def _check_headline(study: Study, outcomes: dict[tuple[str, str], engine.Outcome]) -> None:
    """The best of nine cannot be chosen without inner folds."""
    settings = study.settings
    fitted = outcomes[settings.recipe, settings.headline_arm].fitted
    if settings.models.headline.model == BEST and fitted.best_of_nine is None:
        fault = "the training cohort is too small for inner folds, on which the best of nine would be chosen"
        raise InputError("E_FOLDS", study.table, fault, "name a classifier in models.headline.model")


def _write(fitted: FittedStudy) -> None:
    folder, features = fitted.folder, fitted.features
    stored = features.cases.copy()
    for name in ("ct", "mask", "mask_reader2"):
        root = fitted.study.table.parent
        stored[name] = [None if pd.isna(p) else os.path.relpath(p, root) for p in stored[name]]
    objects = stored.select_dtypes(include="object").columns
    stored[objects] = stored[objects].astype("string")
    folder.write_table("cases.parquet", stored)
    first = next(iter(features.tables))
    for kind, table in features.tables.items():
        name = "features.parquet" if kind == first else f"features_{kind}.parquet"
        folder.write_table(name, without_shuffled(table))
    folder.write_table("predictions.parquet", pd.concat([o.predictions for o in fitted.outcomes.values()]))
    folder.write_table("quarantine.csv", features.quarantine)
    folder.write_json("run.json", fitted.run)
    folder.write_json("selection.json", {f"{r}/{a}": trace(o) for (r, a), o in fitted.outcomes.items()})


def trace(outcome: engine.Outcome) -> dict[str, Any]:
    """How the features of one arm were chosen, as plain numbers."""
    fitted = outcome.fitted
    score = fitted.chain.rad_score_
    chosen: dict[str, Any] = dict(fitted.chain.trace_)
    if score is not None:
        chosen["rad_score"] = {
            "rule": score.rule,
            "coefficients": score.coefficients().to_dict("list"),
            "path": score.path().reset_index().to_dict("list"),
            "cv_curve": score.cv_curve().reset_index().to_dict("list"),
        }
    frequency = engine.selection_frequency(fitted)
    chosen["frequency"] = dict(zip(frequency["feature"], frequency["share"], strict=True))
    chosen["best_of_nine"] = fitted.best_of_nine
    chosen["points"] = {name: model.point for name, model in fitted.models.items()}
    chosen["inner_auc"] = {name: model.inner_auc for name, model in fitted.models.items()}
    chosen["notes"] = list(outcome.notes)
    chosen["absent_baselines"] = outcome.baselines.absent
    return chosen
