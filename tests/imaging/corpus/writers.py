"""NIfTI, NRRD and MetaImage written byte by byte from their standards, so that any field can be made wrong."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Array

NIFTI1 = [
    ("sizeof_hdr", "i4"), ("data_type", "S10"), ("db_name", "S18"), ("extents", "i4"), ("session_error", "i2"),
    ("regular", "S1"), ("dim_info", "u1"), ("dim", "i2", 8), ("intent_p", "f4", 3), ("intent_code", "i2"),
    ("datatype", "i2"), ("bitpix", "i2"), ("slice_start", "i2"), ("pixdim", "f4", 8), ("vox_offset", "f4"),
    ("scl_slope", "f4"), ("scl_inter", "f4"), ("slice_end", "i2"), ("slice_code", "u1"), ("xyzt_units", "u1"),
    ("cal_max", "f4"), ("cal_min", "f4"), ("slice_duration", "f4"), ("toffset", "f4"), ("glmax", "i4"),
    ("glmin", "i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i2"), ("sform_code", "i2"),
    ("quatern", "f4", 3), ("qoffset", "f4", 3), ("srow", "f4", (3, 4)), ("intent_name", "S16"), ("magic", "S4"),
]  # fmt: skip
NIFTI2 = [
    ("sizeof_hdr", "i4"), ("magic", "S8"), ("datatype", "i2"), ("bitpix", "i2"), ("dim", "i8", 8),
    ("intent_p", "f8", 3), ("pixdim", "f8", 8), ("vox_offset", "i8"), ("scl_slope", "f8"), ("scl_inter", "f8"),
    ("cal_max", "f8"), ("cal_min", "f8"), ("slice_duration", "f8"), ("toffset", "f8"), ("slice_start", "i8"),
    ("slice_end", "i8"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i4"), ("sform_code", "i4"),
    ("quatern", "f8", 3), ("qoffset", "f8", 3), ("srow", "f8", (3, 4)), ("slice_code", "i4"), ("xyzt_units", "i4"),
    ("intent_code", "i4"), ("intent_name", "S16"), ("dim_info", "u1"), ("unused", "S15"),
]  # fmt: skip
CODES = {
    "u1": 2, "i2": 4, "i4": 8, "f4": 16, "c8": 32, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280,
    "c16": 1792,
}  # fmt: skip
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
Edit = Callable[[Any], None]


def quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b, c, d) of a rotation, with a >= 0 (NIfTI-1 standard)."""
    # The largest of the four squares is safe to take the root of.
    squares = np.array([
        1 + np.trace(rotation), *(1 - np.trace(rotation) + 2 * rotation[n, n] for n in range(3))
    ]) / 4  # fmt: skip
    r, n = rotation, int(squares.argmax())
    twist = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    top = np.sqrt(squares[n])
    if n == 0:
        return twist / (4 * top)
    q = np.array([(r[n - 1, m] + r[m, n - 1]) / (4 * top) if m != n - 1 else top for m in range(3)])
    return q if twist[n - 1] >= 0 else -q


def nifti(
    array: Array, affine: NDArray[np.float64], *, version: int = 1, order: str = "<", forms: str = "sq",
    scale: tuple[float, float] = (1.0, 0.0), size: tuple[int, ...] = (), extension: bytes = b"",
    edit: Edit | None = None,
) -> bytes:  # fmt: skip
    """A NIfTI file of `array` (k, j, i).

    Parameters
    ----------
    affine : ndarray
        (i, j, k, 1) -> LPS mm.
    order : str
        Byte order.
    forms : str
        `s`, `q`, `sq` or empty: which of sform and qform are filled in.
    scale : tuple
        scl_slope and scl_inter; the array is what is stored.
    size : tuple
        Dimensions (i, j, k, ...), where they are not the array's.
    edit : callable
        Gets the header last of all.
    """
    ras = RAS @ affine
    spacing = np.linalg.norm(ras[:3, :3], axis=0)
    axes = ras[:3, :3] / spacing
    hand = 1.0 if np.linalg.det(axes) > 0 else -1.0
    head = np.zeros((), np.dtype(NIFTI1 if version == 1 else NIFTI2).newbyteorder(order))
    size = size or array.shape[::-1]
    head["sizeof_hdr"] = 348 if version == 1 else 540
    head["magic"] = b"n+1\0" if version == 1 else b"n+2\0\r\n\x1a\n"
    head["dim"] = [len(size), *size, *[1] * (7 - len(size))]
    kind = array.dtype.str[1:]
    head["datatype"], head["bitpix"] = CODES.get(kind, 0), 8 * array.dtype.itemsize
    head["pixdim"] = [hand, *spacing, 0, 0, 0, 0]
    head["vox_offset"] = head["sizeof_hdr"] + 4 + len(extension)
    head["scl_slope"], head["scl_inter"] = scale
    head["xyzt_units"] = 2
    if "s" in forms:
        head["sform_code"], head["srow"] = 1, ras[:3]
    if "q" in forms:
        head["qform_code"], head["qoffset"] = 1, ras[:3, 3]
        head["quatern"] = quaternion(axes * [1, 1, hand])
    if edit:
        edit(head)
    flag = b"\1\0\0\0" if extension else b"\0\0\0\0"
    return head.tobytes() + flag + extension + array.astype(array.dtype.newbyteorder(order)).tobytes()


