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
