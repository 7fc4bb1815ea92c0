"""Cox's partial likelihood with Breslow's ties (Breslow 1974; LASSO: Tibshirani 1997, Simon et al. 2011)."""

from __future__ import annotations

import numpy as np


class Cox:
    """-1/n of the log partial likelihood  sum over events i of  eta_i - log sum of exp(eta_j) over time_j >= time_i.

    A positive coefficient points to an earlier event.

    Parameters
    ----------
    time : ndarray of shape (n_rows,)
    event : ndarray of bool of shape (n_rows,)
        False: censored at `time`; still at risk at events of the same time.
    """

    def __init__(self, time: np.ndarray, event: np.ndarray) -> None:
        order = np.argsort(-time, kind="stable")
        self.place = np.argsort(order)  # of each row among the rows by falling time
        self.order, self.event = order, event[order]
        self.times, first, inverse = np.unique(-time[order], return_index=True, return_inverse=True)
        deaths = np.bincount(inverse, self.event, len(first)) if len(time) else np.zeros(0)
        last = np.append(first[1:], len(time)) - 1
        self.deaths, self.last = deaths[deaths > 0], last[deaths > 0]
        self.saturated = float((self.deaths * np.log(self.deaths)).sum()) / max(len(time), 1)

    def deviance(self, eta: np.ndarray) -> float:
        """Twice the log partial likelihood that linear predictors (n_rows, 1) lack of the most it could be."""
        return 2 * len(eta) * (self.value(eta, self.start()) - self.saturated)

    def start(self) -> np.ndarray:
        """No free number: the baseline hazard has dropped out."""
        return np.zeros(0)

    def value(self, eta: np.ndarray, free: np.ndarray) -> float:
        """Loss per row."""
        score = eta[self.order, 0]
        top = score.max()
        with np.errstate(divide="ignore"):
            risk = np.log(np.cumsum(np.exp(score - top))[self.last]) + top
        return float(self.deaths @ risk - score[self.event].sum()) / len(score)

    def _weights(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """By falling time: exp(eta), expected events of each row, and the sum at risk at each event time."""
        score = eta[self.order, 0]
        weight = np.exp(score - score.max())
        at_risk = np.cumsum(weight)[self.last]
        hazard = np.zeros(len(score))
        hazard[self.last] = self.deaths / at_risk
        return weight, weight * np.cumsum(hazard[::-1])[::-1], at_risk

    def slopes(self, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First derivatives by the linear predictor, (n_rows, 1): expected less observed events, per row."""
        _, expected, _ = self._weights(eta)
        return ((expected - self.event) / len(eta))[self.place, None], np.zeros(0)

    def curvature(self, eta: np.ndarray, free: np.ndarray, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Second derivatives by coefficients: at each event time, the weighted covariance of those at risk."""
        weight, expected, at_risk = self._weights(eta)
        sorted_columns = columns[self.order]
        means = np.cumsum(sorted_columns * weight[:, None], axis=0)[self.last] / at_risk[:, None]
        means *= np.sqrt(self.deaths)[:, None]
        root = sorted_columns * np.sqrt(expected)[:, None]
        return (root.T @ root - means.T @ means) / len(eta)

    def settle(self, w: np.ndarray) -> np.ndarray:
        """Return the coefficients: no others have the same loss."""
        return w
