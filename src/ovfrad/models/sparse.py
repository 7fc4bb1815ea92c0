"""A rad-score of at most ten features that a reader can check by hand: a small model taught by dense ones."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import lasso_path
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.models.dense import CLIP, DenseLogistic, _classes, choose_c, fit_logistic, inner_folds
from ovfrad.selection import SpearmanFilter

REFIT_CS = (0.01, 0.1, 1.0, 10.0)
"""Inverse penalties of the final ridge fit on standard scores."""
STEPS, DEPTH, BLOCK = 60, 2.5, 10
"""The LASSO path: penalties over DEPTH decades, in blocks of BLOCK until more than max_features enter."""


class SparseScore(ClassifierMixin, BaseEstimator):
    """Multinomial ridge regression on at most `max_features` columns that a LASSO picked to copy dense models.

    The LASSO does not regress the labels but the probabilities of a dense teacher (mean of an L2 logistic
    regression and of out-of-bag extra trees), which are the labels with less noise (preconditioning: Paul,
    Bair, Hastie, Tibshirani 2008). One set of features serves all classes.

    Parameters
    ----------
    max_features : int
    spearman_max : float
        Largest |rho| between two columns that may enter.
    n_trees : int
        Extra trees of the teacher.
    folds : int
        Most patient folds that choose penalties by log-loss.
    random_state : int

    Attributes
    ----------
    features_ : ndarray of shape (n_selected,)
        Positions of the columns used.
    names_ : list of str
        Their names (x0, x1, ... without column names).
    mean_, scale_ : ndarray of shape (n_selected,)
        Their training means and SDs.
    coef_ : ndarray of shape (K, n_selected)
        Slopes per SD; summing to zero over classes.
    intercept_ : ndarray of shape (K,)
    """

    def __init__(
        self,
        max_features: int = 10,
        spearman_max: float = 0.9,
        n_trees: int = 100,
        folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.max_features = max_features
        self.spearman_max = spearman_max
        self.n_trees = n_trees
        self.folds = folds
        self.random_state = random_state

    def fit(
        self,
        X: pd.DataFrame | np.ndarray,
        y: np.ndarray,
        groups: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> Self:
        """Pick the features and fit the score.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_columns)
        y : ndarray of shape (n_rows,)
        groups : ndarray of shape (n_rows,), optional
            Patients, kept whole in the folds that choose penalties.
        teacher : ndarray of shape (n_rows, K), optional
            Probabilities of an L2 logistic regression already fitted to these rows; default: fitted here.
        """
        names = getattr(X, "columns", None)
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, code = _classes(self, y)
        kept = np.flatnonzero(SpearmanFilter(self.spearman_max).fit(X).support_)
        mean, scale = X.mean(0), np.where(X.std(0) > 0, X.std(0), 1.0)
        Z = np.clip((X - mean) / scale, -CLIP, CLIP)
        picked = self._pick(Z[:, kept], self._teach(X, code, groups, teacher))
        self.features_ = kept[picked]
        self.names_ = [f"x{j}" if names is None else str(names[j]) for j in self.features_]
        self.mean_, self.scale_ = mean[self.features_], scale[self.features_]
        Y, few = np.eye(len(self.classes_))[code], Z[:, self.features_]
        folds = inner_folds(code, groups, self.folds, self.random_state)
        self.C_, _ = choose_c(few, Y, folds, REFIT_CS)
        W = fit_logistic(few, Y, self.C_)
        self.coef_, self.intercept_ = (W[:-1] - W[:-1].mean(1, keepdims=True)).T, W[-1] - W[-1].mean()
        return self

    def _teach(
        self, X: np.ndarray, code: np.ndarray, groups: np.ndarray | None, teacher: np.ndarray | None
    ) -> np.ndarray:
        """Probabilities to copy, shape (n_rows, K)."""
        if teacher is None:
            linear = DenseLogistic(folds=self.folds, random_state=self.random_state).fit(X, code, groups)
            teacher = linear.predict_proba(X)
        trees = ExtraTreesClassifier(
            self.n_trees, bootstrap=True, oob_score=True, min_samples_leaf=2, random_state=self.random_state, n_jobs=1
        ).fit(X, code)
        return (teacher + np.nan_to_num(trees.oob_decision_function_, nan=1 / teacher.shape[1])) / 2

    def _pick(self, Z: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Columns of the last step of the LASSO path that has at most `max_features` of them."""
        T = target - target.mean(0)
        T = T[:, 1] if T.shape[1] == 2 else T
        Z = Z - Z.mean(0)
        strength = np.linalg.norm(Z.T @ T.reshape(len(Z), -1), axis=1).max(initial=0.0) / len(Z)
        picked, warm = np.empty(0, dtype=int), None
        if strength < 1e-12:
            return picked
        for block in np.split(strength * np.logspace(0, -DEPTH, STEPS), range(BLOCK, STEPS, BLOCK)):
            _, path, _ = lasso_path(Z, T, alphas=block, coef_init=warm, tol=1e-3, max_iter=10_000)
            used = (path != 0).any(0) if path.ndim == 3 else path != 0
            fits = np.flatnonzero(used.sum(0) <= self.max_features)
            picked = np.flatnonzero(used[:, fits[-1]]) if len(fits) else picked
            if len(fits) < len(block):
                break
            warm = np.asfortranarray(path[..., -1])
        return picked

    def predict_proba(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Probability of each class, shape (n_rows, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        Z = np.clip((X[:, self.features_] - self.mean_) / self.scale_, -CLIP, CLIP)
        return softmax(Z @ self.coef_.T + self.intercept_, axis=1)

    def predict(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]
