"""Grey-level co-occurrence matrix (Haralick 1973; IBSI 3.6): pairs of levels in neighbouring voxels.

One matrix for each direction, symmetric unless asked otherwise; each feature is computed per direction and averaged
over those that have a pair (IBSI: 3-D, averaged). Notation: p(i, j) the share of pairs with levels i, j; px(i) its
row sums, py(j) its column sums, equal where it is symmetric; mu_x = sum_i i px(i), mu_y likewise; p+(k) the share of
pairs with i + j = k, p-(k) with |i - j| = k; Ng the highest grey level of the region; H the entropies in bits.
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
    """Co-occurrence matrices.

    Attributes
    ----------
    counts : ndarray of float64, shape (directions, n, n)
        Pairs of a voxel (row) and its neighbour (column), weighted or not, at least one in each direction.
    grey : ndarray of int64, shape (n,)
        The grey levels of rows and columns, those that occur in the region.
    symmetric : bool
        Whether each pair was counted from either voxel, so that the matrices are symmetric.
    """

    counts: np.ndarray
    grey: np.ndarray
    symmetric: bool = True

    @classmethod
    def of(cls, counts: np.ndarray, grey: np.ndarray, symmetric: bool = True) -> Cooccurrence:
        """From pairs counted in one sense; directions without a pair are left out, perhaps all."""
        from ovfrad.radiomics.glcm_kernels import both_senses

        all_directions = cls(both_senses(counts) if symmetric else counts.astype(np.float64), grey, symmetric)
        occupied = all_directions.total > 0
        return all_directions if occupied.all() else cls(all_directions.counts[occupied], grey, symmetric)

    @cached_property
    def _margins(self) -> tuple[np.ndarray, np.ndarray]:
        from ovfrad.radiomics.glcm_kernels import margins

        return margins(self.counts)

    @cached_property
    def _diagonals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from ovfrad.radiomics.glcm_kernels import diagonals

        return diagonals(self.counts, self.grey, self.total, self.symmetric)

    @property
    def rows(self) -> np.ndarray:
        """Pairs of each level of the first voxel, (directions, n)."""
        return self._margins[0]

    @property
    def squared(self) -> np.ndarray:
        """Sum of the squares of the counts, (directions,)."""
        return self._margins[1]

    @cached_property
    def total(self) -> np.ndarray:
        """Number of pairs, (directions,)."""
        return self.rows.sum(axis=1)

    @property
    def highest(self) -> int:
        """Ng, the highest grey level."""
        return int(self.grey[-1])

    @cached_property
    def px(self) -> np.ndarray:
        """Row sums px(i), (directions, n)."""
        return self.rows / self.total[:, None]

    @cached_property
    def py(self) -> np.ndarray:
        """Column sums py(j), (directions, n)."""
        return self.px if self.symmetric else self.counts.sum(axis=1) / self.total[:, None]

    @cached_property
    def mu_x(self) -> np.ndarray:
        """Mean level of rows, (directions,)."""
        return self.px @ self.grey

    @cached_property
    def mu_y(self) -> np.ndarray:
        """Mean level of columns, (directions,)."""
        return self.mu_x if self.symmetric else self.py @ self.grey

    @cached_property
    def variance_x(self) -> np.ndarray:
        """sum_i (i - mu_x)^2 px(i), (directions,)."""
        return (self.px * (self.grey - self.mu_x[:, None]) ** 2).sum(axis=1)

    @cached_property
    def variance_y(self) -> np.ndarray:
        """sum_j (j - mu_y)^2 py(j), (directions,)."""
        return self.variance_x if self.symmetric else (self.py * (self.grey - self.mu_y[:, None]) ** 2).sum(axis=1)

    @cached_property
    def p_sum(self) -> np.ndarray:
        """p+(k) for k = 0..2 Ng, (directions, 2 Ng + 1)."""
        return self._diagonals[0] / self.total[:, None]

    @cached_property
    def p_difference(self) -> np.ndarray:
        """p-(k) for k = 0..Ng - 1, (directions, Ng)."""
        return self._diagonals[1] / self.total[:, None]

    @cached_property
    def sums(self) -> np.ndarray:
        """The sums k = 0..2 Ng."""
        return np.arange(2 * self.highest + 1, dtype=float)

    @cached_property
    def k(self) -> np.ndarray:
        """The differences k = 0..Ng - 1."""
        return np.arange(self.highest, dtype=float)

    @cached_property
    def centred(self) -> np.ndarray:
        """Sums minus their mean, k - mu_x - mu_y, (directions, 2 Ng + 1)."""
        return self.sums - (self.mu_x + self.mu_y)[:, None]

    @cached_property
    def squares(self) -> np.ndarray:
        """(k - mu_x - mu_y)^2, (directions, 2 Ng + 1)."""
        return self.centred * self.centred

    @cached_property
    def tendency(self) -> np.ndarray:
        """sum_k (k - mu_x - mu_y)^2 p+(k), (directions,)."""
        return (self.squares * self.p_sum).sum(axis=1)

    @cached_property
    def contrast(self) -> np.ndarray:
        """sum_k k^2 p-(k), (directions,)."""
        return self.p_difference @ self.k**2

    @cached_property
    def covariance(self) -> np.ndarray:
        """sum_ij (i - mu_x) (j - mu_y) p(i, j), (directions,).

        A quarter of the variance of i + j minus that of i - j, so that the matrices need not be read again.
        """
        return (self.tendency - self.contrast + (self.mu_x - self.mu_y) ** 2) / 4

    @property
    def entropy(self) -> np.ndarray:
        """HXY = -sum_ij p(i, j) log2 p(i, j), (directions,)."""
        return self._diagonals[2]

    @cached_property
    def entropy_x(self) -> np.ndarray:
        """HX = -sum_i px(i) log2 px(i), (directions,)."""
        return bits(self.px)

    @cached_property
    def entropy_y(self) -> np.ndarray:
        """HY = -sum_j py(j) log2 py(j), (directions,)."""
        return self.entropy_x if self.symmetric else bits(self.py)

    @cached_property
    def information(self) -> np.ndarray:
        """Mutual information HX + HY - HXY, bit, (directions,).

        HXY1 = -sum_ij p(i, j) log2 px(i) py(j) and HXY2 = -sum_ij px(i) py(j) log2 px(i) py(j) are both HX + HY.
        """
        return self.entropy_x + self.entropy_y - self.entropy


def bits(p: np.ndarray) -> np.ndarray:
    """-sum p log2 p over the last axis, with 0 log 0 = 0."""
    return 0 - (p * np.log2(np.where(p > 0, p, 1))).sum(axis=-1)


@glcm.feature("Autocorrelation", "cm_auto_corr_3D_avg", "QWB0", "level^2")
def autocorrelation(m: Cooccurrence) -> np.ndarray:
    """sum_ij i j p(i, j)."""
    return (m.p_sum @ m.sums**2 - m.contrast) / 4  # 4 i j = (i + j)^2 - (i - j)^2


@glcm.feature("ClusterProminence", "cm_clust_prom_3D_avg", "AE86", "level^4")
def cluster_prominence(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - mu_x - mu_y)^4 p(i, j)."""
    return (m.squares * m.squares * m.p_sum).sum(axis=1)


