"""Redundancy filter on Spearman's rank correlation (METHODS E3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.selection.columns import varies

_ROUNDING = 12  # decimals to which |rho| is compared, so that a tie is a tie whatever the order of summation


class SpearmanFilter(SelectorMixin, BaseEstimator):
    """Drop features until no kept pair has |rho| above the threshold; a constant feature is always dropped.

    Parameters
    ----------
    threshold : float
        Largest |rho| of a kept pair.
    rule : {"degree", "order"}
        "degree": while some pair exceeds the threshold, drop the feature with most such partners; of equals, that
        with the higher mean |rho| over all features, then the later name. With named columns the result does not
        depend on their order. "order": go through the columns and keep one if it exceeds the threshold with none kept.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_features,)

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"volume": [1.0, 2, 3, 4], "surface": [1.0, 4, 9, 16], "skewness": [2.0, 1, 4, 3]})
    >>> SpearmanFilter(threshold=0.9).fit(X).get_feature_names_out().tolist()
    ['surface', 'skewness']
    """

    def __init__(self, threshold: float = 0.9, rule: str = "degree") -> None:
        self.threshold = threshold
        self.rule = rule

    def fit(self, X: Any, y: Any = None) -> SpearmanFilter:
        """Find the features to keep in X of shape (n_rows, n_features); y is not used."""
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        varied = np.flatnonzero(varies(values))
        if self.rule not in ("degree", "order"):
            raise ValueError(f"rule must be 'degree' or 'order'; got {self.rule!r}.")
        if self.rule == "degree" and hasattr(self, "feature_names_in_"):
            varied = varied[np.argsort(self.feature_names_in_[varied].astype(str))]
        rho = absolute_spearman(values[:, varied])
        kept = (_most_partners if self.rule == "degree" else _in_order)(rho, self.threshold)
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        self.support_[varied[kept]] = True
        return self

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_


def absolute_spearman(values: np.ndarray) -> np.ndarray:
    """|rho| of every pair of columns, none of them constant: shape (n_features, n_features), midranks for ties."""
    ranks = midranks(np.ascontiguousarray(values.T))
    ranks -= ranks.mean(axis=1, keepdims=True)
    ranks /= np.sqrt(np.einsum("ij,ij->i", ranks, ranks))[:, None]
    rho: np.ndarray = ranks @ ranks.T
    return np.round(np.abs(rho, out=rho), _ROUNDING, out=rho)


def midranks(rows: np.ndarray) -> np.ndarray:
    """Ranks within each row, 1 to n, ties sharing their mean; float64, shape as `rows`.

    The bits of a double sort as a whole number once negative ones are turned round. Its last bits make room for the
    place in the row, so that one plain sort, twice as fast as an indirect one, ranks all rows. Rows in which two
    numbers then look alike are ranked in full.

    >>> midranks(np.array([[3.0, -1.0, 2.0], [5.0, 5.0, 4.0]])).tolist()
    [[3.0, 1.0, 2.0], [2.5, 2.5, 1.0]]
    """
    n = rows.shape[1]
    room = max(n - 1, 1).bit_length()
    key = (rows + 0.0).view(np.int64)  # -0.0 becomes 0.0
    key ^= (key >> 63) & np.int64(0x7FFF_FFFF_FFFF_FFFF)
    key &= np.int64(-1 << room)
    key |= np.arange(n)
    key.sort(axis=1)
    order = key & np.int64((1 << room) - 1)
    key >>= room
    alike = (key[:, 1:] == key[:, :-1]).any(axis=1)
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(1.0, n + 1), rows.shape), axis=1)
    if alike.any():
        ranks[alike] = rankdata(rows[alike], axis=1)
    return ranks


def _most_partners(rho: np.ndarray, threshold: float) -> np.ndarray:
    """Mask of kept columns: drop the one with most partners until none is left; columns come in order of name."""
    partner = rho > threshold
    np.fill_diagonal(partner, False)
    degree = partner.sum(axis=0)
    mean = np.round(rho.mean(axis=0), _ROUNDING) if rho.size else np.zeros(0)
    kept = np.ones(len(rho), dtype=bool)
    while degree.size and (most := degree.max()) > 0:
        worst = np.flatnonzero(degree == most)
        worst = worst[mean[worst] == mean[worst].max()]
        drop = worst[-1]
        kept[drop] = False
        degree = degree - partner[drop]
        degree[~kept] = 0
    return kept


def _in_order(rho: np.ndarray, threshold: float) -> np.ndarray:
    """Mask of kept columns, from left to right."""
    kept = np.zeros(len(rho), dtype=bool)
    for j in range(len(rho)):
        kept[j] = not (rho[j, kept] > threshold).any()
    return kept
