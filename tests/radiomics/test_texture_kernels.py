"""The texture kernels against plain Python that follows the definitions, voxel by voxel."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ovfrad.radiomics.region import half_directions, make_region
from ovfrad.radiomics.texture_kernels import CHUNK, cooccurrences, neighbourhoods, runs
from ovfrad.radiomics.zone_kernels import tally, zones

NEIGHBOURS = {
    "space": ((1,), None),
    "slices": ((1,), 0),
    "sagittal": ((1,), 2),
    "distance 2": ((2,), None),
    "distances 1 and 2 in slices": ((1, 2), 1),
}
TOUCHING = {name: NEIGHBOURS[name] for name in ("space", "slices", "sagittal")}


def ball(rng):
    k, j, i = np.indices((7, 9, 11)) - np.array([3, 4, 5])[:, None, None, None]
    return (k / 3) ** 2 + (j / 4) ** 2 + (i / 5) ** 2 <= 1, 3


def scattered(rng):
    return rng.random((6, 7, 8)) < 0.15, 2


def two_parts(rng):
    mask = np.zeros((5, 6, 40), bool)
    mask[:2, :3, :4] = mask[3:, 4:, 33:] = True
    return mask, 3


def one_slice(rng):
    return rng.random((1, 12, 13)) < 0.8, 4


def long_rows(rng):
    """Rows longer than a word of 64 voxels, and runs longer than the first guess of their length."""
    return rng.random((2, 3, 200)) < 0.95, 2


def flat(rng):
    return np.ones((3, 4, 30), bool), 1


def one_voxel(rng):
    return np.ones((1, 1, 1), bool), 1


def beyond_a_chunk(rng):
    return rng.random((4, 20, 3 * CHUNK // 80)) < 0.9, 5


REGIONS = (ball, scattered, two_parts, one_slice, long_rows, flat, one_voxel, beyond_a_chunk)


@pytest.fixture(params=REGIONS, ids=[builder.__name__ for builder in REGIONS])
def levels(request):
    """Ranks (k, j, i) of a region that meets every rank, 0 outside."""
    rng = np.random.default_rng(REGIONS.index(request.param))
    mask, n = request.param(rng)
    found = np.zeros(mask.shape, np.int16)
    found[mask] = rng.permutation(np.arange(mask.sum()) % n + 1)
    return found


def laid_out(levels, distances, flat_axis):
    """The kernels' layout, and the steps (k, j, i) behind its offsets."""
    region = make_region(levels > 0, (1, 1, 1), distances, flat_axis)
    rank = np.pad(levels[region.box], max(distances)).ravel()
    return rank, region.voxels, region.offsets, half_directions(distances, flat_axis)


def by_place(levels):
    return {tuple(map(int, place)): int(levels[tuple(place)]) for place in np.argwhere(levels)}


def moved(place, step, times=1):
    return tuple(a + times * b for a, b in zip(place, step, strict=True))


def run_lengths(level_at, step):
    """(level, length) of each run along one step."""
    found = Counter()
    for place, level in level_at.items():
        if level_at.get(moved(place, step, -1)) != level:
            length = 1
            while level_at.get(moved(place, step, length)) == level:
                length += 1
            found[level, length] += 1
    return found


def zone_sizes(level_at, steps):
    """(level, size) of each zone."""
    left, found = dict(level_at), Counter()
    while left:
        first, level = left.popitem()
        front, size = [first], 0
        while front:
            place = front.pop()
            size += 1
            for step in steps:
                for sense in (1, -1):
                    other = moved(place, step, sense)
                    if left.get(other) == level:
                        front.append(other)
                        del left[other]
        found[level, size] += 1
    return found


def counted(matrix, sizes=None):
    """Counter of (rank, column) from a matrix; columns are lengths from 1 unless `sizes` are given."""
    return Counter(
        {(int(i) + 1, int(sizes[j] if sizes is not None else j + 1)): int(matrix[i, j]) for i, j in np.argwhere(matrix)}
    )


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
def test_cooccurrences_are_pairs_of_neighbours(levels, neighbours):
    rank, voxels, offsets, steps = laid_out(levels, *NEIGHBOURS[neighbours])
    found = cooccurrences(rank, voxels, offsets, levels.max())
    assert found.shape == (len(steps), levels.max(), levels.max())
    level_at = by_place(levels)
    for counts, step in zip(found, steps, strict=True):
        pairs = Counter((level, level_at.get(moved(place, step))) for place, level in level_at.items())
        assert counted(counts) == {pair: number for pair, number in pairs.items() if pair[1]}


