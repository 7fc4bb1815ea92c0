"""The vertebral column of one case: sizes by level and sex, density by T-score, and its curved coordinates.

Sizes are rounded means of cadaver and CT morphometry (Panjabi MM et al., Spine 1991;16:888 and 1992;17:299).

>>> sorted(SIZES_MM) == sorted(("T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"))
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ovfrad.phantom.cohort import Case
from ovfrad.phantom.fields import F32, Grid, Rng, ease, random_field
from ovfrad.phantom.fracture import Fracture
from ovfrad.phantom.items import Findings

#: Width, depth and height of a man's vertebral body, mm.
SIZES_MM = {
    "T5": (28, 27, 20), "T6": (28, 28, 20.5), "T7": (29, 29, 21), "T8": (30, 30, 21.5), "T9": (31, 31, 22),
    "T10": (33, 32, 23), "T11": (36, 33, 24), "T12": (40, 33, 25.5), "L1": (42, 33, 27), "L2": (44, 34, 28),
    "L3": (46, 34.5, 28), "L4": (48, 35, 28), "L5": (50, 35, 27.5),
}  # fmt: skip
WOMAN = 0.90
"""A woman's body measures this much of a man's."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One level as drawn.

    Parameters
    ----------
    shown : Findings
        What the image is to show.
    fracture : Fracture
        The deformity.
    level : int
        0 for T5 to 12 for L5.
    half : tuple of float
        Half width, half depth and half height of the unbroken body, mm.
    disc : tuple of float
        Thickness of the disc above and below, mm.
    tilt : tuple of float
        Small rotations about x, y, z, rad.
    bend : float
        Curvature of the column in the sagittal plane, 1/mm; lordosis positive.
    concavity : float
        Depth of the endplates' hollow, mm.
    trabecular_hu : float
        Mean of the trabecular bone, HU.
    cortex_mm : float
        Thickness of the cortical shell, mm.
    """

    shown: Findings
    fracture: Fracture
    level: int
    half: tuple[float, float, float]
    disc: tuple[float, float]
    tilt: tuple[float, float, float]
    bend: float
    concavity: float
    trabecular_hu: float
    cortex_mm: float

    @property
    def thoracic(self) -> bool:
        """Whether the level carries ribs."""
        return self.level < 8

    @classmethod
    def draw(cls, case: Case, rng: Rng) -> Anatomy:
        """Draw the level of a case.

        A T-score explains about 40 % of the variance of trabecular HU, as between DXA and CT of patients
        (Schreiber JJ et al., J Bone Joint Surg Am 2011;93:1057 found r of about .6).
        """
        shown, level = case.shown, list(SIZES_MM).index(case.vertebra)
        scale = 0.5 * (WOMAN if case.sex == "F" else 1.0) * rng.normal(1, 0.03)
        a, b, h = (float(size * scale * rng.normal(1, 0.025)) for size in SIZES_MM[case.vertebra])
        fracture = Fracture.draw(shown, rng)
        thickness = max(3.2, 2.2 + 0.38 * level)
        kyphosis = fracture.loss * h / b * {"wedge": 0.010, "burst": 0.007}.get(fracture.pattern, 0.002)
        curve = -1 / 190 if level < 6 else -1 / 350 if level < 9 else 1 / 260
        return cls(
            shown=shown,
            fracture=fracture,
            level=level,
            half=(a, b, h),
            disc=(rng.uniform(0.75, 1.15) * thickness, rng.uniform(0.75, 1.15) * thickness),
            tilt=(rng.normal(0.11 if case.vertebra == "L5" else 0.0, 0.05), rng.normal(0, 0.04), rng.normal(0, 0.04)),
            bend=curve + rng.normal(0, 0.0007) - kyphosis,
            concavity=rng.uniform(0.8, 1.9) + 0.3 * max(0.0, -1 - shown.t_score),
            trabecular_hu=float(np.clip(105 + 33 * (shown.t_score + 2.8) + rng.normal(0, 30), 25, 230)),
            cortex_mm=max(0.3, 0.55 + 0.06 * (shown.t_score + 2.8) + rng.normal(0, 0.06)),
        )


class Frame(NamedTuple):
    """Column coordinates of every voxel, mm; `z` counts from the centre of the vertebra the voxel belongs to.

    `level` is that vertebra: -1 below, 0 the target, 1 above; `to_disc` the distance to the nearest mid-disc plane;
    `pitch` the distances to the centres above and below.
    """

    x: F32
    y: F32
    z: F32
    level: NDArray[np.int8]
    to_disc: F32
    pitch: tuple[float, float]

    def cut(self, box: tuple[slice, slice, slice]) -> Frame:
        """The frame of part of the voxels."""
        return Frame(self.x[box], self.y[box], self.z[box], self.level[box], self.to_disc[box], self.pitch)

    @property
    def mine(self) -> F32:
        """1 in the target vertebra, 0 in its neighbours."""
        return (self.level == 0).astype(np.float32)


def column_frame(grid: Grid, anatomy: Anatomy, rng: Rng) -> Frame:
    """Tilt, bend and warp the grid, let the neighbours settle on the broken endplates, fold by level."""
    (tx, ty, tz), (_, b, h) = anatomy.tilt, anatomy.half
    x = grid.x - tz * grid.y + ty * grid.z + 0.6 * random_field(rng, grid, 14.0)
    y = grid.y + tz * grid.x - tx * grid.z + 0.6 * random_field(rng, grid, 14.0)
    z = grid.z + tx * grid.y - ty * grid.x + 0.6 * random_field(rng, grid, 14.0)
    z = z / np.maximum(1 - anatomy.bend * y, 0.3)
    y = y - 0.5 * anatomy.bend * z * z
    upper, lower = anatomy.fracture.settling(y, b, h)
    z = z + upper * ease(z / (0.4 * h)) - lower * ease(-z / (0.4 * h))
    above, below = h + 0.5 * anatomy.disc[0], -h - 0.5 * anatomy.disc[1]
    pitch = (above + 0.5 * anatomy.disc[0] + h, -below + 0.5 * anatomy.disc[1] + h)
    level = (z > above).astype(np.int8) - (z < below)
    to_disc = np.minimum(np.abs(z - above), np.abs(z - below))
    z = z - np.array([0.0, pitch[0], -pitch[1]], np.float32)[level]
    return Frame(x, y, z.astype(np.float32), level, to_disc.astype(np.float32), pitch)
