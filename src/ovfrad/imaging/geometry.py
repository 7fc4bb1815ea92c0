"""Geometry by affine: axis order, equality of grids, and boxes. Where a voxel lies never depends on how it is stored.

Axis orders and flips are written as `Turn`: for each new axis (i, j, k) the old axis it comes from and its sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ovfrad.imaging.volume import GRID_TOLERANCE, Grid, Volume

Box = tuple[slice, slice, slice]
"""Slices of an array (k, j, i)."""


@dataclass(frozen=True)
class Turn:
    """A permutation and flips of axes: new axis a is old axis `axes[a]`, reversed where `signs[a]` is -1."""

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]


def nearest_turn(old: NDArray[np.float64], new: NDArray[np.float64]) -> Turn:
    """Turn that brings the axes `old` (columns, unit vectors) closest to the axes `new`.

    The permutation maximises the sum of absolute cosines, so that it is the same for every stored order.
    """
    cosines = new.T @ old
    best = max(permutations(range(3)), key=lambda p: round(sum(abs(cosines[a, p[a]]) for a in range(3)), 9))
    signs = [1 if cosines[a, best[a]] >= 0 else -1 for a in range(3)]
    return Turn((best[0], best[1], best[2]), (signs[0], signs[1], signs[2]))


def turned(volume: Volume, turn: Turn) -> Volume:
    """`volume` with its axes permuted and flipped: every voxel keeps its value and its place.

    >>> volume = Volume(np.arange(24).reshape(2, 3, 4), np.diag([-1.0, 1.0, 1.0, 1.0]))
    >>> to_lps(volume).array[0, 0], to_lps(volume).origin
    (array([3, 2, 1, 0]), (-3.0, 0.0, 0.0))
    """
    size = volume.array.shape[::-1]
    array = volume.array.transpose([2 - a for a in turn.axes[::-1]])
    array = array[tuple(slice(None, None, sign) for sign in turn.signs[::-1])]
    affine = volume.affine.copy()
    for new, (axis, sign) in enumerate(zip(turn.axes, turn.signs, strict=True)):
        affine[:3, new] = sign * volume.affine[:3, axis]
        if sign < 0:
            affine[:3, 3] += volume.affine[:3, axis] * (size[axis] - 1)
    return Volume(array, affine)


def to_lps(volume: Volume) -> Volume:
    """`volume` with i, j, k running nearest to left, back and head (METHODS B5)."""
    return turned(volume, nearest_turn(volume.direction, np.eye(3)))


def corners(shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres of the eight corner voxels of a grid of `shape` (k, j, i), mm; shape (8, 3)."""
    last = np.asarray(shape[::-1]) - 1
    index = np.array([[a * last[0], b * last[1], c * last[2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    return index @ affine[:3, :3].T + affine[:3, 3]


def grid_distance(shape: tuple[int, ...], affine: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest distance of a corner under two affines, in voxels of the first along one of its axes."""
    apart = corners(shape, other) - corners(shape, affine)
    return float(np.abs(np.linalg.solve(affine[:3, :3], apart.T)).max())


def _numbers(values: tuple[float, ...] | NDArray[np.float64], form: str = ".4g") -> str:
    return " x ".join(f"{v:{form}}" for v in values)


def grid_fault(volume: Volume | Grid, reference: Grid) -> str | None:
    """In words, how the grid of `volume` differs from that of `reference`; None when they are one grid.

    Both have the same axis order (`matched` brings them there); the tolerance is `GRID_TOLERANCE`.

    >>> grid = np.diag([1.0, 1.0, 3.0, 1.0])
    >>> moved = grid.copy(); moved[2, 3] = 3.0
    >>> grid_fault(Grid((4, 5, 6), moved), Grid((4, 5, 6), grid))
    "origin is 3.0 mm off the CT's along z"
    """
    shape = volume.array.shape if isinstance(volume, Volume) else volume.shape
    size, wanted = shape[::-1], reference.shape[::-1]
    if size != wanted:
        return f"has {_numbers(size, 'd')} voxels, the CT {_numbers(wanted, 'd')}"
    apart = grid_distance(shape, reference.affine, volume.affine)
    if apart <= GRID_TOLERANCE:
        return None
    ratio = np.asarray(volume.spacing) / reference.spacing
    if np.abs((ratio - 1) * np.maximum(np.asarray(wanted) - 1, 1)).max() > GRID_TOLERANCE:
        return f"spacing is {_numbers(volume.spacing)} mm, the CT's {_numbers(reference.spacing)} mm"
    cosines = (volume.direction * reference.direction).sum(axis=0).clip(-1, 1)
    angle = float(np.degrees(np.arccos(cosines)).max())
    off = np.asarray(volume.origin) - reference.origin
    axis = int(np.abs(off).argmax())
    if abs(off[axis]) >= 0.005 * max(reference.spacing):
        far = abs(off[axis])
        return f"origin is {far:.1f} mm off the CT's along {'xyz'[axis]}" if far >= 0.1 else _small(far, "xyz"[axis])
    if angle < 1e-3:
        return f"its corners lie up to {apart:.2g} voxels off the CT's"
    return f"axes are turned by {angle:.2g} degrees against the CT's"


def _small(far: float, axis: str) -> str:
    return f"origin is {far:.2g} mm off the CT's along {axis}"


def matched(volume: Volume, reference: Grid) -> Volume:
    """`volume` with its axes in the order of those of `reference` (nearest; the grids may still differ)."""
    return turned(volume, nearest_turn(volume.direction, reference.direction))


def mask_box(
    mask: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    margin_mm: float,
    start: tuple[int, int, int] = (0, 0, 0),
    shape: tuple[int, int, int] | None = None,
) -> Box:
    """Box of the mask's voxels and `margin_mm` (at least one voxel) round them, cut at the image's border.

    With a voxel round it, a mask touches the border of its box only where it touches that of the image.
    The margin in voxels is the same on both sides of an axis, so that a flipped copy gives the same box.

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i)
        The whole image, or a part of it that holds every voxel.
    spacing : tuple of float
        (i, j, k), mm.
    margin_mm : float
        Tissue to keep.
    start, shape : tuple of int, optional
        Voxel (k, j, i) at which the part begins, and size of the image; default: the mask is the whole image.
    """
    box = []
    for axis, (step, first, n) in enumerate(zip(spacing[::-1], start, shape or mask.shape, strict=True)):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) + first
        margin = max(1, int(np.ceil(margin_mm / step - 1e-3)))
        box.append(slice(max(int(used[0]) - margin, 0), min(int(used[-1]) + margin + 1, n)))
    return box[0], box[1], box[2]


def box_affine(affine: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """Affine of the part of a grid inside `box`."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [part.start for part in box[::-1]]
    return moved


def crop(volume: Volume, box: Box) -> Volume:
    """Part of `volume` inside `box`; voxels keep their place."""
    return Volume(volume.array[box], box_affine(volume.affine, box))
