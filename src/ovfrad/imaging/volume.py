"""`Volume` and `Roi`: voxels with their place in the patient; valid when built, frozen afterwards.

Arrays are indexed (k, j, i) = slice, row, column, as numpy and SimpleITK hand them out. The affine maps the voxel
indices (i, j, k, 1) to millimetres in the DICOM patient system LPS (x to the left, y to the back, z to the head;
DICOM PS3.3 C.7.6.2.1.1); a voxel's position is its centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID_TOLERANCE = 0.01
"""Voxels by which two grids may differ and still count as one (METHODS B2): headers round, resampling shifts more."""


class _Axes:
    """Spacing and directions as an affine gives them."""

    affine: NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along (i, j, k), mm."""
        i, j, k = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(i), float(j), float(k)

    @property
    def origin(self) -> tuple[float, float, float]:
        """Centre of voxel (0, 0, 0), LPS mm."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vectors of the axes (i, j, k) as columns, LPS; shape (3, 3)."""
        return self.affine[:3, :3] / np.asarray(self.spacing)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, mm^3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))


@dataclass(frozen=True, eq=False)
class Grid(_Axes):
    """Places of the voxels of an image, known before any of them is read.

    Parameters
    ----------
    shape : tuple of int
        (k, j, i).
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) -> (x, y, z, 1), LPS mm.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Volume(_Axes):
    """A three-dimensional image on a regular grid.

    Parameters
    ----------
    array : ndarray, shape (k, j, i)
        Voxels: HU for CT, bool or integer labels for a mask.
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) -> (x, y, z, 1), LPS mm.

    Examples
    --------
    >>> volume = Volume(np.zeros((10, 64, 64)), np.diag([0.5, 0.5, 2.0, 1.0]))
    >>> volume.spacing
    (0.5, 0.5, 2.0)
    >>> Volume(np.zeros((64, 64)), np.eye(4))
    Traceback (most recent call last):
    ValueError: a Volume needs a non-empty 3-D array (k, j, i), not one of shape (64, 64)
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        array, affine = np.asarray(self.array), np.array(self.affine, dtype=np.float64)
        if array.ndim != 3 or array.size == 0:
            raise ValueError(f"a Volume needs a non-empty 3-D array (k, j, i), not one of shape {array.shape}")
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("a Volume needs a finite 4 x 4 affine")
        if not np.array_equal(affine[3], [0, 0, 0, 1]) or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise ValueError("the affine of a Volume needs a last row 0, 0, 0, 1 and three independent axes")
        affine.flags.writeable = False
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "affine", affine)

    @property
    def grid(self) -> Grid:
        """Where the voxels lie, without their values."""
        k, j, i = self.array.shape
        return Grid((k, j, i), self.affine)


@dataclass(frozen=True, eq=False)
class Roi:
    """One vertebra: CT and mask on one grid, cropped or whole.

    Parameters
    ----------
    ct : Volume
        HU, float32; of `read_rois` in the type of the file.
    mask : Volume
        bool, on the CT's grid, at least one voxel.
    case_id : str
        Name of the case in tables and messages.
    acquisition : mapping
        Facts of the CT's headers where it has them: manufacturer, model, kvp, ma, kernel, slice_thickness_mm,
        pixel_mm, contrast; header: DICOM where there was one. No patient data.
    warnings : tuple of str
        Reservations met while reading, one line `W_CODE file: fault; consequence` each.
    """

    ct: Volume
    mask: Volume
    case_id: str
    acquisition: Mapping[str, str | float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ct.array.dtype.kind not in "iuf" or self.mask.array.dtype != np.bool_:
            raise ValueError(
                f"a Roi needs a CT of numbers and a bool mask ({self.ct.array.dtype}, {self.mask.array.dtype})"
            )
        if self.ct.array.shape != self.mask.array.shape:
            raise ValueError(f"CT {self.ct.array.shape} and mask {self.mask.array.shape} of a Roi differ in shape")
        far = np.asarray([*self.ct.array.shape[::-1], 1.0])
        shift = np.linalg.solve(self.ct.affine, (self.mask.affine - self.ct.affine) * far)
        if np.abs(shift).sum(axis=1).max() > 2 * GRID_TOLERANCE:
            raise ValueError("CT and mask of a Roi lie on different grids")
        if not self.mask.array.any():
            raise ValueError("the mask of a Roi is empty")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Spacing along (i, j, k), mm."""
        return self.ct.spacing
