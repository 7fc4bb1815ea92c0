"""Largest distances between two vertices of a mask's mesh, in space and within the three families of planes.

The two vertices that lie farthest apart are corners of the convex hull. Within a plane the hull is built from the
first and the last vertex of each line; in space the corners of the hulls of all planes of constant k are enough.
"""

from __future__ import annotations

import numpy as np


def largest_diameters(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Largest distance within planes of constant k, of constant j, of constant i, and in space, mm.

    Vertices lie halfway between two neighbouring voxel centres of which one is inside, so that planes lie through
    voxel centres and halfway between them.

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i)
        Padded by one voxel.
    spacing : tuple of float
        Voxel size (k, j, i), mm.

    >>> largest_diameters(np.pad(np.ones((1, 1, 4), bool), 1), (4.0, 2.0, 1.0))
    (4.0, 5.0, 4.0, 5.0)
    """
    from ovfrad.radiomics.shape_kernels import outermost, widest_plane

    k, j, i = (step / 2 for step in spacing)
    along_i, along_j = outermost(np.ascontiguousarray(mask).view(np.uint8))
    of_k, corners = widest_plane(along_i, j, i)
    of_j, _ = widest_plane(np.ascontiguousarray(along_i.transpose(0, 2, 1)), k, i)
    of_i, _ = widest_plane(np.ascontiguousarray(along_j.transpose(0, 2, 1)), k, j)
    return float(of_k), float(of_j), float(of_i), _largest_in_space(corners * np.array([k, j, i]))


def _largest_in_space(points: np.ndarray) -> float:
    """Largest distance, after leaving out the points that are too close to the centre to be an end of it."""
    from ovfrad.radiomics.shape_kernels import largest_distance

    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    radius = np.linalg.norm(points - centre, axis=1)
    bound, end = 0.0, points[radius.argmax()]
    for _ in range(3):  # walk to the farthest point a few times: a lower bound, often already the largest distance
        distance = np.linalg.norm(points - end, axis=1)
        bound, end = max(bound, float(distance.max())), points[distance.argmax()]
    near = radius + radius.max() < bound * (1 - 1e-12)
    order = np.argsort(-radius[~near])
    return float(largest_distance(points[~near][order], radius[~near][order], bound))
