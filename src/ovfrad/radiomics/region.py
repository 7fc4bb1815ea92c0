"""The voxels of one region of interest, cropped to its bounding box and checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.discretise import MOST_LEVELS, grey_levels

DIRECTIONS = tuple(step for step in product((0, 1), (-1, 0, 1), (-1, 0, 1)) if step > (0, 0, 0))
"""The 13 forward directions (k, j, i) of Chebyshev distance 1; the other 13 are their opposites."""


@dataclass(frozen=True, eq=False)
class Region:
    """A region of interest in its bounding box.

    Attributes
    ----------
    mask : ndarray of bool, shape (k, j, i)
        The bounding box with one voxel of padding on every side.
    values : ndarray of float64, shape (n_voxels,)
        Intensities in C order of (k, j, i).
    spacing : tuple of float
        Size of a voxel (k, j, i), mm.
    levels : ndarray of int32, shape (n_voxels,)
        Grey level of each voxel, from 1.
    """

    mask: np.ndarray
    values: np.ndarray
    spacing: tuple[float, float, float]
    levels: np.ndarray

    @cached_property
    def voxels(self) -> np.ndarray:
        """Flat positions of the voxels in the padded box, int64 (n_voxels,)."""
        return np.flatnonzero(self.mask)

    @cached_property
    def grey(self) -> np.ndarray:
        """Grey levels that occur, ascending, int64 (n,)."""
        return np.flatnonzero(np.bincount(self.levels))

    @cached_property
    def rank(self) -> np.ndarray:
        """Rank (from 1) of each voxel's level among those that occur, int32 (n_voxels,)."""
        rank_of = np.zeros(self.grey[-1] + 1, np.int32)
        rank_of[self.grey] = np.arange(1, self.grey.size + 1)
        return rank_of[self.levels]

    @cached_property
    def offsets(self) -> np.ndarray:
        """Flat distance to the next voxel in each of `DIRECTIONS`, int64 (13,)."""
        _, rows, columns = self.mask.shape
        return np.array(DIRECTIONS) @ np.array([rows * columns, columns, 1])

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel, mm^3."""
        return float(np.prod(self.spacing))

    def spread(self, per_voxel: np.ndarray) -> np.ndarray:
        """Lay one int32 a voxel out in the flat padded box, 0 elsewhere."""
        box = np.zeros(self.mask.size, np.int32)
        box[self.voxels] = per_voxel
        return box


def bounding_box(mask: np.ndarray, where: str = "mask") -> tuple[slice, slice, slice]:
    """Smallest box (k, j, i) that holds the mask."""
    spans = []
    for axis in range(3):
        along = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if along.size == 0:
            raise InputError("E_MASK_EMPTY", where, "the mask has no voxel", "give a mask with the vertebra in it")
        spans.append(slice(int(along[0]), int(along[-1]) + 1))
    return spans[0], spans[1], spans[2]


def make_region(
    image: np.ndarray,
    mask: np.ndarray,
    spacing: tuple[float, float, float],
    bin_width: float = 25.0,
    bin_count: int | None = None,
    where: str = "mask",
) -> Region:
    """Crop image and mask (k, j, i) to the mask's box, and discretise; `where` names the case in an error."""
    if image.ndim != 3 or image.shape != mask.shape:
        fault = f"image {image.shape} and mask {mask.shape} are not one 3-D grid"
        raise InputError("E_GRID", where, fault, "give two arrays (k, j, i) of equal shape")
    if len(spacing) != 3 or not all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise InputError("E_SPACING", where, f"spacing {spacing} mm", "give three positive numbers (k, j, i)")
    mask = np.asarray(mask, dtype=bool)
    box = bounding_box(mask, where)
    inside = mask[box]
    if sum(extent > 1 for extent in inside.shape) < 2:
        fault = f"the mask is {' x '.join(map(str, inside.shape))} voxels (k x j x i), a point or a line"
        raise InputError("E_ROI_TOO_SMALL", where, fault, "at least two of its extents must exceed one voxel")
    values = np.asarray(image)[box][inside].astype(np.float64)
    if not np.isfinite(values).all():
        fault = f"{int((~np.isfinite(values)).sum())} voxels inside the mask are not finite"
        raise InputError("E_NOT_FINITE", where, fault, "repair the image or leave these voxels out of the mask")
    levels = grey_levels(values, bin_width, bin_count)
    region = Region(np.pad(inside, 1), values, (float(spacing[0]), float(spacing[1]), float(spacing[2])), levels)
    if region.grey.size > MOST_LEVELS:
        fault = f"{region.grey.size} grey levels at a bin width of {bin_width:g}"
        raise InputError("E_BINS", where, fault, f"at most {MOST_LEVELS} are accepted: use a larger bin_width")
    return region
