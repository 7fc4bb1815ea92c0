"""How far a new case lies from the training data: a distance in feature space against that of training patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

#: Knots of every stored distribution, so that no patient's own value is kept (METHODS I1).
KNOTS = 100
#: Share of training cases beyond which a case is called out of scope.
LIMIT = 0.99
#: Share of features outside the training range beyond which a case is called out of scope.
ODD = 0.25
#: Training rows below which the tail of their distances is not known well enough to judge by.
FEWEST = 50
_CLIP = 8.0  # z-scores beyond this count as this: one odd feature must not decide alone


@dataclass(frozen=True, eq=False)
class Scope:
    """Distribution of the training cases' features.

    Attributes
    ----------
    names : tuple of str, length p
        Columns of the dense view.
    mean, scale : ndarray of shape (p,)
    axes : ndarray of shape (q, p)
        Principal axes of the z-scores that hold 95 % of their variance.
    spread : ndarray of shape (q,)
        SD along each axis.
    distances : ndarray of at most 100 values
        Quantiles of the training cases' distances, each measured with its patient left out.
    low, high : ndarray of shape (p,)
        Range of each feature, 0.5 % to 99.5 %.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    distances: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, dense: pd.DataFrame, patients: np.ndarray, folds: int = 10) -> Self:
        """Learn from the training rows; their own distances are cross-fitted, else they would look too near."""
        X = dense.to_numpy(float)
        names = np.unique(patients)
        fold = np.searchsorted(names, patients) % min(folds, len(names))
        held_out = np.full(len(X), np.nan)
        for f in np.unique(fold):
            if len(np.unique(fold)) > 1 and (fold != f).sum() > 1:
                held_out[fold == f] = _distance(X[fold == f], *_axes(X[fold != f]))
        known = held_out[np.isfinite(held_out)]
        knots = np.quantile(known, np.linspace(0, 1, min(KNOTS, max(len(known), 1)))) if len(known) else np.array([])
        low, high = np.quantile(X, [0.005, 0.995], axis=0)
        return cls(tuple(map(str, dense.columns)), *_axes(X), knots, low, high)

    def place(self, dense: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
        """Distance of each row (in SD of a training case), the share of training cases that lie nearer, odd features.

        Odd are features outside the training range, the farthest first.
        """
        X = dense[list(self.names)].to_numpy(float)
        distance = _distance(X, self.mean, self.scale, self.axes, self.spread)
        levels = np.linspace(0, 1, len(self.distances))
        nearer = np.interp(distance, self.distances, levels) if len(self.distances) else np.full(len(X), np.nan)
        beyond = np.maximum(self.low - X, X - self.high) / self.scale
        odd = [[self.names[j] for j in np.argsort(-row) if row[j] > 0] for row in beyond]
        return distance, nearer, odd

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {name: list(value) if name == "names" else value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """What `as_dict` gave."""
        arrays = {name: np.asarray(value, float) for name, value in content.items() if name != "names"}
        arrays["axes"] = arrays["axes"].reshape(-1, len(content["names"]))
        return cls(names=tuple(content["names"]), **arrays)


def _axes(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, scale, principal axes and SD along them."""
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, 1.0)
    _, singular, axes = np.linalg.svd(_z(X, mean, scale), full_matrices=False)
    share = np.cumsum(singular**2) / max((singular**2).sum(), 1e-300)
    kept = min(int(np.searchsorted(share, 0.95)) + 1, max(len(X) // 5, 1), len(singular))
    spread = np.maximum(singular[:kept] / np.sqrt(max(len(X) - 1, 1)), 1e-9)
    return mean, scale, axes[:kept], spread


def _z(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.clip((X - mean) / scale, -_CLIP, _CLIP)
    return clipped


def _distance(X: np.ndarray, mean: np.ndarray, scale: np.ndarray, axes: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Root mean square over the axes of the standardised position: about 1 for a training case."""
    position = _z(X, mean, scale) @ axes.T / spread
    distance: np.ndarray = np.sqrt((position**2).mean(axis=1))
    return distance
