"""Places, not storage, decide: turns, grids, boxes."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from ovfrad.imaging import Grid, Volume, to_lps
from ovfrad.imaging.geometry import Turn, crop, grid_fault, mask_box, matched, turned

TURNS = [Turn(axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)]  # type: ignore[arg-type]


def volume() -> Volume:
    oblique = np.array([[0.9, 0.1, 0], [-0.1, 0.9, 0], [0, 0, 1.0]]) @ np.diag([0.7, 0.8, 2.0])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = oblique, [-10, 20, 300]
    return Volume(np.arange(3 * 4 * 5).reshape(3, 4, 5), affine)


def places(v: Volume) -> dict[int, tuple[float, ...]]:
    k, j, i = np.indices(v.array.shape)
    points = v.affine @ np.stack([i.ravel(), j.ravel(), k.ravel(), np.ones(i.size)])
    return {int(a): tuple(np.round(p, 9)) for a, p in zip(v.array.ravel(), points[:3].T, strict=True)}


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_every_turn_keeps_every_voxel_in_its_place_and_lps_undoes_it(turn: Turn) -> None:
    start = volume()
    there = turned(start, turn)
    assert places(there) == places(start)
    for back in (to_lps(there), matched(there, start.grid)):
        np.testing.assert_array_equal(back.array, start.array)
        np.testing.assert_allclose(back.affine, start.affine, atol=1e-12)


def test_lps_directions_are_nearest_to_the_identity() -> None:
    assert (np.diag(to_lps(turned(volume(), TURNS[13])).direction) > 0.9).all()


def changed(**to: object) -> Volume:
    start = volume()
    affine = start.affine.copy()
    if "origin" in to:
        affine[:3, 3] += to["origin"]
    if "spacing" in to:
        affine[:3, :3] *= to["spacing"]
    if "turn" in to:
        a = np.radians(to["turn"])  # type: ignore[call-overload]
        affine[:3, :3] = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ affine[:3, :3]
    return Volume(start.array, affine)


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        (changed(), None),
        (changed(origin=[0, 0, 0.019]), None),
        (changed(origin=[0, 0, 0.021]), "origin is 0.021 mm off the CT's along z"),
        (changed(origin=[0, -3, 1]), "origin is 3.0 mm off the CT's along y"),
        (changed(spacing=[1, 1, 1.5]), "spacing is 0.7 x 0.8 x 3 mm, the CT's 0.7 x 0.8 x 2 mm"),
        (changed(turn=2), "axes are turned by 2 degrees against the CT's"),
        (Volume(volume().array[1:], volume().affine), "has 5 x 4 x 2 voxels, the CT 5 x 4 x 3"),
    ],
)
def test_a_grid_is_the_same_within_a_hundredth_of_a_voxel(other: Volume, fault: str | None) -> None:
    start = volume()
    start = Volume(start.array, start.affine)
    found = grid_fault(other, start.grid)
    if fault is not None and "spacing" in fault:
        assert found is not None
        assert found.startswith("spacing is ")
    else:
        assert found == fault


def test_the_box_has_the_same_margin_on_both_sides_and_stops_at_the_border() -> None:
    mask = np.zeros((20, 20, 20), bool)
    mask[10, 2:5, 9:12] = True
    box = mask_box(mask, (1.0, 1.0, 2.0), 4.0)
    assert box == (slice(8, 13), slice(0, 9), slice(5, 16))
    cut = crop(Volume(np.arange(8000).reshape(20, 20, 20), np.eye(4)), box)
    assert cut.origin == (5.0, 0.0, 8.0)
    assert cut.array[0, 0, 0] == 8 * 400 + 5


def test_each_axis_of_a_thin_grid_is_compared_at_its_own_end() -> None:
    grid = Grid((3, 512, 512), np.diag([1.0, 1.0, 2.0, 1.0]))
    step, turn = grid.affine.copy(), grid.affine.copy()
    step[2, 2] += 2e-4  # after two steps 0.0002 voxels, after 511 a tenth
    turn[1, 0], turn[0, 1] = 2e-4, -2e-4  # after 511 voxels a tenth, after two nothing
    assert grid_fault(Grid(grid.shape, step), grid) is None
    assert grid_fault(Grid(grid.shape, turn), grid) == "axes are turned by 0.011 degrees against the CT's"
