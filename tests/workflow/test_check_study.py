"""`ovfrad check` counts what a run would set aside and refuses what it would refuse; whose outlines are perturbed."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.study import Study, load
from ovfrad.workflow import case as one
from ovfrad.workflow.check import check_study
from ovfrad.workflow.folder import silent
from ovfrad.workflow.rows import make_rows
from ovfrad.workflow.tasks import tasks

from .conftest import ovfrad  # type: ignore[import-not-found]

PLAIN = "radiomics: {image_types: [original]}\ndeep: {arms: {none: {weights: none}}}\n"


@pytest.fixture(scope="module")
def small(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of eight phantom vertebrae, all but two of training, without a second reader's mask."""
    folder = tmp_path_factory.mktemp("small")
    cases = pd.read_csv(phantom_cohort / "cases.csv", dtype=str)
    cases = cases[cases["ct"].str.endswith(".gz")].drop_duplicates("patient_id")
    training = cases[cases["cohort"] == "train"].groupby("astlof_class").head(2)
    chosen = pd.concat([training, cases[cases["cohort"] == "external"].head(2)])
    chosen = chosen.assign(mask_reader2="", mask_label_reader2="", date="")
    for path in (*chosen["ct"], *chosen["mask"]):
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(phantom_cohort / path, folder / path)
    chosen.to_csv(folder / "cases.csv", index=False)
    return folder


