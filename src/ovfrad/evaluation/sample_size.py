"""What a cohort of this size can say (F8)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ovfrad.evaluation.intervals import newcombe_interval

ADVISED = 10
"""Events per feature below which a regression is usually called over-fitted (Peduzzi et al., 1996)."""


def events_per_feature(counts: Sequence[int], features: int) -> float | None:
    """Return the rows of the smallest class over the number of features; None without features.

    >>> events_per_feature([345, 338, 67], 33)
    2.03
    """
    return None if features == 0 else round(min(counts) / features, 2)


def interval_widths(counts: Sequence[int], auc: float = 0.8, level: float = 0.95) -> pd.DataFrame:
    """Return the interval that each class could get, were its AUC the one supposed (Newcombe's method 5).

    Parameters
    ----------
    counts : sequence of int
        Patients of each class in a cohort.
    auc : float
        Supposed one-vs-rest AUC.
    level : float

    Returns
    -------
    DataFrame
        Columns `class, cases, others, auc, low, high, width`; no limits where a class has fewer than 3 patients.

    Examples
    --------
    >>> interval_widths([24, 22, 5])["width"].round(2).tolist()
    [0.24, 0.25, 0.4]
    """
    rows = []
    for k, cases in enumerate(counts):
        others = sum(counts) - cases
        low, high = newcombe_interval(auc, cases, others, level) if min(cases, others) >= 3 else (None, None)
        width = None if low is None or high is None else high - low
        rows.append((k, cases, others, auc, low, high, width))
    return pd.DataFrame(rows, columns=["class", "cases", "others", "auc", "low", "high", "width"])
