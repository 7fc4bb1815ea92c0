"""Seeded regions of interest, numpy alone, so that the generator's and the tests' environments build the same.

Every region is (image (k, j, i), mask (k, j, i), spacing (k, j, i) mm); the mask is boolean, or a label image where a
case asks for a label. Intensities are rounded so that no platform's arithmetic moves one across a bin edge.
"""

from __future__ import annotations

import numpy as np

Region = tuple[np.ndarray, np.ndarray, tuple[float, float, float]]


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
    return np.round(image + 12 * rng.standard_normal(shape)).astype(np.int16), mask, (1.0, 1.0, 1.0)


def anisotropic() -> Region:
    """Two ragged parts with holes on 2.5 x 0.7 x 0.9 mm voxels; intensities with one decimal."""
    rng = np.random.default_rng(11)
    shape = (13, 40, 34)
    k, j, i = _grid(shape)
    lumps = _texture(rng, shape, 1)
    mask = ((k / 4.5) ** 2 + (j / 14) ** 2 + ((i + 3) / 11) ** 2 < 1 + 0.2 * lumps) & (lumps < 1.4)
    mask[2:5, 33:38, 28:33] = True
    image = np.round(80 * _texture(rng, shape, 2) + 30 * rng.standard_normal(shape), 1)
    return image, mask, (2.5, 0.7, 0.9)


def border() -> Region:
    """A mask that fills three faces of a small image."""
    rng = np.random.default_rng(13)
    image = np.round(100 * rng.standard_normal((9, 10, 11))).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[:5, :6, 4:] = rng.random((5, 6, 7)) < 0.7
    mask[0, 0, -1] = mask[4, 5, 4] = True
    return image, mask, (1.5, 1.0, 1.0)


def one_slice() -> Region:
    """A mask of one sagittal slice."""
    rng = np.random.default_rng(17)
    image = np.round(60 * rng.standard_normal((20, 18, 5))).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[3:17, 4:15, 2] = rng.random((14, 11)) < 0.9
    return image, mask, (1.0, 1.0, 2.0)


def two_slices_apart() -> Region:
    """Two slices with a gap: lines along k cross two voxels that do not touch, which still counts for the runs."""
    image, flat, spacing = one_slice()
    mask = np.zeros(image.shape, bool)
    mask[:, :, 0] = mask[:, :, 4] = flat[:, :, 2]
    return image, mask, spacing


def flat() -> Region:
    """One grey level."""
    mask = np.zeros((8, 8, 8), bool)
    mask[2:6, 1:7, 3:5] = True
    return np.full(mask.shape, 30, np.int16), mask, (1.0, 1.0, 1.0)


def zeros() -> Region:
    """Nothing but zeros in the whole image."""
    image, mask, spacing = flat()
    return np.zeros_like(image), mask, spacing


def level() -> Region:
    """One grey level inside the mask, others around it."""
    image, mask, spacing = cube()
    return np.where(mask, 30, image).astype(np.int16), mask, spacing


def cube() -> Region:
    """A block of 5 x 4 x 3 voxels of noise inside an image of 8 x 8 x 8."""
    rng = np.random.default_rng(19)
    mask = np.zeros((8, 8, 8), bool)
    mask[2:7, 1:5, 3:6] = True
    return np.round(70 * rng.standard_normal(mask.shape)).astype(np.int16), mask, (1.0, 1.0, 1.0)


def whole() -> Region:
    """A mask that fills its image, of odd and even extents."""
    rng = np.random.default_rng(23)
    image = np.round(70 * rng.standard_normal((5, 6, 7))).astype(np.int16)
    return image, np.ones(image.shape, bool), (2.0, 1.0, 1.0)


def _block(*corner: slice | int) -> Region:
    image, mask, spacing = cube()
    mask = np.zeros_like(mask)
    mask[corner] = True
    return image, mask, spacing


def one_voxel() -> Region:
    """A mask of one voxel."""
    return _block(3, 4, 5)


def line() -> Region:
    """A mask of one row of voxels."""
    return _block(3, slice(1, 7), 5)


def plate_k() -> Region:
    """A mask of one slice across k."""
    return _block(3, slice(1, 7), slice(2, 6))


def plate_j() -> Region:
    """A mask of one slice across j."""
    return _block(slice(1, 7), 3, slice(2, 6))


def far_voxels() -> Region:
    """Three voxels without a neighbour among them, at two distances of 2 and more."""
    image, mask, spacing = _block(1, 1, 1)
    mask[4, 4, 1] = mask[4, 1, 7] = True
    return image, mask, spacing


def two_voxels() -> Region:
    """Two voxels, corner to corner."""
    image, mask, spacing = _block(1, 1, 1)
    mask[2, 2, 2] = True
    return image, mask, spacing


def chessboard() -> Region:
    """Every second voxel: neighbours along diagonals alone."""
    image, mask, spacing = cube()
    return image, np.indices(mask.shape).sum(axis=0) % 2 == 0, spacing


def thin() -> Region:
    """An image of three slices, too few for the recursive filter of LoG."""
    image, mask, spacing = cube()
    return image[2:5].copy(), mask[2:5].copy(), spacing


def single() -> Region:
    """An image of one slice."""
    image, mask, spacing = cube()
    return image[3:4].copy(), mask[3:4].copy(), spacing


def labels() -> Region:
    """Labels 1 and 2 side by side."""
    image, mask, spacing = cube()
    parts = mask.astype(np.uint8)
    parts[4:, mask.any(axis=(0, 2)), :] *= 2
    return image, parts, spacing


def empty() -> Region:
    """A mask without a voxel."""
    image, mask, spacing = cube()
    return image, np.zeros_like(mask), spacing


def million() -> Region:
    """A million voxels of smoothed noise."""
    rng = np.random.default_rng(29)
    image = np.round(100 * _texture(rng, (104, 102, 102), 1)).astype(np.int16)
    mask = np.zeros(image.shape, bool)
    mask[2:-2, 1:-1, 1:-1] = True
    return image, mask, (1.0, 1.0, 1.0)


REGIONS = {
    builder.__name__: builder
    for builder in (
        vertebra,
        anisotropic,
        border,
        one_slice,
        two_slices_apart,
        flat,
        zeros,
        level,
        cube,
        whole,
        one_voxel,
        line,
        plate_k,
        plate_j,
        far_voxels,
        two_voxels,
        chessboard,
        thin,
        single,
        labels,
        empty,
        million,
    )
}


def random_region(seed: int) -> Region:
    """A region drawn from a seed: size, spacing, kind of number, texture, one or two ragged parts."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(6, 24, 3))
    spacing = tuple(float(step) for step in np.round(rng.uniform(0.5, 3.0, 3), 2))
    lumps = _texture(rng, shape, 1)
    distance = sum((axis / (n / rng.uniform(2.3, 4.5))) ** 2 for axis, n in zip(_grid(shape), shape, strict=True))
    mask = distance < 1 + 0.4 * lumps
    mask[tuple(n // 2 for n in shape)] = mask[tuple(n // 2 - 1 for n in shape)] = True
    image = rng.uniform(-200, 400) + rng.uniform(20, 150) * (_texture(rng, shape, 1) + 0.5 * rng.standard_normal(shape))
    if rng.random() < 0.5:
        return np.round(image).astype(np.int16), mask, spacing
    return np.round(image, 2).astype(np.float64 if rng.random() < 0.5 else np.float32), mask, spacing


def build(name: str) -> Region:
    """The region of a name of `REGIONS`, or of `seed_` and a number."""
    return random_region(int(name.removeprefix("seed_"))) if name.startswith("seed_") else REGIONS[name]()
