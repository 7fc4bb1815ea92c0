"""Settings are valid once they are built: each is refused by its key with what it may be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics import Settings, extract, names
from ovfrad.radiomics.rules import AGGREGATIONS, INTERPOLATORS, RULES, theirs
from ovfrad.radiomics.settings import OF_IMAGE_TYPE, OF_PROFILE, OPTIONAL, OURS, defaults

HELP = "see `ovfrad radiomics --settings-help`"


def refusal(**given):
    with pytest.raises(InputError) as refused:
        Settings(**given)
    return str(refused.value)


def test_every_setting_has_a_rule_and_keeps_its_default():
    assert RULES.keys() == {item.name for item in fields(Settings)}
    for name, value in defaults().items():
        assert getattr(Settings(), name) == getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"profile": "mirp"}, "profile: 'mirp' is not one of pyradiomics, ibsi"),
        ({"image_types": ["Original"]}, "imageTypes: ['Original'] is not a mapping of image types to their settings"),
        ({"features": ["glcm"]}, "features: ['glcm'] is not a mapping of feature classes to names"),
        ({"bin_width": 0}, "binWidth: 0 is not a number above 0"),
        ({"bin_width": None}, "binWidth: None is not a number above 0"),
        ({"bin_width": float("nan")}, "binWidth: nan is not a number above 0"),
        ({"bin_width": float("inf")}, "binWidth: inf is not a number above 0"),
        ({"bin_width": True}, "binWidth: True is not a number above 0"),
        ({"bin_count": 0}, "binCount: 0 is not a whole number from 1 up"),
        ({"bin_count": 8.5}, "binCount: 8.5 is not a whole number from 1 up"),
        (
            {"resampled_pixel_spacing": [1, 1]},
            "resampledPixelSpacing: [1, 1] is not a list of 3, each a number from 0 up",
        ),
        (
            {"resampled_pixel_spacing": [1, 1, -1]},
            "resampledPixelSpacing: [1, 1, -1] is not a list of 3, each a number from 0 up",
        ),
        ({"resampled_pixel_spacing": 2}, "resampledPixelSpacing: 2 is not a list of 3, each a number from 0 up"),
        ({"interpolator": "linear"}, f"interpolator: 'linear' is not one of {', '.join(INTERPOLATORS)}"),
        ({"pad_distance": -1}, "padDistance: -1 is not a whole number from 0 up"),
        ({"normalize": 1}, "normalize: 1 is not true or false"),
        ({"normalize_scale": 0}, "normalizeScale: 0 is not a number above 0"),
        ({"remove_outliers": -3}, "removeOutliers: -3 is not a number above 0"),
        ({"resegment_range": "ab"}, "resegmentRange: 'ab' is not a list of 1 to 2, each a number"),
        ({"resegment_mode": "percent"}, "resegmentMode: 'percent' is not one of absolute, relative, sigma"),
        ({"resegment_shape": "yes"}, "resegmentShape: 'yes' is not true or false"),
        ({"pre_crop": None}, "preCrop: None is not true or false"),
        ({"label": 0}, "label: 0 is not a whole number from 1 up"),
        ({"minimum_roi_size": 0}, "minimumROISize: 0 is not a whole number from 1 up"),
        ({"minimum_roi_dimensions": 4}, "minimumROIDimensions: 4 is not one of 1, 2, 3"),
        ({"force2d": 0}, "force2D: 0 is not true or false"),
        ({"force2d_dimension": 3}, "force2Ddimension: 3 is not one of 0, 1, 2"),
        ({"distances": []}, "distances: [] is not a list of 1 or more, each a whole number from 1 up"),
        ({"distances": [0]}, "distances: [0] is not a list of 1 or more, each a whole number from 1 up"),
        (
            {"weighting_norm": "L2"},
            "weightingNorm: 'L2' is not one of manhattan, euclidean, infinity, no_weighting",
        ),
        ({"symmetrical_glcm": 1}, "symmetricalGLCM: 1 is not true or false"),
        ({"gldm_a": -1}, "gldm_a: -1 is not a whole number from 0 up"),
        ({"voxel_array_shift": "300"}, "voxelArrayShift: '300' is not a number"),
        ({"aggregation": "3d"}, f"aggregation: '3d' is not one of {', '.join(AGGREGATIONS)}"),
        ({"outlier_sigma": 0}, "outlierSigma: 0 is not a number above 0"),
        ({"round_intensities": None}, "roundIntensities: None is not true or false"),
        ({"bins": [16]}, "bins: [16] is not a list of 2, each a whole number from 1 up, ascending"),
    ],
)
def test_an_impossible_value_is_refused_by_its_key_and_meaning(given, line):
    assert refusal(**given) == f"E_SETTING_VALUE {line}; {HELP}"


def test_the_cases_above_leave_no_setting_out():
    (mark,) = test_an_impossible_value_is_refused_by_its_key_and_meaning.pytestmark
    assert {name for given, _ in mark.args[1] for name in given} == RULES.keys()


def test_numbers_become_of_one_kind():
    found = Settings(bin_width=10, distances=[1, 2.0], resampled_pixel_spacing=[2, 2, 0], interpolator=3)
    assert (found.bin_width, found.distances, found.resampled_pixel_spacing) == (10.0, (1, 2), (2.0, 2.0, 0.0))
    assert type(found.bin_width) is float
    assert found.interpolator == "sitkBSpline"
    assert Settings(profile="ibsi", aggregation="2.5D_avg").aggregation == "2_5D_avg"
    assert Settings(resegment_range=[400, -500]).resegment_range == (-500, 400)
    assert Settings(resegment_range=[-500, float("inf")]).resegment_range == (-500, float("inf"))


def test_settings_stay_as_they_are():
    with pytest.raises(FrozenInstanceError):
        Settings().bin_width = 3
    with pytest.raises(InputError):
        replace(Settings(), bin_width=-3)


def test_keys_are_pyradiomics():
    assert OURS["minimumROIDimensions"] == "minimum_roi_dimensions"
    assert OURS["force2Ddimension"] == "force2d_dimension"
    assert {theirs(name) for name in OPTIONAL - {"features"}} <= OURS.keys()


PROFILES_APART = {
    "aggregation": "2D_avg",
    "outlier_sigma": 3,
    "round_intensities": False,
    "weighting_norm": "euclidean",
    "symmetrical_glcm": False,
    "voxel_array_shift": 300,
}


def test_what_belongs_to_one_profile_is_refused_under_the_other():
    assert PROFILES_APART.keys() == OF_PROFILE.keys()
    for name, value in PROFILES_APART.items():
        owner = OF_PROFILE[name]
        other = "ibsi" if owner == "pyradiomics" else "pyradiomics"
        assert getattr(Settings(**{"profile": owner, name: value}), name) == value
        assert refusal(**{"profile": other, name: value}) == (
            f"E_SETTING_PROFILE {theirs(name)}: belongs to the profile {owner}, and the profile is {other}; "
            f"leave it out, or choose {owner}"
        )


def test_slices_of_textures():
    assert Settings().flat_axis is None
    assert Settings(force2d=True, force2d_dimension=2).flat_axis == 2
    assert Settings(profile="ibsi", force2d=True).flat_axis is None
    assert Settings(profile="ibsi", aggregation="2D_avg").flat_axis == 0
    assert Settings(profile="ibsi", aggregation="2_5D_comb", force2d_dimension=1).flat_axis == 1


@pytest.mark.parametrize(
    ("types", "line"),
    [
        ({"Squared": {}}, "E_SETTING_UNKNOWN imageType: Squared is not known; known: Original, LoG, Wavelet, Square,"),
        ({"Square": None}, "E_SETTING_VALUE imageType Square: its settings are None; give a mapping, {} for none"),
        ({"Square": {"binWidth": 0}}, "E_SETTING_VALUE imageType Square: binWidth: 0 is not a number above 0"),
        ({"Square": {"binwidth": 1}}, "E_SETTING_UNKNOWN imageType Square: binwidth is not known; did you mean binWid"),
        (
            {"Square": {"normalize": True}},
            "E_SETTING_UNSUPPORTED imageType Square: normalize cannot be one image type's own (profile pyradiomics); "
            "give it under `setting`; these can: binWidth, binCount, distances, weightingNorm, symmetricalGLCM, ",
        ),
        (
            {"Square": {"aggregation": "2D_avg"}},
            "E_SETTING_UNSUPPORTED imageType Square: aggregation cannot be one image type's own (profile pyradiomics)",
        ),
    ],
)
def test_an_image_types_own_settings_are_checked_when_built(types, line):
    assert refusal(image_types=types).startswith(line)


@pytest.mark.parametrize("name", OF_IMAGE_TYPE)
def test_an_image_type_follows_each_setting_of_its_own(blob, name):
    """A setting under `imageType` gives the numbers that it gives under `setting`."""
    image, mask, spacing = blob
    value = {
        "bin_width": 11, "bin_count": 9, "distances": [2], "weighting_norm": "euclidean", "symmetrical_glcm": False,
        "gldm_a": 2, "voxel_array_shift": 50, "force2d": True, "force2d_dimension": 1, "aggregation": "2D_comb",
    }[name]  # fmt: skip
    base = {"profile": "ibsi"} if name == "aggregation" else {"force2d": True} if name == "force2d_dimension" else {}
    common = {"bin_width": 5} | base
    own = Settings(image_types={"Original": {}, "Square": {theirs(name): value}}, **common)
    everywhere = Settings(image_types={"Square": {}}, **(common | {name: value}))
    plain = extract(image, mask, Settings(image_types={"Square": {}}, **common), spacing=spacing)
    mixed = extract(image, mask, own, spacing=spacing)
    wanted = [full for full in names(everywhere) if full.startswith("square")]
    assert mixed[wanted].equals(extract(image, mask, everywhere, spacing=spacing)[wanted])
    assert not mixed[wanted].equals(plain[wanted])
    assert np.isfinite(mixed).all()


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"GLCM": None}, "E_SETTING_UNKNOWN featureClass: GLCM is not known; did you mean glcm? known: shape, shape2D"),
        ({"glcm": "Id"}, "E_SETTING_VALUE featureClass glcm: 'Id'; give a list of names"),
        (
            {"glcm": ["id"]},
            "E_SETTING_UNKNOWN featureClass glcm: id is not known; did you mean Id? see `ovfrad radiomics --list`",
        ),
    ],
)
def test_unknown_classes_and_features_are_refused_when_built(asked, line):
    assert refusal(features=asked).startswith(line)


def test_a_range_may_be_given_from_above():
    """As PyRadiomics takes it."""
    assert Settings(resegment_range=[400, -500]).resegment_range == (-500, 400)
