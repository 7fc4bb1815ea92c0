"""Resegmentation: voxels whose intensity is out of range leave the region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ovfrad.errors import InputError

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings


def thresholds(values: np.ndarray, settings: Settings) -> tuple[float, float]:
    """Lowest and highest intensity that stays, of the intensities (n_voxels,) of the region.

    Parameters
    ----------
    values : ndarray, shape (n_voxels,)
        Intensities of the region, before any voxel left it.
    settings : Settings
        `resegment_range`: one number (no upper bound) or two, in any order, both included; `resegment_mode`:
        they are intensities ("absolute"), parts of the region's maximum ("relative") or SDs (of N) from its mean
        ("sigma"); `outlier_sigma`: mean +- this many SDs.

    Notes
    -----
    Where a range and outliers are both asked for, the interval is the intersection of the two (IBSI, IF9H), and
    mean and SD are those of all voxels of the region (IBSI, 7ACA: "voxels assigned to the ROI"), not of those the
    range has left; MIRP does the same, while Z-Rad and MEDimage filter outliers of what the range has left.

    >>> from ovfrad.radiomics.settings import Settings
    >>> values = np.array([1.0, 2.0, 3.0, 10.0])
    >>> thresholds(values, Settings(resegment_range=(0.5,), resegment_mode="relative"))
    (5.0, inf)
    >>> low, high = thresholds(values, Settings(profile="ibsi", resegment_range=(-5, 5), outlier_sigma=1))
    >>> round(low, 6), high
    (0.464466, 5.0)
    """
    low, high = -np.inf, np.inf
    if settings.resegment_range is not None:
        edges = sorted(settings.resegment_range)
        if settings.resegment_mode == "relative":
            edges = [float(values.max()) * edge for edge in edges]
        elif settings.resegment_mode == "sigma":
            edges = [float(values.mean()) + float(values.std()) * edge for edge in edges]
        low, high = edges[0], edges[1] if len(edges) == 2 else np.inf
    if settings.outlier_sigma is not None:
        mean, reach = float(values.mean(dtype=np.float64)), settings.outlier_sigma * float(values.std(dtype=np.float64))
        low, high = max(low, mean - reach), min(high, mean + reach)
    return low, high


def resegment(image: np.ndarray, mask: np.ndarray, settings: Settings, where: str) -> np.ndarray:
    """Take the voxels out of the mask that are out of range.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        Intensities.
    mask : ndarray of bool, shape (k, j, i)
        The region, not empty.
    settings : Settings
        See `thresholds`.
    where : str
        Names the case in an error.

    Returns
    -------
    ndarray of bool, shape (k, j, i)
        A new mask.

    Raises
    ------
    InputError
        E_MASK_EMPTY where no voxel stays, E_ROI_TOO_SMALL where one does. E_NOT_FINITE where thresholds depend on
        voxels that are NaN or infinity; those that a range in the unit of the image leaves out do no harm.
    """
    values = image[mask]
    if settings.outlier_sigma is not None or settings.resegment_mode != "absolute":
        faulty = int(np.count_nonzero(~np.isfinite(values)))
        if faulty:
            fault = f"{faulty} voxels inside the mask are not finite, so its mean, SD and maximum are not"
            raise InputError("E_NOT_FINITE", where, fault, "repair the image or leave these voxels out of the mask")
    low, high = thresholds(values, settings)
    stays = (values >= low) & (values <= high)
    count = int(np.count_nonzero(stays))
    if count <= 1:
        left = "none" if count == 0 else "1"
        fault = f"of {values.size} voxels ({values.min():g} to {values.max():g}) resegmentation to "
        fault += f"[{low:g}, {high:g}] leaves {left}"
        code = "E_MASK_EMPTY" if count == 0 else "E_ROI_TOO_SMALL"
        raise InputError(code, where, fault, "widen resegmentRange, or check the unit of the image")
    narrowed = np.zeros_like(mask)
    narrowed[mask] = stays
    return narrowed
