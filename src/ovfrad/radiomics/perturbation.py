"""Perturbations of one reader's region: what a second reader or a second scan might have given (METHODS C3).

After Zwanenburg et al. (Sci Rep 2019;9:614): image and mask are moved together against the voxel grid by a shift and
a rotation, noise is added to the image, and the contour is redrawn. A feature that survives this (ICC over the
perturbed copies) is likely to survive a second reader.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ovfrad.errors import InputError

if TYPE_CHECKING:
    from ovfrad.imaging.volume import Roi

CONTOUR_SCALE_MM = 8.0
"""Distance over which a redrawn contour stays on one side of the old one (SD of the smoothing kernel)."""


def perturb(
    roi: Roi,
    rng: np.random.Generator,
    *,
    contour_mm: float = 0.5,
    translation_mm: float = 0.5,
    rotation_deg: float = 3.0,
    noise_hu: float = 10.0,
) -> Roi:
    """Draw one perturbed copy of a region; the copy lies on the same grid.

    Parameters
    ----------
    roi : Roi
        Region with some tissue round the mask; beyond its border the nearest voxel is repeated.
    rng : Generator
        Source of all randomness: the same state gives the same copy.
    contour_mm : float
        SD of the contour's displacement along its normal, a smooth random field over the surface, mm. A third of
        its variance is common to the whole surface, so that readers draw larger or smaller as well as elsewhere.
    translation_mm : float
        SD of the shift along each axis, mm.
    rotation_deg : float
        SD of the rotation about each patient axis through the mask's centre, degrees.
    noise_hu : float
        SD of white noise added to the image, HU.

    Returns
    -------
    Roi
        With the case's name and acquisition; 0 for all four returns equal voxels.
    """
    sizes = {
        "contour_mm": contour_mm,
        "translation_mm": translation_mm,
        "rotation_deg": rotation_deg,
        "noise_hu": noise_hu,
    }
    for name, sd in sizes.items():
        if not 0 <= sd < np.inf:
            raise InputError("E_PERTURB", name, f"{sd} is not a number from 0 up", "it is a standard deviation")
    shift, angles = rng.normal(size=3) * translation_mm, np.deg2rad(rng.normal(size=3) * rotation_deg)
    distance = signed_distance(roi.mask.array, roi.ct.spacing[::-1])
    image = roi.ct.array.astype(np.float64)
    if translation_mm > 0 or rotation_deg > 0:
        image, distance = _move(roi, image, distance, shift, angles)
    if contour_mm > 0:
        distance = distance + contour_mm * _contour_field(distance.shape, roi.ct.spacing[::-1], rng)
    if noise_hu > 0:
        image = image + rng.normal(scale=noise_hu, size=image.shape)
    mask = distance > 0
    if not mask.any():
        fault = f"nothing is left of a mask of {int(roi.mask.array.sum())} voxels after perturbation"
        raise InputError("E_PERTURBED_EMPTY", roi.case_id, fault, f"use a contour_mm below {contour_mm:g}")
    ct = replace(roi.ct, array=image.astype(np.float32))
    return replace(roi, ct=ct, mask=replace(roi.mask, array=mask))


def signed_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance from the mask's surface, positive inside, float64 of the mask's shape (k, j, i), mm.

    The surface is taken halfway between a voxel inside and its neighbour outside, so that no voxel has distance 0. The
    border of the image is no surface: what lies beyond is unknown.
    """
    from scipy.ndimage import distance_transform_edt

    if mask.all():
        return np.full(mask.shape, float(np.dot(mask.shape, spacing)))
    inside = distance_transform_edt(mask, sampling=spacing)
    outside = distance_transform_edt(~mask, sampling=spacing)
    half = min(spacing) / 2
    return np.where(mask, np.maximum(inside - half, half), -np.maximum(outside - half, half))


def _contour_field(shape: tuple[int, ...], spacing: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Displacement of the contour: smooth noise plus one common step, SD 1 together, (k, j, i)."""
    from scipy.ndimage import gaussian_filter

    common = rng.normal()
    noise = gaussian_filter(rng.normal(size=shape), [CONTOUR_SCALE_MM / step for step in spacing], mode="wrap")
    sd = noise.std()
    local = (noise - noise.mean()) / sd if sd > 0 else noise
    return np.sqrt(2 / 3) * local + np.sqrt(1 / 3) * common


def _move(
    roi: Roi, image: np.ndarray, distance: np.ndarray, shift: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shift (LPS mm) and rotate (about the LPS axes, rad) image and distance map; cubic and linear interpolation."""
    from scipy.ndimage import affine_transform
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_euler("xyz", angles).as_matrix()
    to_patient = roi.ct.affine[:3, :3][:, ::-1]  # columns k, j, i
    in_voxels = np.linalg.solve(to_patient, rotation @ to_patient)
    centre = np.argwhere(roi.mask.array).mean(axis=0)
    offset = centre - in_voxels @ centre + np.linalg.solve(to_patient, shift)
    moved = affine_transform(image, in_voxels, offset, order=3, mode="nearest")
    return moved, affine_transform(distance, in_voxels, offset, order=1, mode="nearest")
