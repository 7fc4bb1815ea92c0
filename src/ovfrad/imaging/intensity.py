"""The voxels of a CT: streamed once, the box kept, a fair sample of the whole judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import Box, box_affine
from ovfrad.imaging.plausibility import check_ct, clipped, odd_scale, odd_values
from ovfrad.imaging.source import Note, Source, nonfinite
from ovfrad.imaging.volume import Volume

SAMPLE = 1_000_000
"""Voxels, about, on which the values of a CT are judged."""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name the file where the system refuses to read it."""
    try:
        yield
    except OSError as error:
        fault = f"cannot be read ({error.strerror or type(error).__name__})"
        at = Path(error.filename) if isinstance(error.filename, str) else path  # a slice of the folder
        raise InputError("E_FILE_ACCESS", at, fault, "check the file and its rights") from error


def read_ct(source: Source, box: Box, require_ct: bool, *, as_stored: bool = False) -> tuple[Volume, tuple[Note, ...]]:
    """Voxels of `box`, judged together with a sample of the whole image (of its slices, for DICOM).

    Parameters
    ----------
    source : Source
        Opened image.
    box : tuple of slice
        Part (k, j, i).
    require_ct : bool
        Refuse values that no CT has; else they are told of where they are kept as stored.
    as_stored : bool
        Keep integers as integers, as the HU of a DICOM series are; default: float32.
    """
    part, values = voxels(source, box, as_stored=as_stored)
    notes = odd_scale(source, values)
    if require_ct:
        check_ct(source.path, values, source.bits, source.is_dicom_ct)
        notes = (*notes, *clipped(source.path, values), *odd_values(source.path, values))
    elif as_stored:
        notes = (*notes, *_no_ct(source, values))
    return part, notes


def voxels(source: Source, box: Box, *, as_stored: bool = False) -> tuple[Volume, NDArray[Any]]:
    """Voxels of `box`, and a sample of the whole image (of its slices, for DICOM) with the extremes of the box."""
    depth = source.grid.shape[0]
    step = 3 if source.is_dicom_ct else max(1, round((np.prod(source.grid.shape, dtype=float) / SAMPLE) ** (1 / 3)))
    sampled = set(range(0, depth, 1 if source.is_dicom_ct else step))
    inside = range(box[0].start, box[0].stop)
    wanted = inside if source.is_dicom_ct else range(depth) if source.floats else sorted({*inside, *sampled})
    part: NDArray[Any] | None = None
    sample: list[NDArray[Any]] = []
    for k, plane in source.planes(wanted):
        if plane.dtype.kind == "f" and not _finite(plane):
            raise nonfinite(source.path)
        if k in sampled:
            sample.append(plane[::step, ::step].flatten())
        if k in inside:
            part = _room(part, box, plane.dtype if as_stored else np.dtype(np.float32))
            part[k - inside.start] = plane[box[1:]]
    if part is None:
        raise AssertionError("a box holds at least one slice")
    values = np.concatenate([*sample, [part.min(), part.max()]])
    return Volume(part, box_affine(source.grid.affine, box)), values


def _finite(plane: NDArray[Any]) -> bool:
    """Whether all values are numbers, and stay numbers as float32."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(plane if plane.itemsize <= 4 else plane.astype(np.float32)).all())


def _room(part: NDArray[Any] | None, box: Box, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Space for the box that can hold values of a type; slices of one series may differ in theirs."""
    if part is None:
        return np.empty([p.stop - p.start for p in box], dtype)
    wider = np.promote_types(part.dtype, dtype)
    return part if wider == part.dtype else part.astype(wider)


def _no_ct(source: Source, values: NDArray[Any]) -> tuple[Note, ...]:
    """What speaks against an image being CT, as a note."""
    try:
        check_ct(source.path, values, source.bits, source.is_dicom_ct)
    except InputError as error:
        return (
            (error.code.replace("E_", "W_", 1), source.path, error.fault, "features are of grey values, not of HU"),
        )
    return ()
