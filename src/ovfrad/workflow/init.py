"""`ovfrad init`: study.yaml and cases.csv to begin with, filled from a folder of images where that can be done."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

from ovfrad.errors import InputError, warn
from ovfrad.study.table import COLUMNS
from ovfrad.workflow.folder import RunFolder
from ovfrad.workflow.pairs import find_cases

#: Below so many patients none is set aside: the nested estimate on all of them says more.
FEW = 50
#: Files in no case that are named one by one.
NAMED = 12

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
    rows, left = find_cases(images) if images is not None else ([], [])
    if images is not None and not rows:
        remedy = "name them in pairs, such as P01_ct.nii.gz and P01_mask.nii.gz, or one folder per patient"
        raise InputError("E_INIT_PAIRS", images, "no CT and mask were found in pairs", remedy)
    _tell_left(left, images)
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


def _tell_left(left: list[tuple[str, str]], images: Path | None) -> None:
    """Warn of images and masks that are in no case: each by its name, and from a dozen on by their number."""
    for name, why in left[:NAMED]:
        remedy = "it is in no case: name both alike (P01_ct, P01_mask), or add the row to cases.csv"
        warn("W_INIT_UNPAIRED", name, why, remedy)
    if images is not None and len(left) > NAMED:
        fault = f"{len(left) - NAMED} more of {len(left)} images and masks without a partner"
        warn("W_INIT_UNPAIRED", images, fault, "they are in no case")


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
