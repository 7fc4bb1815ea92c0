"""LASSO of numbers by least squares: the class codes, or one indicator per class (Tibshirani 1996)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from ovfrad.selection.homotopy import Columns, lasso_homotopy
from ovfrad.selection.lasso_path import Path, standardised

_TOLERANCE, _MOST_SWEEPS = 1e-7, 20_000  # of coordinate descent: duality gap as a share of the sum of squares of y


@dataclass(frozen=True, eq=False)
class SquaresTarget:
    """Numbers to regress on, shape (n_rows, T), each with its own LASSO and intercept."""

    numbers: np.ndarray

    def fit(self, values: np.ndarray, rows: np.ndarray, alphas: np.ndarray) -> Path:
        """Path of each number on `rows`."""
        mean, scale, standard = standardised(values[rows])
        targets = self.numbers[rows]
        level = targets.mean(axis=0)
        few = len(standard) <= standard.shape[1]
        table = np.ascontiguousarray(standard.T) if few else standard.T @ standard
        columns = Columns(table, not few, np.einsum("ij,ij->j", standard, standard))
        path = np.empty((len(alphas), targets.shape[1], values.shape[1]))
        for k, target in enumerate((targets - level).T):
            found = lasso_homotopy(columns, standard.T @ target, alphas * len(standard))
            path[:, k] = _descend(standard, target, alphas) if found is None else found
        return Path(mean, scale, path, np.tile(level, (len(alphas), 1)), len(alphas))

    def error(self, path: Path, values: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Squared error, mean over held-out rows and summed over numbers: shape (n_alphas,)."""
        residual = self.numbers[held_out] - path.free[:, None, :] - path.predictors(values[held_out])
        return (residual**2).mean(axis=1).sum(axis=1)

    def weight(self, held_out: np.ndarray) -> float:
        """Every fold counts the same."""
        return 1.0


def _descend(standard: np.ndarray, target: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """LASSO path by coordinate descent, where ties kept the homotopy from its end: shape (n_alphas, n_features)."""
    with warnings.catch_warnings():  # at p > n the smallest penalties, which lose the CV, may miss the tolerance
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = lasso_path(np.asfortranarray(standard), target, alphas=alphas, tol=_TOLERANCE, max_iter=_MOST_SWEEPS)[1]
    return path.T
