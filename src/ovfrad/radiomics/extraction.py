"""The features of one region: from arrays (`features`) or from a `Roi` with the settings of a study (`extract`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.firstorder import Distribution, firstorder
from ovfrad.radiomics.glcm import Cooccurrence, glcm
from ovfrad.radiomics.gldm import dependences, gldm
from ovfrad.radiomics.glrlm import glrlm, run_lengths
from ovfrad.radiomics.glszm import glszm, zone_sizes
from ovfrad.radiomics.ngtdm import ToneDifference, ngtdm
from ovfrad.radiomics.region import Region, make_region
from ovfrad.radiomics.shape import Form, shape
from ovfrad.study.settings import Radiomics

if TYPE_CHECKING:
    from ovfrad.imaging.volume import Roi

CLASSES: tuple[FeatureClass, ...] = (shape, firstorder, glcm, gldm, glrlm, glszm, ngtdm)
"""Classes in the order in which PyRadiomics lists them."""

PREFIX = "original_"
"""Image type of every feature here: the image as it is, no filter."""


def names() -> list[str]:
    """Names of the 107 features, in PyRadiomics' order.

    >>> len(names()), names()[0], names()[-1]
    (107, 'original_shape_Elongation', 'original_ngtdm_Strength')
    """
    return [PREFIX + name for group in CLASSES for name in group.names]


def describe() -> pd.DataFrame:
    """One row a feature: name, class, definition, IBSI tag and code, unit, and where it departs from IBSI."""
    rows = [
        {
            "name": PREFIX + name,
            "class": group.name,
            "definition": group.features[name].definition,
            "ibsi_tag": group.features[name].ibsi_tag,
            "ibsi_code": group.features[name].ibsi_code,
            "unit": group.features[name].unit,
            "note": group.features[name].note,
        }
        for group in CLASSES
        for name in group.names
    ]
    return pd.DataFrame(rows)


def features(
    image: np.ndarray,
    mask: np.ndarray,
    spacing: tuple[float, float, float],
    *,
    bin_width: float = 25.0,
    bin_count: int | None = None,
    gldm_a: int = 0,
    voxel_array_shift: float = 0.0,
    only: Collection[str] | None = None,
    where: str = "mask",
) -> dict[str, float]:
    """Compute PyRadiomics features of the voxels inside a mask.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        Intensities, HU.
    mask : ndarray of bool, shape (k, j, i)
        The region; at least two of its extents exceed one voxel.
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    bin_width : float
        Width of a grey-level bin, in the unit of `image`.
    bin_count : int, optional
        Divide the region's range into this number of bins instead.
    gldm_a : int
        Largest difference of levels of dependent neighbours.
    voxel_array_shift : float
        Added to intensities for Energy, TotalEnergy and RootMeanSquared.
    only : collection of str, optional
        Names (`original_glcm_Contrast`) to compute; all by default.
    where : str
        Names the case in an error.

    Returns
    -------
    dict
        Name to value, finite, in the order of `names`.
    """
    region = make_region(image, mask, spacing, bin_width, bin_count, where)
    return _features(region, gldm_a, voxel_array_shift, only, where)


def _features(region: Region, gldm_a: int, shift: float, only: Collection[str] | None, where: str) -> dict[str, float]:
    wanted = [group for group in CLASSES if only is None or any(PREFIX + name in only for name in group.names)]
    inputs = _inputs(region, wanted, gldm_a, shift, where)
    chosen = None if only is None else {name.removeprefix(PREFIX) for name in only}
    found = {name: value for group in wanted for name, value in group.compute(inputs[group.name], chosen).items()}
    return {PREFIX + name: value for name, value in found.items()}


def _inputs(region: Region, wanted: Collection[FeatureClass], gldm_a: int, shift: float, where: str) -> dict[str, Any]:
    """What each wanted class is computed from."""
    makers = {
        "shape": lambda: Form.of(region),
        "firstorder": lambda: Distribution.of(region, shift),
        "glcm": lambda: Cooccurrence.of(region, where),
        "glrlm": lambda: run_lengths(region, where),
        "glszm": lambda: zone_sizes(region),
    }
    inputs = {group.name: makers[group.name]() for group in wanted if group.name in makers}
    if gldm in wanted or ngtdm in wanted:
        from ovfrad.radiomics.texture_kernels import neighbourhoods

        levels = region.spread(region.levels)
        difference, dependence = neighbourhoods(levels, region.voxels, region.offsets, gldm_a)
        inputs |= {"gldm": dependences(region, dependence), "ngtdm": ToneDifference.of(region, difference)}
    return inputs


def zscore(image: np.ndarray, scale: float, where: str = "image") -> np.ndarray:
    """Normalise as PyRadiomics does: (x - mean) / SD x scale over the WHOLE array given, SD with N - 1.

    Mean and SD are taken over every voxel of the array, inside the mask and outside; so they depend on how much
    was cropped, and a cropped `Roi` and its whole CT give different values.

    >>> zscore(np.array([[[1.0, 2.0, 3.0]]]), scale=100)
    array([[[-100.,    0.,  100.]]])
    """
    x = np.asarray(image, dtype=np.float64)
    sd = x.std(ddof=1) if x.size > 1 else 0.0
    if not sd > 0:
        raise InputError(
            "E_IMAGE_CONSTANT", where, f"SD of the image is {sd:g}", "a z-score needs intensities that vary"
        )
    return (x - x.mean()) / sd * scale


def extract(roi: Roi, settings: Radiomics | None = None, only: Collection[str] | None = None) -> pd.Series:
    """Compute the features of a region of interest under a study's settings.

    The stored axes are kept (no reorientation, no resampling: `ovfrad.imaging.prepare` does both). With
    `intensities: zscore` the image of the `Roi`, as cropped, is normalised first; see `zscore`.

    Parameters
    ----------
    roi : Roi
        CT in HU and mask on one grid.
    settings : Radiomics, optional
        Default: the settings' own defaults.
    only : collection of str, optional
        Names to compute; all 107 by default.

    Returns
    -------
    Series of float64
        Index: names as PyRadiomics orders them; name: `roi.case_id`.
    """
    settings = settings or Radiomics()
    image = np.asarray(roi.ct.array)
    if settings.intensities == "zscore":
        image = zscore(image, settings.z_scale, roi.case_id)
    i, j, k = (float(step) for step in roi.ct.spacing)
    region = make_region(image, roi.mask.array, (k, j, i), settings.bin_width, where=roi.case_id)
    low, high = settings.bins
    bins = int(region.grey[-1])
    if not low <= bins <= high:
        advice = f"textures need {low} to {high}: change radiomics.bin_width (now {settings.bin_width:g})"
        warn("W_BINS", roi.case_id, f"{bins} grey-level bin{'s' if bins > 1 else ''} inside the mask", advice)
    values = _features(region, settings.gldm_a, 0.0, only, roi.case_id)
    return pd.Series(values, name=roi.case_id, dtype="float64")
