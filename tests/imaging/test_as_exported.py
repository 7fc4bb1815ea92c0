"""Files as scanners, archives and programs write them: each variant was met in real exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging import Volume, inspect, read_roi, write_nifti

Change = Callable[[Any, int], None]


def set_tags(**tags: Any) -> Change:
    def change(dataset: Any, k: int) -> None:
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)

    return change


def rescaled(intercept: int, slope: int, outside: int | None) -> Change:
    """Stored on an extended scale of HU, the corner of each slice filled with its lowest value."""

    def change(dataset: Any, k: int) -> None:
        hu = dataset.pixel_array.astype(np.int32) - 1024
        if outside is not None:
            hu[:3, :3] = outside
        dataset.PixelData = np.rint((hu - intercept) / slope).astype("<u2").tobytes()
        dataset.PixelRepresentation = 0
        dataset.RescaleIntercept, dataset.RescaleSlope = str(intercept), str(slope)

    return change


def moved(dataset: Any, k: int) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x, y, f"{float(z) + 0.004 * (-1) ** (k // 3):.4f}"]


def change_series(series: Path, change: Change) -> None:
    for k, file in enumerate(sorted(series.iterdir())):
        dataset = pydicom.dcmread(file)
        change(dataset, k)
        dataset.save_as(file)


@pytest.mark.parametrize(
    "change",
    [
        set_tags(RescaleType="hu"),
        set_tags(RescaleType="Hounsfield Unit"),
        set_tags(ImageType=["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]),
        set_tags(ImageType=["DERIVED", "SECONDARY", "AXIAL", "CSA MPR THICK"]),
        lambda dataset, k: setattr(dataset, "PatientName", "A^B" if k else "A^B^^^"),
        rescaled(-8192, 1, -8192),
        rescaled(-10240, 1, -10240),
    ],
)
def test_a_series_is_read_as_before(series: Path, files: tuple[Path, Path], change: Change) -> None:
    before = inspect(read_roi(series, files[1], label=20))
    change_series(series, change)
    assert inspect(read_roi(series, files[1], label=20)) == before


def test_a_scale_in_steps_of_ten_is_no_picture_of_eight_bits(series: Path, files: tuple[Path, Path]) -> None:
    before = inspect(read_roi(series, files[1], label=20))
    change_series(series, rescaled(-10240, 10, None))
    after = inspect(read_roi(series, files[1], label=20))
    assert after["warnings"] == before["warnings"]
    assert after["mean_hu"] == pytest.approx(before["mean_hu"], abs=0.5)


def test_places_rounded_to_hundredths_of_a_millimetre_keep_the_mask(series: Path, files: tuple[Path, Path]) -> None:
    change_series(series, moved)
    assert inspect(read_roi(series, files[1], label=20))["voxels"] > 0


@pytest.mark.parametrize("kind", ["MIN IP", "MIP THICK", "CT_SOM7 SPI MIP", "VRT", "SCREEN SAVE"])
def test_a_rendering_is_refused_however_a_vendor_calls_it(series: Path, files: tuple[Path, Path], kind: str) -> None:
    change_series(series, set_tags(ImageType=["DERIVED", "SECONDARY", "REFORMATTED", kind]))
    with pytest.raises(InputError, match=r"^E_DICOM_DERIVED slice_0001.dcm: is a projection or rendering"):
        read_roi(series, files[1], label=20)


def test_no_other_value_below_hu_is_an_extended_scale(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    ct, mask = volumes
    odd = ct.array.copy()
    odd[:, :3, :3] = -8191
    paths = write_nifti(Volume(odd, ct.affine), tmp_path / "ct.nii"), write_nifti(mask, tmp_path / "m.nii")
    with pytest.raises(InputError, match=r"^E_CT_VALUES ct.nii: values from -8191 to"):
        read_roi(*paths, label=20)


def test_the_brightest_voxel_of_a_small_crop_is_no_window(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    ct, mask = volumes
    part = np.s_[4:17, 12:38, 10:35]  # 8450 voxels, 0.05 % of which are four
    one, two = Volume(ct.array[part].copy(), ct.affine), Volume(mask.array[part], ct.affine)
    one.array[:, :2] -= 200
    one.array[6, 12, 12:18] = 900
    paths = write_nifti(one, tmp_path / "ct.nii"), write_nifti(two, tmp_path / "m.nii")
    assert not [line for line in read_roi(*paths, label=20).warnings if line.startswith("W_CT_CLIPPED")]


def test_padding_is_no_fat(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    ct, mask = volumes
    stored = ct.array + np.int16(1024)  # the rescale was not applied
    stored[:, :6] = -2000
    paths = write_nifti(Volume(stored, ct.affine), tmp_path / "ct.nii"), write_nifti(mask, tmp_path / "m.nii")
    with pytest.raises(InputError, match=r"^E_NOT_CT ct.nii: values run from -2000 to"):
        read_roi(*paths, label=20)


@pytest.mark.parametrize("kind", ["uint8", "int16"])
def test_a_mask_saved_as_floats_under_an_integer_header_is_the_mask(files: tuple[Path, Path], kind: str) -> None:
    stored = nibabel.load(files[1])
    before = inspect(read_roi(*files, label=20))
    header = stored.header.copy()
    header.set_data_dtype(kind)
    other = files[1].with_name("scaled.nii.gz")
    nibabel.save(nibabel.Nifti1Image((np.asarray(stored.dataobj) == 20).astype(float), stored.affine, header), other)
    assert nibabel.load(other).dataobj.slope < 0.01
    assert inspect(read_roi(files[0], other)) == before


@pytest.mark.parametrize(("slope", "intercept"), [(2, 0), (1, 2), (1, -1)])
def test_a_slope_that_makes_other_labels_is_told(files: tuple[Path, Path], slope: float, intercept: float) -> None:
    """One damaged byte of a header turns 1 into 4 or 0 into 2, and label 20 is then another structure."""
    stored = nibabel.load(files[1])
    labels = (np.asarray(stored.dataobj) + 1).astype(np.uint8)
    other = files[1].with_name("scaled.nii")
    nibabel.save(nibabel.Nifti1Image(labels, stored.affine), other)
    raw = bytearray(other.read_bytes())
    raw[112:120] = np.array([slope, intercept], "<f4").tobytes()
    other.write_bytes(raw)
    said = rf"^W_NIFTI_SCALE scaled\.nii: integers are multiplied by {slope} and {intercept} is added; compare with"
    with pytest.warns(InputWarning, match=said):
        read_roi(files[0], other, label=int(21 * slope + intercept))


def test_labels_that_a_slope_moves_off_whole_numbers_are_refused(files: tuple[Path, Path]) -> None:
    stored = nibabel.load(files[1])
    other = files[1].with_name("scaled.nii.gz")
    header = stored.header.copy()
    header.set_data_dtype("uint8")
    nibabel.save(nibabel.Nifti1Image(np.asarray(stored.dataobj, float), stored.affine, header), other)
    with pytest.raises(InputError, match=r"^E_MASK_FRACTION scaled.nii.gz: values from 0 to 20.01 in slice 5"):
        read_roi(files[0], other, label=20)
