"""NRRD in one file (.nrrd): a text header and voxels, raw or gzip, every byte accounted for.

Read here and not through ITK, which fills a short file with zeros and prints its own remarks on stderr. Format:
http://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.formats.stream import GZIP, Stored
from ovfrad.imaging.formats.text import refuse_header, shown, text_header, text_numbers, text_sizes, volume_sizes
from ovfrad.imaging.source import MAX_SIDE, Source, check_axes
from ovfrad.imaging.volume import Grid

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


def _affine(path: Path, head: dict[str, str], layers: bool) -> NDArray[np.float64]:
    """(i, j, k, 1) -> LPS mm."""
    if not {"space", "space directions", "space origin"} <= set(head):
        raise InputError(
            "E_NRRD_ORIENTATION", path, "has no space, space directions or space origin, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    space = head["space"].lower().removesuffix("-time")
    if space not in SPACES:
        raise refuse_header(path, f"its space is '{shown(space)}', not LPS, RAS or LAS")
    units = set(re.findall(r'"([^"]*)"', head.get("space units", "")))
    if units - {"mm", "", "millimeter", "millimetre"}:
        raise refuse_header(path, "its lengths are not in mm")
    words = re.findall(r"none|\([^()]*\)", head["space directions"].lower())
    axes = words[1:] if layers else words  # an axis without a direction is no axis of space
    vectors = [word.strip("()") for word in axes[:3] if word != "none"]
    if len(vectors) != 3 or set(axes[3:]) - {"none"}:
        raise refuse_header(path, f"its space directions are '{shown(head['space directions'])}', not three vectors")
    affine, signs = np.eye(4), np.array(SPACES[space], dtype=np.float64)
    for axis, text in enumerate(vectors):
        affine[:3, axis] = signs * text_numbers(path, text.replace(",", " "), 3, "space directions")
    origin = head["space origin"].strip("()").replace(",", " ")
    affine[:3, 3] = signs * text_numbers(path, origin, 3, "space origin")
    return affine


def _kinds(path: Path, head: dict[str, str], layered: bool) -> None:
    """The voxels are one number each; a first axis of layers is for segmentations."""
    kinds = head.get("kinds", "").lower().split()
    if layered:
        kinds = kinds[1:]
    if any(kind not in ("domain", "space", "???", "none") for kind in kinds[:3]):
        raise refuse_header(path, f"its axes are of the kinds '{shown(head['kinds'])}', not domain or space")


def nrrd_header(path: Path) -> tuple[dict[str, str], int]:
    """Fields and key-value pairs by name in lower case, and the first byte of the voxels."""
    head, start = text_header(path, rb"\n\r?\n", ":", b"NRRD000")
    if "data file" in head or "datafile" in head:
        raise InputError("E_FORMAT", path, "keeps its voxels in another file", "save it as one .nrrd file")
    return head, start


def open_nrrd(path: Path, *, layered: bool = False) -> Source:
    """Check an NRRD file and its header.

    Parameters
    ----------
    path : Path
        The file.
    layered : bool
        The first axis may be layers of a segmentation; the slices are then (j, i, layers).
    """
    head, start = nrrd_header(path)
    sizes = text_sizes(path, head.get("sizes", ""))
    layers = layered and len(sizes) == 4 and head.get("space directions", "").lower().startswith("none")
    i, j, k = volume_sizes(path, sizes[1:] if layers else sizes)
    if head.get("dimension", str(len(sizes))) != str(len(sizes)):
        raise refuse_header(path, f"its dimension is '{shown(head['dimension'])}', but it gives {len(sizes)} sizes")
    _kinds(path, head, layers)
    kind, encoding = TYPES.get(head.get("type", "").lower()), head.get("encoding", "").lower()
    if kind is None or encoding not in ("raw", "gzip", "gz"):
        said = shown(head.get("type", "")), shown(encoding)
        raise refuse_header(path, f"its type is '{said[0]}' and its encoding '{said[1]}'")
    if {"line skip", "byte skip", "lineskip", "byteskip"} & set(head):
        raise refuse_header(path, "it skips bytes before its voxels")
    order = {"little": "<", "big": ">"}.get(head.get("endian", "").lower())
    if order is None and kind[1] != "1":
        raise refuse_header(path, "it does not say its byte order")
    dtype, grid = np.dtype((order or "<") + kind), Grid((k, j, i), _affine(path, head, layers))
    check_axes(path, grid)
    shape = (k, j, i, sizes[0]) if layers else (k, j, i)
    if layers and sizes[0] * j * i > MAX_SIDE**2:  # a slice is held with all its layers
        raise InputError(
            "E_IMAGE_SIZE", path, f"its header asks for {sizes[0]} layers of {i} x {j} voxels a slice",
            f"layers of {MAX_SIDE**2} voxels a slice together are read; export the segment alone",
        )  # fmt: skip
    stored = Stored(path, start, shape, dtype, None if encoding == "raw" else GZIP)
    return Source(path, grid, 8 * dtype.itemsize, stored.planes, floats=dtype.kind == "f")
