"""MetaImage in one file (.mha): a text header and voxels, raw or zlib, every byte accounted for.

Format: https://itk.org/Wiki/ITK/MetaIO/Documentation; positions are LPS mm, as ITK writes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.formats.stream import ZLIB, Stored
from ovfrad.imaging.formats.text import refuse_header, shown, text_header, text_numbers, text_sizes, volume_sizes
from ovfrad.imaging.source import Source, check_axes
from ovfrad.imaging.volume import Grid

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip


ORDER = "binarydatabyteordermsb", "elementbyteordermsb"
"""Two names of one field."""


def _either(head: dict[str, str], *names: str) -> str | None:
    """Value under the first of several names of one thing."""
    return next((head[name] for name in names if name in head), None)


def _yes(path: Path, head: dict[str, str], *names: str) -> bool:
    text = (_either(head, *names) or "False").lower()
    if text not in ("true", "false"):
        raise refuse_header(path, f"its {names[0]} is '{shown(text)}', not True or False")
    return text == "true"


def _affine(path: Path, head: dict[str, str], dimensions: int) -> NDArray[np.float64]:
    """(i, j, k, 1) -> LPS mm."""
    axes = _either(head, "transformmatrix", "rotation", "orientation")
    origin = _either(head, "offset", "position", "origin")
    if axes is None or origin is None:
        raise InputError(
            "E_META_ORIENTATION", path, "has no TransformMatrix or no Offset, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    spacing = text_numbers(path, head.get("elementspacing", ""), dimensions, "ElementSpacing")[:3]
    if not spacing.min() > 0:
        raise InputError(
            "E_IMAGE_SPACING", path, f"its header gives voxels of {' x '.join(f'{v:.4g}' for v in spacing)} mm",
            "spacing is positive; export the file again",
        )  # fmt: skip
    affine = np.eye(4)
    matrix = text_numbers(path, axes, dimensions**2, "TransformMatrix").reshape(dimensions, dimensions)
    if abs(np.abs(np.linalg.norm(matrix, axis=1) - 1).max()) > 1e-3:
        raise refuse_header(path, "the rows of its TransformMatrix are no unit vectors")
    affine[:3, :3] = matrix[:3, :3].T * spacing
    affine[:3, 3] = text_numbers(path, origin, dimensions, "Offset")[:3]
    return affine


def open_metaimage(path: Path) -> Source:
    """Check a MetaImage file and its header."""
    head, start = text_header(path, rb"\nElementDataFile[^\n]*\n", "=", b"ObjectType")
    if head.get("elementdatafile") != "LOCAL":
        raise InputError("E_FORMAT", path, "keeps its voxels in another file", "save it as one .mha file")
    sizes = text_sizes(path, head.get("dimsize", ""))
    i, j, k = volume_sizes(path, sizes)
    if head.get("ndims", str(len(sizes))) != str(len(sizes)):
        raise refuse_header(path, f"its NDims is '{shown(head['ndims'])}', but it gives {len(sizes)} sizes")
    kind = TYPES.get(head.get("elementtype", ""))
    if kind is None or head.get("elementnumberofchannels", "1") != "1" or head.get("objecttype") != "Image":
        raise refuse_header(path, f"its voxels are of type '{shown(head.get('elementtype', ''))}' or several a place")
    if not _yes(path, head, "binarydata") or head.get("headersize", "0") != "0":
        raise refuse_header(path, "its voxels are text or do not follow its header")
    if kind[1] != "1" and _either(head, *ORDER) is None:
        raise refuse_header(path, "it does not say its byte order")
    order = ">" if _yes(path, head, *ORDER) else "<"
    for name, usual in (("ElementToIntensityFunctionSlope", 1), ("ElementToIntensityFunctionOffset", 0)):
        if text_numbers(path, head.get(name.lower(), str(usual)), 1, name)[0] != usual:
            raise refuse_header(path, f"its {name} is not {usual}, which writers apply or not")
    grid, dtype = Grid((k, j, i), _affine(path, head, len(sizes))), np.dtype(order + kind)
    check_axes(path, grid)
    wbits = ZLIB if _yes(path, head, "compresseddata") else None
    stored = Stored(path, start, (k, j, i), dtype, wbits)
    return Source(path, grid, 8 * dtype.itemsize, stored.planes, floats=dtype.kind == "f")
