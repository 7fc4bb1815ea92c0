"""What a fracture does to a vertebral body: pattern, loss of height, fragments, compaction.

Patterns follow Genant's wedge, biconcave and crush deformities (J Bone Miner Res 1993;8:1137) and the burst fracture
of the AO classification: a posterior wall driven into the canal, fracture planes, and more loss of height.

>>> Fracture.draw(Findings(morphology=2, mri=1, t_score=-3.0, stage="acute"), np.random.default_rng(0)).pattern
'burst'
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ovfrad.phantom.fields import F32, Grid, Rng, ease, random_field
from ovfrad.phantom.items import Findings

Pattern = Literal["none", "wedge", "biconcave", "crush", "burst"]

#: How the loss spreads over the endplate: whole rim, rising to the front, bowl in the centre.
SPREAD: dict[Pattern, tuple[float, float, float]] = {
    "none": (0.0, 0.6, 0.4),
    "wedge": (0.10, 0.85, 0.20),
    "biconcave": (0.10, 0.10, 0.90),
    "crush": (0.75, 0.10, 0.25),
    "burst": (0.50, 0.35, 0.30),
}
#: Least and most share of the height lost, by ASTLOF morphology points.
LOSS = ((0.0, 0.09), (0.14, 0.40), (0.32, 0.52))
#: A distance that counts as far away, mm.
FAR_MM = 50.0


@dataclass(frozen=True, slots=True)
class Fracture:
    """A fracture as drawn.

    Parameters
    ----------
    pattern : str
        none, wedge, biconcave, crush or burst.
    loss : float
        Share of the body's height lost where it lost most.
    superior : float
        Share of that loss on the upper endplate.
    retropulsion : float
        How far the upper posterior wall stands back into the canal, mm.
    """

    pattern: Pattern
    loss: float
    superior: float
    retropulsion: float

    @classmethod
    def draw(cls, shown: Findings, rng: Rng) -> Fracture:
        """Pattern by morphology; a little more loss with low density and with a cleft."""
        compression: Pattern = ("wedge", "biconcave", "crush")[int(rng.choice(3, p=[0.45, 0.33, 0.22]))]
        pattern: Pattern = ("none", compression, "burst")[shown.morphology]
        low, high = LOSS[shown.morphology]
        frailty = 0.22 * shown.bone_density + 0.3 * (shown.mri == 2)
        loss = low + (high - low) * float(np.clip(0.8 * rng.uniform() + frailty - 0.05, 0, 1))
        superior = {"biconcave": 0.6, "burst": rng.uniform(0.75, 1.0)}.get(pattern, rng.choice((1.0, 0.8, 0.25)))
        retropulsion = rng.uniform(2.5, 6.0) if pattern == "burst" else rng.uniform(0.0, 0.8) * shown.morphology
        return cls(pattern, loss, float(superior), retropulsion)

    def settling(self, y: F32, half_depth: float, half_height: float) -> tuple[F32, F32]:
        """How far (mm) the neighbours above and below follow the endplates at `y` (mm behind the centre).

        They are rigid, so they follow the rim and most of the slope but not the bowl: the disc stays thin.
        """
        rim, front, centre = SPREAD[self.pattern]
        lost = 2 * half_height * self.loss * (rim + 0.85 * front * slope(y, half_depth) + 0.15 * centre)
        return lost * self.superior, lost * (1 - self.superior)


class Damage(NamedTuple):
    """Fields over the voxels, mm.

    `top` and `bottom` are what the endplates lost and the neighbours do not follow, `lost` all that the endplate lost
    that lost more, `bulge` the outward buckling of the side wall, `gap` the distance to the nearest fracture plane.
    """

    top: F32
    bottom: F32
    lost: F32
    bulge: F32
    gap: F32


def slope(y: F32, half_depth: float) -> F32:
    """1 at the front of the endplate, 0 at its back."""
    return np.asarray(np.clip(0.5 - 0.6 * y / half_depth, 0, 1))


def damage(fracture: Fracture, xyz: tuple[F32, F32, F32], size: tuple[float, float, float], bowl: F32, gap: F32,
           mine: F32, grid: Grid, rng: Rng) -> Damage:  # fmt: skip
    """Loss that the neighbours do not follow, a sharp step where the endplate broke, and buckling of the side wall.

    Parameters
    ----------
    fracture : Fracture
        What is drawn.
    xyz : tuple of ndarray
        Coordinates in the column, mm; shapes broadcast to (k, j, i).
    size : tuple of float
        Half width, half depth, half height of the body, mm.
    bowl : ndarray
        1 at the centre of the endplates, 0 at their rim.
    gap : ndarray
        Distance to the nearest fracture plane, mm.
    mine : ndarray
        1 in the target vertebra, 0 in its neighbours.
    """
    (x, y, z), (_, b, h) = xyz, size
    rim, front, centre = SPREAD[fracture.pattern]
    rough = random_field(rng, grid, 5.0)
    share = 0.15 * front * slope(y, b) + centre * (bowl - 0.15)
    lost = 2 * h * fracture.loss * share * (1 + 0.15 * rough) * mine
    settled = np.maximum(*fracture.settling(y, b, h)) * mine
    step: F32 | float = 0.0
    if fracture.pattern != "none":
        turn, start = rng.normal(0, 0.5), rng.uniform(-0.1, 0.6) * b
        line = x * math.sin(turn) - y * math.cos(turn) + 1.5 * rough - start
        step = rng.uniform(0.8, 2.4) * ease(line / 1.2 + 0.5) * np.clip(3 * bowl + 0.35, 0, 1) * mine
    height = z / (0.4 * h) - 1
    bulge = fracture.loss * (7.0 * np.clip(0.2 - y / b, 0, 1) + 2.0 + 2 * rim) * np.exp(-height * height) * mine
    upper, lower = lost * fracture.superior, lost * (1 - fracture.superior)
    if fracture.superior >= 0.5:
        upper += step
        return Damage(upper, lower, upper + settled, bulge, gap)
    lower += step
    return Damage(upper, lower, lower + settled, bulge, gap)


def break_up(fracture: Fracture, xyz: tuple[F32, F32, F32], size: tuple[float, float, float], mine: F32, grid: Grid,
             rng: Rng) -> tuple[tuple[F32, F32, F32], F32]:  # fmt: skip
    """Move the fragments of a burst body apart.

    Fragments are the cells round a few seeds: one at the lower endplate, the others round the upper half, the first of
    them at the posterior wall and pushed back.

    Returns
    -------
    tuple of ndarray, ndarray
        Coordinates before the fracture of what now lies at each voxel, and the distance (mm) to the nearest plane.
    """
    if fracture.pattern != "burst":
        return xyz, np.full(xyz[2].shape, FAR_MM, np.float32)
    a, b, h = size
    bent = tuple(v + 1.8 * random_field(rng, grid, 5.0) for v in xyz)
    seeds, moves = [(rng.normal(0, 0.2) * a, 0.0, -1.0 * h)], [(0.0, 0.0, 0.0)]
    count, turn = int(rng.integers(3, 5)), math.pi / 2 + rng.normal(0, 0.25)
    for k in range(count):
        angle, away = turn + 2 * math.pi * k / count + rng.normal(0, 0.25), rng.uniform(0.4, 0.8)
        out = 0.5 * fracture.retropulsion if k == 0 else rng.uniform(0.2, 1.6)
        to_x, to_y = math.cos(angle), math.sin(angle)
        seeds.append((away * a * to_x, away * b * to_y, rng.uniform(0.2, 0.7) * h))
        moves.append((out * to_x, out * to_y, rng.uniform(-1.2, 0.4)))
    first, second = np.full(bent[2].shape, 1e6, np.float32), np.full(bent[2].shape, 1e6, np.float32)
    owner = np.zeros(first.shape, np.int8)
    for k, seed in enumerate(seeds):
        d = np.sqrt(sum((v - s) ** 2 for v, s in zip(bent, seed, strict=True)))
        second = np.minimum(second, np.maximum(first, d))
        owner = np.where(d < first, np.int8(k), owner)
        first = np.minimum(first, d)
    shift = np.array(moves, np.float32)
    x, y, z = (v - shift[owner, axis] * mine for axis, v in enumerate(xyz))
    return (x, y, z), np.where(mine > 0, 0.5 * (second - first), np.float32(FAR_MM))
