"""Grey-level size-zone matrix (Thibault 2009; IBSI 3.8): 26-connected zones of voxels of equal level.

One matrix for the region. Notation in `ovfrad.radiomics.sizes`: size j = number of voxels of a zone.
"""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.sizes import SizeMatrix

glszm = FeatureClass("glszm", "grey-level size-zone matrix")


@glszm.feature("GrayLevelNonUniformity", "szm_glnu_3D", "JNSA", "zone")
def grey_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_i P(i)^2 / N."""
    return m.number * m.grey_uniformity()


@glszm.feature("GrayLevelNonUniformityNormalized", "szm_glnu_norm_3D", "Y1RO")
def grey_non_uniformity_normalised(m: SizeMatrix) -> np.ndarray:
    """sum_i P(i)^2 / N^2."""
    return m.grey_uniformity()


@glszm.feature("GrayLevelVariance", "szm_gl_var_3D", "BYLV", "level^2")
def grey_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (i - mean i)^2 p(i, j)."""
    return m.grey_variance()


@glszm.feature("HighGrayLevelZoneEmphasis", "szm_hgze_3D", "5GN9", "level^2")
def high_grey_zone_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 p(i, j)."""
    return m.emphasis(grey=2)


@glszm.feature("LargeAreaEmphasis", "szm_lze_3D", "48P8", "voxel^2")
def large_area_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 p(i, j)."""
    return m.emphasis(size=2)


@glszm.feature("LargeAreaHighGrayLevelEmphasis", "szm_lzhge_3D", "J17V", "(level voxel)^2")
def large_area_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 j^2 p(i, j)."""
    return m.emphasis(grey=2, size=2)


@glszm.feature("LargeAreaLowGrayLevelEmphasis", "szm_lzlge_3D", "YH51", "voxel^2/level^2")
def large_area_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij j^2 / i^2 p(i, j)."""
    return m.emphasis(grey=-2, size=2)


@glszm.feature("LowGrayLevelZoneEmphasis", "szm_lgze_3D", "XMSY", "1/level^2")
def low_grey_zone_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / i^2."""
    return m.emphasis(grey=-2)


@glszm.feature("SizeZoneNonUniformity", "szm_zsnu_3D", "4JP3", "zone")
def zone_non_uniformity(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N."""
    return m.number * m.size_uniformity()


@glszm.feature("SizeZoneNonUniformityNormalized", "szm_zsnu_norm_3D", "VB3A")
def zone_non_uniformity_normalised(m: SizeMatrix) -> np.ndarray:
    """sum_j P(j)^2 / N^2."""
    return m.size_uniformity()


@glszm.feature("SmallAreaEmphasis", "szm_sze_3D", "5QRC", "1/voxel^2")
def small_area_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / j^2."""
    return m.emphasis(size=-2)


@glszm.feature("SmallAreaHighGrayLevelEmphasis", "szm_szhge_3D", "HW1V", "level^2/voxel^2")
def small_area_high_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij i^2 / j^2 p(i, j)."""
    return m.emphasis(grey=2, size=-2)


@glszm.feature("SmallAreaLowGrayLevelEmphasis", "szm_szlge_3D", "5RAI", "1/(level voxel)^2")
def small_area_low_grey_emphasis(m: SizeMatrix) -> np.ndarray:
    """sum_ij p(i, j) / (i^2 j^2)."""
    return m.emphasis(grey=-2, size=-2)


@glszm.feature("ZoneEntropy", "szm_zs_entr_3D", "GU8N", "bit")
def zone_entropy(m: SizeMatrix) -> np.ndarray:
    """-sum_ij p(i, j) log2 p(i, j)."""
    return m.entropy()


@glszm.feature("ZonePercentage", "szm_z_perc_3D", "P30P")
def zone_percentage(m: SizeMatrix) -> np.ndarray:
    """N over the number of voxels."""
    return m.percentage()


@glszm.feature("ZoneVariance", "szm_zs_var_3D", "3NSA", "voxel^2")
def zone_variance(m: SizeMatrix) -> np.ndarray:
    """sum_ij (j - mean j)^2 p(i, j)."""
    return m.size_variance()
