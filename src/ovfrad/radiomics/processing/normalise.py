"""PyRadiomics' normalisation: z-scores over the whole image, outliers clipped, times a scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.filters.pointwise import largest_magnitude
from ovfrad.radiomics.pixels import for_simpleitk

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
        scores = np.subtract(part, self.mean, dtype=np.float64)
        scores *= 1 / self.sd  # SimpleITK multiplies: the last bit can pick a bin
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
    mean, sd = _moments(image)
    if not np.isfinite(sd):
        fault = "the image has voxels that are not finite, so its mean and SD are not"
        raise InputError("E_NOT_FINITE", where, fault, "repair the image or switch `normalize` off")
    if not sd > 0:
        fault = f"SD of the image is {sd:g}"
        raise InputError("E_IMAGE_CONSTANT", where, fault, "a z-score needs intensities that vary")
    return Normalisation(mean, sd, settings.normalize_scale, settings.remove_outliers)


def _moments(image: np.ndarray) -> tuple[float, float]:
    """Mean and SD (N - 1) of all voxels, to SimpleITK's last bit.

    Of whole numbers the sums are exact, taken slice by slice: a float64 copy of a CT would be four times the CT.
    Larger ones than a CT has, whose squares might not fit 64 bits in sum, are left to SimpleITK.
    """
    n = image.size
    if image.dtype.kind in "biu" and largest_magnitude(image) ** 2 * image[0].size < 2**63:
        planes = (plane.astype(np.int64) for plane in image)
        sums = [(int(plane.sum()), int(np.square(plane).sum())) for plane in planes]
        total, squares = (sum(column) for column in zip(*sums, strict=True))
        return total / n, float(np.sqrt((squares - total * total / n) / max(n - 1, 1)))
    import SimpleITK

    filled = SimpleITK.StatisticsImageFilter()
    filled.Execute(SimpleITK.GetImageFromArray(for_simpleitk(image)))
    return float(filled.GetMean()), float(filled.GetSigma())