@glcm.feature("ClusterShade", "cm_clust_shade_3D_avg", "7NFM", "level^3")
def cluster_shade(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - mu_x - mu_y)^3 p(i, j)."""
    return (m.squares * m.centred * m.p_sum).sum(axis=1)


@glcm.feature("ClusterTendency", "cm_clust_tend_3D_avg", "DG8W", "level^2")
def cluster_tendency(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i + j - mu_x - mu_y)^2 p(i, j)."""
    return m.tendency


@glcm.feature("Contrast", "cm_contrast_3D_avg", "ACUI", "level^2")
def contrast(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - j)^2 p(i, j)."""
    return m.contrast


@glcm.feature("Correlation", "cm_corr_3D_avg", "NI2N", note="1 for a flat region")
def correlation(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - mu_x) (j - mu_y) p(i, j) / (sigma_x sigma_y), sigma_x^2 = sum_i (i - mu_x)^2 px(i)."""
    deviations = np.sqrt(m.variance_x * m.variance_y)
    return np.where(deviations == 0, 1.0, m.covariance / (deviations + EPS))


@glcm.feature("DifferenceAverage", "cm_diff_avg_3D_avg", "TF7R", "level")
def difference_average(m: Cooccurrence) -> np.ndarray:
    """sum_k k p-(k); equals dissimilarity."""
    return m.p_difference @ m.k


