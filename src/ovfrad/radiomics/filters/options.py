"""Image types and their own settings, by PyRadiomics' names, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, NamedTuple

from ovfrad.errors import InputError
from ovfrad.radiomics.filters.local_binary_pattern import METHODS, MOST_SAMPLES
from ovfrad.radiomics.filters.wavelet import known_wavelets
from ovfrad.radiomics.rules import NUMBERS, shown


class Option(NamedTuple):
    """A setting of a filter: PyRadiomics' default, what a value must satisfy, and that in words."""

    default: Any
    holds: Callable[[Any], bool]
    meaning: str


def _whole(value: Any, low: int, high: float = float("inf")) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high


def _positive(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        return False
    try:
        return 0 < float(value) < float("inf")
    except OverflowError:
        return False


def _sigmas(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_positive, value))


WAVELETS = 'one of pywt.wavelist(kind="discrete"), such as coif1 or haar'

WIDEST = 1000
"""Largest radius of LBP2D, voxels: wider than any slice, and what lies beyond a slice is held in memory as zeros."""

OPTIONS: dict[str, dict[str, Option]] = {
    "Original": {},
    "LoG": {"sigma": Option((), _sigmas, "a list of widths above 0, mm, such as [1.0, 2.0]")},
    "Wavelet": {
        "wavelet": Option(
            "coif1",
            lambda value: value in known_wavelets(),
            WAVELETS,
        ),
        "level": Option(1, lambda value: _whole(value, 1), "a whole number from 1 up"),
        "start_level": Option(0, lambda value: _whole(value, 0), "a whole number from 0 up"),
    },
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {"gradientUseSpacing": Option(True, lambda value: isinstance(value, bool), "true or false")},
    "LBP2D": {
        "lbp2DRadius": Option(
            1, lambda value: _positive(value) and value <= WIDEST, f"a number above 0 and up to {WIDEST}, voxels"
        ),
        "lbp2DSamples": Option(
            8, lambda value: _whole(value, 1, MOST_SAMPLES), f"a whole number from 1 to {MOST_SAMPLES}"
        ),
        "lbp2DMethod": Option("uniform", lambda value: value in list(METHODS), f"one of {', '.join(METHODS)}"),
    },
}
"""Image type -> its settings; the defaults are those PyRadiomics 3.0.1 works with (its text says 9 LBP samples)."""

UNSUPPORTED = {"LBP3D": "use LBP2D"}


def read_options(image_type: str, own: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an image type's settings into the filter's, with defaults, and those that are not the filter's.

    >>> read_options("Wavelet", {"wavelet": "haar", "binWidth": 10})
    ({'wavelet': 'haar', 'level': 1, 'start_level': 0}, {'binWidth': 10})
    >>> read_options("LBP3D", {})
    Traceback (most recent call last):
    ovfrad.errors.InputError: E_SETTING_UNSUPPORTED imageType: LBP3D is not supported; use LBP2D
    >>> read_options("LoG", {})
    Traceback (most recent call last):
    ovfrad.errors.InputError: E_SETTING_VALUE imageType LoG: sigma is missing; give a list of widths above 0, mm, ...
    """
    if image_type in UNSUPPORTED:
        fault = f"{image_type} is not supported"
        raise InputError("E_SETTING_UNSUPPORTED", "imageType", fault, UNSUPPORTED[image_type])
    if image_type not in OPTIONS:
        raise InputError("E_SETTING_UNKNOWN", "imageType", f"{image_type} is not known", f"known: {', '.join(OPTIONS)}")
    left = dict(own or {})
    used = {}
    for key, option in OPTIONS[image_type].items():
        used[key] = left.pop(key, option.default)
        if not option.holds(used[key]):
            fault = f"{key} is missing" if used[key] is option.default else f"{key}: {shown(used[key])}"
            raise InputError("E_SETTING_VALUE", f"imageType {image_type}", fault, f"give {option.meaning}")
    return used, left
