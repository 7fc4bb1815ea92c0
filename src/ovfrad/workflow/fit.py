"""Fit a study: features, the learned chain in patient folds, the final models, the bundle."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad.errors import InputError, InputWarning, warn
from ovfrad.models import engine
from ovfrad.models.procedure import BEST
from ovfrad.models.rows import Rows
from ovfrad.study import Study
from ovfrad.study import load as load_study
from ovfrad.study.batches import batch_column
from ovfrad.study.cohorts import COHORTS
from ovfrad.study.file import to_yaml
from ovfrad.workflow import tuned
from ovfrad.workflow.adapt import adapted, harmonised
from ovfrad.workflow.case import PERTURBED
from ovfrad.workflow.facts import earlier, facts, prespecification
from ovfrad.workflow.features import (
    StudyFeatures,
    backbone_of,
    check_duplicates,
    extract_study,
    in_short,
    same_of,
    without_shuffled,
)
from ovfrad.workflow.fitted import FittedStudy
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.rows import make_rows, procedure_of

RECIPES = ("sound", "paper")


def load_recipes(path: Path, recipe: str | None) -> dict[str, Study]:
    """Study under its own recipe, under the one named, or under `both` (the file's own first)."""
    if recipe != "both":
        study = load_study(path, recipe)
        return {study.settings.recipe: study}
    first = load_study(path)
    other = next(name for name in RECIPES if name != first.settings.recipe)
    return {first.settings.recipe: first, other: load_study(path, other)}


def check_weights(studies: dict[str, Study]) -> None:
    """Refuse a bad weights file before anything is written."""
    study = next(iter(studies.values()))
    for name, arm in study.settings.deep.arms.items() if study.features is None else ():
        if arm.weights not in ("random", "none"):
            backbone_of(name, study)


def fit_study(studies: dict[str, Study], folder: RunFolder, progress: Progress, jobs: int | None = None) -> FittedStudy:
    """Fit every recipe and arm; write study.yaml, run.json, cases, features, predictions and quarantine."""
    started, jobs = time.monotonic(), jobs or os.cpu_count() or 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        study = next(iter(studies.values()))
        run = {**facts(study), "classes": list(study.classes), "recipes": list(studies)}
        before = earlier(folder)
        run["prespecified"] = before or prespecification(study, None)
        folder.forget()
        folder.replace("study.yaml", lambda path: path.write_text(to_yaml(study.settings), encoding="utf-8"))
        folder.write_json("run.json", run)
        features = extract_study(study, folder, tuple(s.settings.radiomics for s in studies.values()), progress)
        folder.write_table("quarantine.csv", features.quarantine)
        run["prespecified"] = prespecification(study, before, features.cases["voxels"])
        folder.write_json("run.json", run)
        duplicates = check_duplicates(study, features.cases)
        for pair in duplicates:
            warn(
                "W_DUPLICATE",
                study.table,
                f"{' and '.join(pair['cases'])} have the same {same_of(study)}",
                "they count as two",
            )
        _check_still_whole(study, features)
        if any(table.index.isin([PERTURBED], level="reader").any() for table in features.tables.values()):
            fault = "no second reader of two training patients, so masks are compared with seeded perturbations of them"
            warn("W_ONE_READER", study.table, fault, "it says less than two readers would")
        rows = {
            (recipe, cohort): tuned.with_patches(
                make_rows(one.settings, features.cases, features.of(one.settings), cohort),
                features.cases,
                folder,
                one.settings,
            )
            for recipe, one in studies.items()
            for cohort in COHORTS
            if (features.cases["cohort"] == cohort).any()
        }
        outcomes, combat = _fit_arms(studies, rows, features, folder, progress, jobs)
    told = list(dict.fromkeys([*in_short(features.warnings), *(str(w.message) for w in caught)]))
    for line in told:
        warnings.warn(line, InputWarning, stacklevel=2)
    told = list(dict.fromkeys([line for one in studies.values() for line in one.warnings] + told))
    run |= {
        "weights": features.weights,
        "warnings": told,
        "case_warnings": features.warnings,
        "harmonisation": combat,
        "folds": _folds(outcomes[study.settings.recipe, study.arms[0]]),
        "fit_seconds": round(time.monotonic() - started, 1),
    }
    fitted = FittedStudy(studies, features, outcomes, rows, folder, run)
    _write(fitted)
    return fitted


def _check_still_whole(study: Study, features: StudyFeatures) -> None:
    """Quarantine may have taken the last training case of a class."""
    training = features.cases[features.cases["cohort"] == "train"]
    for code, name in enumerate(study.classes):
        if not (training["y"] == code).any():
            fault = f"class {name} has no training case left after {len(features.quarantine)} were set aside"
            raise InputError("E_CLASS_TRAIN", study.table, fault, "correct the files named in quarantine.csv")


def _fit_arms(
    studies: dict[str, Study],
    rows: dict[tuple[str, str], Rows],
    features: StudyFeatures,
    folder: RunFolder,
    progress: Progress,
    jobs: int,
) -> tuple[dict[tuple[str, str], engine.Outcome], dict[str, Any]]:
    """Outcomes by recipe and arm, and what ComBat did in the headline's."""
    outcomes, told = {}, dict[str, Any]()
    for recipe, study in studies.items():
        cohorts = {cohort: part for (of, cohort), part in rows.items() if of == recipe and cohort != "train"}
        for arm in study.arms:
            progress(f"fit {recipe} / {arm}", 0, study.settings.models.outer_folds + 1)
            outcome = engine.run(
                rows[recipe, "train"],
                procedure_of(study, arm, tuned.tuned_arm(study, arm, features.weights, folder)),
                cohorts,
                jobs=jobs,
                progress=lambda step, done, total: progress(f"fit {step}", done, total),
                store=folder.cache / "folds",
            )
            adapt = study.settings.harmonisation.unseen == "adapt"
            outcomes[recipe, arm], learned = adapted(outcome, cohorts) if adapt else (outcome, {})
            if not told:
                parts = {cohort: part for (of, cohort), part in rows.items() if of == recipe}
                told = harmonised(outcome, parts, learned, batch_column(study.settings.harmonisation, features.cases))
    _check_headline(next(iter(studies.values())), outcomes)
    return outcomes, told


def _folds(outcome: engine.Outcome) -> dict[str, int]:
    """Outer and inner folds that the headline's classes allowed; inner 0: nothing was tuned."""
    used = outcome.fitted.procedure
    return {"outer": used.models.outer_folds, "inner": used.models.inner_folds if used.tune else 0}


def _check_headline(study: Study, outcomes: dict[tuple[str, str], engine.Outcome]) -> None:
    """The best of nine cannot be chosen without inner folds."""
    settings = study.settings
    fitted = outcomes[settings.recipe, study.arms[0]].fitted
    if settings.models.headline.model == BEST and fitted.best_of_nine is None:
        fault = "the training cohort is too small for inner folds, on which the best of nine would be chosen"
        raise InputError("E_FOLDS", study.table, fault, "name a classifier in models.headline.model")


def _write(fitted: FittedStudy) -> None:
    folder, features = fitted.folder, fitted.features
    stored = features.cases.copy()
    for name in ("ct", "mask", "mask_reader2"):
        root = fitted.study.table.parent
        stored[name] = [None if pd.isna(p) else os.path.relpath(p, root) for p in stored[name]]
    for name in stored.columns:
        if not pd.api.types.is_numeric_dtype(stored[name]) and not pd.api.types.is_datetime64_any_dtype(stored[name]):
            stored[name] = stored[name].astype("string")
    folder.write_table("cases.parquet", stored)
    first = next(iter(features.tables))
    for kind, table in features.tables.items():
        name = "features.parquet" if kind == first else f"features_{kind}.parquet"
        folder.write_table(name, without_shuffled(table))
    tuned.keep(fitted)
    folder.write_table("predictions.parquet", pd.concat([o.predictions for o in fitted.outcomes.values()]))
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
            "kind": score.kind,
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
