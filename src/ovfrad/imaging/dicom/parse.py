"""Header values of a DICOM file as plain JSON values, by DICOM keyword. Runs in the child process.

Slices of a CT come by the hundred, so their few values are taken straight from the walked elements; pydicom reads
whatever has sequences to follow. Names, dates and other facts about a person are not taken, but for PatientID and a
digest of the name, by which slices of two patients are told apart.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.codestream import check_ends
from ovfrad.imaging.dicom.gate import DEFLATED, PIXELS, Element, Layout, opened
from ovfrad.imaging.dicom.items import LARGEST
from ovfrad.imaging.dicom.pixels import COMPRESSED, NATIVE

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
SLICE_ELEMENTS = 20_000
"""Most elements of a slice, at every level: real ones have some hundred."""
SLICE_BYTES = 1 << 26
"""Largest slice, inflated: it has one image of some megabytes, and a series has hundreds to be walked through."""
ENHANCED = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"

TAGS = {
    "SOPClassUID": (0x00080016, "UI"), "ImageType": (0x00080008, "CS"), "Modality": (0x00080060, "CS"),
    "Manufacturer": (0x00080070, "LO"), "ManufacturerModelName": (0x00081090, "LO"),
    "PatientID": (0x00100020, "LO"), "StudyInstanceUID": (0x0020000D, "UI"),
    "SeriesInstanceUID": (0x0020000E, "UI"), "FrameOfReferenceUID": (0x00200052, "UI"),
    "ContrastBolusAgent": (0x00180010, "LO"), "KVP": (0x00180060, "DS"), "XRayTubeCurrent": (0x00181151, "IS"),
    "ConvolutionKernel": (0x00181210, "SH"), "SliceThickness": (0x00180050, "DS"),
    "GantryDetectorTilt": (0x00181120, "DS"), "ImagePositionPatient": (0x00200032, "DS"),
    "ImageOrientationPatient": (0x00200037, "DS"), "PixelSpacing": (0x00280030, "DS"), "Rows": (0x00280010, "US"),
    "Columns": (0x00280011, "US"), "SamplesPerPixel": (0x00280002, "US"),
    "PhotometricInterpretation": (0x00280004, "CS"), "NumberOfFrames": (0x00280008, "IS"),
    "BitsAllocated": (0x00280100, "US"), "BitsStored": (0x00280101, "US"), "HighBit": (0x00280102, "US"),
    "PixelRepresentation": (0x00280103, "US"), "RescaleIntercept": (0x00281052, "DS"),
    "RescaleSlope": (0x00281053, "DS"), "RescaleType": (0x00281054, "LO"),
    "LossyImageCompression": (0x00282110, "CS"), "ModalityLUTSequence": (0x00283000, "SQ"),
}  # fmt: skip
"""Taken of every CT: tag and value representation (PS3.6 6)."""
PERSON = (0x00100010, 0x00100030)
CHARACTERS = 0x00080005
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""What DS and IS may hold (PS3.5 6.2); `float` alone takes more, such as 1_0."""


def header(path: Path, *, slices: bool = False) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Values and arrays of a file, by its SOP class; no values where it is no DICOM file.

    Parameters
    ----------
    path : Path
        The file.
    slices : bool
        Slices of a CT are looked for: of segmentations and structure sets the kind is enough.

    Raises
    ------
    InputError
        What the gate or a parser refuses; of other exceptions the caller makes a refusal.
    """
    layout = opened(path)
    if layout is None:
        return {}, {}
    kind = _text(layout, 0x00080016)
    if kind == CT_IMAGE and len(layout.data) > SLICE_BYTES:
        raise InputError(
            "E_DICOM_LIMIT", path, f"is a slice of {len(layout.data) >> 20} MiB",
            f"slices up to {SLICE_BYTES >> 20} MiB are read; export it again",
        )  # fmt: skip
    if kind == CT_IMAGE and layout.count > SLICE_ELEMENTS:
        raise InputError(
            "E_DICOM_LIMIT", path, f"is a slice with {layout.count} elements",
            f"slices with up to {SLICE_ELEMENTS} are read; export it again",
        )  # fmt: skip
    if slices and kind in (*SEGMENTATIONS, STRUCTURES):
        return {"SOPClassUID": kind, "Modality": _text(layout, 0x00080060)}, {}
    if kind in ENHANCED:
        from ovfrad.imaging.dicom.parse_enhanced import enhanced

        return {**classic(layout), **enhanced(_dataset(layout, pixels=False))}, {}
    if kind in SEGMENTATIONS:
        from ovfrad.imaging.dicom.parse_segmentation import segmentation

        apart = layout.fragments or layout.syntax == DEFLATED
        values, arrays = segmentation(_dataset(layout, pixels=bool(apart)))
        values["Pixels"] = _pixels(layout)
    elif kind == STRUCTURES:
        from ovfrad.imaging.dicom.parse_structures import structures

        values, arrays = structures(_dataset(layout))
    else:
        return classic(layout), {}
    return {"SOPClassUID": kind, "Modality": _text(layout, 0x00080060), **values}, arrays


def _dataset(layout: Layout, pixels: bool = True) -> Any:
    """The file as pydicom reads it."""
    import pydicom

    return pydicom.dcmread(layout.path, force=True, stop_before_pixels=not pixels)


def classic(layout: Layout) -> dict[str, Any]:
    """Values of a CT slice (or of any image), and where its pixels lie."""
    values: dict[str, Any] = {}
    for keyword, (tag, vr) in TAGS.items():
        one = layout.elements.get(tag)
        if one is not None:
            values[keyword] = _value(layout, tag, one, vr)
    person = b"\0".join(layout.value(tag).strip(b" \0^") for tag in PERSON)
    values["Person"] = hashlib.blake2b(person, digest_size=8).hexdigest()
    values["Pixels"] = _pixels(layout)
    return values


def _pixels(layout: Layout) -> dict[str, Any]:
    one = layout.elements.get(PIXELS)
    if layout.fragments and layout.syntax in COMPRESSED:
        check_ends(layout)
    return {
        "syntax": layout.syntax,
        "name": _syntax_name(layout.syntax),
        "order": layout.order,
        "bytes": one.length if one and not layout.fragments else None,
        "offset": one.offset if one and layout.syntax != DEFLATED and not layout.fragments else None,
        "fragments": len(layout.fragments),
    }


def _syntax_name(uid: str) -> str:
    """Name of a transfer syntax (PS3.6 A.1)."""
    if known := NATIVE.get(uid) or COMPRESSED.get(uid):
        return known
    from pydicom.uid import UID_dictionary

    return UID_dictionary[uid][0] if uid in UID_dictionary else "not known"


def _value(layout: Layout, tag: int, one: Element, vr: str) -> Any:
    """Value of a top-level element; None where it is not what the dictionary says."""
    if one.vr not in (b"", b"UN", vr.encode()):
        return None
    if vr == "SQ":
        return True
    if vr == "US":
        return layout.word(tag)
    parts: list[Any] = _text(layout, tag).split("\\")
    if vr in ("DS", "IS"):
        parts = [_number(part) for part in parts]
    return parts[0] if len(parts) == 1 else parts


def _number(text: str) -> float | None:
    text = text.strip(" ")
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) < LARGEST else None


def _text(layout: Layout, tag: int) -> str:
    raw = layout.value(tag).strip(b" \0")
    if raw.isascii():
        return raw.decode("ascii")
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        names = layout.value(CHARACTERS).decode("ascii").strip(" \0").split("\\")
        return decode_bytes(raw, convert_encodings(names), set()).strip()
    except (LookupError, UnicodeError):
        return raw.decode("latin-1")
