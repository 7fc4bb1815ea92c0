"""Everything round the bodies: fat, muscle, vessels, lungs or abdomen, the canal and the vertebral arches.

HU are textbook values: lung -860, fat -98, cerebrospinal fluid and cord 22, muscle 50, liver and spleen 55.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ovfrad.phantom.anatomy import Anatomy, Frame
from ovfrad.phantom.fields import F32, Grid, Point, Rng, coverage, random_field, rod
from ovfrad.phantom.fracture import FAR_MM

FAT_HU, MUSCLE_HU, LUNG_HU, ORGAN_HU, BLOOD_HU, CORD_HU, EPIDURAL_HU = -98, 50, -860, 55, 42, 22, -60
PLAQUE_HU, CORTEX_HU = 550, 480
#: Width of a facet joint's space, mm.
JOINT_MM = 1.5


class Oval(NamedTuple):
    """An organ in an axial plane: centre and radii (mm) and HU."""

    x: float
    y: float
    rx: float
    ry: float
    hu: float


def organs(anatomy: Anatomy, z: float, fatty: float) -> list[Oval]:
    """Ovals in the plane at height `z` (mm), painted in this order; `fatty` 0..1 is the muscles' share of fat."""
    (a, b, _), both = anatomy.half, (-1, 1)
    ovals = [Oval(s * 21, b + 39, 18, 17, MUSCLE_HU - 35 * fatty) for s in both]
    ovals += [Oval(s * 8, b + 31, 7, 11, MUSCLE_HU - 60 * fatty) for s in both]
    for s in both:
        if anatomy.level < 6:
            ovals += [Oval(s * (a + 33), -4, 29 + 0.05 * z, 40, LUNG_HU)]
        elif anatomy.thoracic:
            ovals += [Oval(s * (a + 32), -6, 27, 40, ORGAN_HU)]
            ovals += [Oval(s * (a + 27), b - 2, 18 + 0.15 * z, 15 + 0.1 * z, LUNG_HU)]
        else:
            ovals += [Oval(s * (a + 9 - 0.08 * z), 0.35 * b, 11 - 0.1 * z, 15 - 0.1 * z, MUSCLE_HU + 2)]
            ovals += [Oval(s * (a + 26), b + 8, 9, 12, MUSCLE_HU - 5)]
    vein = (4.0, 4.0) if anatomy.thoracic else (12.0, 8.0)
    return [*ovals, Oval(-0.45 * a, -b - 9, *vein, BLOOD_HU + 2)]


def soft_tissue(grid: Grid, anatomy: Anatomy, rng: Rng) -> F32:
    """HU of everything but bone and canal, shape (k, j, i): drawn on seven axial planes, blended between."""
    flat = Grid(grid.z[:1], grid.y, grid.x)
    y, x = (axis[0] + 1.5 * random_field(rng, flat, 7.0)[0] for axis in (grid.y, grid.x))
    a, b, _ = anatomy.half
    fatty, calcified, turn = rng.uniform(), rng.random() < 0.4, rng.uniform(0, 2 * math.pi)
    radius = rng.uniform(9.5, 12.5)
    aorta = Oval(0.6 * a if anatomy.thoracic else 0.25 * a, -b - rng.uniform(9, 13), radius, radius, BLOOD_HU)
    gz = grid.z.ravel()
    knots, planes = np.linspace(gz[0], gz[-1], 7), []
    for z in knots.tolist():
        plane, edge = np.full(x.shape, FAT_HU, np.float32), x
        for oval in (*organs(anatomy, z, fatty), aorta):
            edge = (np.hypot((x - oval.x) / oval.rx, (y - oval.y) / oval.ry) - 1) * min(oval.rx, oval.ry)
            plane += (oval.hu - plane) * coverage(edge, 1.0)
        if calcified:  # `edge` is that of the aorta, painted last
            arc = np.cos(np.arctan2(y - aorta.y, x - aorta.x) - turn - 0.05 * z) > 0.75
            plane += PLAQUE_HU * arc * coverage(np.abs(edge + 0.6) - 0.5, 0.8)
        planes.append(plane)
    blend = np.maximum(0, 1 - np.abs(gz[:, None] - knots) / (knots[1] - knots[0])).astype(np.float32)
    return np.tensordot(blend, np.stack(planes).astype(np.float32), 1) + 9 * random_field(rng, grid, 4.0)


class Part(NamedTuple):
    """A rod of the arch: ends (x, y, z) and radius in mm, stretch in z, and whether it is a facet.

    `facet` is "upper" for the process that reaches up to the vertebra above, "lower" for its partner, else "".
    `overhang` is -1 or 1 where the part reaches into the cell of the vertebra below or above.
    """

    start: Point
    end: Point
    radius: float
    stretch: float
    facet: str = ""
    overhang: int = 0


