"""The nine classifiers of the paper with small grids (METHODS E9), each simplest grid point first.

How each is weighted when `class_weights` is set:

| classifier | weighting |
| --- | --- |
| LR, SVM, DT, RF, ExtraTrees, XGBoost, LightGBM, MLP | sample weights, inverse to the class frequency |
| KNN | cannot weigh: its training rows are resampled with those weights, inside the fold |
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ovfrad.models.dense import _classes, fit_logistic, inner_folds

Grid = tuple[dict[str, Any], ...]
TREES = 100
ROUNDS = 50
PLATT_C = 100.0
"""Inverse penalty of the map from decision values to probabilities: weak, it has few parameters."""
PLATT_TOLERANCE = 1e-7
"""Of the fit of that map: the decision values of K classes nearly sum to a constant."""


class SvmProbability(ClassifierMixin, BaseEstimator):
    """Support vector machine (RBF) with probabilities from a logistic map of cross-fitted decision values.

    Platt's idea for K classes: the machine is fitted on the rest of each of three patient folds, and its
    one-vs-rest decision values of the held-out rows teach a multinomial logistic map; the machine itself is
    then fitted to all rows. As CalibratedClassifierCV(ensemble=False), but with whole patients in the folds.

    Parameters
    ----------
    C : float
        Penalty of margin violations.
    folds : int
        Most folds for the map.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    machine_ : SVC
    map_ : ndarray of shape (n_decision_values + 1, K)
        Slopes and, in the last row, intercepts of the logistic map.
    """

    def __init__(self, C: float = 1.0, folds: int = 3, random_state: int = 0) -> None:
        self.C = C
        self.folds = folds
        self.random_state = random_state

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Self:
        """Fit the machine and its map to probabilities; `groups` are patients."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = weight > 0
        X, y, weight, groups = X[used], y[used], weight[used], None if groups is None else np.asarray(groups)[used]
        self.classes_, code = _classes(self, y)
        self.machine_ = SVC(C=self.C).fit(X, code, weight)
        values = self._cross_fitted(X, code, weight, inner_folds(code, groups, self.folds, self.random_state))
        Y = np.eye(len(self.classes_))[code] * weight[:, None]
        self.map_ = fit_logistic(values, Y, PLATT_C, tolerance=PLATT_TOLERANCE)
        return self

    def _cross_fitted(
        self, X: np.ndarray, code: np.ndarray, weight: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
    ) -> np.ndarray:
        """Decision values of machines that did not see the row; of the machine of all rows where no fold holds it."""
        tested = np.concatenate([test for _, test in folds]) if folds else np.empty(0, dtype=np.intp)
        seen = np.setdiff1d(np.arange(len(X)), tested)
        parts = [(seen, self.machine_)] if len(seen) else []
        parts += [(test, SVC(C=self.C).fit(X[train], code[train], weight[train])) for train, test in folds]
        values = [self._values(machine, X[rows]) for rows, machine in parts]
        return np.concatenate(values)[np.argsort(np.concatenate([rows for rows, _ in parts]))]

    @staticmethod
    def _values(machine: SVC, X: np.ndarray) -> np.ndarray:
        return machine.decision_function(X).reshape(len(X), -1)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, shape (n_rows, K)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return softmax(self._values(self.machine_, X) @ self.map_[:-1] + self.map_[-1], axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]


def _lr(seed: int) -> tuple[BaseEstimator, Grid]:
    return LogisticRegression(max_iter=2000, random_state=seed), ({"C": 0.03}, {"C": 0.3}, {"C": 3.0})


def _svm(seed: int) -> tuple[BaseEstimator, Grid]:
    return SvmProbability(random_state=seed), ({"C": 0.3}, {"C": 3.0})


def _knn(seed: int) -> tuple[BaseEstimator, Grid]:
    return KNeighborsClassifier(weights="distance"), ({"n_neighbors": 31}, {"n_neighbors": 11})


def _dt(seed: int) -> tuple[BaseEstimator, Grid]:
    return DecisionTreeClassifier(min_samples_leaf=5, random_state=seed), ({"max_depth": 2}, {"max_depth": 4})


def _rf(seed: int) -> tuple[BaseEstimator, Grid]:
    return RandomForestClassifier(TREES, random_state=seed, n_jobs=1), (
        {"min_samples_leaf": 5},
        {"min_samples_leaf": 1},
    )


