"""Loop over pairs of points (numba)."""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.compiled import compiled


@compiled
def largest_distance(points: np.ndarray, radius: np.ndarray, group: np.ndarray, bound: float) -> float:
    """Largest distance between two points of the same group, or `bound` where none is larger.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
        Sorted by group, and within a group from the largest radius down.
    radius : ndarray of float64, shape (n,)
        Distance of each point from one centre; two points are never farther apart than the sum of their radii,
        which ends the search early.
    group : ndarray of int64, shape (n,)
        Number of the group of each point.
    bound : float
        A distance that is known to occur.
    """
    largest = bound * bound
    reach = bound
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            if group[b] != group[a] or radius[a] + radius[b] < reach:
                break
            squared = 0.0
            for axis in range(points.shape[1]):
                squared += (points[a, axis] - points[b, axis]) ** 2
            if squared > largest:
                largest = squared
                reach = np.sqrt(squared) * (1 - 1e-12)  # a margin for the rounding of radii
    return np.sqrt(largest)
