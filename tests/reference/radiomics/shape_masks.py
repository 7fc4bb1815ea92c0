"""Small masks at the edge of what has a shape, numpy alone: shared by make_shape_reference.py and the tests.

Every mask is (mask (k, j, i), spacing (k, j, i) mm, axis): axis is None for the class shape, else the array axis
across which the one slice lies, for the class shape2D.
"""

from __future__ import annotations

import numpy as np

SPACING = (3.0, 2.0, 0.7)


def _of(*rows):
    return np.array([[character == "#" for character in row] for row in rows])[None]


def _random(seed, shape, share):
    """Scattered voxels with both far corners, so that the mask fills its box."""
    found = np.random.default_rng(seed).random(shape) < share
    found[0, 0, 0] = found[-1, -1, -1] = True
    return found


def _apart():
    found = np.zeros((4, 5, 7), bool)
    found[:2, :2, :3] = found[3, 4, 5:] = True
    return found


def _hollow():
    found = np.ones((5, 5, 5), bool)
    found[2, 2, 2] = False
    return found


FLAT = {
    "line": _of("####"),
    "diagonal": _of("#..", ".#.", "..#"),
    "ring": _of("####", "#..#", "####"),
    "apart": _of("##....", "##...#", ".....#"),
    "chequered": _of("#.#.#", ".#.#.", "#.#.#"),
    "comb": _of("#.#.##", "######", ".##.#."),
}

SOLID = {
    "two_voxels": np.ones((1, 2, 1), bool),
    "touching_corners": np.ptp(np.indices((2, 2, 2)), axis=0) == 0,
    "one_slice": _of(".###", "####", "###."),
    "apart": _apart(),
    "hollow": _hollow(),
    "sparse": _random(5, (6, 7, 8), 0.2),
    "dense": _random(6, (7, 4, 5), 0.8),
}

MASKS = {f"shape_{name}": (mask, SPACING, None) for name, mask in SOLID.items()}
for _axis in range(3):
    MASKS |= {
        f"shape2D_{name}_{'kji'[_axis]}": (np.ascontiguousarray(np.moveaxis(mask, 0, _axis)), SPACING, _axis)
        for name, mask in FLAT.items()
    }
