"""Good small files, one for each kind of bytes that a reader takes, and what reading a mutant of each must give.

Files are written by the corpus of `tests/imaging`; nothing is stored. A `Case` builds input files from the mutated
payload, reads them through the public functions, and says in words what is wrong with an answer given in silence.
"""

from __future__ import annotations

import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "imaging"))  # for `corpus`, which is no part of the package

from corpus.writers import gz, mha, nifti, nrrd

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging.inspect import inspect
from ovfrad.imaging.opening import open_ct
from ovfrad.imaging.read import read_roi

LABEL, OTHER = 20, 21
SHAPE = (10, 22, 20)
AFFINE = np.array([[2.5, 0, 0, -20.0], [0, 2.0, 0, 30.0], [0, 0, 3.0, -300.0], [0, 0, 0, 1.0]])
NEAR_VOXELS, NEAR_SHARE = 0.05, 0.01
"""By which the place and the volume of a mutant may differ in silence: the tolerance of grids, seen at a corner."""
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One kind of file.

    Parameters
    ----------
    name : str
        Shown with finds.
    payload : bytes
        The good bytes, to be mutated.
    check : callable
        (folder, payload) -> None, or what is wrong with the answer; exceptions pass through.
    """

    name: str
    payload: bytes
    check: Callable[[Path, bytes], str | None]


@cache
def body() -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """CT in whole HU and labels, (k, j, i): fat, muscle and two bodies; nothing in it is warned of."""
    rng = np.random.default_rng(0)
    k, j, i = np.indices(SHAPE)
    hu = rng.normal(-100, 12, SHAPE)
    hu[:, 2:-2, 2:-2] += 150
    disc = (j - 10) ** 2 + (i - 9) ** 2 < 18
    labels = np.where(disc & (k > 1) & (k < 5), LABEL, np.where(disc & (k > 5) & (k < 9), OTHER, 0)).astype("u1")
    bone = 180 + 7 * i + 5 * j + 3 * k + rng.normal(0, 10, SHAPE)
    hu[labels > 0] = bone[labels > 0]
    return np.rint(hu).astype("i2"), labels


def changed(good: bytes, mutant: bytes) -> list[tuple[int, int]]:
    """Where a mutant differs, as (first, stop) in the good bytes; one stretch where the lengths differ."""
    if len(good) == len(mutant):
        at = np.flatnonzero(np.frombuffer(good, np.uint8) != np.frombuffer(mutant, np.uint8))
        return [(int(n), int(n) + 1) for n in at]
    shorter = min(len(good), len(mutant))
    same = np.frombuffer(good[:shorter], np.uint8) == np.frombuffer(mutant[:shorter], np.uint8)
    first = shorter if same.all() else int(same.argmin())
    tail = good[first:][::-1], mutant[first:][::-1]
    last = next((n for n, (a, b) in enumerate(zip(*tail, strict=False)) if a != b), min(map(len, tail)))
    return [(first, max(first + 1, len(good) - last))]


def touches(good: bytes, mutant: bytes, spans: list[tuple[int, int]]) -> bool:
    """Whether a mutant differs within one of some stretches of the good bytes."""
    return any(a < stop and first < b for a, b in changed(good, mutant) for first, stop in spans)


def read(ct: Path, mask: Path, label: int | str | None = LABEL) -> Numbers:
    """Everything the readers do with two files: every slice, then the region; warnings are kept in the numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", InputWarning)
        source = open_ct(ct)
        for _ in source.planes(range(source.grid.shape[0])):
            pass
        return inspect(read_roi(ct, mask, label=label))


def differing(found: Numbers, wanted: Numbers) -> str | None:
    """What is wrong with numbers that came without a warning."""
    if found["warnings"]:
        return None
    same = all(found[key] == wanted[key] for key in ("voxels", "mean_hu", "sd_hu", "min_hu", "max_hu"))
    off = np.abs(np.subtract(found["centroid_lps"], wanted["centroid_lps"])).max() / min(wanted["spacing_mm"])
    near = off < NEAR_VOXELS and abs(found["volume_mm3"] / wanted["volume_mm3"] - 1) < NEAR_SHARE
    if same and near:
        return None
    return ", ".join(f"{key} {found[key]} for {wanted[key]}" for key in wanted if found[key] != wanted[key])


class Pair:
    """A CT and a mask, of which one is made of the payload.

    Parameters
    ----------
    name : str
        File name of the mutant.
    build : callable
        Payload -> content of the file.
    payload : bytes
        Good payload.
    is_mask : bool
        Which of the two it is.
    meaning : list of tuple of int
        Stretches of the payload that rightly change the answer.
    label : int or str
        Asked for.
    """

    def __init__(
        self, name: str, build: Callable[[bytes], bytes], payload: bytes, is_mask: bool = False,
        meaning: list[tuple[int, int]] | None = None, label: int | str = LABEL,
    ) -> None:  # fmt: skip
        self.name, self.build, self.payload, self.is_mask = name, build, payload, is_mask
        self.meaning, self.label = meaning or [], label
        self.wanted: Numbers | None = None

    def __call__(self, folder: Path, payload: bytes) -> str | None:
        other = folder / ("good_ct.nii" if self.is_mask else "good_mask.nii")
        if not other.exists():
            other.write_bytes(nifti(body()[0 if self.is_mask else 1], AFFINE))
        if self.wanted is None and payload != self.payload:
            self(folder, self.payload)
        path = folder / self.name
        path.write_bytes(self.build(payload))
        found = read(*((other, path) if self.is_mask else (path, other)), self.label)
        if self.wanted is None:
            assert not found["warnings"], found["warnings"]
            self.wanted = found
        return None if touches(self.payload, payload, self.meaning) else differing(found, self.wanted)


