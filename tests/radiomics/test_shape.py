"""The form of a mask: PyRadiomics' classes on masks at the edge, and each measure by a second, plainer way."""

from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from ovfrad.errors import InputError
from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.diameters import largest_diameters
from ovfrad.radiomics.marching_cubes import mesh_triangles, surface_and_volume
from ovfrad.radiomics.shape import Form, covariance, shape
from ovfrad.radiomics.shape2d import Outline, shape2d

RELATIVE = 1e-9
ROUNDED = 1e-6
"""PyRadiomics' axis of a mask without extent along it: the root of a rounding error (2e-7 mm) where ours is 0."""


def in_its_box(mask, spacing):
    """The part of a `Region` that shape is measured from."""
    box = tuple(slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(mask))
    return SimpleNamespace(mask=np.pad(mask[box], 1), spacing=spacing, voxel_volume=float(np.prod(spacing)))


def measure(mask, spacing, axis):
    region = in_its_box(mask, spacing)
    if axis is None:
        return shape.compute(Form.of(region), shape.all_names)
    return shape2d.compute(Outline.of(region, axis), shape2d.all_names)


@pytest.fixture(scope="module")
def masks(reference):
    sys.path.insert(0, str(reference))
    from shape_masks import MASKS

    sys.path.remove(str(reference))
    return MASKS


@pytest.fixture(scope="module")
def theirs(reference):
    """Values of PyRadiomics 3.0.1 by mask and feature."""
    with (reference / "shape_3.0.1.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        name: {row["feature"]: float(row[name]) for row in rows if row[name]} for name in rows[0] if name != "feature"
    }


def test_every_mask_has_the_values_of_pyradiomics(masks, theirs):
    assert masks.keys() == theirs.keys()
    for name, given in masks.items():
        found = measure(*given)
        assert found.keys() == theirs[name].keys()
        for feature, value in theirs[name].items():
            assert found[feature] == pytest.approx(value, rel=RELATIVE, abs=ROUNDED), (name, feature)


def test_an_axis_without_extent_is_exactly_zero(masks):
    for name in ("shape2D_line_j", "shape2D_diagonal_k"):
        found = measure(*masks[name])
        assert found["shape2D_MinorAxisLength"] == found["shape2D_Elongation"] == 0
    found = measure(*masks["shape_touching_corners"])
    assert found["shape_MinorAxisLength"] == found["shape_LeastAxisLength"] == found["shape_Flatness"] == 0


def test_one_voxel_is_refused():
    """PyRadiomics' extractor refuses it too; its class alone gives a NaN for the elongation."""
    region = in_its_box(np.ones((1, 1, 1), bool), (1.0, 1.0, 1.0))
    refused = "E_ROI_TOO_SMALL case P1: the mask is one voxel; axes of a shape need at least two"
    for measured in (Form.of, Outline.of):
        with pytest.raises(InputError) as caught:
            measured(region, where="case P1")
        assert str(caught.value) == refused


def test_covariance_is_that_of_numpy(blob):
    _, mask, spacing = blob
    centres = np.argwhere(np.pad(mask, 1)) * spacing
    for ddof in (0, 1):
        count, matrix = covariance(np.pad(mask, 1), spacing, ddof)
        assert count == mask.sum()
        np.testing.assert_allclose(matrix, np.cov(centres.T, ddof=ddof), rtol=1e-12)


def test_ibsi_axes_are_longer_by_the_factor_of_the_note(blob):
    _, mask, spacing = blob
    over_n, over_less = (Form.of(in_its_box(mask, spacing), ddof) for ddof in (0, 1))
    factor = np.sqrt(mask.sum() / (mask.sum() - 1))
    axes = {"shape_MajorAxisLength", "shape_MinorAxisLength", "shape_LeastAxisLength"}
    before, after = (shape.compute(form, shape.all_names) for form in (over_n, over_less))
    for name, value in before.items():
        assert after[name] == pytest.approx(value * factor if name in axes else value, rel=1e-12), name
        assert ("profile ibsi" in shape.features[name].note) == (name in axes)


