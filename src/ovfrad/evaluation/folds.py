"""Per-fold averages for the honesty check (G1).

Pooling out-of-fold predictions of an honest pipeline puts the AUC below .5 under no signal, since a fold with more
cases in training has fewer in test; the mean of per-fold AUCs does not have this fault.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.evaluation import auc
from ovfrad.evaluation.tables import check_predictions

CHANCE = 0.5
"""AUC without signal."""
MARGIN = 0.01
"""Smallest excess over chance that the check minds, however small the standard error (G1)."""


@dataclass(frozen=True, slots=True)
class PerFold:
    """Mean of per-fold macro AUCs.

    Attributes
    ----------
    mean : float or None
        None where no fold has two classes.
    se : float or None
        Standard error over repetitions (permutations, seeds) where there are several, else over folds.
    folds : int
        Folds that count.
    repetitions : int
    incomplete : int
        Folds that lack a class; they count with the mean over the classes they have.
    skipped : int
        Folds with a single class, which have no AUC.
    """

    mean: float | None
    se: float | None
    folds: int
    repetitions: int
    incomplete: int
    skipped: int

    @property
    def limit(self) -> float | None:
        """The largest mean that is no sign of leakage: .5 + max(3 SE, .01)."""
        return None if self.se is None else CHANCE + max(3 * self.se, MARGIN)

    @property
    def passes(self) -> bool | None:
        """Whether labels without signal gave no more than chance; None where it cannot be told."""
        return None if self.mean is None or self.limit is None else self.mean <= self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the fields, `limit` and `passes`."""
        names = ("mean", "se", "folds", "repetitions", "incomplete", "skipped", "limit", "passes")
        return {name: getattr(self, name) for name in names}


def per_fold_macro_auc(
    predictions: pd.DataFrame, fold: str = "fold", repetition: str | None = None, ranking_only: bool = False
) -> PerFold:
    """Return the mean over folds of the macro AUC within each fold.

    Parameters
    ----------
    predictions : DataFrame
        Out-of-fold predictions of one model; see `tables`.
    fold : str
        Column of the fold.
    repetition : str, optional
        Column of the permutation or seed: folds are then averaged within each repetition, and the standard error is
        that of the repetitions' means, since the folds of one repetition share their rows.
    ranking_only : bool

    Returns
    -------
    PerFold

    Examples
    --------
    >>> table = pd.DataFrame({"patient_id": range(8), "fold": [0] * 4 + [1] * 4, "y_true": [0, 0, 1, 1] * 2,
    ...     "p_1": [.1, .2, .3, .4, .4, .3, .2, .1]}).assign(p_0=lambda t: 1 - t["p_1"])
    >>> per_fold_macro_auc(table).mean
    0.5
    """
    by = [fold] if repetition is None else [repetition, fold]
    for name in by:
        if name not in predictions.columns:
            raise ValueError(f"column {name!r} is missing; it tells the folds apart.")
    groups = [predictions] if repetition is None else [part for _, part in predictions.groupby(repetition)]
    columns = [check_predictions(part, ranking_only) for part in groups].pop()
    values, incomplete, skipped, means = [], 0, 0, []
    for group in groups:
        here = []
        for _, part in group.groupby(fold):
            y, p = part["y_true"].to_numpy(dtype=np.intp), part[columns].to_numpy(dtype=float)
            absent = auc.absent_classes(y, len(columns))
            if len(absent) == len(columns):
                skipped += 1
                continue
            incomplete += bool(absent)
            here.append(np.mean([auc.auc(y == k, p[:, k]) for k in range(len(columns)) if k not in absent]))
        values += here
        if here:
            means.append(float(np.mean(here)))
    spread = means if repetition is not None and len(means) > 1 else values
    se = float(np.std(spread, ddof=1)) / math.sqrt(len(spread)) if len(spread) > 1 else None
    return PerFold(float(np.mean(means)) if means else None, se, len(values), len(groups), incomplete, skipped)