def _pair(name: str, *args: Any, **how: Any) -> Case:
    made = Pair(name, *args, **how)
    return Case(f"{'mask' if made.is_mask else 'ct'} {name}", made.payload, made)


def nifti_cases() -> Iterator[Case]:
    """Headers of NIfTI-1 and 2, plain and compressed; compressed files as a whole."""
    for version, order, kind, packed in (
        (1, "<", "i2", False), (1, ">", "f4", False), (2, "<", "f8", False), (2, ">", "i4", True), (1, "<", "i2", True),
    ):  # fmt: skip
        for is_mask in (False, True):
            whole = nifti(body()[is_mask].astype(kind), AFFINE, version=version, order=order)
            size = 352 if version == 1 else 544
            scaling = [(112, 120)] if version == 1 else [(176, 192)]
            build = partial(_joined, tail=whole[size:], packed=packed)
            yield _pair("x.nii.gz" if packed else "x.nii", build, whole[:size], is_mask, scaling)
    whole = nifti(body()[1], AFFINE)
    yield _pair("x.nii.gz", bytes, gz(whole, 3), True)


def _joined(head: bytes, tail: bytes, packed: bool = False) -> bytes:
    return gz(head + tail) if packed else head + tail


def text_cases() -> Iterator[Case]:
    """Headers of NRRD, MetaImage and 3D Slicer's segmentations."""
    hu, labels = body()
    for is_mask, array in enumerate((hu, labels.astype("u2"))):
        for name, whole in {
            "x.nrrd": nrrd(array, AFFINE), "x.mha": mha(array, AFFINE), "y.mha": mha(array, AFFINE, compressed=True),
            "y.nrrd": nrrd(array.astype("f4"), AFFINE, encoding="gzip", order="big", space="right-anterior-superior"),
        }.items():  # fmt: skip
            end = b"\n\n" if name.endswith("nrrd") else b"LOCAL\n"
            head, end, tail = whole.partition(end)
            yield _pair(name, partial(_joined, tail=tail), head + end, bool(is_mask))
    yield from _slicer_cases(labels)


def _slicer_cases(labels: NDArray[np.uint8]) -> Iterator[Case]:
    rows = [("body of L1", LABEL, 0), ("body of L2", OTHER, 0)]
    layered = np.stack([labels == LABEL, labels == OTHER], axis=-1).astype("u1")
    for array, table in ((labels, rows), (layered, [("body of L1", 1, 0), ("body of L2", 1, 1)])):
        extra = "\n".join(
            f"Segment{n}_Name:={name}\nSegment{n}_LabelValue:={value}\nSegment{n}_Layer:={layer}\nSegment{n}_ID:=S{n}"
            for n, (name, value, layer) in enumerate(table)
        )
        head, end, tail = nrrd(array, AFFINE, extra=extra).partition(b"\n\n")
        spans = [(head.index(b"space origin"), len(head))]  # a part of the grid may lie anywhere on it
        yield _pair("x.seg.nrrd", partial(_joined, tail=tail), head + end, True, spans, label="body of L1")


def mask_cases() -> Iterator[Case]:
    """Voxels of label maps of every type."""
    for kind in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        whole = nifti(body()[1].astype(kind), AFFINE)
        yield Case(f"labels {kind}", whole[352:], partial(_labels, head=whole[:352], kind=kind))


def _labels(folder: Path, payload: bytes, head: bytes, kind: str) -> str | None:
    """A label map is one where numpy says so, and then has the voxels that numpy counts."""
    ct, mask = folder / "good_ct.nii", folder / "labels.nii"
    if not ct.exists():
        ct.write_bytes(nifti(body()[0], AFFINE))
    mask.write_bytes(head + payload)
    if len(payload) != np.prod(SHAPE) * np.dtype(kind).itemsize:
        read(ct, mask)
        return "a mask of another size is accepted"
    array = np.frombuffer(payload, "<" + kind)
    is_map = bool(
        np.isfinite(array).all() and (array >= 0).all() and (array <= 65535).all()
        and (array == np.floor(array.astype("f8"))).all() and len(np.unique(array)) <= 150
    )  # fmt: skip
    inside = int((array == LABEL).sum())
    try:
        found = read(ct, mask)
    except InputError as error:
        needless = is_map and error.code in ("E_MASK_VALUES", "E_MASK_FRACTION", "E_IMAGE_NONFINITE")
        return f"refused without need: {error}" if needless or (inside and error.code == "E_MASK_EMPTY") else None
    if not is_map and len(np.unique(array)) > 201:
        return "no label map, and accepted"
    return None if found["voxels"] == inside else f"{found['voxels']} voxels for {inside}"


TARGETS: dict[str, Callable[[], Iterator[Case]]] = {"nifti": nifti_cases, "text": text_cases, "masks": mask_cases}


def stretches(content: bytes, tags: dict[int, bytes]) -> list[tuple[int, int]]:
    """Where the values of some elements lie in explicit little endian DICOM, at any depth."""
    found = []
    for tag, vr in tags.items():
        mark, at = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr, -1
        while (at := content.find(mark, at + 1)) >= 0:
            is_long = vr in (b"OW", b"OB", b"SQ")
            size = struct.unpack_from("<L" if is_long else "<H", content, at + (8 if is_long else 6))[0]
            first = at + (12 if is_long else 8)
            found.append((first, first + size))
    return found
