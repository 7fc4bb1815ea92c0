"""Patient-level bootstrap: one matrix of resample counts, reused for every model, class and metric (F2).

A resample draws as many patients as there are, with replacement; a row counts as often as its patient was drawn. A
metric of a resample is then the same metric with these counts as weights, so all resamples are one matrix product.
Layout everywhere: rows of the table x resamples, float32 (counts are small integers, so products stay exact).
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
KERNEL_CELLS = 300_000
"""Pairs of case and non-case up to which the AUC of all resamples is one matrix product; above it, sorted sums."""
FEWEST_RESAMPLES = 100
"""Resamples in which a metric must exist for a percentile interval."""


@lru_cache(maxsize=8)
def _counts(patients: int, resamples: int, seed: int) -> Counts:
    """Return how often each patient is drawn in each resample, shape (patients, resamples)."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(patients, size=(resamples, patients), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * np.int32(patients)
    flat = np.bincount(drawn.ravel(), minlength=patients * resamples).reshape(resamples, patients)
    result = np.ascontiguousarray(flat.T, dtype=np.float32)
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
        for block, start in enumerate(range(0, self.resamples, size)):
            wanted = min(size, self.resamples - start)
            counts = _counts(patients, wanted, self.seed + 1_000_003 * block)
            yield counts if identity else counts[self.codes]

    def apply(self, statistic: Callable[[Counts], dict[str, Floats]]) -> dict[str, Floats]:
        """Return every metric of `statistic` in every resample, shape (resamples,) or (resamples, ...)."""
        blocks = [statistic(weights) for weights in self.chunks()]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def ratio(numerator: NDArray[np.floating], denominator: NDArray[np.floating]) -> Floats:
    """Return the quotient as float64, NaN where the denominator is zero (the metric does not exist there)."""
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom != 0)


def kernel_wins(case_scores: Floats, other_scores: Floats, weights: Counts) -> Counts:
    """Return, for each case, the weight of the non-cases it outranks (ties one half), shape (m, b)."""
    difference = case_scores[:, None] - other_scores[None, :]
    kernel = ((np.sign(difference) + 1) / 2).astype(weights.dtype)
    wins: Counts = kernel @ weights
    return wins


def _sorted_wins(cases: NDArray[np.bool_], scores: Floats, weights: Counts) -> NDArray[np.floating]:
    """Return the weighted number of won pairs in each resample, shape (b,), by running sums in score order."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sorted_weights = weights[order]
    of_cases = sorted_weights * cases[order][:, None].astype(weights.dtype)
    of_others = sorted_weights - of_cases
    if len(starts) < len(scores):
        of_cases = np.add.reduceat(of_cases, starts, axis=0)
        of_others = np.add.reduceat(of_others, starts, axis=0)
    below = np.cumsum(of_others, axis=0) - 0.5 * of_others
    won: NDArray[np.floating] = np.einsum("nb,nb->b", of_cases, below, dtype=np.float64)
    return won


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
    of_cases, of_others = weights[cases], weights[~cases]
    pairs = of_cases.sum(axis=0, dtype=float) * of_others.sum(axis=0, dtype=float)
    if of_cases.shape[0] * of_others.shape[0] <= KERNEL_CELLS:
        wins = kernel_wins(scores[cases], scores[~cases], of_others)
        won = np.einsum("mb,mb->b", of_cases, wins)
    else:
        won = _sorted_wins(cases, scores, weights)
    return ratio(won, pairs)


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
