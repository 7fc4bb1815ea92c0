"""NRRD and MetaImage (.nrrd, .mha) through SimpleITK, with the bytes counted before ITK fills gaps with zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging._source import DEFLATE_RATIO, Source, check_axes, check_size, inflate, truncated
from ovfrad.imaging.geometry import Box

MAX_HEADER = 1 << 20
"""Bytes; a header of text is a few hundred."""
NRRD_BYTES = {
    "int8": 1, "signed char": 1, "int8_t": 1, "uchar": 1, "unsigned char": 1, "uint8": 1, "uint8_t": 1,
    "short": 2, "short int": 2, "signed short": 2, "signed short int": 2, "int16": 2, "int16_t": 2,
    "ushort": 2, "unsigned short": 2, "unsigned short int": 2, "uint16": 2, "uint16_t": 2,
    "int": 4, "signed int": 4, "int32": 4, "int32_t": 4, "uint": 4, "unsigned int": 4, "uint32": 4, "uint32_t": 4,
    "longlong": 8, "long long": 8, "long long int": 8, "signed long long": 8, "int64": 8, "int64_t": 8,
    "ulonglong": 8, "unsigned long long": 8, "unsigned long long int": 8, "uint64": 8, "uint64_t": 8,
    "float": 4, "double": 8,
}  # fmt: skip
META_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG": 4, "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
SPACES = {
    "left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las",
}  # fmt: skip


def _refuse(path: Path, fault: str) -> InputError:
    return InputError("E_ITK_HEADER", path, fault, "the header is damaged or unusual; export the file again")


def _fields(path: Path, end: bytes, separator: str) -> tuple[dict[str, str], int]:
    """Header lines as a dictionary and the byte at which the voxels begin."""
    with path.open("rb") as stream:
        head = stream.read(MAX_HEADER)
    at = head.find(end)
    stop = head.find(b"\n", at + len(end) - 1) + 1 if at >= 0 else 0
    if not stop:
        raise _refuse(path, "its header has no end")
    lines = head[:stop].decode("latin-1").splitlines()
    pairs = [line.split(separator, 1) for line in lines if separator in line and not line.startswith("#")]
    return {key.strip().lower(): value.lstrip("=").strip() for key, value in pairs}, stop


def _sizes(path: Path, text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(n) for n in text.split())
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise _refuse(path, "its header gives no sizes")
    if len(sizes) < 3 or any(n != 1 for n in sizes[3:]):
        raise InputError(
            "E_IMAGE_DIMENSIONS", path, f"has {' x '.join(map(str, sizes))} voxels",
            "one three-dimensional volume of one number a voxel is read",
        )  # fmt: skip
    return sizes


def _count(path: Path, start: int, wanted: int, wbits: int | None) -> None:
    """The bytes after the header, inflated where `wbits` says how, are as many as announced."""
    found = path.stat().st_size - start
    if wbits is None:
        if found != wanted:
            raise truncated(path, found, wanted)
        return
    if wanted > DEFLATE_RATIO * found:
        raise truncated(path, found, wanted)
    with path.open("rb") as stream:
        stream.seek(start)
        inflate(stream, path, wbits, wanted)


def _check_nrrd(path: Path) -> int:
    """Bits a voxel of an attached NRRD file whose bytes are complete."""
    head, start = _fields(path, b"\n\n", ":")
    if "data file" in head or "datafile" in head:
        raise InputError("E_FORMAT", path, "keeps its voxels in another file", "save it as one .nrrd file")
    sizes = _sizes(path, head.get("sizes", ""))
    item = NRRD_BYTES.get(head.get("type", "").lower(), 0)
    encoding = head.get("encoding", "").lower()
    if not item or encoding not in ("raw", "gzip", "gz"):
        raise _refuse(path, f"its type is '{head.get('type', '')[:40]}' and its encoding '{encoding[:40]}'")
    if "line skip" in head or "byte skip" in head or "lineskip" in head or "byteskip" in head:
        raise _refuse(path, "it skips bytes before its voxels")
    if item > 1 and head.get("endian", "").lower() not in ("little", "big"):
        raise _refuse(path, "it does not say its byte order")
    if "space" not in head or "space directions" not in head or "space origin" not in head:
        raise InputError(
            "E_NRRD_ORIENTATION", path, "has no space, space directions or space origin, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    if head["space"].lower().removesuffix("-time") not in SPACES:
        raise _refuse(path, f"its space is '{head['space'][:40]}', not LPS, RAS or LAS")
    _count(path, start, check_size(path, sizes, item), None if encoding == "raw" else 31)
    return 8 * item


def _check_spacing(path: Path, text: str) -> None:
    """Three positive numbers (ITK takes a negative one as positive)."""
    try:
        spacing = [float(v) for v in text.split()][:3]
    except ValueError:
        spacing = []
    if len(spacing) != 3 or not min(spacing) > 0:
        raise InputError(
            "E_IMAGE_SPACING", path, f"its header gives the spacing '{text[:40]}'",
            "spacing is three positive numbers; export the file again",
        )  # fmt: skip


def _check_meta(path: Path) -> int:
    """Bits a voxel of a MetaImage file whose bytes are complete."""
    head, start = _fields(path, b"ElementDataFile", "=")
    if head.get("elementdatafile") != "LOCAL":
        raise InputError("E_FORMAT", path, "keeps its voxels in another file", "save it as one .mha file")
    sizes = _sizes(path, head.get("dimsize", ""))
    item = META_BYTES.get(head.get("elementtype", ""), 0)
    if not item or head.get("elementnumberofchannels", "1") != "1" or head.get("binarydata", "True").lower() != "true":
        raise _refuse(path, f"its voxels are of type '{head.get('elementtype', '')[:40]}'")
    if not {"transformmatrix", "rotation", "orientation"} & set(head):
        raise InputError(
            "E_META_ORIENTATION", path, "has no TransformMatrix, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    _check_spacing(path, head.get("elementspacing", ""))
    if head.get("headersize", "0") != "0":
        raise _refuse(path, "it skips bytes before its voxels")
    wbits = 15 if head.get("compresseddata", "False").lower() == "true" else None
    _count(path, start, check_size(path, sizes, item), wbits)
    return 8 * item


def open_itk(path: Path) -> Source:
    """Check an NRRD or MetaImage file and read it."""
    import SimpleITK

    bits = _check_nrrd(path) if path.name.lower().endswith(".nrrd") else _check_meta(path)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise _refuse(path, "ITK cannot read it") from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            "E_IMAGE_TYPE", path, f"stores {image.GetNumberOfComponentsPerPixel()} numbers a voxel", "one is read"
        )
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    array = SimpleITK.GetArrayFromImage(image)
    shape = (int(array.shape[0]), int(array.shape[1]), int(array.shape[2]))
    check_axes(path, shape, affine)

    def load(box: Box) -> NDArray[Any]:
        return np.asarray(array[box])

    return Source(path, shape, affine, bits, load)