@pytest.mark.parametrize("seed", range(20))
def test_measures_of_a_mask_are_those_of_its_mesh(seed):
    """Area and diameters once more from all triangles and all pairs of their corners."""
    rng = np.random.default_rng(seed)
    spacing = tuple(rng.uniform(0.5, 3, 3))
    mask = rng.random(rng.integers(2, 9, 3)) < rng.choice([0.1, 0.3, 0.8])
    mask[0, 0, :2] = True
    padded = np.pad(mask, 1)
    triangles = mesh_triangles(mask, spacing)
    a, b, c = triangles.transpose(1, 0, 2)
    area, _ = surface_and_volume(padded, spacing)
    assert area == pytest.approx(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2, rel=1e-12)
    points = np.unique(triangles.reshape(-1, 3).round(9), axis=0)
    planes = [
        max(pdist(points[points[:, axis] == at]).max(initial=0) for at in np.unique(points[:, axis]))
        for axis in range(3)
    ]
    assert largest_diameters(padded, spacing) == pytest.approx((*planes, pdist(points).max()), rel=1e-8)


def test_a_ball_has_the_measures_of_a_ball():
    k, j, i = np.indices((61, 61, 61)) - 30.2
    found = measure(k**2 + j**2 + i**2 < 28**2, (0.5, 0.5, 0.5), None)
    assert found["shape_MeshVolume"] == pytest.approx(4 / 3 * np.pi * 14**3, rel=0.01)
    # the mesh reaches half a voxel beyond the outermost centres
    assert found["shape_Maximum3DDiameter"] == pytest.approx(28 + 0.5, abs=0.25)
    assert found["shape_Elongation"] == pytest.approx(1, abs=0.01)
    # the steps of voxels never smooth away: marching cubes halfway between centres keeps some 9 % too much area
    assert found["shape_SurfaceArea"] == pytest.approx(4 * np.pi * 14**2, rel=0.1)
    assert found["shape_SphericalDisproportion"] == pytest.approx(1 / found["shape_Sphericity"], rel=1e-12)
    assert found["shape_Compactness2"] == pytest.approx(found["shape_Sphericity"] ** 3, rel=1e-12)
    assert found["shape_Compactness1"] == pytest.approx(found["shape_Compactness2"] ** 0.5 / 6 / np.pi, rel=1e-12)


def test_a_mask_that_is_wide_from_every_side_needs_no_luck():
    """A body of nearly constant width (Reuleaux' tetrahedron): no bound prunes much, and the result still holds."""
    k, j, i = np.indices((23, 23, 23)) - 11
    corners = 7.0 * np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    balls = [(k - x) ** 2 + (j - y) ** 2 + (i - z) ** 2 < 8 * 7.0**2 for x, y, z in corners]
    mask = np.logical_and.reduce(balls)
    points = np.unique(mesh_triangles(mask, (1.0, 1.1, 0.9)).reshape(-1, 3), axis=0)
    assert largest_diameters(np.pad(mask, 1), (1.0, 1.1, 0.9))[3] == pytest.approx(pdist(points).max(), rel=1e-12)


def test_optional_features_are_computed_when_asked_for():
    group = FeatureClass("demo", "a demonstration")
    group.feature("Plain")(lambda x: x)
    group.feature("Old", optional=True)(lambda x: -x)
    assert group.names == ["demo_Plain"]
    assert group.all_names == ["demo_Old", "demo_Plain"]
    assert group.compute(2.0) == {"demo_Plain": 2.0}
    assert group.compute(2.0, ["demo_Old"]) == {"demo_Old": -2.0}


def test_what_pyradiomics_3_calls_deprecated_is_optional():
    from ovfrad.radiomics.firstorder import Distribution, firstorder

    apart = {name for group in (shape, shape2d, firstorder) for name in set(group.all_names) - set(group.names)}
    assert apart == {
        "shape_Compactness1",
        "shape_Compactness2",
        "shape_SphericalDisproportion",
        "shape2D_SphericalDisproportion",
        "firstorder_StandardDeviation",
    }
    values = Distribution(np.array([1.0, 2.0, 6.0]), np.ones(3) / 3, 1.0)
    found = firstorder.compute(values, ["firstorder_StandardDeviation"])
    assert found == {"firstorder_StandardDeviation": pytest.approx(np.std([1, 2, 6]))}
