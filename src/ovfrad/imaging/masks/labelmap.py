"""Label maps: whole numbers on the CT's grid, 0 outside and one number for each structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import box_affine, matched
from ovfrad.imaging.masks.segments import Crop, Drawn, Segment, crop_of, empty, placed, stacked, start_on
from ovfrad.imaging.plausibility import odd_scale
from ovfrad.imaging.source import Note, Source, nonfinite
from ovfrad.imaging.volume import Grid, Volume

MOST_LABELS = 200
"""Different values of a label map (those of whole bodies have 117); beyond, a picture or probabilities were given."""
HIGHEST = 65535
"""Largest label (FreeSurfer's reach 14175)."""
ROUNDED = 1e-3
"""By which a label may miss its whole number: programs that save floats with the header of an integer file give 0 and
1 as 0 and 255 times 0.00392157, and floats may be rounded. Probabilities lie further off somewhere."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A slice of labels, compressed: label maps shrink a hundredfold, so that a whole one fits beside its CT.

    Parameters
    ----------
    content : bytes
        Deflated labels.
    dtype : dtype
        uint8 or uint16.
    labels : frozenset of int
        Those present, zero left out.
    """

    content: bytes
    dtype: np.dtype[Any]
    labels: frozenset[int]

    @classmethod
    def of(cls, plane: NDArray[Any], high: int) -> Packed:
        """Pack a slice of whole numbers from 0 to `high`."""
        from isal import isal_zlib

        small = np.ascontiguousarray(plane, np.uint8 if high <= 255 else np.uint16)
        present = np.flatnonzero(np.bincount(small.ravel()))
        return cls(isal_zlib.compress(small.data, 0), small.dtype, frozenset(int(v) for v in present if v))

    def unpacked(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The slice."""
        from isal import isal_zlib

        return np.frombuffer(isal_zlib.decompress(self.content), self.dtype).reshape(shape)


def packed(source: Source) -> tuple[dict[int, Packed], tuple[int, ...]]:
    """Slices of a mask file that hold a label, by number, and the shape of a slice; refuses what is no label map.

    Parameters
    ----------
    source : Source
        Slices (j, i), or (j, i, layers).
    """
    path, seen, found = source.path, set[int](), dict[int, Packed]()
    shape: tuple[int, ...] = ()
    for k, stored in source.planes(range(source.grid.shape[0])):
        plane, shape = stored if stored.dtype.kind in "iu" else _whole_numbers(path, k, stored), stored.shape
        low, high = int(plane.min()), int(plane.max())
        if low < 0 or high > HIGHEST:
            raise _no_labels(path, f"values from {low} to {high}")
        if high == 0:
            continue
        found[k] = Packed.of(plane, high)
        seen |= found[k].labels
        if len(seen) > MOST_LABELS:
            raise _no_labels(path, f"more than {MOST_LABELS} different values up to {max(seen)}")
    return found, shape


def _whole_numbers(path: Path, k: int, plane: NDArray[Any]) -> NDArray[Any]:
    """A slice of floats as integers."""
    if not np.isfinite(plane).all():
        raise nonfinite(path)
    with np.errstate(invalid="ignore"):
        nearest = np.rint(plane)
        whole = nearest.astype(np.int64)
    if np.abs(plane - nearest).max() > ROUNDED or not np.array_equal(whole, nearest):
        raise InputError(
            "E_MASK_FRACTION", path,
            f"values from {plane.min():.4g} to {plane.max():.4g} in slice {k} are not whole numbers",
            "give labels, not probabilities or a resampled mask",
        )  # fmt: skip
    return whole


def _no_labels(path: Path, found: str) -> InputError:
    return InputError(
        "E_MASK_VALUES", path, f"{found} are an image's, not labels",
        f"a mask has 0 outside and up to {MOST_LABELS} positive whole numbers inside",
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class LabelMap:
    """The labels of a file that lies on the grid of a CT.

    Parameters
    ----------
    path : Path
        File, named in messages.
    slices : dict
        Slices that hold a label, by number; axes as stored.
    shape : tuple of int
        Of a slice: (j, i), or (j, i, layers) where structures overlap.
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) -> LPS mm.
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
    slices: dict[int, Packed]
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    ct: Grid
    segments: tuple[Segment, ...]
    notes: tuple[Note, ...] = ()
    values: dict[Segment, tuple[int, int]] | None = None

    def draw(self, segment: Segment) -> Drawn:
        """Voxels of one structure."""
        crops = dict(self._crops(*((0, segment.number) if self.values is None else self.values[segment])))
        if not crops:
            raise empty(self.path, segment)
        box, array = stacked(self.path, crops)
        return placed(self.path, array, box_affine(self.affine, box), self.ct, part=True)

    def _crops(self, layer: int, value: int) -> Iterator[tuple[int, Crop]]:
        for k, one in self.slices.items():
            if value in one.labels:
                plane = one.unpacked(self.shape)
                if crop := crop_of((plane if plane.ndim == 2 else plane[..., layer]) == value):
                    yield k, crop

    def sizes(self) -> list[int]:
        """Voxels of every structure of a map in one layer, in the order of `segments`, counted in one pass."""
        counts = np.zeros(HIGHEST + 1, np.int64)
        for one in self.slices.values():
            counts += np.bincount(one.unpacked(self.shape).ravel(), minlength=HIGHEST + 1)
        return [int(counts[segment.number]) for segment in self.segments]


def open_label_map(source: Source, ct: Grid) -> LabelMap:
    """Labels of a file that lies on the grid of a CT, in whatever axis order."""
    check_grid(source, ct)  # before a voxel is read: its size is then the CT's
    slices, shape = packed(source)
    present = sorted(set().union(*(one.labels for one in slices.values())))
    segments = tuple(Segment(number) for number in present)
    notes = (*source.notes, *odd_scale(source, np.array([0, *present])))
    return LabelMap(source.path, slices, shape, source.grid.affine, ct, segments, notes)


def check_grid(source: Source, ct: Grid, *, part: bool = False) -> None:
    """Refuse a mask whose voxels are not the CT's (see `start_on`)."""
    unread = Volume(np.broadcast_to(np.uint8(0), source.grid.shape), source.grid.affine)
    start_on(source.path, matched(unread, ct).grid, ct, part=part)
