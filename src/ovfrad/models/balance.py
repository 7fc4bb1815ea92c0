"""Rare classes made to count more while a classifier is fitted: by weights, or by synthetic rows (METHODS E9).

Both see the rows that the classifier is fitted to and no other: in a fold those of its training part. Both multiply
the probability of the rare class, which recalibration on cross-fitted predictions takes back.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.validation import check_is_fitted

from ovfrad.models.estimators import align, fit_quietly
from ovfrad.models.svm import SvmProbability

NEIGHBOURS = 5
"""Nearest rows of a class between which SMOTE draws (Chawla 2002), or as many as the class has."""


class Balanced(ClassifierMixin, BaseEstimator):
    """Base of the two: a classifier `estimator_` fitted to rows in which every class has the same weight.

    Parameters
    ----------
    estimator : classifier
    random_state : int
        Seed of resampling.

    Attributes
    ----------
    estimator_ : classifier
    """

    def __init__(self, estimator: BaseEstimator, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class of `classes_`, shape (n_rows, K)."""
        check_is_fitted(self)
        return align(self.estimator_.predict_proba(X), self.estimator_.classes_, self.classes_)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]


class Weighted(Balanced):
    """Classes weighted inversely to their frequency: sample weights, or for KNN, which takes none, resampled rows."""

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Fit with weights n / (K n_k)."""
        self.classes_, code, counts = np.unique(y, return_inverse=True, return_counts=True)
        weight = len(y) / (len(counts) * counts[code])
        if isinstance(self.estimator, KNeighborsClassifier):
            draw = np.random.default_rng(self.random_state).choice(len(y), len(y), p=weight / weight.sum())
            self.estimator_ = fit_quietly(self.estimator, X[draw], y[draw])
        else:
            more = {"groups": groups} if isinstance(self.estimator, SvmProbability) else {}
            self.estimator_ = fit_quietly(self.estimator, X, y, sample_weight=weight, **more)
        return self


class Oversampled(Balanced):
    """Synthetic rows between neighbours of a class, until every class has as many as the largest (SMOTE).

    A synthetic row lies between rows of two patients, so none can be kept on one side of a split. The SVM, whose map
    to probabilities is cross-fitted, therefore makes its own in each of its folds.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0], [7.0], [8.0]]), np.array([0, 0, 0, 0, 1, 1])
    >>> Oversampled(KNeighborsClassifier(3)).fit(X, y).predict_proba([[6.0]]).round(2).tolist()
    [[0.0, 1.0]]
    """

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Fit to the rows and the synthetic ones."""
        self.classes_ = np.unique(y)
        if isinstance(self.estimator, SvmProbability):
            self.estimator_ = fit_quietly(self.estimator, X, y, groups=groups, resample=self._more)
        else:
            self.estimator_ = fit_quietly(self.estimator, *self._more(X, y))
        return self

    def _more(self, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return oversampled(X, y, self.random_state)


def oversampled(X: np.ndarray, y: np.ndarray, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows and, after them, synthetic ones; a class of a single row is repeated as it is.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    random_state : int

    Returns
    -------
    X : ndarray of shape (n, n_columns)
    y : ndarray of shape (n,)
        Every class as often as the largest.
    """
    from imblearn.over_sampling import SMOTE

    classes, counts = np.unique(y, return_counts=True)
    alone = np.flatnonzero(np.isin(y, classes[counts == 1]))
    X, y = np.concatenate([X, X[alone]]), np.concatenate([y, y[alone]])  # SMOTE needs a neighbour to draw towards
    least = int(np.unique(y, return_counts=True)[1].min())
    found: tuple[np.ndarray, np.ndarray] = SMOTE(
        k_neighbors=min(NEIGHBOURS, least - 1), random_state=random_state
    ).fit_resample(X, y)
    return found
