"""LASSO path of a smooth convex loss: Newton steps on the active coefficients, optimal at every penalty to 1e-10.

At each penalty the loss is replaced by its quadratic at the present point, over the coefficients that are not 0 and
those that breach the conditions of optimality; the minimum of that with the penalty is found exactly, and a line
search leads towards it (Lee, Sun, Saunders 2014, SIAM J Optim 24:1420). Coefficients start from the last penalty's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

OPTIMAL = 1e-10  # largest breach of the conditions of optimality, in units of the penalty
SATURATED = 0.999  # share of the deviance explained beyond which smaller penalties are not solved, as in glmnet
_LOOSE = 1e-6  # breach that is accepted where rounding lets no step lower the objective further
_STEPS, _HALVINGS, _ROUNDS, _SWEEPS = 200, 40, 500, 100
_ENTER = 500  # most coefficients that a step adds: with many more, its linear equations would take most of the time
_RIDGE = 1e-9  # of the mean curvature; steers steps where there is no curvature, and moves no solution
_ROUNDING = 1e-14  # of the objective


class Loss(Protocol):
    """Mean loss of n rows as a function of T linear predictors (n, T) and q free numbers, which are not penalised."""

    saturated: float

    def start(self) -> np.ndarray:
        """Free numbers, shape (q,), that are best where every coefficient is 0."""

    def value(self, eta: np.ndarray, free: np.ndarray) -> float:
        """Mean loss; infinite where the free numbers are not allowed."""

    def slopes(self, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First derivatives by the linear predictors, (n, T), and by the free numbers, (q,)."""

    def curvature(self, eta: np.ndarray, free: np.ndarray, columns: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Second derivatives (q + m, q + m) by the free numbers and m coefficients.

        `columns` of shape (n, m) has the feature of each coefficient, `target` of shape (m,) its linear predictor.
        """

    def settle(self, w: np.ndarray) -> np.ndarray:
        """Of all coefficients (T, p) with the same loss, those of the least sum of absolute values."""


@dataclass(frozen=True, eq=False)
class Descent:
    """Path over all penalties.

    Attributes
    ----------
    w : ndarray of shape (n_penalties, T, p)
    free : ndarray of shape (n_penalties, q)
    solved : int
        Penalties solved; the later ones repeat the last one, since the model is saturated or rounding forbids more.
    """

    w: np.ndarray
    free: np.ndarray
    solved: int


def descend(columns: np.ndarray, loss: Loss, n_targets: int, penalties: np.ndarray) -> Descent:
    """Minimise  loss(Z w', free) + penalty * sum |w|  at each penalty.

    Parameters
    ----------
    columns : ndarray of shape (p, n)
        Z, one feature a row, z-scored.
    loss : Loss
    n_targets : int
        T, coefficient vectors.
    penalties : ndarray of shape (n_penalties,)
        Largest first, above 0.
    """
    state = _State(columns, loss, n_targets)
    null = loss.value(state.eta, state.free)
    path = np.empty((len(penalties), n_targets, len(columns)))
    free = np.empty((len(penalties), len(state.free)))
    solved = 0
    for i, penalty in enumerate(penalties):
        if not state.solve(float(penalty)):
            break
        path[i], free[i], solved = state.w, state.free, i + 1
        if null - loss.value(state.eta, state.free) > SATURATED * (null - loss.saturated):
            break
    if not solved:
        path[0], free[0], solved = 0.0, loss.start(), 1
    path[solved:], free[solved:] = path[solved - 1], free[solved - 1]
    return Descent(path, free, solved)


class _State:
    """Coefficients w (T, p), free numbers (q,) and linear predictors eta (n, T), moved from penalty to penalty."""

    def __init__(self, columns: np.ndarray, loss: Loss, n_targets: int) -> None:
        self.columns, self.loss = columns, loss
        self.w, self.free = np.zeros((n_targets, len(columns))), loss.start()
        self.eta = np.zeros((columns.shape[1], n_targets))

    def solve(self, penalty: float) -> bool:
        """Go to the optimum at `penalty`; False where it is not reached."""
        worst = np.inf
        for _ in range(_STEPS):
            self._settle()
            slope, free_slope = self.loss.slopes(self.eta, self.free)
            slopes = slope.T @ self.columns.T
            breach = _breach(slopes, self.w, penalty)
            worst = max(float(breach.max(initial=0.0)), float(np.abs(free_slope).max(initial=0.0)))
            if worst <= OPTIMAL:
                return True
            target, feature = np.nonzero((self.w != 0) | _entering(breach))
            if not self._step(target, feature, np.concatenate([free_slope, slopes[target, feature]]), penalty, worst):
                break
        return worst <= _LOOSE

    def _settle(self) -> None:
        """Linear predictors anew from the coefficients, which are first made the smallest of equal loss."""
        used = np.flatnonzero(self.w.any(axis=0))
        self.w[:, used] = self.loss.settle(self.w[:, used])
        self.eta = self.columns[used].T @ self.w[:, used].T

    def _step(self, target: np.ndarray, feature: np.ndarray, slope: np.ndarray, penalty: float, worst: float) -> bool:
        """One Newton step with line search; False where nothing lowers the objective."""
        chosen, q = self.columns[feature], len(self.free)
        curvature = self.loss.curvature(self.eta, self.free, chosen.T, target)
        curvature[np.diag_indices_from(curvature)] += _RIDGE * max(float(np.trace(curvature)) / len(slope), _RIDGE)
        penalties = np.concatenate([np.zeros(q), np.full(len(target), penalty)])
        old = np.concatenate([self.free, self.w[target, feature]])
        step = _minimise(curvature, slope, old, penalties, 0.01 * worst) - old
        fall = slope @ step + penalties @ (np.abs(old + step) - np.abs(old))
        before = self.loss.value(self.eta, self.free) + penalties @ np.abs(old)
        turn = np.zeros_like(self.eta)
        for k in range(turn.shape[1]):
            turn[:, k] = step[q:][target == k] @ chosen[target == k]
        share = 1.0
        for _ in range(_HALVINGS):
            new = old + share * step
            after = self.loss.value(self.eta + share * turn, new[:q]) + penalties @ np.abs(new)
            if after <= before + 1e-4 * share * fall + _ROUNDING * abs(before):
                self.free, self.w[target, feature] = new[:q], new[q:]
                return True
            share /= 2
        return False


def _breach(slopes: np.ndarray, w: np.ndarray, penalty: float | np.ndarray) -> np.ndarray:
    """Distance of each coefficient from its condition of optimality: |slope| <= penalty, and = where w is not 0."""
    return np.where(w != 0, np.abs(slopes + penalty * np.sign(w)), np.maximum(np.abs(slopes) - penalty, 0.0))


def _entering(breach: np.ndarray) -> np.ndarray:
    """Where the conditions do not hold: those `_ENTER` coefficients that breach them most."""
    breaching = breach > OPTIMAL
    if np.count_nonzero(breaching) <= _ENTER:
        return breaching
    return breach >= np.partition(breach, -_ENTER, axis=None)[-_ENTER]


def _minimise(
    curvature: np.ndarray, slope: np.ndarray, start: np.ndarray, penalty: np.ndarray, tolerance: float
) -> np.ndarray:
    """Minimum of  (w - start)'H(w - start) / 2 + slope'(w - start) + sum(penalty |w|).

    Sweeps of coordinate descent find the signs; with these the minimum is the solution of linear equations, which is
    followed as far as no sign changes.
    """
    from ovfrad.selection.lasso_kernels import sweep

    w, slope = start.copy(), slope.copy()
    for _ in range(_ROUNDS):
        sweep(curvature, slope, w, penalty, _SWEEPS)
        used = np.flatnonzero((w != 0) | (penalty == 0))
        try:
            factor = cho_factor(curvature[np.ix_(used, used)], check_finite=False)
        except LinAlgError:  # columns alike: sweeps alone go on, and the caller checks the optimum
            continue
        step = -cho_solve(factor, slope[used] + penalty[used] * np.sign(w[used]), check_finite=False)
        crosses = (w[used] * (w[used] + step) < 0) & (penalty[used] > 0)
        share = np.where(crosses, -w[used] / np.where(crosses, step, 1.0), 1.0)
        first = int(share.argmin()) if len(share) else 0
        reach = float(share.min(initial=1.0))
        w[used] += reach * step
        if crosses.any():
            w[used[first]] = 0.0
        slope += reach * (step @ curvature[used])
        if not crosses.any() and _breach(slope, w, penalty).max() <= tolerance:
            break
    return w
