"""Encapsulated pixels (DICOM PS3.5 A.4): which fragments make a frame, and what a codestream says of itself.

Decoders fill up what a cut-off codestream lacks without a word, so each must end with its format's end marker, and
its own header must announce the size of the image. Runs in the child process.
"""

from __future__ import annotations

import itertools
import struct

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.gate import Layout

RLE = "1.2.840.10008.1.2.5"
FRAMES, OFFSETS = 0x00280008, 0x7FE00001
END = b"\xff\xd9"
"""Last marker of a JPEG, JPEG-LS or JPEG 2000 codestream (ISO 10918-1 B.1.1.3, 14495-1, 15444-1 A.4.4)."""


def frames_of(layout: Layout) -> list[list[tuple[int, int]]]:
    """Fragments of each frame (PS3.5 A.4): by the offset table, else one fragment a frame.

    Raises
    ------
    InputError
        `E_DICOM_FILE` where neither tells which fragment belongs to which frame.
    """
    text = layout.value(FRAMES).strip(b" \0")
    count = int(text) if text.isdigit() else 1
    (at, size), *fragments = layout.fragments or [(0, 0)]
    if count == 1 and fragments:
        return [fragments]
    starts = _starts(layout, at, size)
    places = {offset - fragments[0][0]: n for n, (offset, _) in enumerate(fragments)}
    if len(starts) == count and starts[0] == 0 and starts == sorted(places.keys() & set(starts)):
        bounds = [*(places[s] for s in starts), len(fragments)]
        return [fragments[a:b] for a, b in itertools.pairwise(bounds)]
    if len(fragments) == count and not starts:
        return [[one] for one in fragments]
    raise InputError(
        "E_DICOM_FILE", layout.path, f"its {len(fragments)} fragments of compressed pixels do not make {count} frames",
        "copy or export the series again",
    )  # fmt: skip


def _starts(layout: Layout, at: int, size: int) -> list[int]:
    """Offsets of the frames from the first fragment, by the extended or the basic table."""
    if raw := layout.value(OFFSETS):
        return [n for (n,) in struct.iter_unpack("<Q", raw[: len(raw) // 8 * 8])]
    return [n for (n,) in struct.iter_unpack("<L", layout.data[at : at + size // 4 * 4])]


def check_ends(layout: Layout) -> None:
    """Refuse a file of which any frame lacks its end; nothing is decoded."""
    for parts in frames_of(layout):
        offset, length = parts[-1]
        tail = layout.data[max(offset, offset + length - 64) : offset + length]
        if layout.syntax != RLE and not tail.rstrip(b"\0").endswith(END):
            raise InputError(
                "E_IMAGE_TRUNCATED", layout.path, "its compressed pixels end without their end marker",
                "the file was cut off; copy or export it again",
            )  # fmt: skip


def announced(stream: bytes) -> tuple[int, int, int, int, bool] | None:
    """Rows, columns, components, bits and sign that a codestream's own header announces; None where it has none."""
    if stream[:4] == b"\xff\x4f\xff\x51":  # JPEG 2000: SOC, SIZ (15444-1 A.5.1)
        if len(stream) < 43:
            return None
        x, y, left, top = struct.unpack_from(">4L", stream, 8)
        components, size = struct.unpack_from(">HB", stream, 40)
        return y - top, x - left, components, (size & 0x7F) + 1, bool(size & 0x80)
    at = 2
    while stream[:2] == b"\xff\xd8" and at + 10 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1  # fill byte
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            bits, rows, columns, components = struct.unpack_from(">BHHB", stream, at + 4)
            return rows, columns, components, bits, False
        else:
            at += 2 + length
    return None
