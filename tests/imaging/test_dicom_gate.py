"""The walk through a DICOM file: complete files pass, lengths that lie and nests that never end do not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from ovfrad.errors import InputError
from ovfrad.imaging.dicom import gate
from ovfrad.imaging.dicom.gate import DEPTH, PIXELS, opened
from ovfrad.imaging.dicom.parse import header


@pytest.fixture
def path(series: Path) -> Path:
    return series / "slice_0004.dcm"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        opened(path)
    return str(error.value)


def nested(depth: int, undefined: bool = False) -> Sequence:
    one = Dataset()
    for _ in range(depth - 1):
        inner, one = one, Dataset()
        one.ContentSequence = Sequence([inner])
        one["ContentSequence"].is_undefined_length = undefined
        inner.is_undefined_length_sequence_item = undefined
    return Sequence([one])


def edit(path: Path, how: Any, **save: Any) -> None:
    data = pydicom.dcmread(path)
    how(data)
    data.save_as(path, **save)


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_every_syntax_with_sequences_is_walked_to_its_end(path: Path, syntax: Any, undefined: bool) -> None:
    wanted = header(path)[0]

    def add(data: Any) -> None:
        data.ReferencedImageSequence = nested(5, undefined)
        data.IconImageSequence = nested(1, undefined)
        data.add_new(0x00091010, "UN", b"private")
        data.add_new(0x7FE10010, "OB", b"behind the pixels!")
        if syntax:
            data.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            data.PixelData = struct.pack(">2300h", *struct.unpack("<2300h", data.PixelData))

    data = pydicom.dcmread(path)
    add(data)
    options = {"implicit_vr": syntax == ImplicitVRLittleEndian, "little_endian": syntax != ExplicitVRBigEndian}
    pydicom.dcmwrite(path, data, **(options if syntax else {}))
    found = header(path)[0]
    assert {k: v for k, v in found.items() if k != "Pixels"} == {k: v for k, v in wanted.items() if k != "Pixels"}
    layout = opened(path)
    assert layout is not None
    assert len(layout.value(PIXELS)) == 4600
    assert layout.value(0x7FE10010) == b"behind the pixels!"


@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_nest_up_to_a_limit(path: Path, undefined: bool) -> None:
    edit(path, lambda data: setattr(data, "ReferencedImageSequence", nested(DEPTH, undefined)))
    assert opened(path) is not None
    edit(path, lambda data: setattr(data, "ReferencedImageSequence", nested(DEPTH + 1, undefined)))
    assert refusal(path) == ("E_DICOM_LIMIT slice_0004.dcm: its sequences nest deeper than 32 levels; export it again")


def test_a_nest_without_end_is_refused(path: Path) -> None:
    """As deep as the file is long: neither the stack nor the time runs out."""
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    raw = path.read_bytes()
    path.write_bytes(raw + b"\x0c\x01\x40\x11SQ\0\0\xff\xff\xff\xff" + item * 100_000)
    assert refusal(path).startswith("E_DICOM_LIMIT slice_0004.dcm: its sequences nest deeper than 32 levels")


def test_every_cut_is_noticed(path: Path) -> None:
    raw = path.read_bytes()
    for size in [*range(132, 900, 7), len(raw) - 1]:
        path.write_bytes(raw[:size])
        try:
            layout = opened(path)
        except InputError:
            continue
        assert layout is not None
        assert PIXELS not in layout.elements, size


def test_a_file_without_preamble_is_walked_all_the_same(path: Path) -> None:
    wanted = header(path)[0]
    raw = path.read_bytes()
    path.write_bytes(raw[132:])
    found = header(path)[0]
    assert found["Pixels"]["offset"] == wanted["Pixels"]["offset"] - 132
    assert {**found, "Pixels": wanted["Pixels"]} == wanted
    path.write_bytes(raw[raw.index(b"\x08\x00\x08\x00CS") :])
    assert header(path)[0]["ImagePositionPatient"] == wanted["ImagePositionPatient"]
    path.write_bytes(raw[raw.index(b"\x08\x00\x08\x00CS") : -1])
    assert header(path) == ({}, {})


def test_padding_behind_the_pixels_is_passed_over_and_rubbish_is_not(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw + bytes(300))
    assert opened(path) is not None
    at = raw.index(bytes(30), len(raw) // 2) if bytes(30) in raw[len(raw) // 2 :] else len(raw) - 400
    path.write_bytes(raw[:at] + b"\1" + raw[at:-1] + b"\0")  # a byte too many among the pixels
    assert refusal(path).startswith("E_DICOM_FILE slice_0004.dcm: cannot be read as DICOM: ")
    path.write_bytes(raw + bytes(300) + b"x")
    assert refusal(path).startswith("E_DICOM_FILE slice_0004.dcm: cannot be read as DICOM: ")
    path.write_bytes(raw + raw)
    assert refusal(path).startswith("E_DICOM_FILE slice_0004.dcm: cannot be read as DICOM: ")


ROWS = b"\x28\x00\x10\x00US\x02\x00"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (ROWS, b"\x28\x00\x10\x00??\x02\x00", "an element has no known type"),
        (ROWS, b"\x28\x00\x10\x00US\xff\xff", "an element runs past its end"),
        (ROWS, b"\x28\x00\x11\x00US\x02\x00", "it holds an element twice"),
        (ROWS, b"\xfe\xff\x0d\xe0\0\0\0\0", "an element is out of its place"),
        (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", "an element runs past its end"),
        (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", "an element"),
        (b"1.2.840.10008.1.2.1\0", b" " * 20, "it does not name its transfer syntax"),
    ],
)
def test_a_structure_that_lies_is_refused(path: Path, old: bytes, new: bytes, fault: str) -> None:
    raw = path.read_bytes()
    assert raw.count(old) == 1
    path.write_bytes(raw.replace(old, new))
    assert refusal(path).startswith(f"E_DICOM_FILE slice_0004.dcm: cannot be read as DICOM: {fault}")


def test_pixels_longer_than_the_file_are_truncated(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[:-600])
    assert refusal(path) == (
        "E_IMAGE_TRUNCATED slice_0004.dcm: holds 4000 bytes of the 4600 its header announces; "
        "the file was cut off; copy or export it again"
    )


def deflated(path: Path, body: bytes) -> None:
    """Replace the data set by deflated bytes."""
    edit(path, lambda data: setattr(data.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian))
    raw = path.read_bytes()
    length = struct.unpack_from("<L", raw, 140)[0]
    path.write_bytes(raw[: 144 + length] + body)


def test_a_bomb_is_refused_before_it_is_inflated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "INFLATED_BYTES", 1 << 20)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated(path, engine.compress(bytes(1 << 24)) + engine.flush())
    assert refusal(path).startswith("E_DICOM_LIMIT slice_0004.dcm: inflates to more than 1 MiB; ")


@pytest.mark.parametrize("damage", ["cut", "flipped", "followed"])
def test_damaged_deflated_bytes_are_refused(path: Path, damage: str) -> None:
    edit(path, lambda data: setattr(data.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian))
    raw = path.read_bytes()
    middle = len(raw) // 2
    path.write_bytes(
        {
            "cut": raw[:-9],
            "flipped": raw[:middle] + bytes(b ^ 255 for b in raw[middle : middle + 40]) + raw[middle + 40 :],
            "followed": raw + b"rubbish!",
        }[damage]
    )
    assert refusal(path).startswith(("E_DICOM_FILE slice_0004.dcm: ", "E_IMAGE_TRUNCATED slice_0004.dcm: "))


def test_a_file_too_large_is_refused_unread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_BYTES", 4000)
    assert refusal(path).startswith("E_DICOM_LIMIT slice_0004.dcm: has ")


def test_compressed_icons_in_a_header_are_passed_over(path: Path) -> None:
    """Their fragments are not those of the image."""
    raw = path.read_bytes()
    at = raw.index(b"\x28\x00\x02\x00US")
    item = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\x02\0\0\0ab" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    icon = b"\x09\x00\x10\x10SQ\0\0" + struct.pack("<L", len(item) + 8) + b"\xfe\xff\x00\xe0"
    path.write_bytes(raw[:at] + icon + struct.pack("<L", len(item)) + item + raw[at:])
    layout = opened(path)
    assert layout is not None
    assert layout.fragments == []
    assert len(layout.value(PIXELS)) == 4600
