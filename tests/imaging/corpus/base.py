"""The body that every input of the corpus shows, its numbers, and what an entry of the corpus is.

Nothing here comes from the reader under test: the numbers are numpy on the arrays that the body is made of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = int(os.environ.get("OVFRAD_CORPUS_SEED", "20240"))
"""Another number draws another body and other places of damage; every expectation holds for every seed."""

LABEL, OTHER = 20, 21
"""Labels of the two vertebral bodies (L1 and L2 in VerSe's numbers)."""

AFFINE = np.array([[0.75, 0, 0, -18.5], [0, 0.625, 0, 40.25], [0, 0, 1.5, -310.5], [0, 0, 0, 1.0]])
"""(i, j, k, 1) -> LPS mm; every number is a float32, so that a NIfTI header rounds nothing."""

SHAPE = (40, 60, 50)
"""(k, j, i)."""

MARKER = "QZXNAME"
"""Stands in every tag that names a person or a place; it may appear in no output."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Body:
    """A CT in whole HU and its labels, both (k, j, i), on one affine (LPS mm)."""

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]

    def numbers(self, label: int = LABEL) -> dict[str, Any]:
        """What `inspect` has to say about a label."""
        return numbers(self.hu, self.labels == label, self.affine)


def numbers(hu: Array, mask: Array, affine: NDArray[np.float64]) -> dict[str, Any]:
    """Size, HU (population SD) and centroid of a mask (k, j, i)."""
    inside = hu[mask].astype(np.float64)
    k, j, i = (axis.mean() for axis in np.nonzero(mask))
    return {
        "voxels": int(mask.sum()),
        "volume_mm3": float(mask.sum() * abs(np.linalg.det(affine[:3, :3]))),
        "mean_hu": float(inside.mean()),
        "sd_hu": float(inside.std()),
        "min_hu": float(inside.min()),
        "max_hu": float(inside.max()),
        "centroid_lps": [float(v) for v in (affine @ [i, j, k, 1.0])[:3]],
    }


@cache
def body(spacing: tuple[float, float, float] = (0.75, 0.625, 1.5)) -> Body:
    """Air, fat, muscle and two vertebral bodies with a notch, whose HU rise along every axis: no flip is a symmetry.

    `spacing` (i, j, k), mm, replaces the usual one; the arrays stay.
    """
    rng = np.random.default_rng(SEED)
    k, j, i = np.indices(SHAPE).astype(np.float64)
    k0, j0, i0 = 16 + rng.integers(-1, 2), 28 + rng.integers(-2, 3), 24 + rng.integers(-2, 3)
    x, y, z = (i - i0) * 0.75, (j - j0) * 0.625, (k - k0) * 1.5
    hu = rng.normal(-1000, 12, SHAPE)
    for radius, mean in ((19.0, -100.0), (17.0, 55.0)):
        disc = (x / radius) ** 2 + (y / radius) ** 2 < 1
        hu[disc] = rng.normal(mean, 12, SHAPE)[disc]
    labels = np.zeros(SHAPE, np.uint8)
    column = ((x / 12) ** 2 + (y / 9.5) ** 2 < 1) & ~((x > 3) & (y > 4)) & ~((x < -6) & (y < 0) & (z > 4))
    labels[column & (abs(z) < 13)] = LABEL
    labels[column & (z > 16) & (z < 29)] = OTHER
    slope = rng.uniform(2.0, 4.0, 3)
    bone = 190 + slope[0] * x + slope[1] * y + slope[2] * z + rng.normal(0, 20, SHAPE)
    hu[labels > 0] = bone[labels > 0]
    affine = AFFINE.copy()
    affine[[0, 1, 2], [0, 1, 2]] = spacing
    return Body(np.rint(hu).astype(np.int16), labels, affine)


def stored(
    array: Array, affine: NDArray[np.float64], axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> tuple[Array, NDArray[np.float64]]:
    """The same voxels at the same places with other axes.

    New axis a (of i, j, k) is the old axis `axes[a]`, run backwards where `flips[a]` is -1.
    """
    turned = array.transpose(2, 1, 0).transpose(axes)
    new = affine.copy()
    for a, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        new[:3, a] = affine[:3, old] * flip
        if flip < 0:
            turned = np.flip(turned, a)
            new[:3, 3] += affine[:3, old] * (array.shape[2 - old] - 1)
    return np.ascontiguousarray(turned.transpose(2, 1, 0)), new


def rotated(affine: NDArray[np.float64], degrees: float, about: int = 0) -> NDArray[np.float64]:
    """An affine turned round a patient axis through the origin."""
    turn, (a, b) = np.eye(4), [n for n in range(3) if n != about]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[a, a] = turn[b, b] = c
    turn[a, b], turn[b, a] = -s, s
    return turn @ affine


@dataclass(frozen=True)
class Inputs:
    """What is given to `ovfrad inspect`.

    Parameters
    ----------
    image, mask : Path
        As the user would name them.
    arguments : tuple of str
        Options behind them.
    truth : mapping, optional
        Numbers of this input; default: those of the body's label 20.
    faulty : tuple of str
        Names of which a refusal must begin with one; default: by the entry's kind.
    """

    image: Path
    mask: Path
    arguments: tuple[str, ...] = ("--label", str(LABEL))
    truth: Mapping[str, Any] | None = None
    faulty: tuple[str, ...] = ()


EQUAL, WARNED, REFUSED = frozenset({"equal"}), frozenset({"warned"}), frozenset({"refused"})
LISTED = frozenset({"listed"})
"""Refused for want of a choice, and the labels or names to choose from are printed."""
REFUSED_OR_WARNED = REFUSED | WARNED
"""A careful radiologist could decide either way, but not in silence."""
NEVER_WRONG = EQUAL | WARNED | REFUSED
"""Unusual but unambiguous: right numbers or a clean refusal."""

Build = Callable[[Path, np.random.Generator], Inputs]


@dataclass(frozen=True)
class Entry:
    """One labelled input.

    Parameters
    ----------
    name, kind : str
        `image`, `mask` or `dicom`: the file at fault where it is refused.
    build : callable
        (empty folder, generator) -> `Inputs`.
    expect : frozenset of str
        Outcomes that are right: `equal` (no warning but those of `may`), `warned`, `refused`.
    warns : tuple of str
        Where `warned`: beginnings of codes of which one must be said.
    may : tuple of str
        Beginnings of codes that may be said beside right numbers.
    hostile : bool
        Run in a process of its own, with a deadline and its memory measured.
    """

    name: str
    kind: str
    build: Build
    expect: frozenset[str] = EQUAL
    warns: tuple[str, ...] = ("W_",)
    may: tuple[str, ...] = ()
    hostile: bool = False


@dataclass
class Catalogue:
    """Entries of one module, in the order in which they were added."""

    kind: str
    entries: list[Entry] = field(default_factory=list)

    def add(self, name: str, build: Build, expect: frozenset[str] = EQUAL, *, kind: str = "", **more: Any) -> None:
        """Add one entry; `kind` defaults to the catalogue's."""
        self.entries.append(Entry(name, kind or self.kind, build, expect, **more))


def put(path: Path, content: bytes) -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
