"""What every format's reader hands to `read`: a checked grid and a way to load part of the voxels."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import Box, grid_distance

MAX_BYTES = 16 * 2**30
"""Voxels of one image, bytes: four times the largest CT in use; a header that asks for more is not believed."""

DEFLATE_RATIO = 1032
"""Most that deflate can shrink anything (RFC 1951: 258 bytes in 2 bits); more cannot be inside a file."""

SHEAR = 0.1
"""Voxels by which a corner may leave its place on three perpendicular axes: rounding stays below, gantry tilt above."""

CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """An opened image: its grid is checked, its voxels are loaded on demand.

    Parameters
    ----------
    path : Path
        File or series folder.
    shape : tuple of int
        (k, j, i).
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) -> LPS mm.
    bits : int
        Bits of a stored voxel.
    load : callable
        Box -> voxels of that box (k, j, i), rescaled: HU for CT. Steps are followed, except for DICOM.
    is_dicom_ct : bool
        True where the header itself says CT.
    facts : mapping
        Acquisition facts from the header.
    notes : tuple of tuple
        Reservations as arguments of `ovfrad.errors.warn`.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    bits: int
    load: Callable[[Box], NDArray[Any]]
    is_dicom_ct: bool = False
    facts: Mapping[str, str | float] = field(default_factory=dict)
    notes: tuple[tuple[str, Path, str, str], ...] = ()


def check_size(path: Path, shape: tuple[int, ...], item_bytes: int) -> int:
    """Bytes of the voxels that a header announces; refused beyond `MAX_BYTES`."""
    wanted = item_bytes
    for n in shape:
        wanted *= int(n)
    if wanted > MAX_BYTES:
        raise InputError(
            "E_IMAGE_SIZE", path, f"the header asks for {wanted / 2**30:.0f} GiB of voxels",
            f"images up to {MAX_BYTES >> 30} GiB are read; export the file again",
        )  # fmt: skip
    return wanted


def check_axes(path: Path, shape: tuple[int, ...], affine: NDArray[np.float64]) -> None:
    """Refuse spacing that is zero or absurd and axes that are not perpendicular."""
    lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all() or lengths.min() < 0.01 or lengths.max() > 100:
        raise InputError(
            "E_IMAGE_SPACING", path, f"voxels of {' x '.join(f'{v:.4g}' for v in lengths)} mm",
            "a CT has a spacing between 0.01 and 100 mm on each axis; export the file again",
        )  # fmt: skip
    u, _, vt = np.linalg.svd(affine[:3, :3] / lengths)
    straight = affine.copy()
    straight[:3, :3] = (u @ vt) * lengths
    off = grid_distance(shape, affine, straight)
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


def inflate(stream: BinaryIO, path: Path, wbits: int, wanted: int) -> bytearray:
    """Decompress the rest of `stream` to exactly `wanted` bytes, checksum and length included.

    Parameters
    ----------
    stream : binary file
        At the start of the compressed bytes.
    path : Path
        Named in messages.
    wbits : int
        31 for gzip, 15 for zlib (see `zlib.decompressobj`).
    wanted : int
        Bytes that the header announces; never more than one chunk beyond is held.
    """
    out, pending, engine = bytearray(), b"", zlib.decompressobj(wbits)
    try:
        while len(out) <= wanted and (pending := pending or stream.read(CHUNK)):
            if engine.eof:
                pending = pending.lstrip(b"\0")  # block padding; anything else must be a further member
                if not pending:
                    continue
                engine = zlib.decompressobj(wbits)
            out += engine.decompress(pending, wanted + 1 - len(out))
            pending = engine.unused_data if engine.eof else engine.unconsumed_tail
    except zlib.error as error:
        raise corrupt(path, "its compressed bytes are damaged") from error
    if len(out) != wanted:
        raise truncated(path, len(out), wanted)
    if not engine.eof:
        raise corrupt(path, "its compressed bytes end before their checksum")
    return out


def corrupt(path: Path, fault: str) -> InputError:
    """The refusal of damaged bytes."""
    return InputError("E_IMAGE_CORRUPT", path, fault, "copy or export the file again")
