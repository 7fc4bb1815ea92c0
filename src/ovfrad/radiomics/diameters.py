"""Largest distances between two vertices of a mask's mesh, in space and within the three families of planes."""

from __future__ import annotations

import numpy as np

HULL_FROM = 2000
"""Number of candidate vertices from which a convex hull is cheaper than comparing all pairs."""


def vertices(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Mesh vertices of a padded mask (k, j, i), mm, float64 (n, 3).

    A vertex lies halfway between two neighbouring voxel centres of which one is inside.
    """
    found = []
    for axis in range(3):
        place = np.argwhere(np.diff(mask, axis=axis)).astype(float)
        place[:, axis] += 0.5
        found.append(place * spacing)
    return np.concatenate(found)


def largest_diameters(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Largest distance within planes of constant k, of constant j, of constant i, and in space, mm.

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i)
        Padded by one voxel.
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    """
    points = vertices(mask, spacing)
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    in_plane = [_largest_in_plane(points, centre, axis) for axis in range(3)]
    return in_plane[0], in_plane[1], in_plane[2], _largest_in_space(points, centre)


def _largest_in_plane(points: np.ndarray, centre: np.ndarray, axis: int) -> float:
    from ovfrad.radiomics.shape_kernels import largest_distance

    across = [other for other in range(3) if other != axis]
    flat = points[:, across]
    radius = np.hypot(*(flat - centre[across]).T)
    planes, group = np.unique(points[:, axis], return_inverse=True)
    widest = np.zeros(planes.size)
    np.maximum.at(widest, group, radius)
    group = np.argsort(np.argsort(-widest))[group]  # the widest plane first: its result ends the search in most others
    order = np.argsort(group * (2 * radius.max() + 1) - radius)
    group = group[order]
    return float(largest_distance(np.ascontiguousarray(flat[order]), radius[order], group, 0.0))


def _largest_in_space(points: np.ndarray, centre: np.ndarray) -> float:
    """Largest distance, after leaving out the points that are too close to the centre to be an end of it."""
    from ovfrad.radiomics.shape_kernels import largest_distance

    radius = np.linalg.norm(points - centre, axis=1)
    bound, end = 0.0, points[radius.argmax()]
    for _ in range(3):  # walk to the farthest point a few times: a lower bound, often already the largest distance
        distance = np.linalg.norm(points - end, axis=1)
        bound, end = max(bound, float(distance.max())), points[distance.argmax()]
    points = points[radius + radius.max() >= bound]
    if len(points) > HULL_FROM:
        from scipy.spatial import ConvexHull

        points = points[ConvexHull(points).vertices]
    radius = np.linalg.norm(points - centre, axis=1)
    order = np.argsort(-radius)
    group = np.zeros(len(points), np.int64)
    return float(largest_distance(points[order], radius[order], group, bound))
