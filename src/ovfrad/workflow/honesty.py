"""Honesty checks of a fitted study, written to audit.json (METHODS G)."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Literal

from ovfrad.evaluation.auc import macro_auc
from ovfrad.models import honesty
from ovfrad.models.honesty import Check
from ovfrad.workflow.case import SHUFFLED
from ovfrad.workflow.fit import FittedStudy
from ovfrad.workflow.folder import Progress
from ovfrad.workflow.rows import of_reader

#: Share of a run's time that label permutations may take (G1).
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
    settings = fitted.study.settings.honesty
    predictions = fitted.outcomes[recipe, arm].predictions
    rows, procedure = fitted.rows[recipe, "train"], fitted.outcomes[recipe, arm].fitted.procedure
    checks: list[Check] = []
    if "permutation" not in settings.leave_out:
        number: int | Literal["auto"] = permutations or settings.permutations
        seconds = spent * SHARE / (1 - SHARE)
        checks.append(
            honesty.permutation_audit(
                rows, procedure, model, number, seconds=seconds, jobs=os.cpu_count() or 1, progress=progress
            )
        )
    if "ledger" not in settings.leave_out:
        checks.append(honesty.check_ledger(honesty.ledger(predictions, recipe, arm, model)))
    checks += honesty.sentinels(predictions, recipe, arm, model)
    if "voxels" not in settings.leave_out and fitted.study.features is None:
        checks.append(_voxels(fitted, predictions, progress))
    if "siblings" not in settings.leave_out:
        checks += honesty.siblings(fitted.features.cases.rename(columns={"voxels": "content_hash"}))
    checks.append(honesty.usable_signal(predictions, recipe, arm, model))
    checks += [_left_out(name) for name in settings.leave_out]
    audit = {"status": honesty.worst(checks), "rows": [check.as_dict() for check in checks]}
    fitted.folder.write_json("audit.json", audit)
    return audit


def _voxels(fitted: FittedStudy, predictions: Any, progress: Progress) -> Check:
    """Shape and histogram alone, texture shuffled away, against the headline."""
    recipe, arm, model = fitted.headline
    rows, procedure = fitted.rows[recipe, "train"], fitted.outcomes[recipe, arm].fitted.procedure
    table = fitted.features.of(fitted.study.settings)
    radiomics = [name for name in table.columns if not str(name).startswith("deep_")]
    shuffled = of_reader(table, SHUFFLED)[radiomics]
    own = predictions[(predictions["cohort"] == "train") & (predictions["model"] == model)]
    p = own[[c for c in own.columns if c.startswith("p_")]].to_numpy()
    found = macro_auc(own["y_true"].to_numpy(), p, own["patient_id"].to_numpy()).estimate
    progress("shuffled voxels", 0, 1)
    check = honesty.shuffled_voxels(
        rows, shuffled, procedure, model, 0.5 if found is None else found, jobs=os.cpu_count() or 1
    )
    progress("shuffled voxels", 1, 1)
    return replace(check, text=f"{check.text} (Radiomics of shuffled voxels, without network and ICC filter.)")


def _left_out(name: str) -> Check:
    return Check(name, "WARN", None, None, f"The check {name!r} was left out by the study file (honesty.leave_out).")
