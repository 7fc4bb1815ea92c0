"""Sums over matrices, eigenvalues and grey levels: the kernels against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.radiomics.discretise_kernels import assign, census, lay_out
from ovfrad.radiomics.entropy_kernels import entropies
from ovfrad.radiomics.firstorder_kernels import moments
from ovfrad.radiomics.glcm_kernels import both_senses, diagonals, margins, second_eigenvalues, tridiagonal


def cooccurring(seed, n, directions=13, pairs=2000, correlated=True):
    """Counts of pairs of levels, with levels that some direction does not meet."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((directions, n, n), np.int32)
    for direction in range(directions):
        first = rng.integers(0, n, pairs)
        second = np.clip(first + rng.integers(-2, 3, pairs), 0, n - 1) if correlated else rng.integers(0, n, pairs)
        np.add.at(counts[direction], (first, second), 1)
        if n > 3:
            counts[direction, direction % n] = counts[direction, :, direction % n] = 0
    return counts


def second_by_lapack(counts):
    p = counts / counts.sum(axis=(1, 2), keepdims=True)
    root = np.sqrt(p.sum(axis=2)[:, :, None] * p.sum(axis=1)[:, None, :])
    scaled = np.divide(p, root, out=np.zeros_like(p), where=root > 0)
    return np.linalg.svd(scaled, compute_uv=False)[:, 1]


@pytest.mark.parametrize("n", [2, 3, 9, 40, 131])
@pytest.mark.parametrize("correlated", [True, False])
def test_second_eigenvalues_are_those_of_lapack(n, correlated):
    counts = both_senses(cooccurring(n, n, correlated=correlated))
    rows, _ = margins(counts)
    assert second_eigenvalues(counts, rows) == pytest.approx(second_by_lapack(counts), rel=1e-12, abs=1e-14)


def test_second_eigenvalue_of_two_sets_of_levels_that_never_meet_is_one():
    counts = np.zeros((1, 7, 7))
    counts[0, :3, :3] = 5
    counts[0, 3:, 3:] = 2
    assert second_eigenvalues(counts, counts.sum(axis=2)) == pytest.approx([1], rel=1e-12)


def test_second_eigenvalue_may_be_negative():
    """A chessboard of two levels: each voxel's neighbour has the other level."""
    counts = np.array([[[1.0, 9.0], [9.0, 1.0]]])
    assert second_eigenvalues(counts, counts.sum(axis=2)) == pytest.approx([0.8], rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_tridiagonal_matrix_has_the_same_eigenvalues(n):
    rng = np.random.default_rng(n)
    matrix = rng.normal(size=(n, n))
    matrix = matrix + matrix.T
    expected = np.linalg.eigvalsh(matrix)
    diagonal, squared = np.empty(n), np.empty(n)
    tridiagonal(matrix, diagonal, squared)
    beside = np.sqrt(squared[1:])
    small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    assert np.linalg.eigvalsh(small) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("weight", [1, 0.37])
@pytest.mark.parametrize("pairs", [300, 400_000])
def test_sums_over_cooccurrences(weight, pairs):
    """Weighted counts, and counts beyond the table of logarithms, as well as common ones."""
    counts = both_senses(cooccurring(1, 6, pairs=pairs)) * weight
    grey = np.array([1, 2, 5, 6, 7, 11])
    rows, squares = margins(counts)
    assert rows == pytest.approx(counts.sum(axis=2), rel=1e-13)
    assert squares == pytest.approx((counts**2).sum(axis=(1, 2)), rel=1e-13)
    totals = counts.sum(axis=(1, 2))
    p = counts / totals[:, None, None]
    bits = -(p * np.log2(np.where(p > 0, p, 1))).sum(axis=(1, 2))
    for symmetric in (True, False):
        sums, differences, entropy = diagonals(counts, grey, totals, symmetric)
        for k in range(23):
            expected = counts[:, grey[:, None] + grey == k].sum(axis=1)
            assert sums[:, k] == pytest.approx(expected, rel=1e-13)
        for k in range(11):
            expected = counts[:, np.abs(grey[:, None] - grey) == k].sum(axis=1)
            assert differences[:, k] == pytest.approx(expected, rel=1e-13)
        assert entropy == pytest.approx(bits, rel=1e-13)
    assert entropies(counts, totals) == pytest.approx(bits, rel=1e-13)


def test_both_senses_of_one_sided_counts():
    counts = cooccurring(2, 5)
    assert np.array_equal(both_senses(counts), counts + counts.transpose(0, 2, 1))


def test_entropy_of_one_count_is_exactly_zero():
    counts = np.zeros((2, 3, 3))
    counts[0, 1, 2], counts[1, 0, 0] = 7, 99_999
    assert entropies(counts, counts.sum(axis=(1, 2))).tolist() == [0, 0]


@pytest.mark.parametrize(("low", "width"), [(-700, 25), (0.1, 0.1), (-3, 1 / 3), (1e6, 1e-4), (1e9, 0.3)])
def test_edges_decide_where_division_is_in_doubt(low, width):
    edges = np.arange(low, low + 200.5 * width, width)
    rng = np.random.default_rng(0)
    some = rng.choice(edges[:-1], 2000)
    values = np.concatenate((some, np.nextafter(some, -np.inf), np.nextafter(some, np.inf), some + 0.4 * width))
    values = values[(values >= edges[0]) & (values < edges[-1])]
    rounding = 1e-6 + 8 * float(np.spacing(np.abs(edges).max())) / width
    assert np.array_equal(assign(values, edges, float(width), rounding), np.searchsorted(edges, values, side="right"))


@pytest.mark.parametrize("size", [1, 3, 4, 1001])
def test_census_and_layout_of_levels(size):
    rng = np.random.default_rng(size)
    levels = rng.integers(1, 9, size).astype(np.int32)
    assert np.array_equal(census(levels), np.bincount(levels))
    voxels = np.sort(rng.choice(3 * size, size, replace=False))
    expected = np.zeros(3 * size)
    expected[voxels] = levels**2
    assert np.array_equal(lay_out(levels, (np.arange(9) ** 2).astype(np.int16), voxels, 3 * size), expected)


def test_moments_are_means_of_powers():
    x = np.random.default_rng(4).normal(50, 9, 1001)
    d = x - 48
    expected = [np.abs(d).mean(), (d**2).mean(), (d**3).mean(), (d**4).mean()]
    assert list(moments(x, 48.0)) == pytest.approx(expected, rel=1e-12)
