"""Calibration of predicted probabilities and its repair (F4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

from ovfrad.evaluation.estimate import wilson
from ovfrad.evaluation.tables import arrays

Floats = NDArray[np.float64]
FLOOR = 1e-4
"""Smallest probability whose logarithm is recalibrated: a tree's 0 of 100 leaves is not a certainty."""
RIDGE = (10.0, 3.0)
"""Penalty per squared log T and per squared offset (about their mean), on the scale of the summed log-likelihood:
priors of SD .3 and .6 at no correction. Without them correcting 60 rows costs more log-loss than it saves."""


def brier(y_true: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean over rows of the summed squared errors over classes, 0 to 2 (Brier 1950).

    >>> brier([0, 1], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    p = np.asarray(probabilities, dtype=float)
    truth = np.asarray(y_true, dtype=np.intp)[:, None] == np.arange(p.shape[1])
    return float(((p - truth) ** 2).sum(axis=1).mean())


def class_ece(y_true: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> Floats:
    """Return the expected calibration error of each class, shape (K,), over bins of equal width.

    Mean over rows of |observed share - mean p_k| of the row's bin (Kull et al., NeurIPS 2019, class-wise ECE).
    """
    y, p = np.asarray(y_true, dtype=np.intp), np.asarray(probabilities, dtype=float)
    result = np.empty(p.shape[1])
    for k in range(p.shape[1]):
        where = np.minimum((p[:, k] * bins).astype(np.intp), bins - 1)
        gaps = np.bincount(where, weights=(y == k) - p[:, k], minlength=bins)
        result[k] = np.abs(gaps).sum() / len(y)
    return result


def reliability(table: pd.DataFrame, bins: int = 10, level: float = 0.95) -> pd.DataFrame:
    """Return the reliability curve of each class over bins of equal numbers of rows.

    Parameters
    ----------
    table : DataFrame
        One model's predictions in one cohort.
    bins : int
        Largest number of bins; fewer where there would be less than ten rows a bin. Equal probabilities share one.
    level : float
        Of Wilson's interval of the observed share.

    Returns
    -------
    DataFrame
        Columns `class, bin, n, predicted, observed, low, high`.
    """
    data = arrays(table)
    wanted = max(1, min(bins, data.n // 10))
    rows = []
    for k in range(data.classes):
        p, cases = data.p[:, k], data.y == k
        where = ((rankdata(p) - 0.5) * wanted / data.n).astype(np.intp)  # midranks: equal probabilities share a bin
        for index in np.unique(where):
            inside = where == index
            n, share = int(inside.sum()), float(cases[inside].mean())
            low, high = wilson(cases[inside].sum(), n, level)
            rows.append((k, int(index), n, float(p[inside].mean()), share, low, high))
    return pd.DataFrame(rows, columns=["class", "bin", "n", "predicted", "observed", "low", "high"])


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Temperature and class offsets that turn probabilities into calibrated ones: softmax(log p / T + offset).

    Attributes
    ----------
    temperature : float
        Above 1: the model was too sure of itself.
    offsets : tuple of float, length K
        Added to each log-probability; that of class 0 is 0.

    Examples
    --------
    >>> Recalibration(1.0, (0.0, 0.0)).apply([[0.2, 0.8]]).round(3).tolist()
    [[0.2, 0.8]]
    """

    temperature: float
    offsets: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"a temperature is positive; got {self.temperature}.")
        if len(self.offsets) < 2 or not np.isfinite(self.offsets).all():
            raise ValueError(f"offsets are finite, one for each of at least two classes; got {self.offsets}.")

    @classmethod
    def fit(cls, probabilities: ArrayLike, y_true: ArrayLike, ridge: tuple[float, float] = RIDGE) -> Recalibration:
        """Fit by penalised maximum likelihood on predictions of rows the model has not seen.

        Parameters
        ----------
        probabilities : array-like, shape (n, K)
            Cross-fitted predictions of training rows.
        y_true : array-like of int, shape (n,)
        ridge : tuple of float
            Penalties on log T and on the offsets; small samples correct little, large ones as the likelihood says.
        """
        scores = _log(probabilities)
        y = np.asarray(y_true, dtype=np.intp)
        classes = scores.shape[1]
        if len(y) != len(scores) or (len(y) and not 0 <= y.min() <= y.max() < classes):
            raise ValueError(f"y_true needs one code from 0 to {classes - 1} for each row of probabilities.")
        truth = y[:, None] == np.arange(classes)

        def loss(parameters: Floats) -> tuple[float, Floats]:
            scaled = scores * np.exp(-parameters[0])
            offsets = np.r_[0.0, parameters[1:]]
            apart = offsets - offsets.mean()
            logits = scaled + offsets
            logs = log_softmax(logits, axis=1)
            error = np.exp(logs) - truth
            prior = np.r_[ridge[0] * parameters[0], ridge[1] * apart[1:]]
            gradient = np.r_[-(error * scaled).sum(), error[:, 1:].sum(axis=0)] + prior
            penalty = 0.5 * (ridge[0] * parameters[0] ** 2 + ridge[1] * (apart**2).sum())
            return float(penalty - logs[truth].sum()), gradient

        best = minimize(loss, np.zeros(classes), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
        return cls(float(np.exp(best[0])), (0.0, *map(float, best[1:])))

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Return calibrated probabilities, shape (n, K), rows summing to 1."""
        scores = _log(probabilities)
        if scores.shape[1] != len(self.offsets):
            raise ValueError(f"this recalibration has {len(self.offsets)} classes; got {scores.shape[1]} columns.")
        calibrated: Floats = softmax(scores / self.temperature + np.asarray(self.offsets), axis=1)
        return calibrated

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: `{"temperature": .., "offsets": [..]}`."""
        return {"temperature": self.temperature, "offsets": list(self.offsets)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recalibration:
        """Return the recalibration that `as_dict` wrote."""
        return cls(float(values["temperature"]), tuple(map(float, values["offsets"])))


def _log(probabilities: ArrayLike) -> Floats:
    """Return logarithms of probabilities, floored, shape (n, K)."""
    table = np.asarray(probabilities, dtype=float)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError("probabilities are a finite table of rows x classes, none below 0.")
    logs: Floats = np.log(np.maximum(table, FLOOR))
    return logs
