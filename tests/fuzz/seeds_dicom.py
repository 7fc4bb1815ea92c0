"""Good DICOM files for the fuzzer: slices of a series, enhanced CT, SEG and RTSTRUCT.

Parsed in this process, by the functions that the child runs, unless a case is to go through the sandbox.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import seeds
from corpus import dicom, segments, structures
from seeds import AFFINE, LABEL, OTHER, Case, Numbers, body, differing, nifti, read, touches

from ovfrad.errors import InputError
from ovfrad.imaging.dicom import child, ct, decode, gate, sandbox

STRAY: Counter[str] = Counter()
"""Exceptions of parsers, of which the child makes refusals: what is common among them deserves its own message."""
SLICE = 4
"""The slice that is mutated."""
GEOMETRY = {0x00200032: b"DS", 0x00200037: b"DS", 0x00280030: b"DS"}
HU = {0x7FE00010: b"OW", 0x00281052: b"DS", 0x00281053: b"DS"}
SEGMENTS = {0x7FE00010: b"OB", 0x00620004: b"US", 0x0062000B: b"US", **GEOMETRY}
CONTOURS = {0x30060050: b"DS", 0x30060022: b"IS", 0x30060084: b"IS"}
"""Elements whose values rightly change the answer."""


def parsed(path: Path, slices: bool) -> sandbox.Parsed:
    """What the child would say of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        line, *parts = child.respond({"ask": "facts", "path": str(path), "slices": slices})
    head = json.loads(line)
    if refused := head.get("refused"):
        raise InputError(refused[0], path, *refused[1:])
    left, arrays = iter(parts), {}
    for name, dtype, shape in head["arrays"]:
        raw = next(left) if np.prod(shape) else b""
        arrays[name] = np.frombuffer(bytes(raw), dtype).reshape(shape)
    return sandbox.Parsed(path, head["values"], arrays)


unchanged = cache(parsed)


def decoded(wanted: Sequence[tuple[Path, int]]) -> Iterator[Any]:
    """As `sandbox.decoded`."""
    return (decode.frame(path, number) for path, number in wanted)


@contextlib.contextmanager
def _in_process(mutant: Path) -> Iterator[None]:
    """Parse here what the child would parse; all files but the mutant stay as they are."""

    def facts(paths: Sequence[Path], *, slices: bool = False) -> Iterator[sandbox.Parsed]:
        return (parsed(path, slices) if path == mutant else unchanged(path, slices) for path in paths)

    kept, own = (sandbox.facts, ct.facts, ct.decoded, child.refusal), child.refusal

    def refusal(error: BaseException) -> list[str]:
        if not isinstance(error, InputError):
            STRAY[f"child: {type(error).__name__} {_innermost(error)}"] += 1
        return own(error)

    sandbox.facts = ct.facts = facts
    ct.decoded, child.refusal = decoded, refusal
    try:
        yield
    finally:
        sandbox.facts, ct.facts, ct.decoded, child.refusal = kept


def _innermost(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}_{trace.tb_lineno}" if trace else "nowhere"


