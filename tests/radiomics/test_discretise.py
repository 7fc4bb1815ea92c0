"""Grey levels: the edges decide, also where floating-point division does not agree with them."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.radiomics.discretise import bin_edges, grey_levels


@pytest.mark.parametrize("bin_width", [0.1, 0.3, 1.0, 7.0, 25.0])
@pytest.mark.parametrize("low", [-1000.0, -3.7, 0.0, 12.3])
def test_levels_are_what_the_edges_say(bin_width, low):
    on_edges = low + bin_width * np.arange(60)
    values = np.concatenate([on_edges, np.nextafter(on_edges, np.inf), np.nextafter(on_edges, -np.inf)])
    expected = np.digitize(values, bin_edges(values, bin_width))
    np.testing.assert_array_equal(grey_levels(values, bin_width), expected)


def test_a_fixed_count_is_kept_and_holds_the_maximum():
    values = np.random.default_rng(1).normal(size=500)
    levels = grey_levels(values, bin_count=16)
    assert levels.min() == 1
    assert levels.max() == 16
    np.testing.assert_array_equal(levels, np.digitize(values, bin_edges(values, bin_count=16)))


def test_one_value_is_one_level():
    assert set(grey_levels(np.full(4, 50.0), bin_width=25)) == {1}
    assert set(grey_levels(np.full(4, 57.0), bin_width=25)) == {1}


@pytest.mark.parametrize("bin_count", [24, 32, 48, 100])
def test_a_fixed_count_from_a_start_is_ibsis_formula(bin_count):
    """In whole numbers, which know no rounding; edges in floating point miss some of them."""
    edges_miss = 0
    for span in (7, 110, 200, 220, 431, 1024):
        values = np.arange(span + 1)
        expected = np.minimum(bin_count * values // span + 1, bin_count)
        np.testing.assert_array_equal(grey_levels(values - 137.0, bin_count=bin_count, start=-137), expected)
        edges_miss += int((grey_levels(values - 137.0, bin_count=bin_count) != expected).sum())
    assert (edges_miss > 0) == (bin_count != 32)


def test_a_flat_region_has_ibsis_last_level():
    assert set(grey_levels(np.full(4, 57.0), bin_count=32, start=57)) == {32}
