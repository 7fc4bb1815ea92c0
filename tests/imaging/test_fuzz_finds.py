"""What fuzzing and hostile reading of the readers found, each as a small file built here."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `corpus`, which is no part of the package under test

from corpus import dicom, structures
from corpus.base import LABEL, OTHER, Array, body
from corpus.dicom import Change
from corpus.segments import slicer
from corpus.writers import gz, mha, nifti, nrrd, setting

import ovfrad.imaging.dicom.structures
from ovfrad.errors import InputError
from ovfrad.imaging import read_roi, read_segments, read_volume
from ovfrad.imaging.dicom import gate, parse
from ovfrad.imaging.dicom.gate import VALUE_BYTES
from ovfrad.imaging.dicom.parse import header
from ovfrad.imaging.flags import MOST_SURFACE, _is_far, _pieces
from ovfrad.imaging.formats import stream
from ovfrad.imaging.opening import open_ct

SIGNALLING = b"\x01\x00\x80\x7f"
"""A signalling NaN, float32: casts of it warn."""


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def ct(tmp_path: Path) -> Path:
    return put(tmp_path / "ct.nii", nifti(body().hu, body().affine))


def mask(tmp_path: Path) -> Path:
    return put(tmp_path / "mask.nii", nifti(body().labels, body().affine))


def refused(image: Path, drawn: Path | None = None) -> str:
    """Code of the refusal; a warning of numpy is an error here."""
    with pytest.raises(InputError) as error:
        read_volume(image) if drawn is None else read_roi(image, drawn, label=LABEL)
    assert str(error.value).isprintable()
    return error.value.code


def edited(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


@pytest.mark.parametrize("at", [280, 292, 268, 80])
def test_signalling_nan_in_a_nifti_header_is_refused_without_remarks(tmp_path: Path, at: int) -> None:
    """In srow, qoffset and pixdim."""
    path = put(tmp_path / "x.nii", edited(nifti(body().hu, body().affine), at, SIGNALLING))
    assert refused(path) in ("E_IMAGE_SPACING", "E_NIFTI_HEADER")


def test_qform_without_a_place_does_not_agree_with_the_sform(tmp_path: Path) -> None:
    path = put(tmp_path / "x.nii", nifti(body().hu, body().affine, edit=setting(qoffset_0=np.nan)))
    assert refused(path) == "E_IMAGE_SPACING"


@pytest.mark.parametrize("change", [{"pixdim_1": 1e-320}, {"pixdim_3": 1e308}, {"qoffset_1": 1e308}])
def test_absurd_lengths_do_not_overflow(tmp_path: Path, change: dict[str, float]) -> None:
    path = put(tmp_path / "x.nii", nifti(body().hu, body().affine, version=2, edit=setting(**change)))
    assert refused(path) == "E_IMAGE_SPACING"


@pytest.mark.parametrize("far", [1e6, 1e15])
def test_a_place_at_which_numbers_have_no_digits_left_is_refused(tmp_path: Path, far: float) -> None:
    affine = body().affine.copy()
    affine[0, 3] = far
    for name, content in {"x.nrrd": nrrd(body().hu, affine), "x.mha": mha(body().hu, affine)}.items():
        assert refused(put(tmp_path / name, content)) == "E_IMAGE_SPACING"


@pytest.mark.parametrize("number", ["1e300", "1e400", "0_75", "nan", "0x1", "1" * 5000, "٣", "²"])
def test_what_is_no_decimal_number_is_refused(tmp_path: Path, number: str) -> None:
    for name, content in {"x.nrrd": nrrd(body().hu, body().affine), "x.mha": mha(body().hu, body().affine)}.items():
        assert content.count(b"0.75") == 1
        path = put(tmp_path / name, content.replace(b"0.75", number.encode()))
        assert refused(path) in ("E_IMAGE_HEADER", "E_IMAGE_SPACING")


def test_a_message_shows_no_control_characters_of_a_header(tmp_path: Path) -> None:
    path = put(tmp_path / "x.mha", mha(body().hu, body().affine, change={"NDims": "\0\x1b[31m"}))
    assert refused(path) == "E_IMAGE_HEADER"


def test_values_beyond_float32_are_not_read_as_infinite(tmp_path: Path) -> None:
    hu = body().hu.astype("f8")
    hu[0, 0, 0] = 1e300
    assert refused(put(tmp_path / "x.nii", nifti(hu, body().affine))) == "E_IMAGE_NONFINITE"
    scaled = nifti(body().hu, body().affine, version=2, scale=(1e307, 0.0))
    assert refused(put(tmp_path / "y.nii", scaled)) == "E_IMAGE_NONFINITE"


def test_the_bytes_missing_from_a_file_are_not_negative(tmp_path: Path) -> None:
    path = put(tmp_path / "x.nii", nifti(body().hu, body().affine, edit=setting(vox_offset=2**25)))
    with pytest.raises(InputError, match="holds 0 bytes of the 240000"):
        read_volume(path)


def test_a_path_with_a_nul_is_missing() -> None:
    with pytest.raises(InputError, match="E_FILE_MISSING"):
        read_volume("ct\0.nii")


def test_a_metaimage_says_its_byte_order_and_is_not_rescaled(tmp_path: Path) -> None:
    for change in ({"BinaryDataByteOrderMSB": None}, {"ElementToIntensityFunctionSlope": "2"},
                   {"ElementToIntensityFunctionOffset": "-1024"}):  # fmt: skip
        path = put(tmp_path / "x.mha", mha(body().hu, body().affine, change=change))
        assert refused(path) == "E_IMAGE_HEADER"
    same = {"ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0"}
    path = put(tmp_path / "x.mha", mha(body().hu, body().affine, change=same))
    np.testing.assert_array_equal(read_volume(path).array, body().hu)


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    path = put(tmp_path / "x.nrrd", nrrd(body().hu, body().affine, newline="\r\n"))
    np.testing.assert_array_equal(read_volume(path).array, body().hu)


def _row(name: str, value: int, layer: int = 0) -> dict[str, str | int]:
    return {"Name": name, "LabelValue": value, "Layer": layer}


@pytest.mark.parametrize("name", ["Åbygård L1", "L1 à", "L1 …", "第一腰椎", "L1 \u2028 x"])
def test_names_of_segments_are_kept_whatever_their_bytes(tmp_path: Path, name: str) -> None:
    """UTF-8 holds bytes that are blanks or line ends in Latin-1."""
    table = [_row(name.encode().decode("latin-1"), LABEL), _row("L2", OTHER)]
    path = put(tmp_path / "x.seg.nrrd", slicer(body().labels, body().affine, table))
    named = {segment.number: segment.name for segment, _, _ in read_segments(ct(tmp_path), path)}
    assert named == {LABEL: " ".join(name.split()), OTHER: "L2"}


@pytest.mark.parametrize(
    "table",
    [
        [_row("L1", 1, 0), _row("L1", 1, 1)],
        [_row("L1", 1, 0), _row("L2", 1, 0)],
        [_row("L1", 1, 0), _row("L2", 0, 1)],
    ],
    ids=["one name and number", "one place", "of the background"],
)
def test_a_table_that_says_one_segment_twice_is_refused(tmp_path: Path, table: list[dict[str, str | int]]) -> None:
    layers = np.stack([body().labels == LABEL, body().labels == OTHER], -1).astype("u1")
    path = put(tmp_path / "x.seg.nrrd", slicer(layers, body().affine, table))
    assert refused(ct(tmp_path), path) == "E_IMAGE_HEADER"


def test_layers_too_many_for_memory_are_refused_before_they_are_read(tmp_path: Path) -> None:
    content = slicer(body().labels[..., None], body().affine, [_row("L1", LABEL)])
    assert content.count(b"sizes: 1 50 60 40") == 1
    path = put(tmp_path / "x.seg.nrrd", content.replace(b"sizes: 1 50 60 40", b"sizes: 4096 4000 4 1"))
    assert refused(ct(tmp_path), path) == "E_IMAGE_SIZE"


def test_gzip_in_countless_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_MEMBERS", 9)
    good = nifti(body().hu, body().affine)
    empty = gzip.compress(b"", mtime=0)
    assert read_volume(put(tmp_path / "x.nii.gz", gz(good, 8))).array.shape == body().hu.shape
    for content in (empty * 10 + gz(good), gz(good) + empty * 10, gz(good, 11)):
        assert refused(put(tmp_path / "x.nii.gz", content)) == "E_IMAGE_CORRUPT"


def _speckled(shape: tuple[int, int, int]) -> Array:
    found = np.zeros(shape, bool)
    found[1:-1:2, 1:-1:2, 1:-1:2] = True
    return found


def test_specks_are_counted_without_a_box_for_each() -> None:
    """A thousand of one voxel, and two far pieces of which each holds a twentieth."""
    region = _speckled((40, 40, 40))
    region[:9] = region[-9:] = False
    region[:7, :9, :9] = region[-7:, -9:, -9:] = True
    assert np.count_nonzero(region[9:-9]) > 1000
    assert _pieces(region, (1.0, 1.0, 1.0)) == 2


def test_surfaces_larger_than_any_bone_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    named = np.zeros((9, 9, 9), np.int32)
    named[:3], named[4:7] = 1, 2
    box, steps = (slice(4, 7), slice(0, 9), slice(0, 9)), np.ones(3)
    assert MOST_SURFACE > 1e6
    assert not _is_far(named, 1, 2, box, steps)
    monkeypatch.setattr(sys.modules[_is_far.__module__], "MOST_SURFACE", 100)
    assert _is_far(named, 1, 2, box, steps)


def series(tmp_path: Path, change: Change, syntax: str = dicom.EXPLICIT) -> Path:
    """Four slices of the body, changed one by one."""
    made = dicom.slices(body().hu[14:18], body().affine)
    for n, one in enumerate(made):
        change(one, n)
    return dicom.save_all(made, tmp_path / "series", syntax=syntax)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RescaleSlope", "1e300"),
        ("RescaleIntercept", "-1e308"),
        ("ImagePositionPatient", ["0", "0", "1e200"]),
        ("ImageOrientationPatient", ["1e200", "0", "0", "0", "1", "0"]),
        ("PixelSpacing", ["1e300", "1"]),
    ],
)
def test_absurd_numbers_in_dicom_do_not_overflow(tmp_path: Path, keyword: str, value: str | list[str]) -> None:
    assert refused(series(tmp_path, lambda one, n: dicom.put_in(one, keyword, value))) == "E_DICOM_TAG"


def test_absurd_facts_are_left_out(tmp_path: Path) -> None:
    folder = series(tmp_path, lambda one, n: dicom.put_in(one, "SliceThickness", f"1.{n}e308"))
    np.testing.assert_array_equal(read_volume(folder).array, body().hu[14:18].clip(-1024))
    assert "slice_thickness_mm" not in open_ct(folder).facts


def _with_long_value(path: Path, tag: bytes, content: bytes) -> None:
    """Another value of an element in an implicit file, where a length has four bytes."""
    whole = path.read_bytes()
    at = whole.index(tag) + 4
    size = int.from_bytes(whole[at : at + 4], "little")
    path.write_bytes(whole[:at] + len(content).to_bytes(4, "little") + content + whole[at + 4 + size :])


def test_no_value_of_a_header_is_longer_than_a_header(tmp_path: Path) -> None:
    folder = series(tmp_path, lambda one, n: None, dicom.IMPLICIT)
    path = folder / "slice_002.dcm"
    _with_long_value(path, b"\x08\x00\x08\x00", b"A\\" * VALUE_BYTES)
    assert len(header(path)[0]["ImageType"]) <= VALUE_BYTES // 2 + 1
    _with_long_value(path, b"\x20\x00\x32\x00", b"1\\" * VALUE_BYTES)
    assert refused(folder) == "E_DICOM_TAG"


def test_a_slice_is_no_larger_than_a_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sorted(series(tmp_path, lambda one, n: None, dicom.DEFLATED).iterdir())[0]
    monkeypatch.setattr(parse, "SLICE_BYTES", 6900)
    assert header(path)[0]["Rows"] == 60
    monkeypatch.setattr(parse, "SLICE_BYTES", 6000)
    with pytest.raises(InputError, match="E_DICOM_LIMIT"):
        header(path)


def test_deflated_bytes_are_taken_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sorted(series(tmp_path, lambda one, n: None, dicom.DEFLATED).iterdir())[0]
    whole = gate.opened(path)
    assert whole is not None
    for size in (1, 7, 4096):
        monkeypatch.setattr(gate, "CHUNK", size)
        again = gate.opened(path)
        assert again is not None and bytes(again.data) == bytes(whole.data)
    path.write_bytes(path.read_bytes() + b"\0\0x")
    with pytest.raises(InputError, match="do not end where the file ends"):
        gate.opened(path)


def test_contours_by_the_thousand_are_not_as_large_as_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = structures.structures({1: structures.contours_of(body().labels == LABEL, body().affine)})
    path = dicom.save(drawn, tmp_path / "rt.dcm")
    assert read_roi(ct(tmp_path), path, label=1).mask.array.sum() == (body().labels == LABEL).sum()
    monkeypatch.setattr(ovfrad.imaging.dicom.structures, "MAX_AREA", 1000)
    with pytest.raises(InputError, match=r"E_RTSTRUCT_SIZE rt\.dcm: the contours of ROI 1 .* million voxels"):
        read_roi(ct(tmp_path), path, label=1)
