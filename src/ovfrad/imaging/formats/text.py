"""Headers of text, as NRRD and MetaImage have them: lines of key and value in front of the voxels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError

MAX_HEADER = 1 << 20
"""Bytes; a header of text takes some hundred, one with a table of segments some ten thousand."""


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


def text_sizes(path: Path, text: str) -> list[int]:
    """Positive whole numbers of a header line."""
    sizes = [int(n) for n in text.split()] if re.fullmatch(r"[0-9]{1,9}( +[0-9]{1,9})*", text) else [0]
    if 0 in sizes:
        raise refuse_header(path, f"its header gives the sizes '{text[:40]}'")
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
    try:
        values = np.array([float(v) for v in text.split()])
    except ValueError:
        values = np.array([])
    if len(values) != n or not np.isfinite(values).all():
        raise refuse_header(path, f"its {name} is '{text[:60]}', not {n} numbers")
    return values
