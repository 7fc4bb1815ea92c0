"""Image processing of the profile `ibsi` against the reference manual's definitions (arXiv:1612.07003)."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics.processing import ibsi, prepare
from ovfrad.radiomics.processing.ibsi import centred_axis
from ovfrad.radiomics.settings import Settings

NAMES = {0: "sitkNearestNeighbor", 1: "sitkLinear", 3: "sitkBSpline"}
SPACING = (3.0, 0.977, 0.977)
"""Voxels (k, j, i) of IBSI's CT phantom, mm."""

PREFILTER = 1e-6
"""scipy's `nearest` repeats 12 voxels beyond the edge before the spline's prefilter, which leaves 0.268^12 = 1.4e-7 of
the range; we repeat 24."""


def settings(spacing=(2.0, 2.0, 2.0), order=1, **more):
    return Settings(profile="ibsi", resampled_pixel_spacing=spacing, interpolator=NAMES[order], **more)


@pytest.fixture
def phantom():
    """A whole-numbered CT of 12 x 40 x 44 voxels and a ragged region inside."""
    rng = np.random.default_rng(3)
    k, j, i = np.indices((12, 40, 44)) - np.array([5.3, 19.2, 22.7])[:, None, None, None]
    image = np.round(60 * np.sin(k) + 9 * j - 4 * i + 120 * rng.standard_normal(k.shape)).astype(np.int16)
    mask = (k / 4) ** 2 + (j / 11) ** 2 + (i / 13) ** 2 < 1 + 0.2 * rng.standard_normal(k.shape)
    return image, mask


def manual_grid(n, old, new):
    """Centres in indices of the old grid, written as the manual has them (026Q, QCY4)."""
    count = math.ceil(n * old / new)
    return [0.5 * (n - 1 - new / old * (count - 1)) + new / old * place for place in range(count)]


@pytest.mark.parametrize(
    ("n", "old", "new"), [(4, 3.0, 2.0), (204, 0.977, 2.0), (60, 3.0, 2.0), (7, 1.0, 3.0), (5, 2.0, 0.7)]
)
def test_grid_is_the_manuals(n, old, new):
    axis = centred_axis(n, old, new)
    np.testing.assert_allclose(axis.centres, manual_grid(n, old, new), rtol=0, atol=1e-9)
    assert axis.centres[0] + axis.centres[-1] == pytest.approx(n - 1, abs=1e-8)
    assert axis.spacing == new


def test_grid_by_hand():
    """5 voxels of 2 mm (10 mm) hold 4 of 3 mm (12 mm): the first centre is 0.5 mm before the old one."""
    np.testing.assert_array_equal(centred_axis(5, 2.0, 3.0).centres, [-0.25, 1.25, 2.75, 4.25])
    np.testing.assert_array_equal(centred_axis(5, 2.0, 0.0).centres, range(5))


def test_a_spacing_of_float32_adds_no_voxel():
    """10 voxels of 0.3 mm hold 30 of 0.1 mm, also where the header says 0.30000001."""
    assert 10 * float(np.float32(0.3)) / 0.1 > 30
    assert centred_axis(10, float(np.float32(0.3)), 0.1).centres.size == 30
    assert centred_axis(10, 0.3001, 0.1).centres.size == 31


def brute_force(image, mask, spacing, wanted, order):
    """The whole new grid at once by scipy, as MIRP interpolates; and the mask's fractions."""
    from scipy.ndimage import map_coordinates

    axes = [
        manual_grid(n, old, new) if new else list(range(n))
        for n, old, new in zip(image.shape, spacing, wanted[::-1], strict=True)
    ]
    at = np.meshgrid(*axes, indexing="ij")
    values = map_coordinates(image.astype(float), at, order=order, mode="nearest")
    return values, map_coordinates(mask.astype(float), at, order=min(order, 1), mode="nearest")


