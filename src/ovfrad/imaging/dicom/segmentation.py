"""DICOM segmentations as masks (PS3.3 A.51, C.8.20): each frame is one slice of one segment, placed by itself.

Frames come in any order and orientation, may cover a part of the image, and are left out where a segment has no
voxel. They are read one at a time, and only what lies in the box of the segment is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.identity import REMEDY, compared, other_class
from ovfrad.imaging.dicom.sandbox import Parsed
from ovfrad.imaging.geometry import matched
from ovfrad.imaging.masks.segments import Crop, Drawn, Segment, crop_of, empty, placed, plain_name, stacked, start_on
from ovfrad.imaging.source import Note, Source, truncated
from ovfrad.imaging.volume import GRID_TOLERANCE, Volume

BITS = {"BINARY": (1, 8), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}
"""Bits of a stored voxel by SegmentationType (PS3.3 C.8.20.2.3); 8 for BINARY is what decoders make of it."""
STRAIGHT = 1e-3
"""By which direction cosines may fail to be two perpendicular unit vectors: they are written to six digits or less."""
UNEVEN = 0.1
"""Slice steps by which a frame may lie beside the slices of a CT whose own steps vary (`W_DICOM_STEPS`)."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The segments of a file, to be drawn on a CT.

    Parameters
    ----------
    path : Path
        File, named in messages.
    segments : tuple of Segment
        Numbers and names.
    said : dict
        Reservations so far, as keys; drawing a segment adds its own.
    ct : Source
        The CT.
    values, arrays : mapping
        As `parse_segmentation` gives them.
    """

    path: Path
    segments: tuple[Segment, ...]
    ct: Source
    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(repr=False)
    said: dict[Note, None] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Reservations about the file and the segments drawn so far."""
        return tuple(self.said)

    def draw(self, segment: Segment) -> Drawn:
        """Voxels of one segment."""
        frames = self._frames_of(segment.number)
        if not frames:
            raise empty(self.path, segment)
        affine, axis = self._plane(frames)
        slices = self._slices(frames, axis)
        if self.values["type"] == "LABELMAP":
            frames = [n for n in frames if segment.number in self._labels[n]]
        crops = {n: crop for n, plane in self._planes(frames) if (crop := crop_of(self._is(plane, segment.number)))}
        if not crops:
            raise empty(self.path, segment)
        first, array, corner = self._stacked(crops, slices, axis)
        moved = affine.copy()
        moved[:3, 3] = self._positions[first] + affine[:3, :2] @ corner
        return placed(self.path, array, moved, self.ct.grid, part=True)

    def _frames_of(self, number: int) -> list[int]:
        owners = self.arrays["segment"]
        mine = np.full(owners.shape, True) if self.values["type"] == "LABELMAP" else owners == number
        return [int(n) for n in np.flatnonzero(mine)]

    @cached_property
    def _labels(self) -> list[set[int]]:
        """Labels of each frame of a label map; all of them must be described."""
        count = len(self.arrays["position"])
        labels = [
            set(np.flatnonzero(np.bincount(plane.ravel())).tolist()) - {0} for _, plane in self._planes(range(count))
        ]
        if strange := set().union(*labels) - {segment.number for segment in self.segments}:
            raise InputError(
                "E_SEG_SEGMENTS", self.path, f"holds the value {min(strange)}, which no segment has", "export it again"
            )
        return labels

    @cached_property
    def _positions(self) -> NDArray[np.float64]:
        """Places of the frames, LPS mm; on a CT of uneven steps, which is read with their mean, its nearest slices'."""
        positions = self.arrays["position"]
        if all(note[0] != "W_DICOM_STEPS" for note in self.ct.notes):
            return positions
        place = self._index(positions)
        near = np.abs(place[:, 2] - np.rint(place[:, 2])) <= UNEVEN
        place[near, 2] = np.rint(place[near, 2])
        return np.asarray(place @ self.ct.grid.affine[:3, :3].T + self.ct.grid.affine[:3, 3])

    def _index(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(i, j, k) of the CT, fractions of voxels; shape (n, 3)."""
        affine = self.ct.grid.affine
        return np.asarray(np.linalg.solve(affine[:3, :3], (positions - affine[:3, 3]).T).T)

    def _is(self, plane: NDArray[Any], number: int) -> NDArray[np.bool_]:
        """Voxels of a frame that belong to a segment."""
        if self.values["type"] == "LABELMAP":
            return np.asarray(plane == number)
        highest = 1 if self.values["type"] == "BINARY" else self.values["highest"]
        inside = np.asarray(plane != 0)
        if not (plane[inside] == highest).all():
            raise InputError(
                "E_MASK_FRACTION", self.path, f"segment {number} has values other than 0 and {highest}",
                "give a binary segmentation, not probabilities",
            )  # fmt: skip
        return inside

    def _plane(self, frames: Sequence[int]) -> tuple[NDArray[np.float64], int]:
        """Affine of a stack of the frames on the slices of the CT, without its place, and the CT axis it runs along."""
        cosines, spacing = (self.arrays[key][frames] for key in ("orientation", "spacing"))
        across, down = cosines[0].reshape(2, 3)
        off = np.abs([across @ across - 1, down @ down - 1, across @ down]).max()
        if off > STRAIGHT or spacing.min() < 0.01 or spacing.max() > 100:
            raise InputError("E_SEG_FRAMES", self.path, "its orientation or spacing is none", "export it again")
        apart = max(np.ptp(cosines, axis=0).max(), np.ptp(spacing / spacing[0], axis=0).max())
        if apart * max(self.values["rows"], self.values["columns"]) > GRID_TOLERANCE:
            raise InputError(
                "E_SEG_FRAMES", self.path, "its frames differ in orientation or spacing", "export it again"
            )
        normal = np.cross(across, down)
        axis = int(np.abs(self.ct.grid.direction.T @ normal).argmax())
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = across * spacing[0, 1], down * spacing[0, 0]
        affine[:3, 2] = normal * self.ct.grid.spacing[axis]
        affine[:3, 3] = self._positions[frames[0]]
        shape = (1, self.values["rows"], self.values["columns"])
        plane = matched(Volume(np.broadcast_to(np.False_, shape), affine), self.ct.grid)
        start_on(self.path, plane.grid, self.ct.grid, part=True)
        return affine, axis

    def _slices(self, frames: Sequence[int], axis: int) -> dict[int, int]:
        """Slice of the CT on which each frame lies."""
        grid = self.ct.grid
        places = self._index(self._positions[frames])
        off = np.abs(places - np.rint(places)).max(axis=0)
        if not off.max() <= GRID_TOLERANCE:
            worst = int(off.argmax())
            raise InputError(
                "E_MASK_GRID", self.path,
                f"its voxels lie {off[worst] * grid.spacing[worst]:.2g} mm beside those of the CT",
                "resample the mask onto the CT or export it again",
            )  # fmt: skip
        rest = [a for a in range(3) if a != axis]
        if np.ptp(places[:, rest], axis=0).max() > 2 * GRID_TOLERANCE:
            raise InputError("E_SEG_FRAMES", self.path, "its frames are not stacked", "export it again")
        slices = {n: int(place) for n, place in zip(frames, np.rint(places[:, axis]), strict=True)}
        if len(set(slices.values())) < len(slices):
            raise InputError("E_SEG_TWICE", self.path, "has two frames of one segment at one place", "export it again")
        return slices

    def _stacked(
        self, crops: Mapping[int, Crop], slices: Mapping[int, int], axis: int
    ) -> tuple[int, NDArray[np.bool_], NDArray[np.float64]]:
        """First frame along the stack, the voxels from there on, and the column and row at which they begin."""
        places = {n: slices[n] for n in crops}
        outside = [place for place in places.values() if not 0 <= place < self.ct.grid.shape[2 - axis]]
        if outside:
            raise InputError(
                "E_MASK_OUTSIDE", self.path, f"{len(outside)} of its slices lie outside the CT",
                "check that mask and CT belong together",
            )  # fmt: skip
        used = np.unique(list(places.values()))
        if len(used) > 1 and np.diff(used).min() > 1:
            raise InputError(
                "E_SEG_SPARSE", self.path, f"its slices are {np.diff(used).min()} slices of the CT apart", REMEDY
            )
        if missing := int(used[-1] - used[0]) + 1 - len(used):
            fault = f"has no voxel on {missing} of the {len(used) + missing} slices that a segment spans"
            self.said[("W_SEG_GAP", self.path, fault, "nothing is interpolated; frames may be missing")] = None
        rising = bool(self.ct.grid.direction[:, axis] @ self._normal(next(iter(crops))) > 0)
        first = min(places, key=lambda n: places[n] if rising else -places[n])
        box, out = stacked(self.path, {abs(places[n] - places[first]): crop for n, crop in crops.items()})
        return first, out, np.array([box[2].start, box[1].start], np.float64)

    def _normal(self, frame: int) -> NDArray[np.float64]:
        across, down = self.arrays["orientation"][frame].reshape(2, 3)
        return np.asarray(np.cross(across, down))

    def _planes(self, frames: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Stored values of frames, shape (rows, columns)."""
        if "frames" in self.arrays:
            yield from ((n, self.arrays["frames"][n]) for n in frames)
            return
        rows, columns, bits = (self.values[key] for key in ("rows", "columns", "bits"))
        stored = self.arrays.get("bytes")
        if stored is None:
            stored = np.memmap(
                self.path, np.uint8, "r", self.values["Pixels"]["offset"], self.values["Pixels"]["bytes"]
            )
        for n in frames:
            first, stop = n * rows * columns * bits, (n + 1) * rows * columns * bits
            part = stored[first // 8 : -(-stop // 8)]
            if bits == 1:  # the first voxel is the lowest bit, and frames follow without a gap (PS3.5 8.1.1)
                plane = np.unpackbits(part, bitorder="little")[first % 8 :][: rows * columns]
            else:
                plane = part.view("<u2" if bits == 16 else np.uint8)
            yield n, plane.reshape(rows, columns)


def open_segmentation(parsed: Parsed, ct: Source) -> Segmentation:
    """Segments of a file that was drawn on a CT (see `identity.compared`); pixels are read when one is drawn."""
    path, values, arrays = parsed.path, parsed.values, parsed.arrays
    if "segments" not in values:
        raise other_class(path, "SEG")
    kind, bits = values["type"], values["bits"]
    if bits not in BITS.get(kind, ()) or values["samples"] != 1:
        raise InputError(
            "E_SEG_TYPE", path, f"is a segmentation of an unknown kind with {bits} bits",
            "export it as BINARY with 1 bit or LABELMAP with 8 or 16 bits",
        )  # fmt: skip
    _check_pixels(path, values, arrays)
    names = {one["number"]: plain_name(one["name"]) or None for one in values["segments"]}
    if kind == "LABELMAP":
        names.pop(0, None)  # the background may be described
    segments = tuple(Segment(number, names[number]) for number in sorted(names))
    _check_segments(path, segments, kind, arrays["segment"])
    return Segmentation(path, segments, ct, values, arrays, dict.fromkeys(compared(path, values, ct)))


def _check_segments(path: Path, segments: Sequence[Segment], kind: str, owners: NDArray[np.int64]) -> None:
    known = {segment.number for segment in segments}
    if kind != "LABELMAP" and (strange := set(owners.tolist()) - known):
        fault = f"has frames of segment {min(strange)}, which it does not describe"
        raise InputError("E_SEG_SEGMENTS", path, fault, "export it again")


def _check_pixels(path: Path, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """The pixels must be as many as the header announces, up to the byte that makes their number even."""
    pixels = values["Pixels"]
    if "frames" in arrays:
        return
    if pixels["order"] != "<":
        raise InputError("E_DICOM_SYNTAX", path, "is stored big-endian", "export it as little-endian")
    found = len(arrays["bytes"]) if "bytes" in arrays else pixels["bytes"]
    if found is None:
        raise InputError("E_SEG_FRAMES", path, "has no pixels", "export it again")
    wanted = -(-len(arrays["position"]) * values["rows"] * values["columns"] * values["bits"] // 8)
    if not wanted <= found <= wanted + wanted % 2:
        raise truncated(path, found, wanted)
