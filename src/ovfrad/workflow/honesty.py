"""Honesty checks of a fitted study, written to audit.json (METHODS G)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.models import honesty
from ovfrad.models.honesty import Check
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.study import StudySettings
from ovfrad.workflow.case import SHUFFLED
from ovfrad.workflow.fitted import FittedStudy
from ovfrad.workflow.folder import Progress
from ovfrad.workflow.rows import of_reader

#: Share of a run's time that the checks may take; label permutations get what the others leave (G1).
SHARE = 0.2


def audit_study(
    fitted: FittedStudy, progress: Progress, *, spent: float = 0.0, permutations: int | None = None
) -> dict[str, Any]:
    """Run the checks that the study does not leave out.

    Parameters
    ----------
    fitted : FittedStudy
    progress : Progress
    spent : float
        Seconds that the run has taken so far; permutations sized by time take a fifth of the whole.
    permutations : int, optional
        Number of label permutations; default: as the study file says.
    """
    recipe, arm, model = fitted.headline
    settings, started = fitted.study.settings.honesty, time.monotonic()
    predictions = fitted.outcomes[recipe, arm].predictions
    cohorts = {cohort: part for (of, cohort), part in fitted.rows.items() if of == recipe}
    data = data_checks(fitted.study.settings, fitted.features.cases, cohorts)
    checks: list[Check] = []
    if "isolation" not in settings.leave_out:
        checks.append(honesty.isolation(cohorts["train"], _procedure(fitted), model))
    if "permutation" not in settings.leave_out:
        left = spent * SHARE / (1 - SHARE) - (time.monotonic() - started)
        checks.insert(0, _permuted(fitted, permutations or settings.permutations, max(left, 0.0), progress))
    if "ledger" not in settings.leave_out:
        checks.append(honesty.check_ledger(honesty.ledger(predictions, recipe, arm, model)))
        drop = honesty.check_cohorts(predictions, recipe, arm, model)
        checks += [] if drop is None else [drop]
    checks += _sentinels(fitted)
    if "voxels" not in settings.leave_out and fitted.study.features is None:
        checks.append(_voxels(fitted, predictions, progress))
    checks += [*data, honesty.usable_signal(predictions, recipe, arm, model)]
    checks += [_left_out(name) for name in settings.leave_out]
    audit = {"status": honesty.worst(checks), "rows": [check.as_dict() for check in checks]}
    fitted.folder.write_json("audit.json", audit)
    return audit


def _procedure(fitted: FittedStudy) -> Procedure:
    """What the headline was fitted by."""
    recipe, arm, _ = fitted.headline
    return fitted.outcomes[recipe, arm].fitted.procedure


def _permuted(fitted: FittedStudy, number: int | Literal["auto"], seconds: float, progress: Progress) -> Check:
    """Label permutations of the headline, as many as asked for or as fit into the time."""
    recipe, _, model = fitted.headline
    rows, jobs = fitted.rows[recipe, "train"], os.cpu_count() or 1
    return honesty.permutation_audit(
        rows, _procedure(fitted), model, number, seconds=seconds, jobs=jobs, progress=progress
    )


def data_checks(settings: StudySettings, cases: pd.DataFrame, cohorts: Mapping[str, Rows]) -> list[Check]:
    """Checks of the table itself, before anything is fitted: its columns, and rows that are one case.

    Parameters
    ----------
    settings : StudySettings
    cases : DataFrame
        All cases, index (patient_id, vertebra), with `cohort` and perhaps `voxels`.
    cohorts : mapping of str to Rows
        Rows of each cohort, "train" among them.
    """
    left_out, checks = settings.honesty.leave_out, list[Check]()
    if "columns" not in left_out:
        rows = cohorts["train"]
        own, frame = cases.loc[rows.X.index], honesty.numeric_columns(rows)
        checks += [
            honesty.label_proxy(frame, rows.codes),
            honesty.label_parts(frame, own, settings.outcome.column),
            honesty.bookkeeping(frame, rows, own),
            honesty.gaps(rows),
        ]
    if "siblings" not in left_out:
        checks += honesty.siblings(cases.rename(columns={"voxels": "content_hash"}))
    if "copies" not in left_out:
        checks += honesty.copies(cohorts)
    return checks


def _sentinels(fitted: FittedStudy) -> list[Check]:
    """Models that should know less than the headline, and the headline where it knows too much."""
    recipe, arm, model = fitted.headline
    predictions, rows = fitted.outcomes[recipe, arm].predictions, fitted.rows[recipe, "train"]
    checks = honesty.sentinels(predictions, recipe, arm, model)
    scanner = honesty.scanner_only(rows, _procedure(fitted), _nested(predictions, model))
    return [*checks, *([] if scanner is None else [scanner]), honesty.too_good(predictions, recipe, arm, model)]


def _nested(predictions: Any, model: str) -> Estimate:
    """Nested macro AUC of a model."""
    own = predictions[(predictions["cohort"] == "train") & (predictions["model"] == model)]
    p = own[[c for c in own.columns if c.startswith("p_")]].to_numpy()
    return macro_auc(own["y_true"].to_numpy(), p, own["patient_id"].to_numpy())


def _voxels(fitted: FittedStudy, predictions: Any, progress: Progress) -> Check:
    """Shape and histogram alone, texture shuffled away, against the headline."""
    recipe, _, model = fitted.headline
    rows, procedure = fitted.rows[recipe, "train"], _procedure(fitted)
    table = fitted.features.of(fitted.study.settings)
    radiomics = [name for name in table.columns if not str(name).startswith("deep_")]
    shuffled = of_reader(table, SHUFFLED)[radiomics]
    found = _nested(predictions, model)
    progress("shuffled voxels", 0, 1)
    check = honesty.shuffled_voxels(rows, shuffled, procedure, model, found, jobs=os.cpu_count() or 1)
    progress("shuffled voxels", 1, 1)
    return replace(check, text=f"{check.text} (Radiomics of shuffled voxels, without network and ICC filter.)")


def _left_out(name: str) -> Check:
    return Check(name, "WARN", None, None, f"The check {name!r} was left out by the study file (honesty.leave_out).")