@pytest.mark.parametrize("wanted", [(2.0, 2.0, 2.0), (2.0, 2.0, 0.0), (0.7, 1.3, 4.1)])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_equals_interpolation_of_the_whole_image(phantom, wanted, order):
    image, mask = phantom
    found = prepare(image, mask, SPACING, settings(wanted, order, round_intensities=False, pad_distance=999), "case")
    values, fractions = brute_force(image, mask, SPACING, wanted, order)
    assert found.image.shape == values.shape
    np.testing.assert_allclose(found.image, values, rtol=0, atol=PREFILTER * np.ptp(image))
    np.testing.assert_array_equal(found.mask, np.round(fractions, 6) >= 0.5)
    assert found.spacing == tuple(new or old for new, old in zip(wanted[::-1], SPACING, strict=True))


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("at", ["middle", "edge"])
def test_values_do_not_depend_on_the_crop(phantom, order, at):
    image, mask = phantom
    if at == "edge":
        mask = np.zeros_like(mask)
        mask[7:, 25:, :9] = True
        mask[9, 30, 4] = False
    whole, tight = (
        prepare(image, mask, SPACING, settings((1.3, 1.1, 2.3), order, round_intensities=False, pad_distance=pad), "c")
        for pad in (999, 0)
    )
    assert tight.mask.size < 0.5 * whole.mask.size
    assert tight.mask.sum() == whole.mask.sum()
    difference = np.abs(tight.image[tight.mask] - whole.image[whole.mask]).max()
    assert difference < 1e-12 * np.ptp(image)


def test_crop_of_a_spline_needs_its_reach(phantom, monkeypatch):
    """The comparison above can fail: a reach of 3 voxels changes a spline by more than 1e-4 of the range."""
    image, mask = phantom
    mask = mask & (np.indices(mask.shape)[0] == 5)
    wanted = settings((1.3, 1.1, 0), 3, round_intensities=False, pad_distance=0)
    before = prepare(image, mask, SPACING, wanted, "case").image
    monkeypatch.setitem(ibsi.REACH, 3, 3)
    assert np.abs(prepare(image, mask, SPACING, wanted, "case").image - before).max() > 1e-4 * np.ptp(image)


def test_half_a_voxel_belongs_to_the_mask():
    """Fractions that are 0.5 on paper and 0.49999999999999994 in floating point are in."""
    mask = np.zeros((1, 4, 10), bool)
    mask[0, :, :5] = True
    # i: 10 voxels of 0.3 mm become 15 of 0.2 mm; the middle one is half-way between voxels 4 and 5.
    found = prepare(mask * 100.0, mask, (1.0, 1.0, 0.3), settings((0.2, 0, 0), pad_distance=99), "case")
    np.testing.assert_array_equal(found.mask[0, 0], [True] * 8 + [False] * 7)
    assert found.image[0, 0, 7] == 50


def in_exact_arithmetic(values):
    """Linear interpolation of 6 x 6 x 6 voxels of 1 mm at 0.3 mm, as fractions (20, 20, 20)."""
    centres = [Fraction(5, 2) + Fraction(3, 10) * (place - Fraction(19, 2)) for place in range(20)]
    matrix = [[max(1 - abs(min(max(centre, 0), 5) - old), 0) for old in range(6)] for centre in centres]
    values = values.astype(int).astype(object)
    for axis in range(3):
        values = np.moveaxis(np.tensordot(np.array(matrix, dtype=object), values, (1, axis)), 0, axis)
    return values


def in_floating_point(values):
    rows = [np.clip(np.arange(-2, 7), 0, 5)] * 3
    return ibsi.interpolate(values[np.ix_(*rows)], [centred_axis(6, 1.0, 0.3)] * 3, 1)


def test_a_fraction_that_misses_half_by_the_last_bit_belongs_to_the_mask():
    """Every new voxel against its exact fraction; some are 0.5 on paper, and less in floating point."""
    mask = np.random.default_rng(0).random((6, 6, 6)) < 0.5
    exact = in_exact_arithmetic(mask)
    assert ((exact == Fraction(1, 2)) & (in_floating_point(mask) < 0.5)).sum() > 0
    found = prepare(mask * 1.0, mask, (1.0, 1.0, 1.0), settings((0.3, 0.3, 0.3), pad_distance=99), "case")
    np.testing.assert_array_equal(found.mask, exact >= Fraction(1, 2))


