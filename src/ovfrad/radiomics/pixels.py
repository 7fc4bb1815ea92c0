"""Arrays as SimpleITK takes them."""

from __future__ import annotations

import numpy as np

SUBSTITUTES: dict[str, type] = {
    "bool": np.uint8,
    "float16": np.float32,
    "float96": np.float64,
    "float128": np.float64,
}


def for_simpleitk(array: np.ndarray) -> np.ndarray:
    """The array in a type that SimpleITK has, and in this machine's byte order; not copied where it is so already.

    SimpleITK has neither truth values nor float16, nor anything wider than float64.

    >>> for_simpleitk(np.ones(2, ">i2")).dtype, for_simpleitk(np.ones(2, bool)).dtype
    (dtype('int16'), dtype('uint8'))
    """
    return np.asarray(array, SUBSTITUTES.get(array.dtype.name, array.dtype.newbyteorder("=")))
