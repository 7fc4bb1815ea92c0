"""Which CT and which mask of a folder of images belong together, by names and folders; no voxel is read."""

from __future__ import annotations

import re
from pathlib import Path

from ovfrad.astlof import VERTEBRAE
from ovfrad.errors import InputError

_IMAGE = (".nii", ".nii.gz", ".nrrd", ".mha")
_MASK_WORDS = frozenset(
    {"mask", "masks", "msk", "seg", "segmentation", "label", "labels", "roi", "rtstruct", "rtss", "rs"}
)
_CT_WORDS = frozenset({"ct", "image", "img", "volume", "dicom", "scan", "series"})
_FEW_MASKS = 10
"""DICOM masks in one folder; more are the slices of a series whose names happen to hold such a word."""
_SECOND = frozenset({"reader2", "r2"})


def find_cases(images: Path) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """One row per mask that has a CT beside it, and the images and masks that are in none, each with the reason."""
    if not images.is_dir():
        raise InputError("E_FILE_MISSING", images, "there is no such folder", "give the folder of CTs and masks")
    root = images.resolve()
    files = _image_files(root)
    masks = [path for path in files if _words(path) & _MASK_WORDS]
    scans = [path for path in files if path not in masks]
    rows: list[dict[str, str]] = []
    for mask in (m for m in masks if not _words(m) & _SECOND):
        scan = _partner(mask, scans, root)
        if scan is None:
            continue
        patient = _patient(mask, root)
        rows.append(
            {
                "patient_id": patient,
                "vertebra": _vertebra(mask) or _vertebra(scan) or _unnamed(patient, rows),
                "ct": str(scan),
                "mask": str(mask),
                "mask_reader2": str(_second(mask, scan, masks) or ""),
            }
        )
    return rows, _left(masks, scans, rows, root)


def _left(masks: list[Path], scans: list[Path], rows: list[dict[str, str]], root: Path) -> list[tuple[str, str]]:
    """Images and masks in no row, by their path below `root`, and why."""
    used = {row[column] for row in rows for column in ("ct", "mask", "mask_reader2")}
    masked = {mask.parent for mask in masks}
    left: list[tuple[str, str]] = []
    for path in sorted([*masks, *scans]):
        if str(path) in used:
            continue
        beside = any(scan.parent == path.parent for scan in scans)
        if path in scans:
            why = "no mask has the name of this CT" if path.parent in masked else "no mask lies beside this CT"
        elif _words(path) & _SECOND:
            why = "no first reader's mask, paired with a CT, has the name of this second one"
        else:
            why = "no CT beside this mask has its name" if beside else "no CT lies beside this mask"
        left.append((path.relative_to(root).as_posix(), why))
    return left


def _second(mask: Path, scan: Path, masks: list[Path]) -> Path | None:
    """The second reader's mask of the same name and level; the level may stand in the second one's name alone.

    A first mask without a level takes the only second one of its name, unless another first mask has that level.
    """
    same = [m for m in masks if _key(m) == _key(mask)]
    seconds = [m for m in same if _words(m) & _SECOND]
    level = _vertebra(mask) or _vertebra(scan)
    fits = [m for m in seconds if _vertebra(m) in (None, level)]
    if not fits and level is None and len(seconds) == 1:
        taken = {_vertebra(m) for m in same if m not in seconds}
        fits = [m for m in seconds if _vertebra(m) not in taken]
    return next(iter(fits), None)


def _image_files(images: Path) -> list[Path]:
    """Image files below a folder, DICOM files that are masks by name, and folders of DICOM series, sorted."""
    found = [p for p in images.rglob("*") if p.is_file() and p.name.lower().endswith(_IMAGE)]
    dicom = [p for p in images.rglob("*") if p.is_file() and p not in found and _is_dicom(p)]
    named = [p for p in dicom if _words(p) & _MASK_WORDS and not _words(p.parent) & _MASK_WORDS]
    masks = [p for p in named if sum(other.parent == p.parent for other in named) <= _FEW_MASKS]
    series = {p.parent for p in dicom if p not in masks}
    return sorted([*found, *masks, *series])


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted((*_IMAGE, ".seg.nrrd", ".dcm"), key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _words(path: Path) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", _stem(path).lower()))


def _key(path: Path) -> tuple[Path, tuple[str, ...]]:
    """What a CT and its mask share: the folder, and the words of the name that tell neither kind nor level."""
    names = (v.lower() for v in VERTEBRAE)
    empty = {*_MASK_WORDS, *_CT_WORDS, *_SECOND, *names, ""}
    words = re.split(r"[^a-z0-9]+", _stem(path).lower())
    return path.parent, tuple(word for word in words if word not in empty)


def _partner(mask: Path, scans: list[Path], root: Path) -> Path | None:
    """CT of a mask: same folder and same remaining name, else the only CT of its folder.

    In the folder of all patients the only CT may be another patient's, so there two names must not differ.
    """
    same = [scan for scan in scans if _key(scan) == _key(mask)]
    if len(same) > 1:
        same = [s for s in same if _vertebra(s) in (None, _vertebra(mask))][:1] or same[:1]
    beside = [scan for scan in scans if scan.parent == mask.parent]
    if same or len(beside) != 1:
        return same[0] if same else None
    named = _key(mask)[1] and _key(beside[0])[1]
    return None if named and mask.parent == root else beside[0]


def _vertebra(path: Path) -> str | None:
    for word in re.split(r"[^A-Z0-9]+", _stem(path).upper().replace("TH", "T")):
        if word in VERTEBRAE:
            return word
    return None


def _unnamed(patient: str, rows: list[dict[str, str]]) -> str:
    """A level that no name tells: `-`, then `-2`, `-3` for the same patient."""
    before = sum(row["patient_id"] == patient for row in rows)
    return f"-{before + 1}" if before else "-"


def _patient(mask: Path, images: Path) -> str:
    """Patient by what is left of the mask's name, else by its folder."""
    _, words = _key(mask)
    if words and not (mask.suffix == ".dcm" and mask.parent != images):  # archives name objects by their UID
        kept = [w for w in re.split(r"[^A-Za-z0-9]+", _stem(mask)) if w.lower() in words]
        return "_".join(kept)
    return mask.parent.name if mask.parent != images else _stem(mask)
