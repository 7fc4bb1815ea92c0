"""The gate before any DICOM parser: every element of a file is walked, and none may leave the file.

Structure only: DICOM PS3.5 7 (data sets, nesting), A.4 (encapsulated pixels), PS3.10 7.1 (file meta information).
A file that passes is complete: its lengths fit, its sequences end and nest no deeper than `DEPTH`, no element comes
twice, a deflated one inflates within bounds. Runs in the child process.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovfrad.errors import InputError

MAX_BYTES = 1 << 30
"""Largest file; an enhanced CT of 1,000 slices has half of it."""
INFLATED_BYTES = 1 << 29
"""Most that a deflated file may hold."""
CHUNK = 1 << 20
"""Deflated bytes that are taken at a time, so that no copy of the rest is kept."""
VALUE_BYTES = 1 << 20
"""Of a value that is looked at, other than pixels: texts have at most 64 KiB, tables of offsets 8 bytes a frame."""
DEPTH = 32
"""Nesting of sequences; real files reach about eight."""
IMPLICIT, LITTLE, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT, LITTLE, BIG, DEFLATED)
PIXELS, SYNTAX = 0x7FE00010, 0x00020010
UNDEFINED = 0xFFFFFFFF
SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Value representations with a length of two and of four bytes (PS3.5 7.1.2)."""
REMEDY = "copy or export it again"


@dataclass(frozen=True)
class Element:
    """Where the value of an element lies: `vr` is empty where the syntax does not say it."""

    vr: bytes
    offset: int
    length: int


@dataclass
class Layout:
    """A walked file.

    Parameters
    ----------
    data : buffer
        The file, mapped; or its data set, inflated.
    syntax : str
        Transfer syntax UID.
    order : str
        Byte order of the data set, < or >.
    elements : dict
        Top-level elements by tag.
    fragments : list of tuple of int
        Offset and length of each fragment of encapsulated pixels, offset table included.
    count : int
        Elements at every level.
    """

    path: Path
    data: Any
    syntax: str
    order: str = "<"
    elements: dict[int, Element] = field(default_factory=dict)
    fragments: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0

    def value(self, tag: int) -> bytes:
        """Bytes of a top-level element, no more than `VALUE_BYTES`; empty where there is none."""
        one = self.elements.get(tag)
        return bytes(self.data[one.offset : one.offset + min(one.length, VALUE_BYTES)]) if one else b""

    def word(self, tag: int) -> int | None:
        """A top-level US value; None where there is none."""
        raw = self.value(tag)
        return int.from_bytes(raw, "big" if self.order == ">" else "little") if len(raw) == 2 else None


def _damaged(path: Path, fault: str) -> InputError:
    return InputError("E_DICOM_FILE", path, f"cannot be read as DICOM: {fault}", REMEDY)


