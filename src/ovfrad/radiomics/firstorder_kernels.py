"""Moments of intensities in one pass (numba)."""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled


@compiled(fastmath={"reassoc", "contract", "nsz"})
def moments(x: np.ndarray, centre: float) -> tuple[float, float, float, float]:
    """Means of |d|, d^2, d^3 and d^4 with d = x - centre; sums are taken in the order that suits the machine."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for q in range(x.size):
        d = x[q] - centre
        first += abs(d)
        second += d * d
        third += d * d * d
        fourth += (d * d) * (d * d)
    return first / x.size, second / x.size, third / x.size, fourth / x.size
