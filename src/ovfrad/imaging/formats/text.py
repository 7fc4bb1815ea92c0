"""Headers of text, as NRRD and MetaImage have them: lines of key and value in front of the voxels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.masks.segments import plain_name

MAX_HEADER = 1 << 20
"""Bytes; a header of text takes some hundred, one with a table of segments some ten thousand."""
BLANK = " \t\r"
"""What may surround a key or a value; a byte of a UTF-8 letter is none."""
NUMBER = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")
"""A decimal number; `float` alone takes more, such as 1_0."""
LARGEST = 1e30
"""No length, place or direction is larger; squares of such numbers are still numbers."""


def refuse_header(path: Path, fault: str) -> InputError:
    """The refusal of a text header that is not understood."""
    return InputError("E_IMAGE_HEADER", path, fault, "the header is damaged or unusual; export the file again")


def shown(text: str) -> str:
    """Part of a header as a message may show it."""
    return plain_name(text)[:60]


def text_header(path: Path, end: bytes, separator: str, magic: bytes) -> tuple[dict[str, str], int]:
    """Header lines by key (lower case) and the byte at which the voxels begin.

    Parameters
    ----------
    path : Path
        File with a header of lines `key separator value`.
    end : bytes
        Pattern of the last line of the header and of the line feed before it.
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
    last = re.search(end, head)
    if not head.startswith(magic) or not last:
        raise refuse_header(path, f"its header does not begin with {magic.decode()} or has no end")
    found: dict[str, str] = {}
    for line in head[: last.end()].decode("latin-1").split("\n"):  # bytes of UTF-8 are no line ends
        key, mark, value = line.partition(separator)
        if mark and not line.startswith("#"):
            key = key.strip(BLANK).lower()
            if key in found:
                raise refuse_header(path, f"its header says '{shown(key)}' twice")
            found[key] = value.strip(BLANK)
    return found, last.end()


def text_sizes(path: Path, text: str) -> list[int]:
    """Positive whole numbers of a header line."""
    sizes = [int(n) for n in text.split()] if re.fullmatch(r"[0-9]{1,9}( +[0-9]{1,9})*", text) else [0]
    if 0 in sizes:
        raise refuse_header(path, f"its header gives the sizes '{shown(text)}'")
    return sizes


def volume_sizes(path: Path, sizes: list[int]) -> tuple[int, int, int]:
    """(i, j, k) voxels; further dimensions of length one are dropped."""
    if len(sizes) < 3 or any(n != 1 for n in sizes[3:]):
        raise InputError(
            "E_IMAGE_DIMENSIONS", path, f"has {' x '.join(map(str, sizes[:9]))} voxels",
            "one three-dimensional volume of one number a voxel is read",
        )  # fmt: skip
    return sizes[0], sizes[1], sizes[2]


def text_numbers(path: Path, text: str, n: int, name: str) -> NDArray[np.float64]:
    """`n` finite numbers of a header line."""
    words = text.split()
    values = np.array([float(v) for v in words if NUMBER.fullmatch(v)])
    if not len(words) == len(values) == n or not (np.abs(values) < LARGEST).all():
        raise refuse_header(path, f"its {name} is '{shown(text)}', not {n} numbers")
    return values
