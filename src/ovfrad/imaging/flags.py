"""What a radiologist would remark on: metal, contrast, thick slices, a mask that looks wrong (METHODS B6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ovfrad.imaging.geometry import mask_box
from ovfrad.imaging.source import Note
from ovfrad.imaging.volume import Roi, Volume

if TYPE_CHECKING:
    from ovfrad.study.settings import Imaging

SMALL_ML, LARGE_ML = 1.0, 150.0
"""ml: the smallest cervical bodies have about 2, a whole large lumbar vertebra with its arch below 120."""
NEXT_TO_MM = 5.0
"""Metal this close to the mask's box streaks into it, mm."""
APART_MM, APART_SHARE = 5.0, 0.01
"""A second piece counts when it holds this share of the mask and lies this far from the largest piece, mm: fracture
fragments and arches cut by a mask lie closer."""
MOST_SURFACE = 2**21
"""Surface voxels of two pieces beside each other: those of a vertebra at 0.25 mm are a tenth of it, and pieces with
more are no bone, however near they lie."""
THIN_SHARE = 0.02
"""Least share of voxels that have all six neighbours in the region: a body of 1 ml in voxels of 3 mm has a twentieth;
the levels of a probability map and outlines have none."""
THICKNESS_SLACK = 1.01
"""A slice of 3.0 mm may be stored as 3.0000002."""


