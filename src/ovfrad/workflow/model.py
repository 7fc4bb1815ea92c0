"""Fitted models of a run on disk, and the bundle made of the headline model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad import bundle
from ovfrad.bundle.save import HOLD_ROWS, BundleContent
from ovfrad.bundle.scope import Scope
from ovfrad.bundle.size import MEASURES, Measure, largest_by_level
from ovfrad.bundle.store import read_objects, write_objects
from ovfrad.errors import heard, warn
from ovfrad.evaluation.conformal import ConformalSets
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.explanation.background import kmeans_background
from ovfrad.imaging import Volume
from ovfrad.models.engine import Outcome
from ovfrad.models.fitted import Fitted, FittedModel
from ovfrad.models.procedure import BEST
from ovfrad.phantom.cohort import sample_cohort
from ovfrad.phantom.render import render
from ovfrad.selection import FusedFeatures
from ovfrad.study import StudySettings
from ovfrad.study.batches import batch_column
from ovfrad.study.settings import Imaging
from ovfrad.workflow.features import backbone_of
from ovfrad.workflow.fitted import FittedStudy
from ovfrad.workflow.folder import Progress, RunFolder


def headline_model(fitted: Fitted, name: str) -> FittedModel:
    """The fitted model that a headline's name stands for."""
    return fitted.models[str(fitted.best_of_nine) if name == BEST else name]


def save_models(fitted: FittedStudy) -> None:
    """Chain and all models of the headline's arm, for `explain`; they stay in the run folder."""
    recipe, arm, _ = fitted.headline
    one = fitted.outcomes[recipe, arm].fitted
    objects: dict[str, Any] = {"chain": one.chain} | {f"model {n}": m.estimator for n, m in one.models.items()}
    folder = fitted.folder.cache / "models"
    folder.mkdir(exist_ok=True)
    write_objects(folder / "fitted.skops", objects)
    network = _backbone(fitted, one)
    (folder / "network.safetensors").unlink(missing_ok=True)
    if network is not None:
        from ovfrad.deep import weights

        weights.save(network, folder / "network.safetensors")
    views = {n: {"view": m.view, "columns": list(m.columns)} for n, m in one.models.items()}
    fitted.folder.write_json(".cache/models/views.json", {"views": views, "best_of_nine": one.best_of_nine})


def load_models(folder: RunFolder) -> tuple[FusedFeatures, dict[str, FittedModel], str | None]:
    """Chain, models by name, and the best of nine, as `save_models` left them."""
    objects = read_objects(folder.need(".cache/models/fitted.skops"))
    stored = folder.read_json(".cache/models/views.json")
    models = {
        name: FittedModel(name, objects[f"model {name}"], view["view"], tuple(view["columns"]), {}, None, None, None)
        for name, view in stored["views"].items()
    }
    return objects["chain"], models, stored["best_of_nine"]


def save_bundle(fitted: FittedStudy, progress: Progress, audit: str | None = None) -> Path | None:
    """Bundle of the headline model; None, with a warning, where it could not leave the house."""
    progress("bundle", 0, 1)
    save_models(fitted)
    recipe, arm, name = fitted.headline
    outcome = fitted.outcomes[recipe, arm]
    model = headline_model(outcome.fitted, name)
    if model.name in HOLD_ROWS and not fitted.study.settings.models.export_training_rows:
        fault = f"{model.name} holds the training patients' features"
        remedy = "no bundle is written; models.export_training_rows: true exports it all the same"
        _tell(fitted.folder, fault, remedy)
        return None
    content = _content(fitted, outcome, model, audit)

    def expect(folder: Path) -> np.ndarray:
        from ovfrad.bundle.verify import check_probabilities

        return check_probabilities(bundle.load(folder))

    path = bundle.save(content, fitted.folder / "bundle", expect)
    progress("bundle", 1, 1)
    return path


def _tell(folder: RunFolder, fault: str, remedy: str) -> None:
    """Warn that there is no bundle, and keep the line with the run's, so that its report says so."""
    with heard() as told:
        warn("W_BUNDLE_ROWS", folder.path, fault, remedy)
    run = folder.read_json("run.json")
    folder.write_json("run.json", run | {"warnings": list(dict.fromkeys([*run["warnings"], *told]))})


