"""Patient-level bootstrap: one matrix of resample counts, reused for every model, class and metric (F2).

A resample draws as many patients as there are, with replacement; a row counts as often as its patient was drawn. A
metric of a resample is then the same metric with these counts as weights: a sum over rows is one matrix product for
all resamples, and an AUC is one pass over the sorted rows. Layout everywhere: rows of the table x resamples, float32
(counts are small integers); sums of pairs are float64 and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation.auc import patient_codes
from ovfrad.evaluation.estimate import Estimate

Floats = NDArray[np.float64]
Counts = NDArray[np.floating]
CHUNK_CELLS = 8_000_000
"""Largest number of cells (rows x resamples) held at once: 32 MB."""
FEWEST_RESAMPLES = 100
"""Resamples in which a metric must exist for a percentile interval."""


@lru_cache(maxsize=8)
def _kept_counts(patients: int, resamples: int, seed: int) -> Counts:
    return _counts(patients, resamples, seed)


def _counts(patients: int, resamples: int, seed: int) -> Counts:
    """Return how often each patient is drawn in each resample, shape (patients, resamples)."""
    from ovfrad.evaluation.bootstrap_kernels import drawn_counts

    rng = np.random.default_rng(seed)
    result: Counts = drawn_counts(rng.integers(patients, size=(resamples, patients), dtype=np.int32), patients)
    result.setflags(write=False)
    return result


@dataclass(frozen=True, eq=False)
class Resamples:
    """Bootstrap resamples of patients for one table of rows.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Patient code 0..J-1 of each row.
    resamples : int
        Number of resamples.
    seed : int
        Same seed and same patients: same resamples, whatever the order of rows.
    """

    codes: NDArray[np.intp]
    resamples: int = 1000
    seed: int = 0

    @classmethod
    def of(cls, patients: ArrayLike | None, n: int, resamples: int = 1000, seed: int = 0) -> Resamples:
        """Return the resamples of n rows that belong to `patients` (None: each row its own)."""
        return cls(patient_codes(patients, n), resamples, seed)

    def chunks(self) -> Iterator[Counts]:
        """Yield blocks of row counts, shape (n, b), that together are all resamples; memory stays flat."""
        patients = int(self.codes.max()) + 1
        size = min(self.resamples, max(1, CHUNK_CELLS // len(self.codes)))
        identity = patients == len(self.codes) and bool((self.codes == np.arange(patients)).all())
        draw = _kept_counts if size == self.resamples else _counts  # a matrix in pieces is too large to be kept
        for block, start in enumerate(range(0, self.resamples, size)):
            wanted = min(size, self.resamples - start)
            counts = draw(patients, wanted, self.seed + 1_000_003 * block)
            yield counts if identity else counts[self.codes]

    def apply(self, statistic: Callable[[Counts], dict[str, Floats]]) -> dict[str, Floats]:
        """Return every metric of `statistic` in every resample, shape (resamples,) or (resamples, ...)."""
        blocks = [statistic(weights) for weights in self.chunks()]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def ratio(numerator: NDArray[np.floating], denominator: NDArray[np.floating]) -> Floats:
    """Return the quotient as float64, NaN where the denominator is zero (the metric does not exist there)."""
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom != 0)


def score_groups(scores: Floats, descending: bool = False) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of the scores, shape (n,), and where each group of equal ones starts in it, with n at the end.

    >>> [part.tolist() for part in score_groups(np.array([0.3, 0.1, 0.3]))]
    [[1, 0, 2], [0, 1, 3]]
    """
    order = np.argsort(-scores if descending else scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return order, np.r_[starts, len(scores)]


def won_pairs(
    rows: NDArray[np.intp], cases: NDArray[np.bool_], scores: Floats, weights: Counts
) -> tuple[Floats, Floats]:
    """Return pairs of case and non-case that are won (ties one half) and all such pairs, in each resample, (b,).

    Parameters
    ----------
    rows : ndarray of int, shape (N,)
        Row of `weights` that each score belongs to.
    cases : ndarray of bool, shape (N,)
    scores : ndarray, shape (N,)
    weights : ndarray, shape (n, b)
    """
    from ovfrad.evaluation import bootstrap_kernels

    order, starts = score_groups(scores)
    won, of_cases, of_others = bootstrap_kernels.won_pairs(rows[order], cases[order], starts, weights)
    return won, of_cases * of_others


def weighted_auc(cases: NDArray[np.bool_], scores: Floats, weights: Counts) -> Floats:
    """Return the AUC in each resample, ties one half; NaN where a resample has no cases or no non-cases.

    Parameters
    ----------
    cases : ndarray of bool, shape (n,)
    scores : ndarray, shape (n,)
    weights : ndarray, shape (n, b)
        float32 resample counts, or float64 ones for the AUC itself.

    Returns
    -------
    ndarray, shape (b,)
    """
    return ratio(*won_pairs(np.arange(len(scores)), cases, np.asarray(scores, dtype=float), weights))


def class_aucs(
    y_true: ArrayLike, probabilities: ArrayLike, patients: ArrayLike | None = None, resamples: int = 1000, seed: int = 0
) -> Floats:
    """Return the one-vs-rest AUC of every class in every patient resample, shape (resamples, K).

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
        Codes 0..K-1.
    probabilities : array-like, shape (n, K)
    patients : array-like, shape (n,), optional
    resamples : int
    seed : int

    Returns
    -------
    ndarray
        NaN where a resample lacks cases or non-cases.

    Examples
    --------
    >>> class_aucs([0, 0, 1, 1], [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]], resamples=500).shape
    (500, 2)
    """
    y, p = np.asarray(y_true, dtype=np.intp), np.asarray(probabilities, dtype=float)
    drawn = Resamples.of(patients, len(y), resamples, seed)
    columns = range(p.shape[1])
    return drawn.apply(lambda w: {"auc": np.column_stack([weighted_auc(y == k, p[:, k], w) for k in columns])})["auc"]


def percentile(
    values: Floats, estimate: float | None, n: int, patients: int, level: float = 0.95, name: str = "patient bootstrap"
) -> Estimate:
    """Return the estimate with the percentile interval of its resampled values.

    Resamples in which the metric does not exist are left out. There is no interval where fewer than 100 are left, where
    all are equal, or where the interval does not contain the estimate (a metric that resampling shifts).
    """
    if estimate is None:
        return Estimate.without("not defined on these rows", n, patients)
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_RESAMPLES:
        return Estimate(estimate, None, None, f"no interval: defined in {len(known)} resamples only", n, patients)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        return Estimate(estimate, None, None, "no interval: the same value in every resample", n, patients)
    if not low <= estimate <= high:
        return Estimate(estimate, None, None, "no interval: resampling shifts this metric", n, patients)
    return Estimate(estimate, low, high, f"{name}, {len(values)} resamples, percentile", n, patients)
