"""The phantom cohort as a study on disk: CT, masks, cases.csv, study.yaml, and the truth in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad.astlof import label_of
from ovfrad.errors import InputError
from ovfrad.imaging import Volume, write_dicom_series, write_nifti
from ovfrad.imaging.geometry import nearest_turn, turned
from ovfrad.phantom.body import Truth
from ovfrad.phantom.cohort import LEVELS, PAPER_SIZE, Case, sample_cohort
from ovfrad.phantom.render import Phantom, render
from ovfrad.phantom.scanners import KVP

#: What every file of a phantom study that can carry a sentence says.
NOTE = "Synthetic phantom: it tests software, not patients."
#: Every so many cases the CT is a DICOM series; the others are NIfTI.
DICOM_EVERY = 10
#: Stored axes (i, j, k) of the NIfTI files in turn, as columns of LPS unit vectors.
STORED = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "PIR": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
TURNS = ("LPS", "LPS", "RAS", "LPS", "PIR")
#: Mask labels by centre: one vertebra, or every body in the crop as a segmentation program leaves them.
SCHEME = {"A": "verse", "B": "totalsegmentator", "C": "verse"}
WHOLE_COLUMN = ("B",)

STUDY = """\
# Study of the synthetic phantom cohort. {note}
# {vertebrae} vertebrae of {patients} patients, seed {seed}, signal {signal:g} (share of images that show their label).
# Drawn after Liu J et al., JMIR Med Inform 2025;13:e75665, Tables 1 and 2; pain is part of the label and in no image.
# `ovfrad study show study.yaml` prints every setting with its default.
name: phantom
synthetic: true             # every output of a run says so
seed: {seed}
cases: cases.csv

outcome:
  column: astlof_class      # 0 conservative, 1 either, 2 surgery
  classes: ["0", "1", "2"]
  ordered: true

cohorts:
  column: cohort            # train and internal: centre A; external: B; prospective: C

harmonisation:
  batch: scanner            # centre A has two; those of B and C are unseen in training and stay as they are

# truth.csv holds what was drawn (pattern, loss of height, density, noise, what the image shows). No study reads it.
"""


def patient_position(case: Case) -> np.ndarray:
    """Place of the body's centre in the scanner, (x, y, z) LPS mm, one per case."""
    rng = np.random.default_rng([case.seed, 1])
    x, y, z = rng.normal(0, 8), rng.normal(-140, 15), rng.uniform(-900, -300)
    return np.round([x, y, z], 1)


def placed(array: np.ndarray, phantom: Phantom, case: Case, axes: str) -> Volume:
    """`array` (k, j, i) of a phantom at its place in the scanner, stored along `axes`."""
    affine = phantom.affine.copy()
    affine[:3, 3] += patient_position(case)
    volume = Volume(array, affine)
    turn = turned(volume, nearest_turn(volume.direction, STORED[axes]))
    return Volume(np.ascontiguousarray(turn.array), turn.affine)


def labelled(mask: np.ndarray, phantom: Phantom, case: Case) -> np.ndarray:
    """`mask` with the vertebra's label in the centre's scheme, with the neighbours' where the centre marks all."""
    scheme = SCHEME[case.center]
    labels = np.where(mask, label_of(case.vertebra, scheme), 0).astype(np.uint8)
    if case.center in WHOLE_COLUMN:
        column = ("T4", *LEVELS)  # below L5 lies the sacrum, which has no label here
        place = column.index(case.vertebra)
        neighbours = {1: column[place - 1 : place], -1: column[place + 1 : place + 2]}
        for side, names in neighbours.items():
            for name in names:
                labels[(phantom.neighbours == side) & ~mask] = label_of(name, scheme)
    return labels


def dicom_tags(case: Case, truth: Mapping[str, float | str]) -> dict[str, object]:
    """Header of a DICOM series as the case's scanner would write it."""
    scanner, day = case.scanner, f"{case.acquired:%Y%m%d}"
    return {
        "PatientID": case.patient_id, "PatientName": f"Phantom^{case.patient_id}", "PatientSex": case.sex,
        "PatientAge": f"{case.age:03d}Y", "StudyDate": day, "SeriesDate": day, "AcquisitionDate": day,
        "StudyDescription": "Spine CT", "SeriesDescription": NOTE, "BodyPartExamined": "SPINE",
        "InstitutionName": f"Centre {case.center}", "Manufacturer": scanner.maker,
        "ManufacturerModelName": scanner.model, "KVP": str(KVP),
        "XRayTubeCurrent": str(round(float(truth["tube_current_ma"]))), "ConvolutionKernel": scanner.kernel,
        "SliceThickness": f"{scanner.slice_mm:g}", "PatientPosition": "HFS",
    }  # fmt: skip


def write_case(folder: Path, number: int, case: Case) -> tuple[dict[str, str], Truth]:
    """Render and write one case below `folder`; returns its paths for cases.csv and what was drawn.

    The mask of a DICOM series is stored along RAS axes, as converters leave it.
    """
    phantom, name = render(case), f"{case.patient_id}_{case.vertebra}"
    dicom, axes = number % DICOM_EVERY == DICOM_EVERY - 1, TURNS[number % len(TURNS)]
    if dicom:
        paths, axes = {"ct": f"ct/{name}"}, "RAS"
        write_dicom_series(placed(phantom.image, phantom, case, "LPS"), folder / paths["ct"],
                           **dicom_tags(case, phantom.truth))  # fmt: skip
    else:
        paths = {"ct": f"ct/{name}.nii.gz"}
        write_nifti(placed(phantom.image, phantom, case, axes), folder / paths["ct"])
    masks = {"mask": phantom.mask} | ({"mask_reader2": phantom.mask_reader2} if case.twice_drawn else {})
    for column, mask in masks.items():
        paths[column] = f"masks/{name}{column.removeprefix('mask')}.nii.gz"
        write_nifti(placed(labelled(mask, phantom, case), phantom, case, axes), folder / paths[column])
    return paths, phantom.truth


