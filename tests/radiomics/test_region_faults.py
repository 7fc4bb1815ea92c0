"""Regions at the edge of what can be computed: a documented value or a clear refusal, never a silent NaN."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics import features, names

SPACING = (1.0, 1.0, 1.0)


def image_and_mask(*corners):
    """A noisy image of 6^3 voxels and a mask of the boxes given as slices."""
    image = np.random.default_rng(3).integers(-100, 300, (6, 6, 6)).astype(float)
    mask = np.zeros(image.shape, bool)
    for corner in corners:
        mask[corner] = True
    return image, mask


def refusal(image, mask, spacing=SPACING, **settings):
    with pytest.raises(InputError) as refused:
        features(image, mask, spacing, where="case P1 L1", **settings)
    return str(refused.value)


def test_empty_mask():
    assert refusal(*image_and_mask()) == (
        "E_MASK_EMPTY case P1 L1: the mask has no voxel; give a mask with the region in it"
    )


def test_one_voxel():
    assert refusal(*image_and_mask((2, 2, 2))) == (
        "E_ROI_TOO_SMALL case P1 L1: the mask is 1 x 1 x 1 voxels (k x j x i), a point; "
        "2 of its extents must exceed one voxel (minimumROIDimensions)"
    )
    assert refusal(*image_and_mask((2, 2, 2)), minimum_roi_dimensions=1).endswith(
        "a point; 1 of its extents must exceed one voxel (minimumROIDimensions)"
    )


def test_line():
    line = image_and_mask((2, 2, slice(1, 5)))
    assert "the mask is 1 x 1 x 4 voxels (k x j x i), a line; " in refusal(*line)
    found = features(*line, SPACING, minimum_roi_dimensions=1)
    assert list(found) == names()
    assert np.isfinite(list(found.values())).all()
    assert found["original_shape_Elongation"] == found["original_shape_Flatness"] == 0


def test_too_few_voxels():
    cube = image_and_mask((slice(1, 4), slice(1, 4), slice(1, 4)))
    assert len(features(*cube, SPACING, minimum_roi_size=26)) == 107
    assert refusal(*cube, minimum_roi_size=27) == (
        "E_ROI_TOO_SMALL case P1 L1: the mask has 27 voxels; more than 27 are required (minimumROISize)"
    )


def test_a_region_that_processing_leaves_nothing_of():
    cube = image_and_mask((slice(1, 4), slice(1, 4), slice(1, 4)))
    assert refusal(*cube, resegment_range=(5000,)) == (
        "E_MASK_EMPTY case P1 L1: of 27 voxels (-88 to 289) resegmentation to [5000, inf] leaves none; "
        "widen resegmentRange, or check the unit of the image"
    )
    assert "E_MASK_EMPTY case P1 L1: the mask has no voxel after resampling to 9 x 9 x 9 mm (x, y, z)" in refusal(
        *cube, resampled_pixel_spacing=(9, 9, 9)
    )


def test_scattered_voxels():
    assert refusal(*image_and_mask((0, 0, 0), (5, 3, 1))) == (
        "E_ROI_SCATTERED case P1 L1: no two of the mask's 2 voxels are neighbours; textures need a connected region"
    )


def test_voxels_that_are_not_finite():
    image, mask = image_and_mask((slice(1, 4), slice(1, 4), slice(1, 4)))
    image[2, 2, 2] = np.nan
    image[0, 0, 0] = np.inf  # outside the mask: of no concern
    assert refusal(image, mask) == (
        "E_NOT_FINITE case P1 L1: 1 voxels inside the mask are not finite; "
        "repair the image or leave these voxels out of the mask"
    )


def test_grids_that_differ():
    image, mask = image_and_mask((2, slice(1, 4), slice(1, 4)))
    assert "image (6, 6, 6) and mask (6, 6, 5) are not one 3-D grid" in refusal(image, mask[:, :, :5])


def test_spacing():
    plate = image_and_mask((2, slice(1, 4), slice(1, 4)))
    assert "E_SPACING case P1 L1: spacing (1.0, 0.0, 1.0) mm" in refusal(*plate, spacing=(1.0, 0.0, 1.0))
    assert "E_SPACING case P1 L1: 2 numbers; give three, mm, in the order (k, j, i)" in refusal(*plate, spacing=(1, 1))


def test_intensities_that_are_not_real():
    image, mask = image_and_mask((2, slice(1, 4), slice(1, 4)))
    assert refusal(image + 0j, mask) == ("E_IMAGE_KIND case P1 L1: its intensities are complex128; give real numbers")


def test_too_many_bins():
    image = np.arange(4096.0).reshape(16, 16, 16)
    assert refusal(image, image >= 0, bin_width=1) == (
        "E_BINS case P1 L1: 4096 grey levels at a bin width of 1; at most 2048 are accepted: use a larger bin_width"
    )
    assert "more than 1e6 bins of 0.0001" in refusal(image, image >= 0, bin_width=1e-4)


def test_one_slice_has_no_thickness():
    found = features(*image_and_mask((2, slice(1, 5), slice(0, 6))), SPACING)
    assert list(found) == names()
    assert np.isfinite(list(found.values())).all()
    assert found["original_shape_LeastAxisLength"] == found["original_shape_Flatness"] == 0
    assert found["original_shape_MeshVolume"] > 0


@pytest.mark.parametrize("profile", ["pyradiomics", "ibsi"])
def test_one_grey_level_has_documented_values(profile):
    image, mask = image_and_mask((slice(1, 4), slice(1, 4), slice(1, 4)))
    found = features(np.full_like(image, 57.0), mask, SPACING, profile=profile)
    assert np.isfinite(list(found.values())).all()
    assert {name.removeprefix("original_"): found[name] for name in DOCUMENTED} == {
        name.removeprefix("original_"): value for name, value in DOCUMENTED.items()
    }


DOCUMENTED = {
    "original_firstorder_Kurtosis": 0.0,
    "original_firstorder_Skewness": 0.0,
    "original_glcm_Correlation": 1.0,
    "original_glcm_MCC": 1.0,
    "original_glcm_Imc2": 0.0,
    "original_glcm_InverseVariance": 0.0,
    "original_ngtdm_Coarseness": 1e6,
    "original_ngtdm_Busyness": 0.0,
    "original_ngtdm_Complexity": 0.0,
    "original_ngtdm_Contrast": 0.0,
    "original_ngtdm_Strength": 0.0,
}


def test_a_million_voxels():
    k, j, i = np.indices((124, 124, 124)) - 61.5
    mask = k**2 + j**2 + i**2 < 61.5**2
    image = np.round(100 * np.sin(k / 7) + 80 * np.cos(i * j / 50))
    found = features(image, mask, SPACING)
    radius = (3 * mask.sum() / (4 * np.pi)) ** (1 / 3)
    assert found["original_shape_VoxelVolume"] == mask.sum() > 970_000
    assert found["original_shape_Maximum3DDiameter"] == pytest.approx(2 * radius, rel=0.01)
    assert np.isfinite(list(found.values())).all()


def test_zscore_of_a_constant_image():
    _, mask = image_and_mask((slice(1, 4), slice(1, 4), slice(1, 4)))
    assert refusal(np.ones(mask.shape), mask, normalize=True) == (
        "E_IMAGE_CONSTANT case P1 L1: SD of the image is 0; a z-score needs intensities that vary"
    )
