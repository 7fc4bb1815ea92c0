"""Laplacian of Gaussian, as ITK's recursive filter gives it, computed inside a box only and by matrix products.

ITK's `LaplacianRecursiveGaussianImageFilter`, which PyRadiomics uses, runs Deriche's fourth-order recursions over
every line of the image. On a line that goes on for ever with its end values (ITK's rule at the border) the two
recursions, forward and backward, amount to a convolution with a symmetric kernel: two damped oscillations,

    kernel(t) = Re(c1 p1^|t|) + Re(c2 p2^|t|),

one pair (c1, c2) for the Gaussian and one for its second derivative, the same poles p1, p2 for both. Hence what
lies left of the box enters through four numbers a line, Re and Im of sum_u x(u) p^(distance of u to the box), for p1
and p2, and so does what lies right of it. `compress` replaces the image by the box and these numbers along each of
the axes; `expand` makes the Laplacian from them. Both are products of small dense matrices, exact but for rounding.

Arrays are (k, j, i); spacings are in mm in that order.

R. Deriche, Recursively implementing the Gaussian and its derivatives, INRIA report 1893 (1993); G. Farneback and
C.-F. Westin, Improving Deriche-style recursive Gaussian filters, J. Math. Imaging Vis. 26 (2006) 293, whose
coefficients and normalisation ITK uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ovfrad.errors import InputError, warn

RATES = np.array([-1.3932 + 0.6681j, -1.3732 + 2.0787j])
"""Logarithms of the two poles for a sigma of one voxel: damping and frequency of the two oscillations."""

WEIGHTS = np.array([[1.3530 - 1.8151j, -0.3531 - 0.0902j], [-1.3563 - 5.2318j, 0.3446 + 2.2355j]])
"""Amplitudes a - ib of a cos + b sin before normalisation: rows Gaussian, second derivative; columns as `RATES`."""

TAIL = 5e-10
"""Sum of |kernel| that may lie beyond the margin around the box: 1e-6 HU for a contrast of 2000 HU, a tenth of what
ITK itself loses by keeping its intermediate images in single precision (1e-5 HU)."""

NARROWEST = 1 / 20
"""Smallest sigma, in voxels: there the kernels agree with ITK's to 1e-4; below, both are differences of nearly equal
numbers with no digit left."""

SLAB = 2**17
"""Voxels converted to float64 at a time: 1 MB, so that a slab is still in the cache when it is compressed."""


@dataclass(frozen=True)
class _Axis:
    """The filters along one axis, for all sigmas (S), with m voxels of the box and c = m + 8 numbers a line.

    Attributes
    ----------
    low, high : int
        The image is read from low to high and goes on with the values found at these ends.
    start, size : int
        First voxel of the box, and its m voxels.
    left, right : ndarray (4 S, voxels)
        From the voxels before and after the box to four numbers each, for every sigma.
    matrices : ndarray (S, 2, m, c)
        From [box, 4 left, 4 right] to the Gaussian (0) and to sigma^2 times the second derivative (1) in the box.
    """

    low: int
    high: int
    start: int
    size: int
    left: np.ndarray
    right: np.ndarray
    matrices: np.ndarray

    @property
    def read(self) -> slice:
        """The voxels that are read, on the axis of the image."""
        return slice(self.low, self.high)

    @property
    def inside(self) -> slice:
        """The box, among the voxels read."""
        return slice(self.start - self.low, self.start - self.low + self.size)

    @property
    def before(self) -> slice:
        """The voxels that `left` takes, among those read: the first of the box where nothing lies before it."""
        return slice(self.left.shape[1])

    @property
    def after(self) -> slice:
        """The voxels that `right` takes, among those read."""
        return slice(self.high - self.low - self.right.shape[1], None)


def laplacians_of_gaussian(
    image: np.ndarray, spacing: tuple[float, float, float], sigmas: Iterable[float], box: tuple[slice, slice, slice]
) -> dict[float, np.ndarray]:
    """Scale-normalised Laplacian of Gaussian of the whole image, inside a box.

    sigma^2 (d2/dk2 + d2/dj2 + d2/di2) of the image smoothed by a Gaussian of standard deviation sigma, by the same
    approximation as ITK's `LaplacianRecursiveGaussianImageFilter` with `NormalizeAcrossScale`; equal to it within
    the rounding of ITK's single-precision intermediates (2e-5 HU on CT).

    Parameters
    ----------
    image : ndarray (k, j, i)
        Intensities (HU) of any real type; only the box and the reach of the filter around it are read.
    spacing : (k, j, i) in mm
    sigmas : floats
        Standard deviations in mm.
    box : three slices
        Where the result is wanted; not empty.

    Returns
    -------
    dict
        From sigma to an array of the shape of the box, float64, in the unit of the image. As in PyRadiomics, a
        sigma for which the image is too small is left out, with the warning `W_LOG_SIZE`.

    Raises
    ------
    InputError
        `E_LOG_SIGMA` for a sigma that is not above 0, or less than a twentieth of a voxel.

    Examples
    --------
    >>> image = np.add.outer(np.arange(31.0) ** 2, np.zeros((9, 9)))  # second derivative 2
    >>> middle = (slice(15, 16), slice(4, 5), slice(4, 5))
    >>> laplacians_of_gaussian(image, (1.0, 1.0, 1.0), [1.5], middle)[1.5].round(3)
    array([[[4.5]]])
    """
    usable = [sigma for sigma in dict.fromkeys(sigmas) if _fits(image.shape, spacing, sigma)]
    if not usable:
        return {}
    scales = np.array(usable, dtype=float)
    axes = [_axis(n, where, scales / step) for n, where, step in zip(image.shape, box, spacing, strict=True)]
    lines = compress(image, axes)
    found = np.empty((scales.size, *(axis.size for axis in axes)))
    for number, target in enumerate(found):
        expand(_of_one_sigma(lines, number, axes), [axis.matrices[number] for axis in axes], target)
    return dict(zip(usable, found, strict=True))


def _fits(shape: tuple[int, ...], spacing: tuple[float, ...], sigma: float) -> bool:
    """Whether PyRadiomics would filter an image of this shape: 4 voxels and 1 + sigma in every direction."""
    if not NARROWEST * max(spacing) <= sigma < np.inf or sigma <= 0:
        fault, least = f"sigma is {sigma:g} mm", f"{NARROWEST * max(spacing):g} mm"
        raise InputError("E_LOG_SIGMA", "LoG", fault, f"give at least {least}, a twentieth of the longest voxel edge")
    needed = [max(4, int(np.ceil(sigma / step)) + 1) for step in spacing]
    if all(have >= need for have, need in zip(shape, needed, strict=True)):
        return True
    fault = f"an image of {_times(shape)} voxels is too small for sigma {sigma:g} mm, which needs {_times(needed)}"
    warn("W_LOG_SIZE", "LoG", fault, "this sigma is left out")
    return False


def _times(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def kernels(sigmas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernels of the Gaussian and of sigma^2 times its second derivative, for each sigma (S,) in voxels.

    The Gaussian's sums to 1; the second derivative's gives 0 for a constant and sigma^2 for x^2 / 2.

    Returns
    -------
    rates : ndarray (S, 2), complex
        Logarithms of the two poles.
    amplitudes : ndarray (S, 2, 2), complex
        For each sigma, order (Gaussian, second derivative) and pole; kernel(t) = sum over poles of
        Re(amplitude exp(rate |t|)).

    Examples
    --------
    >>> rates, amplitudes = kernels(np.array([2.0]))
    >>> t = np.arange(-60, 61)
    >>> kernel = (amplitudes @ np.exp(rates[..., None] * abs(t))).real
    >>> kernel.sum(axis=-1).round(9) + 0, (kernel[0, 1] @ t**2).round(9)
    (array([[1., 0.]]), np.float64(8.0))
    """
    rates = RATES / sigmas[:, None]
    pole, rest = np.exp(rates), -np.expm1(rates)

    def total(amplitude: np.ndarray) -> np.ndarray:
        return np.sum((2 * amplitude / rest - amplitude).real, axis=-1, keepdims=True)

    gaussian = WEIGHTS[0] / total(WEIGHTS[0])
    second = WEIGHTS[1] - total(WEIGHTS[1]) * gaussian
    moment = np.sum((second * pole * (1 + pole) / rest**3).real, axis=-1, keepdims=True)  # of t^2, t >= 0
    return rates, np.stack([gaussian, second * sigmas[:, None] ** 2 / moment], axis=1)