def _content(fitted: FittedStudy, outcome: Outcome, model: FittedModel, audit: str | None) -> BundleContent:
    study, one = fitted.study, outcome.fitted
    rows = fitted.rows[study.settings.recipe, "train"]
    views = one.views(one.trained_on(rows))
    frame = views.for_model(model.name)[list(model.columns)]
    centres = kmeans_background(frame.to_numpy(float)) if frame.shape[1] else np.zeros((1, 0))
    images, training, contract = study.features is None, _training(fitted, outcome, audit), _contract(fitted)
    return BundleContent(
        settings=study.settings,
        classes=study.classes,
        arm=one.procedure.arm,
        chain=one.chain,
        model=model,
        scope=Scope.fit(views.dense, rows.groups),
        conformal=_conformal(outcome, model),
        background=pd.DataFrame(centres, columns=list(model.columns)),
        backbone=_backbone(fitted, one),
        input_contract=contract,
        training=training,
        card=_card(fitted, model, training["summary"], contract),
        check_case=_check_case() if images else None,
        check_row=None if images else {str(n): float(v) for n, v in rows.X.mean().items()},
    )


def _backbone(fitted: FittedStudy, one: Fitted) -> Any:
    """Network that a new case goes through: the arm's as it came, or as it was tuned."""
    if fitted.study.features is not None:
        return None
    return backbone_of(one.procedure.arm, fitted.study) if one.network is None else one.network.features.network_


def _conformal(outcome: Outcome, model: FittedModel) -> dict[str, Any]:
    """Cross-conformal calibration on the inner out-of-fold predictions of the training rows."""
    inner = outcome.fitted.inner
    if inner.empty:
        return {}
    own = inner[inner["model"] == model.name]
    p = own[[c for c in own.columns if c.startswith("p_")]].to_numpy()
    return ConformalSets.fit(p, own["y_true"].to_numpy(), "cross").compress().as_dict()


def _check_case() -> tuple[Any, Any]:
    """CT and mask of a synthetic vertebra, whose probabilities `verify` must find again."""
    drawn = render(sample_cohort(40, seed=1)[0])
    return Volume(drawn.image, drawn.affine), Volume(drawn.mask.astype(np.uint8), drawn.affine)


def _contract(fitted: FittedStudy) -> dict[str, Any]:
    """What a new case must be: the study's settings, and what was among its training cases."""
    settings, rows = fitted.study.settings, fitted.rows[fitted.study.settings.recipe, "train"]
    if fitted.study.features is not None:
        return {"kind": "features", "columns": [str(name) for name in rows.X.columns]}
    training = fitted.features.cases.loc[rows.X.index]
    levels = training.index.get_level_values("vertebra").to_numpy(dtype=object)
    seen = {name: int(_fact(training, name).sum()) for name in ("metal", "contrast")}
    return {
        "kind": "CT and mask",
        "ct": "CT in HU",
        "mask": "as in training: of the same part of the vertebra, outlined the same way",
        "features": _extraction(settings),
        "spacing_mm": settings.imaging.spacing_mm,
        "metal": _metal(settings.imaging, seen["metal"], len(training)),
        "contrast": _contrast(settings.imaging, training, seen["contrast"]),
        **{measure.name: _sizes(rows.X, measure, levels, rows.groups) for measure in MEASURES},
        "seen": seen,
        "vertebrae": sorted(set(levels)),
        "batches": sorted(set(rows.batch)) if rows.batch is not None else [],
    }


