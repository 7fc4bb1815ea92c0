"""From the image to the images features are taken from, each by PyRadiomics' name and inside the region's box only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ovfrad.errors import InputError, warn
from ovfrad.radiomics.box import Box
from ovfrad.radiomics.filters import pointwise
from ovfrad.radiomics.filters.options import read_options

Named = tuple[str, np.ndarray]


def filtered(
    image: np.ndarray,
    spacing: tuple[float, float, float],
    box: Box,
    image_types: Mapping[str, Mapping[str, Any] | None],
    *,
    force2d: bool = False,
    force2d_dimension: int = 0,
    where: str | Path = "image",
) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """Each filtered image, made when it is asked for; PyRadiomics' filter of the whole image, cut to the box.

    Take them one at a time: kept at once, the images of a large region cost memory, and page faults cost time.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        The whole image, after normalisation and resampling. It is never copied or converted as a whole; filters read
        the box and what they need around it, those of single intensities also the image's minimum and maximum.
    spacing : three floats
        Voxel size along (k, j, i), mm.
    box : three slices
        Where values are wanted.
    image_types : mapping
        PyRadiomics' `imageType`: name -> settings, whose order is that of the images. A setting that is no filter's
        (binWidth, ...) is given back.
    force2d, force2d_dimension : bool, int
        Wavelet and LBP2D stay within slices across this array axis. `force2D` and `force2Ddimension` among an image
        type's own settings come first, and are given back too.
    where : str or Path
        The image, for messages.

    Returns
    -------
    iterator of (str, ndarray, dict)
        Prefix of the features' names ("original", "log-sigma-1-0-mm-3D", "wavelet-LLH", "square", "squareroot",
        "logarithm", "exponential", "gradient", "lbp-2D"); the values, shape of the box ("original" and
        "wavelet-..." may be views); the settings that were not used.

    Raises
    ------
    InputError
        Before anything is computed. E_SETTING_UNKNOWN: no such image type; E_SETTING_UNSUPPORTED: LBP3D;
        E_SETTING_VALUE: a value no filter can have. E_IMAGE_ZERO while filtering: nothing to scale by.
    """
    source = _Source(image, spacing, box, where)
    planned = []
    for name, own in image_types.items():
        used, left = read_options(name, own)
        plane = _Plane(left.get("force2D", force2d), left.get("force2Ddimension", force2d_dimension))
        if plane.axis not in (0, 1, 2):
            fault = f"force2Ddimension: {plane.axis!r}"
            raise InputError("E_SETTING_VALUE", f"imageType {name}", fault, "give 0, 1 or 2")
        planned.append((FILTERS[name], plane, used, left))
    return _made(source, planned)


def _made(source: _Source, planned: list[Any]) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    for make, plane, used, left in planned:
        for prefix, values in make(source, plane, **used):
            yield prefix, values, dict(left)


class _Plane(NamedTuple):
    """PyRadiomics' force2D and force2Ddimension."""

    forced: bool
    axis: int

    @property
    def flat_axis(self) -> int | None:
        return self.axis if self.forced else None


@dataclass(frozen=True)
class _Source:
    """The whole image and what is wanted of it."""

    image: np.ndarray
    spacing: tuple[float, float, float]
    box: Box
    where: str | Path

    @property
    def inside(self) -> np.ndarray:
        """A view of the box."""
        return self.image[self.box]

    @cached_property
    def largest(self) -> float:
        """Maximum of |x| over the whole image."""
        return pointwise.largest_magnitude(self.image)


def _original(source: _Source, plane: _Plane) -> Iterator[Named]:
    yield "original", source.inside


def _laplacian(source: _Source, plane: _Plane, sigma: list[float]) -> Iterator[Named]:
    from ovfrad.radiomics.filters.laplacian import laplacians_of_gaussian

    with np.errstate(invalid="ignore"):  # an infinity gives NaN, which is refused where it reaches the region
        found = laplacians_of_gaussian(source.image, source.spacing, [float(value) for value in sigma], source.box)
    for value in sigma:
        if float(value) in found:  # one that is too wide for the image is left out, with a warning
            yield f"log-sigma-{str(value).replace('.', '-')}-mm-3D", found[float(value)].astype(np.float32)  # as ITK


def _wavelet(source: _Source, plane: _Plane, wavelet: str, level: int, start_level: int) -> Iterator[Named]:
    from ovfrad.radiomics.filters.wavelet import wavelets

    return wavelets(
        source.image, source.box, wavelet=wavelet, level=level, start_level=start_level, flat_axis=plane.flat_axis
    )


def _pointwise(prefix: str, function: Callable[[np.ndarray, float], np.ndarray]) -> Callable[..., Iterator[Named]]:
    def make(source: _Source, plane: _Plane) -> Iterator[Named]:
        if not np.isfinite(source.largest):
            fault = f"it holds NaN or infinity, and {prefix} scales by the largest magnitude of the whole image"
            raise InputError("E_NOT_FINITE", source.where, fault, "repair the image, or set preCrop")
        if source.largest == 0:
            fault = f"every voxel is 0, and {prefix} scales by the largest magnitude"
            raise InputError("E_IMAGE_ZERO", source.where, fault, "leave this image type out")
        yield prefix, function(source.inside, source.largest)

    return make


def _gradient(source: _Source, plane: _Plane, gradientUseSpacing: bool) -> Iterator[Named]:
    from ovfrad.radiomics.filters.gradient import gradient_magnitude

    yield "gradient", gradient_magnitude(source.image, source.spacing, source.box, use_spacing=gradientUseSpacing)


def _patterns(
    source: _Source, plane: _Plane, lbp2DRadius: float, lbp2DSamples: int, lbp2DMethod: str
) -> Iterator[Named]:
    from ovfrad.radiomics.filters.local_binary_pattern import local_binary_patterns

    if not plane.forced:
        fault = f"LBP2D patterns lie in slices across array axis {plane.axis}, but features are taken in space"
        warn("W_LBP_IN_SPACE", source.where, fault, "set force2D for features of slices")
    yield (
        "lbp-2D",
        local_binary_patterns(
            source.image, source.box, radius=lbp2DRadius, samples=lbp2DSamples, method=lbp2DMethod, axis=plane.axis
        ),
    )


FILTERS: dict[str, Callable[..., Iterator[Named]]] = {
    "Original": _original,
    "LoG": _laplacian,
    "Wavelet": _wavelet,
    "Square": _pointwise("square", pointwise.square),
    "SquareRoot": _pointwise("squareroot", pointwise.square_root),
    "Logarithm": _pointwise("logarithm", pointwise.logarithm),
    "Exponential": _pointwise("exponential", pointwise.exponential),
    "Gradient": _gradient,
    "LBP2D": _patterns,
}
"""PyRadiomics' image type -> generator of its images; the keywords are its own settings, by PyRadiomics' names."""