def test_a_tie_of_intensities_goes_to_the_even_number():
    """Every new voxel against its exact intensity, of which Python rounds halves to even as well."""
    image = np.random.default_rng(1).integers(-9, 10, (6, 6, 6))
    exact = np.vectorize(round, otypes=[int])(in_exact_arithmetic(image))
    assert (np.rint(in_floating_point(image)) != exact).sum() > 0
    mask = np.ones(image.shape, bool)
    found = prepare(image, mask, (1.0, 1.0, 1.0), settings((0.3, 0.3, 0.3)), "case")
    np.testing.assert_array_equal(found.image, exact)


def test_a_tie_of_neighbours_goes_to_the_later_one():
    """6 voxels of 1 mm at 0.4 mm: the third of 15 centres is at 0.5, in floating point at 0.4999999999999998."""
    assert (5 - 0.4 * 14) / 2 + 0.4 * 2 < 0.5
    image = np.arange(12.0).reshape(1, 2, 6)
    found = prepare(image, image >= 0, (1.0, 1.0, 1.0), settings((0.4, 0, 0), 0), "case")
    np.testing.assert_array_equal(found.image[0, 0], [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5])


def test_rounding_only_after_interpolation(phantom):
    image, mask = phantom
    image = image + 0.3
    interpolated = prepare(image, mask, SPACING, settings(), "case").image
    np.testing.assert_array_equal(interpolated, np.rint(interpolated))
    exact = prepare(image, mask, SPACING, settings(round_intensities=False), "case").image
    assert 0.4 < np.abs(interpolated - exact).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(prepare(image, mask, SPACING, Settings(profile="ibsi"), "case").image, image)
    same = prepare(image, mask, SPACING, settings((0.977, 0.977, 3.0), pad_distance=999), "case").image
    np.testing.assert_array_equal(same, image)
    scores = prepare(image, mask, SPACING, settings(normalize=True), "case").image
    assert np.abs(scores - np.rint(scores)).max() > 0.4


def test_nearest_keeps_dtype_and_labels(phantom):
    image, mask = phantom
    found = prepare(image, mask, SPACING, settings(order=0), "case").image
    assert found.dtype == image.dtype
    assert np.isin(found, image).all()


CONFIGURATIONS = {
    "A": Settings(profile="ibsi", resegment_range=(-500, 400), bin_width=25, aggregation="2D_avg"),
    "B": settings((2, 2, 0), resegment_range=(-500, 400), bin_count=32, aggregation="2D_avg"),
    "C": settings(resegment_range=(-1000, 400), bin_width=25),
    "D": settings(outlier_sigma=3, bin_count=32),
    "E": settings(order=3, resegment_range=(-1000, 400), outlier_sigma=3, bin_count=32),
}
"""IBSI's configurations of the CT phantom (manual, table of image processing parameters)."""


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations(name, phantom):
    image, mask = phantom
    image = (image * 1.6).astype(np.int16)  # wide enough that every range and outlier limit has work to do
    image[5, 15, 18:28] = 3000
    chosen = CONFIGURATIONS[name]
    found = prepare(image, mask, SPACING, chosen, "case")
    if chosen.resampled_pixel_spacing is None:
        values, region = image.astype(float), mask
    else:
        order = {"sitkLinear": 1, "sitkBSpline": 3}[chosen.interpolator]
        values, fractions = brute_force(image, mask, SPACING, chosen.resampled_pixel_spacing, order)
        values, region = np.rint(np.round(values, 6)), np.round(fractions, 6) >= 0.5
    inside = values[region]
    low, high = chosen.resegment_range or (-np.inf, np.inf)
    stays = (inside >= low) & (inside <= high)
    if chosen.outlier_sigma:
        mean, sd = inside.mean(), inside.std()
        stays &= (inside >= mean - 3 * sd) & (inside <= mean + 3 * sd)
    assert 0 < stays.sum() < stays.size
    np.testing.assert_array_equal(found.image[found.mask], inside[stays])
    np.testing.assert_array_equal(found.image[found.shape_mask], inside)
    assert found.spacing == {"A": SPACING, "B": (3.0, 2.0, 2.0)}.get(name, (2.0, 2.0, 2.0))


