"""shape2D: PyRadiomics' baseline (of one slice of each mask), and what is refused."""

from __future__ import annotations

import csv
from ast import literal_eval
from types import SimpleNamespace

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics.shape2d import Outline, perimeter_and_surface, shape2d

RELATIVE = 1e-9
"""2e-12 is reached: three of the columns are printed with 12 digits."""


def in_its_box(mask, spacing):
    """The part of a `Region` that an outline is measured from."""
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(mask))
    return SimpleNamespace(mask=np.pad(mask[box], 1), spacing=spacing)


@pytest.fixture(scope="module")
def baseline(shared):
    """Row to value, as text, for each image of PyRadiomics' table."""
    path = shared / "data" / "pyradiomics" / "baseline" / "baseline_shape2D.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        column.removesuffix("_shape2D"): {row["featureName"]: row[column] for row in rows}
        for column in rows[0]
        if column != "featureName"
    }


@pytest.mark.parametrize("name", ["brain1", "brain2", "breast1"])
def test_baseline_rows_are_those_of_the_largest_slice(name, shared, baseline, read_image):
    """The table has a single slice of each mask, which its rows on the mask name: that of most voxels."""
    label, spacing = read_image(shared / "data" / "pyradiomics" / f"{name}_label.nrrd")
    mask = label == 1
    largest = int(mask.sum(axis=(1, 2)).argmax())
    told = baseline[name]
    first = literal_eval(told["diagnostics_Mask-corrected_BoundingBox"])
    assert first[2] == largest
    assert first[5] == 1
    assert int(told["diagnostics_Mask-corrected_VoxelNum"]) == mask[largest].sum()
    found = shape2d.compute(Outline.of(in_its_box(mask[largest : largest + 1], spacing)))
    expected = {key.removeprefix("original_"): float(value) for key, value in told.items() if "original_shape2D" in key}
    assert len(expected) == 9
    assert found == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize(("axis", "name"), [(0, "k"), (1, "j"), (2, "i")])
def test_more_than_one_slice_is_refused(axis, name):
    extent = [3, 3, 3]
    extent[axis] = 2
    with pytest.raises(InputError) as refused:
        Outline.of(in_its_box(np.ones(extent, bool), (1.0, 1.0, 1.0)), axis, "case P1")
    assert str(refused.value) == (
        f"E_SHAPE2D case P1: the mask spans 2 slices along array axis {axis} ({name}); "
        "shape2D takes a mask of one slice across force2Ddimension"
    )


def test_the_slice_may_lie_across_any_axis():
    flat = np.random.default_rng(4).random((7, 9)) < 0.6
    flat[0, 0] = flat[6, 8] = True
    across_k = shape2d.compute(Outline.of(in_its_box(flat[None], (9.0, 0.8, 1.5))))
    for axis, spacing in ((1, (0.8, 9.0, 1.5)), (2, (0.8, 1.5, 9.0))):
        turned = Outline.of(in_its_box(np.expand_dims(flat, axis), spacing), axis)
        assert shape2d.compute(turned) == pytest.approx(across_k, rel=1e-12)


def test_a_disc_has_the_measures_of_a_disc():
    j, i = np.indices((41, 61)) - np.array([20, 30])[:, None, None]
    disc = (j * 1.5) ** 2 + i**2 < 28**2
    found = shape2d.compute(Outline.of(in_its_box(disc[None], (5.0, 1.5, 1.0))))
    assert found["shape2D_MeshSurface"] == pytest.approx(np.pi * 28**2, rel=0.01)
    assert found["shape2D_PixelSurface"] == disc.sum() * 1.5
    # the outline reaches half a pixel beyond the outermost centres
    assert found["shape2D_MaximumDiameter"] == pytest.approx(56 + 1.5, abs=0.75)
    assert found["shape2D_MajorAxisLength"] == pytest.approx(56, rel=0.01)
    assert found["shape2D_MinorAxisLength"] == pytest.approx(56, rel=0.01)
    # the outline turns by 45 degrees at most between two pixels, which lengthens it by some 5 %
    assert found["shape2D_Perimeter"] == pytest.approx(2 * np.pi * 28, rel=0.08)


@pytest.mark.parametrize("seed", range(10))
def test_outline_by_its_lines(seed):
    """Perimeter and surface once more from the lines themselves, by the formula of the shoelace."""
    rng = np.random.default_rng(seed)
    spacing = tuple(rng.uniform(0.5, 3, 2))
    mask = np.pad(rng.random(rng.integers(2, 9, 2)) < 0.5, 1)
    # each inside corner of a square cuts from the middle of one edge to that of the next, unless a neighbour is inside
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
    length = twice = 0.0
    for j, i in np.ndindex(mask.shape[0] - 1, mask.shape[1] - 1):
        inside = [bool(mask[j + corner[0], i + corner[1]]) for corner in corners]
        middles = [(corners[e] + corners[(e + 1) % 4]) / 2 for e in range(4)]  # edge e: from corner e to the next
        for corner in range(4):
            if inside[corner] and not inside[corner - 1]:  # enters on the edge before, leaves on the next that changes
                end = next(e % 4 for e in range(corner, corner + 4) if inside[e % 4] != inside[(e + 1) % 4])
                a, b = ((np.array([j, i]) + middles[edge]) * spacing for edge in (corner - 1, end))
                length += float(np.hypot(*(a - b)))
                twice += float(a[0] * b[1] - a[1] * b[0])
    assert perimeter_and_surface(mask, spacing) == pytest.approx((length, abs(twice) / 2), rel=1e-12)