def _axis(size: int, interval: slice, sigmas: np.ndarray) -> _Axis:
    """Prepare the filters along an axis of `size` voxels for a box at `interval`; sigmas (S,) in voxels."""
    rates, amplitudes = kernels(sigmas)
    start, stop, _ = interval.indices(size)
    reach = _reach(rates, amplitudes)
    low, high = max(0, start - reach), min(size, stop + reach)
    left, right = _outside(rates, start - low)[:, ::-1], _outside(rates, high - stop)
    return _Axis(low, high, start, stop - start, left, right, _matrices(rates, amplitudes, stop - start))


def _reach(rates: np.ndarray, amplitudes: np.ndarray) -> int:
    """Voxels beyond which the kernels of every sigma sum to less than `TAIL`."""
    damping = -rates.real
    sums = (abs(amplitudes) / -np.expm1(-damping)[:, None]).sum(axis=2).max(axis=1)
    return int(np.ceil(np.max(np.log(sums / TAIL) / damping.min(axis=1))))


def _outside(rates: np.ndarray, voxels: int) -> np.ndarray:
    """Re and Im of p^distance (4 S, voxels or 1): the last voxel also stands for all that follow, equal to it.

    A box at the border has no voxels outside: then the one column is for the voxel of the box at the border.
    """
    distance = np.arange(max(voxels, 1))
    powers = np.exp(rates[..., None] * distance) * (distance < voxels)
    powers[..., -1] -= np.exp(rates * voxels) / np.expm1(rates)
    return np.stack([powers.real, powers.imag], axis=2).reshape(-1, distance.size)


