"""LASSO path by homotopy: its solution is linear in the penalty between the points where a column enters or leaves.

Following it from one such point to the next gives the solution itself, to rounding, where coordinate descent stops
at a tolerance (Osborne, Presnell, Turlach 2000, IMA J Numer Anal 20:389; Efron et al. 2004, Ann Stat 32:407).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DEPENDENT = 1e-9  # a column with less than this share of its squares outside the active ones lies in their span
_PARALLEL = 1e-9  # a column whose correlation falls as fast as the penalty, to this, does not meet it
_EXACT = 1e-8  # largest violation of the optimality conditions, as a share of the largest penalty that matters
_EVENTS = 12  # times the rank of the columns: more entries and exits than that are a cycle among ties


@dataclass(frozen=True, eq=False)
class Columns:
    """Centred columns, by their values or by their products.

    Attributes
    ----------
    table : ndarray of shape (n_columns, n_rows), or (n_columns, n_columns) where `gram`
        One column a row, or the inner products of the columns.
    gram : bool
    squares : ndarray of shape (n_columns,)
        Sum of squares of each column.
    """

    table: np.ndarray
    gram: bool
    squares: np.ndarray

    def products(self, mixed: np.ndarray) -> np.ndarray:
        """Inner products of all columns with a weighted sum of rows of `table`."""
        return mixed if self.gram else self.table @ mixed


def lasso_homotopy(columns: Columns, moments: np.ndarray, penalties: np.ndarray) -> np.ndarray | None:
    """Minimise  ||t - Z w||^2 / 2 + penalty ||w||_1  at each penalty.

    Parameters
    ----------
    columns : Columns
        Z.
    moments : ndarray of shape (n_columns,)
        Z't.
    penalties : ndarray of shape (n_penalties,)
        Largest first, above 0.

    Returns
    -------
    ndarray of shape (n_penalties, n_columns), or None
        None where the conditions of optimality do not hold at some penalty, as with columns that tie for entry.

    Examples
    --------
    >>> Z = np.array([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]])
    >>> columns = Columns(Z, False, (Z**2).sum(axis=1))
    >>> lasso_homotopy(columns, np.array([4.0, -2.0]), np.array([3.0, 1.0])).tolist()
    [[0.25, 0.0], [0.75, -0.25]]
    """
    walk = _Walk(columns, moments)
    limit = _EXACT * max(float(penalties[0]), walk.penalty)
    path = np.zeros((len(penalties), len(moments)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, penalty in enumerate(penalties):
            if not (walk.descend(float(penalty)) and walk.violation() <= limit):
                return None
            path[i, walk.chosen] = walk.w[: walk.k]
    return path


class _Walk:
    """State of the path at `penalty`: k active columns, their signs and coefficients, and all correlations.

    `chosen` holds the positions of the active columns, `rows` their rows of the table, `inverse` the inverse of
    their inner products; `slope` and `fall` say how coefficients and correlations change as the penalty falls by 1.
    """

    def __init__(self, columns: Columns, moments: np.ndarray) -> None:
        most = min(columns.table.shape)
        self.columns, self.moments = columns, moments
        self.correlation = moments.copy()
        self.penalty = float(np.abs(moments).max(initial=0.0))
        self.k, self.left = 0, _EVENTS * most + 100
        self.active = np.zeros(most, dtype=np.intp)
        self.sign, self.w = np.zeros(most), np.zeros(most)
        self.rows, self.inverse = np.empty((most, columns.table.shape[1])), np.empty((most, most))
        self.closed = np.zeros(len(moments), dtype=bool)
        self.slope, self.fall = np.zeros(0), np.zeros(len(moments))
        self.dropped, self.side = -1, 0.0

    @property
    def chosen(self) -> np.ndarray:
        """Positions of the active columns."""
        return self.active[: self.k]

    def descend(self, target: float) -> bool:
        """Go down to the penalty `target`; False where the events do not come to an end."""
        while self.penalty > target:
            step, column, leaves = self._next_event()
            if self.penalty - step <= target:
                self._move(self.penalty - target)
                self.penalty = target
                break
            self._move(step)
            self.penalty -= step
            self._leave(column) if leaves else self._enter(column)
            self._turn()
            self.left -= 1
            if not self.left:
                return False
        self._polish()
        return True

    def violation(self) -> float:
        """Largest breach of the conditions of optimality, in units of the penalty."""
        sign, chosen = self.sign[: self.k], self.chosen
        inside = np.abs(self.correlation[chosen] - self.penalty * sign).max(initial=0.0)
        backward = -(self.w[: self.k] * sign * self.columns.squares[chosen]).min(initial=0.0)
        outside = (np.abs(self.correlation) - self.penalty).max(initial=0.0)
        return float(max(inside, backward, outside))

    def _next_event(self) -> tuple[float, int, bool]:
        """Fall of the penalty to the next event, its column (or place among the active) and whether that leaves."""
        below, above = 1 - self.fall, 1 + self.fall
        up = np.where(below > _PARALLEL, (self.penalty - self.correlation) / below, np.inf)
        down = np.where(above > _PARALLEL, (self.penalty + self.correlation) / above, np.inf)
        if self.dropped >= 0:  # it left with its correlation at the penalty, and that falls faster from here on
            (up if self.side > 0 else down)[self.dropped] = np.inf
        meet = np.minimum(up, down)
        meet[self.closed] = np.inf
        column = int(meet.argmin())
        step, leaves = max(float(meet[column]), 0.0), False
        if self.k:
            towards = self.slope * self.sign[: self.k] < 0
            cross = np.where(towards, np.maximum(-self.w[: self.k] / self.slope, 0.0), np.inf)
            first = int(cross.argmin())
            if cross[first] < step:
                step, column, leaves = float(cross[first]), first, True
        return step, column, leaves

    def _move(self, step: float) -> None:
        self.w[: self.k] += step * self.slope
        self.correlation -= step * self.fall

    def _enter(self, column: int) -> None:
        """Make a column active, or close it while it lies in the span of the active ones."""
        k, squares = self.k, self.columns.squares[column]
        self.closed[column] = True
        self.dropped = -1
        row = self.columns.table[column]
        shared = self.rows[:k, column] if self.columns.gram else self.rows[:k] @ row
        weights = self.inverse[:k, :k] @ shared
        rest = squares - shared @ weights
        if k == len(self.active) or rest <= _DEPENDENT * squares:
            return
        self.inverse[:k, :k] += np.outer(weights / rest, weights)
        self.inverse[k, :k] = self.inverse[:k, k] = -weights / rest
        self.inverse[k, k] = 1 / rest
        self.active[k], self.rows[k], self.w[k] = column, row, 0.0
        self.sign[k] = 1.0 if self.correlation[column] > 0 else -1.0
        self.k += 1

    def _leave(self, place: int) -> None:
        """Drop an active column: the last one takes its place."""
        last, inverse = self.k - 1, self.inverse
        self.dropped, self.side = int(self.active[place]), float(self.sign[place])
        edge = inverse[: self.k, place].copy()
        inverse[: self.k, : self.k] -= np.outer(edge / edge[place], edge)
        inverse[place, : self.k] = inverse[last, : self.k]
        inverse[: self.k, place] = inverse[: self.k, last]
        for state in (self.active, self.sign, self.w, self.rows):
            state[place] = state[last]
        self.k = last
        self.closed[:] = False
        self.closed[self.chosen] = True

    def _turn(self) -> None:
        """Direction of coefficients and correlations from here on."""
        k = self.k
        self.slope = self.inverse[:k, :k] @ self.sign[:k]
        self.fall = self.columns.products(self.slope @ self.rows[:k])

    def _polish(self) -> None:
        """Take out the rounding of the steps: one correction of the coefficients, and correlations anew."""
        for _ in range(2):
            fitted = self.columns.products(self.w[: self.k] @ self.rows[: self.k])
            self.correlation = self.moments - fitted
            gap = self.correlation[self.chosen] - self.penalty * self.sign[: self.k]
            if np.abs(gap).max(initial=0.0) <= 1e-12 * self.penalty:
                return
            self.w[: self.k] += self.inverse[: self.k, : self.k] @ gap
