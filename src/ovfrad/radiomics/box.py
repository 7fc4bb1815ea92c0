"""Boxes within an image: where a mask lies."""

from __future__ import annotations

import numpy as np

from ovfrad.errors import InputError

Box = tuple[slice, slice, slice]
"""A part of an image, in voxels (k, j, i)."""


def find_box(mask: np.ndarray) -> Box | None:
    """Smallest box (k, j, i) that holds a mask; None where the mask is empty.

    Each axis is searched within the spans found before it, so that a large volume is read once.

    >>> mask = np.zeros((4, 5, 6), bool)
    >>> mask[1:3, 2, 3:6] = True
    >>> find_box(mask)
    (slice(1, 3, None), slice(2, 3, None), slice(3, 6, None))
    """
    box: list[slice] = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        along = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if along.size == 0:
            return None
        box.append(slice(int(along[0]), int(along[-1]) + 1))
    return box[0], box[1], box[2]


def grown(box: Box, voxels: int, shape: tuple[int, ...]) -> Box:
    """The box with `voxels` more on every side, as far as the image goes."""
    wider = [slice(max(side.start - voxels, 0), min(side.stop + voxels, n)) for side, n in zip(box, shape, strict=True)]
    return wider[0], wider[1], wider[2]


def require_box(mask: np.ndarray, where: str, after: str = "") -> Box:
    """Box of the mask; E_MASK_EMPTY where it has none, `after` (" after resampling") saying what emptied it."""
    box = find_box(mask)
    if box is None:
        remedy = "use smaller voxels" if after else "give a mask with the region in it"
        raise InputError("E_MASK_EMPTY", where, f"the mask has no voxel{after}", remedy)
    return box