def _matrices(rates: np.ndarray, amplitudes: np.ndarray, size: int) -> np.ndarray:
    """`_Axis.matrices` for a box of `size` voxels."""
    place = np.arange(size)
    waves = amplitudes[..., None] * np.exp(rates[:, None, :, None] * np.arange(size + 1))
    matrices = np.empty((*waves.shape[:2], size, size + 8))
    matrices[..., :size] = waves.real.sum(axis=2)[..., abs(place[:, None] - place)]
    left = np.stack([waves.real, -waves.imag], axis=3)[..., 1:]  # (S, order, pole, part, voxel)
    left = left.reshape(*waves.shape[:2], 4, size).swapaxes(2, 3)
    matrices[..., size : size + 4], matrices[..., size + 4 :] = left, left[..., ::-1, :]
    return matrices


def compress(image: np.ndarray, axes: list[_Axis]) -> np.ndarray:
    """Box and outside of every line, along the three axes in turn, for all sigmas (S) at once.

    Returns
    -------
    ndarray (m0 + 8 S, m1 + 8 S, m2 + 8 S)
        Along each axis the box, then 4 S numbers left of it, then 4 S right of it.
    """
    first = axes[0]
    lines = _compress_slices(image, axes)
    out = np.empty((first.size + 2 * len(first.left), *lines.shape[1:]))
    _compress_rows(lines.reshape(len(lines), -1), first, out.reshape(len(out), -1))
    return out


def _compress_slices(image: np.ndarray, axes: list[_Axis]) -> np.ndarray:
    """Compress the last two axes, a few slices at a time: (high - low, m1 + 8 S, m2 + 8 S)."""
    first, middle, last = axes
    both = 2 * len(last.left)
    rows, columns = middle.high - middle.low, last.high - last.low
    lines = np.empty((first.high - first.low, middle.size + both, last.size + both))
    step = max(1, SLAB // (rows * columns))
    for k in range(0, len(lines), step):
        target = lines[k : k + step]
        part = (slice(first.low + k, first.low + k + len(target)), middle.read, last.read)
        slab = image[part].astype(np.float64, order="C")
        ends = np.empty((len(target), rows, both))
        flat, out = slab.reshape(-1, columns), ends.reshape(-1, both)
        np.matmul(flat[:, last.before], last.left.T, out=out[:, : both // 2])
        np.matmul(flat[:, last.after], last.right.T, out=out[:, both // 2 :])
        _compress_rows(slab[:, :, last.inside], middle, target[:, :, : last.size])
        _compress_rows(ends, middle, target[:, :, last.size :])
    return lines


def _compress_rows(image: np.ndarray, axis: _Axis, out: np.ndarray) -> None:
    """Compress the last axis but one, from (..., high - low, n) to (..., m + 8 S, n)."""
    half = axis.size + len(axis.left)
    out[..., : axis.size, :] = image[..., axis.inside, :]
    np.matmul(axis.left, image[..., axis.before, :], out=out[..., axis.size : half, :])
    np.matmul(axis.right, image[..., axis.after, :], out=out[..., half:, :])


def _of_one_sigma(lines: np.ndarray, number: int, axes: list[_Axis]) -> np.ndarray:
    """Box, 4 left and 4 right of one sigma along each axis, (c0, c1, c2), from those of all sigmas."""
    own = np.empty([axis.size + 8 for axis in axes])
    sources, targets = [], []
    for axis in axes:
        left = axis.size + 4 * number
        right = left + len(axis.left)
        sources.append((slice(axis.size), slice(left, left + 4), slice(right, right + 4)))
        targets.append((slice(axis.size), slice(axis.size, axis.size + 4), slice(axis.size + 4, None)))
    for target, source in zip(product(*targets), product(*sources), strict=True):
        own[target] = lines[source]
    return own


def expand(numbers: np.ndarray, matrices: list[np.ndarray], out: np.ndarray) -> None:
    """Laplacian in the box from the compressed image (c0, c1, c2) and the matrices (2, m, c) of each axis.

    With G and D for Gaussian and second derivative: D0 G1 G2 + G0 (D1 G2 + G1 D2), in this order of multiplication:
    (G0, D0), then ([D1 | G1] for the second axis of that pair, G1), then [G2 | D2]; each is one large product.
    """
    (m0, m1, m2), (c0, c1, c2) = out.shape, numbers.shape
    first = matrices[0].swapaxes(0, 1).reshape(2 * m0, c0)
    middle = matrices[1][::-1].swapaxes(0, 1).reshape(m1, 2 * c1)
    last = matrices[2].swapaxes(1, 2).reshape(2 * c2, m2)
    slices = (first @ numbers.reshape(c0, -1)).reshape(m0, 2 * c1, c2)
    rows = np.empty((m0, m1, 2, c2))
    np.matmul(middle, slices, out=rows[:, :, 0])
    np.matmul(middle[:, c1:], slices[:, :c1], out=rows[:, :, 1])
    np.matmul(rows.reshape(-1, 2 * c2), last, out=out.reshape(-1, m2))
