"""What every reader of masks hands to `read`: the segments of a file, and each one drawn on the grid of the CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import Box, grid_fault, matched
from ovfrad.imaging.source import Note
from ovfrad.imaging.volume import Grid, Volume

MOST_VOXELS = 2**28
"""Voxels of a structure's box: the whole trunk in 512 x 512 x 1024."""


@dataclass(frozen=True)
class Segment:
    """One structure of a mask file.

    Parameters
    ----------
    number : int
        Label, segment number or ROI number.
    name : str or None
        As the file names it; label maps have numbers only.
    """

    number: int
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """The voxels of a segment on the grid of the CT.

    Parameters
    ----------
    box : tuple of slice
        Part of the CT's grid (k, j, i).
    array : ndarray of bool, shape (k, j, i)
        Voxels inside the box; there is none outside.
    """

    box: Box
    array: NDArray[np.bool_]


class Labels(Protocol):
    """An opened mask, compared with the grid of a CT."""

    @property
    def path(self) -> Path:
        """File, named in messages."""
        ...

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Structures of the file, by number."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """Reservations about the file."""
        ...

    def draw(self, segment: Segment) -> Drawn:
        """Voxels of one structure; `E_MASK_EMPTY` where there is none."""
        ...


def start_on(path: Path, mask: Grid, ct: Grid, *, part: bool = False) -> tuple[int, int, int]:
    """Voxel (k, j, i) of the CT at which a mask begins; its voxels must be those of the CT, to 0.01 voxel.

    Parameters
    ----------
    path : Path
        Named in messages (`E_MASK_GRID`).
    mask, ct : Grid
        With axes in one order (`geometry.matched`).
    part : bool
        The mask may be stored on a part of the CT's grid, as DICOM SEG and .seg.nrrd do.
    """
    moved, whole = ct.affine.copy(), np.zeros(3, int)
    if part:
        whole = np.rint(np.linalg.solve(ct.affine[:3, :3], mask.affine[:3, 3] - ct.affine[:3, 3])).astype(int)
        moved[:3, 3] += ct.affine[:3, :3] @ whole
    if fault := grid_fault(mask, Grid(mask.shape if part else ct.shape, moved)):
        raise InputError("E_MASK_GRID", path, fault, "resample the mask onto the CT or export it again")
    return int(whole[2]), int(whole[1]), int(whole[0])


def within(path: Path, array: NDArray[np.bool_], start: tuple[int, int, int], ct: Grid) -> Drawn:
    """A drawn box that begins at voxel `start` (k, j, i), cut at the image; what lies outside must be empty."""
    box, inner = [], []
    for first, n, size in zip(start, array.shape, ct.shape, strict=True):
        low = min(max(first, 0), size)
        high = max(low, min(first + n, size))
        box.append(slice(low, high))
        inner.append(slice(low - first, high - first))
    cut = array[inner[0], inner[1], inner[2]]
    lost = 0 if cut.shape == array.shape else np.count_nonzero(array) - np.count_nonzero(cut)
    if lost:
        raise InputError(
            "E_MASK_OUTSIDE", path, f"{lost} of its voxels lie outside the CT", "check that mask and CT belong together"
        )
    return Drawn((box[0], box[1], box[2]), cut)


def placed(path: Path, array: NDArray[np.bool_], affine: NDArray[np.float64], ct: Grid, *, part: bool = False) -> Drawn:
    """Voxels of a mask on the grid of a CT, in whatever axis order the mask is stored; nothing is resampled.

    Parameters
    ----------
    path : Path
        Named in messages.
    array : ndarray of bool, shape (k, j, i)
        Mask as stored.
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) -> LPS mm.
    ct : Grid
        Its voxels must be met (see `start_on`).
    part : bool
        The mask may be stored on a part of the CT's grid.
    """
    mask = matched(Volume(array, affine), ct)
    return within(path, mask.array, start_on(path, mask.grid, ct, part=part), ct)


Crop = tuple[tuple[slice, slice], NDArray[np.bool_]]
"""Box (rows, columns) of the drawn voxels of a slice, and the voxels inside."""


def crop_of(plane: NDArray[np.bool_]) -> Crop | None:
    """Smallest box of the voxels of a slice, and a copy of it; None where there is none."""
    rows = np.flatnonzero(plane.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(plane.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return box, plane[box].copy()


def stacked(path: Path, crops: Mapping[int, Crop]) -> tuple[Box, NDArray[np.bool_]]:
    """Crops of slices, by slice number k, as one box (k, j, i) and its voxels (`E_MASK_LARGE` beyond `MOST_VOXELS`)."""
    top, left = (min(box[a].start for box, _ in crops.values()) for a in (0, 1))
    bottom, right = (max(box[a].stop for box, _ in crops.values()) for a in (0, 1))
    whole = slice(min(crops), max(crops) + 1), slice(top, bottom), slice(left, right)
    shape = [part.stop - part.start for part in whole]
    if np.prod(shape, dtype=float) > MOST_VOXELS:
        raise InputError(
            "E_MASK_LARGE", path, f"spans a box of {' x '.join(map(str, shape[::-1]))} voxels",
            f"regions within {MOST_VOXELS >> 20} million voxels are read",
        )  # fmt: skip
    out = np.zeros(shape, np.bool_)
    for k, ((rows, columns), crop) in crops.items():
        out[k - whole[0].start, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = crop
    return whole, out


def empty(path: Path, segment: Segment) -> InputError:
    """The refusal of a segment without a voxel."""
    name = f" ({segment.name})" if segment.name else ""
    return InputError(
        "E_MASK_EMPTY", path, f"label {segment.number}{name} has no voxel", "give a mask with the vertebra drawn in"
    )


def plain_name(text: str) -> str:
    """Name of a structure, fit to be shown: printable characters only, at most 64."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:64]
