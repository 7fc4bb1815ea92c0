"""Loops over the voxels of a region that fill the texture matrices (numba).

All kernels share one layout. `rank` is the region's bounding box with one voxel of padding on every side,
flattened in C order of (k, j, i): 0 outside the region, 1..n inside, the n-th smallest grey level that occurs.
`voxels` are the flat positions of the region's voxels in that order. `offsets` are flat distances to neighbours;
thanks to the padding, a position plus an offset never leaves the array.
"""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.compiled import compiled


@compiled
def cooccurrences(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, n: int) -> np.ndarray:
    """Count pairs of neighbours: (directions, n, n) int64, from the voxel (row) to its neighbour (column)."""
    counts = np.zeros((offsets.size, n + 1, n + 1), np.int64)
    for voxel in voxels:
        level = rank[voxel]
        for direction in range(offsets.size):
            counts[direction, level, rank[voxel + offsets[direction]]] += 1
    return counts[:, 1:, 1:].copy()


@compiled
def runs(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, n: int, longest: int) -> np.ndarray:
    """Count runs of equal level: (directions, n, longest) int64, column 0 holding runs of one voxel.

    Voxels are visited from the last to the first, so that the number of equal voxels ahead of the next one is known;
    a run is counted at its first voxel, by adding a truth value (a branch taken at random would cost more).
    """
    counts = np.zeros((offsets.size, n + 1, longest), np.int64)
    ahead = np.zeros(rank.size, np.int32)
    for direction in range(offsets.size):
        step = offsets[direction]
        for q in range(voxels.size - 1, -1, -1):
            voxel = voxels[q]
            level = rank[voxel]
            length = (rank[voxel + step] == level) * (ahead[voxel + step] + 1)
            ahead[voxel] = length
            counts[direction, level, length] += rank[voxel - step] != level
    return counts[:, 1:].copy()


@compiled
def zones(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find 26-connected zones of equal level by flood fill; level (rank) and size (voxels) of each, int32."""
    left = rank.copy()
    stack = np.empty(voxels.size, np.int64)
    levels, sizes = np.empty(voxels.size, np.int32), np.empty(voxels.size, np.int32)
    found = 0
    for first in voxels:
        level = left[first]
        if level == 0:
            continue  # part of an earlier zone
        left[first] = 0
        stack[0] = first
        height, size = 1, 0
        while height > 0:
            height -= 1
            voxel = stack[height]
            size += 1
            for step in offsets:
                for other in (voxel + step, voxel - step):
                    if left[other] == level:
                        left[other] = 0
                        stack[height] = other
                        height += 1
        levels[found], sizes[found] = level, size
        found += 1
    return levels[:found].copy(), sizes[:found].copy()


@compiled
def neighbourhoods(
    levels: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, alpha: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each voxel with the neighbours that lie in the region.

    Parameters
    ----------
    levels : ndarray of int32
        As `rank`, with grey levels instead of their ranks, 0 outside.
    offsets : ndarray of int64
        The 13 forward directions; both senses are visited.
    alpha : int
        Largest difference of levels at which a neighbour is dependent (GLDM).

    Returns
    -------
    difference : ndarray of float64
        |level - mean level of the neighbours|, 0 for a voxel without neighbours (NGTDM).
    dependence : ndarray of int64
        Number of dependent neighbours plus the voxel itself (GLDM).
    """
    difference = np.zeros(voxels.size)
    dependence = np.empty(voxels.size, np.int64)
    for q in range(voxels.size):
        voxel = voxels[q]
        level = levels[voxel]
        count, total, dependent = 0, 0, 1
        for step in offsets:
            for other in (levels[voxel + step], levels[voxel - step]):
                inside = other > 0
                count += inside
                total += other
                dependent += inside & (abs(level - other) <= alpha)
        dependence[q] = dependent
        if count > 0:
            difference[q] = abs(level - total / count)
    return difference, dependence
