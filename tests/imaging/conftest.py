"""A small body made of numbers: fat, muscle, a vertebral body of bone, and masks of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovfrad.imaging import Volume, write_dicom_series, write_nifti

AFFINE = np.array([[0.8, 0, 0, -12.0], [0, 0.8, 0, 40.5], [0, 0, 2.0, -300.0], [0, 0, 0, 1.0]])


def body(shape: tuple[int, int, int] = (24, 50, 46), seed: int = 0) -> tuple[Volume, Volume]:
    """CT in whole HU and a label map (20 and 21) on one grid."""
    rng = np.random.default_rng(seed)
    k, j, i = np.indices(shape)
    hu = rng.normal(-100, 15, shape)
    hu[:, 6:-6, 6:-6] += 150
    mask = np.zeros(shape, np.uint8)
    mask[(abs(k - 10) < 6) & ((j - 24) ** 2 + (i - 22) ** 2 < 130)] = 20
    mask[(k > 18) & ((j - 24) ** 2 + (i - 22) ** 2 < 130)] = 21
    hu[mask > 0] += 150 + 6 * (i[mask > 0] - 22) + 3 * (j[mask > 0] - 24) + 5 * (k[mask > 0] - 10)
    return Volume(np.rint(hu).astype(np.int16), AFFINE), Volume(mask, AFFINE)


@pytest.fixture(scope="session")
def volumes() -> tuple[Volume, Volume]:
    return body()


@pytest.fixture
def files(tmp_path: Path, volumes: tuple[Volume, Volume]) -> tuple[Path, Path]:
    """CT and mask as .nii.gz."""
    ct, mask = volumes
    return write_nifti(ct, tmp_path / "ct.nii.gz"), write_nifti(mask, tmp_path / "mask.nii.gz")


@pytest.fixture
def series(tmp_path: Path, volumes: tuple[Volume, Volume]) -> Path:
    """The CT as a DICOM series."""
    ct = volumes[0]
    tags = {
        "Manufacturer": "MAKER",
        "KVP": 120,
        "XRayTubeCurrent": 200,
        "PatientID": "P1",
        "PatientName": "Secret^Name",
    }
    return write_dicom_series(ct, tmp_path / "series", **tags)
