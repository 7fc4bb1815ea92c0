"""Contours to voxels: known shapes, another program's answer, and nothing that depends on how a contour is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from ovfrad.imaging.masks.contours import EDGE, area, drawn, rasterise, repeated

GRID = np.arange(12.0)
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def witness(polygons: list[NDArray[Any]], xs: NDArray[Any], ys: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxel by voxel: on a side, or an odd number of sides to the right."""
    out = np.zeros((len(ys), len(xs)), bool)
    for r, y in enumerate(ys):
        for c, x in enumerate(xs):
            odd = on = False
            for polygon in polygons:
                for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                    dx, dy = x1 - x0, y1 - y0
                    square = dx * dx + dy * dy
                    t = min(max(((x - x0) * dx + (y - y0) * dy) / square, 0), 1) if square else 0
                    on = on or np.hypot(x - x0 - t * dx, y - y0 - t * dy) <= EDGE
                    if (y0 <= y) != (y1 <= y):
                        odd ^= bool(x < x0 + (y - y0) / dy * dx)
            out[r, c] = odd or on
    return out


@pytest.mark.parametrize(("low", "high", "side"), [(2.5, 6.5, 4), (2.0, 6.0, 5), (2.1, 5.9, 3)])
def test_a_square(low: float, high: float, side: int) -> None:
    found = rasterise([low + (high - low) * SQUARE], GRID, GRID)
    first = int(np.ceil(low))
    wanted = np.zeros((12, 12), bool)
    wanted[first : first + side, first : first + side] = True
    assert np.array_equal(found, wanted)


def test_a_circle_has_the_voxels_within_its_radius() -> None:
    t = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    xs, ys = np.arange(300) * 0.7, np.arange(280) * 0.9
    found = rasterise([np.c_[101.3 + 80.0 * np.cos(t), 99.1 + 80.0 * np.sin(t)]], xs, ys)
    distance = np.hypot(xs - 101.3, ys[:, None] - 99.1)
    assert np.array_equal(found, distance < 80.0005)  # the tolerance of an edge, less the sagitta of its chords
    assert found.sum() * 0.63 == pytest.approx(np.pi * 6400, rel=2e-3)


def test_as_matplotlib_draws_it() -> None:
    rng = np.random.default_rng(1)
    ys, xs = np.mgrid[0:64, 0:80].astype(float)
    for _ in range(20):
        polygon = rng.uniform(-5, 85, (30, 2))  # crosses itself: even-odd is its own rule
        found = rasterise([polygon], xs[0], ys[:, 0])
        wanted, near = rows_between(polygon, xs[0], ys[:, 0]), witness([polygon], xs[0], ys[:, 0])
        assert np.array_equal(found, near)
        assert not (wanted & ~found).any() and (found & ~wanted).sum() < 20  # centres just on a side
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        star = rng.uniform(5, 60, 2) + rng.uniform(5, 30, (40, 1)) * np.c_[np.cos(t), np.sin(t)]
        inside = Outline(star).contains_points(np.c_[xs.ravel(), ys.ravel()]).reshape(xs.shape)
        found = rasterise([star], xs[0], ys[:, 0])
        assert not (inside & ~found).any() and (found & ~inside).sum() < 5


