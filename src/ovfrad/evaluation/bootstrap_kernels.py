"""Loops of the bootstrap: counts of drawn patients, won pairs and ROC curves of all resamples (F2).

Resamples are the last axis of every array, so the inner loops run over neighbouring cells.
"""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled


@compiled
def drawn_counts(drawn: np.ndarray, patients: int) -> np.ndarray:
    """Return how often each patient was drawn: (resamples, J) -> float32 (patients, resamples)."""
    resamples, size = drawn.shape
    counts = np.zeros((patients, resamples), dtype=np.float32)
    for b in range(resamples):
        for i in range(size):
            counts[drawn[b, i], b] += 1
    return counts


@compiled
def won_pairs(
    rows: np.ndarray, cases: np.ndarray, starts: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return won pairs, weight of the cases and weight of the non-cases in each resample, all float64 (b,).

    Parameters
    ----------
    rows : ndarray of int, shape (N,)
        Rows of `weights` in ascending order of their scores.
    cases : ndarray of bool, shape (N,)
        Whether each of `rows` counts as a case.
    starts : ndarray of int, shape (groups + 1,)
        Where each group of equal scores starts in `rows`, and N at the end; ties win one half.
    weights : ndarray, shape (n, b)
    """
    b = weights.shape[1]
    won, of_cases, below, tied = np.zeros(b), np.zeros(b), np.zeros(b), np.zeros(b)
    for g in range(len(starts) - 1):
        first, last = starts[g], starts[g + 1]
        if last - first == 1:
            row = rows[first]
            if cases[first]:
                for j in range(b):
                    won[j] += weights[row, j] * below[j]
                    of_cases[j] += weights[row, j]
            else:
                for j in range(b):
                    below[j] += weights[row, j]
            continue
        tied[:] = 0.0
        for i in range(first, last):
            if not cases[i]:
                for j in range(b):
                    tied[j] += weights[rows[i], j]
        for i in range(first, last):
            if cases[i]:
                for j in range(b):
                    won[j] += weights[rows[i], j] * (below[j] + 0.5 * tied[j])
                    of_cases[j] += weights[rows[i], j]
        for j in range(b):
            below[j] += tied[j]
    return won, of_cases, below


@compiled
def sensitivities(
    rows: np.ndarray, cases: np.ndarray, starts: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Return the sensitivity at each false positive rate of `grid` in each resample, shape (grid, b).

    The ROC curve is the polygon through its points; at a vertical step its upper end counts. NaN where a resample has
    no cases or no non-cases. `rows` stand in DESCENDING order of their scores; else as for `won_pairs`.
    """
    b, size = weights.shape[1], len(grid)
    result = np.full((size, b), np.nan)
    for j in range(b):
        total_true = total_false = 0.0
        for i in range(len(rows)):
            if cases[i]:
                total_true += weights[rows[i], j]
            else:
                total_false += weights[rows[i], j]
        if total_true == 0.0 or total_false == 0.0:
            continue
        true = false = 0.0
        place = 0
        for g in range(len(starts) - 1):
            up = right = 0.0
            for i in range(starts[g], starts[g + 1]):
                if cases[i]:
                    up += weights[rows[i], j]
                else:
                    right += weights[rows[i], j]
            while place < size and right > 0.0 and grid[place] * total_false < false + right:
                share = (grid[place] * total_false - false) / right
                result[place, j] = (true + share * up) / total_true
                place += 1
            true += up
            false += right
        while place < size:
            result[place, j] = 1.0
            place += 1
    return result
