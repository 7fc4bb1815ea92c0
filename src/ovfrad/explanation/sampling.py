"""Shapley values of any model: all coalitions where they are few, antithetic permutations where they are many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]
Tell = Callable[[int, int], None]
"""Called with cases done and cases in all, over all seeds."""
ROWS_PER_CALL = 20_000
"""Rows handed to the model at a time: enough to hide the cost of a call, 30 MB at 170 features."""
MOST_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Sampled:
    """Sampled values (n, p, K), their standard error (p, K), and what they cost."""

    values: Floats
    error: Floats
    rounds: int
    evaluations: int


def enumerated(predict: Predict, X: Floats, background: Floats, tell: Tell | None = None) -> tuple[Floats, Floats]:
    """Exact Shapley values from all 2^p coalitions (Shapley 1953).

    Parameters
    ----------
    predict : callable
        (n, p) -> (n, K).
    X : ndarray of shape (n, p)
    background : ndarray of shape (m, p)
    tell : callable, optional

    Returns
    -------
    values : ndarray of shape (n, p, K)
    error : ndarray of shape (p, K)
        Zeros.
    """
    p, m = X.shape[1], len(background)
    known = (np.arange(2**p)[:, None] >> np.arange(p)) & 1 == 1
    chunk = max(1, ROWS_PER_CALL // (len(known) * m))
    games = []
    for start in range(0, len(X), chunk):
        cases = X[start : start + chunk]
        points = np.where(known[None, :, None], cases[:, None, None], background[None, None])
        out = np.asarray(predict(points.reshape(-1, p)), dtype=np.float64)
        games.append(out.reshape(len(cases), len(known), m, -1).mean(axis=2))
        _told(tell, min(start + chunk, len(X)), len(X))
    game = np.concatenate(games)  # (n, coalitions, K)
    size = known.sum(axis=1)
    weight = np.array([factorial(s) * factorial(p - s - 1) / factorial(p) if s < p else 0.0 for s in size])
    values = np.empty((len(X), p, game.shape[2]))
    for j in range(p):
        without = np.flatnonzero(~known[:, j])
        gain = game[:, without + (1 << j)] - game[:, without]
        values[:, j] = np.einsum("s,nsk->nk", weight[without], gain)
    return values, np.zeros(values.shape[1:])


def _told(tell: Tell | None, done: int, total: int) -> None:
    if tell is not None:
        tell(done, total)


def sampled(
    predict: Predict, X: Floats, background: Floats, evaluations: int, random_state: int, tell: Tell | None = None
) -> Sampled:
    """Shapley values from random orders of the features, each walked forwards and backwards.

    Mitchell R, Cooper J, Frank E, Holmes G. Sampling permutations for Shapley value estimation. JMLR 2022;23(43).
    In one round every background row has an order of its own, so that the base is the mean over all of them and
    base + sum = output holds exactly; the spread between rounds, which have different seeds, gives the error.

    Parameters
    ----------
    predict : callable
        (n, p) -> (n, K).
    X : ndarray of shape (n, p)
    background : ndarray of shape (m, p)
    evaluations : int
        Model rows to spend; two rounds are always made, 20 at most.
    random_state : int
    tell : callable, optional

    Returns
    -------
    Sampled
    """
    n, p = X.shape
    per_round = 2 * n * len(background) * max(p - 1, 1)
    rounds = int(np.clip(evaluations // per_round, 2, MOST_ROUNDS))
    top, bottom = (np.asarray(predict(rows), dtype=np.float64) for rows in (X, background))

    def progress(r: int) -> Tell:
        return lambda done, _: _told(tell, r * n + done, rounds * n)

    found = np.stack(
        [_round(predict, X, background, top, bottom, (random_state, r), progress(r)) for r in range(rounds)]
    )
    spread = found.std(axis=0, ddof=1) / np.sqrt(rounds)
    error = np.sqrt((spread**2).mean(axis=0))
    return Sampled(found.mean(axis=0), error, rounds, rounds * per_round)


@dataclass(frozen=True, eq=False)
class Additive:
    """A model whose probabilities are the softmax of a sum over features, at the cases and background rows.

    Attributes
    ----------
    cases, background : ndarray of shape (n, p, K) and (m, p, K)
        What each feature adds to the linear predictors.
    intercept : ndarray of shape (K,)
    """

    cases: Floats
    background: Floats
    intercept: Floats


def sampled_additive(
    members: Sequence[Additive], evaluations: int, random_state: int, tell: Tell | None = None
) -> Sampled:
    """Shapley values, as `sampled` has them, of the sum of the members' probabilities.

    A step along an order changes one term of each sum, so that a walk costs p terms instead of p predictions of p
    columns: thousands of features are no harder than hundreds.

    Parameters
    ----------
    members : sequence of Additive
    evaluations : int
        Steps to spend; two rounds are always made, 20 at most.
    random_state : int
    tell : callable, optional
    """
    n, p, _ = members[0].cases.shape
    per_round = 2 * n * len(members[0].background) * p
    rounds = int(np.clip(evaluations // per_round, 2, MOST_ROUNDS))
    rounds_made = []
    for r in range(rounds):
        rounds_made.append(_additive_round(members, (random_state, r)))
        _told(tell, (r + 1) * n, rounds * n)
    found = np.stack(rounds_made)
    spread = found.std(axis=0, ddof=1) / np.sqrt(rounds)
    error = np.sqrt((spread**2).mean(axis=0))
    return Sampled(found.mean(axis=0), error, rounds, rounds * per_round)


def _additive_round(members: Sequence[Additive], seed: tuple[int, int]) -> Floats:
    """One antithetic pair of orders for each case and background row; values (n, p, K)."""
    rng = np.random.default_rng(seed)
    n, p, K = members[0].cases.shape
    m = len(members[0].background)
    values = np.zeros((n, p, K))
    for case in range(n):
        order = rng.permuted(np.broadcast_to(np.arange(p), (m, p)), axis=1)
        for turn in (order, order[:, ::-1]):
            gain = sum(_additive_walk(member, case, turn) for member in members)
            whole = np.empty((m, p, K))
            np.put_along_axis(whole, turn[:, :, None], gain, axis=1)
            values[case] += whole.mean(axis=0) / 2
    return values


def _additive_walk(member: Additive, case: int, order: NDArray[np.intp]) -> Floats:
    """Gain of each step from the background rows to a case, in the order of the steps: (m, p, K)."""
    change = np.take_along_axis(member.cases[case] - member.background, order[:, :, None], axis=1)
    start = member.background.sum(axis=1) + member.intercept
    path = np.concatenate([start[:, None], start[:, None] + np.cumsum(change, axis=1)], axis=1)
    path -= path.max(axis=2, keepdims=True)
    odds = np.exp(path)
    gain: Floats = np.diff(odds / odds.sum(axis=2, keepdims=True), axis=1)
    return gain


def _round(
    predict: Predict, X: Floats, background: Floats, top: Floats, bottom: Floats, seed: tuple[int, int], tell: Tell
) -> Floats:
    """One antithetic pair of orders for each case and background row; values (n, p, K)."""
    rng = np.random.default_rng(seed)
    (n, p), m = X.shape, len(background)
    chunk = max(1, ROWS_PER_CALL // (2 * m * max(p - 1, 1)))
    values = np.empty((n, p, top.shape[1]))
    for start in range(0, n, chunk):
        part = slice(start, start + chunk)
        rank = rng.permuted(np.broadcast_to(np.arange(p), (len(X[part]), m, p)), axis=2)
        both = np.stack([rank, p - 1 - rank], axis=2)  # (cases, m, 2, p): position of each feature in its order
        values[part] = _walk(predict, X[part], background, top[part], bottom, both)
        tell(min(start + chunk, n), n)
    return values


def _walk(predict: Predict, X: Floats, background: Floats, top: Floats, bottom: Floats, rank: NDArray) -> Floats:
    """Turn background rows into cases feature by feature; mean gain of each feature, (cases, p, K)."""
    c, m, d, p = rank.shape
    K = top.shape[1]
    known = rank[:, :, :, None, :] < np.arange(1, p)[:, None]  # (cases, m, 2, p - 1, p)
    points = np.where(known, X[:, None, None, None], background[None, :, None, None])
    inner = np.asarray(predict(points.reshape(-1, p)), dtype=np.float64) if p > 1 else np.empty((0, K))
    path = np.concatenate(
        [
            np.broadcast_to(bottom[None, :, None, None], (c, m, d, 1, K)),
            inner.reshape(c, m, d, p - 1, K),
            np.broadcast_to(top[:, None, None, None], (c, m, d, 1, K)),
        ],
        axis=3,
    )
    gain = np.take_along_axis(np.diff(path, axis=3), rank[..., None], axis=3)
    return gain.mean(axis=(1, 2))