class Object:
    """A DICOM file that is the mask, the whole CT, or one slice of it.

    Parameters
    ----------
    name : str
        File that the payload becomes.
    files : mapping
        All other files of the input, by name.
    payload : bytes
        Good content.
    meaning : mapping
        Elements that rightly change the answer, in explicit little endian.
    ct, mask : str
        The two inputs, by name.
    label : int
        Asked for.
    apart : bool
        Go through the sandbox.
    """

    def __init__(
        self, name: str, files: dict[str, bytes], payload: bytes, meaning: dict[int, bytes], ct: str, mask: str,
        label: int = LABEL, apart: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.files, self.payload, self.ct, self.mask = name, files, payload, ct, mask
        self.label, self.apart = label, apart
        self.meaning = seeds.stretches(payload, meaning)
        self.wanted: Numbers | None = None

    def __call__(self, folder: Path, payload: bytes) -> str | None:
        folder = folder / f"object_{id(self)}"
        if not folder.exists():
            for name, content in self.files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        if self.wanted is None and payload != self.payload:
            self(folder.parent, self.payload)
        (folder / self.name).write_bytes(payload)
        with contextlib.nullcontext() if self.apart else _in_process(folder / self.name):
            found = read(folder / self.ct, folder / self.mask, self.label)
        if self.wanted is None:
            assert not found["warnings"], found["warnings"]
            self.wanted = found
        return None if touches(self.payload, payload, self.meaning) else differing(found, self.wanted)


def _written(write: Callable[[Path], object]) -> dict[str, bytes]:
    """Content of the files that a function writes into a folder."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def _series(syntax: str = dicom.EXPLICIT, packed: str = "", apart: bool = False) -> Case:
    hu, labels = body()
    files = _written(lambda folder: dicom.save_all(dicom.slices(hu, AFFINE), folder / "ct", syntax=syntax))
    if packed:
        files = _transcoded(files, packed)
    name = sorted(files)[SLICE]
    files["mask.nii"] = nifti(labels, AFFINE)
    made = Object(name, files, files[name], HU, "ct", "mask.nii", apart=apart)
    if syntax != dicom.EXPLICIT:
        made.meaning = _places(files[name])
    if packed or syntax == dicom.DEFLATED:
        made.meaning = [(0, len(made.payload))]
    return Case(f"slice {packed or syntax}", made.payload, made)


def _places(content: bytes) -> list[tuple[int, int]]:
    """Where a slice in any uncompressed syntax has its pixels and its rescale."""
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        layout = gate.opened(Path(file.name))
        assert layout is not None
        found = [layout.elements[tag] for tag in HU if tag in layout.elements]
    return [(one.offset, one.offset + one.length) for one in found]


def _transcoded(files: dict[str, bytes], packed: str) -> dict[str, bytes]:
    def write(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
            dicom.transcode(folder / name, packed)

    return _written(write)


def _enhanced(apart: bool = False) -> Case:
    hu, labels = body()
    files = _written(lambda folder: dicom.save(dicom.enhanced(hu, AFFINE), folder / "ct.dcm"))
    made = Object(
        "ct.dcm", files | {"mask.nii": nifti(labels, AFFINE)}, files["ct.dcm"], HU, "ct.dcm", "mask.nii", apart=apart
    )
    return Case("enhanced", made.payload, made)


def _mask(name: str, dataset: Any, meaning: dict[int, bytes], apart: bool = False) -> Case:
    hu = body()[0]
    files = _written(lambda folder: dicom.save(dataset, folder / "mask.dcm"))
    if apart:
        files |= _written(lambda folder: dicom.save_all(dicom.slices(hu, AFFINE), folder / "ct"))
    else:
        files["ct.nii"] = nifti(hu, AFFINE)
    made = Object("mask.dcm", files, files["mask.dcm"], meaning, "ct" if apart else "ct.nii", "mask.dcm", 1, apart)
    return Case(name, made.payload, made)


def _masks(apart: bool = False) -> Iterator[Case]:
    labels = body()[1]
    frames = [
        (number, plane, AFFINE[:3, 2] * k + AFFINE[:3, 3])
        for number, label in ((1, LABEL), (2, OTHER)) for k, plane in enumerate(labels == label) if plane.any()
    ]  # fmt: skip
    for kind in ("BINARY", "FRACTIONAL"):
        yield _mask(f"seg {kind}", segments.seg(frames, AFFINE, kind=kind), SEGMENTS, apart)
    drawn = {n: structures.contours_of(labels == label, AFFINE) for n, label in ((1, LABEL), (2, OTHER))}
    yield _mask("rtstruct", structures.structures(drawn), CONTOURS, apart)


def ct_cases() -> Iterator[Case]:
    """Slices and enhanced CT, gate and parsers in this process."""
    for syntax in (dicom.EXPLICIT, dicom.IMPLICIT, dicom.BIG, dicom.DEFLATED):
        yield _series(syntax)
    yield _enhanced()


def sandbox_cases() -> Iterator[Case]:
    """All kinds, through the child."""
    yield _series(apart=True)
    for packed in ("RLELossless", "JPEGLSLossless", "JPEG2000Lossless", "JPEGLosslessProcess14_1"):
        yield _series(packed=packed, apart=True)
    yield _enhanced(apart=True)
    yield from _masks(apart=True)


TARGETS = {"dicom": ct_cases, "objects": _masks, "sandbox": sandbox_cases}
