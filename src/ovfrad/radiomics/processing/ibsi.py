"""Interpolation as the IBSI reference manual has it: grids aligned at their centres, masks by partial volume.

Zwanenburg et al., Image biomarker standardisation initiative, arXiv:1612.07003: interpolation grid UMPJ, its
dimensions 026Q and position QCY4; rounding 68QD; partial volume E8H9.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.processing.checks import require_finite
from ovfrad.radiomics.processing.source import Given, Resampled

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings

ORDERS = {"sitkNearestNeighbor": 0, "sitkLinear": 1, "sitkBSpline": 3}
"""Interpolator -> order of the spline: nearest neighbour, (bi-, tri-)linear, cubic spline."""
REACH = {0: 1, 1: 1, 3: 24}
"""Old voxels on either side that a new one depends on; a cubic spline feels one at distance n by 0.268^n: 2e-14."""
SLACK = 1e-4
"""Part of a voxel by which the new grid may fall short of the image: spacings come from float32 headers, and
30.000001 new voxels must be 30, not 31 and the whole grid shifted by half a voxel."""
PARTIAL_VOLUME = 0.5 - 1e-6
"""A voxel belongs to the mask from a fraction of 0.5 on; fractions count to six decimals, as in MIRP."""


class Axis(NamedTuple):
    """New voxels along one axis: their centres in indices of the old voxels (n,), and their size in mm."""

    centres: np.ndarray
    spacing: float
    kept: bool


def centred_axis(n: int, spacing: float, wanted: float) -> Axis:
    """Grid of IBSI along one axis; 0 mm, or the size there is, keeps the axis.

    Parameters
    ----------
    n : int
        Number of old voxels.
    spacing, wanted : float
        Size of the old and the new voxels, mm.

    Examples
    --------
    >>> centred_axis(4, 3.0, 2.0).centres * 3.0  # the manual's: 4 voxels of 3 mm become 6 of 2 mm
    array([-0.5,  1.5,  3.5,  5.5,  7.5,  9.5])
    """
    if wanted == 0 or math.isclose(wanted, spacing, rel_tol=1e-6):
        return Axis(np.arange(n, dtype=float), spacing, True)
    count = max(math.ceil(n * spacing / wanted - SLACK), 1)
    step = wanted / spacing
    first = (n - 1 - step * (count - 1)) / 2
    # Rounded, so that a centre that is half-way between two voxels on paper is half-way in floating point too.
    return Axis(np.round(first + step * np.arange(count), 9), wanted, False)


def interpolate_region(source: Given, settings: Settings) -> Resampled | None:
    """Image and mask on IBSI's grid, cropped to the region and `settings.pad_distance` new voxels round it.

    The values do not depend on how much is cropped. Beyond the edge of the image its outermost voxels are repeated
    (026Q). The mask is interpolated linearly, or by the nearest neighbour where the image is, and holds the voxels
    with a fraction of 0.5 or more (E8H9). Intensities are rounded to whole numbers where `settings.round_intensities`
    (68QD), but not normalised ones, which are no Hounsfield units.

    Returns
    -------
    Resampled or None
        None where the voxels have the size already that is asked for: then nothing is interpolated or rounded.

    Raises
    ------
    InputError
        E_INTERPOLATOR, E_NOT_FINITE.
    """
    assert settings.resampled_pixel_spacing is not None and settings.interpolator is not None
    if settings.interpolator not in ORDERS:
        fault = f"the profile ibsi has no interpolator {settings.interpolator}"
        raise InputError("E_INTERPOLATOR", source.where, fault, f"choose one of {', '.join(ORDERS)}")
    wanted = zip(source.image.shape, source.spacing, settings.resampled_pixel_spacing[::-1], strict=True)
    whole = [centred_axis(*axis) for axis in wanted]
    if all(axis.kept for axis in whole):
        return None
    axes = [_around(axis, side, settings.pad_distance) for axis, side in zip(whole, source.box, strict=True)]
    order = ORDERS[settings.interpolator]

    rows = _rows(axes, source.mask.shape, min(order, 1))
    fractions = interpolate(source.mask[np.ix_(*rows)], axes, min(order, 1))
    rows = _rows(axes, source.image.shape, order)
    part = source.at(np.ix_(*rows))
    if order == 3:
        require_finite(part, source.where)
    image = interpolate(part, axes, order)
    if settings.round_intensities and source.scores is None and image.dtype.kind == "f":
        # Six decimals first: a tie on paper is then a tie, and goes to the even number whatever the last bits are.
        image = np.rint(np.round(image, 6))
    k, j, i = (axis.spacing for axis in axes)
    return Resampled(image, fractions >= PARTIAL_VOLUME, (k, j, i))


def _around(axis: Axis, side: slice, pad: int) -> Axis:
    """The new voxels that the old ones of `side` can have a part in, and `pad` more."""
    near = np.flatnonzero((axis.centres > side.start - 1) & (axis.centres < side.stop))
    if not near.size:  # a region between two centres of a much coarser grid: the nearest, which will not hold it
        near = np.abs(axis.centres - (side.start + side.stop - 1) / 2).argmin(keepdims=True)
    return axis._replace(centres=axis.centres[max(int(near[0]) - pad, 0) : int(near[-1]) + 1 + pad])


def _first(axis: Axis, order: int) -> int:
    """Index of the first old voxel that the new ones depend on; negative where that is beyond the edge."""
    return math.floor(axis.centres[0]) - (0 if axis.kept else REACH[order])


def _rows(axes: list[Axis], shape: tuple[int, ...], order: int) -> list[np.ndarray]:
    """Old voxels (indices, axis by axis) that the new ones depend on, those at the edge repeated beyond it."""
    rows = []
    for axis, n in zip(axes, shape, strict=True):
        stop = math.floor(axis.centres[-1]) + 1 + (0 if axis.kept else REACH[order])
        rows.append(np.clip(np.arange(_first(axis, order), stop), 0, n - 1))
    return rows


def interpolate(values: np.ndarray, axes: list[Axis], order: int) -> np.ndarray:
    """Intensities of new voxels, one axis after the other.

    Parameters
    ----------
    values : ndarray, shape (k, j, i)
        The old voxels of `_rows`.
    axes : three Axis
        The new voxels (k, j, i).
    order : int
        0 nearest neighbour (a tie goes to the later voxel), 1 linear, 3 cubic spline.

    Returns
    -------
    ndarray, shape (k, j, i)
        float64; of the dtype of `values` for order 0.
    """
    if order > 0:
        values = values.astype(np.float64)
    for number, axis in enumerate(axes):
        if not axis.kept:
            values = _along(values, axis.centres, _first(axis, order), order, number)
    return values


def _along(values: np.ndarray, centres: np.ndarray, first: int, order: int, axis: int) -> np.ndarray:
    """Interpolate along one axis, of which `first` is the index of the first old voxel."""
    if order == 0:
        return values.take(np.floor(centres + 0.5).astype(int) - first, axis=axis)
    if order == 3:
        from scipy.ndimage import spline_filter1d

        values = spline_filter1d(values, 3, axis=axis, mode="mirror")
    base = np.floor(centres)
    shape = [-1 if other == axis else 1 for other in range(3)]
    start = base.astype(int) - first - (order == 3)
    taps = enumerate(_weights(centres - base, order))
    return sum((values.take(start + tap, axis=axis) * weight.reshape(shape) for tap, weight in taps), start=np.zeros(1))


def _weights(t: np.ndarray, order: int) -> tuple[np.ndarray, ...]:
    """B-spline weights of the 2 or 4 old voxels about new ones at `t` (n,) between the middle two."""
    if order == 1:
        return 1 - t, t
    return (1 - t) ** 3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6, t**3 / 6
