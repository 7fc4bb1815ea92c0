"""Label maps: whole numbers on the CT's grid, 0 outside and one number for each structure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import Box, matched
from ovfrad.imaging.masks.segments import Drawn, Segment, empty, start_on, within
from ovfrad.imaging.source import Note, Source
from ovfrad.imaging.volume import Grid, Volume

MOST_LABELS = 200
"""Different values of a label map (those of whole bodies have 117); beyond, a picture or probabilities were given."""
HIGHEST = 65535
"""Largest label (FreeSurfer's reach 14175)."""


def labels_in(path: Path, source: Source) -> tuple[NDArray[Any], list[int]]:
    """Stored labels, compact, and those present (zero left out); refuses what is no label map.

    Parameters
    ----------
    path : Path
        Named in the message.
    source : Source
        Slices (j, i), or (j, i, layers).

    Returns
    -------
    array : ndarray of uint8 or uint16, shape (k, j, i) or (k, j, i, layers)
    present : list of int
    """
    array: NDArray[Any] | None = None
    seen = np.zeros(HIGHEST + 1, bool)
    for k, stored in source.planes(range(source.grid.shape[0])):
        plane = stored if stored.dtype.kind in "iu" else _whole_numbers(path, k, stored)
        low, high = int(plane.min()), int(plane.max())
        if low < 0 or high > HIGHEST:
            raise _no_labels(path, f"values from {low} to {high}")
        if array is None:
            array = np.zeros((source.grid.shape[0], *plane.shape), np.uint8)
        if high == 0:
            continue
        if high > 255 and array.dtype == np.uint8:
            array = array.astype(np.uint16)
        array[k] = plane
        seen |= np.bincount(array[k].ravel(), minlength=HIGHEST + 1)[: HIGHEST + 1] > 0
        if np.count_nonzero(seen) > MOST_LABELS + 1:
            raise _no_labels(path, f"more than {MOST_LABELS} different values up to {int(np.flatnonzero(seen)[-1])}")
    if array is None:
        raise AssertionError("a grid has at least one slice")
    return array, [int(v) for v in np.flatnonzero(seen) if v]


def _whole_numbers(path: Path, k: int, plane: NDArray[Any]) -> NDArray[Any]:
    """A slice of floats as integers."""
    if not np.isfinite(plane).all():
        raise nonfinite(path)
    with np.errstate(invalid="ignore"):
        whole = plane.astype(np.int64)
    if not np.array_equal(whole, plane):
        raise InputError(
            "E_MASK_FRACTION", path,
            f"values from {plane.min():.4g} to {plane.max():.4g} in slice {k} are not whole numbers",
            "give labels, not probabilities or a resampled mask",
        )  # fmt: skip
    return whole


def nonfinite(path: Path) -> InputError:
    """The refusal of NaN and infinity."""
    return InputError("E_IMAGE_NONFINITE", path, "holds NaN or infinite values", "replace them before the export")


def _no_labels(path: Path, found: str) -> InputError:
    return InputError(
        "E_MASK_VALUES", path, f"{found} are an image's, not labels",
        f"a mask has 0 outside and up to {MOST_LABELS} positive whole numbers inside",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The labels of a file on the axes of a CT.

    Parameters
    ----------
    path : Path
        File, named in messages.
    layers : tuple of ndarray, shape (k, j, i)
        Labels, axes as the CT's; further layers where structures overlap.
    start : tuple of int
        Voxel (k, j, i) of the CT at which the arrays begin.
    ct : Grid
        The CT's grid.
    segments : tuple of Segment
        Structures.
    notes : tuple of tuple
        Reservations.
    values : dict, optional
        Layer and value of a segment; by default layer 0 and its number.
    """

    path: Path
    layers: tuple[NDArray[Any], ...]
    start: tuple[int, int, int]
    ct: Grid
    segments: tuple[Segment, ...]
    notes: tuple[Note, ...] = ()
    values: dict[Segment, tuple[int, int]] | None = None

    def draw(self, segment: Segment) -> Drawn:
        """Voxels of one structure."""
        layer, value = (0, segment.number) if self.values is None else self.values[segment]
        array = self.layers[layer]
        box = box_of(array, value)
        if box is None:
            raise empty(self.path, segment)
        k, j, i = (first + part.start for first, part in zip(self.start, box, strict=True))
        return within(self.path, array[box] == value, (k, j, i), self.ct)


def open_label_map(source: Source, ct: Grid) -> LabelMap:
    """Labels of a file that lies on the grid of a CT, in whatever axis order."""
    matched_grid = matched(Volume(np.broadcast_to(np.uint8(0), source.grid.shape), source.grid.affine), ct).grid
    start = start_on(source.path, matched_grid, ct)  # before a voxel is read: its size is then the CT's
    array, present = labels_in(source.path, source)
    turned = matched(Volume(array, source.grid.affine), ct)
    segments = tuple(Segment(number) for number in present)
    return LabelMap(source.path, (turned.array,), start, ct, segments, source.notes)


def box_of(array: NDArray[Any], value: int) -> Box | None:
    """Smallest box (k, j, i) of the voxels that have a value, slice by slice; None where none has."""
    rows, columns = np.zeros(array.shape[1], bool), np.zeros(array.shape[2], bool)
    slices = []
    for k, plane in enumerate(array):
        hit = plane == value
        if hit.any():
            slices.append(k)
            rows |= hit.any(axis=1)
            columns |= hit.any(axis=0)
    if not slices:
        return None
    j, i = np.flatnonzero(rows), np.flatnonzero(columns)
    return slice(slices[0], slices[-1] + 1), slice(int(j[0]), int(j[-1]) + 1), slice(int(i[0]), int(i[-1]) + 1)
