"""Frames of an enhanced CT as if each were a slice of a series (DICOM PS3.3 A.38, C.7.6.16, C.8.15.3).

A functional group is taken of the frame, or of what all frames share. Runs in the child process.
"""

from __future__ import annotations

from typing import Any

from ovfrad.imaging.dicom.items import LARGEST

GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "CTAcquisitionDetailsSequence": ("GantryDetectorTilt",),
    "CTReconstructionSequence": ("ConvolutionKernel",),
    "CTExposureSequence": ("XRayTubeCurrentInmA",),
    "CTXRayDetailsSequence": ("KVP",),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex"),
    "CardiacSynchronizationSequence": ("NominalPercentageOfCardiacPhase",),
    "RespiratorySynchronizationSequence": ("NominalPercentageOfRespiratoryPhase",),
}
"""Sequences of a functional group, and what is taken of each."""
NAMES = {"FrameType": "ImageType", "XRayTubeCurrentInmA": "XRayTubeCurrent"}
"""Keywords of enhanced images for what slices call otherwise."""


def enhanced(dataset: Any) -> dict[str, Any]:
    """Values of a data set: `frames`, one mapping a frame, with the keywords of a slice.

    Returns
    -------
    dict
        Values are numbers, texts or lists; None where a value is not what it should be.
    """
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    common = _group(shared) if shared is not None else {}
    frames = [{**common, **_group(one)} for one in dataset.get("PerFrameFunctionalGroupsSequence") or []]
    return {"frames": frames}


def _group(group: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, keywords in GROUPS.items():
        items = group.get(name)
        if not items:
            continue
        for keyword in keywords:
            if keyword in items[0]:
                values[NAMES.get(keyword, keyword)] = _plain(items[0].get(keyword))
    return values


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < LARGEST else None
    try:
        return [_plain(one) for one in value]
    except TypeError:
        return float(value)  # a decimal
