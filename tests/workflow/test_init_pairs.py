"""`ovfrad init --from`: which CT and which mask belong together, by names and folders; nothing is opened for voxels."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovfrad.workflow.init import find_cases


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
    (row,) = find_cases(tmp_path)
    root = tmp_path.resolve()
    wanted = root / mask if "/seg/" not in mask else root / "P1/seg"
    assert (row["ct"], row["mask"], row["vertebra"]) == (str(root / "P1/ct"), str(wanted), vertebra)
    assert row["patient_id"] == "P1"


def test_slices_whose_names_hold_a_word_of_masks_are_a_series(tmp_path: Path) -> None:
    for n in range(12):
        dicom(tmp_path / f"P1/ct/label_{n}.dcm")
    image(tmp_path / "P1/mask_L1.nii.gz")
    (row,) = find_cases(tmp_path)
    assert row["ct"].endswith("P1/ct")
