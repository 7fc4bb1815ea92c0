"""Against what PyRadiomics 3.0.1 gives for the cases of tests/reference/radiomics/cases.py, stored beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases import DEGENERATE, IMAGE_TYPES, TABLES
from comparison import disagreements, extract_ours, numbers, read_table
from regions import REGIONS

from ovfrad.errors import InputError
from ovfrad.radiomics import extract, names

ALL = [(table, name) for table, listed in TABLES.items() for name in listed]

REFUSED = {
    "far_voxels": "E_ROI_SCATTERED",
    "far_voxels_weighted": "E_ROI_SCATTERED",
    "two_voxels_flat": "E_ROI_SCATTERED",
    "plate_k_across_i": "E_SHAPE2D",
}
"""Degenerate cases that we refuse and PyRadiomics answers: with NaN for all of GLCM where no two voxels are
neighbours, and without shape2D where the plane asked for cuts the mask in several slices (it refuses the same across
j, plate_k_across_j; it compares the extent along x with an axis counted from z)."""
ANSWERED = {"whole"}
"""PyRadiomics takes a mask without a background for an empty one."""
ZERO = {"two_voxels": "original_firstorder_RobustMeanAbsoluteDeviation"}
"""Features that are NaN in PyRadiomics and documented to be 0 here: no voxel lies between the percentiles."""
MORE = {"plate_j_shape2D", "line_shape2D"}
"""We give shape2D, which PyRadiomics leaves out because it looks at the extent of another axis."""

APART = {*REFUSED, *ANSWERED, *ZERO, *MORE}


@pytest.fixture(scope="module")
def tables(reference):
    return {table: read_table(reference / f"{table}_3.0.1.csv") for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_every_case_has_its_column_and_no_other(tables, table):
    assert tables[table].keys() == TABLES[table].keys()


@pytest.mark.parametrize(
    ("table", "name"), [both for both in ALL if both[1] not in {*REFUSED, *ANSWERED, *MORE, *ZERO}]
)
def test_every_feature_equals_pyradiomics(tables, shared, table, name):
    column = tables[table][name]
    if "error" in column:
        with pytest.raises(InputError):
            extract_ours(TABLES[table][name], shared)
        return
    found, said = extract_ours(TABLES[table][name], shared)
    assert disagreements(found, numbers(column)) == []
    assert said or not any(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("name", IMAGE_TYPES)
def test_names_and_their_order_are_those_of_pyradiomics(tables, shared, name):
    found, _ = extract_ours(IMAGE_TYPES[name], shared)
    assert list(found) == list(tables["image_types"][name])
    assert names(IMAGE_TYPES[name].parameters) == list(found)


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_refused_where_pyradiomics_has_no_number(tables, shared, name, code):
    column = tables["degenerate"][name]
    assert "nan" in column.values() or not any("shape2D" in feature for feature in column)
    with pytest.raises(InputError) as refused:
        extract_ours(DEGENERATE[name], shared)
    assert refused.value.code == code


def test_a_mask_without_background_gives_what_a_background_beside_it_does(tables):
    image, mask, spacing = REGIONS["whole"]()
    assert "No labels found" in tables["degenerate"]["whole"]["error"]
    beside = [np.pad(array, ((0, 1), (1, 0), (0, 2))) for array in (image, mask)]
    parameters = DEGENERATE["whole"].parameters
    expected = extract(*beside, parameters, spacing=spacing)
    assert disagreements(dict(extract(image, mask, parameters, spacing=spacing)), dict(expected)) == []


@pytest.mark.parametrize(("name", "feature"), ZERO.items())
def test_zero_where_pyradiomics_averages_nothing(tables, shared, name, feature):
    found, _ = extract_ours(DEGENERATE[name], shared)
    column = dict(tables["degenerate"][name])
    assert (column.pop(feature), found.pop(feature)) == ("nan", 0.0)
    assert disagreements(found, numbers(column)) == []


@pytest.mark.parametrize("name", sorted(MORE))
def test_shape2d_where_pyradiomics_looks_at_another_axis(tables, shared, name):
    found, _ = extract_ours(DEGENERATE[name], shared)
    more = {feature for feature in found if "_shape2D_" in feature}
    assert len(more) == 9
    rest = {feature: value for feature, value in found.items() if feature not in more}
    assert disagreements(rest, numbers(tables["degenerate"][name])) == []
