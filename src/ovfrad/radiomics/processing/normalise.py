"""PyRadiomics' normalisation: z-scores over the whole image, outliers clipped, times a scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ovfrad.errors import InputError

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings


class Normalisation(NamedTuple):
    """Intensities as (x - mean) / sd, clipped to +- `outliers` SD, times `scale`.

    The mean and SD (N - 1) are those of every voxel of the image, inside the region and outside; they are found
    once, and applied to the part of the image that is used.
    """

    mean: float
    sd: float
    scale: float
    outliers: float | None

    def apply(self, part: np.ndarray) -> np.ndarray:
        """Normalise a part of the image; float64, as SimpleITK gives for every pixel type."""
        scores = (part - np.float64(self.mean)) / self.sd
        if self.outliers is not None:
            np.clip(scores, -self.outliers, self.outliers, out=scores)
        scores *= self.scale
        return scores


def normalisation(image: np.ndarray, settings: Settings, where: str) -> Normalisation | None:
    """Mean and SD of the whole image (k, j, i); None where `settings` ask for no normalisation.

    Raises
    ------
    InputError
        E_NOT_FINITE, E_IMAGE_CONSTANT.
    """
    if not settings.normalize:
        return None
    # Slice by slice: a float64 copy of a CT would be four times the CT.
    mean = sum(float(plane.sum(dtype=np.float64)) for plane in image) / image.size
    squares = sum(float(np.square(plane - np.float64(mean)).sum()) for plane in image)
    if not np.isfinite(squares):
        fault = "the image has voxels that are not finite, so its mean and SD are not"
        raise InputError("E_NOT_FINITE", where, fault, "repair the image or switch `normalize` off")
    sd = float(np.sqrt(squares / max(image.size - 1, 1)))
    if not sd > 0:
        fault = f"SD of the image is {sd:g}"
        raise InputError("E_IMAGE_CONSTANT", where, fault, "a z-score needs intensities that vary")
    return Normalisation(mean, sd, settings.normalize_scale, settings.remove_outliers)
