"""Local binary patterns slice by slice (Ojala, Pietikäinen and Mäenpää 2002), as scikit-image computes them.

A pattern tells which of P samples on a circle of radius R around a voxel are at least as large as the voxel. Samples
are interpolated bilinearly, in double precision and with the voxel's position in the whole image, because in flat
regions the comparison hangs on the last bit; beyond the image's border there are zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.box import Box

SLICE_AXES = ((0, 1, 2), (1, 0, 2), (2, 1, 0))
"""For each axis across slices: that axis, and those of a slice's rows and columns; PyRadiomics swaps axis 0 with it."""

MOST_SAMPLES = 31
"""Codes are sums of powers of two in 32-bit integers."""


def local_binary_patterns(
    image: np.ndarray, box: Box, *, radius: float = 1.0, samples: int = 8, method: str = "uniform", axis: int = 0
) -> np.ndarray:
    """Pattern of each voxel inside `box`, as a number.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        The whole image.
    box : three slices
        Where values are wanted.
    radius : float
        R, voxels: slices are taken as isotropic.
    samples : int
        P, from 1 to 31. The first lies in the direction of columns, the others follow against the order of rows.
    method : {"default", "ror", "uniform", "nri_uniform", "var"}
        A bit for each sample; the smallest of its rotations; the number of ones where there are at most two changes
        from sample 0 to P - 1 and P + 1 elsewhere; the same numbered by rotation too; the variance of the samples.
    axis : int
        Array axis across slices (PyRadiomics' force2Ddimension).

    Returns
    -------
    ndarray, shape of the box, of the image's type
        PyRadiomics keeps patterns in the image's type, so the variance in an integer image loses its decimals.
        Where all samples are equal the variance is 0; scikit-image has NaN there.

    Raises
    ------
    InputError
        E_IMAGE_TYPE: a number does not fit the image's type (PyRadiomics lets it overflow).
    """
    slices = image.transpose(SLICE_AXES[axis])
    bounds = [box[a].indices(image.shape[a])[:2] for a in SLICE_AXES[axis]]
    margin = int(np.ceil(radius)) + 1
    around = _with_zeros_beyond(slices, bounds, margin)
    centre = around[:, margin:-margin, margin:-margin]
    found = METHODS[method](centre, _on_circle(around, bounds, margin, radius, samples), samples)
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        if found.size and not (limits.min <= found.min() and found.max() <= limits.max):
            fault = f"patterns up to {found.max():g} do not fit the image's type, {image.dtype}"
            raise InputError("E_IMAGE_TYPE", "LBP2D", fault, "use fewer lbp2DSamples, or an image of type float")
    # SLICE_AXES only swap two axes, so that they are their own inverse
    return np.ascontiguousarray(found.astype(image.dtype).transpose(SLICE_AXES[axis]))


def _with_zeros_beyond(slices: np.ndarray, bounds: list[tuple[int, int]], margin: int) -> np.ndarray:
    """The box and a margin within its slices, float64."""
    (first, last), *sides = bounds
    part, width = [slice(first, last)], [(0, 0)]
    for (start, stop), size in zip(sides, slices.shape[1:], strict=True):
        part.append(slice(max(start - margin, 0), min(stop + margin, size)))
        width.append((max(margin - start, 0), max(stop + margin - size, 0)))
    return np.pad(slices[tuple(part)].astype(np.float64), width)


def _on_circle(
    around: np.ndarray, bounds: list[tuple[int, int]], margin: int, radius: float, samples: int
) -> Iterator[np.ndarray]:
    """Values of one sample after the other, each for all voxels of the box."""
    radius = float(np.float32(radius))
    angle = 2 * np.pi * np.arange(samples, dtype=np.float64) / samples
    offsets = np.round([-radius * np.sin(angle), radius * np.cos(angle)], 5)
    for down, right in offsets.T:
        top, bottom, part_r = _neighbours(bounds[1], down, margin)
        left, beyond, part_c = _neighbours(bounds[2], right, margin)
        part_r = part_r[:, np.newaxis]
        upper, lower = around[:, top], around[:, bottom]
        above = (1 - part_c) * upper[:, :, left] + part_c * upper[:, :, beyond]
        below = (1 - part_c) * lower[:, :, left] + part_c * lower[:, :, beyond]
        yield (1 - part_r) * above + part_r * below


def _neighbours(bound: tuple[int, int], offset: float, margin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along one axis: where the two voxels beside each sample are in the padded box, and the second one's weight."""
    at = np.arange(*bound) + offset
    before = np.floor(at)
    shift = margin - bound[0]
    return before.astype(np.intp) + shift, np.ceil(at).astype(np.intp) + shift, at - before


def _bits(centre: np.ndarray, sampled: Iterator[np.ndarray]) -> np.ndarray:
    """Which samples reach the central voxel: bool, shape (P, slices, rows, columns)."""
    return np.stack([values >= centre for values in sampled])


def _code(centre: np.ndarray, sampled: Iterator[np.ndarray], samples: int) -> np.ndarray:
    bits = _bits(centre, sampled)
    code = np.zeros(centre.shape, np.int64)
    for p in range(samples):
        code |= bits[p].astype(np.int64) << p
    return code


def _smallest_rotation(centre: np.ndarray, sampled: Iterator[np.ndarray], samples: int) -> np.ndarray:
    code = _code(centre, sampled, samples)
    smallest = code
    for _ in range(samples - 1):
        code = (code >> 1) | ((code & 1) << (samples - 1))
        smallest = np.minimum(smallest, code)
    return smallest


def _uniform(centre: np.ndarray, sampled: Iterator[np.ndarray], samples: int) -> np.ndarray:
    bits = _bits(centre, sampled)
    changes = (bits[1:] != bits[:-1]).sum(axis=0)
    return np.where(changes <= 2, bits.sum(axis=0), samples + 1)


def _uniform_by_rotation(centre: np.ndarray, sampled: Iterator[np.ndarray], samples: int) -> np.ndarray:
    """0: no ones; then P rotations for each number of ones from 1 to P - 1; then all ones, and all other patterns."""
    bits = _bits(centre, sampled)
    changes, ones = (bits[1:] != bits[:-1]).sum(axis=0), bits.sum(axis=0)
    first_one, first_zero = bits.argmax(axis=0), bits.argmin(axis=0)
    rotation = np.where(first_one == 0, ones - first_zero, samples - first_one)
    number = 1 + (ones - 1) * samples + rotation
    number = np.where(ones == 0, 0, np.where(ones == samples, samples * (samples - 1) + 1, number))
    return np.where(changes <= 2, number, samples * (samples - 1) + 2)


def _variance(centre: np.ndarray, sampled: Iterator[np.ndarray], samples: int) -> np.ndarray:
    total, squares = np.zeros(centre.shape), np.zeros(centre.shape)
    for values in sampled:
        total += values
        squares += values * values
    return (squares - total * total / samples) / samples


METHODS: dict[str, Callable[[np.ndarray, Iterator[np.ndarray], int], np.ndarray]] = {
    "default": _code,
    "ror": _smallest_rotation,
    "uniform": _uniform,
    "nri_uniform": _uniform_by_rotation,
    "var": _variance,
}
