"""Segments and frames of a DICOM segmentation (PS3.3 A.51, C.8.20). Runs in the child process.

Pixels stay in the file, where the parent reads the frames of one segment; those that are compressed or deflated are
handed over unpacked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.gate import DEFLATED
from ovfrad.imaging.dicom.items import FAR_MM, fault, item, items, numbers, references, text, whole

MAX_SIDE = 4096
"""Rows and columns, as of an image."""
DECODED_BYTES = 1 << 28
"""Of decoded frames: a label map of 512 x 512 x 1024."""

GEOMETRY = {
    "position": ("PlanePositionSequence", "ImagePositionPatient", 3),
    "orientation": ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
    "spacing": ("PixelMeasuresSequence", "PixelSpacing", 2),
}
"""What a frame must say, itself or in what all share: its functional group, the element, the count of its numbers."""


def segmentation(dataset: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Segments and places of the frames.

    Parameters
    ----------
    dataset : pydicom.Dataset
        With its pixels where they are compressed or deflated, without them otherwise.

    Returns
    -------
    values : dict
        "type" (BINARY, FRACTIONAL, LABELMAP), "rows", "columns", "bits", "samples", "highest" (of fractions, or
        None); "segments": list of {"number", "name"}; "patient", "frames" and "series" as of structure sets.
    arrays : dict
        For each of n frames: "segment" int64 (n,), 0 in label maps; "position" (n, 3), "orientation" (n, 6),
        "spacing" (n, 2) in mm. Of deflated files "bytes", uint8; of compressed ones "frames", (n, rows, columns).
    """
    values: dict[str, Any] = {
        "type": text(dataset, "SegmentationType"),
        "rows": whole(dataset, "Rows") or 0,
        "columns": whole(dataset, "Columns") or 0,
        "bits": whole(dataset, "BitsAllocated") or 0,
        "samples": whole(dataset, "SamplesPerPixel") or 0,
        "highest": whole(dataset, "MaximumFractionalValue"),
        "segments": _segments(dataset),
        "patient": text(dataset, "PatientID"),
        "frames": [uid for uid in [text(dataset, "FrameOfReferenceUID")] if uid],
        "series": references(dataset),
    }
    if not (0 < values["rows"] <= MAX_SIDE and 0 < values["columns"] <= MAX_SIDE):
        raise fault("E_SEG_SIZE", f"has frames of {values['rows']} x {values['columns']} voxels")
    count = whole(dataset, "NumberOfFrames") or 0
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if count < 1 or count != len(groups):
        raise fault("E_SEG_FRAMES", f"announces {count} frames and describes {len(groups)}")
    return values, {**_frames(dataset, groups), **_pixels(dataset, values, count)}


def _segments(dataset: Any) -> list[dict[str, Any]]:
    """Number and name of each segment: its label, or the meaning of its code where it has none."""
    found = {}
    for one in items(dataset, "SegmentSequence"):
        number = whole(one, "SegmentNumber")
        if number is None or number in found:
            raise fault("E_SEG_SEGMENTS", "its segments are not numbered, each with its own number")
        kind = item(one, "SegmentedPropertyTypeCodeSequence")
        name = text(one, "SegmentLabel") or ("" if kind is None else text(kind, "CodeMeaning"))
        found[number] = {"number": number, "name": name}
    if not found:
        raise fault("E_SEG_SEGMENTS", "describes no segment")
    return list(found.values())


def _frames(dataset: Any, groups: Any) -> dict[str, NDArray[Any]]:
    """Segment and place of each frame."""
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    arrays: dict[str, NDArray[Any]] = {}
    for name, (group, keyword, size) in GEOMETRY.items():
        common = _numbers(shared, group, keyword)
        out = np.empty((len(groups), size))
        for n, one in enumerate(groups):
            found = _numbers(one, group, keyword)
            found = common if found is None else found
            if found is None or len(found) != size:
                raise fault("E_SEG_FRAMES", f"its frame {n + 1} has no {keyword} of {size} numbers")
            out[n] = found
        if np.abs(out).max() > FAR_MM:
            raise fault("E_SEG_FRAMES", f"a frame has a {keyword} of {np.abs(out).max():.3g}")
        arrays[name] = out
    owners = [_segment(one) or _segment(shared) or 0 for one in groups]
    arrays["segment"] = np.array(owners, dtype=np.int64)
    return arrays


def _numbers(group: Any, sequence: str, keyword: str) -> NDArray[np.float64] | None:
    """Decimal strings of an element in a functional group; None where they are absent or no numbers."""
    one = None if group is None else item(group, sequence)
    return None if one is None or keyword not in one else numbers(one, keyword)


def _segment(group: Any) -> int | None:
    one = None if group is None else item(group, "SegmentIdentificationSequence")
    return None if one is None else whole(one, "ReferencedSegmentNumber")


def _pixels(dataset: Any, values: dict[str, Any], count: int) -> dict[str, NDArray[Any]]:
    """Pixels that the parent cannot read from the file itself."""
    syntax = str(getattr(dataset.file_meta, "TransferSyntaxUID", ""))
    if "PixelData" not in dataset:
        return {}
    if syntax == DEFLATED:
        return {"bytes": np.frombuffer(dataset.PixelData, np.uint8)}
    shape = (count, values["rows"], values["columns"])
    dtype, highest = (np.uint16, 65535) if values["bits"] == 16 else (np.uint8, 255)
    if count * values["rows"] * values["columns"] * np.dtype(dtype).itemsize > DECODED_BYTES:
        raise InputError("E_SEG_SIZE", "", f"decodes to more than {DECODED_BYTES >> 20} MiB", "export it uncompressed")
    from pydicom.pixels import iter_pixels

    out, found = np.empty(shape, dtype), 0
    for frame in iter_pixels(dataset, raw=True):
        if found == count or frame.shape != shape[1:] or frame.min() < 0 or frame.max() > highest:
            raise fault("E_SEG_FRAMES", f"its compressed pixels are not {count} frames of {shape[1]} x {shape[2]}")
        out[found] = frame
        found += 1
    if found != count:
        raise fault("E_SEG_FRAMES", f"holds {found} compressed frames of {count}")
    return {"frames": out}
