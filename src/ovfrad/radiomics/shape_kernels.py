"""Loops over the voxels of a mask, and over the corners of its outlines (numba).

`mask` is the region's bounding box (k, j, i) with one voxel of padding on every side, uint8, 0 or 1, C order.
Vertices of the mesh lie halfway between two neighbouring voxel centres; in HALF voxels their coordinates are whole.
"""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled


@compiled
def moments(mask: np.ndarray) -> np.ndarray:
    """Number of voxels and sums of k, j, i, kk, jj, ii, kj, ki, ji over them: int64 (10,), exact."""
    sums = np.zeros(10, np.int64)
    for k in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            n, first, second = 0, 0, 0
            row = mask[k, j]
            for i in range(row.size):
                if row[i]:
                    n += 1
                    first += i
                    second += i * i
            of_row = (n, n * k, n * j, first, n * k * k, n * j * j, second, n * k * j, first * k, first * j)
            for which in range(10):
                sums[which] += of_row[which]
    return sums


@compiled
def pattern_sums(mask: np.ndarray) -> np.ndarray:
    """Number of cubes of each pattern, and sums of their k, j, i: int64 (256, 4).

    Patterns 0 and 255 have no surface and are left at 0. Bits are those of `marching_cubes.CORNERS`: corners 0, 3,
    4, 7 lie at i and 1, 2, 5, 6 beyond it, where they are corners 0, 3, 4, 7 of the next cube.
    """
    sums = np.zeros((256, 4), np.int64)
    for k in range(mask.shape[0] - 1):
        for j in range(mask.shape[1] - 1):
            a, b, c, d = mask[k, j], mask[k, j + 1], mask[k + 1, j], mask[k + 1, j + 1]
            here = a[0] | b[0] << 3 | c[0] << 4 | d[0] << 7
            for i in range(a.size - 1):
                beyond = a[i + 1] | b[i + 1] << 3 | c[i + 1] << 4 | d[i + 1] << 7
                pattern = here | (beyond & 0x11) << 1 | (beyond & 0x88) >> 1
                here = beyond
                if pattern != 0 and pattern != 255:
                    sums[pattern, 0] += 1
                    sums[pattern, 1] += k
                    sums[pattern, 2] += j
                    sums[pattern, 3] += i
    return sums


@compiled
def outermost(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last vertex on each line along i, and on each line along j, in half voxels.

    Returns
    -------
    along_i : ndarray of int32, shape (2, 2 k, 2 j)
        First and last i; -1 where the line has no vertex.
    along_j : ndarray of int32, shape (2, 2 k, 2 i)
        First and last j.
    """
    depth, rows, columns = mask.shape
    along_i = np.full((2, 2 * depth, 2 * rows), -1, np.int32)
    along_j = np.full((2, 2 * depth, 2 * columns), -1, np.int32)
    for k in range(depth - 1):
        for j in range(rows - 1):
            row, below, behind = mask[k, j], mask[k, j + 1], mask[k + 1, j]
            for i in range(columns - 1):
                inside = row[i]
                if inside != row[i + 1]:
                    _extend(along_i, along_j, 2 * k, 2 * j, 2 * i + 1)
                if inside != below[i]:
                    _extend(along_i, along_j, 2 * k, 2 * j + 1, 2 * i)
                if inside != behind[i]:
                    _extend(along_i, along_j, 2 * k + 1, 2 * j, 2 * i)
    return along_i, along_j


@compiled
def _extend(along_i: np.ndarray, along_j: np.ndarray, k: int, j: int, i: int) -> None:
    """Enter a vertex; the vertices of a line come in ascending order."""
    if along_i[0, k, j] < 0:
        along_i[0, k, j] = i
    along_i[1, k, j] = i
    if along_j[0, k, i] < 0:
        along_j[0, k, i] = j
    along_j[1, k, i] = j


@compiled
def _bend(ends: np.ndarray, side: int, corners: np.ndarray, start: int) -> int:
    """Append one side of a plane's convex hull to `corners` from `start` (monotone chain); return the new end."""
    count = start
    for line in range(ends.size):
        end = np.int64(ends[line])
        if end < 0:
            continue
        while count - start >= 2:
            x, y = corners[count - 2, 0], corners[count - 2, 1]
            turn = (corners[count - 1, 0] - x) * (end - y) - (corners[count - 1, 1] - y) * (line - x)
            if side * turn > 0:
                break
            count -= 1
        corners[count, 0] = line
        corners[count, 1] = end
        count += 1
    return count


@compiled
def widest_plane(ends: np.ndarray, across: float, along: float) -> tuple[float, np.ndarray]:
    """Largest distance between two vertices of one plane, and the corners of all planes' convex hulls.

    Parameters
    ----------
    ends : ndarray of int32, shape (2, planes, lines)
        First and last vertex on each line of each plane, half voxels; -1 where there is none.
    across, along : float
        Distance of neighbouring lines, and of neighbouring places on a line, mm.

    Returns
    -------
    distance : float
        In mm.
    corners : ndarray of int64, shape (n, 3)
        Plane, line and place on the line, half voxels.
    """
    _, planes, lines = ends.shape
    found = np.empty((2 * planes * lines, 3), np.int64)
    corners = np.empty((2 * lines, 2), np.int64)
    total, largest = 0, 0.0
    for plane in range(planes):
        count = _bend(ends[0, plane], 1, corners, 0)
        count = _bend(ends[1, plane], -1, corners, count)
        for a in range(count):
            found[total, 0] = plane
            found[total, 1] = corners[a, 0]
            found[total, 2] = corners[a, 1]
            total += 1
            for b in range(a):
                apart = (across * (corners[a, 0] - corners[b, 0])) ** 2 + (along * (corners[a, 1] - corners[b, 1])) ** 2
                largest = max(largest, apart)
    return np.sqrt(largest), found[:total]


@compiled
def largest_distance(points: np.ndarray, radius: np.ndarray, bound: float) -> float:
    """Largest distance between two points, or `bound` where none is larger.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        Sorted from the largest radius down.
    radius : ndarray of float64, shape (n,)
        Distance of each point from one centre; two points are never farther apart than the sum of their radii,
        which ends the search early.
    bound : float
        A distance that is known to occur.
    """
    largest = bound * bound
    reach = bound
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            if radius[a] + radius[b] < reach:
                break
            squared = 0.0
            for axis in range(points.shape[1]):
                squared += (points[a, axis] - points[b, axis]) ** 2
            if squared > largest:
                largest = squared
                reach = np.sqrt(squared) * (1 - 1e-12)  # a margin for the rounding of radii
    return np.sqrt(largest)
