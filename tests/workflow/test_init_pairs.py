"""`ovfrad init --from`: which CT and which mask belong together, by names and folders; nothing is opened for voxels."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ovfrad.errors import InputWarning
from ovfrad.workflow.init import initialise
from ovfrad.workflow.pairs import find_cases


def dicom(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * 128 + b"DICM")


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("mask", "vertebra"),
    [
        ("P1/rtstruct_L3.dcm", "L3"),
        ("P1/RS.1.2.840.dcm", "-"),
        ("P1/seg/000.dcm", "-"),
        ("P1/seg/seg.dcm", "-"),
        ("P1/mask_L1.seg.nrrd", "L1"),
        ("P1/mask_T12.nii.gz", "T12"),
    ],
)
def test_a_series_and_its_mask(tmp_path: Path, mask: str, vertebra: str) -> None:
    for n in range(12):
        dicom(tmp_path / f"P1/ct/slice{n}.dcm")
    (dicom if mask.endswith(".dcm") else image)(tmp_path / mask)
    (row,), left = find_cases(tmp_path)
    assert not left
    root = tmp_path.resolve()
    wanted = root / mask if "/seg/" not in mask else root / "P1/seg"
    assert (row["ct"], row["mask"], row["vertebra"]) == (str(root / "P1/ct"), str(wanted), vertebra)
    assert row["patient_id"] == "P1"


def test_slices_whose_names_hold_a_word_of_masks_are_a_series(tmp_path: Path) -> None:
    for n in range(12):
        dicom(tmp_path / f"P1/ct/label_{n}.dcm")
    image(tmp_path / "P1/mask_L1.nii.gz")
    (row,), left = find_cases(tmp_path)
    assert not left
    assert row["ct"].endswith("P1/ct")


def test_what_does_not_pair_is_told(tmp_path: Path) -> None:
    images = tmp_path / "images"
    for name in ("P01/ct", "P01/mask", "P02/ct", "P02/other", "P02/mask", "P03/mask", "P04/mask_reader2", "P04/ct",
                 "P05/one", "P05/two", "P05/mask", "P11_ct", "P11_mask", "P12_mask", "P14/ct", "P13_ct"):  # fmt: skip
        image(images / f"{name}.nii.gz")
    with pytest.warns(InputWarning) as caught:
        _, found = initialise(tmp_path / "study", images)
    assert found == 3
    lines = [str(w.message) for w in caught]
    assert [line.split("; ")[0].removeprefix("W_INIT_UNPAIRED ") for line in lines] == [
        "P02/other.nii.gz: no mask has the name of this CT",
        "P03/mask.nii.gz: no CT lies beside this mask",
        "P04/ct.nii.gz: no mask has the name of this CT",
        "P04/mask_reader2.nii.gz: no first reader's mask, paired with a CT, has the name of this second one",
        "P05/mask.nii.gz: no CT beside this mask has its name",
        "P05/one.nii.gz: no mask has the name of this CT",
        "P05/two.nii.gz: no mask has the name of this CT",
        "P12_mask.nii.gz: no CT beside this mask has its name",
        "P13_ct.nii.gz: no mask has the name of this CT",
        "P14/ct.nii.gz: no mask lies beside this CT",
    ]
    remedy = "it is in no case: name both alike (P01_ct, P01_mask), or add the row to cases.csv"
    assert all(line.endswith(f"; {remedy}") for line in lines)


def test_one_patients_mask_is_not_paired_with_anothers_ct(tmp_path: Path) -> None:
    for name in ("P12_mask", "P13_ct"):
        image(tmp_path / f"{name}.nii.gz")
    rows, left = find_cases(tmp_path)
    assert not rows
    assert [name for name, _ in left] == ["P12_mask.nii.gz", "P13_ct.nii.gz"]


def test_many_that_do_not_pair_are_counted(tmp_path: Path) -> None:
    for n in range(20):
        image(tmp_path / f"images/P{n:02d}/ct.nii.gz")
    image(tmp_path / "images/P00/mask.nii.gz")
    with pytest.warns(InputWarning) as caught:
        initialise(tmp_path / "study", tmp_path / "images")
    assert len(caught) == 13
    assert str(caught[-1].message) == (
        "W_INIT_UNPAIRED images: 7 more of 19 images and masks without a partner; they are in no case"
    )


def test_a_second_readers_mask_goes_with_its_level(tmp_path: Path) -> None:
    for name in ("ct", "mask_L1", "mask_L2", "mask_L2_reader2"):
        image(tmp_path / f"images/P1/{name}.nii.gz")
    initialise(tmp_path / "study", tmp_path / "images")
    second = pd.read_csv(tmp_path / "study/cases.csv").set_index("vertebra")["mask_reader2"]
    assert pd.isna(second["L1"])
    assert second["L2"].endswith("mask_L2_reader2.nii.gz")


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        (("P02_ct", "P02_mask", "P02_L1_mask_reader2"), {"-": "P02_L1_mask_reader2"}),
        (("P02_T12_ct", "P02_mask", "P02_L1_mask_reader2"), {"T12": ""}),
        (("P02_L1_ct", "P02_mask", "P02_L1_mask_reader2"), {"L1": "P02_L1_mask_reader2"}),
        (("P02_ct", "P02_mask", "P02_L1_mask_reader2", "P02_L2_mask_reader2"), {"-": ""}),
        (("P02_ct", "P02_mask", "P02_L1_mask", "P02_L1_mask_reader2"), {"-2": "", "L1": "P02_L1_mask_reader2"}),
    ],
)
def test_a_first_mask_without_a_level_takes_the_only_second_one(
    names: tuple[str, ...], seconds: dict[str, str], tmp_path: Path
) -> None:
    for name in names:
        image(tmp_path / f"{name}.nii.gz")
    rows, _ = find_cases(tmp_path)
    assert {row["vertebra"]: Path(row["mask_reader2"]).name.removesuffix(".nii.gz") for row in rows} == seconds
