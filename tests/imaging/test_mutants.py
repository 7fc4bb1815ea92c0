"""Damaged copies of good files: no crash, no hang, no name shown, and no wrong number without a word.

A changed byte of a voxel that nothing checks is a true CT of another body; so voxels without checksum are left alone,
and so are contour points. Everything else may be hit.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `corpus`

from corpus.base import MARKER, SEED, body
from corpus.dicom import enhanced, plain_series, save, transcode
from corpus.segments import NAMES, frames_of, seg, slicer
from corpus.structures import plain as structures
from corpus.volumes import plain_mask
from corpus.writers import gz, mha, nifti, nrrd
from test_corpus import differing, is_refusal

from ovfrad.cli import app
from ovfrad.cli.console import guarded

FULL, SHORT = 1000, 160
JITTER = {"centroid_lps": 0.02, "volume_mm3": 10.0}
"""A header that moves a grid by less than 0.01 voxel is no other header (mm, mm3 of some 8,000)."""

Mutate = Callable[[bytearray, int, np.random.Generator], bytearray]


def _flip(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    content[at] ^= 1 << int(rng.integers(8))
    return content


def _replace(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    content[at] = int(rng.choice([0, 1, 0x20, 0x2D, 0x30, 0x39, 0x7F, 0x80, 0xFF, *rng.integers(0, 256, 4)]))
    return content


def _insert(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    content[at:at] = rng.integers(0, 256, int(rng.integers(1, 9)), dtype="u1").tobytes()
    return content


def _delete(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    del content[at : at + int(rng.integers(1, 9))]
    return content


def _double(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    content[at:at] = content[at : at + int(rng.integers(1, 65))]
    return content


def _long(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    """A number of four bytes that is extreme."""
    content[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FC00000])))
    return content


def _cut(content: bytearray, at: int, rng: np.random.Generator) -> bytearray:
    return content[:at]


WAYS: tuple[Mutate, ...] = (*[_flip, _replace] * 4, _insert, _delete, _double, _long, _cut)


@cache
def good() -> dict[str, tuple[str, bytes, int]]:
    """Sound files by name: role, content, and how many of the first bytes may be hit (0: all)."""
    hu, labels, affine = body().hu, body().labels, body().affine
    head = len(nrrd(hu, affine)) - hu.nbytes, len(mha(hu, affine)) - hu.nbytes
    table = [{"ID": f"S{n}", "Name": NAMES[n], "LabelValue": 19 + n, "Layer": 0} for n in NAMES]
    return {
        "ct.nii": ("image", nifti(hu, affine), 352), "ct2.nii": ("image", nifti(hu, affine, version=2), 544),
        "ct.nii.gz": ("image", gz(nifti(hu, affine)), 0), "ct.nrrd": ("image", nrrd(hu, affine), head[0]),
        "ct.gz.nrrd": ("image", nrrd(hu, affine, encoding="gzip"), 0), "ct.mha": ("image", mha(hu, affine), head[1]),
        "ct.zlib.mha": ("image", mha(hu, affine, compressed=True), 0), "mask.nii": ("mask", nifti(labels, affine), 352),
        "mask.nii.gz": ("mask", plain_mask(), 0), "mask.nrrd": ("mask", nrrd(labels, affine, encoding="gzip"), 0),
        "mask.mha": ("mask", mha(labels, affine, compressed=True), 0),
        "mask.seg.nrrd": ("mask", slicer(labels, affine, table), 0),
    }  # fmt: skip


@cache
def good_dicom() -> dict[str, tuple[str, bytes, int]]:
    """The same of DICOM files; a slice stands for its series."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = plain_series(folder) / "slice_017.dcm"
        plain = one.read_bytes()
        found = {"slice": ("slice", plain, plain.index(b"\xe0\x7f\x10\x00OW") + 12)}
        for syntax in ("RLELossless", "JPEGLosslessProcess14_1", "JPEG2000Lossless"):
            one.write_bytes(plain)
            transcode(one, syntax)
            content = one.read_bytes()
            found[syntax] = ("slice", content, content.index(b"\xe0\x7f\x10\x00OB") + 12)
        for file, made in {
            "enhanced.dcm": enhanced(body().hu, body().affine), "rs.dcm": structures(),
            "seg.dcm": seg(frames_of(body().labels, body().affine), body().affine),
        }.items():  # fmt: skip
            content = save(made, folder / file).read_bytes()
            role = "image" if file == "enhanced.dcm" else "mask"
            at = content.index(b"\xe0\x7f\x10\x00") + 12 if file != "rs.dcm" else content.index(b"\x06\x30\x39\x00SQ")
            found[file] = (role, content, at)
    return found


