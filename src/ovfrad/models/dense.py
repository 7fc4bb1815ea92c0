"""L2 logistic regression on many correlated columns, fast: scale, rotate once, and follow the path of C by log-loss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Self

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.selection import families

CS = tuple(float(c) for c in np.logspace(-2, 3, 11))
"""Inverse penalties tried, for rows of mean squared length 1."""
CLIP = 8.0
"""Standard scores beyond +-8 are cut: one wild texture value must not own the linear predictor."""
KNOTS = 100
"""Most quantile knots of a rank map, so that a stored model holds no patient rows (METHODS I1)."""
LEAST_DIRECTION = 0.03
"""Directions shorter than this share of the longest are left out where the others are evened: they are mostly noise."""
PATIENCE = 2
"""Steps along the path without a better log-loss after which larger C are not tried."""
TOLERANCE = 1e-5
"""Largest gradient entry, per row and in units of its curvature, at which a logistic fit stops: probabilities are
then within 1e-4 of the minimum's at C up to 1, and within .002 at C = 1000 where the rows can be told apart."""
LEAST_CURVATURE = 1e-3
"""Of a class's share times the rest: keeps the scale of a class that hardly a row has."""


def inner_folds(
    y: np.ndarray, groups: np.ndarray | None, most: int, random_state: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """At most `most` stratified folds, by patient where `groups` is given; none if a class has a single patient."""
    owner = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n = min(most, min(len(np.unique(owner[y == k])) for k in np.unique(y)))
    if n < 2:
        return []
    code = np.unique(y, return_inverse=True)[1]
    patients = None if groups is None else owner.astype(np.int64).tobytes()
    return list(_deal(code.astype(np.int64).tobytes(), patients, n, random_state))


@lru_cache(maxsize=8)
def _deal(y: bytes, groups: bytes | None, n: int, random_state: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Deal rows to folds; kept, since models fitted one after the other to the same rows ask for the same folds."""
    codes = np.frombuffer(y, dtype=np.int64)
    patients = None if groups is None else np.frombuffer(groups, dtype=np.int64)
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = splitter(n, shuffle=True, random_state=random_state).split(np.zeros(len(codes)), codes, patients)
    return tuple((train, test) for train, test in folds if len(set(codes[train])) == len(set(codes)) and len(test))


def fit_logistic(
    Z: np.ndarray, Y: np.ndarray, C: float, start: np.ndarray | None = None, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Multinomial logistic regression with an L2 penalty on the slopes, in the symmetric form.

    Minimises C * sum_i -log p_i(y_i) + |W|^2 / 2 (scikit-learn's objective) by L-BFGS.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_columns)
    Y : ndarray of shape (n_rows, K)
        One column of 0 and 1 per class; rows may carry weights instead of 1.
    C : float
        Inverse penalty.
    start : ndarray of shape (n_columns + 1, K), optional
        Slopes and, in the last row, intercepts to start from.
    tolerance : float
        As `TOLERANCE`; columns that are few and nearly dependent need and can afford a smaller one.

    Returns
    -------
    ndarray of shape (n_columns + 1, K)
    """
    (n, r), K = Z.shape, Y.shape[1]
    weight = Y.sum(1, keepdims=True)
    scale = _curvature(Z, Y, C)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W = flat.reshape(r + 1, K) / scale
        eta = Z @ W[:-1] + W[-1]
        eta -= eta.max(1, keepdims=True)
        p = np.exp(eta)
        total = p.sum(1, keepdims=True)
        value = (weight * np.log(total)).sum() - np.vdot(Y, eta) + 0.5 / C * np.vdot(W[:-1], W[:-1])
        gap = p * (weight / total) - Y
        gradient = np.vstack([Z.T @ gap + W[:-1] / C, gap.sum(0, keepdims=True)]) / scale
        return float(value / n), gradient.ravel() / n

    first = np.zeros((r + 1, K)) if start is None else start * scale
    options = {"gtol": tolerance, "ftol": 0.0, "maxiter": 2000, "maxfun": 4000}
    best = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options).x
    return best.reshape(r + 1, K) / scale


def _curvature(Z: np.ndarray, Y: np.ndarray, C: float) -> np.ndarray:
    """Square roots of the loss's second derivatives per row at equal odds for all, shape (n_columns + 1, K).

    In units of these the loss is about as steep in every direction (exactly so far as columns are orthogonal, which
    `DenseLogistic` makes them), and L-BFGS takes tens of steps where it took hundreds.
    """
    counts = Y.sum(0)
    share = counts / counts.sum()
    spread = np.maximum(share * (1 - share), LEAST_CURVATURE)
    slopes = np.outer(np.einsum("ij,ij->j", Z, Z), spread) + 1 / C
    return np.sqrt(np.vstack([slopes, counts.sum() * spread]) / len(Z))


def choose_c(
    Z: np.ndarray, Y: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]], Cs: Sequence[float]
) -> tuple[float, np.ndarray]:
    """Follow the path of C from strong to weak penalty; the C of least held-out log-loss, ties to the stronger.

    Returns
    -------
    C : float
        1 (clipped to the range of `Cs`) where there are no folds.
    losses : ndarray of shape (n_tried,)
        Mean log-loss per held-out row at each C tried.
    """
    if not folds:
        return float(np.clip(1.0, min(Cs), max(Cs))), np.empty(0)
    weights: list[np.ndarray | None] = [None] * len(folds)
    losses: list[float] = []
    for C in sorted(Cs):
        total = 0.0
        for f, (train, test) in enumerate(folds):
            W = weights[f] = fit_logistic(Z[train], Y[train], C, weights[f])
            total -= float((Y[test] * log_softmax(Z[test] @ W[:-1] + W[-1], axis=1)).sum())
        losses.append(total / sum(float(Y[test].sum()) for _, test in folds))
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return sorted(Cs)[int(np.argmin(losses))], np.array(losses)


