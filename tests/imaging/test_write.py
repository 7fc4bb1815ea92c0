"""Writing: equal bytes for equal volumes, nothing half written, an outside reader as witness."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from ovfrad.errors import InputError
from ovfrad.imaging import Volume, read_volume, write_dicom_series, write_nifti

OBLIQUE = np.array([[0, -0.6, 1.6, -12.5], [0, 0.8, 1.2, 40], [0.7, 0, 0, -300], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_is_what_itk_reads_and_the_same_bytes_each_time(
    tmp_path: Path, volumes: tuple[Volume, Volume], suffix: str
) -> None:
    volume = Volume(volumes[0].array, OBLIQUE)
    first, second = (write_nifti(volume, tmp_path / f"{name}{suffix}") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    image = SimpleITK.ReadImage(str(first))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), volume.array)
    np.testing.assert_allclose(image.GetDirection(), volume.direction.ravel(), atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), volume.origin, atol=1e-4)
    np.testing.assert_allclose(image.GetSpacing(), volume.spacing, rtol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_dicom_is_what_itk_reads_and_the_same_bytes_each_time(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    volume = Volume(volumes[0].array, OBLIQUE)
    one, two = (write_dicom_series(volume, tmp_path / name, KVP=120) for name in "ab")
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    image = SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(one)))
    own = read_volume(one)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), own.array)
    np.testing.assert_allclose(image.GetOrigin(), own.origin, atol=1e-6)
    np.testing.assert_allclose(image.GetDirection(), own.direction.ravel(), atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_other_tags_give_other_uids(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    import pydicom

    uids = [
        pydicom.dcmread(write_dicom_series(volumes[0], tmp_path / p, PatientID=p) / "slice_0001.dcm").SeriesInstanceUID
        for p in ("P1", "P2")
    ]
    assert uids[0] != uids[1]


def test_values_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    volume = Volume(np.full((2, 2, 2), 40_000.4), np.eye(4))
    with pytest.raises(ValueError, match=r"^values 40000 to 40000 do not fit int16$"):
        write_nifti(volume, tmp_path / "a.nii", "int16")
    with pytest.raises(ValueError, match="do not fit int16"):
        write_dicom_series(volume, tmp_path / "series")
    with pytest.raises(ValueError, match="not as complex128"):
        write_nifti(volume, tmp_path / "a.nii", complex)
    with pytest.raises(ValueError, match=r"ends in .nii or .nii.gz: a.nrrd"):
        write_nifti(volume, tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_and_sheared_axes_are_refused(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    (tmp_path / "x").write_text("keep me")
    with pytest.raises(InputError, match="E_FOLDER_NOT_EMPTY"):
        write_dicom_series(volumes[0], tmp_path)
    sheared = np.eye(4)
    sheared[1, 2] = 0.3
    with pytest.raises(ValueError, match="axes are sheared"):
        write_dicom_series(Volume(volumes[0].array, sheared), tmp_path / "s")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_disk_that_lies_leaves_the_old_file(
    tmp_path: Path, volumes: tuple[Volume, Volume], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.nii"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: os.ftruncate(handle, 1000))
    with pytest.raises(InputError) as error:
        write_nifti(volumes[0], path)
    assert str(error.value) == "E_WRITE a.nii: what was written does not read back; check the disk and its free space"
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii"]


def test_a_folder_named_dl_beside_the_program_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "dl").mkdir()
    program = (
        "import numpy as np; from ovfrad.imaging import Volume, read_volume, write_dicom_series; "
        "v = Volume(np.arange(8.0, dtype=np.float32).reshape(2, 2, 2), np.eye(4)); "
        "write_dicom_series(v, 'series'); assert (read_volume('series').array == v.array).all()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
