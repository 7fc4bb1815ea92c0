"""Settings of an extraction: what PyRadiomics calls `setting`, `imageType` and `featureClass`, checked when built.

>>> Settings(bin_width=10, image_types={"Original": {}, "LoG": {"sigma": [1.0, 2.0]}}).bin_width
10.0
>>> Settings(bin_width=-1)
Traceback (most recent call last):
ovfrad.errors.InputError: E_SETTING_VALUE binWidth: -1 is not a number above 0; see `ovfrad radiomics --settings-help`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from ovfrad.errors import InputError
from ovfrad.radiomics.filters.options import read_options

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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an image becomes features; the names are PyRadiomics' in snake case, the defaults are its own.

    Parameters
    ----------
    profile : {"pyradiomics", "ibsi"}
        Whose definitions hold where the two differ: PyRadiomics 3.0.1 or the IBSI reference manual.
    image_types : mapping
        PyRadiomics image type -> its own settings, as in a parameter file: {"Original": {}, "LoG": {"sigma": [1]}}.
    features : mapping, optional
        Feature class -> names, or None for all of the class; without it every class but shape2D.
    bin_width : float
        Width of a grey-level bin, in the unit of the image.
    bin_count : int, optional
        This number of bins over the range of the region instead.
    resampled_pixel_spacing : three floats, optional
        New voxel size (x, y, z), mm; 0 keeps an axis.
    interpolator : str or None
        SimpleITK's name; None: no resampling. The profile `ibsi` has sitkNearestNeighbor, sitkLinear, sitkBSpline.
    pad_distance : int
        Voxels kept round the region after resampling or `pre_crop`.
    normalize, normalize_scale, remove_outliers : bool, float, float or None
        (x - mean) / SD of the whole image, clipped to +- `remove_outliers`, times the scale.
    resegment_range, resegment_mode, resegment_shape
        Voxels outside the range leave the region: absolute, relative to the maximum, or in SDs about the mean of
        the region; with `resegment_shape` they leave it for the shape features too.
    pre_crop : bool
        Crop to the region and `pad_distance` before filters.
    label : int, optional
        Label of the region in the mask; None: the only one there is. A parameter file that is silent means 1.
    minimum_roi_size, minimum_roi_dimensions
        Fewest voxels, and fewest extents above one voxel, of a region.
    force2d, force2d_dimension : bool, int
        Textures within slices across this array axis: 0 = k, 1 = j, 2 = i.
    distances : sequence of int
        Chebyshev distances of neighbours in GLCM, GLDM and NGTDM, voxels.
    weighting_norm : str, optional
        Directions of GLCM and GLRLM are merged with weights of this norm of their length in mm.
    symmetrical_glcm : bool
        Count each pair in both senses.
    gldm_a : int
        Largest difference of levels of dependent neighbours.
    voxel_array_shift : float
        Added to intensities for Energy, TotalEnergy and RootMeanSquared.
    aggregation : str
        `ibsi` only: one of `AGGREGATIONS`.
    outlier_sigma : float, optional
        `ibsi` only: voxels farther than this many SDs from the region's mean leave it, beside `resegment_range`.
    round_intensities : bool
        `ibsi` only: round to whole numbers (HU) after interpolation.
    bins : (int, int), optional
        Fewest and most grey-level bins of the original image; outside them a warning.
    """

    profile: str = "pyradiomics"
    image_types: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"Original": {}})
    features: Mapping[str, Sequence[str] | None] | None = None
    bin_width: float = 25.0
    bin_count: int | None = None
    resampled_pixel_spacing: tuple[float, float, float] | None = None
    interpolator: str | None = "sitkBSpline"
    pad_distance: int = 5
    normalize: bool = False
    normalize_scale: float = 1.0
    remove_outliers: float | None = None
    resegment_range: tuple[float, ...] | None = None
    resegment_mode: str = "absolute"
    resegment_shape: bool = False
    pre_crop: bool = False
    label: int | None = None
    minimum_roi_size: int | None = None
    minimum_roi_dimensions: int = 2
    force2d: bool = False
    force2d_dimension: int = 0
    distances: tuple[int, ...] = (1,)
    weighting_norm: str | None = None
    symmetrical_glcm: bool = True
    gldm_a: int = 0
    voxel_array_shift: float = 0.0
    aggregation: str = "3D_avg"
    outlier_sigma: float | None = None
    round_intensities: bool = True
    bins: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            try:
                object.__setattr__(self, name, rule.read(value))
            except (TypeError, ValueError):
                raise refusal(theirs(name), value, rule.meaning) from None
        for kind, options in self.image_types.items():
            renamed(read_options(kind, options)[1], f"imageType {kind}")
        if self.profile == "pyradiomics":
            for name in ("aggregation", "outlier_sigma"):
                if getattr(self, name) != defaults()[name]:
                    fault = f"{theirs(name)} belongs to the profile ibsi"
                    raise InputError("E_SETTING_PROFILE", theirs(name), fault, "add `profile: ibsi`")

    @property
    def flat_axis(self) -> int | None:
        """Array axis that textures do not cross; None in space."""
        if self.profile == "ibsi":
            return None if self.aggregation.startswith("3D") else self.force2d_dimension
        return self.force2d_dimension if self.force2d else None


