"""The ROC curve and its band (F9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation.auc import FEWEST
from ovfrad.evaluation.bootstrap import Counts, Resamples, score_groups
from ovfrad.evaluation.estimate import wilson

Floats = NDArray[np.float64]
GRID = np.linspace(0.0, 1.0, 101)
"""False positive rates at which a band is given."""


def roc_points(cases: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return false and true positive rates from (0, 0) to (1, 1) and the threshold (score >= t) of each point."""
    y, values = np.asarray(cases, dtype=bool), np.asarray(score, dtype=float)
    order = np.argsort(-values, kind="stable")
    last = np.r_[values[order][1:] != values[order][:-1], True]
    true, false = np.cumsum(y[order])[last], np.cumsum(~y[order])[last]
    if true[-1] == 0 or false[-1] == 0:
        raise ValueError("a ROC curve needs at least one case and one non-case.")
    return np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]], np.r_[np.inf, values[order][last]]


def sensitivity_at(
    cases: NDArray[np.bool_], score: Floats, false_positive_rates: Floats, weights: Counts | None = None
) -> Floats:
    """Return the sensitivity at each false positive rate in each resample, shape (rates, b).

    Without `weights` b is 1 and the curve is that of the rows. Between its points the curve is straight.

    >>> y = np.array([False, False, True, True])
    >>> sensitivity_at(y, np.array([0.1, 0.4, 0.3, 0.8]), np.array([0.0, 0.5, 0.75]))[:, 0].tolist()
    [0.5, 1.0, 1.0]
    """
    from ovfrad.evaluation.bootstrap_kernels import sensitivities

    order, starts = score_groups(np.asarray(score, dtype=float), descending=True)
    each = np.ones((len(order), 1)) if weights is None else weights
    found: Floats = sensitivities(order, np.asarray(cases, dtype=bool)[order], starts, each, false_positive_rates)
    return found


def roc_band(
    cases: ArrayLike,
    score: ArrayLike,
    patients: ArrayLike | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the ROC curve on a grid of false positive rates with its pointwise band.

    At each rate the band is the wider of two intervals of the sensitivity, limit by limit: the percentiles of the
    patient bootstrap, which know that the threshold was estimated too, and Wilson's interval with the patients among
    the cases as trials, which has a width where the bootstrap has none (five cases all found). It holds for a rate
    chosen beforehand, not for the whole curve at once.

    Parameters
    ----------
    cases : array-like of bool, shape (n,)
    score : array-like, shape (n,)
    patients : array-like, shape (n,), optional
    resamples : int
    level : float
    seed : int

    Returns
    -------
    DataFrame
        Columns `false_positive_rate, sensitivity, low, high`. No limits below three patients among cases or non-cases.
    """
    y, values = np.asarray(cases, dtype=bool), np.asarray(score, dtype=float)
    drawn = Resamples.of(patients, len(y), resamples, seed)
    curve = sensitivity_at(y, values, GRID)[:, 0]
    found = pd.DataFrame({"false_positive_rate": GRID, "sensitivity": curve, "low": np.nan, "high": np.nan})
    trials, others = (len(np.unique(drawn.codes[rows])) for rows in (y, ~y))
    if min(trials, others) < FEWEST:
        return found
    curves = drawn.apply(lambda weights: {"curve": sensitivity_at(y, values, GRID, weights).T})["curve"]
    low, high = np.nanquantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
    wide = np.array([wilson(share * trials, trials, level) for share in curve])
    return found.assign(low=np.minimum(low, wide[:, 0]), high=np.maximum(high, wide[:, 1]))
