"""Loops over the voxels of a region that fill the texture matrices (numba).

All kernels share one layout. `rank` is the region's box with padding on every side, flattened in C order of
(k, j, i): 0 outside the region, 1..n inside, the n-th smallest grey level that occurs. `voxels` are flat positions of
voxels of the region, ascending: all of them, or those of a slice. `offsets` are the flat distances, all positive, to
the neighbours in one sense; the padding is as wide as they reach, so that a position plus or minus an offset never
leaves the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ovfrad.evaluation.compiled import compiled
from ovfrad.radiomics.bit_kernels import count_bits, equal_bits, inside_bits, largest, list_bits, pack

CHUNK = 1024
"""Positions compared at a time by `neighbourhoods`: their sums stay in the fastest cache."""


@compiled
def cooccurrences(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, n: int) -> np.ndarray:
    """Count pairs of neighbours: (directions, n, n) int32, from the voxel (row) to its neighbour (column).

    Two directions share a pass over the voxels: the counters of one are written while those of the other are read.
    Unsigned positions spare numba's test for a negative index.
    """
    width = np.uint64(n + 1)
    counts = np.zeros((offsets.size + 1, (n + 1) * (n + 1)), np.int32)  # the last one is the partner of an odd one
    places, rows = np.empty(voxels.size, np.uint32), np.empty(voxels.size, np.uint32)
    for q in range(voxels.size):
        places[q] = voxels[q]
        rows[q] = np.uint64(rank[voxels[q]]) * width
    for direction in range(0, offsets.size, 2):
        partner = direction + 1 if direction + 1 < offsets.size else direction
        step, other = np.uint64(offsets[direction]), np.uint64(offsets[partner])
        here, there = counts[direction], counts[direction + 1]
        for q in range(voxels.size):
            place, row = np.uint64(places[q]), np.uint64(rows[q])
            here[row + np.uint64(rank[place + step])] += np.int32(1)
            there[row + np.uint64(rank[place + other])] += np.int32(1)
    return counts[: offsets.size].reshape(offsets.size, n + 1, n + 1)[:, 1:, 1:]


@compiled
def runs(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, n: int) -> np.ndarray:
    """Count runs of equal level: (directions, n, longest) int32, column 0 holding runs of one voxel.

    Few voxels equal their neighbour, so only the first voxels of runs of two and more are listed; those whose run goes
    on for a third voxel stay on the list, and so on. What they leave of a level's voxels are runs of one.
    """
    box, shift = pack(rank, voxels, largest(offsets))
    starts, inside = words_of(box, voxels, shift)
    reached = np.zeros((8, offsets.size, n + 1), np.int32)  # by length - 1: runs that are at least so long
    places = np.empty(voxels.size + 8, np.uint32)
    longest = 1
    for direction in range(offsets.size):
        step = offsets[direction]
        listed: Any = np.int64(0)  # not the literal 0, for which numba would compile `list_bits` once more
        for start, word in zip(starts, inside):  # noqa: B905 - numba has no strict
            first = word & equal_bits(box, start, start + step) & ~equal_bits(box, start, start - step)
            listed = list_bits(first, start, places, listed)
        length = 1
        while listed > 0:
            length += 1
            if length > reached.shape[0]:
                reached = lengthened(reached)
            column, ahead, kept = reached[length - 1, direction], np.uint64(length * step), 0
            for entry in range(listed):
                place = np.uint64(places[entry])
                column[box[place]] += np.int32(1)
                places[kept] = place
                kept += box[place] == box[place + ahead]
            listed = kept
        if length > longest:
            longest = length
    return complete(reached[:longest], rank, voxels)


@compiled
def lengthened(counts: np.ndarray) -> np.ndarray:
    """A copy with twice the length along the first axis, zeros at its end."""
    longer = np.zeros((2 * counts.shape[0], counts.shape[1], counts.shape[2]), counts.dtype)
    for place in np.ndindex(counts.shape):
        longer[place] = counts[place]
    return longer


@compiled
def words_of(box: np.ndarray, voxels: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Cover the voxels with words, where each starts in the box and which of its places are voxels."""
    starts, inside = np.empty(voxels.size, np.int64), np.empty(voxels.size, np.uint64)
    number, q = 0, 0
    while q < voxels.size:
        starts[number] = voxels[q] + shift
        inside[number] = inside_bits(box, starts[number])
        q += count_bits(inside[number])
        number += 1
    return starts[:number], inside[:number]


