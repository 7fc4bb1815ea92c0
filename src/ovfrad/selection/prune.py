"""Drop features that correlate with a stronger one (METHODS E5; the paper's last step before fusion)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ovfrad.selection.columns import varies
from ovfrad.selection.spearman import absolute_spearman


class CorrelationPrune(SelectorMixin, BaseEstimator):
    """Go from the strongest feature down and keep one if its |rho| with every kept one is at most the threshold.

    Parameters
    ----------
    threshold : float
        Largest Spearman |rho| of a kept pair (the paper: 0.5; it does not say which correlation).

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_features,)

    Examples
    --------
    >>> X = np.array([[1.0, 1, 2], [2, 3, 1], [3, 2, 1], [4, 4, 2]])
    >>> CorrelationPrune(0.5).fit(X, strength=[0.2, 0.7, 0.1]).support_.tolist()
    [False, True, True]
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def fit(self, X: Any, y: Any = None, *, strength: Any = None) -> CorrelationPrune:
        """Find the features to keep.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
        y : array of shape (n_rows,), optional
            Class codes; used where `strength` is not given: |rho| with them.
        strength : array of shape (n_features,), optional
            Which feature is stronger, such as |LASSO coefficient|. With neither, columns count as given.
        """
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        varied = np.flatnonzero(varies(values))
        rho = absolute_spearman(values[:, varied])
        power = self._strength(values, y, strength)
        kept: list[int] = []
        for j in np.argsort(-power[varied], kind="stable"):
            if not (rho[j, kept] > self.threshold).any():
                kept.append(int(j))
        self.support_ = np.zeros(values.shape[1], dtype=bool)
        self.support_[varied[kept]] = True
        return self

    def _strength(self, values: np.ndarray, y: Any, strength: Any) -> np.ndarray:
        if strength is not None:
            power = column_or_1d(strength, dtype=np.float64)
            if len(power) != values.shape[1]:
                raise ValueError(f"strength has {len(power)} values for {values.shape[1]} features.")
            return np.abs(power)
        power = np.zeros(values.shape[1])
        codes = None if y is None else np.unique(column_or_1d(y), return_inverse=True)[1].astype(float)
        if codes is not None and np.ptp(codes) > 0:
            varied = varies(values)
            power[varied] = absolute_spearman(np.column_stack([codes, values[:, varied]]))[0, 1:]
        return power

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_
