"""What each setting of an extraction may be, under PyRadiomics' names, and the refusal of anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr
from typing import Any, NamedTuple

import numpy as np

from ovfrad.errors import InputError

PROFILES = ("pyradiomics", "ibsi")
AGGREGATIONS = ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb")
"""IBSI's six ways from directional matrices to one value, as the tags of its reference tables write them: by slice,
over slices, or in space; features averaged over directions (avg) or taken from directions merged (comb)."""
INTERPOLATORS = (
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
)
WEIGHTINGS = ("manhattan", "euclidean", "infinity", "no_weighting")


NUMBERS = (int, float, np.integer, np.floating)

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 8
_SHORT.maxlevel = 2


class Rule(NamedTuple):
    """How a value is read, and what to say where it cannot be."""

    read: Callable[[Any], Any]
    meaning: str


def shown(value: Any) -> str:
    """A value as an error shows it: a few lines of YAML can stand for millions of items.

    >>> shown("5"), shown([1] * 100)
    ("'5'", '[1, 1, 1, 1, 1, 1, 1, 1, ...]')
    """
    return _SHORT.repr(value)


def refusal(key: str, value: Any, meaning: str) -> InputError:
    """A setting with a value it cannot have."""
    fault = f"{shown(value)} is not {meaning}"
    return InputError("E_SETTING_VALUE", key, fault, "see `ovfrad radiomics --settings-help`")


def unknown(where: str | Path, name: str, known: Iterable[str], see: str = "") -> InputError:
    """The refusal of a name (the last word of `name`), with the one that was probably meant and those that are known.

    >>> print(unknown("params.yaml", "setting binwidth", ["binWidth", "binCount"]))
    E_SETTING_UNKNOWN params.yaml: setting binwidth is not known; did you mean binWidth? known: binWidth, binCount
    """
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(str(name).split()[-1].lower(), by_lower, 1, 0.75)
    meant = f"did you mean {by_lower[near[0]]}? " if near else ""
    return InputError("E_SETTING_UNKNOWN", where, f"{name} is not known", meant + (see or f"known: {', '.join(known)}"))


def _number(low: float, *, included: bool = True, whole: bool = False) -> Rule:
    def read(value: Any) -> float | int:
        if isinstance(value, bool) or not isinstance(value, NUMBERS):
            raise TypeError
        if not (value >= low if included else value > low) or value == float("inf") or (whole and value != int(value)):
            raise ValueError
        return int(value) if whole else float(value)

    kind = "a whole number" if whole else "a number"
    return Rule(read, f"{kind} {'from' if included else 'above'} {low:g}{' up' if included else ''}")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _one_of(*choices: Any) -> Rule:
    def read(value: Any) -> Any:
        return choices[choices.index(value)]

    return Rule(read, f"one of {', '.join(map(str, choices))}")


def _several(rule: Rule, least: int, most: int, *, ascending: bool = False) -> Rule:
    def read(value: Any) -> tuple[Any, ...]:
        found = tuple(rule.read(item) for item in value)
        if isinstance(value, str) or not least <= len(found) <= most or (ascending and sorted(found) != list(found)):
            raise ValueError
        return found

    count = f"{least}" if least == most else f"{least} or more" if most > 100 else f"{least} to {most}"
    return Rule(read, f"a list of {count}, each {rule.meaning}{', ascending' if ascending else ''}")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {str(key): item for key, item in value.items()}


def _interpolator(value: Any) -> str:
    return INTERPOLATORS[value - 1] if type(value) is int and 1 <= value <= 10 else _one_of(*INTERPOLATORS).read(value)


def _any_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        raise TypeError
    if value != value:
        raise ValueError
    return float(value)


ANY_NUMBER = Rule(_any_number, "a number")
BOUNDS = _several(ANY_NUMBER, 1, 2)
TRUTH = Rule(_truth, "true or false")

RULES: dict[str, Rule] = {
    "profile": _one_of(*PROFILES),
    "image_types": Rule(_mapping, "a mapping of image types to their settings"),
    "features": Rule(_mapping, "a mapping of feature classes to names"),
    "bin_width": _number(0, included=False),
    "bin_count": _number(1, whole=True),
    "resampled_pixel_spacing": _several(_number(0), 3, 3),
    "interpolator": Rule(_interpolator, f"one of {', '.join(INTERPOLATORS)}"),
    "pad_distance": _number(0, whole=True),
    "normalize": TRUTH,
    "normalize_scale": _number(0, included=False),
    "remove_outliers": _number(0, included=False),
    "resegment_range": Rule(lambda value: tuple(sorted(BOUNDS.read(value))), BOUNDS.meaning),
    "resegment_mode": _one_of("absolute", "relative", "sigma"),
    "resegment_shape": TRUTH,
    "pre_crop": TRUTH,
    "label": _number(1, whole=True),
    "minimum_roi_size": _number(1, whole=True),
    "minimum_roi_dimensions": _one_of(1, 2, 3),
    "force2d": TRUTH,
    "force2d_dimension": _one_of(0, 1, 2),
    "distances": _several(_number(1, whole=True), 1, 1000),
    "weighting_norm": _one_of(*WEIGHTINGS),
    "symmetrical_glcm": TRUTH,
    "gldm_a": _number(0, whole=True),
    "voxel_array_shift": Rule(lambda value: -_number(-1e60).read(-_number(-1e60).read(value)), "a number"),
    "aggregation": Rule(
        lambda value: _one_of(*AGGREGATIONS).read(str(value).replace(".", "_")), f"one of {', '.join(AGGREGATIONS)}"
    ),
    "outlier_sigma": _number(0, included=False),
    "round_intensities": TRUTH,
    "bins": _several(_number(1, whole=True), 2, 2, ascending=True),
}


def theirs(name: str) -> str:
    """PyRadiomics' spelling of a setting, as a parameter file has it.

    >>> theirs("bin_width"), theirs("force2d_dimension"), theirs("minimum_roi_size"), theirs("symmetrical_glcm")
    ('binWidth', 'force2Ddimension', 'minimumROISize', 'symmetricalGLCM')
    """
    odd = {"force2d": "force2D", "force2d_dimension": "force2Ddimension", "gldm_a": "gldm_a"}
    if name in odd:
        return odd[name]
    first, *rest = name.split("_")
    return first + "".join({"roi": "ROI", "glcm": "GLCM"}.get(word, word.capitalize()) for word in rest)
