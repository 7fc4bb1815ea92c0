"""The LASSO path: the conditions of optimality at every penalty, and scikit-learn's coordinate descent."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import lasso_path

from ovfrad.selection import LassoSelector, homotopy
from ovfrad.selection.homotopy import Columns, lasso_homotopy

ALPHAS = np.geomspace(1, 1e-3, 50)
ROUNDING = 1e-9  # of the conditions of optimality, per row


def _centred(X: np.ndarray) -> np.ndarray:
    spread = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return Z - Z.mean(axis=0)


def _solve(Z: np.ndarray, t: np.ndarray, gram: bool) -> np.ndarray | None:
    table = Z.T @ Z if gram else np.ascontiguousarray(Z.T)
    return lasso_homotopy(Columns(table, gram, (Z**2).sum(axis=0)), Z.T @ t, ALPHAS * len(t))


def _table(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n, p = (40, 25) if kind == "tall" else (25, 60)
    X = rng.normal(size=(n, p))
    if kind == "binary":
        X = rng.integers(0, 2, size=(n, p)).astype(float)
    elif kind == "copies":
        X = np.column_stack([X[:, :20], X[:, :10], -X[:, :3], X[:, :20] @ rng.integers(-1, 2, size=(20, 4))])
    elif kind == "alike":
        X = X[:, :1] + 1e-3 * X
    elif kind == "flat":
        X[:, 5:9] = 3.0
    t = rng.integers(0, 3, n) + 0.3 * (X[:, 0] > 0)
    return _centred(X), t - t.mean()


@pytest.mark.parametrize("gram", [False, True])
@pytest.mark.parametrize("kind", ["tall", "wide", "binary", "copies", "alike", "flat"])
def test_every_point_of_the_path_is_optimal(kind: str, gram: bool) -> None:
    for seed in range(6):
        Z, t = _table(kind, seed)
        path = _solve(Z, t, gram)
        assert path is not None
        correlation = (t - path @ Z.T) @ Z / len(t)
        assert (np.abs(correlation) <= ALPHAS[:, None] + ROUNDING).all()
        used = path != 0
        assert used.sum(axis=1).max() <= np.linalg.matrix_rank(Z)
        assert used[-1].sum() >= (1 if kind == "alike" else 10)
        np.testing.assert_allclose(correlation[used], (ALPHAS[:, None] * np.sign(path))[used], atol=ROUNDING)


def test_equals_coordinate_descent_where_the_solution_is_unique() -> None:
    for seed in range(4):
        Z, t = _table("tall", seed)
        theirs = lasso_path(Z, t, alphas=ALPHAS, tol=1e-12, max_iter=50_000)[1].T
        np.testing.assert_allclose(_solve(Z, t, gram=False), theirs, atol=1e-6)


def test_a_column_that_left_comes_back_with_the_other_sign() -> None:
    returns = 0
    for seed in range(20):
        path = _solve(*_table("tall", seed), gram=False)
        assert path is not None
        returns += ((path > 0).any(axis=0) & (path < 0).any(axis=0)).sum()
    assert returns > 0


def test_a_penalty_above_all_correlations_keeps_nothing() -> None:
    Z, t = _table("wide", 0)
    columns = Columns(np.ascontiguousarray(Z.T), False, (Z**2).sum(axis=0))
    path = lasso_homotopy(columns, Z.T @ t, np.array([1e3, 1e2]))
    assert path is not None
    assert not path.any()


def test_no_end_of_the_events_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homotopy, "_EVENTS", -3)  # 100 - 3 x 25 = 25 events
    assert _solve(*_table("wide", 0), gram=False) is None


def test_the_selector_goes_on_by_coordinate_descent_where_the_homotopy_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 80)
    X = rng.normal(size=(80, 20)) + 0.5 * y[:, None] * (np.arange(20) < 3)
    exact = LassoSelector().fit(X, y)
    monkeypatch.setattr(homotopy, "_EXACT", -1.0)
    descended = LassoSelector().fit(X, y)
    assert not np.array_equal(exact.path_, descended.path_)
    np.testing.assert_allclose(exact.path_, descended.path_, atol=1e-3)
    np.testing.assert_allclose(exact.cv_mean_, descended.cv_mean_, atol=1e-3)
