"""The one entry to all filters: order, names, settings that are handed back, refusals, and what is read."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.radiomics.filters.gradient import gradient_magnitude
from ovfrad.radiomics.filters.image_types import filtered
from ovfrad.radiomics.filters.local_binary_pattern import local_binary_patterns
from ovfrad.radiomics.filters.options import OPTIONS

SPACING = (2.0, 1.0, 1.0)
BOX = (slice(2, 5), slice(3, 7), slice(1, 6))
IMAGE = np.random.default_rng(5).integers(-500, 1500, (8, 10, 9)).astype(np.int16)


def test_images_come_in_the_order_asked_for_with_the_settings_that_are_no_filters():
    types = {
        "Gradient": {"binWidth": 5},
        "LoG": {"sigma": [2.0, 3], "binWidth": 10},
        "Original": None,
        "Wavelet": {"wavelet": "haar", "force2D": True, "force2Ddimension": 1},
    }
    found = list(filtered(IMAGE, SPACING, BOX, types))
    plane = {"force2D": True, "force2Ddimension": 1}
    assert [(prefix, left) for prefix, _, left in found] == [
        ("gradient", {"binWidth": 5}),
        ("log-sigma-2-0-mm-3D", {"binWidth": 10}),
        ("log-sigma-3-mm-3D", {"binWidth": 10}),
        ("original", {}),
        ("wavelet-LH", plane),
        ("wavelet-HL", plane),
        ("wavelet-HH", plane),
        ("wavelet-LL", plane),
    ]
    assert {values.shape for _, values, _ in found} == {(3, 4, 5)}


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({"LBP3D": {}}, "E_SETTING_UNSUPPORTED imageType: LBP3D is not supported; use LBP2D"),
        ({"Laplace": {}}, "E_SETTING_UNKNOWN imageType: Laplace is not known; known: Original, LoG, Wavelet, "),
        ({"LoG": {}}, "E_SETTING_VALUE imageType LoG: sigma is missing; give a list of widths above 0, mm"),
        ({"LoG": {"sigma": [1.0, 0]}}, r"E_SETTING_VALUE imageType LoG: sigma: \[1.0, 0\]; give a list of widths"),
        ({"Wavelet": {"wavelet": "mexh"}}, "E_SETTING_VALUE imageType Wavelet: wavelet: 'mexh'; give one of pywt"),
        ({"Wavelet": {"level": 0}}, "E_SETTING_VALUE imageType Wavelet: level: 0; give a whole number from 1 up"),
        ({"Wavelet": {"start_level": True}}, "imageType Wavelet: start_level: True; give a whole number from 0 up"),
        ({"Gradient": {"gradientUseSpacing": 1}}, "imageType Gradient: gradientUseSpacing: 1; give true or false"),
        ({"LBP2D": {"lbp2DSamples": 32}}, "imageType LBP2D: lbp2DSamples: 32; give a whole number from 1 to 31"),
        ({"LBP2D": {"lbp2DMethod": "riu2"}}, "imageType LBP2D: lbp2DMethod: 'riu2'; give one of default, ror, "),
        (
            {"LBP2D": {"lbp2DRadius": 0}},
            "imageType LBP2D: lbp2DRadius: 0; give a number above 0 and up to 1000, voxels",
        ),
        ({"Square": {"force2Ddimension": 3}}, "imageType Square: force2Ddimension: 3; give 0, 1 or 2"),
    ],
)
def test_what_no_filter_can_do_is_refused_before_anything_is_computed(types, message):
    with pytest.raises(InputError, match=message):
        filtered(IMAGE, SPACING, BOX, {"Original": {}, **types})


def test_an_image_of_zeros_has_no_scale():
    with pytest.raises(InputError, match="E_IMAGE_ZERO ct: every voxel is 0, and square scales by the largest"):
        list(filtered(np.zeros((4, 4, 4)), SPACING, (slice(0, 2),) * 3, {"Square": {}}, where="ct"))


def test_patterns_of_slices_with_features_in_space_are_mentioned():
    with pytest.warns(InputWarning, match="W_LBP_IN_SPACE image: LBP2D patterns lie in slices across array axis 0"):
        list(filtered(IMAGE, SPACING, BOX, {"LBP2D": {}}))


def test_patterns_that_the_images_type_cannot_hold_are_refused():
    with pytest.raises(InputError, match="E_IMAGE_TYPE LBP2D: patterns up to 65535 do not fit the image's type, int16"):
        local_binary_patterns(np.zeros((1, 3, 3), np.int16), (slice(None),) * 3, samples=16, method="default")


def test_the_variance_of_equal_samples_is_0():
    flat = np.full((1, 5, 5), 7.0)
    inner = (slice(None), slice(1, 4), slice(1, 4))
    np.testing.assert_allclose(local_binary_patterns(flat, inner, method="var"), 0, atol=1e-13)


@pytest.mark.parametrize(("use_spacing", "slope"), [(True, 3.0), (False, 6.0)])
def test_a_ramp_has_its_slope_as_gradient(use_spacing, slope):
    ramp = np.zeros((8, 6, 6)) + 6.0 * np.arange(8)[:, None, None]
    found = gradient_magnitude(ramp, (2.0, 1.0, 1.0), (slice(0, 4), slice(1, 3), slice(0, 6)), use_spacing=use_spacing)
    np.testing.assert_allclose(found[1:], slope)
    np.testing.assert_allclose(found[0], slope / 2)  # the first slice stands for the one before it


SCALING = ("Square", "SquareRoot", "Logarithm", "Exponential")


@pytest.mark.filterwarnings("ignore:W_LBP_IN_SPACE")
def test_memory_is_that_of_the_box():
    image = np.ones((100, 200, 200), np.int16)
    box = (slice(40, 50), slice(90, 100), slice(100, 110))
    types = {name: {} for name in OPTIONS if name != "LoG"}
    for _ in filtered(image, SPACING, box, types):  # imports and compiles
        pass
    tracemalloc.start()
    try:
        for _ in filtered(image, SPACING, box, types):
            pass
        assert tracemalloc.get_traced_memory()[1] < image.nbytes / 4
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:W_LBP_IN_SPACE")
def test_a_change_far_from_the_box_matters_only_to_the_scale():
    image = np.random.default_rng(2).integers(-500, 900, (40, 40, 40)).astype(np.int16)
    changed = image.copy()
    changed[0, 0, 0] = 3000
    box = (slice(20, 25),) * 3
    types = {name: {} for name in OPTIONS if name != "LoG"}
    pairs = zip(filtered(image, SPACING, box, types), filtered(changed, SPACING, box, types), strict=True)
    differ = {prefix for (prefix, one, _), (_, other, _) in pairs if not np.array_equal(one, other)}
    assert differ == {name.lower() for name in SCALING}
