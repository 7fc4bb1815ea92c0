"""Contours of an RT structure set (DICOM PS3.3 C.8.8.5, C.8.8.6). Runs in the child process."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.items import FAR_MM, fault, items, numbers, text, whole

MAX_POINTS = 4_000_000
"""Points of all contours: ten times a structure set of the whole body, 96 MB."""


def structures(dataset: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Regions and contours of a structure set.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Elements not touched before, so that coordinates are still bytes.

    Returns
    -------
    values : dict
        "patient" (PatientID), "frames" and "series" (UIDs of what the contours were drawn on); "rois": a list of
        {"number", "name", "frame", "contours"}, and of each contour its "type", its "points" [first, stop] and the
        number of points that is "stated" (None where it is not).
    arrays : dict
        "points": float64, shape (n, 3), LPS mm.
    """
    drawn, points = _contours(dataset)
    rois: dict[int, dict[str, Any]] = {}
    for one in items(dataset, "StructureSetROISequence"):
        number = whole(one, "ROINumber")
        if number is None or number in rois:
            raise fault(
                "E_RTSTRUCT_ROI", "two of its ROIs have one number" if number in rois else "a ROI has no number"
            )
        rois[number] = {
            "number": number,
            "name": text(one, "ROIName"),
            "frame": text(one, "ReferencedFrameOfReferenceUID"),
            "contours": drawn.pop(number, []),
        }
    if drawn:
        raise fault("E_RTSTRUCT_ROI", f"{len(drawn)} of its ROIs have contours and no entry in its list of ROIs")
    if not rois:
        raise fault("E_RTSTRUCT_ROI", "holds no ROI")
    frames, series = _drawn_on(dataset)
    frames |= {roi["frame"] for roi in rois.values()} - {""}
    values = {
        "patient": text(dataset, "PatientID"), "frames": sorted(frames), "series": sorted(series),
        "rois": list(rois.values()),
    }  # fmt: skip
    return values, {"points": points}


def _contours(dataset: Any) -> tuple[dict[int, list[dict[str, Any]]], NDArray[np.float64]]:
    """Contours by ROI number, and the points of all."""
    drawn: dict[int, list[dict[str, Any]]] = {}
    parts, count = [np.empty((0, 3))], 0
    for roi in items(dataset, "ROIContourSequence"):
        number = whole(roi, "ReferencedROINumber")
        if number is None or number in drawn:
            raise fault("E_RTSTRUCT_ROI", "its contours are not sorted by the number of their ROI")
        drawn[number] = []
        for contour in items(roi, "ContourSequence"):
            points = _points(contour)
            drawn[number].append(
                {
                    "type": text(contour, "ContourGeometricType"),
                    "points": [count, count + len(points)],
                    "stated": whole(contour, "NumberOfContourPoints"),
                }
            )
            parts.append(points)
            count += len(points)
            if count > MAX_POINTS:
                raise InputError(
                    "E_RTSTRUCT_SIZE", "", f"has more than {MAX_POINTS} points", "export it with the ROI alone"
                )
    return drawn, np.concatenate(parts)


def _points(contour: Any) -> NDArray[np.float64]:
    """Points of one contour, shape (n, 3)."""
    found = numbers(contour, "ContourData")
    if found is None:
        raise fault("E_RTSTRUCT_DATA", "a coordinate of a contour is no finite number")
    if len(found) % 3:
        raise fault("E_RTSTRUCT_DATA", f"a contour has {len(found)} coordinates, which is no multiple of three")
    if len(found) and np.abs(found).max() > FAR_MM:
        raise fault("E_RTSTRUCT_DATA", f"a point of a contour lies {np.abs(found).max() / 1000:.3g} m off")
    return found.reshape(-1, 3)


def _drawn_on(dataset: Any) -> tuple[set[str], set[str]]:
    """Frames of reference and series that the structure set names."""
    frames, series = {text(dataset, "FrameOfReferenceUID")}, set()
    for frame in items(dataset, "ReferencedFrameOfReferenceSequence"):
        frames.add(text(frame, "FrameOfReferenceUID"))
        for study in items(frame, "RTReferencedStudySequence"):
            series |= {text(one, "SeriesInstanceUID") for one in items(study, "RTReferencedSeriesSequence")}
    return frames - {""}, series - {""}
