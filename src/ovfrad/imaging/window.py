"""The bone window of the network's patch and of pictures (METHODS B4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BONE = (-250.0, 1250.0)
"""Width 1500, level 500 HU."""


def bone_window(array: NDArray[Any], window: tuple[float, float] = BONE) -> NDArray[np.float32]:
    """HU to 0..1: the window's lower end and below is 0, its upper end and above is 1.

    Parameters
    ----------
    array : ndarray
        HU, any shape.
    window : tuple of float
        Lower and upper end, HU.

    Examples
    --------
    >>> bone_window(np.array([-1000.0, -250.0, 500.0, 1250.0, 3000.0]))
    array([0. , 0. , 0.5, 1. , 1. ], dtype=float32)
    >>> bone_window(np.zeros(3), (1250.0, -250.0))
    Traceback (most recent call last):
    ValueError: a window rises from its lower to its upper end; got 1250 to -250 HU
    """
    low, high = window
    if not low < high:
        raise ValueError(f"a window rises from its lower to its upper end; got {low:g} to {high:g} HU")
    return ((np.asarray(array, dtype=np.float64) - low) / (high - low)).clip(0, 1).astype(np.float32)
