"""The CT grid and the two segments of the files here, by formula; for their generator and for the tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHAPE = (9, 19, 23)
SPACING = (0.7, 0.8)
COSINES = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6)
ORIGIN, ALONG = np.array([-10.0, 5.0, 100.0]), 2.5 * np.cross(COSINES[:3], COSINES[3:])


def labels() -> NDArray[np.uint8]:
    """Segments 1 and 2, of no symmetry, and slices without either: (9, 19, 23)."""
    k, j, i = np.indices(SHAPE)
    out = np.zeros(SHAPE, np.uint8)
    out[((i - 9) ** 2 + (j - 8) ** 2 < 30 + 3 * k + i) & (k > 1) & (k < 6)] = 1
    out[((i - 18) ** 2 + (j - 12 - k / 2) ** 2 < 8) & (k > 2) & (k < 8)] = 2
    out[4, 7:9, 8:11] = 0
    return out
