"""Conformal sets per class: the classes that cannot be ruled out at a stated error rate (F6).

Mondrian (class-conditional) conformal prediction (Vovk, Gammerman and Shafer, 2005): the score of a calibration row is
1 less the probability of its true class, and a class is in the set of a new case unless its score there is larger than
nearly all scores of that class. Each class is then covered at 1 - alpha, the rare ones as well as the common ones.
The promise needs calibration rows that the model has not seen and that are exchangeable with new ones; scores from
cross-fitting are named cross-conformal, which comes without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]
KNOTS = 100
"""Most knots that `compress` leaves of a class, so that a stored model holds no table of patients."""


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Calibration scores of each class, as knots of their distribution.

    Attributes
    ----------
    knots : tuple of tuples of float
        Ascending scores 1 - p_k of calibration rows of class k.
    at_least : tuple of tuples of int
        Number of calibration rows of class k with a score at or above each knot.
    counts : tuple of int
        Calibration rows of each class.
    source : {"split", "cross"}
        Rows set aside, or cross-fitted training rows.

    Examples
    --------
    >>> sets = ConformalSets.fit([[0.9, 0.1]] * 20 + [[0.2, 0.8]] * 20, [0] * 20 + [1] * 20)
    >>> sets.predict([[0.85, 0.15], [0.95, 0.05]]).tolist()
    [[True, False], [True, False]]
    """

    knots: tuple[tuple[float, ...], ...]
    at_least: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    source: Literal["split", "cross"] = "split"

    def __post_init__(self) -> None:
        if not len(self.knots) == len(self.at_least) == len(self.counts) >= 2:
            raise ValueError("conformal sets need knots and counts of each of at least two classes.")
        if self.source not in ("split", "cross"):
            raise ValueError(f"calibration rows are split or cross; got {self.source!r}.")

    @classmethod
    def fit(
        cls, probabilities: ArrayLike, y_true: ArrayLike, source: Literal["split", "cross"] = "split"
    ) -> ConformalSets:
        """Return the sets calibrated on rows the model has not seen.

        Parameters
        ----------
        probabilities : array-like, shape (n, K)
        y_true : array-like of int, shape (n,)
        source : {"split", "cross"}
        """
        p, y = np.asarray(probabilities, dtype=float), np.asarray(y_true, dtype=np.intp)
        if p.ndim != 2 or len(p) != len(y) or not np.isfinite(p).all():
            raise ValueError("calibration needs a finite table of rows x classes and one code for each row.")
        scores = [np.sort(1 - p[y == k, k]) for k in range(p.shape[1])]
        return cls(
            tuple(tuple(map(float, s)) for s in scores),
            tuple(tuple(range(len(s), 0, -1)) for s in scores),
            tuple(len(s) for s in scores),
            source,
        )

    @property
    def method(self) -> str:
        """What the sets promise, in words."""
        if self.source == "split":
            return "split conformal per class, coverage 1 - alpha of each class"
        return "cross-conformal per class, without the split-conformal promise"

    def promise(self, alpha: float = 0.1, level: float = 0.95) -> pd.DataFrame:
        """Return the coverage of each class that so many calibration rows promise at an accepted error rate `alpha`.

        With n rows of a class and l = floor(alpha (n + 1)), the coverage of new rows of that class, given the
        calibration rows, is distributed as Beta(n + 1 - l, l) (Vovk 2012, Mach Learn 92:349-376): it is a matter of
        luck with these rows, and its mean is at least 1 - alpha. Scores must not tie; cross-fitted ones promise less.

        Parameters
        ----------
        alpha : float
        level : float
            Share of calibration samples whose coverage lies between `low` and `high`.

        Returns
        -------
        DataFrame
            Columns `class, n, expected, low, high`; all 1 where l = 0, for then the class is never ruled out.

        Examples
        --------
        >>> sets = ConformalSets.fit([[0.9, 0.1]] * 99 + [[0.2, 0.8]] * 5, [0] * 99 + [1] * 5)
        >>> sets.promise(0.1).round(2).to_numpy().tolist()
        [[0.0, 99.0, 0.9, 0.83, 0.95], [1.0, 5.0, 1.0, 1.0, 1.0]]
        """
        rows = []
        for k, n in enumerate(self.counts):
            ruled_out = int(np.floor(alpha * (n + 1) + 1e-9))
            limits = (1.0, 1.0)
            if ruled_out:
                limits = tuple(betaincinv(n + 1 - ruled_out, ruled_out, [(1 - level) / 2, (1 + level) / 2]).tolist())
            rows.append((k, n, 1 - ruled_out / (n + 1), *limits))
        return pd.DataFrame(rows, columns=["class", "n", "expected", "low", "high"])

    def p_values(self, probabilities: ArrayLike) -> Floats:
        """Return, for each row and class, (1 + calibration rows at least as odd) / (1 + calibration rows)."""
        p = np.atleast_2d(np.asarray(probabilities, dtype=float))
        if p.shape[1] != len(self.counts):
            raise ValueError(f"these sets have {len(self.counts)} classes; got {p.shape[1]} columns.")
        result = np.ones(p.shape)
        for k, (knots, above, count) in enumerate(zip(self.knots, self.at_least, self.counts, strict=True)):
            # the last knot below the score counts at least the rows of the score itself: sets err on the safe side
            index = np.searchsorted(np.asarray(knots), 1 - p[:, k] - 1e-12, side="left")
            padded = np.r_[np.asarray(above, dtype=float), 0.0]
            exact = len(knots) == count
            at_least = padded[index] if exact else np.where(index == 0, count, padded[np.maximum(index - 1, 0)])
            result[:, k] = (1 + at_least) / (1 + count)
        return result

    def predict(
        self, probabilities: ArrayLike, alpha: float = 0.1, *, contiguous: bool = False, allow_empty: bool = False
    ) -> NDArray[np.bool_]:
        """Return the set of each row as shape (n, K), True = not ruled out.

        Parameters
        ----------
        probabilities : array-like, shape (n, K)
        alpha : float
            Accepted error rate of each class. With fewer than 1 / alpha - 1 calibration rows a class is
            never ruled out.
        contiguous : bool
            Ordered outcome: fill the gap between the lowest and the highest class of a set.
        allow_empty : bool
            Leave a set empty where every class is ruled out (an odd case); else it holds the most probable class.
        """
        if not 0 < alpha < 1:
            raise ValueError(f"alpha lies strictly between 0 and 1; got {alpha}.")
        p = np.atleast_2d(np.asarray(probabilities, dtype=float))
        chosen = self.p_values(p) > alpha
        if not allow_empty:
            empty = ~chosen.any(axis=1)
            chosen[empty, p[empty].argmax(axis=1)] = True
        if contiguous:
            upwards = np.maximum.accumulate(chosen, axis=1)
            downwards = np.maximum.accumulate(chosen[:, ::-1], axis=1)[:, ::-1]
            chosen = upwards & downwards
        return chosen

    def compress(self, knots: int = KNOTS) -> ConformalSets:
        """Return the sets with at most `knots` knots a class; sets can only grow by it, so coverage stays."""
        kept, above = [], []
        for values, counts in zip(self.knots, self.at_least, strict=True):
            index = np.unique(np.linspace(0, len(values) - 1, min(knots, len(values))).astype(np.intp))
            kept.append(tuple(values[i] for i in index))
            above.append(tuple(counts[i] for i in index))
        return ConformalSets(tuple(kept), tuple(above), self.counts, self.source)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: `knots, at_least, counts, source`."""
        return {
            "knots": [list(k) for k in self.knots],
            "at_least": [list(c) for c in self.at_least],
            "counts": list(self.counts),
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ConformalSets:
        """Return the sets that `as_dict` wrote."""
        return cls(
            tuple(tuple(map(float, k)) for k in values["knots"]),
            tuple(tuple(map(int, c)) for c in values["at_least"]),
            tuple(map(int, values["counts"])),
            values["source"],
        )


def coverage(sets: ArrayLike, y_true: ArrayLike) -> Floats:
    """Return the share of rows of each class whose set holds their class, shape (K,); NaN for an absent class."""
    chosen, y = np.asarray(sets, dtype=bool), np.asarray(y_true, dtype=np.intp)
    held = chosen[np.arange(len(y)), y]
    return np.array([held[y == k].mean() if (y == k).any() else np.nan for k in range(chosen.shape[1])])
