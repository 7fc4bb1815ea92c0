"""The support vector machine with probabilities that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ovfrad.models.dense import _classes, fit_logistic, inner_folds

Resample = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From rows and classes to those that a machine is fitted to."""
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
        resample: Resample | None = None,
    ) -> Self:
        """Fit the machine and its map to probabilities.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
        y : ndarray of shape (n_rows,)
        sample_weight : ndarray of shape (n_rows,), optional
        groups : ndarray of shape (n_rows,), optional
            Patients.
        resample : callable, optional
            Applied, without weights, to the rows of every machine, and to the values that teach the map.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        used = weight > 0
        X, y, weight, groups = X[used], y[used], weight[used], None if groups is None else np.asarray(groups)[used]
        self.classes_, code = _classes(self, y)
        self.machine_ = self._machine(X, code, weight, resample)
        folds = inner_folds(code, groups, self.folds, self.random_state)
        values = self._cross_fitted(X, code, weight, folds, resample)
        if resample is not None:
            values, code = resample(values, code)
            weight = np.ones(len(code))
        Y = np.eye(len(self.classes_))[code] * weight[:, None]
        self.map_ = fit_logistic(values, Y, PLATT_C, tolerance=PLATT_TOLERANCE)
        return self

    def _machine(self, X: np.ndarray, code: np.ndarray, weight: np.ndarray, resample: Resample | None) -> SVC:
        if resample is not None:
            return SVC(C=self.C).fit(*resample(X, code))
        return SVC(C=self.C).fit(X, code, weight)

    def _cross_fitted(
        self,
        X: np.ndarray,
        code: np.ndarray,
        weight: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
        resample: Resample | None,
    ) -> np.ndarray:
        """Decision values of machines that did not see the row; of the machine of all rows where no fold holds it."""
        tested = np.concatenate([test for _, test in folds]) if folds else np.empty(0, dtype=np.intp)
        seen = np.setdiff1d(np.arange(len(X)), tested)
        parts = [(seen, self.machine_)] if len(seen) else []
        parts += [(test, self._machine(X[train], code[train], weight[train], resample)) for train, test in folds]
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
