"""What run-length, size-zone and dependence matrices have in common: counts by grey level and by a size.

Notation of the three classes: P(i, j) counts the runs (zones, voxels) of grey level i and size j; N = sum P;
p = P / N; p(i), p(j) its margins; where there are several directions, each feature is their average.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ovfrad.radiomics.firstorder import EPS


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
    def p(self) -> np.ndarray:
        """Shares P / N, (directions, n, m)."""
        return self.counts / self.number[:, None, None]

    @cached_property
    def by_grey(self) -> np.ndarray:
        """p(i), (directions, n)."""
        return self.p.sum(axis=2)

    @cached_property
    def by_size(self) -> np.ndarray:
        """p(j), (directions, m)."""
        return self.p.sum(axis=1)

    def emphasis(self, grey: int = 0, size: int = 0) -> np.ndarray:
        """sum_ij p(i, j) i^grey j^size, (directions,)."""
        if size == 0:
            return self.by_grey @ self.grey**grey
        if grey == 0:
            return self.by_size @ self.size**size
        return (self.p @ self.size**size) @ self.grey**grey

    def grey_uniformity(self) -> np.ndarray:
        """sum_i p(i)^2, (directions,)."""
        return (self.by_grey**2).sum(axis=1)

    def size_uniformity(self) -> np.ndarray:
        """sum_j p(j)^2, (directions,)."""
        return (self.by_size**2).sum(axis=1)

    def grey_variance(self) -> np.ndarray:
        """sum_i (i - mean i)^2 p(i), (directions,)."""
        mean = self.by_grey @ self.grey
        return (self.by_grey * (self.grey - mean[:, None]) ** 2).sum(axis=1)

    def size_variance(self) -> np.ndarray:
        """sum_j (j - mean j)^2 p(j), (directions,)."""
        mean = self.by_size @ self.size
        return (self.by_size * (self.size - mean[:, None]) ** 2).sum(axis=1)

    def entropy(self) -> np.ndarray:
        """-sum_ij p(i, j) log2 p(i, j), (directions,)."""
        return -np.einsum("dij,dij->d", self.p, np.log2(self.p + EPS))

    def percentage(self) -> np.ndarray:
        """N over the number of voxels, sum_ij j P(i, j), (directions,)."""
        return 1 / self.emphasis(size=1)
