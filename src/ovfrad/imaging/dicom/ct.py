"""A DICOM CT as a `Source`: the folder of a series, or one enhanced multi-frame file.

Headers are parsed, and compressed pixels decoded, in the child process; raw pixels are read here, at the place that
the child found. Each slice has its own rescale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.pixels import LOSSY, as_stored, in_hu
from ovfrad.imaging.dicom.sandbox import Parsed, decoded, facts
from ovfrad.imaging.dicom.series import check_common, ordered, slice_step
from ovfrad.imaging.dicom.slices import CT_IMAGE, ENHANCED, Slice, check_pixels, check_slice, is_number
from ovfrad.imaging.source import MAX_SIDE, Note, Source, check_axes, check_size, truncated
from ovfrad.imaging.volume import Grid

COMPANIONS = (".txt", ".xml", ".json", ".pdf", ".csv", ".md", ".html", ".jpg", ".png", ".ini", ".log")
VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha")
"""Files beside a series that are passed over when they are no DICOM, those of other volumes with a warning; any other
file is refused, it may be a slice."""
BESIDE = {"DOC", "KO", "PR", "REG", "RTDOSE", "RTPLAN", "RTSTRUCT", "SEG", "SR"}
"""Modalities of objects that archives put beside the slices of a CT: none of them can be a slice."""
IMAGES = (CT_IMAGE, *ENHANCED)
TILT_DEGREES = 0.1
"""Gantry tilt in a header that the places of the slices do not show: beyond rounding it is told."""


def open_dicom(path: Path) -> Source:
    """Check the headers of a CT; pixels are read only for the slices that are asked for.

    Parameters
    ----------
    path : Path
        Folder of a series, one slice a file or one enhanced CT; or the file of an enhanced CT.

    Raises
    ------
    InputError
        Names the slice at fault, or the folder where it is all of them.
    """
    slices, notes = _of_folder(path) if path.is_dir() else (_of_file(path), [])
    if len(slices) < 2:
        raise InputError(
            "E_DICOM_SLICES", path, f"holds {len(slices)} CT slices",
            "a series has at least two, one a file, directly in its folder",
        )  # fmt: skip
    check_common(path, slices)
    frames = Counter(s.path for s in slices)
    for file, values in {s.path: s.values for s in slices}.items():
        check_pixels(file, values["Pixels"], frames[file] * int(values["Rows"]) * int(values["Columns"]) * 2)
    slices = ordered(slices)
    step, uneven = slice_step(path, slices)
    grid = _grid(slices, step)
    check_size(path, grid.shape, 2)
    check_axes(path, grid)
    notes += uneven + _notes(path, slices, step)

    def planes(numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        return zip(numbers, _planes([slices[k] for k in numbers]), strict=True)

    return Source(
        path,
        grid,
        16,
        planes,
        is_dicom_ct=True,
        facts=_facts(slices),
        notes=tuple(notes),
        identity=_identity(slices[0]),
    )


def _files(folder: Path) -> list[Path]:
    """Files that may be slices, by name; what is neither file nor folder is refused."""
    files = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in ("DICOMDIR", "Thumbs.db") or path.is_dir():
            continue
        if not path.is_file():
            raise InputError(
                "E_DICOM_FILE", path, "is no file (a device, a pipe or a link to nothing)",
                "a series folder holds the slices of one CT and nothing else",
            )  # fmt: skip
        files.append(path)
    if len(files) > MAX_SIDE:
        raise InputError("E_IMAGE_SIZE", folder, f"holds {len(files)} files", f"a CT has at most {MAX_SIDE} slices")
    return files


def _of_folder(folder: Path) -> tuple[list[Slice], list[Note]]:
    slices: list[Slice] = []
    others: Counter[str] = Counter()
    for parsed in facts(_files(folder), slices=True):
        if not parsed.values:
            name = parsed.path.name.lower()
            if name.endswith(VOLUMES):
                others["other volume"] += 1
            if name.endswith((*COMPANIONS, *VOLUMES)):
                continue
            raise InputError(
                "E_DICOM_FILE", parsed.path, "cannot be read as DICOM",
                "a series folder holds the slices of one CT and nothing else; copy or export it again",
            )  # fmt: skip
        if (kind := str(parsed.values.get("Modality"))) in BESIDE and parsed.values.get("SOPClassUID") not in IMAGES:
            others[kind] += 1
            continue
        found = _of_parsed(parsed)
        if slices and (found[0].frame is not None or slices[0].frame is not None):
            raise InputError(
                "E_DICOM_MULTIFRAME", parsed.path, "lies beside another file, and one of them is an enhanced CT",
                "an enhanced CT is read when it is alone in its folder, or by its own path",
            )  # fmt: skip
        slices += found
    notes: list[Note] = []
    if slices and others:
        found_kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(others.items()))
        notes.append(("W_DICOM_FOLDER", folder, f"holds {found_kinds} beside the slices", "they are passed over"))
    if slices and (n := sum(p.is_dir() and not p.name.startswith(".") for p in folder.iterdir())):
        notes.append(("W_DICOM_FOLDER", folder, f"holds {n} more folders", "slices in them are not read"))
    return slices, notes


def _of_file(path: Path) -> list[Slice]:
    (parsed,) = facts([path], slices=True)
    if not parsed.values:
        raise InputError("E_DICOM_FILE", path, "cannot be read as DICOM", "copy or export it again")
    if parsed.values.get("SOPClassUID") in ENHANCED:
        return _of_parsed(parsed)
    raise InputError("E_FORMAT", path, "is one DICOM file", "give the folder of its series")


def _of_parsed(parsed: Parsed) -> list[Slice]:
    """Checked slices of one file."""
    slices = [Slice(parsed.path, parsed.values)]
    if parsed.values.get("SOPClassUID") in ENHANCED:
        common = {k: v for k, v in parsed.values.items() if k != "frames"}
        frames = parsed.values["frames"]
        slices = [Slice(parsed.path, {**common, **values}, n) for n, values in enumerate(frames)]
        _check_stack(parsed.path, slices, common.get("NumberOfFrames"))
    for one in slices:
        check_slice(one)
    return slices


def _check_stack(path: Path, frames: list[Slice], announced: Any) -> None:
    """Refuse an enhanced CT that is more than one stack."""
    if not frames or len(frames) != announced:
        count = f"{announced:g}" if isinstance(announced, (int, float)) else "of unknown number"
        fault = f"describes {len(frames)} of its frames, which are {count}"
        raise InputError("E_DICOM_MULTIFRAME", path, fault, "export it again from the scanner")
    kinds = {
        "StackID": "stacks", "TemporalPositionIndex": "points of time",
        "NominalPercentageOfCardiacPhase": "phases of the heart",
        "NominalPercentageOfRespiratoryPhase": "phases of breathing",
    }  # fmt: skip
    for keyword, name in kinds.items():
        if (n := len({str(one.values.get(keyword)) for one in frames})) > 1:
            raise InputError(
                "E_DICOM_MULTIFRAME", path, f"holds {n} {name}", "give a CT of one stack; export the one that is meant"
            )


def _grid(slices: list[Slice], step: float) -> Grid:
    """Grid of ordered slices: PS3.3 equation C.7.6.2.1-1, with the stack along the normal."""
    head = slices[0]
    rows, columns = head.numbers("ImageOrientationPatient", 6).reshape(2, 3)
    normal = np.cross(rows, columns)
    down, along = head.numbers("PixelSpacing", 2)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = rows * along, columns * down
    affine[:3, 2], affine[:3, 3] = normal / np.linalg.norm(normal) * step, head.position
    return Grid((len(slices), int(head.number("Rows")), int(head.number("Columns"))), affine)


def _planes(slices: list[Slice]) -> Iterator[NDArray[Any]]:
    """HU of slices, (row, column)."""
    compressed = decoded([s.key for s in slices if s.values["Pixels"]["offset"] is None])
    for one in slices:
        stored = _raw(one) if one.values["Pixels"]["offset"] is not None else next(compressed)
        yield in_hu(stored, one.number("RescaleSlope"), one.number("RescaleIntercept"))


def _raw(one: Slice) -> NDArray[Any]:
    """Stored values of an uncompressed slice, read at the place that the child found."""
    pixels, rows, columns = one.values["Pixels"], int(one.values["Rows"]), int(one.values["Columns"])
    size = rows * columns * 2
    with one.path.open("rb", buffering=0) as stream:
        stream.seek(pixels["offset"] + (one.frame or 0) * size)
        found = stream.read(size)
    if len(found) != size:
        raise truncated(one.path, len(found), size)
    words = np.frombuffer(found, pixels["order"] + "u2").astype(np.uint16, copy=False)
    return as_stored(one.path, words.reshape(rows, columns), int(one.values["BitsStored"]), _signed(one))


def _signed(one: Slice) -> bool:
    return one.values["PixelRepresentation"] == 1


def _notes(path: Path, slices: list[Slice], step: float) -> list[Note]:
    notes: list[Note] = []
    thickness = _mean(slices, "SliceThickness")
    if thickness and step > 1.5 * thickness:
        fault = f"slices of {thickness:.3g} mm lie {step:.3g} mm apart"
        notes.append(("W_DICOM_SPARSE", path, fault, "bone between the slices is not seen"))
    rescales = {(s.number("RescaleSlope"), s.number("RescaleIntercept")) for s in slices}
    if len(rescales) > 1:
        notes.append(("W_DICOM_RESCALE", path, f"its slices have {len(rescales)} rescales", "each slice's own is used"))
    if any(_lossy(s) for s in slices):
        notes.append(("W_DICOM_LOSSY", path, "was compressed with loss", "texture features may differ"))
    tilt = _mean(slices, "GantryDetectorTilt")
    if tilt and abs(tilt) > TILT_DEGREES:
        fault = f"its header names a gantry tilt of {tilt:.3g} degrees that the places of the slices do not show"
        notes.append(("W_DICOM_TILT", path, fault, "shapes are wrong if the slices were not corrected for it"))
    ways = {(s.text("ConvolutionKernel"), s.text("KVP")) for s in slices}
    if len(ways) > 1:
        fault = f"its slices have {len(ways)} kernels or tube voltages"
        notes.append(("W_DICOM_ACQUISITION", path, fault, "texture and HU differ between them"))
    return notes


def _lossy(one: Slice) -> bool:
    """Compressed with loss by the header's word, or by a syntax that may lose and no word."""
    word, syntax = one.text("LossyImageCompression"), one.values["Pixels"]["syntax"]
    return word == "01" or (syntax in LOSSY and word != "00")