@pytest.mark.parametrize("neighbours", TOUCHING)
def test_runs_are_maximal(levels, neighbours):
    rank, voxels, offsets, steps = laid_out(levels, *NEIGHBOURS[neighbours])
    found = runs(rank, voxels, offsets, levels.max())
    assert found[:, :, -1].any()
    level_at = by_place(levels)
    for counts, step in zip(found, steps, strict=True):
        assert counted(counts) == run_lengths(level_at, step)


@pytest.mark.parametrize("neighbours", TOUCHING)
def test_zones_are_connected_and_maximal(levels, neighbours):
    rank, voxels, offsets, steps = laid_out(levels, *NEIGHBOURS[neighbours])
    found = zones(rank, voxels, offsets)
    expected = zone_sizes(by_place(levels), steps)
    assert Counter(zip(*(part.tolist() for part in found), strict=True)) == expected
    counts, sizes = tally(*found, levels.max())
    assert counted(counts, sizes) == expected
    assert sizes.tolist() == sorted({size for _, size in expected})


@pytest.mark.parametrize("neighbours", ["space", "distances 1 and 2 in slices"])
@pytest.mark.parametrize("spread", [1, 3, 5000])
@pytest.mark.parametrize("alpha", [0, 3])
def test_neighbourhoods_compare_each_voxel_with_all_its_neighbours(levels, neighbours, spread, alpha):
    """`spread` separates the grey levels; the largest does not fit the narrow integers of the fast way."""
    rank, voxels, offsets, steps = laid_out(levels, *NEIGHBOURS[neighbours])
    grey = 2 + spread * np.arange(levels.max())
    dependence, difference, alone = neighbourhoods(rank, voxels, offsets, grey, alpha)
    dependent, gaps, lonely = Counter(), np.zeros(grey.size), np.zeros(grey.size)
    level_at = by_place(levels)
    for place, level in level_at.items():
        around = [level_at.get(moved(place, step, sense)) for step in steps for sense in (1, -1)]
        inside = [grey[other - 1] for other in around if other]
        dependent[level, 1 + sum(abs(other - grey[level - 1]) <= alpha for other in inside)] += 1
        gaps[level - 1] += abs(grey[level - 1] - np.mean(inside)) if inside else 0
        lonely[level - 1] += not inside
    assert counted(dependence) == dependent
    assert difference == pytest.approx(gaps, rel=1e-12, abs=1e-12)
    assert alone.tolist() == lonely.tolist()


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("within", [True, False])
def test_voxels_of_one_slice_are_counted_alone(levels, axis, within):
    """Given some of the region's voxels, runs and zones end where these end, whether others lie between or not."""
    rank, voxels, offsets, steps = laid_out(levels, (1,), axis if within else None)
    region = make_region(levels > 0, (1, 1, 1), flat_axis=axis)
    for places, at in zip(region.slices, np.unique(np.nonzero(levels)[axis]), strict=True):
        level_at = {place: level for place, level in by_place(levels).items() if place[axis] == at}
        found = runs(rank, voxels[places], offsets, levels.max())
        for counts, step in zip(found, steps, strict=True):
            assert counted(counts) == run_lengths(level_at, step)
        sizes = Counter(zip(*(part.tolist() for part in zones(rank, voxels[places], offsets)), strict=True))
        assert sizes == zone_sizes(level_at, steps)
        if within:
            for counts, step in zip(cooccurrences(rank, voxels[places], offsets, levels.max()), steps, strict=True):
                pairs = Counter((level, level_at.get(moved(place, step))) for place, level in level_at.items())
                assert counted(counts) == {pair: number for pair, number in pairs.items() if pair[1]}
            dependence, _, _ = neighbourhoods(rank, voxels[places], offsets, np.arange(1, levels.max() + 1), 0)
            assert dependence.sum() == len(level_at)