def _pieces(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> int:
    """Number of far-apart pieces of a mask (k, j, i), the largest included."""
    from scipy import ndimage

    named, n = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if n < 2:
        return n
    sizes = np.bincount(named[mask])[1:]
    main, steps = int(sizes.argmax()) + 1, np.asarray(spacing[::-1])
    large = [int(p) + 1 for p in np.flatnonzero(sizes >= APART_SHARE * sizes.sum()) if p + 1 != main]
    short = np.zeros(n + 1, np.uint8)  # there may be millions of pieces, but at most 20 large ones
    short[large] = range(1, len(large) + 1)
    boxes = ndimage.find_objects(short[named], len(large)) if large else []
    return 1 + sum(_is_far(named, main, p, box, steps) for p, box in zip(large, boxes, strict=True))


def _is_far(
    named: NDArray[np.int32], main: int, other: int, box: tuple[slice, ...], steps: NDArray[np.float64]
) -> bool:
    """Whether no voxel of the main piece lies within `APART_MM` of another, whose box is known."""
    from scipy import spatial

    reach = np.ceil(APART_MM / steps).astype(int)
    around = tuple(slice(max(b.start - int(r), 0), b.stop + int(r)) for b, r in zip(box, reach, strict=True))
    surfaces = [_surface(named[around] == piece) for piece in (main, other)]
    sizes = [np.count_nonzero(surface) for surface in surfaces]
    if sizes[0] == 0 or sum(sizes) > MOST_SURFACE:
        return True
    near, own = (np.argwhere(surface) * steps for surface in surfaces)
    apart, _ = spatial.cKDTree(near).query(own, distance_upper_bound=APART_MM)
    return bool(np.isinf(apart).all())


def _surface(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of a piece that have a neighbour outside, or lie at the border of the array."""
    return piece & ~_inner(piece)


def _inner(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels whose six neighbours belong to the piece too."""
    inner = np.zeros_like(piece)
    core = (slice(1, -1),) * 3
    inner[core] = piece[core]
    for axis in range(3):
        for side in (slice(None, -2), slice(2, None)):
            inner[core] &= piece[tuple(side if a == axis else slice(1, -1) for a in range(3))]
    return inner


def _findings(
    ct: Volume, mask: Volume, facts: Mapping[str, str | float], metal_hu: float, max_slice_mm: float
) -> dict[str, tuple[float, bool]]:
    """Number and verdict of each flag."""
    near = ct.array[mask_box(mask.array, ct.spacing, NEXT_TO_MM)]
    thickness = max(float(facts.get("slice_thickness_mm", 0.0)), *ct.spacing)
    ml = float(mask.array.sum()) * mask.voxel_mm3 / 1000
    ends = [mask.array.take(end, axis=axis).any() for axis in range(3) for end in (0, -1)]
    pieces = _pieces(mask.array, ct.spacing)
    inner = np.count_nonzero(_inner(mask.array)) / np.count_nonzero(mask.array)
    return {
        "metal": (float(near.max()), bool(near.max() > metal_hu)),
        "contrast": (0.0, facts.get("contrast") == "yes"),
        "thick_slices": (thickness, thickness > max_slice_mm * THICKNESS_SLACK),
        "touches_border": (float(np.sum(ends)), bool(np.any(ends))),
        "scattered": (float(pieces), pieces > 1),
        "too_small": (ml, ml < SMALL_ML),
        "too_large": (ml, ml > LARGE_ML),
        "thin": (float(100 * inner), bool(inner < THIN_SHARE)),
    }


def flags(roi: Roi, settings: Imaging) -> dict[str, bool]:
    """Flags of one region as read (not prepared).

    Parameters
    ----------
    roi : Roi
        With its margin: the border of a crop that was cut is the border of the image.
    settings : Imaging
        `metal_hu` and `max_slice_mm` are used.

    Returns
    -------
    dict
        metal (HU above `metal_hu` inside or within 5 mm), contrast (header tag), thick_slices (spacing or stated
        thickness above `max_slice_mm`), touches_border, scattered (pieces over 5 mm apart), too_small (< 1 ml),
        too_large (> 150 ml), thin (an outline or a shell: hardly a voxel is surrounded by the region).
    """
    found = _findings(roi.ct, roi.mask, roi.acquisition, settings.metal_hu, settings.max_slice_mm)
    return {name: verdict for name, (_, verdict) in found.items()}


def doubts(
    ct: Volume, mask: Volume, facts: Mapping[str, str | float], ct_path: Path, mask_path: Path, settings: Imaging | None
) -> list[Note]:
    """The raised flags as arguments of `ovfrad.errors.warn`."""
    from ovfrad.study.settings import Imaging

    limits = settings or Imaging()
    found = _findings(ct, mask, facts, limits.metal_hu, limits.max_slice_mm)
    value = {name: number for name, (number, _) in found.items()}
    said = {
        "metal": (
            "W_METAL", ct_path, f"{value['metal']:.0f} HU inside or next to the mask",
            f"above {limits.metal_hu:g} HU metal or cement is likely, and its streaks change every feature",
        ),
        "contrast": ("W_CONTRAST", ct_path, "its header names a contrast agent", "contrast raises HU in bone"),
        "thick_slices": (
            "W_THICK_SLICES", ct_path, f"slices of {value['thick_slices']:.3g} mm",
            f"above {limits.max_slice_mm:g} mm texture and height are blurred",
        ),
        "touches_border": (
            "W_MASK_BORDER", mask_path, "the region touches the border of the image", "part of the bone may be missing",
        ),
        "scattered": (
            "W_MASK_PIECES", mask_path, f"the region has {value['scattered']:.0f} pieces far apart",
            "one vertebra is one piece; look at the mask",
        ),
        "too_small": (
            "W_MASK_SMALL", mask_path, f"the region has {value['too_small']:.3g} ml",
            f"a vertebral body has at least {SMALL_ML:g} ml; look at the mask",
        ),
        "too_large": (
            "W_MASK_LARGE", mask_path, f"the region has {value['too_large']:.4g} ml",
            f"one vertebra has at most {LARGE_ML:g} ml; look at the mask",
        ),
        "thin": (
            "W_MASK_THIN", mask_path, f"{value['thin']:.2g} % of the region's voxels are surrounded by it",
            "a body is solid, an outline or one level of a probability map is not; look at the mask",
        ),
    }  # fmt: skip
    return [said[name] for name, (_, verdict) in found.items() if verdict]
