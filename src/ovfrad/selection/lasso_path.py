"""What every kind of LASSO hands to `LassoSelector`: its path on the z-scores of some rows, and its held-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ovfrad.selection.columns import varies
from ovfrad.selection.lasso_descent import Loss, descend


@dataclass(frozen=True, eq=False)
class Path:
    """LASSO path of T linear predictors.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of the z-score, on the rows of the fit; the scale of a constant feature is 1.
    w : ndarray of shape (n_alphas, T, n_features)
        Coefficients per SD.
    free : ndarray of shape (n_alphas, q)
        Intercepts or thresholds, which are not penalised.
    solved : int
        Penalties solved; the later ones repeat the last one solved.
    """

    mean: np.ndarray
    scale: np.ndarray
    w: np.ndarray
    free: np.ndarray
    solved: int

    def predictors(self, values: np.ndarray) -> np.ndarray:
        """Linear predictors without intercepts, shape (n_alphas, n_rows, T)."""
        return ((values - self.mean) / self.scale) @ self.w.transpose(0, 2, 1)


class Target(Protocol):
    """What is predicted, of all rows."""

    def fit(self, values: np.ndarray, rows: np.ndarray, alphas: np.ndarray) -> Path:
        """Path on the z-scored features of `rows` (bool); `alphas` largest first."""

    def error(self, path: Path, values: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Error of a path fitted without the rows `held_out` (bool), at each penalty: shape (n_alphas,)."""

    def weight(self, held_out: np.ndarray) -> float:
        """Weight of that error in the mean over folds."""


def standardised(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, SD (1/n; 1 where constant) and z-scores; a constant feature has z-scores of 0."""
    mean, scale = values.mean(axis=0), values.std(axis=0)
    varied = varies(values)
    scale = np.where(varied, scale, 1.0)
    standard = (values - mean) / scale * varied
    standard -= standard.mean(axis=0)
    return mean, scale, standard


def fit_loss(values: np.ndarray, loss: Loss, n_targets: int, alphas: np.ndarray) -> Path:
    """Path of a smooth loss of the rows of `values`."""
    mean, scale, standard = standardised(values)
    found = descend(np.ascontiguousarray(standard.T), loss, n_targets, alphas)
    return Path(mean, scale, found.w, found.free, found.solved)
