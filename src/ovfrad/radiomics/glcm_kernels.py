"""Sums over co-occurrence matrices, and the largest eigenvalue that the maximal correlation coefficient needs (numba).

`VECTOR` lets sums be taken in an order that suits the machine's vectors: results may differ in the last digit from
one kind of processor to another. Divisions by zero give infinity as in numpy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ovfrad.evaluation.compiled import compiled
from ovfrad.radiomics.entropy_kernels import log2

VECTOR: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}


@compiled
def both_senses(counts: np.ndarray) -> np.ndarray:
    """Each pair counted from either voxel, counts + their transpose: (directions, n, n) float64."""
    symmetric = np.empty(counts.shape)
    for direction in range(counts.shape[0]):
        there, here = symmetric[direction], counts[direction]
        for i in range(here.shape[0]):
            for j in range(i + 1):
                there[i, j] = there[j, i] = float(here[i, j] + here[j, i])
    return symmetric


@compiled(**VECTOR)
def margins(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row sums (directions, n) and sums of squares (directions,), float64."""
    directions, n, _ = counts.shape
    rows, squares = np.zeros((directions, n)), np.zeros(directions)
    for direction in range(directions):
        for i in range(n):
            row, total, square = counts[direction, i], 0.0, 0.0
            for j in range(n):
                total += row[j]
                square += row[j] * row[j]
            rows[direction, i] = total
            squares[direction] += square
    return rows, squares


