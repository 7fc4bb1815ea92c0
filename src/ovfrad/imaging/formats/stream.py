"""Slices out of a file, raw or deflated, one at a time and to the last byte.

Deflate: RFC 1950 to 1952, through ISA-L, which checks sums and lengths as zlib does in half the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ovfrad.imaging.source import check_size, corrupt, truncated

DEFLATE_RATIO = 1032
"""Most that deflate can shrink anything (RFC 1951: 258 bytes in 2 bits); more cannot be inside a file."""
SLACK_BYTES = 1 << 26
"""Bytes by which a compressed file may exceed twice its content: deflate never enlarges so much, padding of zeros could
be endless."""
GZIP, ZLIB = 31, 15
"""How a stream is compressed, as window bits of zlib."""
CHUNK = 1 << 18
MOST_MEMBERS = 1 << 17
"""Parts of a gzip file; one that is packed in blocks of 64 KiB has 65,536 of them at most, and each costs time."""


@dataclass(frozen=True)
class Stored:
    """Where the voxels of a file are and how they are stored.

    Parameters
    ----------
    path : Path
        The file.
    at : int
        First byte of the voxels, or of the compressed stream that holds them.
    shape : tuple of int
        (k, j, i), or (k, j, i, layers).
    dtype : dtype
        Stored type with its byte order.
    wbits : int or None
        Compression, `GZIP` or `ZLIB`; None: raw.
    lead : int
        Bytes before the voxels inside a compressed stream.
    """

    path: Path
    at: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    wbits: int | None
    lead: int = 0

    def __post_init__(self) -> None:
        wanted, found = check_size(self.path, self.shape, self.dtype.itemsize), self.path.stat().st_size - self.at
        if self.wbits is None and found != wanted:
            raise truncated(self.path, max(found, 0), wanted)
        if self.wbits is not None and self.lead + wanted > DEFLATE_RATIO * max(found, 0):
            raise truncated(self.path, max(found, 0), self.lead + wanted)
        if self.wbits is not None and found > 2 * (self.lead + wanted) + SLACK_BYTES:
            raise truncated(self.path, found, self.lead + wanted)

    def planes(self, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Stored slices (j, i) of these rising numbers, in the machine's byte order; each valid until the next."""
        with self.path.open("rb") as stream:
            stream.seek(self.at)
            yield from self._raw(stream, numbers) if self.wbits is None else self._inflated(stream, set(numbers))

    def _plane(self) -> NDArray[Any]:
        return np.empty(self.shape[1:], self.dtype)

    def _raw(self, stream: BinaryIO, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        plane, wanted = self._plane(), self.shape[0] * self._plane().nbytes
        for k in numbers:
            stream.seek(self.at + k * plane.nbytes)
            if stream.readinto(plane.data.cast("B")) != plane.nbytes:  # type: ignore[attr-defined]
                raise truncated(self.path, self.path.stat().st_size - self.at, wanted)
            yield k, _native(plane)

    def _inflated(self, stream: BinaryIO, numbers: set[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        plane = self._plane()
        inflater = Inflater(stream, self.path, self.wbits or GZIP, self.lead + self.shape[0] * plane.nbytes)
        inflater.skip(self.lead)
        for k in range(self.shape[0]):
            inflater.fill(memoryview(plane.data).cast("B"))
            if k in numbers:
                yield k, _native(plane)
        inflater.finish()


def _native(plane: NDArray[Any]) -> NDArray[Any]:
    return plane if plane.dtype.isnative else plane.astype(plane.dtype.newbyteorder("="))


class Inflater:
    """A deflated stream of an announced length: read piece by piece, its checksum and its end checked.

    Parameters
    ----------
    stream : binary file
        At the start of the compressed bytes.
    path : Path
        Named in messages.
    wbits : int
        `GZIP` or `ZLIB`.
    wanted : int
        Bytes that the header announces.
    """

    def __init__(self, stream: BinaryIO, path: Path, wbits: int, wanted: int) -> None:
        from isal import isal_zlib

        self._stream, self._path, self._wbits, self._wanted = stream, path, wbits, wanted
        self._new, self._fault = isal_zlib.decompressobj, isal_zlib.error
        self._engine, self._pending, self._done, self._members = self._new(wbits), b"", 0, 1

    def _piece(self, most: int) -> bytes:
        """Up to `most` further bytes; none at the end of the stream."""
        while True:
            self._pending = self._pending or self._stream.read(CHUNK)
            at_end = not self._pending
            if self._engine.eof and not self._next_member():
                if at_end:
                    return b""
                continue
            try:
                piece: bytes = self._engine.decompress(self._pending, most)
            except self._fault as error:  # type: ignore[misc]  # isal has no stubs for its error
                raise corrupt(self._path, "its compressed bytes are damaged") from error
            self._pending = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if piece or at_end:  # the engine may hold output back after its last input
                return piece

    def _next_member(self) -> bool:
        """Go on behind the end of a gzip member: zeros are padding, anything else must be a further member."""
        self._pending = self._pending.lstrip(b"\0")
        if self._pending:
            self._engine, self._members = self._new(self._wbits), self._members + 1
        if self._members > MOST_MEMBERS:
            raise corrupt(self._path, f"its compressed bytes come in more than {MOST_MEMBERS} parts")
        return bool(self._pending)

    def fill(self, target: memoryview) -> None:
        """Fill `target` with the next bytes."""
        at = 0
        while at < len(target):
            piece = self._piece(len(target) - at)
            if not piece:
                raise truncated(self._path, self._done, self._wanted)
            target[at : at + len(piece)] = piece
            at += len(piece)
            self._done += len(piece)

    def first(self, n: int) -> bytes:
        """Up to `n` bytes from the start."""
        found = b""
        while len(found) < n and (piece := self._piece(n - len(found))):
            found += piece
        return found

    def skip(self, n: int) -> None:
        """Pass over `n` bytes."""
        while n:
            part = min(n, CHUNK)
            self.fill(memoryview(bytearray(part)))
            n -= part

    def finish(self) -> None:
        """Refuse what goes on behind the announced length, or ends before its checksum."""
        if self._piece(1):
            raise truncated(self._path, self._wanted + 1, self._wanted)
        if not self._engine.eof:
            raise corrupt(self._path, "its compressed bytes end before their checksum")