def setting(**fields: Any) -> Edit:
    """An edit that sets header fields; `dim_1=7` sets one number of a list."""

    def edit(head: Any) -> None:
        for name, value in fields.items():
            stem, _, last = name.rpartition("_")
            if last.isdigit() and stem in ("dim", "pixdim", "quatern", "qoffset"):
                head[stem][int(last)] = value
            else:
                head[name] = value

    return edit


def gz(content: bytes, members: int = 1) -> bytes:
    """Gzip, in one or several members."""
    cut = np.linspace(0, len(content), members + 1).astype(int)
    return b"".join(gzip.compress(content[a:b], 1, mtime=0) for a, b in pairwise(cut))


def _vector(values: Any) -> str:
    return "(" + ",".join(repr(float(v)) for v in values) + ")"


NRRD_TYPES = {
    "u1": "uchar", "i1": "int8", "i2": "short", "u2": "uint16", "i4": "int", "u4": "uint", "i8": "int64",
    "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip


def nrrd(
    array: Array, affine: NDArray[np.float64], *, space: str = "left-posterior-superior", encoding: str = "raw",
    order: str = "little", change: Mapping[str, str | None] | None = None, extra: str = "", newline: str = "\n",
    data: bytes | None = None,
) -> bytes:  # fmt: skip
    """An NRRD file of `array` (k, j, i), or (k, j, i, layer) for several layers.

    `change` replaces header lines or, with None, leaves them out; `extra` stands behind the last of them.
    """
    signs = {"l": np.array([1, 1, 1]), "r": np.array([-1, -1, 1])}[space[0].lower()]
    if "anterior" in space and space[0] == "l":
        signs = np.array([1, -1, 1])
    vectors = [_vector(signs * affine[:3, a]) for a in range(3)]
    layers = ["none"] if array.ndim == 4 else []
    lines: dict[str, str | None] = {
        "type": NRRD_TYPES[array.dtype.str[1:]],
        "dimension": str(array.ndim),
        "space": space,
        "sizes": " ".join(str(n) for n in array.shape[::-1]),
        "space directions": " ".join([*layers, *vectors]),
        "kinds": " ".join([*(["list"] if layers else []), *["domain"] * 3]),
        "endian": order,
        "encoding": encoding,
        "space origin": _vector(signs * affine[:3, 3]),
    }
    lines |= change or {}
    text = ["NRRD0004", "# a comment", *(f"{key}: {value}" for key, value in lines.items() if value is not None)]
    head = newline.join([*text, *([extra] if extra else []), "", ""]).encode("latin-1")
    raw = array.astype(array.dtype.newbyteorder("<" if order == "little" else ">")).tobytes()
    return head + (data if data is not None else gz(raw) if encoding in ("gzip", "gz") else raw)


MHA_TYPES = {
    "u1": "MET_UCHAR", "i1": "MET_CHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "u4": "MET_UINT",
    "f4": "MET_FLOAT", "f8": "MET_DOUBLE", "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG",
}  # fmt: skip


def mha(
    array: Array, affine: NDArray[np.float64], *, compressed: bool = False, msb: bool = False,
    change: Mapping[str, str | None] | None = None, data: bytes | None = None,
) -> bytes:  # fmt: skip
    """A MetaImage file of `array` (k, j, i)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    raw = array.astype(array.dtype.newbyteorder(">" if msb else "<")).tobytes()
    if data is None:
        data = zlib.compress(raw, 1) if compressed else raw
    lines: dict[str, str | None] = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": str(msb),
        "CompressedData": str(compressed), "CompressedDataSize": str(len(data)) if compressed else None,
        "TransformMatrix": " ".join(repr(float(v)) for v in (affine[:3, :3] / spacing).T.ravel()),
        "Offset": " ".join(repr(float(v)) for v in affine[:3, 3]), "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI", "ElementSpacing": " ".join(repr(float(v)) for v in spacing),
        "DimSize": " ".join(str(n) for n in array.shape[::-1]), "ElementType": MHA_TYPES[array.dtype.str[1:]],
    }  # fmt: skip
    lines |= change or {}
    lines.setdefault("ElementDataFile", "LOCAL")
    return "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None).encode() + data
