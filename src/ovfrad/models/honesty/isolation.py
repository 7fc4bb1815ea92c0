"""Does a fold's test part reach what is learned from its training part? Found without any label (METHODS E10, G1).

A step that learns from all rows but never sees an outcome (scaler, ComBat, PCA, ICC filter, quantiles) reads .5 under
permuted labels however it leaks: the permutation audit is blind to it. It is seen by spoiling one test patient: the
predictions of the other test patients must not move.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from ovfrad.errors import InputWarning
from ovfrad.models.engine import nested
from ovfrad.models.honesty.check import Check, proba
from ovfrad.models.honesty.permutation import Pipeline
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows

MOVED = 1e-9
"""Largest change of a probability that is rounding."""
SPOIL = 10.0
"""Standard deviations by which the spoilt patient's values are moved."""
KEY = ["patient_id", "vertebra"]


def isolation(
    rows: Rows, procedure: Procedure, model: str = "auto", *, pipeline: Pipeline | None = None, jobs: int = 1
) -> Check:
    """Spoil one patient of a test fold and ask whether the predictions of the fold's other patients move.

    Parameters
    ----------
    rows : Rows
        Training rows.
    procedure : Procedure
        As used for the study; only `model` is fitted, without recalibration.
    model : str
        The headline.
    pipeline : callable, optional
        What is audited; default: the first outer fold of the fold engine.
    jobs : int
        Processes of the fold engine.
    """
    lean = procedure.only(model, recalibrate=False)
    whole: Pipeline = pipeline or partial(nested, baselines=False, folds=(0,), jobs=jobs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        before = _first_fold(whole(rows, lean), model)
        owner = _owners(rows, before)
        after = _first_fold(whole(_spoilt(rows, min(owner)), lean), model)
    others = owner != min(owner)
    if not others.any():
        return Check("isolation", "WARN", None, MOVED, "The first test fold holds one patient: nothing to compare.")
    if not before[KEY].equals(after[KEY]):
        text = "The folds change with the values of a test patient: they were not fixed before anything was learned."
        return Check("isolation", "FAIL", None, MOVED, text)
    moved = float(np.abs(proba(before)[others] - proba(after)[others]).max())
    told = f"spoiling one test patient moves the probabilities of the {others.sum()} other rows by {moved:.1g} at most"
    if moved <= MOVED:
        return Check("isolation", "PASS", moved, MOVED, f"Training parts see nothing of test parts: {told}.")
    text = f"Something is learned from test patients: {told}. No number of this run can be trusted."
    return Check("isolation", "FAIL", moved, MOVED, text)


def _first_fold(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Rows of one model in the first fold, in an order of their own."""
    own = table[(table["model"] == model) & (table["fold"] == table["fold"].min())]
    return own.sort_values(KEY, kind="stable").reset_index(drop=True)


def _owners(rows: Rows, table: pd.DataFrame) -> np.ndarray:
    """Patient (group) of each row of a prediction table, shape (n_rows,)."""
    index = rows.X.index
    first, last = index.get_level_values(0), index.get_level_values(-1) if index.nlevels > 1 else [""] * len(rows)
    names = first if index.nlevels > 1 else rows.groups
    group = dict(zip(zip(map(str, names), map(str, last), strict=True), rows.groups, strict=True))
    return np.array([group[patient, vertebra] for patient, vertebra in zip(*(table[k] for k in KEY), strict=True)])


def _spoilt(rows: Rows, victim: str) -> Rows:
    """The rows with one patient's values far off, the second reader's in the other direction."""
    own = rows.groups == victim
    step = SPOIL * rows.X.std(ddof=0).to_numpy()
    X = rows.X.astype(float).copy()
    X.iloc[np.flatnonzero(own)] += step
    if rows.patches is not None:
        patches = rows.patches.copy()
        patches[own] = 1 - patches[own]
        rows = replace(rows, patches=patches)
    if rows.reader2 is None:
        return replace(rows, X=X)
    second = rows.reader2.astype(float).copy()
    shift = pd.Series(step, index=rows.X.columns).reindex(second.columns).to_numpy()
    second.iloc[np.flatnonzero(second.index.isin(rows.X.index[own]))] -= shift
    return replace(rows, X=X, reader2=second)
