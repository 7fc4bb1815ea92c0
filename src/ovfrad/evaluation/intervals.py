"""Interval formulas for an area under the ROC curve and for a mean of proportions (F2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, stdtrit

from ovfrad.evaluation.estimate import quantile_of_normal, wilson

Floats = NDArray[np.float64]


def degrees_of_freedom(influences: Floats, groups: NDArray[np.intp], patients: NDArray[np.intp]) -> float:
    """Return Satterthwaite's degrees of freedom of a variance that adds up over groups of rows.

    For cases and non-cases these are Brunner and Munzel's (Biom J 2000;42:17-25).

    Parameters
    ----------
    influences : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Outcome of each row.
    patients : ndarray of int, shape (n,)
    """
    total = spread = 0.0
    for group in np.unique(groups):
        rows = groups == group
        part = float((np.bincount(patients[rows], weights=influences[rows]) ** 2).sum())
        total += part
        spread += part**2 / max(len(np.unique(patients[rows])) - 1, 1)
    return total**2 / spread if spread > 0 else math.inf


def quantile(level: float, df: float = math.inf) -> float:
    """Return the quantile of a two-sided interval: the normal's, or Student's t's with degrees of freedom."""
    return quantile_of_normal(level) if math.isinf(df) else float(stdtrit(df, 0.5 + level / 2))


def logit_interval(value: float, se: float, level: float = 0.95, df: float = math.inf) -> tuple[float, float]:
    """Return an interval that is symmetric on the logit scale, for a value strictly between 0 and 1.

    With degrees of freedom Student's t takes the place of the normal distribution.
    """
    half = quantile(level, df) * se / (value * (1 - value))
    centre = float(logit(value))
    return float(expit(centre - half)), float(expit(centre + half))


def newcombe_variance(value: float, cases: int, others: int) -> float:
    """Return the variance of an AUC of `value` in Newcombe's method 5 (Newcombe, Stat Med 2006;25:559-573).

    Hanley and McNeil's variance with both group sizes in its numerator replaced by their mean.
    """
    extra = (cases + others) / 2 - 1
    spread = 1 + extra * ((1 - value) / (2 - value) + value / (1 + value))
    return value * (1 - value) * spread / (cases * others)


def newcombe_interval(value: float, cases: int, others: int, level: float = 0.95) -> tuple[float, float]:
    """Return Newcombe's method 5 interval: every AUC whose distance from `value` is within z standard errors.

    The standard error is that of the candidate, not of the estimate, so the interval exists for an AUC of 0 or 1.

    >>> [round(v, 3) for v in newcombe_interval(1.0, 5, 46)]
    [0.788, 1.0]
    """
    z2 = quantile_of_normal(level) ** 2

    def excess(candidate: float) -> float:
        return (candidate - value) ** 2 - z2 * newcombe_variance(candidate, cases, others)

    # a hair inside the unit interval: at 0 and 1 the variance vanishes, and the estimate itself would be the root
    edge = 1e-9
    inner = min(max(value, edge), 1 - edge)
    low = brentq(excess, edge, inner) if inner > edge and excess(edge) > 0 else 0.0
    high = brentq(excess, inner, 1 - edge) if inner < 1 - edge and excess(1 - edge) > 0 else 1.0
    return float(min(low, value)), float(max(high, value))


def mean_of_shares(shares: Sequence[float], trials: Sequence[int], level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean of independent proportions, from Wilson's of each.

    Each limit is as far from the mean as the root of the squared distances of the single limits, divided by their
    number (MOVER: Zou and Donner, Stat Med 2008;27:1693-1702).

    >>> [round(v, 3) for v in mean_of_shares([0.8, 0.7, 0.6], [24, 22, 5])]
    [0.544, 0.813]
    """
    limits = np.array([wilson(share * n, n, level) for share, n in zip(shares, trials, strict=True)])
    values = np.asarray(shares, dtype=float)
    below, above = (np.sqrt(((limits[:, side] - values) ** 2).sum()) / len(values) for side in (0, 1))
    return float(values.mean() - below), float(values.mean() + above)
