"""Loops over the voxels of a region that fill the texture matrices (numba).

All kernels share one layout. `rank` is the region's box with padding on every side, flattened in C order of
(k, j, i): 0 outside the region, 1..n inside, the n-th smallest grey level that occurs. `voxels` are flat positions of
voxels of the region, ascending: all of them, or those of a slice. `offsets` are the flat distances, all positive, to
the neighbours in one sense; the padding is as wide as they reach, so that a position plus or minus an offset never
leaves the array.
"""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.bit_kernels import LANES, ONE, count_bits, equal_bits, first_bit
from ovfrad.radiomics.compiled import compiled

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
        step, other = np.uint64(offsets[direction]), np.uint64(offsets[min(direction + 1, offsets.size - 1)])
        here, there = counts[direction], counts[direction + 1]
        for q in range(voxels.size):
            place, row = np.uint64(places[q]), np.uint64(rows[q])
            here[row + np.uint64(rank[place + step])] += np.int32(1)
            there[row + np.uint64(rank[place + other])] += np.int32(1)
    return counts[: offsets.size].reshape(offsets.size, n + 1, n + 1)[:, 1:, 1:]


@compiled
def pack(rank: np.ndarray, voxels: np.ndarray, reach: int) -> tuple[np.ndarray, int]:
    """Copy the voxels' ranks (int16) to a box with `reach` zeros and a word around; the voxels' shift into it.

    The last word is never a neighbour: it serves as zeros to compare with.
    """
    shift = reach - voxels[0]
    box = np.zeros(voxels[-1] + shift + reach + 2 * LANES, np.int16)
    inside = 0
    for place in range(voxels[0], voxels[-1] + 1):
        box[place + shift] = np.int16(rank[place])
        inside += rank[place] != 0
    if inside != voxels.size:  # others of the region lie between the voxels asked for
        box[:] = 0
        for voxel in voxels:
            box[voxel + shift] = rank[voxel]
    return box, shift


@compiled
def runs(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray, n: int, longest: int) -> np.ndarray:
    """Count runs of equal level: (directions, n, m) int32, column 0 holding runs of one voxel.

    m is the length of the longest run found, at most `longest`, the region's largest extent. Few voxels equal their
    neighbour, so only the first voxels of runs of two and more are visited, and the lines followed for those of three
    and more. What these leave of a level's voxels are runs of one.
    """
    box, shift = pack(rank, voxels, 2 * offsets.max())
    counts = np.zeros((max(longest, 2), offsets.size, n + 1), np.int32)
    found, q = 1, 0
    while q < voxels.size:
        start = voxels[q] + shift
        inside = ~equal_bits(box, start, box.size - LANES)
        q += count_bits(inside)
        for direction in range(offsets.size):
            step = offsets[direction]
            two = inside & equal_bits(box, start, start + step) & ~equal_bits(box, start, start - step)
            more = two & equal_bits(box, start + step, start + 2 * step)
            two &= ~more
            while two:
                counts[1, direction, box[start + first_bit(two)]] += np.int32(1)
                two &= two - ONE
                found = max(found, 2)
            while more:
                place, length = start + first_bit(more), 3
                more &= more - ONE
                while box[place + length * step] == box[place]:
                    length += 1
                counts[length - 1, direction, box[place]] += np.int32(1)
                found = max(found, length)
    return complete(counts[:found], rank, voxels)


