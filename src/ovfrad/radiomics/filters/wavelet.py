"""Stationary wavelet transform of the image inside a box: PyRadiomics' wavelet images from a crop.

PyRadiomics pads odd sides to even ones by wrapping, transforms the whole image with PyWavelets' `swtn`, and crops.
Of that image the transform of a box needs only as many voxels beyond the box as the filter reaches, taken from the
opposite side where they lie beyond the border.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.box import Box

Range = tuple[int, int]


def wavelets(
    image: np.ndarray,
    box: Box,
    *,
    wavelet: str = "coif1",
    level: int = 1,
    start_level: int = 0,
    flat_axis: int | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """Each wavelet image inside `box` with PyRadiomics' name for it.

    A level filters the smooth image of the one before with the same filters: PyRadiomics calls the transform one
    level at a time, so they are not dilated as in the à-trous algorithm. The detail images of each level come first,
    the smooth image of the last one at the end.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        The whole image; float32 is transformed in single precision, anything else in double, as PyWavelets does.
    box : three slices
        Where values are wanted.
    wavelet : str
        One of `pywt.wavelist(kind="discrete")`.
    level : int
        Number of levels, 1 or more; beyond the first they are numbered in the name.
    start_level : int
        Levels that are passed over before the first one; they are not counted in the name.
    flat_axis : int, optional
        Array axis that is not filtered (PyRadiomics' force2D); the names then have two letters.

    Yields
    ------
    str, ndarray
        Name such as "wavelet-LLH" (letters for axes i, j, k in this order: L low-pass, H high-pass), and the values.
        Without normalisation: PyWavelets' convention, a constant c gives c sqrt(8) in LLL.

    Raises
    ------
    InputError
        E_SETTING_VALUE: no such wavelet.
    """
    axes = tuple(axis for axis in (2, 1, 0) if axis != flat_axis)
    smooth_name = "L" * len(axes)
    scope = _Scope(image.shape, box, axes, len(filters(wavelet)[0]))
    smooth = scope.read(image, start_level + level)
    taps = filters(wavelet, str(smooth.dtype))
    for left in range(start_level + level, 0, -1):
        number, inside = level - left + 1, scope.inside(left - 1)
        passes = [_Pass(axis, *taps, scope.wrapped(axis, left)) for axis in axes]
        for name, values in _bands(scope.extend(smooth, left), passes):
            if name == smooth_name:
                smooth = values
                if number < 1:
                    break
            else:
                yield f"{_prefix(number)}-{name}", values[inside]
    yield f"{_prefix(level)}-{smooth_name}", smooth[scope.inside(0)]


def _prefix(number: int) -> str:
    return "wavelet" if number == 1 else f"wavelet{number}"


@lru_cache(maxsize=1)
def known_wavelets() -> tuple[str, ...]:
    """Names of the discrete wavelets of PyWavelets."""
    import pywt

    return tuple(pywt.wavelist(kind="discrete"))


@lru_cache(maxsize=8)
def filters(wavelet: str, precision: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Low-pass and high-pass decomposition filters of a wavelet, of one even length (PyWavelets).

    They are read off the transform of a unit impulse: PyWavelets has coefficients of its own for single precision,
    which differ from the rounded ones in the last bit.

    >>> [taps.round(3).tolist() for taps in filters("haar")]
    [[0.707, 0.707], [-0.707, 0.707]]
    """
    import pywt

    if wavelet not in known_wavelets():
        known = ", ".join(known_wavelets())
        raise InputError("E_SETTING_VALUE", "wavelet", f"{wavelet!r} is no wavelet", f"give one of {known}")
    taps = pywt.Wavelet(wavelet).dec_len
    impulse = np.zeros(2 * taps, precision)
    impulse[taps // 2] = 1
    low, high = pywt.swt(impulse, wavelet, level=1)[0]
    return low[:taps].copy(), high[:taps].copy()


class _Pass(NamedTuple):
    """Filters along one axis; `wrapped` orders their coefficients, see `wavelet_kernels`."""

    axis: int
    low: np.ndarray
    high: np.ndarray
    wrapped: np.ndarray

    def channels(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low-pass and high-pass channel; the axis loses the filter's length less one."""
        from ovfrad.radiomics.filters.wavelet_kernels import across_rows, along_rows

        k, j, i = values.shape
        if self.axis == 2:
            low, high = along_rows(values.reshape(k * j, i), *self[1:])
        else:
            low, high = across_rows(values.reshape((k, j, 1, i) if self.axis == 1 else (1, k, j, i)), *self[1:])
        shape = [k, j, i]
        shape[self.axis] -= self.low.size - 1
        return low.reshape(shape), high.reshape(shape)


def _bands(values: np.ndarray, passes: Sequence[_Pass], name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All bands of a block, in PyWavelets' order.

    Bands share the passes they have in common, and a pass is made when the first band that needs it is asked for:
    at most one block per axis waits.
    """
    if not passes:
        yield name, values
        return
    low, high = passes[0].channels(values)
    yield from _bands(low, passes[1:], name + "L")
    del low
    yield from _bands(high, passes[1:], name + "H")


class _Scope:
    """Which positions of the periodic image are held while levels are left to do.

    An axis of n voxels has the period n, or n + 1 where n is odd: the position n then repeats voxel 0. With T filter
    coefficients a level's value at x needs x - T/2 + 1 .. x + T/2. No more than one period is ever held, so that
    many levels of a long filter cost no more than the image.
    """

    def __init__(self, shape: tuple[int, ...], box: Box, axes: tuple[int, ...], taps: int) -> None:
        self.shape, self.axes = shape, axes
        self.box = [part.indices(size)[:2] for part, size in zip(box, shape, strict=True)]
        self.period = [size + size % 2 for size in shape]
        self.before, self.after = taps // 2 - 1, taps // 2

    def held(self, axis: int, left: int) -> Range:
        """First and last-but-one position along an axis with `left` levels to do."""
        start, stop = self.box[axis]
        if axis in self.axes:
            start, stop = start - left * self.before, stop + left * self.after
            if stop - start >= self.period[axis]:
                return 0, self.period[axis]
        return start, stop

    def inside(self, left: int) -> Box:
        """Where the box lies in what is held."""
        first = [self.held(axis, left)[0] for axis in range(3)]
        return tuple(slice(a - f, b - f) for (a, b), f in zip(self.box, first, strict=True))  # type: ignore[return-value]

    def wrapped(self, axis: int, left: int) -> np.ndarray:
        """For each position to compute, how many coefficients reach beyond the end of the period."""
        at = np.arange(*self.held(axis, left - 1)) % self.period[axis]
        return np.maximum(at + self.after + 1 - self.period[axis], 0)

    def read(self, image: np.ndarray, left: int) -> np.ndarray:
        """Take what is held with `left` levels to do from the image, in floating point."""
        held = [self.held(axis, left) for axis in range(3)]
        fits = [start >= 0 and stop <= size for (start, stop), size in zip(held, self.shape, strict=True)]
        values = image[tuple(slice(*part) if fit else slice(None) for part, fit in zip(held, fits, strict=True))]
        for axis in range(3):
            if not fits[axis]:
                at = np.arange(*held[axis]) % self.period[axis]
                at[at == self.shape[axis]] = 0
                values = values.take(at, axis)
        return np.array(values, np.float32 if values.dtype == np.float32 else np.float64, order="C")

    def extend(self, values: np.ndarray, left: int) -> np.ndarray:
        """Repeat a whole period as far as the filter reaches; other axes already hold enough."""
        for axis in self.axes:
            if self.held(axis, left) == (0, self.period[axis]):
                start, stop = self.held(axis, left - 1)
                at = np.arange(start - self.before, stop + self.after) % self.period[axis]
                values = values.take(at, axis)
        return np.ascontiguousarray(values)