@glcm.feature("DifferenceEntropy", "cm_diff_entr_3D_avg", "NTRS", "bit")
def difference_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_k p-(k) log2 p-(k)."""
    return bits(m.p_difference)


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
    """(HXY - HXY1) / max(HX, HY) with HXY1 = -sum_ij p(i, j) log2(px(i) py(j)) and HX the entropy of px(i)."""
    largest = np.maximum(m.entropy_x, m.entropy_y)
    return np.where(largest == 0, 0.0, -m.information / np.where(largest == 0, 1.0, largest))


@glcm.feature("Imc2", "cm_info_corr2_3D_avg", "JN9H", note="0 for a flat region")
def information_correlation_2(m: Cooccurrence) -> np.ndarray:
    """sqrt(1 - exp(-2 (HXY2 - HXY))) with HXY2 the entropy of px(i) py(j)."""
    return np.sqrt(np.maximum(-np.expm1(-2 * m.information), 0.0))


@glcm.feature("InverseVariance", "cm_inv_var_3D_avg", "E8JP", "1/level^2", note="0 for a flat region")
def inverse_variance(m: Cooccurrence) -> np.ndarray:
    """sum_k p-(k) / k^2 over k >= 1."""
    return m.p_difference[:, 1:] @ m.k[1:] ** -2


@glcm.feature("JointAverage", "cm_joint_avg_3D_avg", "60VM", "level")
def joint_average(m: Cooccurrence) -> np.ndarray:
    """Mean level of rows, mu_x = sum_ij i p(i, j)."""
    return m.mu_x


@glcm.feature("JointEnergy", "cm_energy_3D_avg", "8ZQL")
def joint_energy(m: Cooccurrence) -> np.ndarray:
    """sum_ij p(i, j)^2; IBSI calls it angular second moment."""
    return m.squared / m.total**2


@glcm.feature("JointEntropy", "cm_joint_entr_3D_avg", "TU9B", "bit")
def joint_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_ij p(i, j) log2 p(i, j)."""
    return m.entropy


@glcm.feature("MCC", note="maximal correlation coefficient, not in IBSI; 1 for a flat region")
def maximal_correlation(m: Cooccurrence) -> np.ndarray:
    """Square root of the second largest eigenvalue of Q(i, j) = sum_k p(i, k) p(j, k) / (px(i) py(k)).

    Q is similar to S S' with S(i, j) = p(i, j) / sqrt(px(i) py(j)), so that the root is the second singular value of
    S. The first is 1, with the vectors sqrt(px) and sqrt(py).
    """
    if m.grey.size < 2:
        return np.ones(m.total.size)
    if m.symmetric:
        from ovfrad.radiomics.glcm_kernels import second_eigenvalues

        return second_eigenvalues(m.counts, m.rows)
    root = np.sqrt(m.px[:, :, None] * m.py[:, None, :])
    scaled = np.divide(m.counts / m.total[:, None, None], root, out=np.zeros_like(root), where=root > 0)
    return np.linalg.norm(scaled - root, ord=2, axis=(1, 2))


@glcm.feature("MaximumProbability", "cm_joint_max_3D_avg", "GYBY")
def maximum_probability(m: Cooccurrence) -> np.ndarray:
    """Largest p(i, j)."""
    return m.counts.max(axis=(1, 2)) / m.total


@glcm.feature("SumAverage", "cm_sum_avg_3D_avg", "ZGXS", "level")
def sum_average(m: Cooccurrence) -> np.ndarray:
    """sum_k k p+(k); twice JointAverage where the matrices are symmetric."""
    return m.p_sum @ m.sums


@glcm.feature("SumEntropy", "cm_sum_entr_3D_avg", "P6QZ", "bit")
def sum_entropy(m: Cooccurrence) -> np.ndarray:
    """-sum_k p+(k) log2 p+(k)."""
    return bits(m.p_sum)


@glcm.feature("SumSquares", "cm_joint_var_3D_avg", "UR99", "level^2")
def sum_squares(m: Cooccurrence) -> np.ndarray:
    """sum_ij (i - mu_x)^2 p(i, j); IBSI calls it joint variance."""
    return m.variance_x
