"""Fit any classifier the same way, and read its probabilities the same way."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier


def fit_quietly(estimator: BaseEstimator, X: np.ndarray, y: np.ndarray, **fit_args: Any) -> BaseEstimator:
    """Clone and fit; a solver that runs out of iterations sets `unconverged_` instead of warning.

    A KNN with fewer training rows than neighbours takes them all.
    """
    model = clone(estimator)
    if isinstance(model, KNeighborsClassifier) and model.n_neighbors > len(X):
        model.set_params(n_neighbors=len(X))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, **fit_args)
    stopped = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    for other in (w for w in caught if w not in stopped):
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if stopped:
        model.unconverged_ = True
    return model


def unconverged(model: BaseEstimator) -> bool:
    """Whether the solver of a model fitted by `fit_quietly` ran out of iterations."""
    return bool(getattr(getattr(model, "estimator_", model), "unconverged_", False))


def align(proba: np.ndarray, have: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Probabilities in the columns of `want`; a class never seen in training gets 0.

    >>> align(np.array([[0.4, 0.6]]), np.array([0, 2]), np.arange(3)).tolist()
    [[0.4, 0.0, 0.6]]
    """
    out = np.zeros((len(proba), len(want)))
    out[:, np.searchsorted(want, have)] = proba
    return out
