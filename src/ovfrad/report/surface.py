"""A smooth surface of a mask for drawing, to scale; measures of shape are taken from the voxels, never from this."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ovfrad.radiomics.marching_cubes import mesh_triangles

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
#: Shrinking and swelling step of Taubin's smoothing and its rounds (Taubin G. A signal processing approach to fair
#: surface design. SIGGRAPH 1995): pass-band 0.1, so that steps of a voxel go and the size stays.
SHRINK, SWELL, ROUNDS = 0.5, -1 / (1 / 0.5 - 0.1), 15


def surface(mask: NDArray[np.bool_], spacing_mm: float) -> tuple[Floats, Ints]:
    """Vertices in mm, shape (n, 3), axes (x, y, z) of LPS, and triangles that face outwards, shape (m, 3).

    Parameters
    ----------
    mask : ndarray of bool, shape (k, j, i)
    spacing_mm : float
        Voxel side.

    Examples
    --------
    >>> vertices, faces = surface(np.ones((20, 20, 20), bool), 2.0)
    >>> bool(39 < np.ptp(vertices[:, 0]) < 41)
    True
    """
    corners = mesh_triangles(mask, (1.0, 1.0, 1.0))
    vertices, faces = weld(corners)
    faces = _outwards(vertices, faces, mask)
    return smooth(vertices, faces)[:, ::-1] * spacing_mm, faces[:, ::-1]


def weld(corners: Floats) -> tuple[Floats, Ints]:
    """Shared vertices, shape (n, 3), and vertex numbers of each triangle, shape (m, 3), of loose triangles (m, 3, 3).

    >>> weld(np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 0], [1, 1, 0]]], float))[1].tolist()
    [[0, 2, 1], [2, 1, 3]]
    """
    vertices, faces = np.unique(corners.reshape(-1, 3).round(6), axis=0, return_inverse=True)
    return vertices, faces.reshape(-1, 3)


def smooth(vertices: Floats, faces: Ints, rounds: int = ROUNDS) -> Floats:
    """Vertices after so many rounds of Taubin's smoothing, each towards and away from the mean of its neighbours."""
    from scipy.sparse import coo_array, diags_array

    n = len(vertices)
    pairs = np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    linked = (coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n)).tocsr() > 0).astype(float)
    mean = diags_array(1 / np.maximum(linked.sum(axis=1), 1)) @ linked
    moved = vertices.astype(float)
    for _ in range(rounds):
        for step in (SHRINK, SWELL):
            moved = moved + step * (mean @ moved - moved)
    return moved


def _outwards(vertices: Floats, faces: Ints, mask: NDArray[np.bool_]) -> Ints:
    """Triangles turned so that their normals point down the mask's gradient; vertices in voxels of the padded mask."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    blurred = gaussian_filter(np.pad(mask, 1).astype(float), 1.0)
    triangles = vertices[faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    at = triangles.mean(axis=1).T
    slopes = np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in np.gradient(blurred)], axis=1)
    inwards = np.einsum("ij,ij->i", normals, slopes) > 0
    return np.where(inwards[:, None], faces[:, ::-1], faces)
