"""PyRadiomics' filters of single intensities, scaled by the largest magnitude of the whole image.

Each takes `values`, an array of any shape in the unit of the image, and `largest`, max |x| over the whole image, and
gives float64 in which the whole image would have the same largest magnitude (the exponential: from 1 / `largest` to
`largest`). The order of the operations is PyRadiomics', so that results agree to the last bit but one.
"""

from __future__ import annotations

import numpy as np


def largest_magnitude(image: np.ndarray) -> float:
    """Maximum of |x|, without a copy of the image.

    >>> largest_magnitude(np.array([-128, 5], np.int8))
    128.0
    """
    return max(abs(float(image.min())), abs(float(image.max())))


def square(values: np.ndarray, largest: float) -> np.ndarray:
    """x^2 / largest, which has no sign: PyRadiomics' text says that negative intensities stay negative, but do not.

    >>> square(np.array([-4.0, 2.0]), 4.0)
    array([4., 1.])
    """
    return (1 / np.sqrt(largest) * values.astype(np.float64)) ** 2


def square_root(values: np.ndarray, largest: float) -> np.ndarray:
    """sign(x) sqrt(largest |x|).

    >>> square_root(np.array([-4.0, 1.0]), 4.0)
    array([-4.,  2.])
    """
    values = values.astype(np.float64)
    return np.copysign(np.sqrt(np.abs(values) * largest), values)


def logarithm(values: np.ndarray, largest: float) -> np.ndarray:
    """sign(x) c log(|x| + 1) with c = largest / log(largest + 1).

    >>> logarithm(np.array([-3.0, 1.0]), 3.0)
    array([-3. ,  1.5])
    """
    values = values.astype(np.float64)
    return np.copysign(np.log(np.abs(values) + 1), values) * (largest / np.log(largest + 1))


def exponential(values: np.ndarray, largest: float) -> np.ndarray:
    """exp(c x) with c = log(largest) / largest.

    >>> exponential(np.array([0.0, 8.0]), 8.0)
    array([1., 8.])
    """
    return np.exp(np.log(largest) / largest * values.astype(np.float64))
