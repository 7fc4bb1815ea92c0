"""The patch: which slice, which box, which way up."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.deep.patch import largest_slice, patch, resampling_weights
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.study.settings import Deep

WINDOW = (-250.0, 1250.0)
BLOCK = (slice(10, 30), slice(12, 32), slice(8, 22))


def _roi(ct, mask=None, affine=None):
    if mask is None:
        mask = np.zeros(ct.shape, bool)
        mask[BLOCK] = True
    affine = np.eye(4) if affine is None else affine
    return Roi(Volume(np.asarray(ct, np.float32), affine), Volume(mask, affine), "P1 L1")


def _ramp(axis):
    """CT that rises along one array axis from 0 HU, 10 HU a voxel."""
    shape = (40, 44, 30)
    return np.broadcast_to(np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)]) * 10.0, shape)


def test_patch_is_three_equal_float32_channels_between_0_and_1():
    rng = np.random.default_rng(0)
    found = patch(_roi(rng.normal(300, 900, (40, 44, 30))), Deep(), WINDOW)
    assert found.shape == (3, 64, 64) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


@pytest.mark.parametrize(
    ("plane", "axis", "downwards", "rightwards"),
    [
        ("sagittal", 0, -1, 0),  # head up
        ("sagittal", 1, 0, 1),  # back on the right, so anterior on the left
        ("coronal", 0, -1, 0),
        ("coronal", 2, 0, 1),  # patient's left on the right
        ("axial", 1, 1, 0),  # back below
        ("axial", 2, 0, 1),
    ],
)
def test_orientation_on_the_screen_is_fixed(plane, axis, downwards, rightwards):
    image = patch(_roi(_ramp(axis)), Deep(plane=plane), WINDOW)[0]
    assert np.sign(image[-1, 32] - image[0, 32]) == downwards
    assert np.sign(image[32, -1] - image[32, 0]) == rightwards


def test_box_is_the_mask_with_its_margin_and_grey_values_are_interpolated_linearly():
    image = patch(_roi(_ramp(1)), Deep(size=48), WINDOW)[0]
    # box of 20 mm from 12 to 32 mm, 2 mm margin on each side: 10..34 mm in 48 pixels; voxel centres lie at +0.5
    position = 10 + (np.arange(48) + 0.5) * 0.5
    assert image[24] == pytest.approx((10 * (position - 0.5) + 250) / 1500, abs=1e-6)


def test_coarser_patch_averages_area():
    checker = np.indices((40, 44, 30)).sum(axis=0) % 2 * 1000.0
    image = patch(_roi(checker, np.ones(checker.shape, bool)), Deep(size=32, margin=1.0), WINDOW)[0]
    inside = image[12:20, 12:20]  # pixels of 4 mm
    assert inside == pytest.approx(np.full((8, 8), (500 + 250) / 1500), abs=0.02)


def test_spacing_counts_so_that_the_box_is_square_in_millimetres():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    fine, coarse = _ramp(0), _ramp(0)[::2] + 5.0
    mask = np.zeros(fine.shape, bool)
    mask[BLOCK] = True
    same = patch(_roi(coarse, mask[::2], affine), Deep(), WINDOW)[0]
    assert same[8:-8] == pytest.approx(patch(_roi(fine, mask), Deep(), WINDOW)[0][8:-8], abs=1e-5)


def test_adjacent_channels_are_the_neighbours_and_stop_at_the_border():
    found = patch(_roi(_ramp(2)), Deep(channels="adjacent"), WINDOW)
    assert (found[2] - found[1])[32, 32] == pytest.approx(10 / 1500, abs=1e-6)
    assert (found[1] - found[0])[32, 32] == pytest.approx(10 / 1500, abs=1e-6)
    mask = np.zeros((40, 44, 30), bool)
    mask[10:30, 12:32, 29] = True
    last = patch(_roi(_ramp(2), mask), Deep(channels="adjacent"), WINDOW)
    assert np.array_equal(last[1], last[2]) and not np.array_equal(last[0], last[1])


def test_box_beyond_the_image_repeats_its_border():
    image = patch(_roi(_ramp(1), np.ones((40, 44, 30), bool)), Deep(), WINDOW)[0]
    assert image[32, 0] == pytest.approx(250 / 1500) and image[32, -1] == pytest.approx((430 + 250) / 1500)


def test_slice_of_largest_area_and_a_tie_goes_to_the_middle():
    mask = np.zeros((10, 10, 9), bool)
    mask[2:5, 2:5, 1:8] = True
    assert largest_slice(mask, 2) == 4
    mask[2:6, 2:5, 6] = True
    assert largest_slice(mask, 2) == 6


def test_region_that_is_not_in_lps_is_refused():
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"^case P1 L1: a patch needs a region with LPS axes; call imaging.prepare"):
        patch(_roi(_ramp(0), affine=flipped), Deep(), WINDOW)


@pytest.mark.parametrize(("start", "side", "size", "length"), [(-5, 40, 64, 30), (3.3, 100, 32, 90), (0, 7, 64, 9)])
def test_resampling_weights_sum_to_one_and_keep_a_straight_line(start, side, size, length):
    weights = resampling_weights(start, side, size, length)
    assert weights.shape == (size, length)
    assert weights.sum(axis=1) == pytest.approx(np.ones(size))
    centres = start + (np.arange(size) + 0.5) * side / size
    reach = max(side / size, 1.0)
    inside = (centres > reach) & (centres < length - reach)
    assert (weights @ (np.arange(length) + 0.5))[inside] == pytest.approx(centres[inside], abs=0.1)  # of a pixel
