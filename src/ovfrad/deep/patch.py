"""The picture of one vertebra that the network sees (METHODS D1).

The slice of largest mask area, a square box round the mask with a margin, the bone window, and a fixed
orientation: superior is up in sagittal and coronal patches, anterior is left in sagittal and up in axial ones, and
the patient's right is on the left of axial and coronal ones, as radiologists look at them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ovfrad.imaging.window import bone_window

if TYPE_CHECKING:
    from ovfrad.imaging.volume import Roi
    from ovfrad.study.settings import Deep

NORMAL_AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}
"""Axis of a (k, j, i) array in LPS that is perpendicular to the plane."""


def patch(roi: Roi, deep: Deep, window: tuple[float, float]) -> NDArray[np.float32]:
    """Cut the patch of one prepared region.

    Parameters
    ----------
    roi : Roi
        Prepared region: LPS axes, usually 1 mm; CT in HU.
    deep : Deep
        Settings `plane`, `size` (pixels), `margin` (share of the box's side, added on each side) and `channels`:
        `repeat` is one slice three times, `adjacent` is the slice and its two neighbours.
    window : tuple of float
        HU shown as 0 and as 1.

    Returns
    -------
    ndarray of float32, shape (3, size, size)
        Channel, row, column; values 0..1. Pixels outside the region repeat its border.
    """
    _require_lps(roi)
    axis = NORMAL_AXIS[deep.plane]
    middle = largest_slice(roi.mask.array, axis)
    spacing = [size for axis_, size in enumerate(reversed(roi.ct.spacing)) if axis_ != axis]
    to_rows, to_columns = _resampling(roi.mask.array.take(middle, axis), (spacing[0], spacing[1]), deep)
    last = roi.ct.array.shape[axis] - 1
    offsets = (0, 0, 0) if deep.channels == "repeat" else (-1, 0, 1)
    slices = [bone_window(roi.ct.array.take(min(max(middle + d, 0), last), axis), window) for d in offsets]
    stack = np.stack([to_rows @ image @ to_columns.T for image in slices])
    up = stack if deep.plane == "axial" else stack[:, ::-1]
    return np.ascontiguousarray(up, dtype=np.float32)


def largest_slice(mask: NDArray[np.bool_], axis: int) -> int:
    """Index along `axis` of the slice with most mask voxels; of equals the one nearest to the mask's centroid.

    >>> mask = np.zeros((2, 2, 5), bool)
    >>> mask[0, 0, 1:5] = True
    >>> largest_slice(mask, 2)
    2
    """
    area = mask.sum(axis=tuple(other for other in range(3) if other != axis))
    centre = float(np.average(np.arange(area.size), weights=area))
    tied = np.flatnonzero(area == area.max())
    return int(tied[np.argmin(np.abs(tied - centre))])


def _require_lps(roi: Roi) -> None:
    direction = np.asarray(roi.ct.affine)[:3, :3]
    if (np.abs(direction).argmax(axis=0) != np.arange(3)).any() or (np.diag(direction) <= 0).any():
        raise ValueError(f"case {roi.case_id}: a patch needs a region with LPS axes; call imaging.prepare first")


def _resampling(
    mask: NDArray[np.bool_], spacing: tuple[float, float], deep: Deep
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that bring rows and columns of a slice to those of the patch: (size, rows) and (size, columns)."""
    edges = []
    for axis, step in enumerate(spacing):
        hit = np.flatnonzero(mask.any(axis=1 - axis))
        edges.append((hit[0] * step, (hit[-1] + 1) * step))  # mm from the slice's first edge
    side = max(high - low for low, high in edges) * (1.0 + 2.0 * deep.margin)
    starts = [(low + high - side) / 2.0 for low, high in edges]
    rows, columns = (
        resampling_weights(start / step, side / step, deep.size, length)
        for start, step, length in zip(starts, spacing, mask.shape, strict=True)
    )
    return rows, columns


def resampling_weights(start: float, side: float, size: int, length: int) -> NDArray[np.float64]:
    """Weights of `length` pixels in each of `size` equal bins of [start, start + side).

    A triangle as wide as the larger of the two pixels: linear interpolation where the patch is finer than the
    image, area-weighted averaging where it is coarser. Positions count in pixels from the image's first edge.

    Returns
    -------
    ndarray of float64, shape (size, length)
        Every row sums to 1; what falls outside the image goes to its border pixel.

    Examples
    --------
    >>> resampling_weights(0.0, 4.0, 4, 4).round(6).tolist() == np.eye(4).tolist()
    True
    """
    step = side / size
    reach = max(step, 1.0)
    centres = start + (np.arange(size) + 0.5) * step
    pixels = np.arange(int(np.floor(centres[0] - reach)) - 1, int(np.ceil(centres[-1] + reach)) + 1)
    weights = np.clip(1.0 - np.abs(pixels + 0.5 - centres[:, None]) / reach, 0.0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = np.zeros((size, length))
    np.add.at(inside.T, np.clip(pixels, 0, length - 1), weights.T)
    return inside
