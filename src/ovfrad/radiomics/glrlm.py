"""Grey-level run-length matrix (Galloway 1975; IBSI 3.7): runs of voxels of equal level along a line.

One matrix for each of the 13 directions, features averaged over the directions in which some line crosses the
region in more than one voxel (IBSI: 3-D, averaged). Notation in `ovfrad.radiomics.sizes`: size j = length of a run.
"""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.sizes import SizeMatrix

glrlm = FeatureClass("glrlm", "grey-level run-length matrix")


@glrlm.feature("GrayLevelNonUniformity", "rlm_glnu_3D_avg", "R5YN", "run")
def grey_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_i P(i)^2 / N."""
    return m.number * m.grey_uniformity()


@glrlm.feature("GrayLevelNonUniformityNormalized", "rlm_glnu_norm_3D_avg", "OVBL")
def grey_non_uniformity_normalised(m: SizeMatrix) -> np.ndarray:
    """sum_i P(i)^2 / N^2."""
    return m.grey_uniformity()


@glrlm.feature("GrayLevelVariance", "rlm_gl_var_3D_avg", "8CE5", "level^2")
def grey_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (i - mean i)^2 p(i, j)."""
    return m.grey_variance()


@glrlm.feature("HighGrayLevelRunEmphasis", "rlm_hgre_3D_avg", "G3QZ", "level^2")
def high_grey_run_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 p(i, j)."""
    return m.emphasis(grey=2)


@glrlm.feature("LongRunEmphasis", "rlm_lre_3D_avg", "W4KF", "voxel^2")
def long_run_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 p(i, j)."""
    return m.emphasis(size=2)


@glrlm.feature("LongRunHighGrayLevelEmphasis", "rlm_lrhge_3D_avg", "3KUM", "(level voxel)^2")
def long_run_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 j^2 p(i, j)."""
    return m.emphasis(grey=2, size=2)


@glrlm.feature("LongRunLowGrayLevelEmphasis", "rlm_lrlge_3D_avg", "IVPO", "voxel^2/level^2")
def long_run_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 / i^2 p(i, j)."""
    return m.emphasis(grey=-2, size=2)


@glrlm.feature("LowGrayLevelRunEmphasis", "rlm_lgre_3D_avg", "V3SW", "1/level^2")
def low_grey_run_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / i^2."""
    return m.emphasis(grey=-2)


@glrlm.feature("RunEntropy", "rlm_rl_entr_3D_avg", "HJ9O", "bit")
def run_entropy(m: SizeMatrix) -> np.ndarray:
    """-sum_ij p(i, j) log2 p(i, j)."""
    return m.entropy()


@glrlm.feature("RunLengthNonUniformity", "rlm_rlnu_3D_avg", "W92Y", "run")
def run_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N."""
    return m.number * m.size_uniformity()


@glrlm.feature("RunLengthNonUniformityNormalized", "rlm_rlnu_norm_3D_avg", "IC23")
def run_non_uniformity_normalised(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N^2."""
    return m.size_uniformity()


@glrlm.feature("RunPercentage", "rlm_r_perc_3D_avg", "9ZK5")
def run_percentage(m: SizeMatrix) -> np.ndarray:
    """N over the number of voxels."""
    return m.percentage()


@glrlm.feature("RunVariance", "rlm_rl_var_3D_avg", "SXLW", "voxel^2")
def run_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (j - mean j)^2 p(i, j)."""
    return m.size_variance()


@glrlm.feature("ShortRunEmphasis", "rlm_sre_3D_avg", "22OV", "1/voxel^2")
def short_run_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / j^2."""
    return m.emphasis(size=-2)


@glrlm.feature("ShortRunHighGrayLevelEmphasis", "rlm_srhge_3D_avg", "GD3A", "level^2/voxel^2")
def short_run_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 / j^2 p(i, j)."""
    return m.emphasis(grey=2, size=-2)


@glrlm.feature("ShortRunLowGrayLevelEmphasis", "rlm_srlge_3D_avg", "HTZT", "1/(level voxel)^2")
def short_run_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / (i^2 j^2)."""
    return m.emphasis(grey=-2, size=-2)
