"""`inspect`: size, place and HU of one region as stored, before anything is resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.imaging.volume import Roi


def inspect(roi: Roi) -> dict[str, Any]:
    """Geometry and intensity of one region.

    Parameters
    ----------
    roi : Roi
        As read; cropping does not change a value.

    Returns
    -------
    dict
        `voxels`; `volume_mm3` (voxels x volume of a stored voxel); `mean_hu`, `sd_hu` (population, N), `min_hu`,
        `max_hu` over the mask; `centroid_lps` (mean of voxel centres, mm); `spacing_mm` of the stored axes (i, j, k);
        `direction` (unit vectors of i, j, k as columns, LPS, nine numbers row by row, as ITK writes it); `warnings`.

    Examples
    --------
    >>> from ovfrad.imaging.volume import Volume
    >>> mask = np.zeros((4, 4, 4), bool); mask[1, 2, 3] = True
    >>> roi = Roi(Volume(np.full((4, 4, 4), 60, np.float32), np.eye(4)), Volume(mask, np.eye(4)), "a")
    >>> inspect(roi)["centroid_lps"], inspect(roi)["mean_hu"]
    ([3.0, 2.0, 1.0], 60.0)
    """
    inside = roi.ct.array[roi.mask.array]
    centre = roi.ct.affine @ [*(_middle(roi.mask.array, axis) for axis in (2, 1, 0)), 1.0]
    return {
        "voxels": int(inside.size),
        "volume_mm3": float(inside.size * roi.mask.voxel_mm3),
        "mean_hu": float(inside.mean(dtype=np.float64)),
        "sd_hu": float(inside.std(dtype=np.float64)),
        "min_hu": float(inside.min()),
        "max_hu": float(inside.max()),
        "centroid_lps": [float(v) for v in centre[:3]],
        "spacing_mm": [float(v) for v in roi.ct.spacing],
        "direction": [float(v) for v in roi.ct.direction.ravel()],
        "warnings": list(roi.warnings),
    }


def _middle(mask: NDArray[np.bool_], axis: int) -> float:
    """Mean index of the voxels of a mask along an axis."""
    counts = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis))
    return float(counts @ np.arange(len(counts)) / counts.sum())
