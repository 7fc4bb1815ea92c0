"""The slices of one CT as a stack, ordered by place: names and numbers of files do not matter.

Geometry: DICOM PS3.3 C.7.6.2.1.1. No message names a patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.slices import Slice, check_orientation
from ovfrad.imaging.source import Note
from ovfrad.imaging.volume import GRID_TOLERANCE

GAP_NOTED, GAP_REFUSED = 0.02, 0.1
"""Shares of the slice distance by which a gap may differ: rounding of positions stays below the first; beyond the
second a slice is missing or the steps change."""
TILT = 0.1
"""Pixels by which a slice may leave the normal through the first: beyond, the gantry was tilted or the slice moved."""
SAME_PLACE_MM = 0.01
"""Slices closer than this lie at one place."""
SAME = 1e-4
"""By which spacing (mm) and direction cosines of slices may differ: rounding."""


def check_common(path: Path, slices: Sequence[Slice]) -> None:
    """Refuse slices that are not of one patient, one series and one kind."""
    kinds = [
        (("PatientID", "Person"), "E_DICOM_PATIENT", "patients"),
        (("StudyInstanceUID",), "E_DICOM_SERIES", "studies"),
        (("SeriesInstanceUID",), "E_DICOM_SERIES", "series"),
        (("FrameOfReferenceUID",), "E_DICOM_SERIES", "frames of reference"),
    ]
    for keywords, code, name in kinds:
        counts = Counter(tuple(s.text(keyword) for keyword in keywords) for s in slices)
        if len(counts) > 1:
            files = " + ".join(str(n) for n in sorted(counts.values(), reverse=True)[:4])
            raise InputError(code, path, f"holds {len(counts)} {name} ({files} files)", "give one series a folder")
    for keyword in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "PixelRepresentation"):
        found = np.array([s.values[keyword] for s in slices], dtype=np.float64).reshape(len(slices), -1)
        off = np.abs(found - np.median(found, axis=0)).max(axis=1)
        if off.max() > SAME:
            odd = int(off.argmax())
            usual = int(off.argmin())
            raise slices[odd].refused(
                "E_DICOM_MIXED", f"{keyword} differs from that of {slices[usual].name}",
                "the slices of one CT share size, spacing and orientation; give one series a folder",
            )  # fmt: skip


def ordered(slices: Sequence[Slice]) -> list[Slice]:
    """Slices in the order of their places along the normal of the first."""
    normal = check_orientation(slices[0])
    return sorted(slices, key=lambda s: float(s.position @ normal))


def slice_step(path: Path, slices: Sequence[Slice]) -> tuple[float, list[Note]]:
    """Distance of neighbouring slices, mm; refuses duplicates, gaps, changing steps and tilt.

    Parameters
    ----------
    path : Path
        Folder or file, named in messages.
    slices : sequence of Slice
        At least two, ordered.

    Returns
    -------
    step : float
        The header's distance where the places meet it, else their mean, mm.
    notes : list of tuple
        Reservations.
    """
    normal, positions = check_orientation(slices[0]), np.array([s.position for s in slices])
    places = positions @ normal
    gaps = np.diff(places)
    if (same := np.flatnonzero(gaps < SAME_PLACE_MM)).size:
        one, two = sorted((slices[same[0]].name, slices[same[0] + 1].name))
        raise InputError(
            "E_DICOM_DUPLICATE", path, f"{one} and {two} lie at one place ({places[same[0]]:.2f} mm)",
            "keep one slice a place",
        )  # fmt: skip
    usual = float(np.median(gaps))
    off = np.abs(gaps / usual - 1)
    if off.max() > GAP_REFUSED:
        at = int(off.argmax())
        raise InputError(
            "E_DICOM_GAP", path,
            f"{gaps[at]:.4g} mm between {slices[at].name} and {slices[at + 1].name}, else {usual:.4g} mm",
            "a slice is missing or the steps change; export the whole series",
        )  # fmt: skip
    _check_aside(path, slices, positions - places[:, None] * normal, places)
    notes: list[Note] = []
    if off.max() > GAP_NOTED:
        fault = f"slice distances vary by {100 * off.max():.2g} %"
        notes.append(("W_DICOM_STEPS", path, fault, "their mean is used"))
    return _said_step(slices[0], places) or float((places[-1] - places[0]) / (len(places) - 1)), notes


def _said_step(head: Slice, places: NDArray[np.float64]) -> float | None:
    """The distance that the header names, where every slice lies on it to `GRID_TOLERANCE`: places are rounded."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        step = head.values.get(keyword)
        if isinstance(step, (int, float)) and np.isfinite(step) and step > 0:
            off = places - step * np.arange(len(places))
            if np.ptp(off) <= 2 * GRID_TOLERANCE * step:
                return float(step)
    return None


def _check_aside(path: Path, slices: Sequence[Slice], aside: NDArray[np.float64], places: NDArray[np.float64]) -> None:
    """Refuse a stack that leans, or a slice beside it; `aside` are the positions without their part along the normal.

    The lean is the median over neighbours, so that a single moved slice is found as such.
    """
    limit = TILT * float(slices[0].numbers("PixelSpacing", 2).min())
    lean = np.median(np.diff(aside, axis=0) / np.diff(places)[:, None], axis=0)
    if np.linalg.norm(lean) * (places[-1] - places[0]) > limit:
        angle = np.degrees(np.arctan(np.linalg.norm(lean)))
        raise InputError(
            "E_DICOM_TILT", path, f"the slices are tilted by {angle:.2g} degrees against their stack (gantry tilt)",
            "resample the series onto a rectangular grid, or give the untilted reconstruction",
        )  # fmt: skip
    off = np.linalg.norm(aside - np.median(aside, axis=0), axis=1)
    if off.max() > limit:
        raise slices[int(off.argmax())].refused(
            "E_DICOM_MIXED", f"ImagePositionPatient lies {off.max():.3g} mm beside the stack of the other slices",
            "the slices of one CT lie straight above each other; export the series again",
        )  # fmt: skip
