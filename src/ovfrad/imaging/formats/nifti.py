"""NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz): the header through nibabel, every byte accounted for.

nibabel mends or ignores much of what a header says wrongly, and zero-fills nothing but trusts sizes; so the header is
read unmended (`check=False`) and checked here, and the number of bytes must be exactly what it announces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.formats.stream import GZIP, Inflater, Stored
from ovfrad.imaging.geometry import grid_distance
from ovfrad.imaging.source import Source, check_axes
from ovfrad.imaging.volume import GRID_TOLERANCE, Grid
from ovfrad.imaging.write import LPS_TO_RAS

FORMS_CLASH = 0.1
"""Voxels by which sform and qform may differ: their rounding stays below, two different spaces lie above."""
SPACING_CLASH = 0.01
"""Share by which pixdim and the sform's axes may differ."""
EPS = float(np.finfo(np.float32).eps)
HALF_TURN = 5 * EPS
"""Square of the left-out part of a quaternion that three rounded parts cannot tell from zero."""
MAX_OFFSET = 1 << 26
"""Bytes of header extensions; real ones take kilobytes."""


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _head(path: Path, compressed: bool) -> bytes:
    """First 540 bytes of the content."""
    with path.open("rb") as stream:
        return Inflater(stream, path, GZIP, 540).first(540) if compressed else stream.read(540)


def _refuse_header(path: Path, fault: str) -> InputError:
    return InputError("E_NIFTI_HEADER", path, fault, "the header is damaged or not NIfTI; export the file again")


def _header(path: Path, head: bytes) -> Any:
    """The unmended header as nibabel's object."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    if len(head) < 352:
        raise InputError(
            "E_IMAGE_TRUNCATED", path, f"holds {len(head)} bytes, less than a NIfTI header",
            "the file is empty or was cut off; copy or export it again",
        )  # fmt: skip
    if head[344:348] == b"ni1\0" or head[344:348] == b"ni2\0":
        raise InputError("E_FORMAT", path, "is one half of a .hdr and .img pair", "save it as one .nii or .nii.gz file")
    if head[344:348] == b"n+1\0":
        header, size = Nifti1Header(head[:348], check=False), 348
    elif head[4:12] == b"n+2\0\r\n\x1a\n" and len(head) >= 540:
        header, size = Nifti2Header(head[:540], check=False), 540
    else:
        raise _refuse_header(path, "does not begin with a NIfTI header")
    if int(header["sizeof_hdr"]) != size:
        raise _refuse_header(path, f"its header says it is {int(header['sizeof_hdr'])} bytes long, not {size}")
    return header


def _shape(path: Path, header: Any) -> tuple[int, int, int]:
    """(i, j, k) voxels; further dimensions of length one are dropped."""
    dim = [int(n) for n in header["dim"]]
    size = dim[1 : 1 + dim[0]]
    if not 1 <= dim[0] <= 7 or min(size) < 1:
        raise _refuse_header(path, f"its header gives the dimensions {dim}")
    if len(size) < 3 or any(n != 1 for n in size[3:]):
        raise InputError(
            "E_IMAGE_DIMENSIONS", path, f"has {' x '.join(map(str, size))} voxels",
            "one three-dimensional volume is read; split time series, and stack single slices",
        )  # fmt: skip
    return size[0], size[1], size[2]


def _dtype(path: Path, header: Any) -> np.dtype[Any]:
    """Type of the stored voxels: real numbers only."""
    code = int(header["datatype"])
    known = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
    if code not in known:
        kind = {32: "complex numbers", 1792: "complex numbers", 128: "RGB colours", 2304: "RGBA colours"}
        raise InputError(
            "E_IMAGE_TYPE", path, f"stores {kind.get(code, f'voxels of the unknown type {code}')}",
            "voxels are integers or real numbers, one a place; export the CT in HU",
        )  # fmt: skip
    dtype = np.dtype(known[code]).newbyteorder(header.endianness)
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        raise _refuse_header(
            path, f"its header says {int(header['bitpix'])} bits a voxel for a type of {8 * dtype.itemsize}"
        )
    return dtype


def _scaling(path: Path, header: Any) -> tuple[float, float]:
    """(slope, intercept); slope 0 means none (NIfTI-1 standard)."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or (np.isnan(slope) and (np.isnan(inter) or inter == 0)):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(inter)):
        raise _refuse_header(path, f"its scaling is {slope:g} and {inter:g}")
    return slope, inter


def _check_pixdim(path: Path, header: Any) -> None:
    pixdim = [float(v) for v in header["pixdim"]][1:4]
    if not all(np.isfinite(pixdim)) or min(pixdim) <= 0:
        raise InputError(
            "E_IMAGE_SPACING", path, f"its header gives voxels of {' x '.join(f'{v:.4g}' for v in pixdim)} mm",
            "spacing is positive; export the file again",
        )  # fmt: skip
    unit = int(header["xyzt_units"]) & 7
    if unit not in (0, 2):
        name = {1: "metres", 3: "micrometres"}.get(unit, f"the unknown unit {unit}")
        raise InputError("E_NIFTI_UNITS", path, f"its lengths are in {name}", "export the file with millimetres")


