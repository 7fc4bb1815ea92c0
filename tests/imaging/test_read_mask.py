"""Masks: which label, on which grid, and what is no mask; and the gate that asks whether a CT is a CT."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging import Volume, flags, inspect, read_mask, read_roi, read_volume, write_nifti
from ovfrad.study.settings import Imaging

Files = tuple[Path, Path]


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_label_is_named_by_number_or_by_vertebra_and_scheme(files: Files) -> None:
    first = read_mask(files[1], 20).array
    np.testing.assert_array_equal(read_mask(files[1], vertebra="L1", scheme="verse").array, first)
    np.testing.assert_array_equal(read_mask(files[1], 20, vertebra="L1", scheme="verse").array, first)
    np.testing.assert_array_equal(read_mask(files[1], 20, vertebra="T5").array, first)
    assert read_mask(files[1], 21).array.sum() < first.sum()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        (
            {},
            "E_MASK_LABEL mask.nii.gz: holds the labels 20, 21 and none was chosen; "
            "name one by its number or name, or by vertebra and scheme",
        ),
        (
            {"label": 5},
            "E_MASK_LABEL mask.nii.gz: label 5 has no voxel (labels present: 20, 21); name one that is present",
        ),
        (
            {"vertebra": "L1", "scheme": "totalsegmentator"},
            "E_MASK_LABEL mask.nii.gz: label 31 (L1 in scheme totalsegmentator) has no voxel (labels present: 20, 21); "
            "name one that is present",
        ),
        (
            {"vertebra": "L1", "scheme": "verse", "label": 21},
            "E_MASK_LABEL mask.nii.gz: label 21 was asked for, but L1 is 20 in scheme verse; "
            "name the label or the vertebra, or let them agree",
        ),
        (
            {"vertebra": "L9", "scheme": "verse"},
            "E_MASK_SCHEME mask.nii.gz: scheme verse has no label for vertebra 'L9'; it has C1..C7, T1..T12, L1..L5, "
            "L6, T13; name a vertebra (T12, L1) and the scheme of the mask's numbers",
        ),
        (
            {"vertebra": "L1", "scheme": "mine"},
            "E_MASK_SCHEME mask.nii.gz: unknown label scheme 'mine'; "
            "name one of verse, totalsegmentator, totalsegmentator_v1",
        ),
    ],
)
def test_a_label_that_is_not_there_is_refused_with_those_that_are(files: Files, how: dict[str, Any], text: str) -> None:
    assert refusal(read_mask, files[1], **how) == text
    assert refusal(read_roi, *files, **how) == text


def _mask(files: Files, array: np.ndarray, affine: np.ndarray, **kwargs: Any) -> Path:
    return write_nifti(Volume(array, affine), files[0].parent / "other.nii.gz", **kwargs)


def test_what_is_no_label_map_is_refused(files: Files, volumes: tuple[Volume, Volume]) -> None:
    array, affine = volumes[1].array, volumes[1].affine
    cases = {
        "E_MASK_EMPTY other.nii.gz: has no voxel above 0; give a mask with the vertebra drawn in": 0 * array,
        "E_MASK_FULL other.nii.gz: covers the whole image; give a mask of one vertebra": 0 * array + np.uint8(20),
        "E_MASK_FRACTION other.nii.gz: values from 0 to 0.2 in slice 5 are not whole numbers; "
        "give labels, not probabilities or a resampled mask": np.where(array == 20, 0.2, 0).astype(np.float32),
        "E_MASK_VALUES other.nii.gz: values from -1 to 0 are an image's, not labels; "
        "a mask has 0 outside and up to 200 positive whole numbers inside": (array == 20)
        - (array == 21).astype(np.int16),
    }
    for text, bad in cases.items():
        assert refusal(read_roi, files[0], _mask(files, bad, affine), label=20) == text
    assert refusal(read_roi, files[0], files[0], label=20).startswith("E_MASK_VALUES ct.nii.gz: values from -")


def test_float_labels_and_a_single_label_are_accepted(files: Files, volumes: tuple[Volume, Volume]) -> None:
    wanted = inspect(read_roi(*files, label=20))
    single = _mask(files, np.where(volumes[1].array == 20, 3.0, 0.0), volumes[1].affine)
    assert inspect(read_roi(files[0], single)) == wanted
    assert inspect(read_roi(files[0], single, vertebra="T7")) == wanted


def test_a_mask_on_another_grid_is_refused(files: Files, volumes: tuple[Volume, Volume]) -> None:
    mask = volumes[1]
    moved = mask.affine.copy()
    moved[2, 3] += 3
    assert refusal(read_roi, files[0], _mask(files, mask.array, moved), label=20) == (
        "E_MASK_GRID other.nii.gz: origin is 3.0 mm off the CT's along z; "
        "resample the mask onto the CT or export it again"
    )
    assert refusal(read_roi, files[0], _mask(files, mask.array[1:], mask.affine), label=20) == (
        "E_MASK_GRID other.nii.gz: has 46 x 50 x 23 voxels, the CT 46 x 50 x 24; "
        "resample the mask onto the CT or export it again"
    )
    jitter = mask.affine.copy()
    jitter[:3, 3] += 0.004
    assert inspect(read_roi(files[0], _mask(files, mask.array, jitter), label=20)) == inspect(
        read_roi(*files, label=20)
    )


def test_what_is_no_file_is_refused(tmp_path: Path, files: Files) -> None:
    missing = tmp_path / "no.nii.gz"
    assert refusal(read_roi, missing, files[1], label=20) == (
        "E_FILE_MISSING no.nii.gz: no such file or folder; check the path of the CT"
    )
    assert refusal(read_roi, files[0], missing, label=20) == (
        "E_FILE_MISSING no.nii.gz: no such file or folder; check the path of the mask"
    )
    pipe, device, loop = tmp_path / "pipe.nii", tmp_path / "zero.nii", tmp_path / "loop.nii"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop)
    for path in (pipe, device):
        assert refusal(read_volume, path).startswith(f"E_FILE_KIND {path.name}: is a device, pipe or socket; ")
    assert refusal(read_volume, loop).startswith("E_FILE_MISSING loop.nii")
    folder = tmp_path / "folder.nii"
    folder.mkdir()
    assert refusal(read_volume, folder) == (
        "E_DICOM_SLICES folder.nii: holds 0 CT slices; a series has at least two, one a file, directly in its folder"
    )
    assert refusal(read_mask, folder) == (
        "E_MASK_FORMAT folder.nii: is no label map with a grid of its own; read it together with its CT"
    )
    assert refusal(read_roi, files[0], folder) == (
        "E_MASK_FORMAT folder.nii: is a folder without a DICOM object; give the mask as NIfTI (.nii, .nii.gz), "
        "NRRD (.nrrd, .seg.nrrd), MetaImage (.mha), DICOM SEG or RTSTRUCT"
    )
    text = tmp_path / "notes.txt"
    text.write_text("x")
    assert refusal(read_volume, text) == (
        "E_FORMAT notes.txt: is of no format read here; give the folder of a DICOM series or "
        "a NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) file"
    )
    slicer = tmp_path / "a.seg.nrrd"
    slicer.write_text("x")
    assert refusal(read_roi, files[0], slicer) == (
        "E_IMAGE_TRUNCATED a.seg.nrrd: holds 1 bytes, less than a header; the file is empty or was cut off; "
        "copy or export it again"
    )


def _gate(files: Files, array: np.ndarray, affine: np.ndarray) -> str:
    path = write_nifti(Volume(array, affine), files[0].parent / "odd.nii.gz")
    return refusal(read_roi, path, files[1], label=20)


def test_values_that_are_no_hu_are_refused(files: Files, volumes: tuple[Volume, Volume]) -> None:
    hu, affine = volumes[0].array, volumes[0].affine
    assert _gate(files, hu + np.int16(1024), affine).startswith("E_NOT_CT odd.nii.gz: values run from 8")  # no rescale
    assert _gate(files, hu - np.int16(1024), affine).startswith("E_NOT_CT odd.nii.gz: no value reaches 150 HU")  # twice
    assert _gate(files, np.clip(hu, -200, 100), affine).startswith("E_NOT_CT odd.nii.gz: no value reaches 150 HU")
    assert _gate(files, hu * np.int16(20), affine).startswith("E_C")
    assert _gate(files, 65535 - hu.astype(np.int32), affine).startswith("E_CT_VALUES odd.nii.gz: values from 6")
    eight = np.rint((hu.clip(-250, 1250) + 250) * 255 / 1500)
    assert _gate(files, eight.astype(np.uint8), affine).startswith("E_CT_8BIT odd.nii.gz: stores 8 bits a voxel")
    picture = np.rint((hu.clip(-250, 1250) + 250) / 10) * 10 - 250
    assert _gate(files, picture.astype(np.int16), affine).startswith("E_CT_8BIT odd.nii.gz: ")


def test_any_image_is_read_when_no_ct_is_asked_for(files: Files, volumes: tuple[Volume, Volume]) -> None:
    path = write_nifti(Volume(volumes[0].array + np.int16(1024), volumes[0].affine), files[0].parent / "mr.nii.gz")
    assert inspect(read_roi(path, files[1], label=20, require_ct=False))["mean_hu"] > 1000


def test_a_mask_in_lung_or_padding_is_refused(files: Files, volumes: tuple[Volume, Volume]) -> None:
    hu, inside = volumes[0].array.copy(), volumes[1].array == 20
    hu[inside] = -800
    path = write_nifti(Volume(hu, volumes[0].affine), files[0].parent / "lung.nii.gz")
    assert refusal(read_roi, path, files[1], label=20) == (
        "E_ROI_VALUES mask.nii.gz: covers tissue of -800 HU on average in lung.nii.gz, which is no bone; "
        "check that mask and CT belong together"
    )
    hu[inside] = 200
    hu[10, 24, 22] = -3024
    path = write_nifti(Volume(hu, volumes[0].affine), files[0].parent / "pad.nii.gz")
    assert refusal(read_roi, path, files[1], label=20) == (
        "E_ROI_PADDING mask.nii.gz: covers values of -3024 HU, outside the scanned field; "
        "draw the mask inside the field of view"
    )


def _warned(*args: Any, **kwargs: Any) -> tuple[list[str], dict[str, bool]]:
    with pytest.warns(InputWarning) as caught:
        roi = read_roi(*args, **kwargs)
    lines = [str(w.message) for w in caught]
    assert inspect(roi)["warnings"] == lines
    return lines, flags(roi, kwargs.get("settings") or Imaging())


def test_what_a_radiologist_would_remark_on_is_flagged(files: Files, volumes: tuple[Volume, Volume]) -> None:
    assert not any(flags(read_roi(*files, label=20), Imaging()).values())
    lines, raised = _warned(*files, label=21)
    assert lines == [
        "W_MASK_BORDER mask.nii.gz: the region touches the border of the image; part of the bone may be missing"
    ]
    assert [name for name, on in raised.items() if on] == ["touches_border"]

    hu = volumes[0].array.copy()
    hu[10, 24, 22 + 14] = 3000
    metal = write_nifti(Volume(hu, volumes[0].affine), files[0].parent / "metal.nii.gz")
    lines, raised = _warned(metal, files[1], label=20)
    assert lines[0].startswith("W_METAL metal.nii.gz: 3000 HU inside or next to the mask; above 2000 HU metal")
    assert raised["metal"]
    assert not read_roi(metal, files[1], label=20, settings=Imaging(metal_hu=3500)).warnings

    lines, raised = _warned(*files, label=20, settings=Imaging(max_slice_mm=1.5))
    assert lines == ["W_THICK_SLICES ct.nii.gz: slices of 2 mm; above 1.5 mm texture and height are blurred"]
    assert raised["thick_slices"]

    speck = np.zeros_like(volumes[1].array)
    speck[5:8, 20:24, 20:24] = speck[16:18, 20:24, 20:24] = 1
    lines, raised = _warned(files[0], _mask(files, speck, volumes[1].affine))
    assert [line.split(":")[0] for line in lines] == ["W_MASK_PIECES other.nii.gz", "W_MASK_SMALL other.nii.gz"]
    assert [name for name, on in raised.items() if on] == ["scattered", "too_small"]


def test_a_region_of_soft_tissue_is_doubted(files: Files, volumes: tuple[Volume, Volume]) -> None:
    hu, inside = volumes[0].array.copy(), volumes[1].array == 20
    hu[inside] = np.rint(np.random.default_rng(0).normal(-40, 20, np.count_nonzero(inside)))
    path = write_nifti(Volume(hu, volumes[0].affine), files[0].parent / "fat.nii.gz")
    lines, _ = _warned(path, files[1], label=20)
    assert lines == [
        "W_ROI_VALUES mask.nii.gz: covers tissue of -40 HU on average; "
        "a vertebral body has 0 to 1000 HU; look at the mask"
    ]