def _mean(slices: list[Slice], keyword: str) -> float | None:
    values = [v for s in slices if is_number(v := s.values.get(keyword))]
    if len(set(values)) == 1:
        return float(values[0])  # a mean of equal values may round
    return float(np.mean(values)) if values else None


def _facts(slices: list[Slice]) -> dict[str, str | float]:
    """Facts for the acquisition table; absent where no header has them."""
    facts: dict[str, str | float] = {"header": "DICOM"}
    head = slices[0]
    names = {"manufacturer": "Manufacturer", "model": "ManufacturerModelName", "kernel": "ConvolutionKernel"}
    for name, keyword in names.items():
        if text := head.text(keyword):
            facts[name] = text
    for name, keyword in (("kvp", "KVP"), ("ma", "XRayTubeCurrent"), ("slice_thickness_mm", "SliceThickness")):
        if (value := _mean(slices, keyword)) is not None:
            facts[name] = value
    facts["pixel_mm"] = float(head.numbers("PixelSpacing", 2)[1])
    if any(s.text("ContrastBolusAgent") for s in slices):
        facts["contrast"] = "yes"
    return facts


def _identity(head: Slice) -> dict[str, str]:
    keywords = {
        "patient": "PatientID", "frame": "FrameOfReferenceUID", "series": "SeriesInstanceUID",
        "study": "StudyInstanceUID",
    }  # fmt: skip
    return {name: head.text(keyword) for name, keyword in keywords.items()}
