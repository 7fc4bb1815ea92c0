"""LASSO of multinomial, ordinal and Cox losses: R's glmnet, scipy's optimiser, and the conditions of optimality.

The references come from reference/selection/lasso_losses_glmnet.R.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from ovfrad.selection import LassoSelector, lasso_descent
from ovfrad.selection.lasso_cox import Cox
from ovfrad.selection.lasso_multinomial import Multinomial
from ovfrad.selection.lasso_ordinal import Ordinal
from ovfrad.selection.lasso_path import fit_loss, standardised

REFERENCE = Path(__file__).parents[1] / "reference" / "selection"
GLMNET = 1e-6  # of coefficients per SD and of CV curves; glmnet stops at a change, not at the optimum
OPTIMAL = 2e-10  # breach of the conditions of optimality, in units of the penalty
ALPHAS = np.geomspace(1, 1e-3, 50)
SETS = [("multinomial", "multinomial"), ("binomial", "multinomial"), ("binomial", "ordinal"), ("cox_times", "cox"),
        ("cox_order", "cox")]  # fmt: skip


def _data(wide: bool = False) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Features, classes, and times with events and folds; `wide`: 90 columns of 70 rows, as the R script makes them."""
    table = pd.read_csv(REFERENCE / "lasso_data.csv")
    X, y, times = table.drop(columns="y").to_numpy(), table["y"].to_numpy(), pd.read_csv(REFERENCE / "lasso_times.csv")
    if not wide:
        return X, y, times
    i, j = np.array([(a, b) for b in range(X.shape[1]) for a in range(b + 1)]).T
    return np.hstack([X, X[:, i] * X[:, j]])[:70], y[:70], times[:70]


def _fitted(name: str, kind: str, wide: bool = False) -> LassoSelector:
    X, y, times = _data(wide)
    target = (y > 0).astype(int) if name == "binomial" else y
    survival = {"time": times["time"], "event": times["event"]} if name == "cox_times" else {}
    return LassoSelector("min", kind).fit(X, target, times["fold"], **survival)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("name", "kind"), SETS)
def test_path_equals_glmnet(name: str, kind: str, wide: bool) -> None:
    table = pd.read_csv(REFERENCE / f"lasso_losses{'_wide' * wide}_glmnet.csv")
    expected = table[table["set"] == name]
    lasso, K = _fitted(name, kind, wide), expected["class"].nunique()
    n_alphas = len(expected) // K
    by_class = expected.drop(columns=["set", "class", "alpha", "intercept"]).to_numpy().reshape(K, n_alphas, -1)
    assert lasso.n_solved_ >= n_alphas == (34 if wide else 50)
    np.testing.assert_allclose(lasso.alphas_[:n_alphas], expected["alpha"][:n_alphas], rtol=1e-12)
    found = lasso.path_.reshape(50, K, -1)[:n_alphas].transpose(1, 0, 2)
    np.testing.assert_allclose(found, by_class, rtol=0, atol=GLMNET)
    np.testing.assert_array_equal(found != 0, by_class != 0)
    if lasso.index_ < n_alphas and kind != "cox":
        level = expected["intercept"].to_numpy().reshape(K, n_alphas)[:, lasso.index_]
        own = -lasso.thresholds_ if kind == "ordinal" else np.atleast_1d(lasso.intercept_)
        centre = level.mean() if K > 1 else 0.0  # glmnet's sum to 0 where the features are 0, ours at their means
        np.testing.assert_allclose(own, level - centre, atol=GLMNET)


@pytest.mark.parametrize(("name", "kind"), [SETS[0], *SETS[3:]])
def test_cv_curve_equals_glmnet(name: str, kind: str) -> None:
    table = pd.read_csv(REFERENCE / "lasso_losses_cv_glmnet.csv")
    expected, lasso = table[table["set"] == name], _fitted(name, kind)
    np.testing.assert_allclose(lasso.cv_mean_, expected["mean"], rtol=0, atol=GLMNET)
    np.testing.assert_allclose(lasso.cv_se_, expected["se"], rtol=0, atol=GLMNET)


