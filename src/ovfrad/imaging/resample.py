"""`prepare`: LPS axes and cubic voxels (METHODS B4, B5).

The new grid is laid centred into the hull of the stored voxel centres and never beyond it, so that no voxel is made
up outside the scan; a mask that touches the image's border loses at most half a stored voxel there. Positions are
computed in index space of the reoriented crop, so neither the stored orientation nor the place in the scanner
changes a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.geometry import to_lps
from ovfrad.imaging.volume import Roi, Volume

if TYPE_CHECKING:
    from ovfrad.study.settings import Imaging

TIE = 1e-4
"""Voxels: a point this close to the middle between two voxels counts as on it, so that rounding of a header's
spacing cannot move a mask by a voxel; ties go to the higher index."""


def grid_axis(size: int, old_mm: float, new_mm: float) -> NDArray[np.float64]:
    """Positions of the new voxel centres along one axis, in old voxel indices.

    >>> grid_axis(4, 2.0, 1.0)
    array([0. , 0.5, 1. , 1.5, 2. , 2.5, 3. ])
    >>> grid_axis(4, 1.0, 2.0)
    array([0.5, 2.5])
    """
    span = size - 1
    n = int(np.floor(span * old_mm / new_mm + TIE)) + 1
    return np.asarray(span / 2 + (np.arange(n) - (n - 1) / 2) * (new_mm / old_mm), dtype=np.float64)


def _new_affine(volume: Volume, axes: list[NDArray[np.float64]], new_mm: float) -> NDArray[np.float64]:
    affine = volume.affine.copy()
    affine[:3, :3] = volume.direction * new_mm
    affine[:3, 3] = (volume.affine @ [axes[0][0], axes[1][0], axes[2][0], 1.0])[:3]
    return affine


def resample_image(volume: Volume, new_mm: float) -> Volume:
    """Cubic B-spline interpolation (ITK) to voxels of `new_mm`; float32. Axes already of that size stay exact."""
    import SimpleITK

    size = volume.array.shape[::-1]
    axes = [grid_axis(n, s, new_mm) for n, s in zip(size, volume.spacing, strict=True)]
    affine = _new_affine(volume, axes, new_mm)
    array = np.ascontiguousarray(volume.array, dtype=np.float32)
    if all(abs(s - new_mm) < TIE * new_mm / n for n, s in zip(size, volume.spacing, strict=True)):
        return Volume(array, affine)
    # the spline needs four voxels an axis: thin stacks are mirrored at their ends, as the spline itself would do
    pad = [(0, 0) if n >= 4 else (4, 4) for n in array.shape]
    image = SimpleITK.GetImageFromArray(np.pad(array, pad, mode="symmetric" if min(array.shape) == 1 else "reflect"))
    steps = [new_mm / s for s in volume.spacing]
    start = [float(a[0]) + p[0] for a, p in zip(axes, pad[::-1], strict=True)]
    resampled = SimpleITK.Resample(
        image,
        [len(a) for a in axes],
        SimpleITK.Transform(),
        SimpleITK.sitkBSpline,
        start,
        steps,
        np.eye(3).ravel().tolist(),
        0.0,
    )
    return Volume(SimpleITK.GetArrayFromImage(resampled), affine)


def resample_mask(volume: Volume, new_mm: float) -> Volume:
    """Nearest voxel of the stored mask at each new voxel centre; keeps the array's type."""
    axes = [grid_axis(n, s, new_mm) for n, s in zip(volume.array.shape[::-1], volume.spacing, strict=True)]
    nearest = [
        np.floor(a + 0.5 + TIE).astype(int).clip(0, n - 1) for a, n in zip(axes, volume.array.shape[::-1], strict=True)
    ]
    array: NDArray[Any] = volume.array[np.ix_(*nearest[::-1])]
    return Volume(array, _new_affine(volume, axes, new_mm))


def prepare(roi: Roi, settings: Imaging) -> Roi:
    """One vertebra on LPS axes and cubic voxels: CT by cubic B-spline, mask by nearest neighbour.

    Parameters
    ----------
    roi : Roi
        As read: any orientation and spacing.
    settings : Imaging
        `spacing_mm` is used.

    Returns
    -------
    Roi
        Equal, to 1e-6 of every feature, for all stored orientations of the same voxels (METHODS B5).
    """
    small = prepare_mask(roi, settings)
    image = resample_image(to_lps(roi.ct), settings.spacing_mm)
    return Roi(image, Volume(small.array, image.affine), roi.case_id, roi.acquisition, roi.warnings)


def prepare_mask(roi: Roi, settings: Imaging) -> Volume:
    """The mask of `prepare` alone; refused where no voxel of it is left on the grid.

    Parameters
    ----------
    roi : Roi
        As read.
    settings : Imaging
        `spacing_mm` is used.
    """
    small = resample_mask(to_lps(Volume(roi.mask.array, roi.ct.affine)), settings.spacing_mm)
    if not small.array.any():
        raise InputError(
            "E_MASK_SMALL", roi.case_id, f"the mask has no voxel left at {settings.spacing_mm:g} mm",
            "give a mask of the whole vertebral body",
        )  # fmt: skip
    return small
