"""The surface of a mask as a triangle mesh: marching cubes with vertices halfway between voxel centres.

The mesh is never built. A cube of 2 x 2 x 2 voxel centres has 256 patterns of inside and outside; the triangles
of a pattern, and with them their area, volume and normals, are the same wherever the cube lies. So the surface is
a histogram of patterns times a table (Lorensen & Cline 1987; IBSI C0JK and RNU0).
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

CORNERS = np.array([(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)])
"""Corner b (bit b of a pattern) relative to the cube's origin, (k, j, i)."""

EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
"""The two corners of edge e; a vertex of the mesh is the middle of an edge."""

# Triangles of patterns 0..127, three hexadecimal edge numbers each, normals outward; "-" is a pattern without any.
# A pattern with corner 7 inside has the triangles of its complement with the normals reversed. The choice among
# equivalent triangulations (ambiguous faces, diagonals) is that of PyRadiomics, after Bourke's public-domain table.
TABLE = """
    - 083 019 183198 12a 08312a 0292a9 2832a88a9 23b 08b0b2 01923b 19b1b28b9 13a3ba 08a0a18ba 0393b99ba 8a98ba 478
    043347 019478 147173194 12a478 04312a347 0292a9478 2732972a9479 23b478 04224b47b 01923b478 19229b47b4b9
    13a3ba478 04114b1ba47b 0393b94789ba 47b4b99ba 495 083495 015054 153358485 12a495 08312a495 0242542a5
    2532a5348354 23b495 08b0b2495 01505423b 15225828b485 13a3ba495 08a0a14958ba 03b0540b55ba 48558a8ba 579789
    093357395 017078157 157173 12a579789 09312a357395 0282582a5578 2532a5357 23b579789 09227b297579 01815717823b
    15717b1b2 13a3ba579789 05707b0950a10ba 03b0570780a50ba 57b5ba 5a6 0835a6 0195a6 1831985a6 126165 083126165
    026069596 258265283598 23b5a6 08b0b25a6 01923b5a6 19b1b25a68b9 1353653b6 05108b0b55b6 0360590653b6 59669b8b9
    4785a6 0433475a6 0194785a6 1471731945a6 126165478 043126165347 026069478596 269293397479596 23b4785a6
    04224b47b5a6 01923b4785a6 19229b47b4b95a6 1353653b6478 04b0b11b547b5b6 0360590653b6478 47959669b7b9 49a4a6
    08349a4a6 01a0640a6 1681831a6486 124149264 083124149264 024264 248264283 23b49a4a6 08b0b249a4a6 01a0640a623b
    14816418b1a61b2 1393693b6496 08114916418b1b6 0360643b6 48668b 67a78a89a 07309a0a767a 0181781a767a 1731a767a
    126168189678 093129269397679 026067078 267273 23b67a78a89a 07209727b67a79a 0181781a723b67a 16717b1a61b2
    1361693b6678689 09167b 03b0670780b6 67b
"""


@cache
def triangles() -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the patterns 0..127: pattern of each, int64 (t,), and its corners in voxels, float64 (t, 3, 3)."""
    middles = np.array([(CORNERS[a] + CORNERS[b]) / 2 for a, b in EDGES])
    edges = [[int(digit, 16) for digit in digits if digit != "-"] for digits in TABLE.split()]
    pattern = np.repeat(np.arange(len(edges)), [len(found) // 3 for found in edges])
    return pattern, middles[np.concatenate(edges).astype(int)].reshape(-1, 3, 3)


@lru_cache(maxsize=64)  # most cases of a study share a few spacings
def pattern_tables(spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Surface of each of the 256 patterns for voxels of `spacing` (k, j, i), mm.

    Returns
    -------
    area : ndarray, shape (256,)
        Area of the pattern's triangles, mm^2.
    normal : ndarray, shape (256, 3)
        Sum of a x b + b x c + c x a over the triangles abc: twice their area vector, mm^2.
    triple : ndarray, shape (256,)
        Sum of (a x b) . c: six times the volume towards the cube's origin, mm^3.
    """
    pattern, corners = triangles()
    a, b, c = (corners * spacing).transpose(1, 0, 2)
    of_triangle = {
        "area": np.linalg.norm(np.cross(a - c, b - c), axis=1) / 2,
        "normal": np.cross(a, b) + np.cross(b, c) + np.cross(c, a),
        "triple": (np.cross(a, b) * c).sum(axis=1),
    }
    to_pattern = np.eye(128)[:, pattern]
    area, normal, triple = (to_pattern @ of_triangle[name] for name in ("area", "normal", "triple"))
    return (
        np.concatenate([area, area[::-1]]),  # 255 - pattern is the complement
        np.concatenate([normal, -normal[::-1]]),
        np.concatenate([triple, -triple[::-1]]),
    )


def patterns(mask: np.ndarray) -> np.ndarray:
    """Pattern of each cube of a padded mask (k, j, i), uint8 of one less in every extent."""
    bits = mask.view(np.uint8)
    ends = tuple(extent - 1 for extent in mask.shape)
    found = np.zeros(ends, np.uint8)
    for bit, (k, j, i) in enumerate(CORNERS):
        found |= bits[k : k + ends[0], j : j + ends[1], i : i + ends[2]] << np.uint8(bit)
    return found


def surface_and_volume(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float]:
    """Area (mm^2) and volume (mm^3) of the mesh round a padded mask (k, j, i) with voxels of `spacing` (k, j, i).

    The volume is the sum over triangles abc of (a x b) . c / 6; for a cube at o, (o + a) x (o + b) . (o + c) =
    (a x b) . c + o . (a x b + b x c + c x a).

    >>> one = np.pad(np.ones((1, 1, 1), bool), 1)  # an octahedron with half-axes of half a voxel
    >>> area, volume = surface_and_volume(one, (1.0, 1.0, 1.0))
    >>> round(area, 4), round(volume, 4)
    (1.7321, 0.1667)
    """
    from ovfrad.radiomics.shape_kernels import pattern_sums

    area, normal, triple = pattern_tables(spacing)
    sums = pattern_sums(np.ascontiguousarray(mask).view(np.uint8)).astype(float)
    of_origins = ((sums[:, 1:] * spacing) * normal).sum()
    return float(sums[:, 0] @ area), float(sums[:, 0] @ triple + of_origins) / 6


def mesh_triangles(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Triangles of the mesh round a mask (k, j, i), for drawing: corners in mm, shape (m, 3, 3), axes (k, j, i).

    >>> mesh_triangles(np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0)).shape
    (8, 3, 3)
    """
    code = patterns(np.pad(mask, 1))
    pattern, corners = triangles()
    # a pattern and its complement have the same triangles, seen from the other side
    same = np.where(code > 127, 255 - code, code)
    found = [
        np.argwhere(same == which)[:, None, None, :] + corners[pattern == which][None] for which in np.unique(pattern)
    ]
    parts = [part.reshape(-1, 3, 3) for part in found if part.size]
    return np.concatenate(parts) * np.asarray(spacing) if parts else np.empty((0, 3, 3))
