"""Entropies of counts (numba): a table holds the logarithms of small whole numbers, which most counts are."""

from __future__ import annotations

import math

import numpy as np

from ovfrad.evaluation.compiled import compiled

LOG2 = np.concatenate((np.zeros(1), np.log2(np.arange(1, 4096))))


@compiled
def log2(count: float) -> float:
    """Logarithm of a count, weighted or not; 0 for none, as it is to be multiplied by the count."""
    whole = int(count)
    return LOG2[np.uint64(whole)] if whole < LOG2.size and whole == count else math.log2(count)


@compiled
def entropies(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """-sum p log2 p over p = counts / totals, bit: of (directions, n, m) and (directions,), (directions,).

    Exactly 0 where one count is the total.
    """
    directions, n, m = counts.shape
    found = np.zeros(directions)
    for direction in range(directions):
        whole, bits = log2(totals[direction]), 0.0
        for i in range(n):
            for j in range(m):
                bits += counts[direction, i, j] * (whole - log2(counts[direction, i, j]))
        found[direction] = bits / totals[direction]
    return found