@compiled
def complete(reached: np.ndarray, rank: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """From runs that reach lengths of two and more (length, direction, rank) to runs of each length."""
    longest, directions, levels = reached.shape
    voxels_of = np.zeros(levels, np.int32)
    for voxel in voxels:
        voxels_of[np.uint64(rank[np.uint64(voxel)])] += np.int32(1)
    counts = np.zeros((directions, levels - 1, longest), np.int32)
    for direction in range(directions):
        for level in range(1, levels):
            longer, single = 0, voxels_of[level]
            for length in range(longest, 1, -1):
                at_least = reached[length - 1, direction, level]
                counts[direction, level - 1, length - 1] = at_least - longer
                single -= length * (at_least - longer)
                longer = at_least
            counts[direction, level - 1, 0] = single
    return counts


def neighbourhoods(
    rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, grey: np.ndarray, alpha: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare each voxel with its neighbours in the region, in both senses of the offsets.

    Parameters
    ----------
    rank, voxels, offsets : ndarray
        The layout of this module.
    grey : ndarray of int, shape (n,)
        The grey levels of ranks 1..n.
    alpha : int
        Largest difference of levels at which a neighbour is dependent (GLDM).

    Returns
    -------
    dependence : ndarray of int32, shape (n, 2 offsets + 1)
        Voxels by level and number of dependent neighbours plus 1, the voxel itself, in column 0 the number 1.
    difference : ndarray of float64, shape (n,)
        By level, the sum over voxels of |level - mean level of the neighbours|, 0 without neighbours (NGTDM).
    alone : ndarray of int64, shape (n,)
        By level, the voxels that have no neighbour.
    """
    highest = int(grey[-1])
    narrow = highest * 2 * offsets.size < np.iinfo(np.int16).max  # twice as many numbers at a time
    levels = np.concatenate(([0], grey)).astype(np.int16 if narrow else np.int32)
    return _neighbourhoods(rank, voxels, offsets, levels, min(int(alpha), highest))


@compiled
def _neighbourhoods(
    rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, levels: np.ndarray, alpha: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`levels` are those of ranks 0..n, in the type in which sums over neighbours are taken.

    NGTDM sums stay whole numbers, |count x level - sum of the neighbours| by level and count, to the last division.
    """
    kind = levels.dtype.type
    reach = largest(offsets)
    shift = reach - voxels[0]
    source = rank[voxels[0] - reach : voxels[-1] + reach + 1]
    box = np.zeros(source.size + CHUNK, levels.dtype)
    for place in range(source.size):
        box[place] = levels[np.uint64(source[place])]
    width = 2 * offsets.size + 2
    dependence = np.zeros(levels.size * width, np.int32)
    gaps = np.zeros(levels.size * width, np.int64)
    sums = np.empty((3, CHUNK), levels.dtype)
    count, total, dependent = sums[0], sums[1], sums[2]
    near = kind(alpha)
    q = 0
    while q < voxels.size:
        first = voxels[q]
        start = first + shift
        own = box[start : start + CHUNK]
        count[:] = 0
        total[:] = 0
        dependent[:] = 1
        for step in offsets:
            ahead, behind = box[start + step : start + step + CHUNK], box[start - step : start - step + CHUNK]
            for i in range(CHUNK):
                level, a, b = own[i], ahead[i], behind[i]
                count[i] += kind(a > 0) + kind(b > 0)
                total[i] += a + b
                dependent[i] += kind(a > 0) & kind(abs(kind(level - a)) <= near)
                dependent[i] += kind(b > 0) & kind(abs(kind(level - b)) <= near)
        for i in range(CHUNK):
            total[i] = abs(kind(own[i] * count[i] - total[i])) + kind(count[i] == 0)  # column 0 counts voxels alone
        while q < voxels.size:
            at = np.uint64(voxels[q] - first)
            if at >= np.uint64(CHUNK):
                break
            row = np.uint64(rank[voxels[q]] * width)
            dependence[row + np.uint64(dependent[at])] += np.int32(1)
            gaps[row + np.uint64(count[at])] += total[at]
            q += 1
    difference, alone = np.zeros(levels.size - 1), np.zeros(levels.size - 1, np.int64)
    for level in range(1, levels.size):
        alone[level - 1] = gaps[level * width]
        for number in range(1, width):
            difference[level - 1] += gaps[level * width + number] / number
    return dependence.reshape(levels.size, width)[1:, 1:], difference, alone
