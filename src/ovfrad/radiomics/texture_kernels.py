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
    """Count runs of equal level: (directions, n, longest) int64, column 0 holding runs of one voxel."""
    counts = np.zeros((offsets.size, n + 1, longest), np.int64)
    for voxel in voxels:
        level = rank[voxel]
        for direction in range(offsets.size):
            step = offsets[direction]
            if rank[voxel - step] == level:
                continue  # inside a run that was counted from its first voxel
            end = voxel + step
            length = 0
            while rank[end] == level:
                end += step
                length += 1
            counts[direction, level, length] += 1
    return counts[:, 1:].copy()


@compiled
def zones(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find 26-connected zones of equal level by union-find; level (rank) and size (voxels) of each zone.

    `offsets` are the 13 forward directions; the root of a zone is its first voxel in raster order.
    """
    parent = np.arange(rank.size).astype(np.int32)
    for voxel in voxels:
        root = voxel
        while parent[root] != root:
            parent[root] = parent[parent[root]]
            root = parent[root]
        for step in offsets:
            other = voxel + step
            if rank[other] != rank[voxel]:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other < root:
                root, other = other, root
            parent[other] = root
    size = np.zeros(rank.size, np.int32)
    for voxel in voxels:
        root = voxel
        while parent[root] != root:
            root = parent[root]
        size[root] += 1
    roots = voxels[size[voxels] > 0]
    return rank[roots], size[roots]


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
    dependence = np.ones(voxels.size, np.int64)
    for q in range(voxels.size):
        voxel = voxels[q]
        level = levels[voxel]
        count, total = 0, 0
        for step in offsets:
            for other in (levels[voxel + step], levels[voxel - step]):
                if other > 0:
                    count += 1
                    total += other
                    if abs(level - other) <= alpha:
                        dependence[q] += 1
        if count > 0:
            difference[q] = abs(level - total / count)
    return difference, dependence
