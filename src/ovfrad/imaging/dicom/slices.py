"""What one slice of a CT must be by itself (DICOM PS3.3 C.7.6.2.1.1, C.7.6.3, C.8.2.1). No message names a patient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.items import LARGEST
from ovfrad.imaging.dicom.pixels import COMPRESSED, NATIVE
from ovfrad.imaging.plausibility import FAT_HU
from ovfrad.imaging.source import truncated

COSINE = 1e-3
"""By which the image orientation may miss unit length and a right angle (a rounded header)."""
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED = (f"{CT_IMAGE}.1", f"{CT_IMAGE}.2")
"""Enhanced and legacy converted enhanced CT Image Storage."""
LOCALIZERS = {"LOCALIZER", "SCOUT", "TOPOGRAM"}
PROJECTION = re.compile(
    r"(?<![A-Z])(MIP|MINIP|M(AX|IN)[ _]IP|VRT|SSD|PROJECTION IMAGE|VOLUME_RENDER|SCREEN SAVE|MAXIMUM|MINIMUM)(?![A-Z])"
)
"""Words in ImageType, as the standard and vendors write them (MIP THICK), by which an image holds no HU of the
tissue at its place (C.8.16.1, C.8.16.2.1.4)."""
MODALITIES = {
    "CR", "DX", "KO", "MG", "MR", "NM", "OT", "PR", "PT", "REG", "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT",
    "SC", "SEG", "SR", "US", "XA",
}  # fmt: skip
COLOURS = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
UNITS = {"OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}
"""What messages may show (C.7.3.1.1.1, C.7.6.3.1.2, C.11.1.1.2): a damaged header may hold a name there."""
AGAIN = "export the series again from the scanner or PACS"
ORIGINAL = "export the original series"


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: a file, or a frame of an enhanced CT.

    Parameters
    ----------
    path : Path
        File.
    values : mapping
        Header values by keyword; those of the frame above those of the file.
    frame : int or None
        Frame from 0; None where the file is the slice.
    """

    path: Path
    values: Mapping[str, Any]
    frame: int | None = None

    @property
    def name(self) -> str:
        """As messages call it."""
        return self.path.name if self.frame is None else f"frame {self.frame + 1}"

    @property
    def position(self) -> NDArray[np.float64]:
        """Centre of the first pixel, LPS mm."""
        return self.numbers("ImagePositionPatient", 3)

    @property
    def key(self) -> tuple[Path, int]:
        """File and frame, as the child is asked for pixels."""
        return self.path, self.frame or 0

    def text(self, keyword: str) -> str:
        """Value as a text, several values separated by spaces; empty where there is none."""
        value = self.values.get(keyword)
        return " ".join(str(v) for v in value) if isinstance(value, list) else str(value or "").strip()

    def number(self, keyword: str) -> float:
        """Value as a number, else `E_DICOM_TAG`."""
        value = self.values.get(keyword)
        if not is_number(value):
            raise self.refused("E_DICOM_TAG", f"{keyword} is missing or no number", AGAIN)
        return float(value)

    def numbers(self, keyword: str, n: int) -> NDArray[np.float64]:
        """Values as numbers, else `E_DICOM_TAG`."""
        value = self.values.get(keyword)
        if not isinstance(value, list) or len(value) != n or not all(map(is_number, value)):
            raise self.refused("E_DICOM_TAG", f"{keyword} is missing or not {n} numbers", AGAIN)
        return np.array(value, dtype=np.float64)

    def refused(self, code: str, fault: str, remedy: str) -> InputError:
        """The refusal that names this slice."""
        return InputError(code, self.path, fault if self.frame is None else f"{fault} ({self.name})", remedy)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a header value is a number that one may reckon with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def check_slice(one: Slice) -> None:
    """Refuse what is no slice of a CT in HU."""
    _check_kind(one)
    _check_pixel_format(one)
    if one.number("RescaleSlope") == 0:
        raise one.refused("E_DICOM_RESCALE", "RescaleSlope is 0", ORIGINAL)
    one.number("RescaleIntercept")
    if "ModalityLUTSequence" in one.values:
        raise one.refused("E_DICOM_RESCALE", "has a table in place of a rescale", ORIGINAL)
    unit = one.text("RescaleType").upper() or "HU"
    if unit not in ("HU", "US") and not unit.startswith("HOUNSFIELD"):
        shown = unit if unit in UNITS else "another unit"
        raise one.refused("E_DICOM_RESCALE", f"its values are in {shown}, not HU", "give a CT in HU")
    _check_range(one)
    check_orientation(one)
    if one.numbers("PixelSpacing", 2).min() <= 0:
        said = " x ".join(f"{v:g}" for v in one.numbers("PixelSpacing", 2))
        raise one.refused("E_IMAGE_SPACING", f"PixelSpacing is {said} mm", f"spacing is positive; {AGAIN}")
    one.numbers("ImagePositionPatient", 3)


