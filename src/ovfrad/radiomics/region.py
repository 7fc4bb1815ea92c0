"""The voxels of one region of interest: where they are (`Region`) and what they hold in one image (`Sample`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.box import Box, require_box
from ovfrad.radiomics.discretise import MOST_LEVELS, grey_levels

Step = tuple[int, int, int]
"""From a voxel to another, in voxels (k, j, i)."""
LARGEST = 1e60
"""Intensities from here on are refused: features sum fourth powers."""


def half_directions(distances: Sequence[int] = (1,), flat_axis: int | None = None) -> tuple[Step, ...]:
    """Steps (k, j, i) to all neighbours at the given Chebyshev distances, one of each pair of opposites.

    >>> len(half_directions()), len(half_directions((1, 2))), half_directions(flat_axis=0)
    (13, 62, ((0, 0, 1), (0, 1, -1), (0, 1, 0), (0, 1, 1)))
    """
    reach = range(-max(distances), max(distances) + 1)
    return tuple(
        step
        for step in product(reach, reach, reach)
        if step > (0, 0, 0) and max(map(abs, step)) in distances and (flat_axis is None or step[flat_axis] == 0)
    )


@dataclass(frozen=True, eq=False)
class Region:
    """A mask in its bounding box.

    Attributes
    ----------
    mask : ndarray of bool, shape (k, j, i)
        The bounding box, padded on every side by the largest distance, so that no neighbour leaves the array.
    spacing : tuple of float
        Size of a voxel (k, j, i), mm.
    box : tuple of slice
        The bounding box within the image, without padding.
    distances : tuple of int
        Chebyshev distances of neighbours, voxels.
    flat_axis : int, optional
        Array axis that no pair of neighbours crosses: textures within slices.
    """

    mask: np.ndarray
    spacing: tuple[float, float, float]
    box: Box
    distances: tuple[int, ...] = (1,)
    flat_axis: int | None = None

    @cached_property
    def inside(self) -> np.ndarray:
        """The bounding box without padding, bool (k, j, i)."""
        pad = max(self.distances)
        return self.mask[pad:-pad, pad:-pad, pad:-pad]

    @cached_property
    def voxels(self) -> np.ndarray:
        """Flat positions of the voxels in the padded box, int64 (n_voxels,)."""
        return np.flatnonzero(self.mask)

    @cached_property
    def places(self) -> np.ndarray:
        """Flat positions of the voxels in the box without padding, int64 (n_voxels,)."""
        return np.flatnonzero(self.inside)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Steps to neighbours at `distances`."""
        return half_directions(self.distances, self.flat_axis)

    @cached_property
    def near_steps(self) -> tuple[Step, ...]:
        """Steps to neighbours that touch: runs and zones know no other distance."""
        return half_directions((1,), self.flat_axis)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Flat distance of each of `steps`, int64."""
        return self._flat(self.steps)

    @cached_property
    def near_offsets(self) -> np.ndarray:
        """Flat distance of each of `near_steps`, int64."""
        return self._flat(self.near_steps)

    def _flat(self, steps: tuple[Step, ...]) -> np.ndarray:
        _, rows, columns = self.mask.shape
        return np.array(steps) @ np.array([rows * columns, columns, 1])

    @cached_property
    def slices(self) -> tuple[np.ndarray, ...]:
        """Places in `voxels` of each slice across `flat_axis` that the region meets."""
        place = np.unravel_index(self.voxels, self.mask.shape)[self.flat_axis or 0]
        return tuple(np.flatnonzero(place == at) for at in np.unique(place))

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel, mm^3."""
        return float(np.prod(self.spacing))


@dataclass(frozen=True, eq=False)
class Sample:
    """What the voxels of a region hold in one image.

    Attributes
    ----------
    region : Region
    values : ndarray of float64, shape (n_voxels,)
        Intensities in C order of (k, j, i).
    levels : ndarray of int32, shape (n_voxels,)
        Grey level of each voxel, from 1.
    """

    region: Region
    values: np.ndarray
    levels: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """Voxels of each level from 0 up, int64 (highest + 1,)."""
        from ovfrad.radiomics.discretise_kernels import census

        return census(self.levels)

    @cached_property
    def grey(self) -> np.ndarray:
        """Grey levels that occur, ascending, int64 (n,)."""
        return np.flatnonzero(self.counts)

    @cached_property
    def rank_box(self) -> np.ndarray:
        """The flat padded box with each voxel's rank (from 1) among the levels that occur, 0 outside, int16."""
        from ovfrad.radiomics.discretise_kernels import lay_out

        rank_of = np.zeros(self.counts.size, np.int16)
        rank_of[self.grey] = np.arange(1, self.grey.size + 1)
        return lay_out(self.levels, rank_of, self.region.voxels, self.region.mask.size)


def make_region(
    mask: np.ndarray,
    spacing: Sequence[float],
    distances: tuple[int, ...] = (1,),
    flat_axis: int | None = None,
    where: str = "mask",
) -> Region:
    """Crop a mask (k, j, i) to its bounding box; `where` names the case in an error."""
    box = require_box(mask, where)
    padded = np.pad(mask[box], max(distances))
    return Region(padded, (float(spacing[0]), float(spacing[1]), float(spacing[2])), box, distances, flat_axis)


def _check(values: np.ndarray, where: str, image_name: str) -> None:
    """Refuse NaN, infinity, and intensities (n_voxels,) whose fourth power cannot be summed."""
    if (np.abs(values) < LARGEST).all():
        return
    faulty = int((~np.isfinite(values)).sum())
    if faulty == 0:
        fault = f"intensities of {image_name} up to {np.abs(values).max():.3g} are too large to compute with"
        raise InputError("E_INTENSITY", where, fault, f"scale the image to below {LARGEST:g}")
    fault, remedy = f"{faulty} voxels inside the mask", "repair the image or leave these voxels out of the mask"
    if image_name != "original":
        fault = f"{faulty} voxels of {image_name} inside the mask"
        remedy = "the filter spreads NaN and infinity from other places: repair the image, or set preCrop"
    raise InputError("E_NOT_FINITE", where, f"{fault} are not finite", remedy)


def sample(
    region: Region,
    image: np.ndarray,
    bin_width: float = 25.0,
    bin_count: int | None = None,
    start: float | None = None,
    where: str = "mask",
    image_name: str = "original",
) -> Sample:
    """Take a region's values from an image (k, j, i) cropped to `region.box`, and discretise them.

    `image_name` is the prefix of the features, for messages.
    """
    stored = np.ascontiguousarray(image).ravel().take(region.places)
    values = stored.astype(np.float64)
    _check(values, where, image_name)
    # numpy divides the range of a single-precision image in single precision, and PyRadiomics with it
    binned = stored if stored.dtype.newbyteorder("=") == np.float32 and bin_count is not None else values
    found = Sample(region, values, grey_levels(binned, bin_width, bin_count, start))
    if found.grey.size > MOST_LEVELS:
        fault = f"{found.grey.size} grey levels at a bin width of {bin_width:g}"
        raise InputError("E_BINS", where, fault, f"at most {MOST_LEVELS} are accepted: use a larger bin_width")
    return found
