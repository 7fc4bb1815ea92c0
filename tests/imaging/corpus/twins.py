"""Ways to store one case that hypothesis may combine at will: every combination has the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .base import Array, body, put, rotated, stored
from .dicom import BIG, DEFLATED, EXPLICIT, IMPLICIT, save_all, slices, transcode
from .volumes import TURNS
from .writers import gz, mha, nifti, nrrd

TYPES = ("i2", "i4", "i8", "f4", "f8")
SCALES = (None, (1.0, -1024.0), (0.5, 0.0), (0.25, 17.0), (2.0, 1.0))
SYNTAXES = (
    EXPLICIT,
    IMPLICIT,
    BIG,
    DEFLATED,
    "RLELossless",
    "JPEGLosslessProcess14_1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
)


@dataclass(frozen=True)
class Storage:
    """How one volume is written.

    Parameters
    ----------
    form : str
        `nii`, `nii2`, `nrrd` or `mha`.
    turn : tuple
        Axis order and flips.
    compressed, big : bool
        Whether voxels are compressed, and big-endian.
    kind : str
        Stored type.
    scale : tuple or None
        Slope and intercept; NIfTI only.
    forms : str
        Which of sform and qform; NIfTI only.
    jitter : tuple of float
        Shift of the origin along the stored axes, voxels.
    """

    form: str
    turn: tuple[tuple[int, int, int], tuple[int, int, int]]
    compressed: bool
    big: bool
    kind: str
    scale: tuple[float, float] | None
    forms: str
    jitter: tuple[float, float, float]

    def write(self, array: Array, affine: Any, stem: Path) -> Path:
        """Write (k, j, i) voxels and return the file."""
        array, affine = stored(array, affine, *self.turn)
        affine = affine.copy()
        affine[:3, 3] += affine[:3, :3] @ self.jitter
        if self.form == "nrrd":
            content = nrrd(array.astype(self.kind), affine, encoding="gzip" if self.compressed else "raw",
                           order="big" if self.big else "little")  # fmt: skip
            return put(stem.with_suffix(".nrrd"), content)
        if self.form == "mha":
            return put(stem.with_suffix(".mha"), mha(
                array.astype(self.kind), affine, compressed=self.compressed, msb=self.big))  # fmt: skip
        slope, inter = self.scale or (1.0, 0.0)
        kind = self.kind if slope in (0.5, 1.0, 0.25) or self.kind[0] == "f" else "f4"
        content = nifti(((array - inter) / slope).astype(kind), affine, version=1 + (self.form == "nii2"),
                        order="<>"[self.big], forms=self.forms, scale=(slope, inter))  # fmt: skip
        return put(
            stem.with_suffix(".nii.gz" if self.compressed else ".nii"), gz(content) if self.compressed else content
        )


def storages(
    jitter: float = 0.0, scales: tuple[Any, ...] = SCALES, types: tuple[str, ...] = TYPES
) -> st.SearchStrategy[Storage]:
    """Any way to write a volume; its origin is off by at most `jitter` voxels along an axis."""
    shift = st.floats(-jitter, jitter, allow_nan=False) if jitter else st.just(0.0)
    return st.builds(
        Storage, form=st.sampled_from(("nii", "nii2", "nrrd", "mha")), turn=st.sampled_from(TURNS),
        compressed=st.booleans(), big=st.booleans(), kind=st.sampled_from(types), scale=st.sampled_from(scales),
        forms=st.sampled_from(("sq", "s", "q")), jitter=st.tuples(shift, shift, shift),
    )  # fmt: skip


@dataclass(frozen=True)
class Scanner:
    """How a series is written: its own axes, the order of its files, its transfer syntax and its rescale."""

    turn: tuple[tuple[int, int, int], tuple[int, int, int]]
    seed: int
    syntax: str
    slopes: tuple[int, ...]
    signed: bool

    def write(self, hu: Array, affine: Any, folder: Path) -> Path:
        """Write the series and return its folder."""
        made = slices(*stored(hu, affine, *self.turn))
        for n, one in enumerate(made):
            values = np.frombuffer(one.PixelData, "<u2").astype("i8") - 1024
            slope, inter = 1 / self.slopes[n % len(self.slopes)], -1024 if not self.signed else 3 * (n % 5)
            one.PixelData = np.rint((values - inter) / slope).astype("<i2" if self.signed else "<u2").tobytes()
            one.PixelRepresentation = int(self.signed)
            one.RescaleSlope, one.RescaleIntercept = str(slope), str(inter)
            one.InstanceNumber = 1 + n % 7
        order = np.random.default_rng(self.seed).permutation(len(made))
        names = [f"IM{n:04d}" for n in order]
        save_all(made, folder, names, syntax=self.syntax if self.syntax.startswith("1.") else EXPLICIT)
        if not self.syntax.startswith("1."):
            for path in folder.iterdir():
                transcode(path, self.syntax)
        return folder


def scanners() -> st.SearchStrategy[Scanner]:
    """Any way to write a series."""
    return st.builds(
        Scanner, turn=st.sampled_from(TURNS), seed=st.integers(0, 99), syntax=st.sampled_from(SYNTAXES),
        slopes=st.sampled_from(((1,), (1, 2), (4,), (1, 2, 4))), signed=st.booleans(),
    )  # fmt: skip


def oblique() -> st.SearchStrategy[Any]:
    """Affines of the body turned round two patient axes."""
    return st.builds(
        lambda a, b: rotated(rotated(body().affine, a, 0), b, 2),
        st.sampled_from((0.0, 0.01, 3.3, -17.0, 45.0, 90.0, 180.0)), st.sampled_from((0.0, 0.02, 11.0, -60.0, 179.0)),
    )  # fmt: skip