def study_of(small: Path, settings: str = PLAIN, name: str = "study", **second: str) -> Path:
    """A study of the eight; `second` names the cases (as cohort and number) that have a second reader's mask."""
    cases = pd.read_csv(small / "cases.csv", dtype=str)
    for place in second.get("reader2", "").split():
        cohort, number = place.split(":")
        at = cases.index[cases["cohort"] == cohort][int(number)]
        cases.loc[at, ["mask_reader2", "mask_label_reader2"]] = cases.loc[at, ["mask", "mask_label"]].to_numpy()
    cases.to_csv(small / f"{name}.csv", index=False)
    (small / f"{name}.yaml").write_text(f"cases: {name}.csv\nsynthetic: true\n{settings}", encoding="utf-8")
    return small / f"{name}.yaml"


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_settings_that_refuse_every_case_are_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study_of(small, PLAIN.replace("[original]", "[original], bin_width: 0.001"))
    assert ovfrad("check", path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("E_")]
    assert line.startswith("E_CASES_NONE study.csv: each case tried (8 of 8) is refused (first: ")
    assert "E_BINS" in line
    assert line.endswith("correct the setting or the files that it names")


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_a_case_that_only_its_features_refuse_is_counted(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, run_case = study_of(small), one.run_case
    first = " ".join(load(path).cases.index[0])

    def refusing(task: one.CaseTask) -> one.CaseFeatures:
        if task.case_id == first:
            return one.CaseFeatures((task.patient_id, task.vertebra), error="E_ROI mask: flat; draw it")
        return run_case(task)

    monkeypatch.setattr(one, "run_case", refusing)
    lines, bad = check_study(path, None, silent)
    assert bad == 1
    assert lines[0].startswith("7 cases, ")
    assert f"{first}: E_ROI mask: flat; draw it" in lines


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_check_sets_aside_what_features_sets_aside(small: Path, tmp_path: Path) -> None:
    """Metal next to one mask, and another mask of a voxel that the grid of 1 mm misses."""
    path = study_of(small, PLAIN + "imaging: {metal: exclude, metal_hu: 3000, spacing_mm: 5}\n", "metal")
    cases = pd.read_csv(small / "metal.csv", dtype=str)
    image = nib.load(small / cases["ct"][0])
    array, inside = np.asarray(image.dataobj).copy(), np.asarray(nib.load(small / cases["mask"][0]).dataobj)
    array[tuple(np.argwhere(inside == float(cases["mask_label"][0]))[0])] = 3071
    nib.save(nib.Nifti1Image(array, image.affine), small / "ct" / "metal.nii.gz")
    mask = nib.load(small / cases["mask"][1])
    labels = np.asarray(mask.dataobj)
    voxel = np.zeros_like(labels)
    middle = np.argwhere(labels == float(cases["mask_label"][1])).mean(axis=0).astype(int)
    voxel[tuple(middle)] = float(cases["mask_label"][1])
    nib.save(nib.Nifti1Image(voxel, mask.affine), small / "masks" / "voxel.nii.gz")
    cases.loc[0, "ct"], cases.loc[1, "mask"] = "ct/metal.nii.gz", "masks/voxel.nii.gz"
    cases.to_csv(small / "metal.csv", index=False)
    lines, bad = check_study(path, None, silent)
    assert ovfrad("features", path, "--out", tmp_path / "f.parquet") == 3
    set_aside = pd.read_csv(tmp_path / "quarantine.csv")
    assert bad == len(set_aside) == 2
    for row in set_aside.itertuples():
        assert f"{row.patient_id} {row.vertebra}: {row.error}" in lines
    assert any("E_METAL metal.nii.gz: voxels above 3000 HU" in line for line in lines)


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_a_class_without_training_cases_left_is_told(small: Path) -> None:
    path = study_of(small, PLAIN, "lost")
    cases = pd.read_csv(small / "lost.csv", dtype=str)
    cases.loc[(cases["cohort"] == "train") & (cases["astlof_class"] == "1"), "mask"] = "masks/none.nii.gz"
    cases.to_csv(small / "lost.csv", index=False)
    lines, bad = check_study(path, None, silent)
    assert bad == 2
    assert "class 1 has no training case left: a run would refuse the study" in lines
    cases.assign(mask="masks/none.nii.gz").to_csv(small / "lost.csv", index=False)
    with pytest.raises(InputError, match=r"E_CASES_NONE lost.csv: each of the 8 cases is refused \(first: "):
        check_study(path, None, silent)


def perturbed(path: Path, labels: bool = True) -> tuple[Study, set[str], list[str]]:
    """Study, cohorts of the cases that are perturbed, and the warnings of planning that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = load(path, labels=labels)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        planned = tasks(study, (study.settings.radiomics,))
    cohorts = {study.cases.loc[(t.patient_id, t.vertebra), "cohort"] for t in planned if t.perturb is not None}
    return study, cohorts, [str(w.message) for w in caught if issubclass(w.category, InputWarning)]


@pytest.mark.parametrize("labels", [True, False])
def test_training_decides_whether_outlines_are_perturbed(small: Path, labels: bool) -> None:
    assert perturbed(study_of(small), labels)[1:] == ({"train"}, [])
    assert perturbed(study_of(small, reader2="train:0 train:3 external:0"), labels)[1:] == (set(), [])
    for filled, told in (
        ("external:0", "0 patients of training and 1 of other cohorts"),
        ("train:0 external:0 external:1", "1 patients of training and 2 of other cohorts"),
    ):
        assert perturbed(study_of(small, reader2=filled), labels)[1:] == (
            {"train"},
            [f"W_READER2_FEW study.csv: mask_reader2 is filled for {told}; too few to judge features by: seeded "
             "perturbations take their place"],
        )  # fmt: skip
    off = PLAIN + "selection: {one_reader: 'off'}\n"
    assert perturbed(study_of(small, off, reader2="external:0"), labels)[1:] == (set(), [])


def test_cohorts_by_rule_without_labels(small: Path) -> None:
    rule = PLAIN + "cohorts: {column: null, rules: {external: {center: [B]}}}\n"
    study, cohorts, _ = perturbed(study_of(small, rule, reader2="external:0 external:1"), labels=False)
    assert set(study.cases["center"][study.cases["cohort"] == "external"]) == {"B"}
    assert cohorts == {"train"}


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_one_second_reader_elsewhere_leaves_the_training_rows_their_perturbations(small: Path) -> None:
    """A training case with both keeps the second reader's features beside those of its perturbation."""
    study, _, _ = perturbed(study_of(small, reader2="train:0 external:0"))
    planned = tasks(study, (study.settings.radiomics,))
    results = [one.run_case(task) for task in planned]
    readers = {result.case: set(result.rows["hu"]) - {one.SHUFFLED} for result in results}
    cohort = study.cases["cohort"]
    both = [case for case in readers if readers[case] == {"1", "2", one.PERTURBED}]
    assert [cohort[case] for case in both] == ["train"]
    keys = [(*r.case, reader) for r in results for reader in r.rows["hu"]]
    index = pd.MultiIndex.from_tuples(keys, names=["patient_id", "vertebra", "reader"])
    table = pd.DataFrame([row for r in results for row in r.rows["hu"].values()], index=index)
    rows = make_rows(study.settings, study.cases, table, "train")
    assert rows.reader2 is not None
    assert len(rows.reader2) == (cohort == "train").sum()
    volume = "original_shape_MeshVolume"
    here = both[0]
    assert rows.reader2.loc[here, volume] == table.loc[(*here, one.PERTURBED), volume]
    assert replace(planned[0], perturb=1).key() != replace(planned[0], perturb=2).key()


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_contrast_is_kept_or_set_aside_as_the_study_says(small: Path) -> None:
    """A real series whose header names an agent; what keeps metal keeps contrast, each by its own setting."""
    series = Path(__file__).parents[3] / "shared" / "data" / "spine_ct" / "dicom"
    task = tasks(load(study_of(small)), ())[0]
    real = replace(
        task, ct=series / "series", mask=series / "segmentation.nii.gz", label="32", mask2=None, perturb=None
    )
    one.check_case(real)
    barred = replace(real, imaging=real.imaging.model_copy(update={"contrast": "exclude"}))
    with pytest.raises(InputError, match=r"^E_CONTRAST series: the header names a contrast agent; imaging\.contrast"):
        one.check_case(barred)