def opened(path: Path) -> Layout | None:
    """Walk a file; None where it is no DICOM file at all.

    Raises
    ------
    InputError
        `E_DICOM_FILE`, `E_IMAGE_TRUNCATED`: the structure is damaged; `E_DICOM_LIMIT`: size or nesting.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        if size > MAX_BYTES:
            raise InputError(
                "E_DICOM_LIMIT", path, f"has {size} bytes", f"DICOM files up to {MAX_BYTES >> 30} GiB are read"
            )
        if size < 132:
            return None
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if data[128:132] == b"DICM":
        return _with_meta(path, data, 132)
    return _without_preamble(path, data)


def _without_preamble(path: Path, data: Any) -> Layout | None:
    """A file of old writers: it begins with its first element, and its syntax shows in that."""
    group, number, vr = struct.unpack_from("<HH2s", data)
    if (group, number, vr) == (2, 0, b"UL"):
        return _with_meta(path, data, 0)
    if group != 8 or number > 0x18:
        return None
    layout = Layout(path, data, LITTLE if vr in SHORT else IMPLICIT)
    try:
        _Walk(layout).top(0)
    except InputError:
        return None
    return layout


def _with_meta(path: Path, data: Any, at: int) -> Layout:
    """Walk the file meta information, then the data set in the syntax that it names."""
    meta = Layout(path, data, LITTLE)
    start = _Walk(meta).top(at, group=2)
    syntax = meta.value(SYNTAX).rstrip(b" \0").decode("ascii", "replace")
    if not syntax:
        raise _damaged(path, "it does not name its transfer syntax")
    layout = Layout(path, data, syntax, ">" if syntax == BIG else "<")
    if syntax == DEFLATED:
        layout.data, start = _inflated(path, data, start), 0
    _Walk(layout).top(start)
    if layout.fragments and syntax in NATIVE:
        raise _damaged(path, "its pixels are encapsulated, and its transfer syntax says they are not")
    return layout


def _inflated(path: Path, data: Any, start: int) -> bytearray:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)  # PS3.5 A.5: no zlib header, no checksum
    out, at = bytearray(), start
    try:
        while at < len(data) and not engine.eof and len(out) <= INFLATED_BYTES:
            out += engine.decompress(data[at : at + CHUNK], INFLATED_BYTES + 1 - len(out))
            at += CHUNK
    except zlib.error as error:
        raise _damaged(path, "its deflated bytes are damaged") from error
    if len(out) > INFLATED_BYTES:
        raise InputError(
            "E_DICOM_LIMIT", path, f"inflates to more than {INFLATED_BYTES >> 20} MiB",
            "store it without the deflated transfer syntax",
        )  # fmt: skip
    checks = struct.pack("<LL", zlib.crc32(out), len(out))  # GDCM ends as gzip does
    rest = engine.unused_data + data[at:]
    if not engine.eof or (rest.strip(b"\0") and rest != checks):
        raise _damaged(path, "its deflated bytes do not end where the file ends")
    return out


class _Walk:
    """The walk through one data set; positions are offsets in `layout.data`."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.data = layout, layout.data
        self.implicit = layout.syntax == IMPLICIT
        self.head = struct.Struct(layout.order + "HH2sH").unpack_from
        self.item = struct.Struct(layout.order + "HHL").unpack_from
        self.word = struct.Struct(layout.order + "L").unpack_from

    def fault(self, fault: str) -> InputError:
        return _damaged(self.layout.path, fault)

    def top(self, at: int, group: int | None = None) -> int:
        """Walk the top level, or one group of it; returns where it ends."""
        end, found = len(self.data), self.layout.elements
        while at < end:
            if found and self.data[at] == 0 and not any(self.data[at : at + 8]) and self.padding(at, end):
                return end  # padding of the file
            if group is not None and bytes(self.data[at : at + 2]) != bytes((group, 0)):
                return at
            tag, vr, value, length = self.element(at, end)
            if tag in found:
                raise self.fault("it holds an element twice")
            if tag >> 16 == 0xFFFE or (group is None and tag >> 16 == 2):
                raise self.fault("an element is out of its place")
            if tag == PIXELS and length == UNDEFINED:
                at = self.encapsulated(value, end, self.layout.fragments)
            else:
                at = self.content(tag, vr, value, length, end, 1)
            found[tag] = Element(vr, value, at - value)
        return end

    def padding(self, at: int, end: int) -> bool:
        """Whether zeros follow, and nothing else; an odd number of them was pushed out by a byte too many before."""
        return (end - at) % 2 == 0 and not any(
            self.data[a : min(a + CHUNK, end)].strip(b"\0") for a in range(at, end, CHUNK)
        )

    def element(self, at: int, end: int) -> tuple[int, bytes, int, int]:
        """Tag, value representation, offset and length of the value."""
        if at + 8 > end:
            raise self.fault("it ends within an element")
        self.layout.count += 1
        group, number, vr, length = self.head(self.data, at)
        tag = group << 16 | number
        if self.implicit or group == 0xFFFE:
            return tag, b"", at + 8, self.word(self.data, at + 4)[0]
        if vr in SHORT:
            return tag, vr, at + 8, length
        if vr not in LONG:
            raise self.fault("an element has no known type")
        if at + 12 > end:
            raise self.fault("it ends within an element")
        return tag, vr, at + 12, self.word(self.data, at + 8)[0]

    def content(self, tag: int, vr: bytes, value: int, length: int, end: int, depth: int) -> int:
        """Walk a value, into sequences; returns where it ends."""
        if length == UNDEFINED:
            if tag == PIXELS:
                return self.encapsulated(value, end, [])  # of an icon
            if vr not in (b"", b"SQ", b"UN"):
                raise self.fault("an element has no length")
            return self.inner(vr).sequence(value, None, end, depth)
        if value + length > end:
            if tag == PIXELS and depth == 1:
                raise InputError(
                    "E_IMAGE_TRUNCATED", self.layout.path,
                    f"holds {end - value} bytes of the {length} its header announces",
                    "the file was cut off; copy or export it again",
                )  # fmt: skip
            raise self.fault("an element runs past its end")
        if vr == b"SQ" or (not vr and tag != PIXELS and self.begins_an_item(value, length)):
            self.sequence(value, value + length, value + length, depth)
        return value + length

    def inner(self, vr: bytes) -> _Walk:
        """What is of unknown type and length is implicit inside (PS3.5 6.2.2 note 4)."""
        if vr != b"UN":
            return self
        return _Walk(Layout(self.layout.path, self.data, IMPLICIT))

    def begins_an_item(self, value: int, length: int) -> bool:
        return length >= 8 and self.item(self.data, value)[:2] == (0xFFFE, 0xE000)

    def sequence(self, at: int, stop: int | None, end: int, depth: int) -> int:
        """Walk the items of a sequence that ends at `stop`, or with its delimiter."""
        if depth > DEPTH:
            raise InputError(
                "E_DICOM_LIMIT", self.layout.path, f"its sequences nest deeper than {DEPTH} levels", "export it again"
            )
        while at != stop:
            if at + 8 > end:
                raise self.fault("it ends within a sequence")
            group, number, length = self.item(self.data, at)
            at += 8
            if (group, number, length, stop) == (0xFFFE, 0xE0DD, 0, None):
                return at
            if (group, number) != (0xFFFE, 0xE000):
                raise self.fault("a sequence holds something else than items")
            if length != UNDEFINED and at + length > end:
                raise self.fault("an item runs past its end")
            at = self.dataset(at, None if length == UNDEFINED else at + length, end, depth)
        return at

    def dataset(self, at: int, stop: int | None, end: int, depth: int) -> int:
        """Walk the data set of an item that ends at `stop`, or with its delimiter."""
        bound = end if stop is None else stop
        while at != stop:
            tag, vr, value, length = self.element(at, bound)
            if tag == 0xFFFEE00D and stop is None:
                return value
            if tag >> 16 == 0xFFFE:
                raise self.fault("an element is out of its place")
            at = self.content(tag, vr, value, length, bound, depth + 1)
        return at

    def encapsulated(self, at: int, end: int, fragments: list[tuple[int, int]]) -> int:
        """Walk and note the fragments of compressed pixels, up to their delimiter."""
        while at + 8 <= end:
            group, number, length = self.item(self.data, at)
            at += 8
            if (group, number) == (0xFFFE, 0xE0DD):
                return at
            if (group, number) != (0xFFFE, 0xE000) or at + length > end:
                break
            fragments.append((at, length))
            at += length
        raise InputError(
            "E_IMAGE_TRUNCATED", self.layout.path, "its compressed pixels do not end within the file",
            "the file was cut off; copy or export it again",
        )  # fmt: skip
