"""What must not change a feature, what must change it by a known factor, and what must change it."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.radiomics import features, names

AMBIGUOUS = 0.05
"""Marching cubes resolves ambiguous faces by stored axes: the surface of this ragged mask moves by some per cent."""


def compute(image, mask, spacing, **settings):
    return features(image, mask, spacing, bin_width=25, **settings)


def by_class(found, *groups):
    return {name: value for name, value in found.items() if name.split("_")[1] in groups}


def test_tissue_outside_the_mask_and_its_extent_do_not_matter(blob):
    image, mask, spacing = blob
    other = np.where(mask, image, -1e4)
    padded = [np.pad(array, ((3, 0), (1, 7), (0, 2))) for array in (other, mask)]
    assert compute(*padded, spacing) == compute(image, mask, spacing)


def test_a_mask_that_touches_the_border_is_closed_there(blob):
    image, mask, spacing = blob
    box = tuple(slice(int(w.min()), int(w.max()) + 1) for w in np.nonzero(mask))
    assert compute(image[box], mask[box], spacing) == compute(image, mask, spacing)


def test_memory_layout_and_dtype_do_not_matter(blob):
    image, mask, spacing = blob
    for stored in (np.asfortranarray(image), image.astype(np.int16), image.astype(np.float32)):
        assert compute(stored, mask, spacing) == compute(image, mask, spacing)
    assert compute(image, mask.astype(np.uint8), spacing) == compute(image, mask, spacing)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_changes_nothing(blob, axis):
    """Flipping an axis exchanges directions with each other."""
    image, mask, spacing = blob
    flipped = compute(np.flip(image, axis), np.flip(mask, axis), spacing)
    for name, value in compute(image, mask, spacing).items():
        surface = name.rsplit("_", 1)[1] in {"MeshVolume", "SurfaceArea", "Sphericity", "SurfaceVolumeRatio"}
        assert flipped[name] == pytest.approx(value, rel=AMBIGUOUS if surface else 1e-9), name


def test_permuting_axes_only_renames_the_planes(blob):
    image, mask, spacing = blob
    turned = compute(image.transpose(2, 0, 1), mask.transpose(2, 0, 1), (spacing[2], spacing[0], spacing[1]))
    renamed = {"Slice": "Column", "Column": "Row", "Row": "Slice"}
    for name, value in compute(image, mask, spacing).items():
        prefix, _, plane = name.partition("2DDiameter")
        there = f"{prefix}2DDiameter{renamed[plane]}" if plane else name
        surface = name.rsplit("_", 1)[1] in {"MeshVolume", "SurfaceArea", "Sphericity", "SurfaceVolumeRatio"}
        assert turned[there] == pytest.approx(value, rel=AMBIGUOUS if surface else 1e-9), name


def test_shift_by_whole_bins_leaves_textures_alone(blob):
    image, mask, spacing = blob
    before, after = compute(image, mask, spacing), compute(image + 250, mask, spacing)
    textures = ("glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape")
    assert by_class(after, *textures) == by_class(before, *textures)
    assert after["original_firstorder_Mean"] == pytest.approx(before["original_firstorder_Mean"] + 250)
    assert after["original_firstorder_Entropy"] == before["original_firstorder_Entropy"]


def test_spacing_scales_shape_and_leaves_textures_alone(blob):
    image, mask, spacing = blob
    before = compute(image, mask, spacing)
    after = compute(image, mask, tuple(3 * step for step in spacing))
    power = {"Volume": 3, "Length": 1, "Area": 2, "Ratio": -1, "Slice": 1, "Row": 1, "Column": 1, "Diameter": 1}
    for name, value in before.items():
        scale = next((3.0**p for end, p in power.items() if "_shape_" in name and name.endswith(end)), 1.0)
        scale = 27.0 if name == "original_firstorder_TotalEnergy" else scale
        assert after[name] == pytest.approx(scale * value, rel=1e-9), name


def test_a_box_has_the_shape_of_a_box():
    mask = np.zeros((12, 22, 32), bool)
    mask[1:11, 1:21, 1:31] = True
    found = compute(np.zeros(mask.shape), mask, (2.0, 1.0, 0.5), only=[n for n in names() if "_shape_" in n])
    assert found["original_shape_VoxelVolume"] == 10 * 20 * 30
    assert found["original_shape_MeshVolume"] == pytest.approx(6000, rel=0.01)
    assert found["original_shape_SurfaceArea"] == pytest.approx(2 * (20 * 20 + 20 * 15 + 20 * 15), rel=0.05)
    # the mesh reaches half a voxel beyond the outermost centres along one axis at a time
    diagonal = np.linalg.norm
    assert found["original_shape_Maximum2DDiameterSlice"] == pytest.approx(
        max(diagonal([20, 14.5]), diagonal([19, 15]))
    )
    assert found["original_shape_Maximum2DDiameterColumn"] == pytest.approx(diagonal([20, 14.5]))
    assert found["original_shape_Maximum2DDiameterRow"] == pytest.approx(diagonal([20, 19]))
    assert found["original_shape_Maximum3DDiameter"] == pytest.approx(diagonal([20, 19, 14.5]))
    assert found["original_shape_MajorAxisLength"] == pytest.approx(4 * 2 * np.sqrt((10**2 - 1) / 12), rel=0.01)


def test_textures_notice_the_order_of_voxels(blob):
    image, mask, spacing = blob
    shuffled = image.copy()
    shuffled[mask] = np.random.default_rng(0).permutation(image[mask])
    before, after = compute(image, mask, spacing), compute(shuffled, mask, spacing)
    assert by_class(after, "firstorder", "shape") == pytest.approx(by_class(before, "firstorder", "shape"), rel=1e-12)
    assert after["original_glcm_Correlation"] < before["original_glcm_Correlation"] - 0.05


def test_dependence_grows_with_gldm_a(blob):
    image, mask, spacing = blob
    name = "original_gldm_LargeDependenceEmphasis"
    values = [compute(image, mask, spacing, gldm_a=a, only=[name])[name] for a in (0, 1, 50)]
    assert values[0] < values[1] < values[2]


def test_only_what_is_asked_for_is_returned_in_the_usual_order(blob):
    image, mask, spacing = blob
    asked = ["original_ngtdm_Strength", "original_firstorder_Mean", "original_glcm_Id"]
    found = compute(image, mask, spacing, only=asked)
    assert list(found) == ["original_firstorder_Mean", "original_glcm_Id", "original_ngtdm_Strength"]
    whole = compute(image, mask, spacing)
    assert found == {name: whole[name] for name in found}
