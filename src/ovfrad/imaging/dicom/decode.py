"""Pixels of compressed or deflated frames, one at a time, by GDCM. Runs in the child process.

A damaged codestream often decodes to something, with a remark of the decoder: that remark is a refusal.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.codestream import RLE, announced, frames_of
from ovfrad.imaging.dicom.gate import PIXELS, Layout, opened
from ovfrad.imaging.dicom.pixels import COMPRESSED, as_stored

ROWS, COLUMNS, STORED, SIGNED = 0x00280010, 0x00280011, 0x00280101, 0x00280103

JPEG_12 = "1.2.840.10008.1.2.4.51"
"""Its lossy process has 12 bits (or 8, which no CT has); GDCM itself writes a variant of 16 bits of its own."""
TRIALS = (b"Unsupported JPEG data precision", b"Invalid SOS parameters for sequential JPEG")
"""Remarks of GDCM while it tries its decoders of 8, 12 and 16 bits in turn."""

Frames = list[list[tuple[int, int]]]
_last: tuple[tuple[Any, ...], Layout, Frames] | None = None


def _layout(path: Path) -> tuple[Layout, Frames]:
    """The walked file and the fragments of its frames; kept for the next frame of it."""
    global _last
    now = path.stat()
    key = (path, now.st_mtime_ns, now.st_size)
    if _last is None or _last[0] != key:
        layout = opened(path)
        if layout is None:
            raise InputError("E_DICOM_FILE", path, "cannot be read as DICOM", "copy or export it again")
        _last = key, layout, frames_of(layout) if layout.fragments else []
    return _last[1:]


def frame(path: Path, number: int) -> NDArray[Any]:
    """Stored values of frame `number` (from 0), int16 or uint16, shape (row, column)."""
    layout, frames = _layout(path)
    rows, columns, bits, signed = (layout.word(tag) or 0 for tag in (ROWS, COLUMNS, STORED, SIGNED))
    if layout.fragments:
        stream = b"".join(layout.data[offset : offset + length] for offset, length in frames[number])
        words = _decoded(layout, stream, rows, columns, bits, bool(signed))
    else:
        offset = layout.elements[PIXELS].offset + number * rows * columns * 2
        words = np.frombuffer(layout.data, layout.order + "u2", rows * columns, offset).astype(np.uint16)
    return as_stored(path, words.reshape(rows, columns), bits, bool(signed))


def _decoded(layout: Layout, stream: bytes, rows: int, columns: int, bits: int, signed: bool) -> NDArray[np.uint16]:
    """Words of one frame; every bit above those of the codestream repeats the sign."""
    path, precision, sign = layout.path, 16, signed
    if layout.syntax not in COMPRESSED:
        raise InputError("E_DICOM_SYNTAX", path, "its pixels are compressed in a way not read here", "decompress it")
    if layout.syntax != RLE:
        found = announced(stream)
        if found is None or found[:3] != (rows, columns, 1):
            raise InputError(
                "E_DICOM_FILE", path, f"its compressed pixels are not {rows} x {columns} values of one component",
                "copy or export the series again",
            )  # fmt: skip
        precision, sign = found[3:]
        wanted = range(12, 13) if layout.syntax == JPEG_12 else range(9, 17)
        if precision not in wanted or (sign and not signed) or (precision < bits and signed and not sign):
            raise InputError(
                "E_DICOM_FILE", path, f"its compressed pixels have {precision} bits and its header announces {bits}",
                "copy or export the series again",
            )  # fmt: skip
    buffer = _by_gdcm(layout, stream, rows, columns, precision, signed)
    words = np.frombuffer(buffer, "<u2").astype(np.uint16)
    if precision < 16:
        words &= np.uint16((1 << precision) - 1)
        if signed:
            words = ((words ^ (1 << precision - 1)) - np.uint16(1 << precision - 1)).astype(np.uint16)
    return words


def _by_gdcm(layout: Layout, stream: bytes, rows: int, columns: int, bits: int, signed: bool) -> bytes:
    """What GDCM makes of a codestream; refused when it fails, remarks, or gives another size."""
    import gdcm

    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(stream)
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(layout.syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, int(signed)))
    with _remarks() as remarks:
        text = image.GetBuffer()  # bytes, in the clothes of a text
    buffer = b"" if text is None or remarks else text.encode("utf-8", "surrogateescape")
    if len(buffer) != rows * columns * 2:
        raise InputError(
            "E_DICOM_FILE", layout.path, "its compressed pixels are damaged", "copy or export the series again"
        )
    return buffer


@contextlib.contextmanager
def _remarks() -> Iterator[list[bytes]]:
    """What a library writes to stderr inside the block; filled when the block ends."""
    found: list[bytes] = []
    source, sink = os.pipe()
    if hasattr(os, "set_blocking"):
        os.set_blocking(sink, False)  # a talkative library fills the pipe and goes on
    kept = os.dup(2)
    os.dup2(sink, 2)
    try:
        yield found
    finally:
        os.dup2(kept, 2)
        with contextlib.suppress(BlockingIOError):
            os.write(sink, b"\n")  # so that reading never waits
        lines = os.read(source, 1 << 16).splitlines()
        found += [line for line in lines if line.strip() and not line.startswith(TRIALS)]
        for descriptor in (kept, source, sink):
            os.close(descriptor)
