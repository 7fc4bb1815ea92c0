"""Perturbed copies of a region: seeded, sized as asked, and without touching the original."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.radiomics import perturb
from ovfrad.radiomics.perturbation import signed_distance

NONE = {"contour_mm": 0, "translation_mm": 0, "rotation_deg": 0, "noise_hu": 0}


@pytest.fixture(scope="module")
def roi():
    """A ball of radius 9 mm on voxels of 1.5 x 1 x 1 mm, intensity rising along i."""
    k, j, i = np.indices((24, 36, 36)) - np.array([11.5, 17.5, 17.5])[:, None, None, None]
    mask = (1.5 * k) ** 2 + j**2 + i**2 < 81
    affine = np.diag([1.0, 1.0, 1.5, 1.0])
    ct = (200 + 5 * i).astype(np.float32)
    return Roi(Volume(ct, affine), Volume(mask, affine), "P0001 L1", {"kvp": 120.0})


def copies(roi, n=40, **sizes):
    return [perturb(roi, np.random.default_rng(seed), **(NONE | sizes)) for seed in range(n)]


def volume(roi):
    return roi.mask.array.sum() * 1.5


def test_nothing_perturbed_is_the_region_itself(roi):
    (copy,) = copies(roi, 1)
    np.testing.assert_array_equal(copy.mask.array, roi.mask.array)
    np.testing.assert_array_equal(copy.ct.array, roi.ct.array)
    assert copy.case_id == "P0001 L1"
    assert copy.acquisition == {"kvp": 120.0}


def test_the_same_seed_gives_the_same_copy_and_the_original_stays(roi):
    before = roi.ct.array.copy(), roi.mask.array.copy()
    first, again, other = (perturb(roi, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.ct.array, again.ct.array)
    np.testing.assert_array_equal(first.mask.array, again.mask.array)
    assert (first.mask.array != other.mask.array).any()
    np.testing.assert_array_equal(roi.ct.array, before[0])
    np.testing.assert_array_equal(roi.mask.array, before[1])
    assert first.ct.array.dtype == np.float32
    assert first.mask.array.dtype == bool


def test_a_redrawn_contour_keeps_the_image_and_moves_the_surface_as_asked(roi):
    redrawn = copies(roi, contour_mm=1.0)
    assert all((copy.ct.array == roi.ct.array).all() for copy in redrawn)
    radii = np.array([(3 * volume(copy) / (4 * np.pi)) ** (1 / 3) for copy in redrawn])
    assert abs(radii.mean() - 9) < 0.4
    assert 0.3 < radii.std() < 1.2  # the part common to the surface has SD sqrt(1/3), the local part adds to it
    distance = signed_distance(roi.mask.array, (1.5, 1.0, 1.0))
    moved = [np.abs(distance[copy.mask.array != roi.mask.array]) for copy in redrawn]
    assert 0.5 < np.concatenate(moved).mean() < 2
    assert np.concatenate(moved).max() < 5


def test_a_redrawn_contour_grows_here_and_shrinks_there(roi):
    """Most copies have voxels added and others taken away, which a step common to the surface alone cannot do."""
    redrawn = copies(roi, 20, contour_mm=1.0)
    both = [(copy.mask.array & ~roi.mask.array).any() and (roi.mask.array & ~copy.mask.array).any() for copy in redrawn]
    assert sum(both) > 10


def test_translation_moves_mask_and_image_together(roi):
    for copy in copies(roi, 10, translation_mm=2.0):
        i = np.argwhere(copy.mask.array)[:, 2].mean() - 17.5
        mean = copy.ct.array[copy.mask.array].mean()
        assert mean == pytest.approx(200, abs=1.5)  # the ball's own tissue, wherever it went
        assert copy.ct.array[12, 18, 18] == pytest.approx(200 + 5 * (0.5 - i), abs=1.5)
        assert volume(copy) == pytest.approx(volume(roi), rel=0.05)
    places = [np.argwhere(copy.mask.array).mean(axis=0) * [1.5, 1, 1] for copy in copies(roi, translation_mm=2.0)]
    assert np.std(places, axis=0) == pytest.approx([2, 2, 2], rel=0.35)


def test_rotation_turns_about_the_centre_of_the_mask_in_millimetres(roi):
    for copy in copies(roi, 10, rotation_deg=20.0):
        assert np.argwhere(copy.mask.array).mean(axis=0) == pytest.approx([11.5, 17.5, 17.5], abs=0.2)
        assert volume(copy) == pytest.approx(volume(roi), rel=0.05)  # a ball stays a ball on oblong voxels
        gradient = np.gradient(copy.ct.array[8:16, 12:24, 12:24].astype(float), 1.5, 1.0, 1.0)
        length = np.sqrt(sum(part.mean() ** 2 for part in gradient))
        assert length == pytest.approx(5, rel=0.02)


def test_noise_has_the_stated_sd_and_leaves_the_mask(roi):
    (copy,) = copies(roi, 1, noise_hu=12.0)
    np.testing.assert_array_equal(copy.mask.array, roi.mask.array)
    assert (copy.ct.array - roi.ct.array).std() == pytest.approx(12, rel=0.02)


def test_a_mask_at_the_border_of_the_image_is_not_wrapped_round():
    mask = np.zeros((10, 10, 10), bool)
    mask[:5] = True
    volumes = Volume(np.zeros(mask.shape, np.float32), np.eye(4)), Volume(mask, np.eye(4))
    for copy in copies(Roi(*volumes, "border"), 10, contour_mm=0.5, translation_mm=0.5):
        assert copy.mask.array[:2].all()
        assert not copy.mask.array[8:].any()


def test_a_region_that_vanishes_is_refused():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    roi = Roi(Volume(np.zeros(mask.shape, np.float32), np.eye(4)), Volume(mask, np.eye(4)), "P0002 T12")
    with pytest.raises(InputError) as refused:
        copies(roi, contour_mm=3.0)
    assert str(refused.value) == (
        "E_PERTURBED_EMPTY P0002 T12: nothing is left of a mask of 1 voxels after perturbation; "
        "use a contour_mm below 3"
    )


def test_negative_sizes_are_refused(roi):
    with pytest.raises(InputError) as refused:
        perturb(roi, np.random.default_rng(0), noise_hu=-1)
    assert str(refused.value) == "E_PERTURB noise_hu: -1 is not a number from 0 up; it is a standard deviation"
