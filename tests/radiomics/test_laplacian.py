"""The Laplacian of Gaussian against ITK's recursive filter, and what the box and the margin may not change."""

from __future__ import annotations

import csv
import warnings
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.radiomics.filters import laplacian
from ovfrad.radiomics.filters.laplacian import laplacians_of_gaussian

SINGLE = 2e-7
"""ITK keeps its intermediate images in single precision (eps 1.2e-7): error as a share of the image's contrast."""

ROUNDING = 1e-12
"""Double precision, sums of some hundred terms: error as a share of the image's contrast."""

WHOLE = (slice(None),) * 3


@pytest.fixture(scope="module")
def itk(reference):
    """The generator of the reference file: `image` and, live, `filtered`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
        spec = spec_from_file_location("laplacian_reference", reference / "make_laplacian_reference.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def ct():
    """An image of 2500 HU contrast, its sides unlike each other."""
    return np.random.default_rng(8).integers(-1000, 1500, (16, 20, 25)).astype(np.int16)


def test_matches_the_stored_values_of_itk(itk, reference):
    with (reference / "laplacian_itk.csv").open(encoding="utf-8", newline="") as stream:
        rows = [[float(cell) for cell in row] for row in list(csv.reader(stream))[1:]]
    assert len(rows) == len(itk.SPACINGS) * len(itk.SIGMAS) * 27
    image = itk.image()
    found = {spacing: laplacians_of_gaussian(image, spacing, itk.SIGMAS, WHOLE) for spacing in itk.SPACINGS}
    for *spacing, sigma, k, j, i, value in rows:
        assert found[tuple(spacing)][sigma][int(k), int(j), int(i)] == pytest.approx(value, abs=SINGLE * 2500)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.8), (0.5, 2.0, 1.2)])
@pytest.mark.parametrize(
    "box",
    [
        WHOLE,
        (slice(5, 9), slice(4, 15), slice(10, 17)),
        (slice(0, 4), slice(13, 20), slice(3, 9)),
        (slice(15, 16), slice(0, 1), slice(24, 25)),
        (slice(7, 8), slice(0, 20), slice(12, 13)),
    ],
    ids=["whole", "inside", "at two borders", "corner voxel", "one line"],
)
def test_matches_itk_inside_any_box(itk, ct, spacing, box):
    sigmas = [0.6, 1.0, 2.0, 3.7, 5.0]
    found = laplacians_of_gaussian(ct, spacing, sigmas, box)
    assert list(found) == sigmas
    for sigma, values in found.items():
        expected = itk.filtered(ct, spacing, sigma)[box]
        assert values.shape == expected.shape and values.dtype == np.float64
        np.testing.assert_allclose(values, expected, rtol=0, atol=SINGLE * 2500)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, np.float64])
def test_takes_any_type_and_order(itk, ct, kind):
    image = np.asfortranarray(ct % 200).astype(kind)
    found = laplacians_of_gaussian(image[::-1], (2.0, 1.0, 1.5), [2], WHOLE)[2]
    expected = itk.filtered(np.ascontiguousarray(image[::-1]), (2.0, 1.0, 1.5), 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE * 200)


def test_a_box_gives_the_voxels_of_the_whole(ct):
    box = (slice(3, 9), slice(0, 12), slice(20, 25))
    whole = laplacians_of_gaussian(ct, (1.0, 0.9, 0.8), [1.0, 4.0], WHOLE)
    for sigma, values in laplacians_of_gaussian(ct, (1.0, 0.9, 0.8), [1.0, 4.0], box).items():
        np.testing.assert_allclose(values, whole[sigma][box], rtol=0, atol=ROUNDING * 2500)


def test_sigmas_and_slabs_do_not_touch_each_other(ct, monkeypatch):
    box = (slice(4, 9), slice(3, 12), slice(5, 21))
    together = laplacians_of_gaussian(ct, (1.0, 1.0, 1.0), [3.0, 1.0, 2.0, 1.0], box)
    assert list(together) == [3.0, 1.0, 2.0]
    monkeypatch.setattr(laplacian, "SLAB", 3 * 20 * 25)  # 16 slices: five slabs of three and one of one
    for sigma, values in together.items():
        alone = laplacians_of_gaussian(ct, (1.0, 1.0, 1.0), [sigma], box)[sigma]
        np.testing.assert_allclose(values, alone, rtol=0, atol=ROUNDING * 2500)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_margin_hides_less_than_a_millionth_of_a_hounsfield_unit(axis, monkeypatch):
    box = (slice(48, 50), slice(48, 50), slice(48, 50))
    shape = tuple(98 if axis == a else 50 for a in range(3))
    image = np.zeros(shape, np.int16)
    reach = laplacian._reach(*laplacian.kernels(np.array([2.0])))
    assert 30 < reach < 40
    far = [slice(None)] * 3
    far[axis] = slice(50 + reach, None)
    image[tuple(far)] = 2000
    assert not laplacians_of_gaussian(image, (1.0, 1.0, 1.0), [2.0], box)[2.0].any()
    monkeypatch.setattr(laplacian, "TAIL", 1e-20)
    hidden = abs(laplacians_of_gaussian(image, (1.0, 1.0, 1.0), [2.0], box)[2.0]).max()
    assert 1e-8 < hidden < 1e-6


def test_what_is_beyond_the_margin_is_not_read():
    image = np.random.default_rng(3).standard_normal((60, 60, 60))
    box = (slice(28, 32),) * 3
    expected = laplacians_of_gaussian(image, (1.0, 1.0, 1.0), [0.5, 1.0], box)
    image[:8] = image[:, -8:] = image[..., :8] = np.nan
    for sigma, values in laplacians_of_gaussian(image, (1.0, 1.0, 1.0), [0.5, 1.0], box).items():
        assert np.array_equal(values, expected[sigma])


def test_a_constant_gives_nothing_and_a_parabola_its_curvature():
    assert abs(laplacians_of_gaussian(np.full((9, 9, 9), 1000), (1.0, 2.0, 1.0), [2.0], WHOLE)[2.0]).max() < 1e-9
    bowl = 3 * np.add.outer(np.zeros((41, 41)), (np.arange(121) * 0.5) ** 2)  # second derivative 6 / mm^2
    middle = (slice(20, 21), slice(20, 21), slice(60, 61))
    value = laplacians_of_gaussian(bowl, (1.0, 1.0, 0.5), [1.5], middle)[1.5].item()
    assert value == pytest.approx(6 * 1.5**2, rel=1e-6)


def test_an_image_too_small_for_a_sigma_leaves_it_out():
    image = np.random.default_rng(2).standard_normal((4, 6, 30))
    text = (
        "W_LOG_SIZE LoG: an image of 4 x 6 x 30 voxels is too small for sigma 6.1 mm, which needs 4 x 8 x 8; "
        "this sigma is left out"
    )
    with pytest.warns(InputWarning) as found:
        assert list(laplacians_of_gaussian(image, (3.0, 1.0, 1.0), [5.0, 6.1], WHOLE)) == [5.0]
    assert [str(w.message) for w in found] == [text]
    with pytest.warns(InputWarning, match="3 x 6 x 30 voxels .* needs 4 x 4 x 4"):
        assert laplacians_of_gaussian(image[:3], (3.0, 1.0, 1.0), [1.0], WHOLE) == {}


@pytest.mark.parametrize(("sigma", "shown"), [(0, "0"), (-1.0, "-1"), (np.nan, "nan"), (np.inf, "inf"), (0.1, "0.1")])
def test_a_sigma_without_meaning_is_refused(ct, sigma, shown):
    with pytest.raises(InputError) as error:
        laplacians_of_gaussian(ct, (3.0, 1.0, 1.0), [1.0, sigma], WHOLE)
    assert str(error.value) == (
        f"E_LOG_SIGMA LoG: sigma is {shown} mm; give at least 0.15 mm, a twentieth of the longest voxel edge"
    )


def test_the_narrowest_sigma_still_agrees_with_itk(itk, ct):
    found = laplacians_of_gaussian(ct, (2.0, 2.0, 2.0), [0.1], WHOLE)[0.1]
    np.testing.assert_allclose(found, itk.filtered(ct, (2.0, 2.0, 2.0), 0.1), rtol=0, atol=1e-4 * found.std())
