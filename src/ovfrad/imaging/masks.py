"""What every reader of masks hands to `read`: the segments of a file, and each one drawn on the grid of the CT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import Box, grid_fault, matched
from ovfrad.imaging.source import Note
from ovfrad.imaging.volume import Grid, Volume


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
        Its voxels must be met to 0.01 voxel (`E_MASK_GRID`).
    part : bool
        The mask may be stored on a part of the CT's grid, as DICOM SEG and .seg.nrrd do (`E_MASK_OUTSIDE` where a
        drawn voxel leaves the image).
    """
    mask = matched(Volume(array, affine), ct)
    if not part:
        if fault := grid_fault(mask, ct):
            raise off_grid(path, fault)
        return Drawn((slice(0, ct.shape[0]), slice(0, ct.shape[1]), slice(0, ct.shape[2])), mask.array)
    start = np.linalg.solve(ct.affine[:3, :3], mask.affine[:3, 3] - ct.affine[:3, 3])
    whole = np.rint(start).astype(int)
    moved = ct.affine.copy()
    moved[:3, 3] += ct.affine[:3, :3] @ whole
    k, j, i = mask.array.shape
    if fault := grid_fault(mask, Grid((k, j, i), moved)):
        raise off_grid(path, fault)
    return _inside(path, mask.array, (int(whole[2]), int(whole[1]), int(whole[0])), ct)


def _inside(path: Path, array: NDArray[np.bool_], start: tuple[int, int, int], ct: Grid) -> Drawn:
    """The part of a mask within the image; what lies outside must be empty."""
    box, inner = [], []
    for first, n, size in zip(start, array.shape, ct.shape, strict=True):
        low, high = max(first, 0), min(first + n, size)
        box.append(slice(low, max(low, high)))
        inner.append(slice(low - first, max(low, high) - first))
    cut = array[inner[0], inner[1], inner[2]]
    if cut.shape != array.shape and np.count_nonzero(cut) != np.count_nonzero(array):
        raise InputError(
            "E_MASK_OUTSIDE", path, f"{np.count_nonzero(array) - np.count_nonzero(cut)} voxels lie outside the CT",
            "check that mask and CT belong together",
        )  # fmt: skip
    return Drawn((box[0], box[1], box[2]), cut)


def off_grid(path: Path, fault: str) -> InputError:
    """The refusal of a mask whose voxels are not those of the CT."""
    return InputError("E_MASK_GRID", path, fault, "resample the mask onto the CT or export it again")


def empty(path: Path, segment: Segment) -> InputError:
    """The refusal of a segment without a voxel."""
    name = f" ({segment.name})" if segment.name else ""
    return InputError(
        "E_MASK_EMPTY", path, f"label {segment.number}{name} has no voxel", "give a mask with the vertebra drawn in"
    )