@compiled
def complete(counts: np.ndarray, rank: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """From runs of two and more (length, direction, rank) to all runs (direction, rank - 1, length)."""
    longest, directions, levels = counts.shape
    voxels_of = np.zeros(levels, np.int32)
    for voxel in voxels:
        voxels_of[rank[voxel]] += np.int32(1)
    every = np.zeros((directions, levels - 1, longest), np.int32)
    for direction in range(directions):
        for level in range(1, levels):
            single = voxels_of[level]
            for length in range(2, longest + 1):
                number = counts[length - 1, direction, level]
                every[direction, level - 1, length - 1] = number
                single -= length * number
            every[direction, level - 1, 0] = single
    return every


@compiled
def shortcuts(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order offsets so that a pair can be dropped when two earlier ones connect it; those offsets as bits, uint64.

    If a voxel equals its neighbours at -d and at e, and d + e is an offset, the pair at -d follows from the pairs at
    e and between the two. Only offsets before d in the order are used, so that no pair waits for itself. Offsets with
    most such triangles (a common face) come first. Bit 2 m stands for e = -offset m, bit 2 m + 1 for e = offset m.
    """
    triangles = np.zeros(offsets.size, np.int64)
    for number, whole in enumerate(offsets):
        for part in offsets:
            for rest in offsets:
                triangles[number] += (whole == part + rest) + (whole == part - rest) + (whole == rest - part)
    ordered = offsets[np.argsort(-triangles, kind="mergesort")]
    through = np.zeros(offsets.size, np.uint64)
    for number, whole in enumerate(ordered):
        for part in range(number):
            for rest in ordered[:number]:
                through[number] |= np.uint64(abs(whole - ordered[part]) == rest) << np.uint64(2 * part)
                through[number] |= np.uint64(whole + ordered[part] == rest) << np.uint64(2 * part + 1)
    return ordered, through


@compiled
def join(parent: np.ndarray, a: np.uint64, b: np.uint64) -> None:
    """Unite the trees of two places (Rem's algorithm); a parent never lies behind its child."""
    while parent[a] != parent[b]:
        if parent[a] < parent[b]:
            a, b = b, a
        above = parent[a]
        parent[a] = parent[b]
        if above == a:
            return
        a = np.uint64(above)


@compiled
def zones(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find zones of equal level, connected by `offsets` (at most 32) in both senses.

    Returns level (rank) and size (voxels) of each, int32. Equal neighbours are united pair by pair; the zone's first
    voxel stands for it.
    """
    box, shift = pack(rank, voxels, offsets.max())
    ordered, through = shortcuts(offsets)
    parent = np.empty(box.size, np.uint32)
    for place in range(box.size):
        parent[place] = place
    equal = np.zeros(2 * offsets.size, np.uint64)
    q = 0
    while q < voxels.size:
        start = voxels[q] + shift
        inside = ~equal_bits(box, start, box.size - LANES)
        q += count_bits(inside)
        for number in range(ordered.size):
            step = ordered[number]
            pairs = inside & equal_bits(box, start, start - step)
            equal[2 * number], equal[2 * number + 1] = pairs, equal_bits(box, start, start + step)
            parts = through[number]
            while parts:
                pairs &= ~equal[first_bit(parts)]
                parts &= parts - ONE
            while pairs:
                here = np.uint64(start + first_bit(pairs))
                join(parent, here, here - np.uint64(step))
                pairs &= pairs - ONE
    return measure(box, parent, voxels, shift)


@compiled
def measure(box: np.ndarray, parent: np.ndarray, voxels: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Level and size of each tree; a parent lies before its child, so one pass settles all."""
    size = np.zeros(box.size, np.int32)
    firsts = np.empty(voxels.size + 1, np.uint32)
    found = 0
    for voxel in voxels:
        place = np.uint64(voxel + shift)
        first = parent[parent[place]]
        parent[place] = first
        size[first] += np.int32(1)
        firsts[found] = place
        found += place == first
    levels, sizes = np.empty(found, np.int32), np.empty(found, np.int32)
    for zone in range(found):
        levels[zone], sizes[zone] = box[firsts[zone]], size[firsts[zone]]
    return levels, sizes


@compiled
def tally(levels: np.ndarray, sizes: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Count zones by level and size: (n, m) int32, and the m sizes that occur, ascending int64."""
    column = np.zeros(sizes.max() + 1, np.int64)
    for size in sizes:
        column[size] = 1
    occurring = np.flatnonzero(column)
    column[occurring] = np.arange(occurring.size)
    counts = np.zeros((n, occurring.size), np.int32)
    for zone in range(sizes.size):
        counts[levels[zone] - 1, column[sizes[zone]]] += np.int32(1)
    return counts, occurring


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
    reach = offsets.max()
    shift = reach - voxels[0]
    box = np.zeros(voxels[-1] + shift + reach + CHUNK, levels.dtype)
    for place in range(voxels[-1] + shift + reach + 1):
        box[place] = levels[rank[place - shift]]
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
    gaps_by = gaps.reshape(levels.size, width)[1:]
    difference = np.zeros(levels.size - 1)
    for number in range(1, width):
        difference += gaps_by[:, number] / number
    return dependence.reshape(levels.size, width)[1:, 1:], difference, gaps_by[:, 0].copy()
