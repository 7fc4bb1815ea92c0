"""Harmonising centres that training never saw, from their own unlabelled cases (METHODS E1, `unseen: adapt`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.models.baselines import BASELINES
from ovfrad.models.engine import Outcome
from ovfrad.models.rows import Rows, ordered_table
from ovfrad.selection import FusedFeatures


def adapted(outcome: Outcome, cohorts: dict[str, Rows]) -> tuple[Outcome, dict[str, list[str]]]:
    """The outcome with every cohort predicted again after its unseen scanners were harmonised, and their names.

    A scanner with too few cases stays as it is, and a warning says so. Outcomes are not used.
    """
    combat = outcome.fitted.chain.combat_
    if combat is None or combat.n_batches_ < 2:
        return outcome, {}
    tables, learned = [], dict[str, list[str]]()
    for cohort, rows in cohorts.items():
        first = outcome.fitted
        chain = adapted_chain(first.chain, rows.for_arm(first.procedure.arm), cohort)
        if chain is first.chain:
            continue
        tables.append(replace(first, chain=chain).table(rows, cohort))
        known = chain.combat_
        learned[cohort] = [name for name in combat.not_seen(rows.batch) if known and name in known.batches_]
    if not tables:
        return outcome, {}
    again = pd.concat(tables)
    kept = outcome.predictions
    replaced = kept["cohort"].isin(again["cohort"].unique()) & ~kept["model"].isin(BASELINES)
    return replace(outcome, predictions=ordered_table([kept[~replaced], again])), learned


def harmonised(
    outcome: Outcome, rows: dict[str, Rows], learned: dict[str, list[str]], column: str | None
) -> dict[str, Any]:
    """What ComBat did, for the report.

    Returns
    -------
    dict
        `column`; `reference`; `batches` with their training rows; `adapted` and `not_harmonised`, the rows of each
        batch that training did not have, by cohort.
    """
    combat = outcome.fitted.chain.combat_
    if combat is None or column is None:
        return {"column": None, "reference": None, "batches": {}, "adapted": {}, "not_harmonised": {}}
    found: dict[str, dict[str, dict[str, int]]] = {"adapted": {}, "not_harmonised": {}}
    for cohort, part in rows.items():
        if part.batch is None or combat.n_batches_ < 2:
            continue
        for name in combat.not_seen(part.batch):
            kind = "adapted" if name in learned.get(cohort, []) else "not_harmonised"
            found[kind].setdefault(cohort, {})[name] = int((part.batch == name).sum())
    sizes = dict(zip(map(str, combat.batches_), map(int, combat.batch_sizes_), strict=True))
    return {"column": column, "reference": combat.reference_, "batches": sizes, **found}


def adapted_chain(chain: FusedFeatures, rows: Rows, cohort: str) -> FusedFeatures:
    """The chain when it knows the cohort's scanners, one scanner at a time; the same where it learned none.

    `rows` are those of the chain's arm.
    """
    if rows.batch is None or chain.combat_ is None or chain.combat_.n_batches_ < 2:
        return chain
    for name in chain.combat_.not_seen(rows.batch):
        own = rows.take(np.flatnonzero(rows.batch == name))
        try:
            chain = chain.adapt(own.X, batch=own.batch, covariates=own.covariates)
        except InputError as error:
            warn("W_NOT_ADAPTED", f"{cohort}, {name}", error.fault, "these cases stay as they are, not harmonised")
            continue
        told = f"harmonised on its own {len(own)} unlabelled cases"
        warn("W_ADAPTED", f"{cohort}, {name}", told, "a single new patient from there cannot be")
    return chain
