"""RT structure sets as masks: closed contours on the slices of the CT (DICOM PS3.3 C.8.8.6).

Nothing is interpolated: a slice without a contour has no voxel. Inner contours are holes, whether they are written as
keyholes, as CLOSEDPLANAR_XOR or, as most programs do, as further CLOSED_PLANAR contours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.identity import REMEDY, compared, other_class
from ovfrad.imaging.dicom.sandbox import Parsed
from ovfrad.imaging.masks.contours import drawn, repeated
from ovfrad.imaging.masks.segments import Drawn, Segment, empty, plain_name
from ovfrad.imaging.source import Note, Source

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
ON_SLICE = 0.1
"""Slice steps by which a contour may lie beside its slice: programs round, another series lies further off."""
BORDER = 0.51
"""Voxels by which a contour may leave the outermost centres: the outer edge of the image and some rounding."""
MAX_CROSSINGS = 50_000_000
"""Rows that the sides of all contours of a ROI cross; a region's outline has one for each voxel of its surface."""
MAX_AREA = 1 << 27
"""Voxels in the boxes of all contours of a ROI: the outline of a whole body in 512 x 512 x 512 voxels; ten seconds."""
MAX_CONTOURS = 20_000
"""Of one ROI; a trabecular bone by threshold has some hundred on each slice."""


@dataclass(frozen=True, eq=False)
class _Outlines:
    """Contours of a region: `index`, points as (i, j, k) of the CT, shape (n, 3); `first`, where each one begins."""

    index: NDArray[np.float64]
    first: NDArray[np.int64]

    @cached_property
    def low(self) -> NDArray[np.float64]:
        """Smallest (i, j, k) of each contour."""
        return np.asarray(np.minimum.reduceat(self.index, self.first))

    @cached_property
    def high(self) -> NDArray[np.float64]:
        """Largest (i, j, k) of each contour."""
        return np.asarray(np.maximum.reduceat(self.index, self.first))


