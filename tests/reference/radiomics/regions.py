"""Seeded regions of interest, numpy alone, so that the generator's and the tests' environments build the same.

Every region is (image (k, j, i), mask (k, j, i), spacing (k, j, i) mm, settings); intensities are rounded so that
no platform's arithmetic moves one across a bin edge.
"""

from __future__ import annotations

import numpy as np

Region = tuple[np.ndarray, np.ndarray, tuple[float, float, float], dict]


def _grid(shape):
    return np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")


def _texture(rng, shape, reach):
    """White noise, smoothed by moving means over 2 x reach + 1 voxels along each axis; SD 1."""
    noise = rng.standard_normal(shape)
    for axis in range(3):
        noise = sum(np.roll(noise, shift, axis) for shift in range(-reach, reach + 1))
    return noise / noise.std()


def vertebra() -> Region:
    """A vertebral body at 1 mm: waist, concave endplates, dense shell, trabecular texture of two scales."""
    rng = np.random.default_rng(7)
    shape = (44, 54, 60)
    k, j, i = _grid(shape)
    outline = (np.abs(i) / 22.5) ** 2.6 + (np.abs(j) / 17.5) ** 2.4
    height = 14 * (1 - 0.12 * np.exp(-(i**2 + j**2) / 200))
    mask = (outline < 1 - 0.1 * np.cos(np.pi * k / 28) ** 2) & (np.abs(k) < height)
    texture = 50 * _texture(rng, shape, 1) + 30 * _texture(rng, shape, 3)
    core = mask.copy()
    for axis in range(3):
        core &= np.roll(mask, 1, axis) & np.roll(mask, -1, axis)
    image = np.where(mask, 120 + texture, 40 + 0.2 * texture) + np.where(mask & ~core, 220, 0)
    return np.round(image + 12 * rng.standard_normal(shape)).astype(np.int16), mask, (1.0, 1.0, 1.0), {}


def anisotropic() -> Region:
    """Two ragged parts with holes on 3 x 0.7 x 0.9 mm voxels; intensities with one decimal; other settings."""
    rng = np.random.default_rng(11)
    shape = (13, 40, 34)
    k, j, i = _grid(shape)
    lumps = _texture(rng, shape, 1)
    mask = ((k / 4.5) ** 2 + (j / 14) ** 2 + ((i + 3) / 11) ** 2 < 1 + 0.2 * lumps) & (lumps < 1.4)
    mask[2:5, 33:38, 28:33] = True
    image = np.round(80 * _texture(rng, shape, 2) + 30 * rng.standard_normal(shape), 1)
    return image, mask, (3.0, 0.7, 0.9), {"bin_width": 12.5, "gldm_a": 1, "voxel_array_shift": 300}


def border() -> Region:
    """A mask that fills three faces of a small image; a fixed number of bins."""
    rng = np.random.default_rng(13)
    image = np.round(100 * rng.standard_normal((9, 10, 11))).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[:5, :6, 4:] = rng.random((5, 6, 7)) < 0.7
    mask[0, 0, -1] = mask[4, 5, 4] = True
    return image, mask, (1.5, 1.0, 1.0), {"bin_count": 16}


def one_slice() -> Region:
    """A mask of one sagittal slice."""
    rng = np.random.default_rng(17)
    image = np.round(60 * rng.standard_normal((20, 18, 5))).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[3:17, 4:15, 2] = rng.random((14, 11)) < 0.9
    return image, mask, (1.0, 1.0, 2.0), {}


def two_slices_apart() -> Region:
    """Two slices with a gap: lines along k cross two voxels that do not touch, which still counts for the runs."""
    image, flat, spacing, _ = one_slice()
    mask = np.zeros(image.shape, bool)
    mask[:, :, 0] = mask[:, :, 4] = flat[:, :, 2]
    return image, mask, spacing, {}


def flat() -> Region:
    """One grey level."""
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 1:7, 3:5] = True
    return np.full(mask.shape, 30, np.int16), mask, (1.0, 1.0, 1.0), {}


REGIONS = {builder.__name__: builder for builder in (vertebra, anisotropic, border, one_slice, two_slices_apart, flat)}
