"""Grey-level dependence matrix (Sun 1983; IBSI 3.11, NGLDM): neighbours of about the same level.

A neighbour within Chebyshev distance 1 depends on a voxel when their levels differ by at most alpha. One matrix for
the region. Notation in `ovfrad.radiomics.sizes`: size j = number of dependent neighbours plus the voxel itself, as
IBSI counts; every voxel belongs to the matrix, so that N is the number of voxels.
"""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.sizes import SizeMatrix

gldm = FeatureClass("gldm", "grey-level dependence matrix")


@gldm.feature("DependenceEntropy", "ngl_dc_entr_3D", "FCBV", "bit")
def dependence_entropy(m: SizeMatrix) -> np.ndarray:
    """-sum_ij p(i, j) log2 p(i, j)."""
    return m.entropy()


@gldm.feature("DependenceNonUniformity", "ngl_dcnu_3D", "Z87G", "voxel")
def dependence_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N."""
    return m.number * m.size_uniformity()


@gldm.feature("DependenceNonUniformityNormalized", "ngl_dcnu_norm_3D", "OKJI")
def dependence_non_uniformity_normalised(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N^2."""
    return m.size_uniformity()


@gldm.feature("DependenceVariance", "ngl_dc_var_3D", "DNX2", "voxel^2")
def dependence_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (j - mean j)^2 p(i, j)."""
    return m.size_variance()


@gldm.feature("GrayLevelNonUniformity", "ngl_glnu_3D", "FP8K", "voxel")
def grey_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_i P(i)^2 / N."""
    return m.number * m.grey_uniformity()


@gldm.feature("GrayLevelVariance", "ngl_gl_var_3D", "1PFV", "level^2")
def grey_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (i - mean i)^2 p(i, j)."""
    return m.grey_variance()


@gldm.feature("HighGrayLevelEmphasis", "ngl_hgce_3D", "OAE7", "level^2")
def high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 p(i, j)."""
    return m.emphasis(grey=2)


@gldm.feature("LargeDependenceEmphasis", "ngl_hde_3D", "IMOQ", "voxel^2")
def large_dependence_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 p(i, j)."""
    return m.emphasis(size=2)


@gldm.feature("LargeDependenceHighGrayLevelEmphasis", "ngl_hdhge_3D", "9QMG", "(level voxel)^2")
def large_dependence_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 j^2 p(i, j)."""
    return m.emphasis(grey=2, size=2)


@gldm.feature("LargeDependenceLowGrayLevelEmphasis", "ngl_hdlge_3D", "NBZI", "voxel^2/level^2")
def large_dependence_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 / i^2 p(i, j)."""
    return m.emphasis(grey=-2, size=2)


@gldm.feature("LowGrayLevelEmphasis", "ngl_lgce_3D", "TL9H", "1/level^2")
def low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / i^2."""
    return m.emphasis(grey=-2)


@gldm.feature("SmallDependenceEmphasis", "ngl_lde_3D", "SODN", "1/voxel^2")
def small_dependence_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / j^2."""
    return m.emphasis(size=-2)


@gldm.feature("SmallDependenceHighGrayLevelEmphasis", "ngl_ldhge_3D", "JA6D", "level^2/voxel^2")
def small_dependence_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 / j^2 p(i, j)."""
    return m.emphasis(grey=2, size=-2)


@gldm.feature("SmallDependenceLowGrayLevelEmphasis", "ngl_ldlge_3D", "EQ3F", "1/(level voxel)^2")
def small_dependence_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / (i^2 j^2)."""
    return m.emphasis(grey=-2, size=-2)