def _affine(path: Path, header: Any, grid: tuple[int, int, int]) -> tuple[NDArray[np.float64], list[str]]:
    """(i, j, k, 1) -> LPS mm from sform, else qform; the two must agree on a grid of this shape (k, j, i)."""
    codes = int(header["sform_code"]), int(header["qform_code"])
    if any(not 0 <= code <= 5 for code in codes):
        raise _refuse_header(path, f"its sform and qform codes are {codes[0]} and {codes[1]}")
    if codes == (0, 0):
        raise InputError(
            "E_NIFTI_ORIENTATION", path, "has neither sform nor qform, so left and right are unknown",
            "export the file with its orientation",
        )  # fmt: skip
    forms = []
    if codes[0]:
        rows = [[float(v) for v in header[f"srow_{c}"]] for c in "xyz"]
        forms.append(np.array([*rows, [0.0, 0.0, 0.0, 1.0]]))
    if codes[1]:
        forms.append(_qform(path, header))
    notes: list[str] = []
    for form in forms:
        check_axes(path, Grid(grid, form))
    if len(forms) == 2:
        off, slack = grid_distance(grid, forms[0], forms[1]), _rounding(header) * float(np.linalg.norm(grid))
        off = max(grid_distance((1, 1, 1), forms[0], forms[1]), off - slack)
        if off > FORMS_CLASH:
            raise InputError(
                "E_NIFTI_FORMS", path, f"sform and qform place it {off:.3g} voxels apart",
                "export the file with one orientation",
            )  # fmt: skip
        if off > GRID_TOLERANCE:
            notes.append(f"sform and qform differ by {off:.2g} voxels")
    lengths = np.sqrt((forms[0][:3, :3] ** 2).sum(axis=0))
    pixdim = np.array([float(v) for v in header["pixdim"]][1:4])
    if (np.abs(lengths - pixdim) > SPACING_CLASH * pixdim).any():
        said, meant = (" x ".join(f"{v:.4g}" for v in values) for values in (pixdim, lengths))
        raise InputError(
            "E_NIFTI_SPACING", path, f"pixdim says voxels of {said} mm, the sform {meant} mm",
            "export the file with one spacing",
        )  # fmt: skip
    return LPS_TO_RAS @ forms[0], notes


def _scalar(quaternion: list[float]) -> float:
    """The part of a rotation's quaternion that the header leaves out; half a turn is met in spite of rounding."""
    square = 1 - sum(q * q for q in quaternion)
    return float(square**0.5) if square > HALF_TURN else 0.0


def _rounding(header: Any) -> float:
    """Radians by which the rounded quaternion of a header may miss the rotation that was meant."""
    scalar = _scalar([float(header[f"quatern_{c}"]) for c in "bcd"])
    return 4 * EPS / max(scalar, HALF_TURN**0.5)


def _qform(path: Path, header: Any) -> NDArray[np.float64]:
    """(i, j, k, 1) -> RAS mm by quaternion (NIfTI-1 standard, method 2)."""
    from nibabel.quaternions import quat2mat

    quaternion = [float(header[f"quatern_{c}"]) for c in "bcd"]
    if not np.isfinite(quaternion).all() or sum(q * q for q in quaternion) > 1 + 1e-5:
        raise _refuse_header(path, "the rotation of its qform is no rotation")
    if float(header["pixdim"][0]) not in (-1.0, 0.0, 1.0):
        raise _refuse_header(path, f"the handedness of its qform is {float(header['pixdim'][0]):g}, not 1 or -1")
    spacing = np.array([float(v) for v in header["pixdim"]][1:4])
    spacing[2] *= -1.0 if float(header["pixdim"][0]) == -1.0 else 1.0  # 0 counts as 1 (NIfTI-1 standard)
    affine = np.eye(4)
    affine[:3, :3] = quat2mat([_scalar(quaternion), *quaternion]) * spacing
    affine[:3, 3] = [float(header[f"qoffset_{c}"]) for c in "xyz"]
    return affine


def _rescaled(plane: NDArray[Any], slope: float, inter: float) -> NDArray[np.float64]:
    """Scaled values; infinite ones are refused by whoever takes them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return plane * np.float64(slope) + inter


def open_nifti(path: Path) -> Source:
    """Check a NIfTI file and its header."""
    compressed = _is_gzip(path)
    header = _header(path, _head(path, compressed))
    (i, j, k), dtype, (slope, inter) = _shape(path, header), _dtype(path, header), _scaling(path, header)
    _check_pixdim(path, header)
    affine, notes = _affine(path, header, (k, j, i))
    offset = float(header["vox_offset"])
    if not (offset.is_integer() and int(header["sizeof_hdr"]) + 4 <= offset <= MAX_OFFSET):
        raise _refuse_header(path, f"its header says the voxels begin at byte {offset:g}")
    at, lead = (0, int(offset)) if compressed else (int(offset), 0)
    stored = Stored(path, at, (k, j, i), dtype, GZIP if compressed else None, lead)

    def planes(numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        for number, plane in stored.planes(numbers):
            yield number, plane if (slope, inter) == (1.0, 0.0) else _rescaled(plane, slope, inter)

    return Source(
        path, Grid((k, j, i), affine), 8 * dtype.itemsize, planes,
        floats=dtype.kind == "f", slope=slope, intercept=inter,
        notes=tuple(("W_NIFTI_FORMS", path, note, "the sform is used") for note in notes),
    )  # fmt: skip
