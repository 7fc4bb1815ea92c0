"""Grey-level co-occurrence matrix (Haralick 1973; IBSI 3.6): pairs of levels in neighbouring voxels.

One symmetric matrix for each of the 13 directions at Chebyshev distance 1; each feature is computed per direction
and averaged over those that have a pair (IBSI: 3-D, averaged). Notation: p(i, j) the share of pairs with levels
i, j; p(i) its row sums; mu = sum_i i p(i); p+(k) the share of pairs with i + j = k, p-(k) with |i - j| = k;
Ng the highest grey level of the region; H the entropies in bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.firstorder import EPS

glcm = FeatureClass("glcm", "grey-level co-occurrence matrix")


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Normalised symmetric co-occurrence matrices.

    Attributes
    ----------
    p : ndarray of float64, shape (directions, n, n)
        Sums to 1 in each direction.
    grey : ndarray of float64, shape (n,)
        The grey levels of rows and columns, those that occur in the region.
    """

    p: np.ndarray
    grey: np.ndarray

    @cached_property
    def highest(self) -> int:
        """Ng, the highest grey level."""
        return int(self.grey[-1])

    @cached_property
    def px(self) -> np.ndarray:
        """Row sums p(i), (directions, n)."""
        return self.p.sum(axis=2)

    @cached_property
    def mu(self) -> np.ndarray:
        """Mean level, (directions,)."""
        return self.px @ self.grey

    @cached_property
    def centred(self) -> np.ndarray:
        """Levels minus their mean, i - mu, (directions, n)."""
        return self.grey - self.mu[:, None]

    @cached_property
    def variance(self) -> np.ndarray:
        """sum_i (i - mu)^2 p(i), (directions,)."""
        return (self.px * self.centred**2).sum(axis=1)

    def _share_by(self, k: np.ndarray, size: int) -> np.ndarray:
        """Sum p over the pairs with equal k (n, n): (directions, size)."""
        directions = self.p.shape[0]
        place = (np.arange(directions)[:, None, None] * size + k).ravel()
        return np.bincount(place, weights=self.p.ravel(), minlength=directions * size).reshape(directions, size)

    @cached_property
    def p_sum(self) -> np.ndarray:
        """p+(k) for k = 0..2 Ng, (directions, 2 Ng + 1)."""
        i = self.grey.astype(int)
        return self._share_by(i[:, None] + i, 2 * self.highest + 1)

    @cached_property
    def p_difference(self) -> np.ndarray:
        """p-(k) for k = 0..Ng - 1, (directions, Ng)."""
        i = self.grey.astype(int)
        return self._share_by(np.abs(i[:, None] - i), self.highest)

    @cached_property
    def k(self) -> np.ndarray:
        """The differences 0..Ng - 1."""
        return np.arange(self.highest, dtype=float)

    def cluster(self, power: int) -> np.ndarray:
        """sum_k (k - 2 mu)^power p+(k), (directions,)."""
        k = np.arange(2 * self.highest + 1)
        return (self.p_sum * (k - 2 * self.mu[:, None]) ** power).sum(axis=1)

    @cached_property
    def entropy(self) -> np.ndarray:
        """HXY = -sum_ij p(i, j) log2 p(i, j), (directions,)."""
        return -np.einsum("dij,dij->d", self.p, np.log2(self.p + EPS))

    @cached_property
    def product(self) -> np.ndarray:
        """p(i) p(j), the matrix of independent neighbours, (directions, n, n)."""
        return self.px[:, :, None] * self.px[:, None, :]

    @cached_property
    def log_product(self) -> np.ndarray:
        """log2 p(i) p(j), (directions, n, n)."""
        return np.log2(self.product + EPS)


@glcm.feature("Autocorrelation", "cm_auto_corr_3D_avg", "QWB0", "level^2")
def autocorrelation(m: Cooccurrence) -> np.ndarray:
    """sum_ij i j p(i, j)."""
    return (m.p @ m.grey) @ m.grey


@glcm.feature("ClusterProminence", "cm_clust_prom_3D_avg", "AE86", "level^4")
def cluster_prominence(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - 2 mu)^4 p(i, j)."""
    return m.cluster(4)


@glcm.feature("ClusterShade", "cm_clust_shade_3D_avg", "7NFM", "level^3")
def cluster_shade(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - 2 mu)^3 p(i, j)."""
    return m.cluster(3)


@glcm.feature("ClusterTendency", "cm_clust_tend_3D_avg", "DG8W", "level^2")
def cluster_tendency(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - 2 mu)^2 p(i, j)."""
    return m.cluster(2)


@glcm.feature("Contrast", "cm_contrast_3D_avg", "ACUI", "level^2")
def contrast(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - j)^2 p(i, j)."""
    return m.p_difference @ m.k**2


@glcm.feature("Correlation", "cm_corr_3D_avg", "NI2N", note="1 for a flat region")
def correlation(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - mu) (j - mu) p(i, j) / sum_i (i - mu)^2 p(i)."""
    covariance = np.einsum("dij,di,dj->d", m.p, m.centred, m.centred)
    return np.where(m.variance == 0, 1.0, covariance / (m.variance + EPS))


@glcm.feature("DifferenceAverage", "cm_diff_avg_3D_avg", "TF7R", "level")
def difference_average(m: Cooccurrence) -> np.ndarray:
    """sum_k k p-(k); equals dissimilarity."""
    return m.p_difference @ m.k


@glcm.feature("DifferenceEntropy", "cm_diff_entr_3D_avg", "NTRS", "bit")
def difference_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_k p-(k) log2 p-(k)."""
    return -(m.p_difference * np.log2(m.p_difference + EPS)).sum(axis=1)