def mutant(number: int) -> tuple[str, str, bytes]:
    """Name, role and bytes of the mutant with this number."""
    rng = np.random.default_rng([SEED, number])
    files = good() | good_dicom()
    name = sorted(files)[number % len(files)]
    role, content, hit = files[name]
    changed = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 1, 1, 1, 2, 4]))):
        way = WAYS[int(rng.integers(len(WAYS)))]
        at = int(rng.integers(min(hit or len(changed), len(changed)) or 1))
        changed = way(changed, at, rng) if changed else changed
    return name, role, bytes(changed)


def run(number: int, folder: Path) -> tuple[int, str, str, str]:
    """Exit code, stdout, stderr and file name of a mutant beside its sound companion."""
    name, role, content = mutant(number)
    image, mask, arguments = folder / "companion.nii", folder / "labels.nii.gz", ["--label", "20"]
    image.write_bytes(good()["ct.nii"][1])
    mask.write_bytes(plain_mask())
    if role == "slice":
        image = plain_series(folder)
        (image / "slice_017.dcm").write_bytes(content)
        name = "slice_017.dcm"
    elif role == "image":
        image = folder / name
        image.write_bytes(content)
    else:
        mask = folder / name
        mask.write_bytes(content)
        if name.endswith((".dcm", ".seg.nrrd")):
            arguments = ["--label", NAMES[1]]
            image = plain_series(folder) if name.endswith(".dcm") else image
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = guarded(app, ["inspect", str(image), str(mask), *arguments, "--json"])
    return code, out.getvalue(), err.getvalue(), name


def fault(number: int, folder: Path) -> str | None:
    """What is wrong with how a mutant was read."""
    code, out, err, name = run(number, folder)
    names = (name, "companion.nii", "labels.nii.gz", "series")
    if MARKER.lower() in (out + err).lower():
        return f"shows a name: {err}"
    if code == 2:
        return None if is_refusal(err, names) else f"refused in other words: {err}"
    if code:
        return f"exit code {code}: {err}"
    found: dict[str, Any] = json.loads(out)
    wrong = {
        key: pair
        for key, pair in differing(found, body().numbers()).items()
        if np.abs(np.subtract(*pair)).max() > JITTER.get(key, 0.0)
    }
    return f"silently wrong: {wrong}" if wrong and not err else None


def faults(numbers: range, folder: Path) -> list[str]:
    found = []
    for number in numbers:
        inside = folder / str(number)
        inside.mkdir()
        if said := fault(number, inside):
            found.append(f"mutant {number} of {mutant(number)[0]} {said}")
    return found


@pytest.mark.parametrize("part", range(4))
def test_mutants(part: int, tmp_path: Path) -> None:
    size = SHORT // 4
    assert faults(range(part * size, (part + 1) * size), tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_all_mutants(part: int, tmp_path: Path) -> None:
    size = FULL // 20
    assert faults(range(part * size, (part + 1) * size), tmp_path) == []


def test_mutants_differ_from_the_good_file_and_from_each_other() -> None:
    made = [mutant(number) for number in range(SHORT)]
    files = good() | good_dicom()
    assert {name for name, _, _ in made} == set(files)
    assert sum(content != files[name][1] for name, _, content in made) > 0.95 * SHORT
    assert len({content for _, _, content in made}) > 0.95 * SHORT