def _check_kind(one: Slice) -> None:
    if (found := one.text("Modality")) != "CT":
        said = f"modality {found}" if found in MODALITIES else "no known modality"
        raise one.refused("E_NOT_CT", f"its header says {said}", "give a CT series")
    kind = one.text("SOPClassUID")
    if kind and kind != CT_IMAGE and kind not in ENHANCED:  # anonymisers empty it
        what = "a secondary capture" if kind.startswith("1.2.840.10008.5.1.4.1.1.7") else "no CT image"
        raise one.refused("E_NOT_CT", f"is {what} by its SOP class", ORIGINAL)
    if one.frame is None and "NumberOfFrames" in one.values and (n := one.number("NumberOfFrames")) != 1:
        raise one.refused(
            "E_DICOM_MULTIFRAME", f"holds {n:g} frames and is no enhanced CT",
            "a file holds one slice, or is an enhanced CT; export it again",
        )  # fmt: skip
    kinds = one.values.get("ImageType") or []
    flavours = [str(v).strip().upper() for v in ([kinds] if isinstance(kinds, str) else kinds)]
    if LOCALIZERS.intersection(flavours):
        raise one.refused("E_DICOM_LOCALIZER", "is a localizer", "keep the slices of the series alone in the folder")
    if rendering := PROJECTION.search("\\".join(flavours)):
        raise one.refused("E_DICOM_DERIVED", f"is a projection or rendering ({rendering[0]})", ORIGINAL)


def _check_pixel_format(one: Slice) -> None:
    colour = one.text("PhotometricInterpretation")
    if colour != "MONOCHROME2" or one.values.get("SamplesPerPixel") != 1:
        shown = colour if colour in COLOURS else "unknown" if colour else "missing"
        raise one.refused(
            "E_DICOM_PIXELS", f"photometric interpretation is {shown}",
            "CT slices are MONOCHROME2; export the original series",
        )  # fmt: skip
    if (bits := one.number("BitsAllocated")) != 16:
        raise one.refused(
            "E_CT_8BIT" if bits < 16 else "E_DICOM_PIXELS", f"has {bits:g} bits a pixel",
            "CT slices have 16; export the original series",
        )  # fmt: skip
    if min(one.number("Rows"), one.number("Columns")) < 1:
        raise one.refused("E_DICOM_TAG", "Rows or Columns is 0", AGAIN)
    stored = one.number("BitsStored")
    if stored <= 8:
        raise one.refused(
            "E_CT_8BIT", f"stores {stored:g} bits a pixel", "CT slices store 12 to 16; export the original series"
        )
    if stored > 16 or one.number("HighBit") != stored - 1:
        raise one.refused(
            "E_DICOM_PIXELS", f"BitsStored is {stored:g} and HighBit is {one.number('HighBit'):g}",
            "the highest bit is the last stored one (at most 15); export the original series",
        )  # fmt: skip
    if one.number("PixelRepresentation") not in (0, 1):
        raise one.refused("E_DICOM_TAG", "PixelRepresentation is neither 0 nor 1", AGAIN)


def _check_range(one: Slice) -> None:
    """Refuse a rescale by which no stored value can be the HU of fat."""
    slope, intercept, bits = one.number("RescaleSlope"), one.number("RescaleIntercept"), int(one.number("BitsStored"))
    first = -(1 << bits - 1) if one.values["PixelRepresentation"] == 1 else 0
    lowest = min(slope * first, slope * (first + (1 << bits) - 1)) + intercept
    if lowest > FAT_HU:
        raise one.refused(
            "E_DICOM_RESCALE", f"its rescale makes no value below {lowest:g} HU, and fat has -100", ORIGINAL
        )


def check_orientation(one: Slice) -> NDArray[np.float64]:
    """Unit normal of a slice; refused where its axes are no perpendicular unit vectors."""
    rows, columns = one.numbers("ImageOrientationPatient", 6).reshape(2, 3)
    if max(abs(rows @ rows - 1), abs(columns @ columns - 1), abs(rows @ columns)) > COSINE:
        raise one.refused("E_DICOM_TAG", "ImageOrientationPatient is not two perpendicular unit vectors", AGAIN)
    normal = np.cross(rows, columns)
    return np.asarray(normal / np.linalg.norm(normal))


def check_pixels(path: Path, pixels: Mapping[str, Any], wanted: int) -> None:
    """Refuse a file whose pixels are not there, not all there, or stored in an unknown way.

    Parameters
    ----------
    path : Path
        Named in messages.
    pixels : mapping
        Where the pixels lie, as `parse` says.
    wanted : int
        Bytes of all pixels, uncompressed.
    """
    if (syntax := pixels["syntax"]) not in NATIVE and syntax not in COMPRESSED:
        raise InputError(
            "E_DICOM_SYNTAX", path, f"its transfer syntax ({pixels['name']}) is not read",
            "export the series uncompressed or with a lossless compression",
        )  # fmt: skip
    if syntax in COMPRESSED:
        if not pixels["fragments"]:
            raise InputError("E_DICOM_FILE", path, "holds no compressed pixels", "copy or export the series again")
    elif pixels["bytes"] is None:
        raise InputError("E_DICOM_FILE", path, "holds no pixels", "copy or export the series again")
    elif pixels["bytes"] != wanted:
        raise truncated(path, pixels["bytes"], wanted)
