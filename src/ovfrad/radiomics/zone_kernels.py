"""Zones of equal grey level: voxels united with their equal neighbours (numba). Layout as in `texture_kernels`."""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled
from ovfrad.radiomics.bit_kernels import LANES, ONE, count_bits, equal_bits, first_bit, inside_bits, largest, pack


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
    ordered = np.empty_like(offsets)
    for place in range(offsets.size):
        best = 0
        for number in range(1, offsets.size):
            if triangles[number] > triangles[best]:
                best = number
        ordered[place] = offsets[best]
        triangles[best] = -1
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
def unite(parent: np.ndarray, here: np.ndarray, there: np.ndarray, listed: int) -> None:
    """Unite the trees of listed pairs of places; overwrites the lists.

    Most pairs hang a place that is still a tree of its own, or repeat what is known: these are done without a branch,
    and few are left to `join`.
    """
    left = 0
    for pair in range(listed):
        a, b = here[pair], there[pair]
        alone = parent[a] == a
        above_a, above_b = parent[parent[a]], parent[parent[b]]
        parent[a] = above_b if alone else above_a
        here[left], there[left] = above_a, above_b
        left += (above_a != above_b) & (not alone)
    for pair in range(left):
        join(parent, np.uint64(here[pair]), np.uint64(there[pair]))


@compiled
def list_pairs(word: np.uint64, start: int, step: int, here: np.ndarray, there: np.ndarray, filled: int) -> int:
    """As `bit_kernels.list_bits`, with the place a step behind listed in `there`."""
    end = filled + count_bits(word)
    while filled < end:
        for slot in range(filled, filled + 8):
            place = start + first_bit(word)
            here[slot], there[slot] = place, place - step
            word &= word - ONE
        filled += 8
    return end


@compiled
def zones(rank: np.ndarray, voxels: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find zones of equal level, connected by `offsets` (at most 32) in both senses.

    Returns level (rank) and size (voxels) of each, int32. Equal neighbours are united pair by pair; the zone's first
    voxel stands for it.
    """
    box, shift = pack(rank, voxels, largest(offsets))
    ordered, through = shortcuts(offsets)
    parent = np.empty(box.size, np.uint32)
    for place in range(box.size):
        parent[place] = place
    equal = np.zeros(2 * offsets.size, np.uint64)
    room = offsets.size * LANES
    here, there = np.empty(2 * room + 8, np.uint32), np.empty(2 * room + 8, np.uint32)
    listed, q = np.int64(0), 0  # not the literal 0, for which numba would compile `list_pairs` once more
    while q < voxels.size:
        start = voxels[q] + shift
        inside = inside_bits(box, start)
        q += count_bits(inside)
        for number in range(ordered.size):
            step = ordered[number]
            pairs = inside & equal_bits(box, start, start - step)
            equal[2 * number], equal[2 * number + 1] = pairs, equal_bits(box, start, start + step)
            parts = through[number]
            while parts:
                pairs &= ~equal[first_bit(parts)]
                parts &= parts - ONE
            listed = list_pairs(pairs, start, step, here, there, listed)
        if listed > room or q == voxels.size:
            unite(parent, here, there, listed)
            listed = np.int64(0)
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
    column = np.zeros(largest(sizes) + 1, np.int64)
    for size in sizes:
        column[size] = 1
    occurring, found = np.empty(column.size, np.int64), 0
    for size in range(column.size):
        if column[size] > 0:
            occurring[found], column[size] = size, found
            found += 1
    counts = np.zeros((n, found), np.int32)
    for zone in range(sizes.size):
        counts[levels[zone] - 1, column[sizes[zone]]] += np.int32(1)
    return counts, occurring[:found].copy()
