"""Sixty-four voxels at a time: comparisons as the bits of one word (LLVM vector instructions through numba).

A compiler does not find these by itself. They are written in LLVM's portable vector form, so that each machine gets
its own instructions (AVX-512, AVX2, NEON) and the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # a part of numba
from numba import types
from numba.extending import intrinsic

from ovfrad.evaluation.compiled import compiled

LANES = 64
"""Voxels in a word."""

ONE = np.uint64(1)


@intrinsic
def equal_bits(typing: Any, array: types.Array, first: types.Integer, second: types.Integer) -> Any:
    """Word whose bit b tells whether array[first + b] == array[second + b]; both stretches lie inside the array."""
    width = array.dtype.bitwidth
    vector = ir.VectorType(ir.IntType(width), LANES)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

        def load(start: Any) -> Any:
            return builder.load(builder.bitcast(builder.gep(data, [start]), vector.as_pointer()), align=width // 8)

        same = builder.icmp_signed("==", load(arguments[1]), load(arguments[2]))
        return builder.bitcast(same, ir.IntType(LANES))

    return types.uint64(array, types.int64, types.int64), build


@intrinsic
def first_bit(typing: Any, word: types.Integer) -> Any:
    """Number of the lowest bit set; 64 for an empty word."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


@intrinsic
def count_bits(typing: Any, word: types.Integer) -> Any:
    """Number of bits set."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), build


@compiled
def largest(numbers: np.ndarray) -> int:
    """Largest of some whole numbers from 0; numpy's would take longer to compile than most kernels here."""
    found = 0
    for number in numbers:
        if number > found:
            found = number
    return found


@compiled
def list_bits(word: np.uint64, start: int, places: np.ndarray, filled: int) -> int:
    """Append start + b for each bit b set; the new length.

    Eight are written at a time, wanted or not, so there must be room for 8 more: a loop as long as the word has bits
    would cost a mispredicted branch a word.
    """
    end = filled + count_bits(word)
    while filled < end:
        for slot in range(filled, filled + 8):
            places[slot] = start + first_bit(word)
            word &= word - ONE
        filled += 8
    return end


@compiled
def pack(rank: np.ndarray, voxels: np.ndarray, reach: int) -> tuple[np.ndarray, int]:
    """Copy the ranks of some voxels (ascending) to a box of int16 with zeros around; the voxels' shift into it.

    `reach` zeros lie on either side, then two words: a word of a voxel's neighbours stays inside the array, and the
    last word, which is nobody's neighbour, serves as zeros to compare with (`inside_bits`).
    """
    first = voxels[0]
    source = rank[first : voxels[-1] + 1]
    box = np.zeros(source.size + 2 * reach + 2 * LANES, np.int16)
    target = box[reach : reach + source.size]
    inside = 0
    for place in range(source.size):
        target[place] = np.int16(source[place])
        inside += source[place] != 0
    if inside != voxels.size:  # others of the region lie between the voxels asked for
        box = np.zeros(box.size, np.int16)
        for voxel in voxels:
            box[voxel - first + reach] = rank[voxel]
    return box, reach - first


@compiled
def inside_bits(box: np.ndarray, start: int) -> np.uint64:
    """Word of the voxels from `start` on in a box of `pack`."""
    return ~equal_bits(box, start, box.size - LANES)
