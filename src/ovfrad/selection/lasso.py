"""LASSO selector, its penalty by patient-grouped cross-validation (METHODS E4; Tibshirani 1996, 1997)."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from threadpoolctl import threadpool_limits

from ovfrad.errors import InputError
from ovfrad.selection.columns import aligned
from ovfrad.selection.lasso_likelihood import ClassTarget, EventTarget
from ovfrad.selection.lasso_path import Path, Target
from ovfrad.selection.lasso_squares import SquaresTarget
from ovfrad.study.settings import LassoKind

KINDS: tuple[LassoKind, ...] = get_args(LassoKind)


class LassoSelector(SelectorMixin, BaseEstimator):
    """Features with a coefficient in  min_w  loss(Z w) + alpha ||w||_1,  Z the z-scored features, loss a mean of rows.

    Parameters
    ----------
    rule : {"1se", "min"}
        Largest penalty whose CV error is within one standard error of the least, or the penalty of the least.
    kind : {"codes", "ovr", "multinomial", "ordinal", "cox"}
        The loss.

        - codes: half the squared error of the class codes 0..K-1 taken as numbers.
        - ovr: the same of one indicator per class, for classes without an order. With two classes: codes.
        - multinomial: -log P(class), one coefficient vector per class (glmnet's `family = "multinomial"`, ungrouped).
          With two classes: one vector, logistic regression.
        - ordinal: -log P(class) under proportional odds, K-1 thresholds and one vector.
        - cox: -1/n of Cox's log partial likelihood, Breslow's ties, one vector. Without `time` and `event` the class
          takes the place of time and every row has its event, the highest class first: an analysis of order only,
          which is no survival analysis. That, or `codes`, is very likely what papers mean who name a "LASSO-Cox"
          where no patient was followed up.
    cv : int
        Folds; all rows of a patient are in one, classes (with `time`: events) spread evenly. Fewer patients than
        folds: one fold each.
    lowest, highest, n_alphas : float, float, int
        Grid of penalties, even in the logarithm. The paper's .0031 and .0295 are points of the default.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    alphas_ : ndarray of shape (n_alphas,)
        Largest first.
    path_ : ndarray of shape (n_alphas, n_features), where there are K vectors (n_alphas, K, n_features)
        Coefficients per SD of a feature on all rows. Positive: towards the (higher) class; for times, an earlier event.
    n_solved_ : int
        Penalties solved. Where multinomial, ordinal or cox explain 99.9 % of the deviance, or rounding keeps an
        optimum out of reach, smaller penalties are not solved: `path_` repeats its last row, as the CV does in each
        fold.
    cv_mean_, cv_se_ : ndarray of shape (n_alphas,)
        Mean error over folds, and its standard error: squared error (codes, ovr), deviance (multinomial, ordinal), or
        partial-likelihood deviance by Verweij and van Houwelingen (1993), folds weighted by their events (cox).
    alpha_, index_ : float, int
        The penalty chosen, and its place in `alphas_`.
    coef_, intercept_ : ndarray of shape (n_features,) and float, where there are K vectors (K, n_features) and (K,)
        The intercept of ordinal and cox is 0, those of multinomial have the sum 0.
    thresholds_ : ndarray of shape (K - 1,)
        Of ordinal only: P(class >= k) = 1 / (1 + exp(threshold_k - linear predictor)).
    mean_, scale_ : ndarray of shape (n_features,)
        Of the z-score; the scale of a constant feature is 1.
    support_ : ndarray of bool of shape (n_features,)
        Kept where any vector keeps it. May be all False: then no feature predicts better than none, under this rule.
    classes_ : ndarray of shape (n_classes,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> X = np.column_stack([y + rng.normal(size=120), rng.normal(size=(120, 4))])
    >>> lasso = LassoSelector().fit(X, y)
    >>> lasso.support_.tolist(), round(lasso.alpha_, 3)
    ([True, False, False, False, False], 0.184)
    >>> LassoSelector(kind="ordinal").fit(X, y).coef_.round(2).tolist()
    [0.96, 0.0, 0.0, 0.0, 0.0]
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

    def fit(self, X: Any, y: Any, groups: Any = None, *, time: Any = None, event: Any = None) -> LassoSelector:
        """Learn coefficients and penalty.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
        y : array of shape (n_rows,)
            Class codes; their order is used by codes, ordinal and cox.
        groups : array of shape (n_rows,), optional
            Patient of each row; None: every row is its own.
        time, event : array of shape (n_rows,), optional
            Of kind "cox": time to the event, in any unit, and whether it came (else censored then). Both or neither;
            with them `y` is not used.
        """
        if self.rule not in ("1se", "min") or self.kind not in KINDS:
            known = ", ".join(map(repr, KINDS[:-1])) + f" or {KINDS[-1]!r}"
            raise ValueError(f"rule is '1se' or 'min', kind {known}; got {self.rule!r} and {self.kind!r}.")
        values, codes = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=3)
        self.classes_, codes = np.unique(column_or_1d(codes), return_inverse=True)
        target, even = self._target(codes, *self._survival(X, time, event))
        self.alphas_ = np.geomspace(self.highest, self.lowest, self.n_alphas)
        patients = np.arange(len(codes)) if groups is None else np.asarray(aligned(groups, X, "groups"))
        if time is not None:
            _require_events(even, patients)
        with threadpool_limits(1):  # threads cost small products more than they save
            self._cross_validate(values, target, deal_patients(patients, even, self.cv, self.random_state))
            self._keep(target.fit(values, np.ones(len(values), dtype=bool), self.alphas_))
        return self

    def _survival(self, X: Any, time: Any, event: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Times and events as arrays of float and bool, or None twice."""
        if time is None and event is None:
            return None, None
        if self.kind != "cox" or time is None or event is None:
            raise ValueError("time and event are given together, and to kind 'cox' only.")
        when = np.asarray(aligned(time, X, "time"), dtype=np.float64)
        came = np.asarray(aligned(event, X, "event"))
        if not (np.isfinite(when).all() and np.isin(came, (0, 1)).all()):
            raise ValueError("time must be finite, and event 0 or 1.")
        return when, came.astype(bool)

    def _target(
        self, codes: np.ndarray, time: np.ndarray | None, event: np.ndarray | None
    ) -> tuple[Target, np.ndarray]:
        """What is predicted, and the codes that are spread evenly over folds."""
        K = len(self.classes_)
        if time is not None and event is not None:
            return EventTarget(time, event), event.astype(int)
        if K < 2:
            raise ValueError(f"y has one class, {self.classes_[0]}; a LASSO needs at least two.")
        if self.kind == "cox":
            return EventTarget(K - 1.0 - codes, np.ones(len(codes), dtype=bool)), codes
        if self.kind in ("multinomial", "ordinal"):
            return ClassTarget(codes, self.kind == "ordinal"), codes
        single = self.kind == "codes" or K == 2
        return SquaresTarget((codes[:, None] if single else codes[:, None] == np.arange(K)).astype(float)), codes

    def _cross_validate(self, values: np.ndarray, target: Target, folds: np.ndarray) -> None:
        held_out = [folds == fold for fold in np.unique(folds)]
        weights = np.array([target.weight(rows) for rows in held_out])
        errors = np.array([target.error(target.fit(values, ~rows, self.alphas_), values, rows) for rows in held_out])
        self.cv_mean_ = np.average(errors, axis=0, weights=weights)
        spread = np.average((errors - self.cv_mean_) ** 2, axis=0, weights=weights)
        self.cv_se_ = np.sqrt(spread / max(np.count_nonzero(weights) - 1, 1))
        least = int(self.cv_mean_.argmin())
        within = self.cv_mean_ <= self.cv_mean_[least] + self.cv_se_[least]
        self.index_ = int(np.flatnonzero(within)[0]) if self.rule == "1se" else least
        self.alpha_ = float(self.alphas_[self.index_])

    def _keep(self, fit: Path) -> None:
        """Attributes of the path on all rows, at the penalty chosen."""
        single = fit.w.shape[1] == 1
        self.mean_, self.scale_, self.n_solved_ = fit.mean, fit.scale, fit.solved
        self.path_ = fit.w[:, 0] if single else fit.w
        self.coef_, free = self.path_[self.index_], fit.free[self.index_]
        self.support_ = (fit.w[self.index_] != 0).any(axis=0)
        if self.kind in ("ordinal", "cox"):
            self.intercept_ = 0.0
            if self.kind == "ordinal":
                self.thresholds_ = free
        elif self.kind == "multinomial" and single:  # two classes: the log-odds of the second
            self.intercept_ = -float(free[0])
        else:
            self.intercept_ = float(free[0]) if single else free

    def decision_function(self, X: Any) -> np.ndarray:
        """Linear predictor: shape (n_rows,), where there are K vectors (n_rows, K)."""
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


def _require_events(event: np.ndarray, patients: np.ndarray) -> None:
    """Refuse rows of which one fold of patients could hold every event."""
    came = len(np.unique(patients[event == 1]))
    if came < 2:
        fault = f"{came} of {len(np.unique(patients))} patients of a fold's training rows had the event"
        remedy = "a LASSO of kind cox needs 2 in every fold: add cases with the event, or use another lasso_kind"
        raise InputError("E_EVENTS", "training rows", fault, remedy)


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
