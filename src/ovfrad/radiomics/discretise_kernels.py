"""Grey levels of voxels, their census and their place in the box (numba)."""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled
from ovfrad.radiomics.bit_kernels import largest


@compiled(error_model="numpy")
def assign(values: np.ndarray, edges: np.ndarray, step: float, rounding: float) -> np.ndarray:
    """Number of the bin of each value, from 1, int32: edges[level - 1] <= value < edges[level].

    Division and edges round differently, and the edges decide: where a value comes within `rounding` bins of an edge,
    its bin is compared with the edges around it. Values beyond the ends belong to the bins there.
    """
    levels = np.empty(values.size, np.int32)
    first, last = edges[0], float(edges.size - 2)
    doubtful = 0
    for q in range(values.size):
        place = (values[q] - first) / step
        place = 0.0 if place < 0.0 else last if place > last else place
        whole = np.int32(place)
        levels[q] = whole + np.int32(1)
        doubtful += int((place - whole < rounding) | (place - whole > 1 - rounding))
    if doubtful > 0:
        for q in range(values.size):
            level = np.uint64(levels[q])
            levels[q] += np.int32(values[q] >= edges[level]) - np.int32(values[q] < edges[level - np.uint64(1)])
    return levels


@compiled
def census(levels: np.ndarray) -> np.ndarray:
    """Voxels of each level from 0 up, int64.

    Four quarters are counted side by side: a voxel often has its predecessor's level, and a counter written a moment
    ago is slow to read.
    """
    quarter = levels.size // 4
    counts = np.zeros((4, largest(levels) + 1), np.int32)
    for q in range(quarter):
        for part in range(4):
            counts[part, np.uint64(levels[part * quarter + q])] += np.int32(1)
    for q in range(4 * quarter, levels.size):
        counts[0, np.uint64(levels[q])] += np.int32(1)
    total = np.zeros(counts.shape[1], np.int64)
    for part in range(4):
        for level in range(total.size):
            total[level] += counts[part, level]
    return total


@compiled
def lay_out(levels: np.ndarray, rank_of: np.ndarray, voxels: np.ndarray, size: int) -> np.ndarray:
    """Ranks of the voxels' levels (n_voxels,) in a flat box of `size`, 0 elsewhere, of the type of `rank_of`."""
    box = np.zeros(size, rank_of.dtype)
    for q in range(voxels.size):
        box[np.uint64(voxels[q])] = rank_of[np.uint64(levels[q])]
    return box