@glcm.feature("DifferenceVariance", "cm_diff_var_3D_avg", "D3YU", "level^2")
def difference_variance(m: Cooccurrence) -> np.ndarray:
    """sum_k (k - DifferenceAverage)^2 p-(k)."""
    return (m.p_difference * (m.k - difference_average(m)[:, None]) ** 2).sum(axis=1)


@glcm.feature("Id", "cm_inv_diff_3D_avg", "IB1Z")
def inverse_difference(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / (1 + k)."""
    return m.p_difference @ (1 / (1 + m.k))


@glcm.feature("Idm", "cm_inv_diff_mom_3D_avg", "WF0Z")
def inverse_difference_moment(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / (1 + k^2)."""
    return m.p_difference @ (1 / (1 + m.k**2))


@glcm.feature("Idmn", "cm_inv_diff_mom_norm_3D_avg", "1QCO")
def inverse_difference_moment_normalised(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / (1 + k^2 / Ng^2)."""
    return m.p_difference @ (1 / (1 + (m.k / m.highest) ** 2))


@glcm.feature("Idn", "cm_inv_diff_norm_3D_avg", "NDRX")
def inverse_difference_normalised(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / (1 + k / Ng)."""
    return m.p_difference @ (1 / (1 + m.k / m.highest))


@glcm.feature("Imc1", "cm_info_corr1_3D_avg", "R8DG", note="0 for a flat region")
def information_correlation_1(m: Cooccurrence) -> np.ndarray:
    """(HXY - HXY1) / HX with HXY1 = -sum_ij p(i, j) log2(p(i) p(j)) and HX the entropy of p(i)."""
    hxy1 = -np.einsum("dij,dij->d", m.p, m.log_product)
    hx = -(m.px * np.log2(m.px + EPS)).sum(axis=1)
    return np.where(hx == 0, 0.0, (m.entropy - hxy1) / np.where(hx == 0, 1.0, hx))


@glcm.feature("Imc2", "cm_info_corr2_3D_avg", "JN9H", note="0 for a flat region")
def information_correlation_2(m: Cooccurrence) -> np.ndarray:
    """sqrt(1 - exp(-2 (HXY2 - HXY))) with HXY2 the entropy of p(i) p(j)."""
    hxy2 = -np.einsum("dij,dij->d", m.product, m.log_product)
    return np.sqrt(np.maximum(1 - np.exp(-2 * (hxy2 - m.entropy)), 0.0))


@glcm.feature("InverseVariance", "cm_inv_var_3D_avg", "E8JP", note="0 for a flat region")
def inverse_variance(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / k^2 over k >= 1."""
    return m.p_difference[:, 1:] @ m.k[1:] ** -2


@glcm.feature("JointAverage", "cm_joint_avg_3D_avg", "60VM", "level")
def joint_average(m: Cooccurrence) -> np.ndarray:
    """Mean level, mu = sum_ij i p(i, j)."""
    return m.mu


@glcm.feature("JointEnergy", "cm_energy_3D_avg", "8ZQL")
def joint_energy(m: Cooccurrence) -> np.ndarray:
    """sum_ij p(i, j)^2; IBSI calls it angular second moment."""
    return np.einsum("dij,dij->d", m.p, m.p)


@glcm.feature("JointEntropy", "cm_joint_entr_3D_avg", "TU9B", "bit")
def joint_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_ij p(i, j) log2 p(i, j)."""
    return m.entropy


@glcm.feature("MCC", note="maximal correlation coefficient, not in IBSI; 1 for a flat region")
def maximal_correlation(m: Cooccurrence) -> np.ndarray:
    """Square root of the second largest eigenvalue of Q(i, j) = sum_k p(i, k) p(j, k) / (p(i) p(k)).

    Q is similar to the square of the symmetric matrix p(i, j) / sqrt(p(i) p(j)), whose eigenvalues are real.
    """
    if m.grey.size < 2:
        return np.ones(m.p.shape[0])
    root = np.sqrt(m.product)
    scaled = np.divide(m.p, root, out=np.zeros_like(m.p), where=root > 0)
    return np.sort(np.abs(np.linalg.eigvalsh(scaled)), axis=1)[:, -2]


@glcm.feature("MaximumProbability", "cm_joint_max_3D_avg", "GYBY")
def maximum_probability(m: Cooccurrence) -> np.ndarray:
    """Largest p(i, j)."""
    return m.p.max(axis=(1, 2))


@glcm.feature("SumAverage", "cm_sum_avg_3D_avg", "ZGXS", "level")
def sum_average(m: Cooccurrence) -> np.ndarray:
    """sum_k k p+(k); twice JointAverage, as the matrices are symmetric."""
    return m.p_sum @ np.arange(2 * m.highest + 1)


@glcm.feature("SumEntropy", "cm_sum_entr_3D_avg", "P6QZ", "bit")
def sum_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_k p+(k) log2 p+(k)."""
    return -(m.p_sum * np.log2(m.p_sum + EPS)).sum(axis=1)


@glcm.feature("SumSquares", "cm_joint_var_3D_avg", "UR99", "level^2")
def sum_squares(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - mu)^2 p(i, j); IBSI calls it joint variance."""
    return m.variance
