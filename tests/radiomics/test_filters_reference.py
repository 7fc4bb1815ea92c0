"""Filters against PyRadiomics 3.0.1 on small images: inside, at the border, odd sides, levels, single precision."""

from __future__ import annotations

import numpy as np
import pytest
from filter_cases import BOXES, CASES, IMAGES, SPACING

from ovfrad.radiomics.filters.image_types import filtered

ULP = 1e-15
"""Relative to the largest value: numpy's logarithm, exponential and square root differ between versions by that."""


@pytest.fixture(scope="module")
def expected(reference):
    with np.load(reference / "filters_3.0.1.npz") as stored:
        return dict(stored)


def ours(case):
    name, types, settings = CASES[case]
    plane = {"force2D": "force2d", "force2Ddimension": "force2d_dimension"}
    options = {plane[key]: value for key, value in settings.items()}
    return {prefix: values for prefix, values, _ in filtered(IMAGES[name](), SPACING, BOXES[name], types, **options)}


def test_every_stored_case_is_compared(expected):
    assert {key.split("/")[0] for key in expected} == set(CASES)


@pytest.mark.filterwarnings("ignore:W_LBP_IN_SPACE")
@pytest.mark.parametrize("case", CASES)
def test_values_names_types_and_order_are_those_of_pyradiomics(case, expected):
    found = ours(case)
    assert [f"{case}/{prefix}" for prefix in found] == [key for key in expected if key.startswith(f"{case}/")]
    for prefix, values in found.items():
        reference = expected[f"{case}/{prefix}"]
        assert values.dtype == reference.dtype
        if case.startswith("pointwise"):
            np.testing.assert_allclose(values, reference, rtol=0, atol=ULP * np.abs(reference).max(), err_msg=prefix)
        else:  # to the last bit, so that no voxel can fall on the other side of a bin's edge
            np.testing.assert_array_equal(values, reference, err_msg=prefix)
