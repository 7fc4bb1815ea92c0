"""Resampling as PyRadiomics 3.0.1 does it: its grid, SimpleITK's interpolators, only round the region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ovfrad.radiomics.box import Box
from ovfrad.radiomics.pixels import for_simpleitk
from ovfrad.radiomics.processing.checks import require_finite
from ovfrad.radiomics.processing.source import Given, Place, Resampled, Three

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings

WHOLE = 1 << 22
"""Images of up to this many voxels are interpolated from the whole: bit for bit as PyRadiomics, in half a second."""
MARGIN = 32
"""Voxels kept round the part that a larger image is cropped to: the longest kernel of SimpleITK is 5 voxels, and a
cubic B-spline feels a voxel at distance n by 0.268^n (Unser 1999): 5e-19 of the intensities' range here."""


class Grid(NamedTuple):
    """New voxels, all in (x, y, z): their number, size in mm, and the centre of the first, in indices of the old."""

    size: np.ndarray
    spacing: np.ndarray
    first: np.ndarray


def target_spacing(wanted: Three, spacing: np.ndarray, extents: np.ndarray) -> np.ndarray | None:
    """Voxel size to resample to (x, y, z), mm; None where it is the size there is already.

    0 keeps an axis, and an axis along which the region is one voxel thick is kept too, as PyRadiomics does.
    """
    target = np.where((np.array(wanted) == 0) | (extents == 1), spacing, wanted)
    return None if np.allclose(spacing, target) else target


def corner_grid(box: Box, shape: tuple[int, ...], spacing: np.ndarray, target: np.ndarray, pad: int) -> Grid:
    """PyRadiomics' grid: aligned with the corner of the image, cropped to the region and `pad` voxels round it.

    The last new voxel may reach over the far edge of the image.

    Parameters
    ----------
    box : three slices
        Bounding box of the region (k, j, i).
    shape : tuple of int
        Of the image (k, j, i).
    spacing, target : ndarray
        Size of the old and the new voxels (x, y, z), mm.
    pad : int
        New voxels round the region.

    Examples
    --------
    >>> box = slice(0, 1), slice(0, 1), slice(4, 6)
    >>> grid = corner_grid(box, (1, 1, 10), np.array([1.0, 1, 1]), np.array([2.0, 1, 1]), pad=0)
    >>> int(grid.size[0]), float(grid.first[0])  # from the voxels at 2 and 4 (centre 2.5) to those at 6 and 7
    (3, 2.5)
    """
    ratio = spacing / target
    low = np.array([side.start for side in reversed(box)])
    high = np.array([side.stop for side in reversed(box)])
    # Half a voxel outward beyond the region's corners, as PyRadiomics pads against loss when it upsamples.
    lowest = np.maximum(np.floor((low - 0.5) * ratio - pad), 0)
    highest = np.minimum(np.ceil((high - 0.5) * ratio + pad), np.ceil(np.array(shape[::-1]) * ratio) - 1)
    first = 0.5 * (target - spacing) / spacing + lowest / ratio
    return Grid((highest - lowest + 1).astype(int), target, first)


def resample(source: Given, settings: Settings) -> Resampled | None:
    """Interpolate image and mask at `settings.resampled_pixel_spacing`; None where that is their spacing already.

    The image by SimpleITK's `settings.interpolator`, of the dtype it had (whole numbers are truncated towards zero,
    as SimpleITK does), float64 where it is normalised; the mask by the nearest neighbour.

    Raises
    ------
    InputError
        E_NOT_FINITE where a B-spline would spread a NaN.
    """
    import SimpleITK

    assert settings.resampled_pixel_spacing is not None and settings.interpolator is not None
    sizes = np.array(source.spacing[::-1], dtype=float)
    extents = np.array([side.stop - side.start for side in reversed(source.box)])
    target = target_spacing(settings.resampled_pixel_spacing, sizes, extents)
    if target is None:
        return None
    grid = corner_grid(source.box, source.image.shape, sizes, target, settings.pad_distance)
    region = _volume(source.mask.view(np.uint8), sizes, source.place)
    origin = region.TransformContinuousIndexToPhysicalPoint(grid.first.tolist())
    mask = _interpolated(region, grid, origin, SimpleITK.sitkNearestNeighbor) == 1

    needed = _needed(grid, source.image.shape, sizes)
    corner = region.TransformIndexToPhysicalPoint([side.start for side in reversed(needed)])
    del region  # as large as the mask
    part = source.at(needed)
    if settings.interpolator == "sitkBSpline":
        require_finite(part, source.where)
    volume = _volume(part, sizes, Place(corner, source.place.direction))
    image = _interpolated(volume, grid, origin, getattr(SimpleITK, settings.interpolator))
    i, j, k = (float(step) for step in target)
    return Resampled(image, mask, (k, j, i))


def _needed(grid: Grid, shape: tuple[int, ...], spacing: np.ndarray) -> Box:
    """What of an image (k, j, i) the new voxels depend on."""
    if np.prod(shape, dtype=np.int64) <= WHOLE:
        return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
    last = grid.first + (grid.size - 1) * grid.spacing / spacing
    low = np.maximum(np.floor(grid.first).astype(int)[::-1] - MARGIN, 0)
    high = np.minimum(np.ceil(last).astype(int)[::-1] + MARGIN + 1, shape)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i


def _volume(array: np.ndarray, spacing: np.ndarray, place: Place) -> Any:
    """SimpleITK's image of an array."""
    import SimpleITK

    volume = SimpleITK.GetImageFromArray(for_simpleitk(array))
    volume.SetSpacing(spacing.tolist())
    volume.SetOrigin(place.origin)
    volume.SetDirection(place.direction)
    return volume


def _interpolated(volume: Any, grid: Grid, origin: Three, interpolator: int) -> np.ndarray:
    import SimpleITK

    task = SimpleITK.ResampleImageFilter()
    task.SetSize(grid.size.tolist())
    task.SetOutputSpacing(grid.spacing.tolist())
    task.SetOutputOrigin(origin)
    task.SetOutputDirection(volume.GetDirection())
    task.SetOutputPixelType(volume.GetPixelID())
    task.SetInterpolator(interpolator)
    return SimpleITK.GetArrayFromImage(task.Execute(volume))
