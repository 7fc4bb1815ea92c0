"""The headers of a DICOM CT series: every slice checked by itself, then all as one stack, ordered by place.

Geometry: DICOM PS3.3 C.7.6.2.1.1; CT image attributes: C.8.2.1. No message names a patient.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError

GAP_NOTED, GAP_REFUSED = 0.02, 0.1
"""Shares of the slice distance by which a gap may differ: rounding of positions stays below the first; beyond the
second a slice is missing or the steps change."""
TILT = 0.1
"""Pixels by which the last slice may leave the normal through the first: beyond, the gantry was tilted."""
SAME_PLACE_MM = 0.01
"""Slices closer than this lie at one place."""
COSINE = 1e-3
"""By which the image orientation may miss unit length and a right angle (a rounded header)."""
COMPANIONS = {".txt", ".xml", ".json", ".pdf", ".csv", ".md", ".html", ".jpg", ".png"}
"""Files beside a series that are passed over; any other file that is no DICOM is refused, for it may be a slice."""
TAGS = [
    "SOPClassUID", "Modality", "ImageType", "PatientID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "Manufacturer", "ManufacturerModelName", "KVP", "XRayTubeCurrent", "ConvolutionKernel",
    "SliceThickness", "ContrastBolusAgent", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
    "PixelRepresentation", "NumberOfFrames", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "LossyImageCompression",
]  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """Header facts of one file."""

    path: Path
    position: NDArray[np.float64]
    head: Any


def _header(path: Path) -> Any | None:
    """Header of one file; None when it is no DICOM file and its name says so."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own remarks quote values, and values may name a patient
        try:
            head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
            [head.get(tag) for tag in TAGS]
        except Exception as error:  # damaged bytes raise anything from KeyError to RecursionError in the parser
            if path.suffix.lower() in COMPANIONS:
                return None
            raise InputError(
                "E_DICOM_FILE", path, "cannot be read as DICOM",
                "a series folder holds the slices of one CT and nothing else; copy or export it again",
            ) from error  # fmt: skip
    return head


def modality(path: Path) -> str:
    """Modality of a DICOM file or of the first one in a folder; empty where there is none."""
    files = [path] if path.is_file() else _files(path)
    for file in files:
        try:
            head = _header(file)
        except InputError:
            continue
        if head is not None:
            return str(head.get("Modality", ""))
    return ""


def _files(folder: Path) -> list[Path]:
    entries = sorted(
        p for p in folder.iterdir() if not p.name.startswith(".") and p.name not in ("DICOMDIR", "Thumbs.db")
    )
    return [p for p in entries if p.is_file()]


def number_of(path: Path, head: Any, keyword: str) -> float:
    value = head.get(keyword)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise InputError(
            "E_DICOM_TAG",
            path,
            f"{keyword} is missing or no number",
            "export the series again from the scanner or PACS",
        )
    return number


def _numbers(path: Path, head: Any, keyword: str, n: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(v) for v in head.get(keyword)], dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([])
    if len(values) != n or not np.isfinite(values).all():
        raise InputError(
            "E_DICOM_TAG", path, f"{keyword} is missing or not {n} numbers",
            "export the series again from the scanner or PACS",
        )  # fmt: skip
    return values


def _check_slice(path: Path, head: Any) -> None:
    """Everything that one file must be by itself."""
    if (found := str(head.get("Modality", ""))) != "CT":
        said = f"modality {found}" if found.isupper() and len(found) < 17 else "no known modality"
        raise InputError("E_NOT_CT", path, f"its header says {said}", "give a CT series")
    if int(head.get("NumberOfFrames") or 1) != 1:
        raise InputError(
            "E_DICOM_MULTIFRAME", path, f"holds {head.NumberOfFrames} frames (enhanced CT)",
            "series of one slice a file are read; convert it, or export NIfTI",
        )  # fmt: skip
    kinds = head.get("ImageType") or []
    if "LOCALIZER" in [str(v).upper() for v in ([kinds] if isinstance(kinds, str) else kinds)]:
        raise InputError(
            "E_DICOM_LOCALIZER", path, "is a localizer", "keep the slices of the series alone in the folder"
        )
    if (colour := str(head.get("PhotometricInterpretation", ""))) != "MONOCHROME2" or head.get("SamplesPerPixel") != 1:
        raise InputError(
            "E_DICOM_PIXELS", path, f"photometric interpretation is {colour or 'missing'}",
            "CT slices are MONOCHROME2; export the original series",
        )  # fmt: skip
    if head.get("BitsAllocated") != 16:
        raise InputError(
            "E_CT_8BIT",
            path,
            f"has {head.get('BitsAllocated')} bits a pixel",
            "CT slices have 16; export the original series",
        )
    for keyword in ("Rows", "Columns", "PixelRepresentation", "BitsStored"):
        number_of(path, head, keyword)
    if number_of(path, head, "RescaleSlope") == 0:
        raise InputError("E_DICOM_RESCALE", path, "RescaleSlope is 0", "export the original series")
    number_of(path, head, "RescaleIntercept")
    if (unit := str(head.get("RescaleType") or "HU")) not in ("HU", "US"):
        raise InputError("E_DICOM_RESCALE", path, f"its values are in {unit[:16]}, not HU", "give a CT in HU")


