"""NRRD in one file (.nrrd): a text header and voxels, raw or gzip, every byte accounted for.

Read here and not through ITK, which fills a short file with zeros and prints its own remarks on stderr. Format:
http://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging._source import DEFLATE_RATIO, Source, check_axes, check_size, inflate, truncated
from ovfrad.imaging.geometry import Box

MAX_HEADER = 1 << 20
"""Bytes; a header of text takes some hundred."""
TYPES = {
    name: dtype
    for dtype, names in {
        "i1": "int8, signed char, int8_t",
        "u1": "uchar, unsigned char, uint8, uint8_t",
        "i2": "short, short int, signed short, signed short int, int16, int16_t",
        "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
        "i4": "int, signed int, int32, int32_t",
        "u4": "uint, unsigned int, uint32, uint32_t",
        "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
        "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split(", ")
}
SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
"""Signs that bring the coordinates of a space to LPS."""


def refuse_header(path: Path, fault: str) -> InputError:
    """The refusal of a text header that is not understood."""
    return InputError("E_IMAGE_HEADER", path, fault, "the header is damaged or unusual; export the file again")


def text_header(path: Path, end: bytes, separator: str, magic: bytes) -> tuple[dict[str, str], int]:
    """Header lines by key (lower case) and the byte at which the voxels begin.

    Parameters
    ----------
    path : Path
        File with a header of lines `key separator value`.
    end : bytes
        What marks the last line of the header.
    separator : str
        Between key and value.
    magic : bytes
        With what the file begins.
    """
    with path.open("rb") as stream:
        head = stream.read(MAX_HEADER)
    if len(head) < 100:
        raise InputError(
            "E_IMAGE_TRUNCATED", path, f"holds {len(head)} bytes, less than a header",
            "the file is empty or was cut off; copy or export it again",
        )  # fmt: skip
    at = head.find(end)
    stop = head.find(b"\n", at + len(end) - 1) + 1 if at >= 0 else 0
    if not head.startswith(magic) or not stop:
        raise refuse_header(path, f"its header does not begin with {magic.decode()} or has no end")
    found: dict[str, str] = {}
    for line in head[:stop].decode("latin-1").splitlines():
        key, mark, value = line.partition(separator)
        if mark and not line.startswith("#"):
            key = key.strip().lower()
            if key in found:
                raise refuse_header(path, f"its header says '{key[:40]}' twice")
            found[key] = value.strip()
    return found, stop


def text_sizes(path: Path, text: str) -> tuple[int, int, int]:
    """(i, j, k) voxels; further dimensions of length one are dropped."""
    if not re.fullmatch(r"[0-9]+( +[0-9]+)*", text) or 0 in (sizes := [int(n) for n in text.split()]):
        raise refuse_header(path, f"its header gives the sizes '{text[:40]}'")
    if len(sizes) < 3 or any(n != 1 for n in sizes[3:]):
        raise InputError(
            "E_IMAGE_DIMENSIONS", path, f"has {' x '.join(map(str, sizes[:9]))} voxels",
            "one three-dimensional volume of one number a voxel is read",
        )  # fmt: skip
    return sizes[0], sizes[1], sizes[2]


def text_numbers(path: Path, text: str, n: int, name: str) -> NDArray[np.float64]:
    """`n` finite numbers of a header line."""
    try:
        values = np.array([float(v) for v in text.split()])
    except ValueError:
        values = np.array([])
    if len(values) != n or not np.isfinite(values).all():
        raise refuse_header(path, f"its {name} is '{text[:60]}', not {n} numbers")
    return values


def voxels(
    path: Path, start: int, shape: tuple[int, int, int], dtype: np.dtype[Any], wbits: int | None
) -> NDArray[Any]:
    """Stored voxels (k, j, i) behind a header, exactly as many as announced.

    Parameters
    ----------
    path, start : Path, int
        File and first byte of the voxels.
    shape : tuple of int
        (i, j, k).
    dtype : dtype
        Stored type with its byte order.
    wbits : int or None
        How they are compressed (see `zlib.decompressobj`); None: raw.
    """
    wanted, found = check_size(path, shape, dtype.itemsize), path.stat().st_size - start
    if wbits is None:
        if found != wanted:
            raise truncated(path, found, wanted)
        return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape[::-1])
    if wanted > DEFLATE_RATIO * found:
        raise truncated(path, found, wanted)
    with path.open("rb") as stream:
        stream.seek(start)
        return np.frombuffer(inflate(stream, path, wbits, wanted), dtype=dtype).reshape(shape[::-1])


def as_source(path: Path, array: NDArray[Any], affine: NDArray[np.float64]) -> Source:
    """`Source` of voxels (k, j, i) at hand."""
    shape = (int(array.shape[0]), int(array.shape[1]), int(array.shape[2]))
    check_axes(path, shape, affine)

    def load(box: Box) -> NDArray[Any]:
        return np.asarray(array[box])

    return Source(path, shape, affine, 8 * array.dtype.itemsize, load)


def _affine(path: Path, head: dict[str, str]) -> NDArray[np.float64]:
    """(i, j, k, 1) -> LPS mm."""
    if not {"space", "space directions", "space origin"} <= set(head):
        raise InputError(
            "E_NRRD_ORIENTATION", path, "has no space, space directions or space origin, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    space = head["space"].lower().removesuffix("-time")
    if space not in SPACES:
        raise refuse_header(path, f"its space is '{space[:40]}', not LPS, RAS or LAS")
    if any(kind not in ("domain", "space", "???", "none") for kind in head.get("kinds", "").lower().split()[:3]):
        raise refuse_header(path, f"its axes are of the kinds '{head['kinds'][:40]}', not domain or space")
    units = set(re.findall(r'"([^"]*)"', head.get("space units", "")))
    if units - {"mm", "", "millimeter", "millimetre"}:
        raise refuse_header(path, "its lengths are not in mm")
    vectors = re.findall(r"\(([^()]*)\)", head["space directions"])
    if len(vectors) != 3:
        raise refuse_header(path, f"its space directions are '{head['space directions'][:60]}', not three vectors")
    affine, signs = np.eye(4), np.array(SPACES[space], dtype=np.float64)
    for axis, text in enumerate(vectors):
        affine[:3, axis] = signs * text_numbers(path, text.replace(",", " "), 3, "space directions")
    origin = head["space origin"].strip("()").replace(",", " ")
    affine[:3, 3] = signs * text_numbers(path, origin, 3, "space origin")
    return affine


def open_nrrd(path: Path) -> Source:
    """Check an NRRD file and its header; voxels are converted only where a box asks for them."""
    head, start = text_header(path, b"\n\n", ":", b"NRRD000")
    if "data file" in head or "datafile" in head:
        raise InputError("E_FORMAT", path, "keeps its voxels in another file", "save it as one .nrrd file")
    shape = text_sizes(path, head.get("sizes", ""))
    kind, encoding = TYPES.get(head.get("type", "").lower()), head.get("encoding", "").lower()
    if kind is None or encoding not in ("raw", "gzip", "gz"):
        raise refuse_header(path, f"its type is '{head.get('type', '')[:40]}' and its encoding '{encoding[:40]}'")
    if {"line skip", "byte skip", "lineskip", "byteskip"} & set(head):
        raise refuse_header(path, "it skips bytes before its voxels")
    order = {"little": "<", "big": ">"}.get(head.get("endian", "").lower())
    if order is None and kind[1] != "1":
        raise refuse_header(path, "it does not say its byte order")
    affine = _affine(path, head)
    dtype = np.dtype((order or "<") + kind)
    return as_source(path, voxels(path, start, shape, dtype, None if encoding == "raw" else 31), affine)
