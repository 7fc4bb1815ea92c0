"""What every reader of voxels hands to `read`: a checked grid, and the slices one after the other.

Slices are streamed, so that memory follows the region and not the image, and a file is always followed to its last
byte: a checksum at the end speaks for everything before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import grid_distance
from ovfrad.imaging.volume import Grid

Note = tuple[str, Path, str, str]
"""A reservation as the arguments of `ovfrad.errors.warn`: W_CODE, file, fault, consequence."""

MAX_SIDE, MAX_VOXELS, MAX_BYTES = 4096, 2**30, 2**32
"""Largest side, voxels and bytes of an image: beyond every CT in use (512 x 512 x 4096; 1024 x 1024 x 1024)."""

FAR_MM = 1e6
"""No voxel of a patient is a kilometre from the origin; beyond, the digits of a place no longer tell voxels apart."""

SHEAR = 0.1
"""Voxels by which a corner may leave its place on three perpendicular axes: rounding stays below, gantry tilt above."""


@dataclass(frozen=True)
class Source:
    """An opened image: its grid is checked, its voxels are read on demand.

    Parameters
    ----------
    path : Path
        File or series folder.
    grid : Grid
        Size and place.
    bits : int
        Bits of a stored voxel.
    planes : callable
        Rising slice numbers k -> pairs of k and the slice (j, i), rescaled: HU for CT. A slice is valid until the
        next one is asked for. The file is checked to its end, whichever slices are asked for.
    floats : bool
        Stored voxels are floats, so that any of them may be NaN.
    slope, intercept : float
        What stored numbers are multiplied with, and what is added then; 1 and 0 for DICOM, whose slices have their own.
    is_dicom_ct : bool
        True where the header itself says CT.
    facts : mapping
        Acquisition facts from the header.
    notes : tuple of tuple
        Reservations as arguments of `ovfrad.errors.warn`.
    identity : mapping
        patient, study, series, frame of DICOM headers, to be compared and never shown.
    """

    path: Path
    grid: Grid
    bits: int
    planes: Callable[[Sequence[int]], Iterator[tuple[int, NDArray[Any]]]]
    floats: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    is_dicom_ct: bool = False
    facts: Mapping[str, str | float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)


def check_size(path: Path, shape: tuple[int, ...], item_bytes: int) -> int:
    """Bytes of the voxels that a header announces; refused beyond what any CT has."""
    voxels = 1
    for n in shape:
        voxels *= int(n)
    if max(shape) > MAX_SIDE or voxels > MAX_VOXELS or voxels * item_bytes > MAX_BYTES:
        raise InputError(
            "E_IMAGE_SIZE", path, f"its header asks for {' x '.join(str(int(n)) for n in shape[::-1])} voxels",
            f"images up to {MAX_SIDE} voxels a side and {MAX_BYTES >> 30} GiB are read; export the file again",
        )  # fmt: skip
    return voxels * item_bytes


def check_axes(path: Path, grid: Grid) -> None:
    """Refuse spacing that is zero or absurd and axes that are not perpendicular."""
    if not (np.abs(grid.affine) < FAR_MM).all():
        raise InputError(
            "E_IMAGE_SPACING", path, f"its place or spacing is no number below {FAR_MM:g} mm", "export the file again"
        )
    lengths = np.sqrt((grid.affine[:3, :3] ** 2).sum(axis=0))
    if lengths.min() < 0.01 or lengths.max() > 100:
        raise InputError(
            "E_IMAGE_SPACING", path, f"voxels of {' x '.join(f'{v:.4g}' for v in lengths)} mm",
            "a CT has a spacing between 0.01 and 100 mm on each axis; export the file again",
        )  # fmt: skip
    u, independence, vt = np.linalg.svd(grid.affine[:3, :3] / lengths)
    if independence.min() < 1e-3:
        raise InputError(
            "E_IMAGE_SHEAR", path, "two of its axes run the same way", "the header is damaged; export the file again"
        )
    straight = grid.affine.copy()
    straight[:3, :3] = (u @ vt) * lengths
    off = grid_distance(grid.shape, grid.affine, straight)
    if off > SHEAR:
        raise InputError(
            "E_IMAGE_SHEAR", path, f"the axes are not perpendicular: a corner lies {off:.3g} voxels off",
            "resample the image onto a rectangular grid (gantry tilt corrected)",
        )  # fmt: skip


def truncated(path: Path, found: int, wanted: int) -> InputError:
    """The refusal of a file whose size is not what its header announces."""
    if found < wanted:
        return InputError(
            "E_IMAGE_TRUNCATED", path, f"holds {found} bytes of the {wanted} its header announces",
            "the file was cut off; copy or export it again",
        )  # fmt: skip
    return InputError(
        "E_IMAGE_SURPLUS", path, "holds more bytes than its header announces",
        "header and voxels do not belong together; export the file again",
    )  # fmt: skip


def corrupt(path: Path, fault: str) -> InputError:
    """The refusal of damaged bytes."""
    return InputError("E_IMAGE_CORRUPT", path, fault, "copy or export the file again")


def nonfinite(path: Path) -> InputError:
    """The refusal of NaN and infinity."""
    return InputError("E_IMAGE_NONFINITE", path, "holds NaN or infinite values", "replace them before the export")