def arch_parts(anatomy: Anatomy, rng: Rng) -> list[Part]:
    """Pedicles, laminae, articular and other processes, and ribs of a level, in column coordinates."""
    (a, b, h), parts = anatomy.half, list[Part]()
    root, pedicle, facet = 0.62 * a, *((2.8, 3.6) if anatomy.thoracic else (4.2, 4.8))
    for s in (-1.0, 1.0):
        e = rng.normal(0, 0.7, 4).tolist()
        out, back = s * (root + 3.5), b + 13 + e[1]
        parts += [
            Part((s * root, 0.7 * b, 0.35 * h + e[0]), (s * (root + 0.5), b + 11, 0.35 * h), pedicle, 1.6),
            Part((s * (root + 2), b + 10, 0.3 * h), (out, back, 1.15 * h), facet, 1.4, "upper", 1),
            Part(
                (s * (root - 2), b + 17, -0.3 * h), (s * (root - 1.5), back + 4.5, -1.15 * h), facet, 1.4, "lower", -1
            ),
            Part((s * (root - 1), b + 14, 0.1 * h), (s * (root - 2.5), b + 18, -0.5 * h), 0.7 * facet, 1.6),
            Part((s * (root - 1), b + 14, 0.1 * h), (0, b + 20 + e[2], -0.4 * h), 2.3, 2.8),
        ]
        if anatomy.thoracic:
            head = (s * 31, b + 15, 0.6 * h)
            parts += [
                Part((s * root, b + 13, 0.2 * h), (s * 27, b + 23 + e[3], 0.5 * h), 3.4, 1.3),
                Part((s * (a + 2.5), 0.85 * b, 0.85 * h), head, 3.0, 1.4),
                Part(head, (s * 48, b + 16, -0.4 * h), 3.2, 1.6),
            ]
        else:
            parts += [Part((s * root, b + 12, 0.25 * h), (s * 38, b + 16 + e[3], 0.35 * h), 2.2, 1.8)]
    tip = (0.0, b + 41, -2.2 * h) if anatomy.thoracic else (0.0, b + 47, -0.6 * h)
    spinous = (2.4, 2.0, "", -1) if anatomy.thoracic else (2.5, 3.4)
    return [*parts, Part((0.0, b + 18, -0.35 * h), tip, *spinous)]


def arch_distance(frame: Frame, grid: Grid, anatomy: Anatomy, rng: Rng) -> tuple[F32, F32]:
    """Signed distance (mm) to the arches of all levels with open facet joints, and to the target's own arch."""
    bone, own, upper, lower = (np.full(grid.shape, FAR_MM, np.float32) for _ in range(4))
    kinds = {"": bone, "upper": upper, "lower": lower}
    for part in arch_parts(anatomy, rng):
        reach = part.radius + 11  # tilt and bend stay below
        low, high = np.minimum(part.start, part.end) - reach, np.maximum(part.start, part.end) + reach
        box = grid.window((low[1], high[1]), (low[0], high[0]))
        f, target = frame.cut(box), kinds[part.facet][box]
        for shift in sorted({0, part.overhang}):  # also the neighbour's part that reaches into this cell
            up, down = f.pitch if shift else (0.0, 0.0)
            step = np.array([up if shift < 0 else down, up, down], np.float32)[f.level]
            d = rod((f.x, f.y, f.z + shift * step), part.start, part.end, part.radius, part.stretch)
            np.minimum(target, d, out=target)
            np.minimum(own[box], np.where(f.level == shift, d, FAR_MM), out=own[box])
    joint = 0.5 * (JOINT_MM - np.abs(upper - lower))
    return np.minimum(bone, np.maximum(np.minimum(upper, lower), joint)), own


def add_arch(hu: F32, frame: Frame, grid: Grid, anatomy: Anatomy, rng: Rng) -> tuple[F32, NDArray[np.bool_]]:
    """Paint canal and arches into `hu`; return the distance to their bone and the target's own arch as a mask."""
    a, b, _ = anatomy.half
    bone, own = arch_distance(frame, grid, anatomy, rng)
    back = (slice(None), slice(int(np.searchsorted(grid.y.ravel(), 0.5 * b)), None), slice(None))
    radius = np.hypot(frame.x[back] / (9.0 if anatomy.thoracic else 0.5 * a), (frame.y[back] - b - 7) / 8)
    canal, view = (radius - 1) * 8, hu[back]
    np.maximum(bone[back], 0.8 - canal, out=bone[back])
    bone[back] += 0.35 * random_field(rng, grid.cut(back), 3.5)
    view += (EPIDURAL_HU - view) * coverage(canal, 1.0)
    view += (CORD_HU - view) * coverage(canal + 2.2, 1.0)
    inside = coverage(bone[back], 0.8)
    view += (0.6 * anatomy.trabecular_hu + 200 - view) * inside
    view += CORTEX_HU * (inside - coverage(bone[back] + 1.1, 0.8))
    return bone, (own < 0) & (bone < 0)
