"""Grids, soft edges, random fields and simple solids: what the anatomy of the phantom is made of.

Arrays are (k, j, i) = (superior, posterior, left), float32; lengths are mm; a signed distance is negative inside.

>>> grid = Grid.spanning((2.0, 2.0, 3.0), (-1.0, -1.0, -1.5), (1.0, 0.5, 0.5))
>>> grid.shape, grid.y.shape
((2, 4, 6), (1, 4, 1))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Rng = np.random.Generator
Point = tuple[float, float, float]

#: Reach of the nodes of a random field from the centre of the crop, mm; beyond the corner of every crop.
NODE_REACH_MM = 60.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Open grid of voxel centres in mm: `z` (k, 1, 1) up, `y` (1, j, 1) back, `x` (1, 1, i) to the patient's left."""

    z: F32
    y: F32
    x: F32

    @classmethod
    def spanning(cls, extent: Point, start: Point, spacing: Point) -> Grid:
        """Voxels of `spacing` from `start` over `extent`, each (z, y, x) in mm."""
        z, y, x = ((s + d * np.arange(int(n / d))).astype(np.float32)
                   for n, s, d in zip(extent, start, spacing, strict=True))  # fmt: skip
        return cls(z[:, None, None], y[None, :, None], x[None, None, :])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels (k, j, i)."""
        return self.z.size, self.y.size, self.x.size

    @property
    def spacing(self) -> Point:
        """Voxel size (z, y, x) in mm."""
        z, y, x = (float(axis.flat[1] - axis.flat[0]) for axis in (self.z, self.y, self.x))
        return z, y, x

    def window(self, y: tuple[float, float], x: tuple[float, float]) -> tuple[slice, slice, slice]:
        """Index of the voxels between two positions in `y` and in `x` (mm), at all heights."""
        js = slice(*(int(n) for n in np.searchsorted(self.y.ravel(), y)))
        is_ = slice(*(int(n) for n in np.searchsorted(self.x.ravel(), x)))
        return slice(None), js, is_

    def cut(self, box: tuple[slice, slice, slice]) -> Grid:
        """The grid of part of the voxels."""
        return Grid(self.z[box[0]], self.y[:, box[1]], self.x[:, :, box[2]])


def coverage(distance: F32, width: float | F32) -> F32:
    """Share of a voxel of `width` mm that lies inside a surface at signed `distance` mm: partial volume."""
    return np.asarray(np.clip(0.5 - distance / width, 0, 1))


def ease(t: NDArray[np.floating]) -> F32:
    """Smooth step: 0 below 0, 1 above 1, 3 t^2 - 2 t^3 between."""
    u: F32 = np.clip(t, 0, 1)
    return u * u * (3 - 2 * u)


def blob(t: NDArray[np.floating]) -> F32:
    """Gaussian bump exp(-t^2), 1 at 0."""
    return np.asarray(np.exp(-t * t))


def random_field(rng: Rng, grid: Grid, scale: float) -> F32:
    """Gaussian random field of mean 0, unit variance and about `scale` mm of correlation.

    White nodes every `scale` mm are blended with Gaussian weights, one matrix per axis, so that a field is the same
    anatomy on every grid.
    """
    nodes, weights = np.arange(-NODE_REACH_MM, NODE_REACH_MM, scale), []
    for axis in (grid.z, grid.y, grid.x):
        weight = np.exp(-0.5 * ((axis.reshape(-1, 1) - nodes) / (0.75 * scale)) ** 2)
        weights.append((weight / np.linalg.norm(weight, axis=1, keepdims=True)).astype(np.float32))
    white = rng.standard_normal((nodes.size,) * 3, np.float32)
    return np.asarray(np.einsum("kc,jb,ia,cba->kji", *weights, white, optimize=True))


def rod(xyz: Sequence[F32], start: Point, end: Point, radius: float, stretch: float) -> F32:
    """Signed distance to the rod from `start` to `end` (x, y, z), `radius` mm thick and `stretch` times that in z."""
    squeeze = (1.0, 1.0, 1 / stretch)
    axis = [(e - s) * c for s, e, c in zip(start, end, squeeze, strict=True)]
    x, y, z = ((v - s) * c for v, s, c in zip(xyz, start, squeeze, strict=True))
    t = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / sum(d * d for d in axis), 0, 1)
    x, y, z = x - t * axis[0], y - t * axis[1], z - t * axis[2]
    return np.asarray(np.sqrt(x * x + y * y + z * z) - radius)
