"""Harmonising centres that training never saw, from their own unlabelled cases (METHODS E1, `unseen: adapt`)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.models.baselines import BASELINES
from ovfrad.models.engine import Outcome
from ovfrad.models.fitted import Fitted
from ovfrad.models.rows import Rows, ordered_table


def adapted(outcome: Outcome, cohorts: dict[str, Rows]) -> Outcome:
    """The outcome with every cohort predicted again after its unseen scanners were harmonised.

    A scanner with too few cases stays as it is, and a warning says so. Outcomes are not used.
    """
    combat = outcome.fitted.chain.combat_
    if combat is None or combat.n_batches_ < 2:
        return outcome
    tables = []
    for cohort, rows in cohorts.items():
        fitted = _adapt(outcome.fitted, rows, cohort)
        if fitted is outcome.fitted:
            continue
        tables.append(fitted.table(rows, cohort))
    if not tables:
        return outcome
    again = pd.concat(tables)
    kept = outcome.predictions
    replaced = kept["cohort"].isin(again["cohort"].unique()) & ~kept["model"].isin(BASELINES)
    return replace(outcome, predictions=ordered_table([kept[~replaced], again]))


def _adapt(fitted: Fitted, rows: Rows, cohort: str) -> Fitted:
    """Models behind a chain that knows the cohort's scanners, one scanner at a time."""
    chain, rows = fitted.chain, rows.for_arm(fitted.procedure.arm)
    if rows.batch is None or chain.combat_ is None:
        return fitted
    for name in chain.combat_.not_seen(rows.batch):
        own = rows.take(np.flatnonzero(rows.batch == name))
        try:
            chain = chain.adapt(own.X, batch=own.batch, covariates=own.covariates)
        except InputError as error:
            warn("W_NOT_ADAPTED", f"{cohort}, {name}", error.fault, "these cases stay as they are, not harmonised")
            continue
        told = f"harmonised on its own {len(own)} unlabelled cases"
        warn("W_ADAPTED", f"{cohort}, {name}", told, "a single new patient from there cannot be")
    return fitted if chain is fitted.chain else replace(fitted, chain=chain)