def _extra(seed: int) -> tuple[BaseEstimator, Grid]:
    return ExtraTreesClassifier(TREES, random_state=seed, n_jobs=1), ({"min_samples_leaf": 5}, {"min_samples_leaf": 1})


def _xgboost(seed: int) -> tuple[BaseEstimator, Grid]:
    from xgboost import XGBClassifier

    booster = XGBClassifier(
        n_estimators=ROUNDS, subsample=0.8, reg_lambda=2.0, tree_method="hist", n_jobs=1, random_state=seed, verbosity=0
    )
    return booster, ({"max_depth": 2, "learning_rate": 0.05}, {"max_depth": 3, "learning_rate": 0.15})


def _lightgbm(seed: int) -> tuple[BaseEstimator, Grid]:
    from lightgbm import LGBMClassifier

    booster = LGBMClassifier(
        n_estimators=ROUNDS,
        min_child_samples=10,
        reg_lambda=2.0,
        n_jobs=1,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    return booster, ({"num_leaves": 4, "learning_rate": 0.05}, {"num_leaves": 8, "learning_rate": 0.15})


def _mlp(seed: int) -> tuple[BaseEstimator, Grid]:
    network = MLPClassifier(
        (16,), activation="tanh", solver="lbfgs", tol=1e-3, max_iter=3000, max_fun=30_000, random_state=seed
    )
    return network, ({"alpha": 10.0}, {"alpha": 1.0})


_MAKERS = {
    "LR": _lr,
    "SVM": _svm,
    "KNN": _knn,
    "DT": _dt,
    "RF": _rf,
    "ExtraTrees": _extra,
    "XGBoost": _xgboost,
    "LightGBM": _lightgbm,
    "MLP": _mlp,
}


class Weighted(ClassifierMixin, BaseEstimator):
    """A classifier with classes weighted inversely to their frequency, by sample weights or by resampling.

    Parameters
    ----------
    estimator : classifier
        Given sample weights where its `fit` takes them (see the table of this module).
    random_state : int
        Seed of the resampling of a classifier that takes none.

    Attributes
    ----------
    estimator_ : classifier
    """

    def __init__(self, estimator: BaseEstimator, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Fit with weights n / (K n_k)."""
        self.classes_, code, counts = np.unique(y, return_inverse=True, return_counts=True)
        weight = len(y) / (len(counts) * counts[code])
        more = {"groups": groups} if isinstance(self.estimator, SvmProbability) else {}
        if isinstance(self.estimator, KNeighborsClassifier):
            draw = np.random.default_rng(self.random_state).choice(len(y), len(y), p=weight / weight.sum())
            self.estimator_ = fit_quietly(self.estimator, X[draw], y[draw])
        else:
            self.estimator_ = fit_quietly(self.estimator, X, y, sample_weight=weight, **more)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class of `classes_`, shape (n_rows, K)."""
        check_is_fitted(self)
        return align(self.estimator_.predict_proba(X), self.estimator_.classes_, self.classes_)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]


def make(name: str, class_weights: bool = False, random_state: int = 0) -> tuple[BaseEstimator, Grid]:
    """Build one of the nine, unfitted, and its grid of settings (simplest first).

    Parameters
    ----------
    name : {"LR", "SVM", "KNN", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM", "MLP"}
    class_weights : bool
        Weight classes inversely to their frequency.
    random_state : int

    Returns
    -------
    estimator : classifier
    grid : tuple of dict
        Keyword arguments of `estimator.set_params`, one dict per grid point.

    Examples
    --------
    >>> make("DT")[1]
    ({'max_depth': 2}, {'max_depth': 4})
    >>> make("NB")
    Traceback (most recent call last):
    ValueError: no classifier NB; the nine are LR, SVM, KNN, DT, RF, ExtraTrees, XGBoost, LightGBM, MLP.
    """
    if name not in _MAKERS:
        raise ValueError(f"no classifier {name}; the nine are {', '.join(_MAKERS)}.")
    estimator, grid = _MAKERS[name](random_state)
    if not class_weights:
        return estimator, grid
    prefixed = tuple({f"estimator__{key}": value for key, value in point.items()} for point in grid)
    return Weighted(estimator, random_state), prefixed


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
