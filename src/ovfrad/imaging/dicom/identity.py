"""Whether a DICOM mask was drawn on this CT: patient, frame of reference and series are compared and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovfrad.errors import InputError
from ovfrad.imaging.source import Note, Source

REMEDY = "give the mask that was drawn on this CT"


def compared(path: Path, values: Mapping[str, Any], ct: Source) -> tuple[Note, ...]:
    """Compare a mask with the CT it is read with; nothing is known, or said, where the CT is no DICOM.

    Parameters
    ----------
    path : Path
        The mask, named in messages.
    values : mapping
        Its "patient", and the "frames" and "series" it refers to.
    ct : Source
        Its `identity` has patient, frame and series.

    Raises
    ------
    InputError
        `E_MASK_PATIENT`; `E_MASK_FRAME` (another frame of reference: coordinates of the two mean different places,
        DICOM PS3.3 C.7.4.1); `E_MASK_SERIES`.
    """
    if not ct.identity:
        return ()
    patient, frame, series = (ct.identity.get(key, "").strip(" \0") for key in ("patient", "frame", "series"))
    if patient and values["patient"] and patient != values["patient"]:
        raise InputError("E_MASK_PATIENT", path, "its PatientID is not the CT's", REMEDY)
    named, elsewhere = series in values["series"], bool(series and values["series"])
    if not frame or not values["frames"]:
        return _without_frame(path, named, elsewhere)
    if frame not in values["frames"]:
        if not named:
            raise InputError("E_MASK_FRAME", path, "its frame of reference is not the CT's", REMEDY)
        return (("W_MASK_FRAME", path, "names this CT's series but another frame of reference", "the CT's is used"),)
    if elsewhere and not named:
        return (("W_MASK_SERIES", path, "was drawn on another series of this frame of reference", "check the overlay"),)
    return ()


def _without_frame(path: Path, named: bool, elsewhere: bool) -> tuple[Note, ...]:
    if named:
        return ()
    if elsewhere:
        raise InputError("E_MASK_SERIES", path, "names another series as its CT and no frame of reference", REMEDY)
    return (("W_MASK_IDENTITY", path, "does not say on which CT it was drawn", "only its place was compared"),)


def other_class(path: Path, modality: str) -> InputError:
    """The refusal of a file whose SOP class is not that of its modality."""
    return InputError("E_DICOM_FILE", path, f"says {modality}, but is of another SOP class", "export it again")