def _split_ordinal(Z: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients as differences of two non-negative vectors, thresholds by first and logarithms of gaps."""
    n, p = Z.shape
    K = y.max() + 1
    below = np.cumsum(np.bincount(y))[:-1] / n
    first = np.log(below / (1 - below))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w, gaps = theta[:p] - theta[p : 2 * p], np.exp(theta[2 * p + 1 :])
        edge = np.concatenate([[-np.inf], theta[2 * p] + np.concatenate([[0.0], np.cumsum(gaps)]), [np.inf]])
        upper, lower = expit(edge[y + 1] - Z @ w), expit(edge[y] - Z @ w)
        up, low = upper * (1 - upper) / (upper - lower), lower * (1 - lower) / (upper - lower)
        of_w = Z.T @ (up - low) / n
        of_edge = np.array([low[y == k + 1].sum() - up[y == k].sum() for k in range(K - 1)]) / n
        of_gaps = np.array([of_edge[k + 1 :].sum() for k in range(K - 2)]) * gaps
        value = -np.log(upper - lower).mean() + alpha * theta[: 2 * p].sum()
        return value, np.concatenate([of_w + alpha, alpha - of_w, [of_edge.sum()], of_gaps])

    start = np.concatenate([np.zeros(2 * p), first[:1], np.log(np.diff(first))])
    bounds = [(0, None)] * (2 * p) + [(None, None)] * (K - 1)
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 0.0, "gtol": 1e-10, "maxcor": 50}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    edges = found[2 * p] + np.concatenate([[0.0], np.cumsum(np.exp(found[2 * p + 1 :]))])
    return found[:p] - found[p : 2 * p], edges


@pytest.mark.parametrize("n_classes", [3, 5])
def test_ordinal_equals_a_quasi_newton_optimiser(n_classes: int) -> None:
    X, y, _ = _data()
    if n_classes == 5:
        y = np.digitize(X[:, 0] - 0.5 * X[:, 1] + np.random.default_rng(2).logistic(size=len(y)), [-2, -0.5, 0.5, 2])
    path = fit_loss(X, Ordinal(y), 1, ALPHAS)
    Z = standardised(X)[2]
    for i in (12, 20, 30, 40, 49):
        w, thresholds = _split_ordinal(Z, y, ALPHAS[i])
        np.testing.assert_allclose(path.w[i, 0], w, rtol=0, atol=1e-6)
        np.testing.assert_allclose(path.free[i], thresholds, rtol=0, atol=1e-6)


def _slopes(loss: Multinomial | Ordinal | Cox, eta: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the loss by the linear predictors (n, T) and the free numbers (q,), written plainly."""
    n = len(eta)
    if isinstance(loss, Multinomial):
        shares = np.exp(eta + free)
        slope = (shares / shares.sum(axis=1, keepdims=True) - loss.indicator) / n
        return slope, slope.sum(axis=0)
    if isinstance(loss, Ordinal):
        tiny = 1e-100j  # complex step: the derivative without cancellation
        by_eta = _minus_log(loss.codes, eta[:, 0] + tiny, free).imag / 1e-100 / n
        steps = [_minus_log(loss.codes, eta[:, 0], free + tiny * one).imag.sum() for one in np.eye(len(free))]
        return by_eta[:, None], np.array(steps) / 1e-100 / n
    time, event = _TIMES[id(loss)]
    risk = np.exp(eta[:, 0])
    deaths = np.flatnonzero(event)
    expected = [sum(risk[i] / risk[time >= time[e]].sum() for e in deaths if time[e] <= time[i]) for i in range(n)]
    return (np.array(expected) - event)[:, None] / n, np.zeros(0)


def _minus_log(codes: np.ndarray, eta: np.ndarray, free: np.ndarray) -> np.ndarray:
    """-log P(class) of each row under proportional odds."""
    edge = np.concatenate([[-200.0], free, [200.0]])
    upper, lower = (1 / (1 + np.exp(eta - edge[codes + k])) for k in (1, 0))
    return -np.log(upper - lower)


_TIMES: dict[int, tuple[np.ndarray, np.ndarray]] = {}


def _table(shape: str, rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(60, 20) if shape == "tall" else (40, 70))
    if shape == "binary":
        X = (X > 0).astype(float)
    elif shape == "copies":
        X = np.hstack([X[:, :30], X[:, :10], -X[:, :3], np.ones((40, 2))])
    elif shape == "outlier":
        X[3] *= 1e4
    return X


def _losses(n: int, rng: np.random.Generator) -> list[tuple[Multinomial | Ordinal | Cox, int]]:
    losses: list[tuple[Multinomial | Ordinal | Cox, int]] = []
    for K in (2, 3, 4):
        y = rng.integers(0, K, n)
        y[:K] = np.arange(K)
        losses += [(Ordinal(y), 1), (Multinomial(y), K)]
    for time, event in ((rng.exponential(size=n).round(1), rng.random(n) < 0.5), (2.0 - y % 3, np.ones(n, dtype=bool))):
        losses.append((Cox(time, event), 1))
        _TIMES[id(losses[-1][0])] = time, event
    return losses


@pytest.mark.parametrize("shape", ["tall", "wide", "binary", "copies", "outlier"])
def test_every_point_of_the_path_is_optimal(shape: str) -> None:
    rng = np.random.default_rng(len(shape))
    X = _table(shape, rng)
    Z = standardised(X)[2]
    for loss, n_targets in _losses(len(X), rng):
        path = fit_loss(X, loss, n_targets, ALPHAS)
        assert path.solved > 20
        assert (path.w[path.solved - 1] != 0).any()
        for w, free, alpha in zip(path.w, path.free, ALPHAS[: path.solved], strict=False):
            slope, of_free = _slopes(loss, Z @ w.T, free)
            slopes = slope.T @ Z
            assert (np.abs(slopes) <= alpha + OPTIMAL).all()
            np.testing.assert_allclose(slopes[w != 0], -alpha * np.sign(w[w != 0]), rtol=0, atol=OPTIMAL)
            np.testing.assert_allclose(of_free, 0, atol=OPTIMAL)
            if isinstance(loss, Multinomial):
                np.testing.assert_allclose(np.median(w, axis=0), 0, atol=1e-12)
            if isinstance(loss, Ordinal):
                assert (np.diff(free) > 0).all()


@pytest.mark.parametrize("which", range(8))
def test_curvature_is_the_change_of_the_slopes(which: int) -> None:
    rng = np.random.default_rng(1)
    loss, n_targets = _losses(50, rng)[which]
    q, columns, target = len(loss.start()), rng.normal(size=(50, 5)), np.arange(5) % n_targets
    eta, free = 0.5 * rng.normal(size=(50, n_targets)), loss.start()

    def slopes(theta: np.ndarray) -> np.ndarray:
        moved = eta.copy()
        np.add.at(moved.T, target, theta[q:, None] * columns.T)
        slope, of_free = loss.slopes(moved, free + theta[:q])
        return np.concatenate([of_free, (slope[:, target] * columns).sum(axis=0)])

    change = np.array([(slopes(step) - slopes(-step)) / 2e-6 for step in 1e-6 * np.eye(q + 5)])
    np.testing.assert_allclose(loss.curvature(eta, free, columns, target), change, atol=1e-8)


def test_few_coefficients_entering_at_a_time_end_at_the_same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = _data(wide=True)
    at_once = fit_loss(X, Multinomial(y), 3, ALPHAS[:35])
    monkeypatch.setattr(lasso_descent, "_ENTER", 2)
    np.testing.assert_allclose(fit_loss(X, Multinomial(y), 3, ALPHAS[:35]).w, at_once.w, atol=1e-7)


def test_a_saturated_path_ends_and_repeats_its_last_point() -> None:
    X, y, times = _data()
    X = np.column_stack([y + 0.01 * X[:, 0], X])
    for kind in ("multinomial", "ordinal"):
        lasso = LassoSelector("min", kind, lowest=1e-6).fit(X, y, times["fold"])
        assert 20 < lasso.n_solved_ < 50
        last = lasso.path_[lasso.n_solved_ - 1]
        assert all((later == last).all() for later in lasso.path_[lasso.n_solved_ :])
        assert np.isfinite(lasso.cv_mean_).all()
        assert lasso.support_[0]


def test_an_optimum_out_of_reach_ends_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = _data()
    full = fit_loss(X, Ordinal(y), 1, ALPHAS)
    monkeypatch.setattr(lasso_descent, "_STEPS", 2)
    cut = fit_loss(X, Ordinal(y), 1, ALPHAS)
    assert 0 < cut.solved < full.solved == 50
    np.testing.assert_allclose(cut.w[: cut.solved], full.w[: cut.solved], atol=1e-3)


def test_cv_of_cox_is_the_difference_of_partial_likelihoods() -> None:
    """Verweij and van Houwelingen: all rows less the rows of the fit, at the coefficients of the fit."""
    X, _, times = _data()
    time, event, fold = times["time"].to_numpy(), times["event"].to_numpy() == 1, times["fold"].to_numpy()
    lasso = LassoSelector("min", "cox").fit(X, event, fold, time=time, event=event)

    def deviance(eta: np.ndarray, rows: np.ndarray) -> float:
        found = 0.0
        for t in np.unique(time[rows & event]):
            died, at_risk = rows & event & (time == t), rows & (time >= t)
            found += eta[died].sum() - died.sum() * np.log(np.exp(eta[at_risk]).sum()) + died.sum() * np.log(died.sum())
        return -2 * found

    total, i = 0.0, 25
    for f in np.unique(fold):
        path = fit_loss(X[fold != f], Cox(time[fold != f], event[fold != f]), 1, lasso.alphas_)
        eta = path.predictors(X)[i, :, 0]
        total += deviance(eta, fold > 0) - deviance(eta, fold != f)
    np.testing.assert_allclose(lasso.cv_mean_[i], total / event.sum(), rtol=1e-10)


def test_folds_that_lack_a_class_or_have_no_event() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 6)), rng.integers(0, 2, 60)
    y[7] = 2  # the only one of its class: the fold that holds it out has never seen it
    for kind in ("multinomial", "ordinal", "cox"):
        lasso = LassoSelector(kind=kind).fit(X, y)
        assert np.isfinite([lasso.cv_mean_, lasso.cv_se_]).all()
    event = np.isin(np.arange(60), [3, 30, 50])
    lasso = LassoSelector(kind="cox").fit(X, y, time=rng.exponential(size=60), event=event)
    assert np.isfinite([lasso.cv_mean_, lasso.cv_se_]).all()
