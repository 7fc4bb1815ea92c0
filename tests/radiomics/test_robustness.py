"""ICC of features over perturbed copies: right for a known case, seeded, and refused where it means nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.radiomics import robustness

FEW = {"featureClass": {"shape": ["VoxelVolume"], "firstorder": ["Mean", "Range"]}}
ALONE = {"contour_mm": 0, "translation_mm": 0, "rotation_deg": 0, "noise_hu": 0}


@pytest.fixture(scope="module")
def rois():
    """Balls of 6 to 10 mm whose mean is their number times ten."""
    k, j, i = np.indices((30, 30, 30)) - 14.5
    rng = np.random.default_rng(0)
    return [
        Roi(
            Volume((10 * n + rng.normal(0, 1, k.shape)).astype(np.float32), np.eye(4)),
            Volume(k**2 + j**2 + i**2 < (6 + n) ** 2, np.eye(4)),
            f"P{n}",
        )
        for n in range(5)
    ]


def test_a_feature_that_noise_cannot_move_agrees_and_one_of_extremes_does_not(rois):
    table = robustness(rois, FEW, copies=3, **(ALONE | {"noise_hu": 20}))
    assert list(table.columns) == ["icc", "lower", "upper", "regions", "readings"]
    assert (table["regions"] == 5).all()
    assert (table["readings"] == 4).all()
    assert table.loc["original_shape_VoxelVolume", "icc"] == 1
    assert table.loc["original_firstorder_Mean", "icc"] > 0.99
    assert table.loc["original_firstorder_Range", "icc"] < 0.5
    assert (table["lower"] <= table["icc"]).all()
    assert (table["icc"] <= table["upper"]).all()


def test_contour_moves_volume(rois):
    steady = robustness(rois, FEW, **(ALONE | {"contour_mm": 0.2})).loc["original_shape_VoxelVolume", "icc"]
    loose = robustness(rois, FEW, **(ALONE | {"contour_mm": 2.5})).loc["original_shape_VoxelVolume", "icc"]
    assert 0.9 < steady < 1
    assert loose < steady


def test_seeded(rois):
    first, again, other = (robustness(rois[:3], FEW, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_nothing_perturbed_agrees_wholly(rois):
    assert (robustness(rois, FEW, **ALONE)["icc"] == 1).all()


def test_a_feature_that_is_the_same_everywhere_agrees_wholly(rois):
    alike = [Roi(one.ct, rois[0].mask, one.case_id) for one in rois]
    table = robustness(alike, FEW, **(ALONE | {"noise_hu": 5}))
    assert table.loc["original_shape_VoxelVolume", ["icc", "lower", "upper"]].tolist() == [1, 1, 1]
    assert table.loc["original_firstorder_Range", "icc"] < 1


@pytest.mark.parametrize(("count", "copies"), [(1, 1), (0, 1), (3, 0)])
def test_too_few(rois, count, copies):
    with pytest.raises(InputError, match="E_PERTURB"):
        robustness(rois[:count], FEW, copies=copies)