@pytest.mark.parametrize("case", ["nifti_019", "nifti_025"])
def test_configurations_on_real_regions_equal_mirp(case, shared, read_image):
    """Statistics after interpolation and resegmentation; MIRP computes them in float32."""
    image, spacing = read_image(shared / "data" / "sarcoma_ct" / case / "CT_image.nii.gz")
    mask, _ = read_image(shared / "data" / "sarcoma_ct" / case / "CT_mask.nii.gz")
    with (Path(__file__).parents[1] / "reference" / "radiomics" / "mirp_2.7.0.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["case"] == case]
    assert [row["configuration"] for row in rows] == list(CONFIGURATIONS)
    for row in rows:
        found = prepare(image, mask > 0, spacing, CONFIGURATIONS[row["configuration"]], case)
        values = found.image[found.mask].astype(np.float64)
        ours = {"mean": values.mean(), "var": values.var(), "min": values.min(), "max": values.max()}
        for name, value in (ours | {"energy": (values**2).sum()}).items():
            assert value == pytest.approx(float(row[f"stat_{name}"]), rel=5e-7), (row["configuration"], name)


def test_outliers_are_those_of_the_region_before_the_range():
    """Range and outliers are intersected (IF9H): mean and SD are of all voxels, not of those the range leaves."""
    image = np.zeros((1, 10, 10))
    image[0, 0, :3], image[0, 1, 0] = 1000, 60
    mask = np.ones(image.shape, bool)
    both = Settings(profile="ibsi", resegment_range=(-100, 400), outlier_sigma=3)
    found = prepare(image, mask, (1.0, 1.0, 1.0), both, "case")
    # Of all voxels: mean 30.6, SD 170.6, so that 60 stays; of the 97 in range: mean 0.6, SD 6.1, and it would not.
    assert found.mask.sum() == 97
    assert found.mask[0, 1, 0]
    assert found.shape_mask.all()
    alone = prepare(image, mask, (1.0, 1.0, 1.0), Settings(profile="ibsi", outlier_sigma=3), "case")
    assert alone.mask.sum() == 97
    reshaped = prepare(
        image, mask, (1.0, 1.0, 1.0), Settings(profile="ibsi", outlier_sigma=3, resegment_shape=True), "c"
    )
    assert reshaped.shape_mask is reshaped.mask


def test_outliers_by_the_sd_over_n():
    """One 1 among nine 0: mean 0.1, SD 0.3 (over N - 1: 0.316); 1 is 3 SDs away (2.85)."""
    image = np.zeros((1, 2, 5))
    image[0, 0, 0] = 1
    for sigma, voxels in ((2.9, 9), (3.1, 10)):
        chosen = Settings(profile="ibsi", outlier_sigma=sigma)
        assert prepare(image, image >= 0, (1.0, 1.0, 1.0), chosen, "case").mask.sum() == voxels


def test_what_is_refused(phantom):
    image, mask = phantom
    gaussian = Settings(profile="ibsi", resampled_pixel_spacing=(2, 2, 2), interpolator="sitkGaussian")
    with pytest.raises(InputError) as refused:
        prepare(image, mask, SPACING, gaussian, "case")
    assert str(refused.value).startswith(
        "E_INTERPOLATOR case: the profile ibsi has no interpolator sitkGaussian; choose"
    )
    point = np.zeros_like(mask)
    point[5, 20, 20] = True
    with pytest.raises(InputError) as refused:
        prepare(image, point, SPACING, settings((9, 9, 9)), "case")
    assert str(refused.value) == (
        "E_MASK_EMPTY case: the mask has no voxel after resampling to 9 x 9 x 9 mm (x, y, z); use smaller voxels"
    )
    broken = image.astype(float)
    broken[5, 20, 20] = np.nan
    with pytest.raises(InputError, match="E_NOT_FINITE case: 1 voxels round the mask are not finite"):
        prepare(broken, mask, SPACING, settings(order=3), "case")
    with pytest.raises(InputError, match=r"resegmentation to \[9000, 9500\] leaves none"):
        prepare(image, mask, SPACING, settings(resegment_range=(9000, 9500)), "case")