def _sizes(X: pd.DataFrame, measure: Measure, levels: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
    """Range of a measure of the training masks, and its limit at each level."""
    sizes = X[measure.feature].to_numpy(float) * measure.unit
    limits = largest_by_level(sizes, levels, patients, measure.whole)
    return {"range": [round(float(sizes.min()), 1), round(float(sizes.max()), 1)], "levels": limits}


def _fact(cases: pd.DataFrame, name: str) -> pd.Series:
    """What the images told; a case table that has such a column of its own keeps the name."""
    return cases[f"{name}_image" if f"{name}_image" in cases else name]


def _extraction(settings: StudySettings) -> str:
    """Settings of the features in short; study.yaml of the bundle has them all."""
    chosen = settings.radiomics
    unit = "HU" if chosen.intensities == "hu" else f"z-scored images times {chosen.z_scale:g}"
    types = ", ".join(chosen.image_types)
    return f"profile pyradiomics; {unit}, bin width {chosen.bin_width:g}; images: {types}"


def _metal(settings: Imaging, n: int, rows: int) -> str:
    """Policy of the study for metal and cement, and how many training cases had it."""
    limit = f"voxels above {settings.metal_hu:g} HU"
    if settings.metal == "exclude":
        return f"none: cases with {limit} were left out of training"
    return f"kept: {n} of the {rows} training cases have {limit}" if n else f"none: no training case has {limit}"


def _contrast(imaging: Imaging, training: pd.DataFrame, n: int) -> str:
    """What the headers of the training cases told of contrast; only DICOM has any."""
    headers = int(_fact(training, "header").eq("DICOM").sum()) if "header" in training else 0
    if not headers:
        return "not known: no training case has a DICOM header that would tell"
    others = len(training) - headers
    rest = f"; {others} have no DICOM header that would tell" if others else ""
    if imaging.contrast == "exclude":
        return f"none: cases whose header names an agent were left out of training{rest}"
    return f"named by the header of {n} of {headers} training cases{rest}"


def _training(fitted: FittedStudy, outcome: Outcome, audit: str | None) -> dict[str, Any]:
    """What every prediction says of its model: cases, network, nested result, honesty checks."""
    (recipe, arm, name), rows = fitted.headline, outcome.predictions
    own = rows[(rows["cohort"] == "train") & (rows["model"] == name)]
    p = own[[c for c in own.columns if c.startswith("p_")]].to_numpy()
    nested = macro_auc(own["y_true"].to_numpy(), p, own["patient_id"].to_numpy())
    training, synthetic = fitted.rows[recipe, "train"], bool(fitted.run["synthetic"])
    network = fitted.features.weights.get(arm, {}).get("description", "no network: a feature table")
    kind = "synthetic cases" if synthetic else "cases"
    checks = "not run" if audit is None else audit
    summary = f"{len(training)} {kind}; {network}; nested macro AUC {nested}; honesty checks: {checks}"
    return {
        "batch_column": batch_column(fitted.study.settings.harmonisation, fitted.features.cases),
        "rows": len(training), "patients": len(set(training.groups)), "synthetic": synthetic, "audit": audit,
        "summary": summary,
    }  # fmt: skip


def _card(fitted: FittedStudy, model: FittedModel, summary: str, contract: dict[str, Any]) -> str:
    """Model card: what it is, what it was made from, what it is not for."""
    study, (recipe, arm, name) = fitted.study, fitted.headline
    rows = fitted.rows[recipe, "train"]
    counts = ", ".join(f"{int((rows.codes == k).sum())} of class {c}" for k, c in enumerate(study.classes))
    weights = fitted.features.weights.get(arm, {}).get("description", "no network: a feature table")
    synthetic = "\nTrained on synthetic phantoms: it tests software and says nothing about patients.\n"
    return f"""# Model card: {study.settings.name}

Research use only, not a medical device.
{synthetic if fitted.run["synthetic"] else ""}
- Predicts: {study.settings.outcome.column} ({", ".join(study.classes)})
- Model: {name}{"" if name == model.name else f" ({model.name})"}, recipe {recipe}, arm {arm}
- Network: {weights}
- Trained on: {len(rows)} rows of {len(set(rows.groups))} patients ({counts})
- Study file: sha256 {study.sha256}
- Case list without outcomes: sha256 {study.case_list_sha256}
- In short: {summary}
- Notes of the fit: {"; ".join(model.notes) or "none"}
- Warnings of the run: {"; ".join(fitted.run["warnings"]) or "none"}
{_card_input(contract)}

How well it does, with intervals, stands in the report of its run. It was not shown to do as well elsewhere: validate it
on local cases before anything depends on it.

`ovfrad verify` compares the files with the hashes in manifest.json, and manifest.json with its own digest. That finds
damage and careless edits. It is no signature: take a bundle only from a source that you trust.
"""


def _card_input(contract: dict[str, Any]) -> str:
    """Lines of the card on what a new case must be."""
    if contract["kind"] == "features":
        return f"- A new case is: a row with the {len(contract['columns'])} features of the study"
    low, high = contract["volume_ml"]["range"]
    return f"""- A new case is: a {contract["ct"]} and a mask, {contract["mask"]} (training: {low} to {high} ml)
- Features: {contract["features"]}
- Metal and cement: {contract["metal"]}
- Contrast agent: {contract["contrast"]}"""
