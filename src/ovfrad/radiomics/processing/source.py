"""Image and region as they came, before any step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ovfrad.radiomics.box import Box
from ovfrad.radiomics.processing.normalise import Normalisation

Three = tuple[float, float, float]


class Place(NamedTuple):
    """SimpleITK's origin (x, y, z), mm, and direction (row by row) of the first voxel of the image.

    They do not change the geometry of anything here. But where the centre of a new voxel lies exactly between two
    old ones, or exactly on one of a whole-numbered image (SimpleITK truncates), PyRadiomics goes by the last bit of
    floating-point coordinates, which they enter into.
    """

    origin: Three = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class Given(NamedTuple):
    """An image and the region in it.

    Attributes
    ----------
    image : ndarray, shape (k, j, i)
        Intensities.
    mask : ndarray of bool, shape (k, j, i)
        The region.
    box : three slices
        The region's bounding box.
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    scores : Normalisation, optional
        What intensities are to be normalised by.
    place : Place
    where : str
        Names the case in an error.
    """

    image: np.ndarray
    mask: np.ndarray
    box: Box
    spacing: Three
    scores: Normalisation | None
    place: Place
    where: str

    def at(self, part: Any) -> np.ndarray:
        """Intensities of a part (an index of the image), normalised where that is asked for."""
        return self.image[part] if self.scores is None else self.scores.apply(self.image[part])


class Resampled(NamedTuple):
    """New voxels: image and mask (k, j, i), and their size (k, j, i), mm."""

    image: np.ndarray
    mask: np.ndarray
    spacing: Three