def rank_map(X: np.ndarray, knots: int) -> np.ndarray:
    """Quantiles of every column at `knots` equal steps, shape (knots, n_columns)."""
    return np.quantile(X, np.linspace(0, 1, min(knots, len(X))), axis=0)


def to_ranks(X: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Rank of each value in its training column, 0..1, between the knots linearly; ties to the middle of their run."""
    share = np.linspace(0, 1, len(quantiles))
    tied = np.asarray((np.diff(quantiles, axis=0) <= 0).any(axis=0))
    out = np.empty(X.shape[::-1])
    for j, (column, knots) in enumerate(zip(np.ascontiguousarray(X.T), np.ascontiguousarray(quantiles.T), strict=True)):
        out[j] = np.interp(column, knots, share)
        if tied[j]:
            out[j] = (out[j] - np.interp(-column, -knots[::-1], -share[::-1])) / 2
    return out.T


class DenseLogistic(ClassifierMixin, BaseEstimator):
    """L2 multinomial logistic regression on z-scores or on ranks, its C chosen by patient-grouped log-loss.

    Columns are standardised, given weights (equal total variance per family, or per column), and rotated to
    their singular vectors: the same L2 model, with at most n_rows columns while it is tuned.

    Parameters
    ----------
    ranks : bool
        Replace every value by its rank among the training rows (at most 100 quantile knots are kept).
    balance : bool
        Give each family of columns the same total variance.
    even : bool
        Replace the lengths of the singular vectors by their square roots, so that what sets correlated columns apart
        weighs more against what they share. A sum over correlated columns (size, mean intensity) is long, a
        difference short, and an L2 penalty holds slopes along short directions near 0.
    families : tuple of str, optional
        Family of each column; default: by column name (`ovfrad.selection.families`), one family without names.
    folds : int
        Most folds for C.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    C_ : float
        Inverse penalty chosen.
    losses_ : ndarray of shape (n_tried,)
        Held-out log-loss along the path.
    coef_ : ndarray of shape (K, n_columns)
        Slopes of the standardised (or ranked and standardised) columns.
    intercept_ : ndarray of shape (K,)
    """

    def __init__(
        self,
        ranks: bool = False,
        balance: bool = False,
        even: bool = False,
        families: tuple[str, ...] | None = None,
        folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.ranks = ranks
        self.balance = balance
        self.even = even
        self.families = families
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame | np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Learn scales, rotation, C and slopes; `groups` are the patients that the folds for C keep whole."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, code = _classes(self, y)
        A = self._learn_scale(X)
        left, size, right = np.linalg.svd(A, full_matrices=False)
        least = LEAST_DIRECTION if self.even else max(A.shape) * np.finfo(float).eps
        keep = size > least * max(size.max(initial=0.0), 1.0)
        stretch = _evened(size[keep]) if self.even else np.ones(keep.sum())
        Z = left[:, keep] * (size[keep] * stretch)
        Y = np.eye(len(self.classes_))[code]
        self.C_, self.losses_ = choose_c(Z, Y, inner_folds(code, groups, self.folds, self.random_state), CS)
        W = fit_logistic(Z, Y, self.C_)
        self.coef_ = (right[keep].T @ (W[:-1] * stretch[:, None])).T * self.weight_
        self.intercept_ = W[-1] - W[-1].mean()
        return self

    def _learn_scale(self, X: np.ndarray) -> np.ndarray:
        """Learn rank map, means, SDs and column weights; return the weighted standard scores of the training rows."""
        self.quantiles_ = rank_map(X, KNOTS) if self.ranks else np.empty((0, X.shape[1]))
        values = to_ranks(X, self.quantiles_) if self.ranks else X
        self.mean_, spread = values.mean(0), values.std(0)
        flat = spread <= 1e-10 * np.maximum(np.abs(self.mean_), 1e-300)
        self.scale_ = np.where(flat, 1.0, spread)
        weight = np.where(flat, 0.0, 1.0)
        if self.balance:
            family = np.array(_families(self, X.shape[1]))
            for name in np.unique(family):
                inside = family == name
                weight[inside] /= np.sqrt(max(int((~flat & inside).sum()), 1))
        scores = self._scores(values)
        length = np.sqrt(np.mean(np.sum((scores * weight) ** 2, axis=1)))
        self.weight_ = weight / (length if length > 0 else 1.0)
        return scores * self.weight_

    def _scores(self, values: np.ndarray) -> np.ndarray:
        """Standard scores, cut at `CLIP`, of raw values or, for a model on ranks, of ranks."""
        return np.clip((values - self.mean_) / self.scale_, -CLIP, CLIP)

    def decision_function(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Linear predictor of each class, shape (n_rows, K); for two classes that of the second, shape (n_rows,)."""
        eta = self._eta(X)
        return eta[:, 1] - eta[:, 0] if len(self.classes_) == 2 else eta

    def contributions(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """What each column adds to the linear predictors, shape (n_rows, n_columns, K); the intercepts come on top."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        values = to_ranks(X, self.quantiles_) if self.ranks else X
        found: np.ndarray = self._scores(values)[:, :, None] * self.coef_.T
        return found

    def _eta(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        values = to_ranks(X, self.quantiles_) if self.ranks else X
        return self._scores(values) @ self.coef_.T + self.intercept_

    def predict_proba(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Probability of each class, shape (n_rows, K)."""
        return softmax(self._eta(X), axis=1)

    def predict(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]


def _evened(size: np.ndarray) -> np.ndarray:
    """Factors that bring each direction to the square root of its length, all of them together to what they were."""
    stretch = size**-0.5
    whole: np.ndarray = stretch * np.sqrt((size**2).sum() / max((size * stretch) @ (size * stretch), 1e-300))
    return whole


def _classes(estimator: BaseEstimator, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and codes of `y`; a single class is refused."""
    check_classification_targets(y)
    classes, code = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{type(estimator).__name__} needs at least two classes; got 1 class: {classes[0]!r}.")
    return classes, code


def _families(estimator: DenseLogistic, n_columns: int) -> list[str]:
    """Family of each column: as given, else by name, else all one family."""
    if estimator.families is not None:
        if len(estimator.families) != n_columns:
            raise ValueError(f"families names {len(estimator.families)} columns; X has {n_columns}.")
        return list(estimator.families)
    names = getattr(estimator, "feature_names_in_", None)
    return ["other"] * n_columns if names is None else families([str(name) for name in names])
