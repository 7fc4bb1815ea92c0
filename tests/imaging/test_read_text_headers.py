"""NRRD and MetaImage: read like their NIfTI twins; short files are refused, not filled with zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from ovfrad.errors import InputError
from ovfrad.imaging import inspect, read_mask, read_roi, read_volume


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as error:
        read_roi(*args, **kwargs) if len(args) > 1 else read_volume(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


def _convert(path: Path, suffix: str, compressed: bool) -> Path:
    out = path.parent / (path.name.split(".")[0] + suffix)
    image = SimpleITK.ReadImage(str(path))
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    SimpleITK.WriteImage(image, str(out), compressed)
    return out


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
def test_nrrd_and_mha_read_like_nifti(files: tuple[Path, Path], suffix: str, compressed: bool) -> None:
    wanted = inspect(read_roi(*files, label=20))
    found = inspect(read_roi(*(_convert(path, suffix, compressed) for path in files), label=20))
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-4), key


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("keep", [0, 10, 300, 0.5, 0.9, -4, -1])
def test_a_file_cut_off_anywhere_is_refused(
    files: tuple[Path, Path], suffix: str, compressed: bool, keep: float
) -> None:
    cut = _convert(files[0], suffix, compressed)
    raw = cut.read_bytes()
    size = int(len(raw) * keep) if isinstance(keep, float) else keep if keep >= 0 else len(raw) + keep
    cut.write_bytes(raw[:size])
    codes = [f"{code} {cut.name}" for code in ("E_IMAGE_TRUNCATED", "E_IMAGE_CORRUPT", "E_IMAGE_HEADER")]
    assert refusal(cut, files[1], label=20).split(":")[0] in codes
    cut.write_bytes(raw + b"x")
    assert refusal(cut, files[1], label=20).startswith("E_IMAGE_")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("kind", ["i2", "u2", "f4", "f8", "i4"])
def test_axes_and_types_agree_with_itk(shared: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    image = SimpleITK.ReadImage(str(shared / "data/spine_ct/l3_crop/sub-ct_seg-vert_label-22_msk.nii.gz"))
    names = {"i2": "Int16", "u2": "UInt16", "f4": "Float32", "f8": "Float64", "i4": "Int32"}
    image = SimpleITK.Cast(image, getattr(SimpleITK, f"sitk{names[kind]}"))
    SimpleITK.WriteImage(image, str(tmp_path / f"pir{suffix}"))
    volume = read_mask(tmp_path / f"pir{suffix}", 22)
    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(image) == 22)
    np.testing.assert_allclose(volume.direction.ravel(), image.GetDirection(), atol=1e-9)
    np.testing.assert_allclose(volume.spacing, image.GetSpacing())
    np.testing.assert_allclose(volume.origin, image.GetOrigin())


def test_nrrd_in_ras_and_big_endian_agrees_with_itk(tmp_path: Path) -> None:
    head = (
        "NRRD0004\n# a comment: with a colon\ntype: short\ndimension: 3\nspace: right-anterior-superior\n"
        "sizes: 3 4 5\nspace directions: (0,2,0) (0.5,0,0) (0,0,-1)\nkinds: domain domain domain\nendian: big\n"
        "encoding: raw\nspace origin: (10,20,30)\n\n"
    )
    path = tmp_path / "ras.nrrd"
    path.write_bytes(head.encode() + np.arange(60).astype(">i2").tobytes())
    image, volume = SimpleITK.ReadImage(str(path)), read_volume(path)
    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.direction.ravel(), image.GetDirection(), atol=1e-12)
    np.testing.assert_allclose(volume.origin, image.GetOrigin())


def _edited(path: Path, old: bytes, new: bytes) -> Path:
    raw = path.read_bytes()
    assert old in raw[:1000]
    path.write_bytes(raw.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("suffix", "old", "new", "text"),
    [
        (".nrrd", b"sizes: 46 50 24", b"sizes: 46 50 240", "E_IMAGE_TRUNCATED ct.nrrd: holds "),
        (".nrrd", b"sizes: 46 50 24", b"sizes: 46 50 23", "E_IMAGE_SURPLUS ct.nrrd: holds more bytes than "),
        (".nrrd", b"sizes: 46 50 24", b"sizes: 46 50 99999999999", "E_IMAGE_HEADER ct.nrrd: its header gives "),
        (".nrrd", b"type: short", b"type: block", "E_IMAGE_HEADER ct.nrrd: its type is 'block'"),
        (".nrrd", b"space: left", b"#pace: left", "E_NRRD_ORIENTATION ct.nrrd: has no space, "),
        (".nrrd", b"space: left-posterior-superior", b"space: scanner-xyz", "E_IMAGE_HEADER ct.nrrd: its space is "),
        (".nrrd", b"endian: little", b"data file: a.raw\nendian: little", "E_FORMAT ct.nrrd: keeps its voxels "),
        (".mha", b"DimSize = 46 50 24", b"DimSize = 46 50 48", "E_IMAGE_TRUNCATED ct.mha: holds "),
        (".mha", b"DimSize = 46 50 24", b"DimSize = 46 50", "E_IMAGE_DIMENSIONS ct.mha: has 46 x 50 voxels; "),
        (".mha", b"TransformMatrix", b"SomethingElse", "E_META_ORIENTATION ct.mha: has no TransformMatrix"),
        (".mha", b"= LOCAL", b"= a.raw", "E_FORMAT ct.mha: keeps its voxels in another file"),
        (".mha", b"ElementSpacing = 0.8", b"ElementSpacing = -.8", "E_IMAGE_SPACING ct.mha: its header gives "),
    ],
)  # fmt: skip
def test_a_wrong_header_is_refused(files: tuple[Path, Path], suffix: str, old: bytes, new: bytes, text: str) -> None:
    bad = _edited(_convert(files[0], suffix, False), old, new)
    assert refusal(bad).startswith(text)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_axis_without_direction_is_no_axis_of_space(files: tuple[Path, Path], at: int) -> None:
    path = _edited(_convert(files[0], ".nrrd", False), b"dimension: 3", b"dimension: 4")
    raw = _edited(path, b"sizes: 46 50 24", b"sizes: 46 50 24 1").read_bytes()
    line = next(line for line in raw.split(b"\n") if line.startswith(b"space directions: "))
    vectors = line.removeprefix(b"space directions: ").split()
    path.write_bytes(raw.replace(line, b"space directions: " + b" ".join([*vectors[:at], b"none", *vectors[at:]])))
    assert refusal(path).startswith("E_IMAGE_HEADER ct.nrrd: its space directions are '")
    path.write_bytes(raw.replace(line, b"space directions: " + b" ".join([*vectors, b"none"])))
    np.testing.assert_array_equal(read_volume(path).array, read_volume(files[0]).array)


def test_colours_are_refused(files: tuple[Path, Path]) -> None:
    image = SimpleITK.ReadImage(str(files[0]))
    out = files[0].parent / "rgb.mha"
    SimpleITK.WriteImage(SimpleITK.Compose(image, image, image), str(out))
    assert refusal(out).startswith("E_IMAGE_HEADER rgb.mha: its voxels are of type 'MET_SHORT'")


def test_the_real_nrrd_pair_is_refused_as_ct_and_read_as_an_image(shared: Path) -> None:
    pair = shared / "data/pyradiomics/brain1_image.nrrd", shared / "data/pyradiomics/brain1_label.nrrd"
    assert refusal(*pair) == (
        "E_NOT_CT brain1_image.nrrd: values run from 0 to 3057 and 0 % lie below -30, where a CT shows fat; "
        "give the original CT in HU, its rescale applied; MR is not read"
    )
    assert inspect(read_roi(*pair, require_ct=False))["voxels"] == 4137