def _common(folder: Path, slices: list[Slice]) -> None:
    """Everything that the files of one series share."""
    kinds = [
        ("PatientID", "E_DICOM_PATIENT", "patients"),
        ("StudyInstanceUID", "E_DICOM_SERIES", "studies"),
        ("SeriesInstanceUID", "E_DICOM_SERIES", "series"),
        ("FrameOfReferenceUID", "E_DICOM_SERIES", "frames of reference"),
    ]
    for keyword, code, name in kinds:
        counts = Counter(str(s.head.get(keyword, "")) for s in slices)
        if len(counts) > 1:
            files = " + ".join(str(n) for _, n in counts.most_common())
            raise InputError(code, folder, f"holds {len(counts)} {name} ({files} files)", "give one series a folder")
    for keyword in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "PixelRepresentation"):
        first = np.atleast_1d(np.asarray(slices[0].head.get(keyword), dtype=np.float64))
        for s in slices:
            if np.abs(np.atleast_1d(np.asarray(s.head.get(keyword), dtype=np.float64)) - first).max() > 1e-4:
                raise InputError(
                    "E_DICOM_MIXED", s.path, f"{keyword} differs from that of {slices[0].path.name}",
                    "the slices of one CT share size, spacing and orientation; give one series a folder",
                )  # fmt: skip


def ordered_slices(folder: Path) -> list[Slice]:
    """Checked slices in the order of their places along the normal, from the foot of the normal up."""
    slices = []
    for path in _files(folder):
        head = _header(path)
        if head is None:
            continue
        _check_slice(path, head)
        _numbers(path, head, "ImageOrientationPatient", 6)
        _numbers(path, head, "PixelSpacing", 2)
        slices.append(Slice(path, _numbers(path, head, "ImagePositionPatient", 3), head))
    if len(slices) < 2:
        raise InputError(
            "E_DICOM_SLICES", folder, f"holds {len(slices)} CT slices",
            "a series has at least two, one a file, directly in its folder",
        )  # fmt: skip
    _common(folder, slices)
    normal = normal_of(slices[0])
    return sorted(slices, key=lambda s: float(s.position @ normal))


def normal_of(one: Slice) -> NDArray[np.float64]:
    rows, columns = np.asarray(one.head.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    if max(abs(rows @ rows - 1), abs(columns @ columns - 1), abs(rows @ columns)) > COSINE:
        raise InputError(
            "E_DICOM_TAG", one.path, "ImageOrientationPatient is not two perpendicular unit vectors",
            "export the series again from the scanner or PACS",
        )  # fmt: skip
    normal = np.cross(rows, columns)
    return np.asarray(normal / np.linalg.norm(normal))


def slice_step(folder: Path, slices: list[Slice]) -> tuple[float, list[tuple[str, Path, str, str]]]:
    """Distance of neighbouring slices, mm; refuses duplicates, gaps, changing steps and tilt."""
    normal = normal_of(slices[0])
    places = np.array([s.position @ normal for s in slices])
    gaps = np.diff(places)
    if (same := np.flatnonzero(gaps < SAME_PLACE_MM)).size:
        one, two = slices[same[0]].path.name, slices[same[0] + 1].path.name
        raise InputError(
            "E_DICOM_DUPLICATE", folder, f"{one} and {two} lie at one place ({places[same[0]]:.2f} mm)",
            "keep one slice a place",
        )  # fmt: skip
    usual = float(np.median(gaps))
    off = np.abs(gaps / usual - 1)
    if off.max() > GAP_REFUSED:
        at = int(off.argmax())
        raise InputError(
            "E_DICOM_GAP", folder,
            f"{gaps[at]:.4g} mm between {slices[at].path.name} and {slices[at + 1].path.name}, else {usual:.4g} mm",
            "a slice is missing or the steps change; export the whole series",
        )  # fmt: skip
    pixel = min(float(v) for v in slices[0].head.PixelSpacing)
    way = slices[-1].position - slices[0].position
    aside = float(np.linalg.norm(way - (way @ normal) * normal))
    if aside > TILT * pixel:
        angle = np.degrees(np.arctan2(aside, way @ normal))
        raise InputError(
            "E_DICOM_TILT", folder, f"the slices are tilted by {angle:.2g} degrees against their stack (gantry tilt)",
            "resample the series onto a rectangular grid, or give the untilted reconstruction",
        )  # fmt: skip
    notes: list[tuple[str, Path, str, str]] = []
    if off.max() > GAP_NOTED:
        fault = f"slice distances vary by {100 * off.max():.2g} %"
        notes.append(("W_DICOM_STEPS", folder, fault, "their mean is used"))
    return float((places[-1] - places[0]) / (len(places) - 1)), notes
