"""Settings of an extraction: what PyRadiomics calls `setting`, `imageType` and `featureClass`, checked when built.

>>> Settings(bin_width=10, image_types={"Original": {}, "LoG": {"sigma": [1.0, 2.0]}}).bin_width
10.0
>>> Settings(bin_width=-1)
Traceback (most recent call last):
ovfrad.errors.InputError: E_SETTING_VALUE binWidth: -1 is not a number above 0; see `ovfrad radiomics --settings-help`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ovfrad.errors import InputError
from ovfrad.radiomics.filters.options import read_options
from ovfrad.radiomics.rules import RULES, refusal, shown, theirs, unknown


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
    normalize : bool
        (x - mean) / SD of the whole image, before anything else.
    normalize_scale : float
        Multiply normalised intensities by this, the unit of `bin_width` from then on.
    remove_outliers : float, optional
        Clip normalised intensities to plus and minus this many SDs, before the scale.
    resegment_range : one or two floats, optional
        Intensities (low, high) outside which voxels leave the region; one number: low alone.
    resegment_mode : {"absolute", "relative", "sigma"}
        The range is in the unit of the image, a share of the region's maximum, or SDs about the region's mean.
    resegment_shape : bool
        Those voxels leave the region for the shape features too.
    pre_crop : bool
        Crop to the region and `pad_distance` before filters.
    label : int, optional
        Label of the region in the mask; None: the only one there is. A parameter file that is silent means 1.
    minimum_roi_size : int, optional
        A region must have more voxels than this.
    minimum_roi_dimensions : int
        Fewest axes (k, j, i) along which a region must extend over more than one voxel.
    force2d : bool
        Textures (profile `pyradiomics`) and wavelets within slices.
    force2d_dimension : int
        Array axis that slices are cut across: 0 = k, 1 = j, 2 = i.
    distances : sequence of int
        Chebyshev distances of neighbours in GLCM, GLDM and NGTDM, voxels.
    weighting_norm : str, optional
        `pyradiomics` only: directions of GLCM and GLRLM are merged with weights by this norm of their length in mm.
    symmetrical_glcm : bool
        Count each pair in both senses; IBSI always does.
    gldm_a : int
        Largest difference of levels of dependent neighbours.
    voxel_array_shift : float
        Added to intensities for Energy, TotalEnergy and RootMeanSquared.
    aggregation : str
        `ibsi` only: textures by slice, over slices (2.5D) or in space; averaged over directions or from merged ones.
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
            except (TypeError, ValueError, OverflowError):
                raise refusal(theirs(name), value, rule.meaning) from None
        for kind, options in self.image_types.items():
            _check_own(kind, options, self.profile)
        _check_features(self.features or {})
        for name, owner in OF_PROFILE.items():
            if self.profile != owner and getattr(self, name) != defaults()[name]:
                fault = f"belongs to the profile {owner}, and the profile is {self.profile}"
                raise InputError("E_SETTING_PROFILE", theirs(name), fault, f"leave it out, or choose {owner}")

    @property
    def flat_axis(self) -> int | None:
        """Array axis that textures do not cross; None in space."""
        if self.profile == "ibsi":
            return None if self.aggregation.startswith("3D") else self.force2d_dimension
        return self.force2d_dimension if self.force2d else None


def _check_own(kind: str, options: Any, profile: str) -> None:
    """Refuse an image type's settings that are unknown, impossible, or not an image type's to have."""
    where = f"imageType {kind}"
    if not isinstance(options, Mapping):
        raise InputError("E_SETTING_VALUE", where, f"its settings are {shown(options)}", "give a mapping, {} for none")
    for name, value in renamed(read_options(kind, options)[1], where).items():
        if name not in OF_IMAGE_TYPE or OF_PROFILE.get(name, profile) != profile:
            fault = f"{theirs(name)} cannot be one image type's own (profile {profile})"
            known = ", ".join(theirs(one) for one in OF_IMAGE_TYPE)
            raise InputError("E_SETTING_UNSUPPORTED", where, fault, f"give it under `setting`; these can: {known}")
        try:
            if value is not None or name not in OPTIONAL:
                RULES[name].read(value)
        except (TypeError, ValueError, OverflowError):
            raise refusal(f"{where}: {theirs(name)}", value, RULES[name].meaning) from None


def _check_features(asked: Mapping[str, Any]) -> None:
    """Refuse classes and names that do not exist, saying which are near."""
    if not asked:
        return
    from ovfrad.radiomics.classes import BY_NAME

    for group, wanted in asked.items():
        if group not in BY_NAME:
            raise unknown("featureClass", str(group), BY_NAME)
        if wanted is not None and (
            not isinstance(wanted, list | tuple) or not all(isinstance(item, str) for item in wanted)
        ):
            raise InputError("E_SETTING_VALUE", f"featureClass {group}", shown(wanted), "give a list of names")
        known = [name.removeprefix(f"{group}_") for name in BY_NAME[group].all_names]
        for name in wanted or ():
            if equal := DROPPED.get(f"{group}_{name}"):
                fault = f"{name} is a feature that PyRadiomics 3 has dropped"
                raise InputError("E_SETTING_UNSUPPORTED", f"featureClass {group}", fault, equal)
            if name not in known:
                raise unknown(f"featureClass {group}", name, known, "see `ovfrad radiomics --list`")


OF_PROFILE = {
    "aggregation": "ibsi",
    "outlier_sigma": "ibsi",
    "round_intensities": "ibsi",
    "weighting_norm": "pyradiomics",
    "symmetrical_glcm": "pyradiomics",
    "voxel_array_shift": "pyradiomics",
}
"""Settings that one profile alone follows -> that profile."""

OF_IMAGE_TYPE = (
    "bin_width",
    "bin_count",
    "distances",
    "weighting_norm",
    "symmetrical_glcm",
    "gldm_a",
    "voxel_array_shift",
    "force2d",
    "force2d_dimension",
    "aggregation",
)
"""Settings that an image type may have of its own: those that come after the filter."""

DROPPED = {
    "glcm_Homogeneity1": "ask for Id, which is equal",
    "glcm_Homogeneity2": "ask for Idm, which is equal",
    "glcm_Dissimilarity": "ask for DifferenceAverage, which is equal",
    "glcm_SumVariance": "ask for ClusterTendency, which is equal",
    "gldm_GrayLevelNonUniformityNormalized": "ask for Uniformity of firstorder, which is equal",
    "gldm_DependencePercentage": "leave it out: it is always 1",
}
"""Features of older versions -> what to do instead."""

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
            raise unknown(where, key, OURS, "see `ovfrad radiomics --settings-help`")
    return {OURS[key]: value for key, value in options.items()}


OURS = {theirs(item.name): item.name for item in fields(Settings) if item.name not in ("image_types", "features")}
"""PyRadiomics' keys under `setting` -> names here."""
