"""Decision curves: is acting on the model better than acting on everyone or on no one (F5).

Net benefit at threshold t = TP / n - FP / n * t / (1 - t) (Vickers and Elkin, Med Decis Making 2006;26:565-574).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation.bootstrap import Resamples
from ovfrad.evaluation.tables import Predictions, arrays

Floats = NDArray[np.float64]
GRID = tuple(np.round(np.arange(0.01, 0.81, 0.01), 2).tolist())
"""Threshold probabilities at which the curves are drawn."""
ROUNDING = 1e-9
"""A probability this little below a threshold is at it: sums such as .7 + .1 end below .8."""


def net_benefit(cases: ArrayLike, probability: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Return the net benefit of acting where `probability` >= t, one for each threshold.

    >>> net_benefit([0, 1, 1, 0], [0.1, 0.8, 0.9, 0.6], [0.5]).tolist()
    [0.25]
    """
    y, p, t = (np.asarray(values, dtype=float) for values in (cases, probability, thresholds))
    benefit: Floats = _gain(y, p, t).mean(axis=1)
    return benefit


def _gain(y: Floats, p: Floats, t: Floats) -> Floats:
    """Return what each row adds at each threshold, shape (thresholds, n)."""
    if ((t <= 0) | (t >= 1)).any():
        raise ValueError("a threshold probability lies strictly between 0 and 1.")
    acts = p[None, :] >= t[:, None] - ROUNDING
    return acts * (y[None, :] - (1 - y[None, :]) * (t / (1 - t))[:, None])


def decisions(data: Predictions, ordered: bool = True) -> dict[str, tuple[NDArray[np.bool_], Floats]]:
    """Return name -> (truth, probability) of each decision.

    Ordered: P(class >= k) for k = 1 .. K-1, the last written as P(class = K-1). Unordered: P(class = k) of each class.
    """
    if not ordered:
        return {f"P(class = {k})": (data.y == k, data.p[:, k]) for k in range(data.classes)}
    last = data.classes - 1
    names = [f"P(class >= {k})" if k < last else f"P(class = {k})" for k in range(1, data.classes)]
    return {name: (data.y >= k, np.clip(data.p[:, k:].sum(axis=1), 0, 1)) for k, name in enumerate(names, start=1)}


def decision_curves(
    table: pd.DataFrame,
    thresholds: ArrayLike = GRID,
    resamples: int = 0,
    level: float = 0.95,
    seed: int = 0,
    *,
    ordered: bool = True,
) -> pd.DataFrame:
    """Return the decision curves of one model in one cohort.

    Parameters
    ----------
    table : DataFrame
        Prediction table; see `tables`.
    thresholds : array-like
        Threshold probabilities, strictly between 0 and 1.
    resamples : int
        Patient bootstrap for the band of the model's curve; 0: none.
    level : float
    seed : int
    ordered : bool

    Returns
    -------
    DataFrame
        Columns `decision, strategy (model, all, none), threshold, net_benefit, low, high`; low and high are missing
        without resamples and for the other two strategies.
    """
    data, t = arrays(table), np.asarray(thresholds, dtype=float)
    frames = []
    for name, (truth, probability) in decisions(data, ordered).items():
        gain, share = _gain(truth.astype(float), probability, t), float(truth.mean())
        low = high = np.full(len(t), np.nan)
        if resamples:
            low, high = _band(gain, data, resamples, level, seed)
        everyone = share - (1 - share) * t / (1 - t)
        for strategy, values in (("model", gain.mean(axis=1)), ("all", everyone), ("none", np.zeros(len(t)))):
            model = strategy == "model"
            limits = {"low": low if model else np.nan, "high": high if model else np.nan}
            columns = {"decision": name, "strategy": strategy, "threshold": t, "net_benefit": values}
            frames.append(pd.DataFrame(columns | limits))
    return pd.concat(frames, ignore_index=True)


def _band(gain: Floats, data: Predictions, resamples: int, level: float, seed: int) -> tuple[Floats, Floats]:
    """Return percentile limits of the mean gain at each threshold."""
    rows = gain.astype(np.float32)
    drawn = Resamples(data.patients, resamples, seed).apply(
        lambda weights: {"net": (rows @ weights / weights.sum(axis=0)).T.astype(float)}
    )["net"]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
