"""LASSO on the class codes, its penalty by patient-grouped cross-validation (METHODS E4; Tibshirani 1996)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.linear_model import lasso_path
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ovfrad.selection.columns import aligned, varies
from ovfrad.selection.homotopy import Columns, lasso_homotopy

_TOLERANCE, _MOST_SWEEPS = 1e-7, 20_000  # of coordinate descent: duality gap as a share of the sum of squares of y


class LassoSelector(SelectorMixin, BaseEstimator):
    """Features with a coefficient in  min_w  ||t - Z w||^2 / (2 n) + alpha ||w||_1,  Z the z-scored features.

    Parameters
    ----------
    rule : {"1se", "min"}
        Largest penalty whose CV error is within one standard error of the least, or the penalty of the least.
    kind : {"codes", "ovr"}
        The target t: the class codes 0..K-1 as numbers, or one indicator per class (kept where any class keeps it),
        for classes without an order. With two classes both are the codes.
    cv : int
        Folds; all rows of a patient are in one, classes spread evenly. Fewer patients than folds: one fold each.
    lowest, highest, n_alphas : float, float, int
        Grid of penalties, even in the logarithm. The paper's .0031 and .0295 are points of the default.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    alphas_ : ndarray of shape (n_alphas,)
        Largest first.
    path_ : ndarray of shape (n_alphas, n_features), for "ovr" (n_alphas, n_classes, n_features)
        Coefficients per SD of a feature on all rows.
    cv_mean_, cv_se_ : ndarray of shape (n_alphas,)
        Mean squared error over folds, and its standard error.
    alpha_, index_ : float, int
        The penalty chosen, and its place in `alphas_`.
    coef_, intercept_ : ndarray of shape (n_features,) and float, for "ovr" (n_classes, n_features) and (n_classes,)
    mean_, scale_ : ndarray of shape (n_features,)
        Of the z-score; the scale of a constant feature is 1.
    support_ : ndarray of bool of shape (n_features,)
        May be all False: then no feature predicts better than the mean, under this rule.
    classes_ : ndarray of shape (n_classes,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> X = np.column_stack([y + rng.normal(size=120), rng.normal(size=(120, 4))])
    >>> lasso = LassoSelector().fit(X, y)
    >>> lasso.support_.tolist(), round(lasso.alpha_, 3)
    ([True, False, False, False, False], 0.184)
    """

    def __init__(
        self,
        rule: str = "1se",
        kind: str = "codes",
        cv: int = 10,
        lowest: float = 1e-3,
        highest: float = 1.0,
        n_alphas: int = 50,
        random_state: int = 0,
    ) -> None:
        self.rule = rule
        self.kind = kind
        self.cv = cv
        self.lowest = lowest
        self.highest = highest
        self.n_alphas = n_alphas
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> LassoSelector:
        """Learn coefficients and penalty.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
        y : array of shape (n_rows,)
            Class codes; their order is used unless kind is "ovr".
        groups : array of shape (n_rows,), optional
            Patient of each row; None: every row is its own.
        """
        if self.rule not in ("1se", "min") or self.kind not in ("codes", "ovr"):
            raise ValueError(f"rule is '1se' or 'min', kind 'codes' or 'ovr'; got {self.rule!r} and {self.kind!r}.")
        values, codes = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=3)
        self.classes_, codes = np.unique(column_or_1d(codes), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]}; a LASSO needs at least two.")
        targets = self._targets(codes)
        self.alphas_ = np.geomspace(self.highest, self.lowest, self.n_alphas)
        patients = np.arange(len(codes)) if groups is None else np.asarray(aligned(groups, X, "groups"))
        self._cross_validate(values, targets, deal_patients(patients, codes, self.cv, self.random_state))
        fit = _fit_path(values, targets, self.alphas_)
        single = targets.shape[1] == 1
        self.mean_, self.scale_, self.path_ = fit.mean, fit.scale, fit.path[:, 0] if single else fit.path
        self.coef_ = self.path_[self.index_]
        self.intercept_ = float(fit.level[0]) if single else fit.level
        self.support_ = (fit.path[self.index_] != 0).any(axis=0)
        return self

    def _targets(self, codes: np.ndarray) -> np.ndarray:
        """What is regressed on: shape (n_rows, 1), or (n_rows, n_classes) for "ovr" of three or more."""
        if self.kind == "codes" or len(self.classes_) == 2:
            return codes[:, None].astype(float)
        return (codes[:, None] == np.arange(len(self.classes_))).astype(float)

    def _cross_validate(self, values: np.ndarray, targets: np.ndarray, folds: np.ndarray) -> None:
        errors = np.array([self._fold_errors(values, targets, folds == fold) for fold in np.unique(folds)])
        self.cv_mean_ = errors.mean(axis=0)
        self.cv_se_ = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
        least = int(self.cv_mean_.argmin())
        within = self.cv_mean_ <= self.cv_mean_[least] + self.cv_se_[least]
        self.index_ = int(np.flatnonzero(within)[0]) if self.rule == "1se" else least
        self.alpha_ = float(self.alphas_[self.index_])

    def _fold_errors(self, values: np.ndarray, targets: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Squared error at each penalty, mean over held-out rows and summed over targets: shape (n_alphas,)."""
        fit = _fit_path(values[~held_out], targets[~held_out], self.alphas_)
        standard = (values[held_out] - fit.mean) / fit.scale
        residual = targets[held_out] - fit.level - standard @ fit.path.transpose(0, 2, 1)
        return (residual**2).mean(axis=1).sum(axis=1)

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear predictor: shape (n_rows,), for "ovr" of three or more classes (n_rows, n_classes)."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        return ((values - self.mean_) / self.scale_) @ self.coef_.T + self.intercept_

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


@dataclass(frozen=True)
class _Path:
    """Coefficients (n_alphas, n_targets, n_features) on z-scores of `mean` and `scale`, and the targets' means."""

    mean: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    path: np.ndarray


def _fit_path(values: np.ndarray, targets: np.ndarray, alphas: np.ndarray) -> _Path:
    """LASSO path of each target; `alphas` largest first."""
    mean, scale = values.mean(axis=0), values.std(axis=0)
    varied = varies(values)
    scale = np.where(varied, scale, 1.0)
    standard = (values - mean) / scale * varied
    standard -= standard.mean(axis=0)
    level = targets.mean(axis=0)
    few = len(values) <= values.shape[1]
    table = np.ascontiguousarray(standard.T) if few else standard.T @ standard
    columns = Columns(table, not few, np.einsum("ij,ij->j", standard, standard))
    path = np.empty((len(alphas), targets.shape[1], values.shape[1]))
    for k, target in enumerate((targets - level).T):
        found = lasso_homotopy(columns, standard.T @ target, alphas * len(values))
        path[:, k] = _descend(standard, target, alphas) if found is None else found
    return _Path(mean, scale, level, path)


def _descend(standard: np.ndarray, target: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """LASSO path by coordinate descent, where ties kept the homotopy from its end: shape (n_alphas, n_features)."""
    with warnings.catch_warnings():  # at p > n the smallest penalties, which lose the CV, may miss the tolerance
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = lasso_path(np.asfortranarray(standard), target, alphas=alphas, tol=_TOLERANCE, max_iter=_MOST_SWEEPS)[1]
    return path.T


def deal_patients(groups: np.ndarray, codes: np.ndarray, n_folds: int, random_state: int) -> np.ndarray:
    """Fold of each row, shape (n_rows,): patients shuffled, sorted by their highest class, dealt in turn."""
    names, patient = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError("cross-validation by patient needs rows of at least 2 patients; there is 1.")
    highest = np.zeros(len(names), dtype=int)
    np.maximum.at(highest, patient, codes)
    shuffled = check_random_state(random_state).permutation(len(names))
    dealt = shuffled[np.argsort(highest[shuffled], kind="stable")]
    fold = np.empty(len(names), dtype=int)
    fold[dealt] = np.arange(len(names)) % min(n_folds, len(names))
    return fold[patient]
