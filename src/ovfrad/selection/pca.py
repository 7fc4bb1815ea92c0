"""Principal components of the deep features (METHODS D4, E6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

_RANK = 1e-10  # a component with less than this share of the variance is rounding


class DeepPca(TransformerMixin, BaseEstimator):
    """Components that keep a share of the variance of the centred (not rescaled) features, at most a number of them.

    Computed from the smaller of the two Gram matrices, exactly. The sign of each component makes its largest loading
    positive. Columns without variance load on nothing; where no column has variance there is no component.

    Parameters
    ----------
    variance : float
        Share of the total variance to keep.
    maximum : int
        Most components.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
    components_ : ndarray of shape (n_components_, n_features)
        Orthonormal rows.
    explained_variance_ratio_ : ndarray of shape (n_components_,)
    n_components_ : int

    Examples
    --------
    >>> X = np.array([[1.0, 0.0, 7.0], [2.0, 0.1, 7.0], [3.0, 0.0, 7.0], [4.0, 0.1, 7.0]])
    >>> pca = DeepPca(variance=0.95).fit(X)
    >>> pca.get_feature_names_out().tolist(), pca.transform(X).round(2).ravel().tolist()
    (['pc_00'], [-1.5, -0.5, 0.5, 1.5])
    """

    def __init__(self, variance: float = 0.95, maximum: int = 64) -> None:
        self.variance = variance
        self.maximum = maximum

    def fit(self, X: Any, y: Any = None) -> DeepPca:
        """Learn the components of X of shape (n_rows, n_features); y is not used."""
        values = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self.mean_ = values.mean(axis=0)
        centred = values - self.mean_
        total = float((centred**2).sum())
        negligible = total <= (_RANK * float(np.abs(values).max())) ** 2 * values.size
        power, components = (np.zeros(0), np.zeros((0, values.shape[1]))) if negligible else self._leading(centred)
        share = power / total if len(power) else power
        enough = int(np.searchsorted(np.cumsum(share), self.variance - _RANK) + 1)
        self.n_components_ = min(enough, int((share > _RANK).sum()))
        self.components_ = components[: self.n_components_]
        self.explained_variance_ratio_ = share[: self.n_components_]
        return self

    def _leading(self, centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared singular values, largest first, and the right singular vectors as rows."""
        wide = centred.shape[0] < centred.shape[1]
        gram = centred @ centred.T if wide else centred.T @ centred
        size = len(gram)
        power, vectors = eigh(gram, subset_by_index=(max(0, size - self.maximum), size - 1))
        power, vectors = np.maximum(power[::-1], 0), vectors[:, ::-1]
        real = power > _RANK * power[0]
        power, vectors = power[real], vectors[:, real]
        rows = (vectors.T @ centred) / np.sqrt(power)[:, None] if wide else vectors.T
        largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
        return power, rows * np.sign(largest)

    def transform(self, X: Any) -> Any:
        """Scores of shape (n_rows, n_components_); a DataFrame for a DataFrame."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        scores = (values - self.mean_) @ self.components_.T
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame(scores, index=X.index, columns=self.get_feature_names_out())
        return scores

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names pc_00, pc_01, ..."""
        check_is_fitted(self)
        return np.array([f"pc_{i:02d}" for i in range(self.n_components_)], dtype=object)
