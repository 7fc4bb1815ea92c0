"""NIfTI: equal content reads equal however it is stored; damaged or doubtful files are refused in one line."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging import Volume, inspect, read_mask, read_roi, read_segments, read_volume, write_nifti

Files = tuple[Path, Path]


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as error:
        function(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def rewritten(path: Path, change: Callable[[Any], None], name: str = "changed.nii") -> Path:
    """Uncompressed copy of a NIfTI file with an edited header (unmended)."""
    content = gzip.decompress(path.read_bytes())
    header = nibabel.Nifti1Header(content[:348], check=False)
    change(header)
    out = path.parent / name
    out.write_bytes(header.binaryblock + content[348:])
    return out


@pytest.fixture
def wanted(files: Files) -> dict[str, Any]:
    return inspect(read_roi(*files, label=20))


def test_inspect_counts_what_is_there(files: Files, volumes: tuple[Volume, Volume], wanted: dict[str, Any]) -> None:
    ct, mask = volumes
    inside = ct.array[mask.array == 20]
    assert wanted["voxels"] == inside.size
    assert wanted["volume_mm3"] == pytest.approx(inside.size * 0.8 * 0.8 * 2, rel=1e-6)
    assert (wanted["mean_hu"], wanted["min_hu"]) == (pytest.approx(inside.mean()), inside.min())
    k, j, i = np.argwhere(mask.array == 20).mean(axis=0)
    assert wanted["centroid_lps"] == pytest.approx([0.8 * i - 12, 0.8 * j + 40.5, 2 * k - 300], abs=1e-4)
    assert wanted["spacing_mm"] == pytest.approx([0.8, 0.8, 2.0])
    assert wanted["direction"] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert wanted["warnings"] == []


def _store(kind: str, ct: Volume, path: Path) -> Path:
    """The same CT stored in another way."""
    affine = np.diag([-1.0, -1, 1, 1]) @ ct.affine
    data = ct.array.transpose(2, 1, 0)
    if kind == "big-endian":
        image = nibabel.Nifti1Image(data.astype(">i2"), affine, nibabel.Nifti1Header(endianness=">"))
    elif kind == "nifti-2":
        image = nibabel.Nifti2Image(data, affine)
    elif kind == "float":
        image = nibabel.Nifti1Image(data.astype(np.float32), affine)
    elif kind == "4-D":
        image = nibabel.Nifti1Image(data[..., None], affine)
    elif kind == "scaled":
        image = nibabel.Nifti1Image((data + 1024).astype(np.uint16), affine)
        image.header.set_slope_inter(1, -1024)
        raw = nibabel.Nifti1Header(image.header.binaryblock, check=False)
        raw["scl_slope"], raw["scl_inter"], raw["vox_offset"], raw["magic"] = 1, -1024, 352, b"n+1"
        content = raw.binaryblock + b"\0" * 4 + (data + 1024).astype(np.uint16).tobytes(order="F")
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path
    else:
        image = nibabel.Nifti1Image(data, affine)
        image.set_sform(affine, code=1 if kind == "sform" else 0)
        image.set_qform(affine, code=1 if kind == "qform" else 0)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("kind", ["big-endian", "nifti-2", "float", "4-D", "scaled", "sform", "qform"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_equal_content_reads_equal(
    kind: str, suffix: str, files: Files, volumes: tuple[Volume, Volume], wanted: dict[str, Any]
) -> None:
    other = _store(kind, volumes[0], files[0].parent / f"other{suffix}")
    found = inspect(read_roi(other, files[1], label=20))
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-4), key
    if suffix == ".nii":
        zipped = other.with_suffix(".nii.gz")
        raw = other.read_bytes()
        zipped.write_bytes(gzip.compress(raw[:9000]) + gzip.compress(raw[9000:]) + b"\0" * 512)  # members, padding
        assert inspect(read_roi(zipped, files[1], label=20)) == found


def test_a_crop_holds_what_the_whole_image_holds(files: Files, wanted: dict[str, Any]) -> None:
    whole = read_roi(*files, label=20, margin_mm=None)
    assert whole.ct.array.shape == (24, 50, 46)
    close = read_roi(*files, label=20, margin_mm=2)
    assert close.ct.array.shape == (13, 29, 29)
    for roi in (whole, close):
        found = inspect(roi)
        assert found.pop("centroid_lps") == pytest.approx(wanted["centroid_lps"])
        assert found == {key: value for key, value in wanted.items() if key != "centroid_lps"}
    np.testing.assert_array_equal(read_volume(files[0]).array, whole.ct.array)


def test_strange_paths_are_only_paths(files: Files, wanted: dict[str, Any]) -> None:
    folder = files[0].parent / "Röntgen 脊椎 and spaces"
    folder.mkdir()
    ct, mask = (path.rename(folder / f"a b é {path.name}") for path in files)
    assert inspect(read_roi(ct, mask, label=20)) == wanted
    link = folder / "link.nii.gz"
    link.symlink_to(ct)
    assert inspect(read_roi(str(link), str(mask), label=20)) == wanted
    upper = ct.rename(folder / "CT.NII.GZ")
    assert inspect(read_roi(upper, mask, label=20)) == wanted


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.5, 0.9, 0.9999, 8, 4, 1])
def test_a_file_cut_off_anywhere_is_refused(files: Files, share: float) -> None:
    raw = files[0].read_bytes()
    keep = int(len(raw) * share) if share < 1 else len(raw) - int(share)
    for content, name in [(raw, "cut.nii.gz"), (gzip.decompress(raw), "cut.nii")]:
        size = keep if name.endswith("gz") else int(len(content) * share) if share < 1 else len(content) - int(share)
        cut = files[0].parent / name
        cut.write_bytes(content[:size])
        for ct, mask in [(cut, files[1]), (files[0], cut)]:
            assert refusal(read_roi, ct, mask, label=20).split(":")[0] in (
                f"E_IMAGE_TRUNCATED {name}",
                f"E_IMAGE_CORRUPT {name}",
                f"E_MASK_VALUES {name}",  # a CT as a mask: its values tell before its end does
            )


def test_the_text_of_a_truncation_says_how_much(files: Files) -> None:
    cut = files[0].parent / "half.nii"
    cut.write_bytes(gzip.decompress(files[0].read_bytes())[:60000])
    assert refusal(read_roi, cut, files[1], label=20) == (
        "E_IMAGE_TRUNCATED half.nii: holds 59648 bytes of the 110400 its header announces; "
        "the file was cut off; copy or export it again"
    )
    cut.write_bytes(b"")
    assert refusal(read_roi, cut, files[1], label=20) == (
        "E_IMAGE_TRUNCATED half.nii: holds 0 bytes, less than a NIfTI header; "
        "the file is empty or was cut off; copy or export it again"
    )


def test_a_flipped_byte_in_the_compressed_part_is_noticed(files: Files) -> None:
    raw = bytearray(files[0].read_bytes())
    for at in range(100, len(raw), len(raw) // 40):
        bad = bytearray(raw)
        bad[at] ^= 0x10
        path = files[0].parent / "bad.nii.gz"
        path.write_bytes(bad)
        assert refusal(read_roi, path, files[1], label=20).startswith("E_IMAGE_")
    for trail in (b"garbage", raw):
        path.write_bytes(bytes(raw) + trail)
        assert refusal(read_roi, path, files[1], label=20).startswith("E_IMAGE_")


def _set(key: str, value: Any, at: int | None = None) -> Callable[[Any], None]:
    def change(header: Any) -> None:
        if at is None:
            header[key] = value
        else:
            header[key][at] = value

    return change


def _both(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda header: [change(header) for change in changes] and None


HEADERS = {
    "E_NIFTI_ORIENTATION changed.nii: has neither sform nor qform, so left and right are unknown; "
    "export the file with its orientation": _both(_set("sform_code", 0), _set("qform_code", 0)),
    "E_NIFTI_FORMS changed.nii: sform and qform place it 3.75 voxels apart; export the file with one orientation": _set(
        "qoffset_x", 15.0
    ),
    "E_IMAGE_SPACING changed.nii: its header gives voxels of 0.8 x -0.8 x 2 mm; "
    "spacing is positive; export the file again": _set("pixdim", -0.8, 2),
    "E_IMAGE_SPACING changed.nii: its header gives voxels of 0.8 x 0.8 x 0 mm; "
    "spacing is positive; export the file again": _set("pixdim", 0, 3),
    "E_NIFTI_SPACING changed.nii: pixdim says voxels of 0.8 x 0.8 x 3 mm, the sform 0.8 x 0.8 x 2 mm; "
    "export the file with one spacing": _both(_set("pixdim", 3, 3), _set("qform_code", 0)),
    "E_IMAGE_SHEAR changed.nii: the axes are not perpendicular: a corner lies 3.08 voxels off; "
    "resample the image onto a rectangular grid (gantry tilt corrected)": _set("srow_y", 0.2, 2),
    "E_NIFTI_UNITS changed.nii: its lengths are in metres; export the file with millimetres": _set("xyzt_units", 1),
    "E_IMAGE_TYPE changed.nii: stores RGB colours; voxels are integers or real numbers, one a place; "
    "export the CT in HU": _set("datatype", 128),
    "E_IMAGE_TYPE changed.nii: stores complex numbers; voxels are integers or real numbers, one a place; "
    "export the CT in HU": _set("datatype", 32),
    "E_NIFTI_HEADER changed.nii: its header says 8 bits a voxel for a type of 16; "
    "the header is damaged or not NIfTI; export the file again": _set("bitpix", 8),
    "E_NIFTI_HEADER changed.nii: its scaling is inf and 0; "
    "the header is damaged or not NIfTI; export the file again": _set("scl_slope", np.inf),
    "E_IMAGE_DIMENSIONS changed.nii: has 46 x 50 voxels; "
    "one three-dimensional volume is read; split time series, and stack single slices": _set("dim", 2, 0),
    "E_IMAGE_DIMENSIONS changed.nii: has 46 x 50 x 24 x 3 voxels; "
    "one three-dimensional volume is read; split time series, and stack single slices": _both(
        _set("dim", 4, 0), _set("dim", 3, 4)
    ),
    "E_NIFTI_HEADER changed.nii: its header gives the dimensions [3, -46, 50, 24, 1, 1, 1, 1]; "
    "the header is damaged or not NIfTI; export the file again": _set("dim", -46, 1),
    "E_IMAGE_SIZE changed.nii: its header asks for 32767 x 32767 x 32767 voxels; "
    "images up to 4096 voxels a side and 4 GiB are read; export the file again": _set(
        "dim", [3, 32767, 32767, 32767, 1, 1, 1, 1]
    ),
    "E_IMAGE_TRUNCATED changed.nii: holds 110400 bytes of the 112800 its header announces; "
    "the file was cut off; copy or export it again": _both(_set("dim", 47, 1)),
    "E_IMAGE_SURPLUS changed.nii: holds more bytes than its header announces; "
    "header and voxels do not belong together; export the file again": _set("dim", 23, 3),
    "E_NIFTI_HEADER changed.nii: its header says the voxels begin at byte 0; "
    "the header is damaged or not NIfTI; export the file again": _set("vox_offset", 0),
    "E_FORMAT changed.nii: is one half of a .hdr and .img pair; save it as one .nii or .nii.gz file": _set(
        "magic", b"ni1"
    ),
    "E_NIFTI_HEADER changed.nii: does not begin with a NIfTI header; "
    "the header is damaged or not NIfTI; export the file again": _set("magic", b"xyz"),
}


@pytest.mark.parametrize("text", HEADERS)
def test_a_wrong_header_is_refused(files: Files, text: str) -> None:
    bad = rewritten(files[0], HEADERS[text])
    assert refusal(read_roi, bad, files[1], label=20) == text
    assert refusal(read_volume, bad) == text


def test_a_bomb_is_refused_before_it_goes_off(files: Files) -> None:
    bad = rewritten(files[0], _set("dim", [3, 2000, 2000, 1000, 1, 1, 1, 1]))
    bomb = bad.with_name("bomb.nii.gz")
    bomb.write_bytes(gzip.compress(bad.read_bytes()[:352] + bytes(10_000_000)))
    assert refusal(read_volume, bomb).startswith("E_IMAGE_SIZE bomb.nii.gz")
    bad = rewritten(files[0], _set("dim", [3, 10, 10, 10, 1, 1, 1, 1]))
    bomb.write_bytes(gzip.compress(bad.read_bytes()[:352] + bytes(50_000_000)))
    assert refusal(read_volume, bomb).startswith("E_IMAGE_SURPLUS bomb.nii.gz")


def test_small_disagreement_of_the_forms_is_told(files: Files) -> None:
    off = rewritten(files[0], lambda header: header.__setitem__("qoffset_x", header["qoffset_x"] + 0.04))
    line = "W_NIFTI_FORMS changed.nii: sform and qform differ by 0.05 voxels; the sform is used"
    with pytest.warns(InputWarning) as caught:
        roi = read_roi(off, files[1], label=20)
    assert [str(w.message) for w in caught] == [line]
    assert inspect(roi)["warnings"] == [line]


@pytest.mark.parametrize(("slope", "intercept"), [(1.5, 0), (1, 2), (1, -32)])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_an_unlikely_scale_is_told(tmp_path: Path, files: Files, dtype: Any, slope: float, intercept: float) -> None:
    image = nibabel.load(files[0])
    plain = tmp_path / "plain.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj).astype(dtype), image.affine), plain)
    odd = rewritten(plain, _both(_set("scl_slope", slope), _set("scl_inter", intercept)))
    stored = "integers" if dtype == np.int16 else "real numbers"
    said = f"{stored} are multiplied by {slope:g} and {intercept:g} is added"
    with pytest.warns(InputWarning) as caught:
        read_roi(odd, files[1], label=20)
    assert str(caught[0].message) == f"W_NIFTI_SCALE changed.nii: {said}; compare with the original"


def test_a_rotation_by_180_degrees_may_be_rounded(files: Files) -> None:
    def half_turn(header: Any) -> None:
        header["sform_code"] = 0
        header["quatern_b"], header["quatern_c"], header["quatern_d"] = 0, 0, np.nextafter(np.float32(1), np.float32(2))

    assert read_volume(rewritten(files[0], half_turn)).direction[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0, 0), (10, 24, 22)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nan_and_infinity_are_refused_wherever_they_are(
    files: Files, volumes: tuple[Volume, Volume], bad: float, at: tuple[int, int, int], suffix: str
) -> None:
    text = f"E_IMAGE_NONFINITE nan{suffix}: holds NaN or infinite values; replace them before the export"
    for n, volume in enumerate(volumes):
        array = volume.array.astype(np.float32)
        array[at] = bad
        path = write_nifti(Volume(array, volume.affine), files[0].parent / f"nan{suffix}")
        assert (refusal(read_mask, path, 20) if n else refusal(read_roi, path, files[1], label=20)) == text


def test_float_precision_of_an_offset_is_no_silent_change(files: Files) -> None:
    content = bytearray(gzip.decompress(files[0].read_bytes()))
    content[108:112] = struct.pack("<f", 352.5)
    path = files[0].parent / "offset.nii"
    path.write_bytes(content)
    assert refusal(read_volume, path).startswith(
        "E_NIFTI_HEADER offset.nii: its header says the voxels begin at byte 352.5"
    )


def test_zeros_without_end_behind_a_compressed_file_are_refused(files: Files, tmp_path: Path) -> None:
    padded = tmp_path / "padded.nii.gz"
    padded.write_bytes(files[0].read_bytes())
    with padded.open("r+b") as stream:
        stream.truncate(1 << 36)  # sparse: nothing of it lies on the disk
    assert refusal(read_volume, padded).startswith("E_IMAGE_SURPLUS padded.nii.gz")


def test_structures_are_counted_in_one_pass(files: Files, tmp_path: Path) -> None:
    mask = nibabel.load(files[1])
    labels = np.asarray(mask.dataobj).astype(np.uint16)
    labels[0, 0, :3], labels[1, 2, :5] = 300, 7
    path = tmp_path / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, mask.affine), path)
    found = {segment.number: voxels for segment, voxels, _ in read_segments(files[0], path)}
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    assert found == dict(zip(numbers.tolist(), counts.tolist(), strict=True))