def rows_between(polygon: NDArray[Any], xs: NDArray[Any], ys: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels between an odd and the next even crossing of each row."""
    out = np.zeros((len(ys), len(xs)), bool)
    for r, y in enumerate(ys):
        (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
        cut = (y0 <= y) != (y1 <= y)
        crossings = np.sort((x0 + (y - y0) / np.where(cut, y1 - y0, 1) * (x1 - x0))[cut])
        for a, b in zip(crossings[::2], crossings[1::2], strict=True):
            out[r] |= (xs > a) & (xs < b)
    return out


def test_holes_islands_and_keyholes() -> None:
    outer, hole, island = 0.5 + 10 * SQUARE, 2.5 + 6 * SQUARE, 4.5 + 2 * SQUARE
    wanted = np.zeros((12, 12), bool)
    wanted[1:11, 1:11] = True
    wanted[3:9, 3:9] = False
    assert np.array_equal(rasterise([outer, hole], GRID, GRID), wanted)
    keyhole = np.vstack([outer, outer[:1], hole[[0, 3, 2, 1]], hole[:1]])
    assert np.array_equal(rasterise([keyhole], GRID, GRID), wanted)
    wanted[5:7, 5:7] = True
    for order in ([outer, hole, island], [island, outer, hole]):
        assert np.array_equal(rasterise(order, GRID, GRID), wanted)
        assert drawn(order, GRID, GRID)[1] == 0


def test_the_seam_of_a_keyhole_through_centres_leaves_no_line() -> None:
    outer, hole = 1 + 9 * SQUARE, 4.5 + 2 * SQUARE
    seam = np.vstack([outer, outer[:1], [[5.0, 5.0]], hole[[0, 3, 2, 1]], hole[:1], [[5.0, 5.0]]])
    whole = rasterise([outer], GRID, GRID)
    lost = whole & ~rasterise([seam], GRID, GRID)
    assert lost.sum() == 3
    assert not (lost & ~rasterise([hole], GRID, GRID)).any()


def test_contours_outside_the_grid_and_without_area() -> None:
    assert not rasterise([100 + SQUARE], GRID, GRID).any()
    assert not rasterise([0.2 + SQUARE / 2], GRID, GRID).any()
    assert rasterise([0.5 + 100 * SQUARE], GRID, GRID).sum() == 11 * 11
    assert rasterise([np.array([[2.0, 3.0], [6.0, 3.0], [4.0, 3.0]])], GRID, GRID).sum() == 5
    assert rasterise([np.full((3, 2), 4.0)], GRID, GRID).sum() == 1
    assert rasterise([], GRID, GRID).sum() == 0


def test_the_tolerance_of_an_edge() -> None:
    assert rasterise([3 + 0.9 * EDGE + 4 * SQUARE], GRID, GRID)[4, 3]
    assert not rasterise([3 + 1.1 * EDGE + 4 * SQUARE], GRID, GRID)[4, 3]


def test_crossing_contours_are_counted() -> None:
    one = 0.5 + 4 * SQUARE
    assert drawn([one, one + 3], GRID, GRID)[1] == 1
    assert drawn([one, one + 2], GRID, GRID)[1] == 4
    assert drawn([one, one + np.array([4, 0])], GRID, GRID)[1] == 0
    assert drawn([np.floor(one), np.floor(one) + np.array([4, 0])], GRID, GRID)[1] == 0


def test_a_contour_drawn_twice_is_known() -> None:
    blob = np.random.default_rng(0).uniform(0, 9, (40, 2))
    assert repeated([blob, 0.5 + SQUARE, np.roll(blob[::-1], 7, axis=0)])
    assert not repeated([blob, blob + 0.01])


def test_area() -> None:
    t = np.linspace(0, 2 * np.pi, 1000, endpoint=False)
    assert area(1e4 + np.c_[3 * np.cos(t), 2 * np.sin(t)]) == pytest.approx(6 * np.pi, rel=1e-4)


# Halves and tenths put corners and sides on voxel centres, where rounding decides if no rule does.
corner = st.one_of(
    st.integers(-2, 12).map(float), st.integers(-4, 24).map(lambda n: n / 2), st.integers(0, 110).map(lambda n: n / 10)
)
polygons = st.lists(
    st.lists(st.tuples(corner, corner), min_size=3, max_size=9).map(lambda p: np.array(p, dtype=float)),
    min_size=1, max_size=3,
)  # fmt: skip


@given(polygons)
@settings(max_examples=60, deadline=None)
def test_as_drawn_voxel_by_voxel(shapes: list[NDArray[Any]]) -> None:
    xs, ys = np.arange(9.0), np.arange(11) * 0.9
    assert np.array_equal(rasterise(shapes, xs, ys), witness(shapes, xs, ys))


@given(polygons, st.integers(0, 8), st.floats(-300, 300))
@settings(max_examples=100, deadline=None)
def test_flips_turns_places_and_first_points_change_nothing(
    shapes: list[NDArray[Any]], first: int, shift: float
) -> None:
    xs, ys = np.arange(9.0), np.arange(11.0)
    wanted = rasterise(shapes, xs, ys)
    other = [np.roll(p, first, axis=0)[:: (-1) ** n] for n, p in enumerate(shapes[::-1])]
    assert np.array_equal(rasterise(other, xs, ys), wanted)
    assert np.array_equal(rasterise(shapes, xs[::-1], ys), wanted[:, ::-1])
    assert np.array_equal(rasterise(shapes, xs, ys[::-1]), wanted[::-1])
    assert np.array_equal(rasterise([p[:, ::-1] for p in shapes], ys, xs), wanted.T)
    mirrored = [shift - p for p in shapes]
    assert np.array_equal(rasterise(mirrored, shift - xs, shift - ys), wanted)


def test_the_tolerance_of_an_edge_is_a_length_and_does_not_grow_with_the_voxels() -> None:
    sliver = np.array([(0.0, -1.0), (4.5, 10.2), (1.1, 2.0)])  # passes 0.00225 voxels beside the centre of (4, 9)
    for size, within in ((0.375, True), (1.0, False), (3.0, False)):
        assert rasterise([size * sliver], size * np.arange(9.0), size * np.arange(11.0))[9, 4] == within
