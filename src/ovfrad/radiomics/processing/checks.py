"""Whether the region is one that features can be computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.box import Box, require_box

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings


def check_grid(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], where: str) -> None:
    """Refuse arrays that are not one 3-D grid (E_GRID), of no real numbers (E_IMAGE_KIND), of no size (E_SPACING)."""
    if image.ndim != 3 or image.shape != mask.shape:
        fault = f"image {image.shape} and mask {mask.shape} are not one 3-D grid"
        raise InputError("E_GRID", where, fault, "give two arrays (k, j, i) of equal shape")
    if image.dtype.kind not in "biuf":
        raise InputError("E_IMAGE_KIND", where, f"its intensities are {image.dtype}", "give real numbers")
    if len(spacing) != 3 or not all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise InputError("E_SPACING", where, f"spacing {spacing} mm", "give three positive numbers (k, j, i)")


def require_finite(part: np.ndarray, where: str) -> None:
    """Refuse NaN and infinity (E_NOT_FINITE), which a spline would carry into every voxel."""
    count = int(np.count_nonzero(~np.isfinite(part))) if part.dtype.kind == "f" else 0
    if count:
        fault = f"{count} voxels round the mask are not finite, which a spline interpolation spreads"
        raise InputError("E_NOT_FINITE", where, fault, "repair the image or choose the interpolator sitkLinear")


def check_region(mask: np.ndarray, settings: Settings, where: str, after: str = "") -> Box:
    """Box of a region that is large enough, as PyRadiomics judges it.

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i)
        The region.
    settings : Settings
        `minimum_roi_dimensions`: fewest extents above one voxel; `minimum_roi_size`: the region must have MORE
        voxels than this (PyRadiomics refuses at equality).
    where, after : str
        The case, and what was done to the mask (" after resampling to 2 x 2 x 2 mm").

    Raises
    ------
    InputError
        E_MASK_EMPTY, E_ROI_TOO_SMALL.
    """
    box = require_box(mask, where, after)
    inside = mask[box]
    extents = " x ".join(map(str, inside.shape))
    dimensions = sum(extent > 1 for extent in inside.shape)
    if dimensions < max(settings.minimum_roi_dimensions, 1):
        least = settings.minimum_roi_dimensions
        fault = f"the mask is {extents} voxels (k x j x i){after}, {('a point', 'a line', 'flat')[dimensions]}"
        remedy = f"{least} of its extents must exceed one voxel (minimumROIDimensions)"
        raise InputError("E_ROI_TOO_SMALL", where, fault, remedy)
    voxels = int(np.count_nonzero(inside))
    if settings.minimum_roi_size is not None and voxels <= settings.minimum_roi_size:
        fault = f"the mask has {voxels} voxels{after}"
        remedy = f"more than {settings.minimum_roi_size} are required (minimumROISize)"
        raise InputError("E_ROI_TOO_SMALL", where, fault, remedy)
    return box
