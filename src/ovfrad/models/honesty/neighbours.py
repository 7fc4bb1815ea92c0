"""Rows that lie too near another, agree with another, or lie between two others, in the numbers of a feature table."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaln, ndtri
from scipy.stats import rankdata

from ovfrad.selection.columns import families

DISTINCT = 0.45
"""Share of values that must be distinct for a column to tell rows apart; copies of every row leave one half."""
MOST_COLUMNS = 500
"""Columns of a family, or for distances, that are looked at, evenly spaced; more would cost time and tell no more."""
COMMON = 20
"""A value that more rows than this share says nothing of copies."""
FEWEST_COLUMNS, FEWEST_ROWS = 4, 20
COARSE = 1e-3
"""Step between values, as a share of the middle half's width, from which equal values are a matter of rounding."""
DIGITS = 2**20
"""Resolution of a mantissa at which two numbers are the same: about six decimal digits."""
NEIGHBOURS = 20
BLOCK = 500
STRAIGHT = 1e-6
"""1 - |cosine| below which three rows lie on one line."""
FLAT = 0.05
"""A direction whose spread is less than this share of the largest does not count as one."""
DIRECTIONS = 5
"""Directions that the rows must fill for three of them never to lie on one line by chance."""


class Pair(NamedTuple):
    """Positions of two rows, and what they share: a number of columns, or a ratio of distances."""

    first: int
    second: int
    value: float


def telling(X: pd.DataFrame) -> pd.DataFrame:
    """Finite columns with mostly distinct values."""
    values = X.to_numpy(dtype=float)
    finite = np.isfinite(values).all(axis=0)
    distinct = np.array([len(np.unique(column)) for column in values.T]) / max(len(X), 1)
    return X.loc[:, finite & (distinct >= DISTINCT)]


def spaced(values: np.ndarray) -> np.ndarray:
    """At most `MOST_COLUMNS` columns."""
    p = values.shape[1]
    return values if p <= MOST_COLUMNS else values[:, np.linspace(0, p - 1, MOST_COLUMNS).astype(int)]


def agreeing(X: pd.DataFrame, groups: np.ndarray, level: float) -> list[Pair]:
    """Pairs of rows of two groups that are equal, to six digits, in half the columns of a feature family.

    A rescaled or re-windowed image keeps its shape features, a table of another extractor shares a family: either
    shows here. Families with fewer than `FEWEST_COLUMNS` columns are not looked at.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_features)
        As `telling` leaves it.
    groups : ndarray of str of shape (n_rows,)
        Patient of each row.
    level : float
        Number of such pairs to be expected by chance, were columns independent, above which none counts.
    """
    found: dict[tuple[int, int], float] = {}
    kinds = np.array(families(map(str, X.columns)))
    for kind in dict.fromkeys(kinds):
        columns = spaced(X.loc[:, kinds == kind].to_numpy(dtype=float))
        columns = columns[:, [_step(column) < COARSE for column in columns.T]]
        if columns.shape[1] >= FEWEST_COLUMNS:
            for pair in _agreeing(columns, level):
                if groups[pair.first] != groups[pair.second]:
                    found[pair.first, pair.second] = max(found.get((pair.first, pair.second), 0.0), pair.value)
    return [Pair(i, j, share) for (i, j), share in sorted(found.items())]


