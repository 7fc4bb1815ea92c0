"""Deviance of ordered classes under proportional odds, all thresholds, one coefficient vector (McCullagh 1980)."""

from __future__ import annotations

import numpy as np
from scipy.special import expit


class Ordinal:
    """Mean of -log P(class) with P(class >= k) = 1 / (1 + exp(-(eta - threshold_k))), k = 1..K-1.

    Two classes: logistic regression. A positive coefficient points to the higher class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Classes 0..K-1, each present.
    """

    saturated = 0.0

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.n_classes = codes, int(codes.max()) + 1

    def start(self) -> np.ndarray:
        """Log-odds of the shares below each threshold, shape (K - 1,)."""
        below = np.cumsum(np.bincount(self.codes))[:-1] / len(self.codes)
        return np.log(below / (1 - below))

    def _gaps(self, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Thresholds above and below each row's class, less its linear predictor; at the ends infinite."""
        edge = np.concatenate([[-np.inf], free, [np.inf]])
        return edge[self.codes + 1] - eta[:, 0], edge[self.codes] - eta[:, 0]

    def value(self, eta: np.ndarray, free: np.ndarray) -> float:
        """Mean loss; infinite where the thresholds do not increase."""
        if (np.diff(free) <= 0).any():
            return np.inf
        upper, lower = self._gaps(eta, free)
        loss = np.logaddexp(0, -upper) + np.logaddexp(0, lower) - np.log(-np.expm1(lower - upper))
        return float(loss.mean())

    def slopes(self, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First derivatives by the linear predictor, (n_rows, 1), and the thresholds, (K - 1,)."""
        upper, lower = self._gaps(eta, free)
        close, n = _closeness(upper, lower), len(eta)
        rise, fall = -expit(-upper) - close, expit(lower) + close
        of_free = np.bincount(self.codes, rise, self.n_classes)[:-1] + np.bincount(self.codes, fall, self.n_classes)[1:]
        return (expit(-upper) - expit(lower))[:, None] / n, of_free / n

    def curvature(self, eta: np.ndarray, free: np.ndarray, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Second derivatives by thresholds and coefficients."""
        upper, lower = self._gaps(eta, free)
        n, q = len(eta), len(free)
        close = _closeness(upper, lower)
        mixed = close * (1 + close)
        above, below = expit(upper) * expit(-upper), expit(lower) * expit(-lower)
        edges = np.zeros((q + 2, q + 2))  # with the infinite ones at both ends, cut off below
        np.add.at(edges, (self.codes + 1, self.codes + 1), above + mixed)
        np.add.at(edges, (self.codes, self.codes), below + mixed)
        np.add.at(edges, (self.codes + 1, self.codes), -mixed)
        np.add.at(edges, (self.codes, self.codes + 1), -mixed)
        across = np.zeros((n, q + 2))
        rows = np.arange(n)
        across[rows, self.codes + 1] -= above
        across[rows, self.codes] -= below
        shared = across[:, 1:-1].T @ columns
        root = columns * np.sqrt(above + below)[:, None]
        return np.block([[edges[1:-1, 1:-1], shared], [shared.T, root.T @ root]]) / n

    def settle(self, w: np.ndarray) -> np.ndarray:
        """Return the coefficients: no others have the same loss."""
        return w

    def probabilities(self, eta: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Of rows with linear predictors (.., n_rows, 1) and thresholds (.., K - 1): shape (.., n_rows, K)."""
        at_least = expit(eta - free[..., None, :])
        return -np.diff(at_least, axis=-1, prepend=1.0, append=0.0)


def _closeness(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """1 / (exp(upper - lower) - 1): grows without bound as the two thresholds of a class meet; 0 at the ends."""
    with np.errstate(over="ignore"):
        return 1 / np.expm1(upper - lower)