class Rule(NamedTuple):
    """How a value is read, and what to say where it cannot be."""

    read: Callable[[Any], Any]
    meaning: str


def refusal(key: str, value: Any, meaning: str) -> InputError:
    """A setting with a value it cannot have."""
    return InputError("E_SETTING_VALUE", key, f"{value!r} is not {meaning}", "see `ovfrad radiomics --settings-help`")


def _number(low: float, *, included: bool = True, whole: bool = False) -> Rule:
    def read(value: Any) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int | float):
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


def _several(rule: Rule, least: int, most: int) -> Rule:
    def read(value: Any) -> tuple[Any, ...]:
        found = tuple(rule.read(item) for item in value)
        if isinstance(value, str) or not least <= len(found) <= most:
            raise ValueError
        return found

    count = f"{least}" if least == most else f"{least} or more" if most > 100 else f"{least} to {most}"
    return Rule(read, f"a list of {count}, each {rule.meaning}")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {str(key): item for key, item in value.items()}


def _interpolator(value: Any) -> str:
    return INTERPOLATORS[value - 1] if type(value) is int and 1 <= value <= 10 else _one_of(*INTERPOLATORS).read(value)


def _any_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if value != value:
        raise ValueError
    return float(value)


ANY_NUMBER = Rule(_any_number, "a number")
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
    "resegment_range": _several(ANY_NUMBER, 1, 2),
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
    "voxel_array_shift": Rule(lambda value: _number(-1e300).read(value), "a number"),
    "aggregation": Rule(
        lambda value: _one_of(*AGGREGATIONS).read(str(value).replace(".", "_")), f"one of {', '.join(AGGREGATIONS)}"
    ),
    "outlier_sigma": _number(0, included=False),
    "round_intensities": TRUTH,
    "bins": _several(_number(1, whole=True), 2, 2),
}

OPTIONAL = {item.name for item in fields(Settings) if item.default is None} | {"interpolator"}
"""Settings that may be None."""


def defaults() -> dict[str, Any]:
    """The default of each setting."""
    return {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(Settings)}


def renamed(options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings by our names from PyRadiomics'; an unknown one is refused.

    >>> renamed({"binWidth": 10}, "imageType Wavelet")
    {'bin_width': 10}
    """
    for key in options:
        if key not in OURS:
            raise InputError("E_SETTING_UNKNOWN", where, f"{key} is not known", f"known: {', '.join(sorted(OURS))}")
    return {OURS[key]: value for key, value in options.items()}


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


OURS = {theirs(item.name): item.name for item in fields(Settings) if item.name not in ("image_types", "features")}
"""PyRadiomics' keys under `setting` -> names here."""