@dataclass(frozen=True, eq=False)
class Structures:
    """The regions of a structure set, to be drawn on a CT.

    Parameters
    ----------
    path : Path
        File, named in messages.
    segments : tuple of Segment
        ROI numbers and names.
    ct : Source
        The CT.
    rois : mapping
        By ROI number, as `parse_structures` gives them.
    points : ndarray, shape (n, 3)
        LPS mm.
    frames : sequence of str
        Frames of reference that the file names.
    said : dict
        Reservations so far, as keys; drawing a region adds its own.
    """

    path: Path
    segments: tuple[Segment, ...]
    ct: Source
    rois: Mapping[int, Mapping[str, Any]]
    points: NDArray[np.float64]
    frames: Sequence[str] = ()
    said: dict[Note, None] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Reservations about the file and the regions drawn so far."""
        return tuple(self.said)

    def draw(self, segment: Segment) -> Drawn:
        """Voxels of one region."""
        shown = f"ROI {segment.number}" + (f" ({segment.name})" if segment.name else "")
        roi = self.rois[segment.number]
        if not roi["contours"]:
            raise empty(self.path, segment)
        self._check_frame(roi, shown)
        outlines = self._outlines(roi, shown)
        axis, slices = self._slices(outlines, shown)
        self._check_inside(outlines, axis, slices, shown)
        self._check_steps(slices, axis, shown)
        found = self._filled(outlines, axis, slices, shown)
        if not found.array.any():
            raise empty(self.path, segment)
        return found

    def _check_frame(self, roi: Mapping[str, Any], shown: str) -> None:
        """One file may hold regions of several images: where some are in the CT's frame, only these are drawn."""
        frame = self.ct.identity.get("frame", "").strip(" \0")
        if roi["frame"] and roi["frame"] != frame and frame in self.frames:
            raise InputError(
                "E_MASK_FRAME", self.path, f"{shown} was drawn in another frame of reference than the CT's", REMEDY
            )

    def _outlines(self, roi: Mapping[str, Any], shown: str) -> _Outlines:
        """The closed contours."""
        closed = [contour for contour in roi["contours"] if contour["type"] in CLOSED]
        rest = len(roi["contours"]) - len(closed)
        if not closed:
            raise InputError(
                "E_RTSTRUCT_TYPE", self.path, f"{shown} has points or open lines only",
                "choose a ROI with closed contours",
            )  # fmt: skip
        if rest:
            self._say("W_CONTOUR_TYPE", f"{shown} has {rest} points or open lines", "they are left out")
        if len(closed) > MAX_CONTOURS:
            raise InputError(
                "E_RTSTRUCT_SIZE", self.path, f"{shown} has {len(closed)} contours",
                f"a ROI of up to {MAX_CONTOURS} contours is read",
            )  # fmt: skip
        for contour in closed:
            first, stop = contour["points"]
            if stop - first < 3 or contour["stated"] not in (None, stop - first):
                stated = "" if contour["stated"] is None else f" ({contour['stated']} announced)"
                raise InputError(
                    "E_RTSTRUCT_POINTS", self.path, f"{shown} has a closed contour of {stop - first} points{stated}",
                    "redraw that contour or export the file again",
                )  # fmt: skip
        parts = [self.points[contour["points"][0] : contour["points"][1]] for contour in closed]
        if repeated(parts):
            raise InputError(
                "E_RTSTRUCT_TWICE", self.path, f"{shown} has one contour twice", "remove one: the two erase each other"
            )
        affine, first = self.ct.grid.affine, np.cumsum([0, *map(len, parts[:-1])])
        index = np.linalg.solve(affine[:3, :3], (np.concatenate(parts) - affine[:3, 3]).T).T
        return _Outlines(np.ascontiguousarray(index), first)

    def _slices(self, outlines: _Outlines, shown: str) -> tuple[int, NDArray[np.float64]]:
        """Axis of the CT across which the contours are drawn, and the slice of each."""
        spread = (outlines.high - outlines.low).max(axis=0)
        axis = int(spread.argmin())
        step = self.ct.grid.spacing[axis]
        if not spread[axis] <= 2 * ON_SLICE:
            raise InputError(
                "E_RTSTRUCT_PLANE", self.path, f"{shown} has contours across the slices of the CT",
                "export the contours of the CT's own slices",
            )  # fmt: skip
        level = (outlines.low + outlines.high)[:, axis] / 2
        off = np.abs(level - np.rint(level)).max()
        if not off <= ON_SLICE:
            raise InputError(
                "E_RTSTRUCT_SLICES", self.path,
                f"{shown} has contours {off * step:.2g} mm beside the nearest slice of the CT", REMEDY,
            )  # fmt: skip
        return axis, np.rint(level)

    def _check_inside(self, outlines: _Outlines, axis: int, slices: NDArray[np.float64], shown: str) -> None:
        """Refuse contours that leave the image."""
        size = np.array(self.ct.grid.shape[::-1])
        rest = [a for a in range(3) if a != axis]
        low, high = outlines.low[:, rest], outlines.high[:, rest]
        fits = ((low >= -BORDER) & (high <= size[rest] - 1 + BORDER)).all(axis=1)
        fits &= (slices >= 0) & (slices < size[axis])
        if not fits.all():
            raise InputError(
                "E_MASK_OUTSIDE", self.path,
                f"{np.count_nonzero(~fits)} of {len(fits)} contours of {shown} lie outside the CT",
                "check that mask and CT belong together",
            )  # fmt: skip

    def _check_steps(self, slices: NDArray[np.float64], axis: int, shown: str) -> None:
        """Slices without a contour between others: some are told of, all of them make no region."""
        used = np.unique(slices)
        steps = np.diff(used)
        if len(used) > 1 and steps.min() > 1:
            raise InputError(
                "E_RTSTRUCT_SPARSE", self.path,
                f"{shown} has no two contours on neighbouring slices ({steps.min():.0f} slices of "
                f"{self.ct.grid.spacing[axis]:.3g} mm apart)",
                "interpolate the contours in the program that drew them",
            )  # fmt: skip
        missing = int((steps - 1).sum())
        if missing:
            fault = f"{shown} has no contour on {missing} of the {len(used) + missing} slices it spans"
            self._say("W_CONTOUR_GAP", fault, "they have no voxel; nothing is interpolated")

    def _filled(self, outlines: _Outlines, axis: int, slices: NDArray[np.float64], shown: str) -> Drawn:
        """The voxels, slice by slice."""
        grid = self.ct.grid
        low = np.floor(outlines.low.min(axis=0)).clip(0).astype(int)
        high = np.ceil(outlines.high.max(axis=0)).clip(None, np.array(grid.shape[::-1]) - 1).astype(int)
        low[axis], high[axis] = int(slices.min()), int(slices.max())
        row, column = (a for a in (2, 1, 0) if a != axis)
        if np.abs(np.diff(outlines.index, axis=0)).sum() > MAX_CROSSINGS:
            raise InputError(
                "E_RTSTRUCT_SIZE", self.path,
                f"the contours of {shown} cross rows more than {MAX_CROSSINGS // 10**6} million times",
                "redraw or export them again",
            )  # fmt: skip
        sides = (outlines.high - outlines.low)[:, [row, column]] + 1
        if sides.prod(axis=1).sum() > MAX_AREA:
            raise InputError(
                "E_RTSTRUCT_SIZE", self.path,
                f"the contours of {shown} enclose more than {MAX_AREA // 10**6} million voxels",
                "choose a ROI of one vertebra",
            )  # fmt: skip
        xs, ys = (np.arange(low[a], high[a] + 1) * grid.spacing[a] for a in (column, row))
        scale = np.array([grid.spacing[column], grid.spacing[row]])
        out = np.zeros((high - low + 1)[::-1], np.bool_)
        planes, crossed = np.moveaxis(out, 2 - axis, 0), 0
        planar = np.split(outlines.index[:, [column, row]] * scale, outlines.first[1:])
        order = np.argsort(slices, kind="stable")
        numbers, first = np.unique(slices[order], return_index=True)
        for number, (a, b) in zip(numbers.astype(int), pairwise([*first, len(order)]), strict=True):
            planes[number - low[axis]], more = drawn([planar[n] for n in order[a:b]], xs, ys)
            crossed += more
        if crossed:
            self._say("W_CONTOUR_CROSS", f"contours of {shown} overlap in {crossed} voxels", "they are left out there")
        k, j, i = (slice(int(a), int(b) + 1) for a, b in zip(low[::-1], high[::-1], strict=True))
        return Drawn((k, j, i), out)

    def _say(self, code: str, fault: str, consequence: str) -> None:
        self.said[(code, self.path, fault, consequence)] = None


def open_structures(parsed: Parsed, ct: Source) -> Structures:
    """Regions of a structure set that was drawn on a CT (see `identity.compared`)."""
    if "rois" not in parsed.values:
        raise other_class(parsed.path, "RTSTRUCT")
    notes = compared(parsed.path, parsed.values, ct)
    rois = {roi["number"]: roi for roi in parsed.values["rois"]}
    segments = tuple(Segment(number, plain_name(rois[number]["name"]) or None) for number in sorted(rois))
    return Structures(
        parsed.path, segments, ct, rois, parsed.arrays["points"], parsed.values["frames"], dict.fromkeys(notes)
    )
