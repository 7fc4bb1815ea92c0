"""Neighbouring grey-tone difference matrix (Amadasun & King 1989; IBSI 3.10): each voxel against its surroundings.

Notation: n(i) the voxels of grey level i, p(i) = n(i) / N; s(i) the sum over them of |i - mean level of the voxel's
neighbours inside the region| (Chebyshev distance 1), 0 for a voxel without neighbours; Ngp the number of levels that
occur. Sums over i and j run over levels that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass

ngtdm = FeatureClass("ngtdm", "neighbouring grey-tone difference matrix")

COARSEST = 1e6
"""Coarseness of a region without differences, PyRadiomics' stand-in for infinity."""


@dataclass(frozen=True, eq=False)
class ToneDifference:
    """The matrix.

    Attributes
    ----------
    i : ndarray of float64, shape (Ngp,)
        Grey levels that occur.
    n : ndarray of float64, shape (Ngp,)
        Voxels of each level.
    s : ndarray of float64, shape (Ngp,)
        Sum of absolute differences of each level.
    """

    i: np.ndarray
    n: np.ndarray
    s: np.ndarray

    @cached_property
    def p(self) -> np.ndarray:
        """Share of each level."""
        return self.n / self.n.sum()

    @cached_property
    def total(self) -> float:
        """Sum of s."""
        return float(self.s.sum())


@ngtdm.feature("Busyness", "ngt_busyness_3D", "NQ30", note="0 for a flat region")
def busyness(m: ToneDifference) -> float:
    """sum_i p(i) s(i) / sum_ij |i p(i) - j p(j)|."""
    weighted, count = np.sort(m.i * m.p), np.arange(1, m.i.size)
    gaps = weighted[1:] - weighted[:-1]
    spread = 2 * float(gaps @ (count * (m.i.size - count)))  # a gap lies between `count` smaller and the larger ones
    return float(m.p @ m.s / spread) if spread > 0 else 0.0


@ngtdm.feature("Coarseness", "ngt_coarseness_3D", "QCDE", "1/level", note="1e6 for a flat region")
def coarseness(m: ToneDifference) -> float:
    """1 / sum_i p(i) s(i)."""
    difference = float(m.p @ m.s)
    return 1 / difference if difference > 0 else COARSEST


@ngtdm.feature("Complexity", "ngt_complexity_3D", "HDEZ", "level^2", note="0 for a flat region")
def complexity(m: ToneDifference) -> float:
    """sum_ij |i - j| (p(i) s(i) + p(j) s(j)) / (p(i) + p(j)) / N."""
    distance = np.abs(m.i[:, None] - m.i) / (m.p[:, None] + m.p)
    return float(2 * (m.p * m.s) @ distance.sum(axis=1) / m.n.sum())  # i and j contribute the same


@ngtdm.feature("Contrast", "ngt_contrast_3D", "65HE", "level^3", note="0 for a flat region")
def contrast(m: ToneDifference) -> float:
    """sum_ij p(i) p(j) (i - j)^2 / (Ngp (Ngp - 1)) times sum_i s(i) / N."""
    levels = m.i.size
    if levels < 2:
        return 0.0
    dynamic = 2 * m.p @ (m.i - m.p @ m.i) ** 2 / (levels * (levels - 1))  # the sum over pairs is twice the variance
    return float(dynamic * m.total / m.n.sum())


@ngtdm.feature("Strength", "ngt_strength_3D", "1X9X", "level", note="0 for a flat region")
def strength(m: ToneDifference) -> float:
    """sum_ij (p(i) + p(j)) (i - j)^2 / sum_i s(i)."""
    if m.total == 0:
        return 0.0
    squares = (m.i - m.i.sum() / m.i.size) ** 2  # sum_j (i - j)^2 is Ngp times that of i plus the sum of all
    return float(2 * m.p @ (m.i.size * squares + squares.sum()) / m.total)
