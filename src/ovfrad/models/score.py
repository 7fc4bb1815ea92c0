"""Class probabilities from one number, the rad-score: proportional odds for ordered classes, else multinomial."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.models.dense import _classes, fit_logistic

RIDGE = 1e-4
"""Penalty on the slope per SD, per row: keeps it finite where the score separates the classes."""
SMALLEST = 1e-12


class ScoreModel(ClassifierMixin, BaseEstimator):
    """Logistic regression on one score (E8): P(class >= k) = 1 / (1 + exp(-(slope z - threshold_k))).

    Parameters
    ----------
    ordered : bool
        True: one slope, K - 1 thresholds (proportional odds, McCullagh 1980), classes in sorted order.
        False: multinomial logistic regression.

    Attributes
    ----------
    mean_, scale_ : float
        Mean and SD of the score in training; z is standardised with them.
    slope_ : float
        Of the ordered model; 0 where the score is constant.
    thresholds_ : ndarray of shape (K - 1,)
        Of the ordered model, increasing.
    weights_ : ndarray of shape (2, K)
        Of the unordered model: slopes, intercepts.

    Examples
    --------
    >>> score = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> ScoreModel().fit(score, [0, 0, 1, 0, 1, 1]).predict(score).tolist()
    [0, 0, 0, 1, 1, 1]
    """

    def __init__(self, ordered: bool = True) -> None:
        self.ordered = ordered

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Fit to a score of shape (n_rows, 1) and classes of shape (n_rows,)."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, code = _classes(self, y)
        if X.shape[1] != 1:
            raise ValueError(f"ScoreModel takes one score; got {X.shape[1]} columns.")
        self.mean_, spread = float(X.mean()), float(X.std())
        self.scale_ = spread if spread > 1e-12 * max(abs(self.mean_), 1.0) else np.inf
        z, K = ((X - self.mean_) / self.scale_)[:, 0], len(self.classes_)
        if self.ordered:
            self.slope_, self.thresholds_ = proportional_odds(z, code, K)
        else:
            self.weights_ = fit_logistic(z[:, None], np.eye(K)[code], 1 / (RIDGE * len(z)))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, shape (n_rows, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        z = (X[:, 0] - self.mean_) / self.scale_
        if not self.ordered:
            return softmax(z[:, None] @ self.weights_[:1] + self.weights_[1], axis=1)
        return _shares(self.slope_ * z, self.thresholds_)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]


def _shares(eta: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Class probabilities of a cumulative logit model, shape (n_rows, K)."""
    at_least = expit(eta[:, None] - thresholds)
    return -np.diff(at_least, axis=1, prepend=1.0, append=0.0)


def proportional_odds(z: np.ndarray, code: np.ndarray, K: int) -> tuple[float, np.ndarray]:
    """Maximum likelihood of a cumulative logit model with one slope, lightly ridged.

    Parameters
    ----------
    z : ndarray of shape (n_rows,)
        Standard scores.
    code : ndarray of shape (n_rows,)
        Classes 0..K-1, each present.

    Returns
    -------
    slope : float
    thresholds : ndarray of shape (K - 1,)
        Increasing; kept so by fitting the logarithms of their gaps.
    """
    n = len(z)
    below = np.cumsum(np.bincount(code, minlength=K))[:-1] / n
    first = np.log(below / (1 - below))

    def unpack(theta: np.ndarray) -> np.ndarray:
        return theta[1] + np.concatenate([[0.0], np.cumsum(np.exp(theta[2:]))])

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        edge = np.concatenate([[-np.inf], unpack(theta), [np.inf]])
        upper, lower = expit(edge[code + 1] - theta[0] * z), expit(edge[code] - theta[0] * z)
        p = np.maximum(upper - lower, SMALLEST)
        up, low = upper * (1 - upper) / p, lower * (1 - lower) / p
        d_edge = np.bincount(code, -up, K)[:-1] + np.bincount(code, low, K)[1:]
        d_gaps = np.cumsum(d_edge[::-1])[::-1][1:] * np.exp(theta[2:])
        gradient = np.concatenate([[(z * (up - low)).sum()], [d_edge.sum()], d_gaps])
        gradient[0] += RIDGE * n * theta[0]
        return float(-np.log(p).sum() + RIDGE * n * theta[0] ** 2 / 2) / n, gradient / n

    start = np.concatenate([[0.0, first[0]], np.log(np.diff(first))])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 0.0}).x
    return float(best[0]), unpack(best)