def _agreeing(columns: np.ndarray, level: float) -> list[Pair]:
    """Pairs of rows equal in half of these columns, by more than chance."""
    n, p = columns.shape
    by_column = [_equal_pairs(column) for column in columns.T]
    chance = [np.log(len(keys) / (n * (n - 1) / 2)) if len(keys) else 0.0 for keys in by_column]
    pairs, inverse, counts = np.unique(np.concatenate(by_column), return_inverse=True, return_counts=True)
    weight = np.bincount(inverse, np.repeat(chance, [len(keys) for keys in by_column]), len(pairs))
    ways = gammaln(p + 1) - gammaln(counts + 1) - gammaln(p - counts + 1)
    expected = np.log(n * (n - 1) / 2) + ways + weight
    chosen = (counts >= max(FEWEST_COLUMNS, p / 2)) & (expected < np.log(level))
    found = zip(pairs[chosen], counts[chosen], strict=True)
    return [Pair(int(key) // n, int(key) % n, float(count / p)) for key, count in found]


def _step(column: np.ndarray) -> float:
    """Smallest distance of two different values, as a share of the width of the middle half."""
    low, high = np.quantile(column, (0.25, 0.75))
    steps = np.diff(np.unique(column))
    return float(steps.min() / (high - low)) if high > low else np.inf


def _equal_pairs(column: np.ndarray) -> np.ndarray:
    """Keys i * n + j, i < j, of rows with the same number."""
    mantissa, exponent = np.frexp(column)
    code = np.round(mantissa * DIGITS).astype(np.int64) * 4096 + exponent
    order, n = np.argsort(code, kind="stable"), len(column)
    runs = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    keys = [i * n + j for run in runs if 1 < len(run) <= COMMON for i, j in combinations(sorted(map(int, run)), 2)]
    return np.array(keys, dtype=np.int64)


def normal_scores(X: np.ndarray) -> np.ndarray:
    """Ranks of each column as quantiles of the normal distribution, shape as X."""
    return ndtri((rankdata(X, axis=0) - 0.5) / len(X))


def nearness(X: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How near the nearest row of another group is, against the fifth nearest, and the dimension of the cloud.

    Where rows fill m dimensions evenly, the ratio r of the distances to the first and the fifth neighbour has
    P(r < x) = 1 - (1 - x^m)^4; m follows from the median ratio of the third to the fifth (after the two-neighbour
    estimate of Facco et al., Sci Rep 2017;7:12140), which one copy of each row leaves almost as it is.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    groups : ndarray of str of shape (n_rows,)

    Returns
    -------
    ratio : ndarray of shape (n_rows,)
    nearest : ndarray of int of shape (n_rows,)
    dimension : float
    """
    squares = (X**2).sum(axis=1)
    ratio, middle, nearest = np.ones(len(X)), np.ones(len(X)), np.zeros(len(X), dtype=int)
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        distance = np.sqrt(np.maximum(squares[rows, None] + squares[None] - 2 * X[rows] @ X.T, 0))
        distance[groups[rows, None] == groups[None]] = np.inf
        nearest[rows] = distance.argmin(axis=1)
        first, third, fifth = np.sort(np.partition(distance, 4, axis=1)[:, :5], axis=1)[:, [0, 2, 4]].T
        usable = np.isfinite(fifth) & (fifth > 0)
        ratio[rows] = np.divide(first, fifth, out=np.ones(len(first)), where=usable)
        middle[rows] = np.divide(third, fifth, out=np.ones(len(first)), where=usable)
    median = float(np.clip(np.median(middle), 1e-3, 1 - 1e-3))
    return ratio, nearest, float(np.log(BETA_MEDIAN) / np.log(median))


BETA_MEDIAN = 0.6142724
"""Median of Beta(3, 2), the distribution of (d3 / d5)^m."""


def ratio_limit(n: int, dimension: float, level: float) -> float:
    """Ratio of the first to the fifth distance that `n` rows without copies stay above, but with chance `level`."""
    return float((level / (4 * n)) ** (1 / dimension))


def between(X: np.ndarray, codes: np.ndarray) -> list[int]:
    """Positions of rows that lie on the straight line between two neighbours of their own class, as SMOTE's rows do.

    Empty where the rows fill fewer than `DIRECTIONS` directions: there three of them may lie on a line by chance.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Standard scores.
    codes : ndarray of int of shape (n_rows,)
    """
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(X @ X.T if len(X) < X.shape[1] else X.T @ X), 0))
    if (spread >= FLAT * spread.max()).sum() < DIRECTIONS:
        return []
    found = []
    for k in np.unique(codes):
        own = np.flatnonzero(codes == k)
        part = X[own]
        squares = (part**2).sum(axis=1)
        distance = squares[:, None] + squares[None] - 2 * part @ part.T
        np.fill_diagonal(distance, np.inf)
        near = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
        found += [int(own[i]) for i in range(len(own)) if _opposed(part[near[i]] - part[i])]
    return sorted(found)


def _opposed(steps: np.ndarray) -> bool:
    """Whether two of these steps, shape (k, n_columns), point in opposite directions."""
    length = np.linalg.norm(steps, axis=1)
    unit = steps[length > 0] / length[length > 0, None]
    return bool(len(unit)) and float((unit @ unit.T).min()) < -(1 - STRAIGHT)