@compiled
def diagonals(
    counts: np.ndarray, grey: np.ndarray, totals: np.ndarray, symmetric: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of counts along both diagonals, and entropies.

    Parameters
    ----------
    counts : ndarray of float64, shape (directions, n, n)
        Counts, weighted or not.
    grey : ndarray of int64, shape (n,)
        Grey levels of rows and columns, from 1.
    totals : ndarray of float64, shape (directions,)
        Sum of the counts in each direction.
    symmetric : bool
        Whether the matrices are symmetric; one triangle is then read.

    Returns
    -------
    sums : ndarray of float64, shape (directions, 2 Ng + 1)
        Counts with i + j = k, for k = 0..2 Ng.
    differences : ndarray of float64, shape (directions, Ng)
        Counts with |i - j| = k, for k = 0..Ng - 1.
    entropy : ndarray of float64, shape (directions,)
        -sum p log2 p over p = counts / totals, bit.
    """
    directions, n, _ = counts.shape
    highest = grey[n - 1]
    sums, differences = np.zeros((directions, 2 * highest + 1)), np.zeros((directions, highest))
    entropy = np.zeros(directions)
    for direction in range(directions):
        whole, bits = log2(totals[direction]), 0.0
        along, across = sums[direction], differences[direction]
        for i in range(n):
            for j in range(i if symmetric else n):
                weight = (2 if symmetric else 1) * counts[direction, i, j]
                bits += weight * (whole - log2(counts[direction, i, j]))
                along[grey[i] + grey[j]] += weight
                across[abs(grey[i] - grey[j])] += weight
            if symmetric:
                bits += counts[direction, i, i] * (whole - log2(counts[direction, i, i]))
                along[2 * grey[i]] += counts[direction, i, i]
                across[0] += counts[direction, i, i]
        entropy[direction] = bits / totals[direction]
    return sums, differences, entropy


@compiled(**VECTOR)
def tridiagonal(matrix: np.ndarray, diagonal: np.ndarray, squared: np.ndarray) -> None:
    """Reduce a symmetric matrix (n, n) to a tridiagonal one with the same eigenvalues (Householder); overwrites it.

    Fills `diagonal` (n,) and `squared` (n,), the squares of the numbers beside the diagonal, with 0 in the first place.
    See Golub and Van Loan, Matrix Computations, algorithm 8.3.1.
    """
    n = matrix.shape[0]
    mirror, product = np.zeros(n), np.zeros(n)
    squared[0], diagonal[0] = 0.0, matrix[0, 0]
    for k in range(n - 1):
        left = n - k - 1
        column, v, p = matrix[k, k + 1 :], mirror[:left], product[:left]
        tail = 0.0
        for j in range(1, left):
            tail += column[j] * column[j]
        head = column[0]
        squared[k + 1] = tail + head * head
        if tail > 0:  # reflect the column onto its first number
            head += math.copysign(math.sqrt(squared[k + 1]), head)
            for j in range(left):
                v[j] = column[j]
            v[0] = head
            scale, overlap = 2 / (tail + head * head), 0.0
            for i in range(left):
                row, total = matrix[k + 1 + i, k + 1 :], 0.0
                for j in range(left):
                    total += row[j] * v[j]
                p[i] = scale * total
                overlap += p[i] * v[i]
            for j in range(left):
                p[j] -= scale / 2 * overlap * v[j]
            for i in range(left):
                row, vi, pi = matrix[k + 1 + i, k + 1 :], v[i], p[i]
                for j in range(left):
                    row[j] -= vi * p[j] + pi * v[j]
        diagonal[k + 1] = matrix[k + 1, k + 1]


@compiled(**VECTOR)
def largest_absolute(diagonal: np.ndarray, squared: np.ndarray, bound: float) -> np.ndarray:
    """Largest |eigenvalue|, known to be at most `bound`, of tridiagonal matrices, (n, matrices) each: (matrices,).

    By bisection to the last digit: x is above all of them if x - T and x + T are positive definite, that is if no
    pivot of their elimination is negative. All matrices go through it side by side.
    """
    n, matrices = diagonal.shape
    low, high = np.zeros(matrices), np.full(matrices, bound)
    middle, above, below, least = np.empty(matrices), np.empty(matrices), np.empty(matrices), np.empty(matrices)
    for _ in range(52):
        for m in range(matrices):
            middle[m] = (low[m] + high[m]) / 2
            above[m] = below[m] = least[m] = 1.0
        for i in range(n):
            for m in range(matrices):
                above[m] = middle[m] - diagonal[i, m] - squared[i, m] / above[m]
                below[m] = middle[m] + diagonal[i, m] - squared[i, m] / below[m]
                pivot = above[m] if above[m] < below[m] else below[m]
                least[m] = pivot if pivot < least[m] else least[m]
        for m in range(matrices):
            if least[m] > 0:
                high[m] = middle[m]
            else:
                low[m] = middle[m]
    return high


@compiled(**VECTOR)
def second_eigenvalues(counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Second largest |eigenvalue| of S(i, j) = p(i, j) / sqrt(p(i) p(j)) for symmetric counts: (directions,).

    The largest is 1, with the eigenvector sqrt(p(i)): it is taken out, and the largest of what is left is the answer.
    """
    directions, n, _ = counts.shape
    lanes = (directions + 15) // 16 * 16  # full vectors: the machine is slower with an odd rest than with zeros
    diagonal, squared = np.zeros((n, lanes)), np.zeros((n, lanes))
    rest, of_one, beside = np.empty((n, n)), np.empty(n), np.empty(n)
    root, inverse = np.empty(n), np.empty(n)
    for direction in range(directions):
        total = 0.0
        for i in range(n):
            total += rows[direction, i]
        for i in range(n):
            share = rows[direction, i] / total
            root[i] = math.sqrt(share)
            inverse[i] = 1 / root[i] if share > 0 else 0.0  # a level without neighbours in this direction
        for i in range(n):
            scale, shrink, count = inverse[i] / total, root[i], counts[direction, i]
            for j in range(n):
                rest[i, j] = count[j] * scale * inverse[j] - shrink * root[j]
        tridiagonal(rest, of_one, beside)
        for i in range(n):
            diagonal[i, direction], squared[i, direction] = of_one[i], beside[i]
    return largest_absolute(diagonal, squared, 1 + 1e-9)[:directions]
