"""Vertebral bodies and discs: shape, cortical shell, trabecular bone, and what a fracture leaves in them.

The target and its neighbours are one shape in folded column coordinates; only the target carries the fracture.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ovfrad.phantom.anatomy import Anatomy, Frame
from ovfrad.phantom.fields import F32, Grid, Rng, blob, coverage, ease, random_field
from ovfrad.phantom.fracture import FAR_MM, Damage, break_up, damage

CORTEX_HU, VEIN_HU, FISSURE_HU, GAS_IN_DISC_HU = 820.0, 15.0, 10.0, -450.0
#: HU by which oedema (water in the place of fat) lifts trabecular bone; small against a patient's own spread.
OEDEMA_HU = (3.0, 18.0)
#: Peak HU of the band of compacted trabeculae at a broken endplate.
BAND_HU = (90.0, 230.0)
GAS_HU, FLUID_HU = (-800.0, -300.0), (0.0, 15.0)

Truth = dict[str, float | str]


class Shape(NamedTuple):
    """Distances in mm over the voxels.

    `body` to the surface, `side` to its side wall, `depth` from the endplate that lost more, `notch` 0..1 in the
    basivertebral vein, `radial` the position across the endplate (1 at the rim).
    """

    body: F32
    side: F32
    depth: F32
    notch: F32
    radial: F32
    harm: Damage


def outline(xyz: tuple[F32, F32, F32], anatomy: Anatomy, mine: F32, rng: Rng) -> tuple[F32, F32]:
    """Radial position (1 on the outline) and outward spur (mm): a waisted squircle with a hollow posterior wall.

    The squircle is Fernandez Guasti's; a retropelled posterior wall fills the hollow and bulges into the canal.
    """
    (x, y, z), (a, b, h) = xyz, anatomy.half
    height2 = np.clip(z / h, -1.1, 1.1) ** 2
    waist = 1 - rng.uniform(0.05, 0.09) * (1 - height2)
    hollow = rng.uniform(2.0, 3.5) - anatomy.fracture.retropulsion * mine * blob((z / h - 0.45) / 0.5)
    y = y - b * (1 - waist) + hollow * blob(x / (0.5 * a)) * np.clip(y / b, 0, 1)
    sx, sy = np.clip(x / (a * waist), -1.6, 1.6), np.clip(y / (b * waist), -2.0, 2.0)
    radial = np.sqrt(sx * sx + sy * sy - 0.35 * (sx * sy) ** 2)
    lobe = rng.uniform(0, 2 * math.pi)
    facing = np.clip((sx * math.cos(lobe) + sy * math.sin(lobe)) / np.maximum(radial, 1e-3), 0, 1)
    return radial, rng.gamma(1.0, 1.3) * facing**4 * height2 * height2


def body_shape(frame: Frame, grid: Grid, anatomy: Anatomy, rng: Rng) -> Shape:
    """Distances to the bodies of all levels, the target broken as its fracture says."""
    (a, b, h), mine = anatomy.half, frame.mine
    xyz, gap = break_up(anatomy.fracture, (frame.x, frame.y, frame.z), anatomy.half, mine, grid, rng)
    x, y, z = xyz
    radial, spur = outline(xyz, anatomy, mine, rng)
    bowl = ease(0.85 * (1 - radial * radial))
    harm = damage(anatomy.fracture, xyz, anatomy.half, bowl, gap, mine, grid, rng)
    notch = blob(z / 3.2) * blob(x / (3.2 + 0.3 * np.clip(b - y, 0, None))) * ease((y - 0.15 * b) / (0.3 * b))
    notch *= 1 - 0.8 * mine * (anatomy.fracture.pattern == "burst")
    side = (radial - 1) * 0.5 * (a + b) - harm.bulge - spur + 3.0 * notch * (y > 0.5 * b)
    under = h - anatomy.concavity * bowl - harm.top - z
    over = h - 0.8 * anatomy.concavity * bowl - harm.bottom + z
    rounding = 0.12 * np.clip(side + 3, 0, None) ** 2
    body = np.maximum(side, rounding - np.minimum(under, over))
    depth = under if anatomy.fracture.superior >= 0.5 else over
    return Shape(body, side, depth, notch, radial, harm)


def trabeculae(grid: Grid, shape: tuple[int, ...], t_score: float, rng: Rng) -> F32:
    """Texture of trabecular bone in HU, mean about 0: fine grains and vertical struts, which outlast the others.

    Its white noise is drawn per voxel, so that another grid shows other trabeculae of the same bone.
    """
    dz, _, dx = grid.spacing
    white = rng.spawn(1)[0].standard_normal(shape, np.float32)
    fine = ndimage.gaussian_filter(white, (0.5 / dz, 0.5 / dx, 0.5 / dx), truncate=3)
    strut = ndimage.gaussian_filter1d(fine, 2.4 / dz, axis=0, truncate=2.5)
    fine, strut = fine / fine.std(), strut / strut.std()
    rarefied = float(np.clip((-1 - t_score) / 3.5 + rng.normal(0, 0.3), 0, 1))
    return (32 + 10 * rarefied) * (strut + 0.25 * (strut * strut - 1)) + (28 - 10 * rarefied) * fine


def marrow(frame: Frame, grid: Grid, anatomy: Anatomy, shape: Shape, rng: Rng) -> F32:
    """HU inside the cortex: trabeculae, oedema, the band of compaction, impaction and fracture lines."""
    shown, mine, harm, depth = anatomy.shown, frame.mine, shape.harm, shape.depth
    patch, acute, h = random_field(rng, grid, 5.0), shown.stage == "acute", anatomy.half[2]
    oedema = ease(1.1 + 0.6 * patch - depth / (2.4 * h)) * mine * (shown.mri == 1)
    texture = trabeculae(grid, frame.z.shape, shown.t_score, rng)
    hu = anatomy.trabecular_hu + 14 * random_field(rng, grid, 8.0) + 10 * (frame.z / h) ** 2
    hu += rng.uniform(*OEDEMA_HU) * oedema + texture * (1 - 0.12 * oedema)
    if anatomy.fracture.pattern != "none":
        e = np.clip(depth + (1.1 if acute else 0.6) * patch - 0.5, 0, None) / rng.uniform(2.0, 4.2)
        amount = ease(harm.lost / 4.0) * np.clip(0.85 + 0.35 * patch, 0.1, 1.5)
        hu += rng.uniform(*BAND_HU) * (1.0 if acute else 0.9) * amount * blob(e) * mine
    if acute and shown.mri:  # impaction; in a fracture without deformity all there is to see
        e = np.clip(depth - rng.uniform(6, 10) + 2.2 * patch, -20, 20) / 1.2
        hu += rng.uniform(5, 65) * blob(e) * ease(0.6 + 0.7 * patch) * mine
    if anatomy.fracture.pattern == "burst":
        hu += 70 * blob((harm.gap - 1.8) / 1.4) * mine
        hu += (FISSURE_HU - hu) * coverage(harm.gap - rng.uniform(0.3, 0.7), 0.7) * ease(0.7 + 0.6 * patch)
    return np.asarray(hu + (VEIN_HU - hu) * 0.9 * shape.notch)


def add_cleft(hu: F32, frame: Frame, grid: Grid, anatomy: Anatomy, shape: Shape, rng: Rng) -> Truth:
    """Paint a cleft of gas (vacuum sign) or fluid with a sclerotic rim at the broken endplate into `hu`."""
    a, b, _ = anatomy.half
    gas = rng.random() < 0.6
    value = rng.uniform(*(GAS_HU if gas else FLUID_HU))
    rough, thick = random_field(rng, grid, 3.0), rng.uniform(1.5, 3.2)
    dx = (frame.x - rng.normal(0, 3)) / (rng.uniform(0.28, 0.5) * a)
    dy = (frame.y + rng.uniform(0.0, 0.4) * b) / (rng.uniform(0.28, 0.5) * b)
    dz = (shape.depth - rng.uniform(3.5, 6.5) + 1.2 * rough) / thick
    g = (np.sqrt(dx * dx + dy * dy + dz * dz) - 1 + 0.35 * rough) * thick
    g = np.where(frame.level == 0, np.maximum(g, shape.body + 1.2), np.float32(FAR_MM))
    hu += rng.uniform(60, 160) * blob((g - 1.0) / 1.5)
    hu += (value - hu) * coverage(g, 0.9)
    return {"cleft": "gas" if gas else "fluid", "cleft_hu": value}


def shell(anatomy: Anatomy, shape: Shape, rough: F32) -> F32:
    """Thickness of the cortex in mm: open at the vein, broken over a fresh fracture, thick over a healed one."""
    wall = np.where(shape.side > shape.body - 0.05, 1.0, 1.25).astype(np.float32) * np.float32(anatomy.cortex_mm)
    wall *= np.clip(1 + 0.22 * rough, 0.3, 1.8) * (1 - np.clip(1.8 * shape.notch, 0, 1))
    if anatomy.shown.stage == "acute":
        return wall * (1 - 0.5 * ease(shape.harm.lost / 5.0 - 0.4) * ease(rough))
    return wall * (1 + 0.3 * ease(shape.harm.lost / 5.0))


def add_bodies(hu: F32, frame: Frame, grid: Grid, arch: F32, anatomy: Anatomy, rng: Rng) -> tuple[F32, Truth]:
    """Paint discs and bodies into `hu`; return the distance to all bodies (mm, far away outside) and what was drawn.

    `arch` is the distance to the arches' bone: the shell is open where a pedicle joins.
    """
    a, b, _ = anatomy.half
    box = grid.window((-1.35 * b - 9, b + 16), (-1.3 * a - 7, 1.3 * a + 7))
    f, local, view = frame.cut(box), grid.cut(box), hu[box]
    shape = body_shape(f, local, anatomy, rng)
    rough = random_field(rng, local, 3.0)
    disc = 66 + 34 * ease(2.5 * (shape.radial - 0.55)) + 7 * rough
    if rng.random() < 0.10:  # gas in the disc above, which is no fracture
        upper = np.where(f.level == 0, f.z > 0, f.level > 0)
        disc += (GAS_IN_DISC_HU - disc) * coverage(f.to_disc - 0.5 - 0.5 * rough, 0.8) * ease(
            (0.7 - shape.radial) * 6) * upper  # fmt: skip
    view += (disc - view) * coverage(shape.side - 0.8, 0.9)
    inner = marrow(f, local, anatomy, shape, rng)
    truth = add_cleft(inner, f, local, anatomy, shape, rng) if anatomy.shown.mri == 2 else {}
    width = np.where(shape.side > shape.body - 0.05, np.float32(0.8), np.float32(max(0.8, grid.spacing[0])))
    inside = coverage(shape.body, width)  # endplates are cut by slices, the side wall by pixels
    cortex = inside - coverage(shape.body + shell(anatomy, shape, rough), width)
    view += (inner - view) * inside + (CORTEX_HU - inner) * cortex * (1 - coverage(arch[box] + 1.4, 1.0))
    body = np.full(hu.shape, FAR_MM, np.float32)
    body[box] = shape.body
    return body, truth
