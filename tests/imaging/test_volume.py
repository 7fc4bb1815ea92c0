"""`Volume` and `Roi` hold only what is valid."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.imaging import Roi, Volume


def test_spacing_origin_and_direction_come_from_the_affine() -> None:
    affine = np.array([[0, 0, -2.0, 5], [0.5, 0, 0, 6], [0, -1.0, 0, 7], [0, 0, 0, 1]])
    volume = Volume(np.zeros((2, 3, 4)), affine)
    assert volume.spacing == (0.5, 1.0, 2.0)
    assert volume.origin == (5.0, 6.0, 7.0)
    assert volume.voxel_mm3 == pytest.approx(1.0)
    np.testing.assert_array_equal(volume.direction, [[0, 0, -1], [1, 0, 0], [0, -1, 0]])


def test_affine_is_a_frozen_copy() -> None:
    affine = np.eye(4)
    volume = Volume(np.zeros((2, 2, 2)), affine)
    affine[0, 0] = 7
    assert volume.spacing[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 0] = 3


@pytest.mark.parametrize(
    ("array", "affine", "fault"),
    [
        (np.zeros((0, 2, 2)), np.eye(4), "non-empty 3-D array"),
        (np.zeros((2, 2, 2)), np.eye(3), "finite 4 x 4 affine"),
        (np.zeros((2, 2, 2)), np.diag([1, 1, np.nan, 1]), "finite 4 x 4 affine"),
        (np.zeros((2, 2, 2)), np.diag([1.0, 1, 0, 1]), "three independent axes"),
    ],
)
def test_bad_volumes_are_refused(array: np.ndarray, affine: np.ndarray, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Volume(array, affine)


def test_a_roi_needs_numbers_a_bool_mask_and_one_grid() -> None:
    ct = Volume(np.zeros((3, 3, 3), np.float32), np.eye(4))
    mask = Volume(np.ones((3, 3, 3), bool), np.eye(4))
    moved = np.eye(4)
    moved[2, 3] = 0.5
    assert Roi(ct, mask, "a").spacing == (1.0, 1.0, 1.0)
    assert Roi(Volume(ct.array.astype(np.int16), np.eye(4)), mask, "a").ct.array.dtype == np.int16
    with pytest.raises(ValueError, match=r"a CT of numbers and a bool mask \(float32, float32\)"):
        Roi(ct, ct, "a")
    with pytest.raises(ValueError, match=r"a CT of numbers and a bool mask \(bool, bool\)"):
        Roi(mask, mask, "a")
    with pytest.raises(ValueError, match="differ in shape"):
        Roi(ct, Volume(mask.array[1:], np.eye(4)), "a")
    with pytest.raises(ValueError, match="different grids"):
        Roi(ct, Volume(mask.array, moved), "a")
    with pytest.raises(ValueError, match="is empty"):
        Roi(ct, Volume(~mask.array, np.eye(4)), "a")