def case_row(case: Case, paths: Mapping[str, str]) -> dict[str, object]:
    """Row of cases.csv; a centre that marks every body leaves the label to be found by vertebra and scheme."""
    scheme = SCHEME[case.center]
    label = "" if case.center in WHOLE_COLUMN else label_of(case.vertebra, scheme)
    return {
        "patient_id": case.patient_id, "vertebra": case.vertebra, "center": case.center, "scanner": case.scanner.name,
        "date": case.acquired.isoformat(), "cohort": case.cohort, "ct": paths["ct"], "mask": paths["mask"],
        "mask_label": label, "mask_scheme": scheme, "mask_reader2": paths.get("mask_reader2", ""),
        "mask_label_reader2": label if case.twice_drawn else "", "age": case.age, "sex": case.sex,
        "t_score": case.findings.t_score, "morphology": case.findings.morphology, "mri": case.findings.mri,
        "pain": case.pain, "morphology_reader2": case.second[0], "mri_reader2": case.second[1],
        "pain_reader2": case.second[2], "astlof_score": case.score, "astlof_class": case.treatment_class,
        "location": "thoracic" if case.vertebra.startswith("T") else "lumbar", "fracture_stage": case.findings.stage,
        "treatment": case.treatment, "exclusion": "",
    }  # fmt: skip


def truth_row(case: Case, truth: Truth) -> dict[str, object]:
    """Row of truth.csv: what the image shows, which at full signal is the case's own, and what was drawn."""
    shown = case.shown
    return {
        "patient_id": case.patient_id, "vertebra": case.vertebra, "shown_morphology": shown.morphology,
        "shown_mri": shown.mri, "shown_t_score": shown.t_score, "shown_stage": shown.stage,
        **{key: round(value, 3) if isinstance(value, float) else value for key, value in truth.items()},
    }  # fmt: skip


def write_cohort(
    folder: str | Path,
    vertebrae: int = PAPER_SIZE,
    seed: int = 0,
    signal: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
    processes: int = 2,
) -> Path:
    """Write a phantom cohort as a study that `ovfrad run` takes.

    Parameters
    ----------
    folder : path
        New or empty folder; gets ct/, masks/, cases.csv, truth.csv, README.txt and, last, study.yaml.
    vertebrae : int
        Number of vertebrae, 40 or more; 1098 is the paper's cohort.
    seed : int
        Seed; the same seed gives the same voxels.
    signal : float
        Share of the images, 0 to 1, that show their own label.
    progress : callable, optional
        Called with (cases written, cases in all) after each.
    processes : int
        Processes that render.

    Returns
    -------
    Path
        The study.yaml written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "notes.txt").write_text("mine")
    ...     write_cohort(folder)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ovfrad.errors.InputError: E_FOLDER_NOT_EMPTY ...: holds files already (notes.txt); name a new or an empty folder
    """
    folder = Path(folder)
    cases = sample_cohort(vertebrae, seed, signal)
    make_folder(folder)
    rows, truths = [], []
    for done, (case, (paths, truth)) in enumerate(zip(cases, _written(folder, cases, processes), strict=True), 1):
        rows.append(case_row(case, paths))
        truths.append(truth_row(case, truth))
        if progress is not None:
            progress(done, len(cases))
    pd.DataFrame(truths).to_csv(folder / "truth.csv", index=False, lineterminator="\n")
    pd.DataFrame(rows).to_csv(folder / "cases.csv", index=False, lineterminator="\n")
    (folder / "README.txt").write_text(f"{NOTE}\nDrawn by `ovfrad phantom`; study.yaml says how.\n", encoding="utf-8")
    study = folder / "study.yaml"  # last, so that what was cut short does not look like a study
    patients = len({case.patient_id for case in cases})
    text = STUDY.format(note=NOTE, vertebrae=len(cases), patients=patients, seed=seed, signal=signal)
    study.write_text(text, encoding="utf-8")
    return study


def make_folder(folder: Path) -> None:
    """Make `folder` with ct/ and masks/ in it; refuse one that holds anything."""
    if folder.exists() and not folder.is_dir():
        raise InputError("E_FOLDER_NOT_EMPTY", folder, "is a file", "name a new or an empty folder")
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if found:
        fault = f"holds files already ({', '.join(found[:3])}{', ...' if len(found) > 3 else ''})"
        raise InputError("E_FOLDER_NOT_EMPTY", folder, fault, "name a new or an empty folder")
    for name in ("ct", "masks"):
        (folder / name).mkdir(parents=True)


def _written(folder: Path, cases: list[Case], processes: int) -> Iterator[tuple[dict[str, str], Truth]]:
    """Results of `write_case` in the order of the cases, as they come."""
    from joblib import Parallel, delayed

    if processes <= 1:
        return (write_case(folder, number, case) for number, case in enumerate(cases))
    tasks = (delayed(write_case)(folder, number, case) for number, case in enumerate(cases))
    return iter(Parallel(n_jobs=processes, return_as="generator")(tasks))
