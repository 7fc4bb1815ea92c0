"""The steps before any feature, in the order of PyRadiomics: normalise, resample or crop, check, resegment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.box import Box, grown, require_box
from ovfrad.radiomics.processing.checks import check_grid, check_region
from ovfrad.radiomics.processing.ibsi import interpolate_region
from ovfrad.radiomics.processing.normalise import normalisation
from ovfrad.radiomics.processing.resample import resample
from ovfrad.radiomics.processing.resegment import resegment
from ovfrad.radiomics.processing.source import Given, Place, Three

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings

MOST_VOXELS = 2**30
"""Most voxels to resample to: 8 GB in double precision."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What filters and features are computed from.

    Attributes
    ----------
    image : ndarray, shape (k, j, i)
        Intensities; the array that was given, or a view of it, where neither normalised nor resampled.
    mask : ndarray of bool, shape (k, j, i)
        Intensity mask: the region after resegmentation.
    shape_mask : ndarray of bool, shape (k, j, i)
        Morphological mask: the region that shape features describe.
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    """

    image: np.ndarray
    mask: np.ndarray
    shape_mask: np.ndarray
    spacing: Three


def prepare(
    image: np.ndarray,
    mask: np.ndarray,
    spacing: Three,
    settings: Settings,
    where: str,
    place: Place | None = None,
) -> Prepared:
    """Normalise, resample or crop, check and resegment, as the settings and their profile ask.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        Intensities.
    mask : ndarray of bool, shape (k, j, i)
        The region.
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    settings : Settings
        Profile `pyradiomics`: PyRadiomics 3.0.1; `ibsi`: the reference manual's interpolation and outliers.
    where : str
        Names the case in an error.
    place : Place, optional
        Origin and direction of the image as SimpleITK reads them; they only matter where the numbers are to be
        PyRadiomics' own to the last voxel, see there.

    Returns
    -------
    Prepared

    Raises
    ------
    InputError
        E_GRID, E_IMAGE_KIND, E_SPACING, E_MASK_EMPTY, E_ROI_TOO_SMALL, E_NOT_FINITE, E_IMAGE_CONSTANT, E_INTERPOLATOR,
        E_RESAMPLE_SIZE.
    """
    check_grid(image, mask, spacing, where)
    region = mask.astype(bool, copy=False)
    box = require_box(region, where)
    scores = normalisation(image, settings, where)
    source = Given(image, region, box, spacing, scores, place or Place(), where)
    image, region, spacing, after = _resample_or_crop(source, settings)
    check_region(region, settings, where, after)
    if settings.resegment_range is None and settings.outlier_sigma is None:
        return Prepared(image, region, region, spacing)
    narrowed = resegment(image, region, settings, where)
    box = check_region(narrowed, settings, where, f"{after} after resegmentation")
    return Prepared(image, narrowed, _shape_mask(region, narrowed, box, settings), spacing)


def _resample_or_crop(source: Given, settings: Settings) -> tuple[np.ndarray, np.ndarray, Three, str]:
    """Image, mask, spacing (k, j, i), and what was done in words for an error."""
    if settings.resampled_pixel_spacing is not None and settings.interpolator is not None:
        _check_size(source, settings)
        done = (interpolate_region if settings.profile == "ibsi" else resample)(source, settings)
        if done is not None:
            size = " x ".join(f"{step:g}" for step in reversed(done.spacing))
            return *done, f" after resampling to {size} mm (x, y, z)"
    elif not settings.pre_crop:
        return source.at(...), source.mask, source.spacing, ""
    # PyRadiomics crops too where it was asked to resample to the spacing there is.
    part = grown(source.box, settings.pad_distance, source.image.shape)
    return source.at(part), source.mask[part], source.spacing, ""


def _check_size(source: Given, settings: Settings) -> None:
    """Refuse new voxels that are too many to hold, as where micrometres or a factor were meant."""
    count = 1.0
    steps = zip(source.spacing, reversed(settings.resampled_pixel_spacing or ()), strict=True)
    for side, n, (old, new) in zip(source.box, source.image.shape, steps, strict=True):
        ratio = old / new if new > 0 else 1.0
        count *= min((side.stop - side.start) * ratio + 2 * settings.pad_distance, n * ratio + 1)
    if count > MOST_VOXELS:
        size = " x ".join(f"{step:g}" for step in settings.resampled_pixel_spacing or ())
        fault = f"resampled to {size} mm (x, y, z) the region and its surroundings are {count:.2g} voxels"
        raise InputError("E_RESAMPLE_SIZE", source.where, fault, "choose larger voxels, or a smaller padDistance")


def _shape_mask(region: np.ndarray, narrowed: np.ndarray, box: Box, settings: Settings) -> np.ndarray:
    if settings.resegment_shape:
        return narrowed
    if settings.profile == "ibsi":
        return region
    # PyRadiomics computes shape from the whole region, but cropped to the box of what resegmentation has left.
    cut = np.zeros_like(region)
    cut[box] = region[box]
    return cut
