"""`ovfrad init`: study.yaml and cases.csv to begin with, filled from a folder of images where that can be done."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

from ovfrad.astlof import VERTEBRAE
from ovfrad.errors import InputError
from ovfrad.study.table import COLUMNS
from ovfrad.workflow.folder import RunFolder

_IMAGE = (".nii", ".nii.gz", ".nrrd", ".mha")
_MASK_WORDS = frozenset(
    {"mask", "masks", "msk", "seg", "segmentation", "label", "labels", "roi", "rtstruct", "rtss", "rs"}
)
_CT_WORDS = frozenset({"ct", "image", "img", "volume", "dicom", "scan", "series"})
_FEW_MASKS = 10
"""DICOM masks in one folder; more are the slices of a series whose names happen to hold such a word."""
_SECOND = frozenset({"reader2", "r2"})

#: Below so many patients none is set aside: the nested estimate on all of them says more.
FEW = 50

STUDY = """\
# A study of osteoporotic vertebral fractures on CT. `ovfrad study schema` lists every setting; those left out have
# the defaults of the recipe. Next: fill the column {column} in cases.csv, then `ovfrad check .` and `ovfrad run .`
name: {name}
recipe: sound            # or paper: every step as Liu et al. 2025 describe it
cases: cases.csv
allow_absolute_paths: {outside}
outcome:
  column: {column}       # 0, 1, 2; or leave it empty and fill morphology, mri, t_score and pain
  ordered: true
cohorts:
  column: cohort         # train, internal, external, prospective; left empty: 8:2 by patient
deep:
  arms:
    random: {{weights: random}}   # a seeded random network; put the path of a .safetensors file here
    none: {{weights: none}}       # radiomics alone
models:
  headline: {{arm: none, model: auto}}   # named before any result is seen
  outer_folds: {folds}
  inner_folds: {folds}
"""


def initialise(folder: Path, images: Path | None) -> tuple[Path, int]:
    """Write study.yaml and cases.csv; return the study's path and the number of cases found.

    Images and masks pair by name (`P01_ct.nii.gz` with `P01_mask.nii.gz`) or by folder (`P01/ct.nii.gz`, `P01/dicom/`
    with `P01/mask_L1.nii.gz`). The vertebra is taken from the mask's name where that holds one.
    """
    for name in ("study.yaml", "cases.csv"):
        if (folder / name).exists():
            raise InputError("E_EXISTS", folder / name, "is there already", "move it, or choose another folder")
    rows = find_cases(images) if images is not None else []
    if images is not None and not rows:
        remedy = "name them in pairs, such as P01_ct.nii.gz and P01_mask.nii.gz, or one folder per patient"
        raise InputError("E_INIT_PAIRS", images, "no CT and mask were found in pairs", remedy)
    root = folder.resolve()
    outside = any(not Path(row[name]).is_relative_to(root) for row in rows for name in ("ct", "mask"))
    patients = len({row["patient_id"] for row in rows})
    few = 0 < patients < FEW
    for row in rows if few else []:
        row["cohort"] = "train"
    run = RunFolder(folder)
    run.replace("cases.csv", lambda path: path.write_text(_csv(rows, root), encoding="utf-8"))
    text = STUDY.format(
        name=re.sub(r"[^A-Za-z0-9._-]", "_", root.name).lstrip("._-")[:60] or "study",
        column="astlof_class", outside=str(outside).lower(), folds=2 if few else 5,
    )  # fmt: skip
    return run.replace("study.yaml", lambda path: path.write_text(text, encoding="utf-8")), len(rows)


def _csv(rows: list[dict[str, str]], root: Path) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(COLUMNS), restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        files = {name: _relative(row[name], root) for name in ("ct", "mask", "mask_reader2") if row.get(name)}
        writer.writerow({**row, **files})
    return buffer.getvalue()


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root) if Path(path).is_relative_to(root) else path


def find_cases(images: Path) -> list[dict[str, str]]:
    """One row per mask that has a CT beside it."""
    if not images.is_dir():
        raise InputError("E_FILE_MISSING", images, "there is no such folder", "give the folder of CTs and masks")
    files = _image_files(images.resolve())
    masks = [path for path in files if _words(path) & _MASK_WORDS]
    scans = [path for path in files if path not in masks]
    rows: list[dict[str, str]] = []
    for mask in (m for m in masks if not _words(m) & _SECOND):
        scan = _partner(mask, scans)
        if scan is None:
            continue
        patient = _patient(mask, images.resolve())
        vertebra = _vertebra(mask) or _vertebra(scan) or _unnamed(patient, rows)
        second = next((m for m in masks if _words(m) & _SECOND and _key(m) == _key(mask)), None)
        rows.append(
            {
                "patient_id": patient,
                "vertebra": vertebra,
                "ct": str(scan),
                "mask": str(mask),
                "mask_reader2": str(second or ""),
            }
        )
    return rows


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


def _partner(mask: Path, scans: list[Path]) -> Path | None:
    """CT of a mask: same folder and same remaining name, else the only CT of its folder."""
    same = [scan for scan in scans if _key(scan) == _key(mask)]
    if len(same) > 1:
        same = [s for s in same if _vertebra(s) in (None, _vertebra(mask))][:1] or same[:1]
    beside = [scan for scan in scans if scan.parent == mask.parent]
    return same[0] if same else beside[0] if len(beside) == 1 else None


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
