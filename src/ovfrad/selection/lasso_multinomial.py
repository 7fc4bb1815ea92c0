"""Multinomial deviance of three or more classes, one coefficient vector each (Friedman et al. 2010, JSS 33:1)."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax


class Multinomial:
    """Mean of -log P(class), P the softmax of K linear predictors with K free intercepts.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Classes 0..K-1, each present.
    """

    saturated = 0.0

    def __init__(self, codes: np.ndarray) -> None:
        self.codes, self.n_classes = codes, int(codes.max()) + 1
        self.indicator = np.eye(self.n_classes)[codes]

    def start(self) -> np.ndarray:
        """Logarithms of the shares of the classes, with mean 0."""
        logs = np.log(self.indicator.mean(axis=0))
        return logs - logs.mean()

    def value(self, eta: np.ndarray, free: np.ndarray) -> float:
        """Mean loss."""
        score = eta + free
        return float((logsumexp(score, axis=1) - score[np.arange(len(score)), self.codes]).mean())

    def slopes(self, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First derivatives by linear predictors, (n_rows, K), and intercepts, (K,)."""
        slope = (softmax(eta + free, axis=1) - self.indicator) / len(eta)
        return slope, slope.sum(axis=0)

    def curvature(self, eta: np.ndarray, free: np.ndarray, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Second derivatives by intercepts and coefficients: sum over rows of x x' P_k (1[k = l] - P_l)."""
        K, share = self.n_classes, softmax(eta + free, axis=1)
        every, of = np.hstack([np.ones((len(eta), K)), columns]), np.concatenate([np.arange(K), target])
        weighted = every * share[:, of]
        found = -weighted.T @ weighted
        for k in range(K):
            own = np.flatnonzero(of == k)
            root = every[:, own] * np.sqrt(share[:, [k]])  # a product with its own transpose costs half of another
            found[np.ix_(own, own)] += root.T @ root
        return found / len(eta)

    def settle(self, w: np.ndarray) -> np.ndarray:
        """Take the median over classes off each feature's coefficients: the loss sees their differences alone."""
        return w - np.median(w, axis=0)

    def probabilities(self, eta: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Of rows with linear predictors (.., n_rows, K) and intercepts (.., K): shape (.., n_rows, K)."""
        return softmax(eta + free[..., None, :], axis=-1)
