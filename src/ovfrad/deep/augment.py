"""Small changes of patches that a vertebra could have shown as well (METHODS D3).

A patient lies a little differently, the box is drawn a little wider, the tube is set otherwise. Nothing is turned
upside down, and a sagittal patch is never mirrored: head is up and anterior is left in all of them. Left and right of
an axial or coronal patch may change places.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as fn

SHIFT = 0.04
"""Largest shift, share of the side."""
TURN = math.radians(8.0)
"""Largest rotation."""
SCALE = 0.08
"""Largest change of size."""
GAIN, OFFSET = 0.10, 0.05
"""Largest change of contrast, and of brightness in shares of the window."""
Plane = Literal["sagittal", "axial", "coronal"]


def augmented(patches: NDArray[np.float32], plane: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """Each patch shifted, turned, scaled and its grey values stretched a little, at random.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, size, size)
        Bone window 0..1.
    plane : {"sagittal", "axial", "coronal"}
        Decides whether left and right may change places.
    rng : numpy Generator

    Returns
    -------
    ndarray of float32, shape (n, 3, size, size)
        Again 0..1; what comes in from outside repeats the border.
    """
    grid = fn.affine_grid(torch.from_numpy(_places(len(patches), plane, rng)), list(patches.shape), align_corners=False)
    moved = fn.grid_sample(torch.from_numpy(patches), grid, padding_mode="border", align_corners=False).numpy()
    gain = rng.uniform(1 - GAIN, 1 + GAIN, (len(patches), 1, 1, 1))
    offset = rng.uniform(-OFFSET, OFFSET, (len(patches), 1, 1, 1))
    changed: NDArray[np.float32] = np.clip(gain * (moved - 0.5) + 0.5 + offset, 0, 1).astype(np.float32)
    return changed


def _places(n: int, plane: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """Affine maps from places of the new patch to places of the old, shape (n, 2, 3), in half sides."""
    angle, scale = rng.uniform(-TURN, TURN, n), rng.uniform(1 - SCALE, 1 + SCALE, n)
    shift = rng.uniform(-2 * SHIFT, 2 * SHIFT, (n, 2))
    mirror = np.ones(n) if plane == "sagittal" else rng.choice([-1.0, 1.0], n)
    rows = [
        np.stack([mirror * scale * np.cos(angle), -scale * np.sin(angle), shift[:, 0]], axis=1),
        np.stack([mirror * scale * np.sin(angle), scale * np.cos(angle), shift[:, 1]], axis=1),
    ]
    return np.stack(rows, axis=1).astype(np.float32)
