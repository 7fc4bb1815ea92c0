"""What run-length, size-zone and dependence matrices have in common: counts by grey level and by a size.

Notation of the three classes: P(i, j) counts the runs (zones, voxels) of grey level i and size j; N = sum P;
p = P / N; p(i), p(j) its margins; where there are several directions, each feature is their average.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class SizeMatrix:
    """Counts by grey level and size, one matrix a direction (one in all where direction has no meaning).

    Attributes
    ----------
    counts : ndarray of float64, shape (directions, n, m)
        P(i, j).
    grey : ndarray of float64, shape (n,)
        The grey levels i that occur.
    size : ndarray of float64, shape (m,)
        The sizes j that occur, in voxels.
    """

    counts: np.ndarray
    grey: np.ndarray
    size: np.ndarray

    @cached_property
    def number(self) -> np.ndarray:
        """N, the number of runs, zones or voxels, (directions,)."""
        return self.counts.sum(axis=(1, 2))

    @cached_property
    def by_grey(self) -> np.ndarray:
        """p(i), (directions, n); summed as whole numbers, so that a flat region has exactly one 1."""
        return self.counts.sum(axis=2) / self.number[:, None]

    @cached_property
    def by_size(self) -> np.ndarray:
        """p(j), (directions, m)."""
        return self.counts.sum(axis=1) / self.number[:, None]

    @cached_property
    def emphases(self) -> np.ndarray:
        """sum_ij p(i, j) i^a j^b for a, b = 0, 2, -2, (directions, 3, 3)."""
        i, j = (np.array([x**0, x * x, 1 / (x * x)]) for x in (self.grey, self.size))
        return i @ (self.counts @ j.T) / self.number[:, None, None]

    def emphasis(self, grey: int = 0, size: int = 0) -> np.ndarray:
        """sum_ij p(i, j) i^grey j^size for powers 0, 2 and -2, (directions,)."""
        place = (0, 2, -2)
        return self.emphases[:, place.index(grey), place.index(size)]

    def grey_uniformity(self) -> np.ndarray:
        """sum_i p(i)^2, (directions,)."""
        return (self.by_grey * self.by_grey).sum(axis=1)

    def size_uniformity(self) -> np.ndarray:
        """sum_j p(j)^2, (directions,)."""
        return (self.by_size * self.by_size).sum(axis=1)

    def grey_variance(self) -> np.ndarray:
        """sum_i (i - mean i)^2 p(i), (directions,)."""
        return _variance(self.by_grey, self.grey)

    def size_variance(self) -> np.ndarray:
        """sum_j (j - mean j)^2 p(j), (directions,)."""
        return _variance(self.by_size, self.size)

    def entropy(self) -> np.ndarray:
        """-sum_ij p(i, j) log2 p(i, j), (directions,)."""
        from ovfrad.radiomics.entropy_kernels import entropies

        return entropies(self.counts, self.number)

    def percentage(self) -> np.ndarray:
        """N over the number of voxels, sum_ij j P(i, j), (directions,)."""
        return 1 / (self.by_size @ self.size)


def _variance(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Variance, sum (x - mean)^2 p, over the last axis."""
    gap = x - (p @ x)[:, None]
    return (p * gap * gap).sum(axis=1)
