"""Every transfer syntax gives the same stored values as the uncompressed file, or is refused by its name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, generate_frames

from ovfrad.errors import InputError
from ovfrad.imaging import Volume, write_dicom_series
from ovfrad.imaging.dicom.ct import open_dicom
from ovfrad.imaging.dicom.pixels import as_stored, in_hu
from ovfrad.imaging.dicom.sandbox import decoded
from ovfrad.imaging.source import Source

SYNTAXES = {
    "ImplicitVRLittleEndian": "1.2.840.10008.1.2",
    "ExplicitVRBigEndian": "1.2.840.10008.1.2.2",
    "DeflatedExplicitVRLittleEndian": "1.2.840.10008.1.2.1.99",
    "RLELossless": "1.2.840.10008.1.2.5",
    "JPEGLosslessProcess14": "1.2.840.10008.1.2.4.57",
    "JPEGLosslessProcess14_1": "1.2.840.10008.1.2.4.70",
    "JPEGLSLossless": "1.2.840.10008.1.2.4.80",
    "JPEGLSNearLossless": "1.2.840.10008.1.2.4.81",
    "JPEG2000Lossless": "1.2.840.10008.1.2.4.90",
    "JPEG2000": "1.2.840.10008.1.2.4.91",
}
"""As GDCM calls them; it writes the lossy ones without loss unless told otherwise."""
RAMP = 13 * np.arange(80, dtype=np.int16).reshape(8, 10)
HTJ2K = bytes.fromhex(
    "ff4fff51002940000000000a0000000800000000000000000000000a00000008000000000000000000010f0101ff5000080002000000"
    "0aff52000c00020001000504044001ff5c00132088909090909090909090909090888888ff90000a0000000000620001ff93c0002641"
    "fd0507740000c0001280d401077400c00011c0001380006300a004e500a23400c00011c000154001e300482241f2001080775600c000"
    "27800057001811d17ecb75000205040404fee00c463181ecb800ffd9"
)
"""The ramp, encoded by OpenHTJ2K, which GDCM cannot do."""
JPEG_12 = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb0043000201010101010201010102020202020403020202020504040304060506"
    "060605060606070908060709070606080b08090a0a0a0a0a06080b0c0b0a0c090a0a0affc1000b0c0008000a01011100ffc400150001"
    "010000000000000000000000000000090dffc400231000000306070000000000000000000000000c28010204050846253443526162e2"
    "ffda0008010100003f008fa34245afb2481f6db5e022f2d2d7d8743a07d072dae19d07ffd9"
)
"""The ramp with 12 bits by libjpeg-turbo, with loss; its own decoder is at most 2 off the ramp, as here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two slices with noise of every sign, bits and syntax to be changed."""
    array = np.random.default_rng(0).integers(-1000, 1000, (2, 20, 24))
    return write_dicom_series(Volume(array.astype(np.int16), np.diag([1, 1, 2, 1.0])), tmp_path / "series")


def change(folder: Path, how: Callable[[Any], None]) -> None:
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        how(data)
        data.save_as(path)


def store(folder: Path, bits: int, signed: bool) -> None:
    """Store the same HU with other bits and sign."""

    def restore(data: Any) -> None:
        hu = np.frombuffer(data.PixelData, "<i2") - 1024
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
        data.RescaleIntercept = "0" if signed else "-1024"
        data.PixelData = (hu if signed else hu + 1024).astype("<i2").tobytes()

    change(folder, restore)


def transcode(path: Path, name: str) -> None:
    import gdcm

    reader, writer, changer = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(path))
    assert reader.Read()
    changer.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    changer.SetInput(reader.GetImage())
    assert changer.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(changer.GetOutput())
    assert writer.Write()


def hu(source: Source) -> NDArray[Any]:
    return np.stack([plane.copy() for _, plane in source.planes(range(source.grid.shape[0]))])


def refusal(action: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as error:
        action()
    return str(error.value)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("name", SYNTAXES)
def test_every_syntax_gives_the_same_values(name: str, bits: int, signed: bool, folder: Path) -> None:
    wanted = hu(open_dicom(folder))
    assert wanted.min() < -900
    assert wanted.max() > 900
    store(folder, bits, signed)
    for path in folder.iterdir():
        transcode(path, name)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == SYNTAXES[name]
    source = open_dicom(folder)
    np.testing.assert_array_equal(hu(source), wanted)
    assert [note[0] for note in source.notes] == (
        ["W_DICOM_LOSSY"] if name in ("JPEGLSNearLossless", "JPEG2000") else []
    )


def wrapped(folder: Path, stream: bytes, syntax: str, **tags: Any) -> None:
    """Put a codestream of 8 x 10 pixels into every slice."""

    def wrap(data: Any) -> None:
        data.file_meta.TransferSyntaxUID = syntax
        data.Rows, data.Columns, data.PixelRepresentation, data.BitsStored, data.HighBit = 8, 10, 0, 12, 11
        data.PixelData = encapsulate([stream])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
        for keyword, value in tags.items():
            setattr(data, keyword, value)

    change(folder, wrap)


def test_high_throughput_jpeg_2000_is_read(folder: Path) -> None:
    wrapped(folder, HTJ2K, "1.2.840.10008.1.2.4.201")
    np.testing.assert_array_equal(hu(open_dicom(folder))[0], RAMP - 1024)


def test_lossy_jpeg_of_12_bits_is_read_and_told(folder: Path) -> None:
    wrapped(folder, JPEG_12, "1.2.840.10008.1.2.4.51")
    source = open_dicom(folder)
    np.testing.assert_allclose(hu(source)[0], RAMP - 1024, atol=2)
    assert source.notes == (("W_DICOM_LOSSY", folder, "was compressed with loss", "texture features may differ"),)


def test_other_syntaxes_are_refused_by_name(folder: Path) -> None:
    for syntax, name in {
        "1.2.840.10008.1.2.4.50": "JPEG Baseline (Process 1)",
        "1.2.840.10008.1.2.4.102": "MPEG-4 AVC/H.264 High Profile / Level 4.1",
        "1.2.3.4": "not known",
    }.items():
        wrapped(folder, JPEG_12, syntax)
        assert refusal(lambda: open_dicom(folder)) == (
            f"E_DICOM_SYNTAX slice_0001.dcm: its transfer syntax ({name}) is not read; "
            "export the series uncompressed or with a lossless compression"
        )


def _stream(path: Path) -> bytes:
    return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


@pytest.mark.parametrize("name", ["JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_a_codestream_without_its_end_is_refused_before_it_is_decoded(name: str, folder: Path) -> None:
    """Decoders fill up what is missing; the file around the codestream is complete."""
    path = folder / "slice_0002.dcm"
    transcode(path, name)
    stream = _stream(path)

    def cut(data: Any) -> None:
        if not data.file_meta.TransferSyntaxUID.is_compressed:
            return
        data.PixelData = encapsulate([stream[: len(stream) // 4 * 2]])

    change(folder, cut)
    assert refusal(lambda: open_dicom(folder)) == (
        "E_IMAGE_TRUNCATED slice_0002.dcm: its compressed pixels end without their end marker; "
        "the file was cut off; copy or export it again"
    )


@pytest.mark.parametrize("name", ["RLELossless", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_a_codestream_that_lacks_its_middle_is_refused(name: str, folder: Path) -> None:
    for path in folder.iterdir():
        transcode(path, name)
    stream = _stream(folder / "slice_0001.dcm")
    half = len(stream) // 2
    change(folder, lambda data: setattr(data, "PixelData", encapsulate([stream[:half] + b"\xff\xd9"])))
    source = open_dicom(folder)
    assert refusal(lambda: hu(source)) == (
        "E_DICOM_FILE slice_0001.dcm: its compressed pixels are damaged; copy or export the series again"
    )


@pytest.mark.parametrize(
    ("tags", "fault"),
    [
        ({"Rows": 10, "Columns": 8}, "its compressed pixels are not 10 x 8 values of one component"),
        ({"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1},
         "its compressed pixels have 12 bits and its header announces 16"),
    ],
)  # fmt: skip
def test_a_codestream_of_another_shape_than_the_header_says_is_refused(
    tags: dict[str, int], fault: str, folder: Path
) -> None:
    wrapped(folder, JPEG_12, "1.2.840.10008.1.2.4.51", **tags)
    source = open_dicom(folder)
    assert refusal(lambda: hu(source)) == f"E_DICOM_FILE slice_0001.dcm: {fault}; copy or export the series again"


def test_pixels_encapsulated_or_not_against_the_syntax_are_refused(folder: Path) -> None:
    wrapped(folder, JPEG_12, "1.2.840.10008.1.2.4.51")
    change(folder, lambda data: setattr(data["PixelData"], "is_undefined_length", True))
    for path in folder.iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"1.2.840.10008.1.2.4.51", b"1.2.840.10008.1.2.1\0\0\0"))
    assert "its pixels are encapsulated, and its transfer syntax says they are not" in refusal(
        lambda: open_dicom(folder)
    )


def test_raw_pixels_said_to_be_compressed_are_refused(folder: Path) -> None:
    for path in folder.iterdir():
        raw = path.read_bytes()
        assert raw.count(b"1.2.840.10008.1.2.1\0") == 1
        path.write_bytes(raw.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))
    assert refusal(lambda: open_dicom(folder)) == (
        "E_DICOM_FILE slice_0001.dcm: holds no compressed pixels; copy or export the series again"
    )


def test_frames_are_decoded_in_the_order_asked_for(folder: Path) -> None:
    stored = {p: pydicom.dcmread(p).pixel_array for p in sorted(folder.iterdir())}
    for path in stored:
        transcode(path, "JPEGLSLossless")
    order = [path for path in stored for _ in range(3)][::-1]
    for path, pixels in zip(order, decoded([(path, 0) for path in order]), strict=True):
        assert pixels.dtype == np.int16
        np.testing.assert_array_equal(pixels, stored[path])


def test_a_damaged_offset_table_is_refused(folder: Path) -> None:
    wrapped(folder, HTJ2K, "1.2.840.10008.1.2.4.201")

    def two_frames_of_three_fragments(data: Any) -> None:
        data.PixelData = b"\xfe\xff\x00\xe0" + struct.pack("<3L", 8, 0, 7) + encapsulate([HTJ2K] * 3, has_bot=False)[8:]
        data.NumberOfFrames = 2

    change(folder, two_frames_of_three_fragments)
    assert "its 3 fragments of compressed pixels do not make 2 frames" in refusal(lambda: open_dicom(folder))


def test_bits_above_the_stored_ones_hold_the_sign_or_nothing(tmp_path: Path) -> None:
    values = np.array([[-2048, -1, 0, 2047]], np.int16)
    path = tmp_path / "slice.dcm"
    np.testing.assert_array_equal(as_stored(path, values, 12, True), values)
    np.testing.assert_array_equal(as_stored(path, values & 0x0FFF, 12, True), values)
    unsigned = as_stored(path, np.array([[0, 4095]], np.uint16), 12, False)
    assert unsigned.tolist() == [[0, 4095]]
    assert unsigned.dtype == np.uint16
    for signed in (False, True):
        assert refusal(lambda s=signed: as_stored(path, np.array([[0, 0x3001]], np.uint16), 12, s)) == (
            "E_DICOM_FILE slice.dcm: its pixels are not 1 x 2 values of 12 bits; copy or export the series again"
        )


def test_whole_rescales_are_exact_and_others_are_floats() -> None:
    stored = np.array([[0, 65535]], np.uint16)
    assert in_hu(stored, 1, -1024).tolist() == [[-1024, 64511]]
    assert in_hu(stored, -3, 5).tolist() == [[5, -196600]]
    assert in_hu(stored, 1, -1024).dtype == np.int32
    np.testing.assert_allclose(in_hu(stored, 0.25, -1024.5), [[-1024.5, 15359.25]], rtol=1e-15)
