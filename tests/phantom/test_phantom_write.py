"""The written study: it loads, its images read back as drawn, the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.astlof import label_of
from ovfrad.errors import InputError
from ovfrad.imaging import read_roi, read_volume, to_lps
from ovfrad.phantom.cohort import Case, sample_cohort
from ovfrad.phantom.render import render
from ovfrad.phantom.write import NOTE, _written, labelled, placed, write_case, write_cohort
from ovfrad.study import load
from ovfrad.study.table import COLUMNS

SEED = 4


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    seen: list[tuple[int, int]] = []
    folder = tmp_path_factory.mktemp("phantom") / "cohort"
    path = write_cohort(folder, 40, SEED, progress=lambda done, total: seen.append((done, total)), processes=1)
    assert seen == [(n, 40) for n in range(1, 41)]
    return path


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return sample_cohort(40, SEED)


def test_the_study_loads(study: Path) -> None:
    loaded = load(study)
    assert len(loaded.cases) == 40
    assert loaded.settings.name == "phantom" and loaded.settings.seed == SEED
    assert all(path.exists() for column in ("ct", "mask") for path in loaded.cases[column])


def test_columns_are_those_of_the_case_table(study: Path) -> None:
    table = pd.read_csv(study.parent / "cases.csv")
    assert list(table.columns) == list(COLUMNS)
    truth = pd.read_csv(study.parent / "truth.csv")
    assert (truth[["patient_id", "vertebra"]] == table[["patient_id", "vertebra"]]).all(axis=None)
    assert {"pattern", "height_loss", "trabecular_hu", "noise_hu", "shown_morphology"} <= set(truth.columns)


def test_everything_says_it_is_no_patient(study: Path) -> None:
    assert NOTE == "Synthetic phantom: it tests software, not patients."
    assert NOTE in study.read_text(encoding="utf-8") and NOTE in (study.parent / "README.txt").read_text(
        encoding="utf-8"
    )


def test_images_and_masks_read_back_as_drawn(study: Path, cases: list[Case]) -> None:
    """A DICOM series (9) and NIfTI stored as LPS (0), RAS (2) and PIR (4) are the same voxels at the same places."""
    table = pd.read_csv(study.parent / "cases.csv")
    for number, stored in ((0, "LPS"), (2, "RAS"), (4, "PIR"), (9, "LPS")):
        row, phantom, case = table.iloc[number], render(cases[number]), cases[number]
        drawn, read = placed(phantom.image, phantom, case, "LPS"), read_volume(study.parent / row["ct"])
        assert np.array_equal(to_lps(read).array, drawn.array), stored
        assert np.allclose(to_lps(read).affine, drawn.affine, atol=1e-3)
        assert np.array_equal(read.direction.round(3), np.eye(3)) == (stored == "LPS")
        roi = read_roi(study.parent / row["ct"], study.parent / row["mask"], label=None, vertebra=case.vertebra,
                       scheme=row["mask_scheme"], case_id="x", margin_mm=None)  # fmt: skip
        assert roi.mask.array.sum() == phantom.mask.sum()
        assert not roi.warnings


def test_dicom_headers_tell_the_acquisition(study: Path, cases: list[Case]) -> None:
    import pydicom

    folders = [path for path in (study.parent / "ct").iterdir() if path.is_dir()]
    assert len(folders) == 4
    case = cases[9]
    head = pydicom.dcmread(sorted((study.parent / "ct" / f"{case.patient_id}_{case.vertebra}").iterdir())[0])
    assert (head.Modality, head.PatientID, head.KVP) == ("CT", case.patient_id, 120)
    assert (head.Manufacturer, head.ConvolutionKernel) == (case.scanner.maker, case.scanner.kernel)
    assert head.StudyDate == f"{case.acquired:%Y%m%d}" and head.SliceThickness == case.scanner.slice_mm
    assert 118 <= head.XRayTubeCurrent <= 320
    assert (head.RescaleSlope, head.RescaleIntercept) == (1, -1024)
    assert "not patients" in head.SeriesDescription


def test_second_readers_masks_are_there_for_training_patients(study: Path) -> None:
    table = pd.read_csv(study.parent / "cases.csv")
    twice = table[table["mask_reader2"].notna()]
    assert twice["patient_id"].nunique() >= 10 and set(twice["cohort"]) == {"train"}
    for _, row in twice.head(3).iterrows():
        one, two = (to_lps(read_volume(study.parent / row[name])) for name in ("mask", "mask_reader2"))
        assert one.array.shape == two.array.shape and not np.array_equal(one.array, two.array)


@pytest.mark.parametrize(("vertebra", "above", "below"), [("T5", "T4", "T6"), ("L1", "T12", "L2"), ("L5", "L4", None)])
def test_centre_b_labels_the_neighbours_too(cases: list[Case], vertebra: str, above: str, below: str | None) -> None:
    from dataclasses import replace

    case = replace(next(case for case in cases if case.center == "B"), vertebra=vertebra)
    phantom = render(case)
    labels = labelled(phantom.mask, phantom, case)
    names = {vertebra, above} | ({below} if below else set())
    assert set(np.unique(labels)) == {0, *(label_of(name, "totalsegmentator") for name in names)}
    assert labels[phantom.mask].min() == labels[phantom.mask].max() == label_of(vertebra, "totalsegmentator")


def test_same_seed_same_bytes(study: Path, cases: list[Case], tmp_path: Path) -> None:
    for folder in ("ct", "masks"):
        (tmp_path / folder).mkdir()
    for number in (3, 9):
        paths, _ = write_case(tmp_path, number, cases[number])
        for path in paths.values():
            assert digest(tmp_path / path) == digest(study.parent / path)


def test_two_processes_write_the_same_in_order(study: Path, cases: list[Case], tmp_path: Path) -> None:
    for folder in ("ct", "masks"):
        (tmp_path / folder).mkdir()
    written = list(_written(tmp_path, cases[:3], processes=2))
    assert [paths["ct"] for paths, _ in written] == pd.read_csv(study.parent / "cases.csv")["ct"][:3].tolist()
    assert all(digest(tmp_path / paths["ct"]) == digest(study.parent / paths["ct"]) for paths, _ in written)


def digest(path: Path) -> str:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError) as refused:
        write_cohort(folder, 40)
    assert str(refused.value) == (
        "E_FOLDER_NOT_EMPTY cohort: holds files already (notes.txt); name a new or an empty folder"
    )
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_what_is_cut_short_has_no_study(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cohort(tmp_path / "cohort", 40, progress=stop, processes=1)
    assert not (tmp_path / "cohort" / "study.yaml").exists()
    assert not (tmp_path / "cohort" / "cases.csv").exists()


def test_a_refused_size_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E_PHANTOM_SIZE"):
        write_cohort(tmp_path / "cohort", 10)
    assert not (tmp_path / "cohort").exists()
