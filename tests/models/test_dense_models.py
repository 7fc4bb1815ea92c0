from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from statsmodels.miscmodels.ordinal_model import OrderedModel

from ovfrad.models.auto import AutoModel
from ovfrad.models.dense import KNOTS, LEAST_DIRECTION, DenseLogistic, choose_c, fit_logistic, inner_folds, to_ranks
from ovfrad.models.score import ScoreModel
from ovfrad.models.sparse import SparseScore


def table(n: int = 120, p: int = 40, K: int = 3, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 4))
    X = latent @ rng.normal(size=(4, p)) + 0.5 * rng.normal(size=(n, p))
    score = latent[:, 0] + 0.5 * rng.normal(size=n)
    y = np.digitize(score, np.quantile(score, np.linspace(0, 1, K + 1)[1:-1]))
    names = [f"original_{'shape' if j < 5 else 'glcm'}_F{j}" for j in range(p)]
    return pd.DataFrame(X, columns=names), y, np.repeat([f"P{i}" for i in range(n // 2)], 2)


@pytest.mark.parametrize(
    "estimator",
    [DenseLogistic(), DenseLogistic(ranks=True, balance=True), AutoModel(n_trees=10), SparseScore(n_trees=40)],
    ids=lambda e: f"{type(e).__name__}{'Ranks' if getattr(e, 'ranks', False) else ''}",
)
def test_scikit_learn_accepts_the_estimator(estimator: object) -> None:
    check_estimator(estimator, on_skip=None)


@pytest.mark.parametrize("K", [2, 3])
def test_the_solver_finds_what_scikit_learn_finds(K: int) -> None:
    X, y, _ = table(K=K)
    Z = StandardScaler().fit_transform(X)
    ours = fit_logistic(Z, np.eye(K)[y], 0.1)
    p = np.exp(Z @ ours[:-1] + ours[-1])
    # scikit-learn has one slope for two classes, ours two of half its size: half the penalty
    theirs = LogisticRegression(C=0.2 if K == 2 else 0.1, tol=1e-10, max_iter=10_000).fit(Z, y)
    np.testing.assert_allclose(p / p.sum(1, keepdims=True), theirs.predict_proba(Z), atol=1e-4)


def test_rotation_changes_nothing_in_an_l2_model() -> None:
    X, y, groups = table()
    model = DenseLogistic().fit(X, y, groups)
    Z = (X.to_numpy() - model.mean_) / model.scale_ * model.weight_
    plain = fit_logistic(Z, np.eye(3)[y], model.C_)
    p = np.exp(Z @ plain[:-1] + plain[-1])
    np.testing.assert_allclose(model.predict_proba(X), p / p.sum(1, keepdims=True), atol=1e-4)


def test_penalty_is_the_one_of_least_held_out_log_loss() -> None:
    X, y, groups = table()
    Z, Y = StandardScaler().fit_transform(X), np.eye(3)[y]
    folds = inner_folds(y, groups, 5, 0)
    C, losses = choose_c(Z, Y, folds, (1e-4, 1e-3, 1e-2))
    by_hand = []
    for c in (1e-4, 1e-3, 1e-2):
        parts = []
        for train, test in folds:
            p = LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(Z[train], y[train]).predict_proba(Z[test])
            parts.append(-np.log(p[np.arange(len(test)), y[test]]))
        by_hand.append(np.concatenate(parts).mean())
    np.testing.assert_allclose(losses, by_hand, atol=1e-4)
    assert (1e-4, 1e-3, 1e-2)[int(np.argmin(by_hand))] == C


def test_inner_folds_keep_patients_whole() -> None:
    _, y, groups = table()
    for train, test in inner_folds(y, groups, 5, 0):
        assert not set(groups[train]) & set(groups[test])


def test_families_get_equal_variance() -> None:
    X, y, groups = table()
    model = DenseLogistic(balance=True).fit(X, y, groups)
    shape = np.array(["shape" in name for name in X.columns])
    assert np.sum(model.weight_[shape] ** 2) == pytest.approx(np.sum(model.weight_[~shape] ** 2))
    named = DenseLogistic(balance=True, families=tuple("ab"[j % 2] for j in range(40))).fit(X, y, groups)
    assert len(set(named.weight_.round(12))) == 1
    with pytest.raises(ValueError, match=r"families names 3 columns; X has 40\."):
        DenseLogistic(balance=True, families=("a", "b", "c")).fit(X, y)


def test_evened_directions_are_a_penalty_on_the_square_root_of_the_gram_matrix() -> None:
    """The same model from the symmetric root of X'X, which is computed otherwise; nothing falls under the cut here."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 8)) + 1.5 * rng.standard_normal((60, 1))
    y = (X[:, 0] - X[:, 1] + rng.standard_normal(60) > 0).astype(int)
    model = DenseLogistic(even=True).fit(X, y)
    Z = (X - X.mean(0)) / X.std(0)
    gram = Z.T @ Z
    values, vectors = np.linalg.eigh(gram)
    assert np.sqrt(values.min() / values.max()) > LEAST_DIRECTION
    root = vectors @ np.diag(values**-0.25) @ vectors.T
    seen = Z @ root
    seen *= np.sqrt(60 / (seen**2).sum())
    W = fit_logistic(seen, np.eye(2)[y], model.C_, tolerance=1e-9)
    np.testing.assert_allclose(seen @ W[:-1] + W[-1] - W[-1].mean(), model._eta(X), atol=2e-3)


def test_evened_directions_leave_out_what_hardly_varies() -> None:
    X, y, groups = table()
    twin = X.assign(twin=X.iloc[:, 0] + 1e-9 * np.arange(len(X)))
    model = DenseLogistic(even=True).fit(twin, y, groups)
    apart = twin.iloc[:1].assign(twin=twin["twin"].iloc[0] + 1)
    assert np.abs(model._eta(apart) - model._eta(twin.iloc[:1])).max() < 2


def test_ranks_ignore_monotone_scales_and_keep_few_knots() -> None:
    X, y, groups = table(n=400)
    plain = DenseLogistic(ranks=True).fit(X, y, groups)
    assert plain.quantiles_.shape == (KNOTS, 40)
    wild = np.exp(3 * X)
    ranked = DenseLogistic(ranks=True).fit(wild, y, groups)
    gap = np.abs(plain.predict_proba(X) - ranked.predict_proba(wild))
    assert np.median(gap) < 0.01


def test_ties_get_the_middle_of_their_run() -> None:
    quantiles = np.array([[0.0], [1.0], [1.0], [1.0], [2.0]])
    np.testing.assert_allclose(to_ranks(np.array([[1.0], [-5.0], [9.0]]), quantiles)[:, 0], [0.5, 0, 1])


def test_a_constant_and_a_wild_column_do_no_harm() -> None:
    X, y, groups = table()
    spoiled = X.assign(constant=7.0, wild=np.where(np.arange(len(X)) == 3, 1e9, X.iloc[:, 0]))
    p = AutoModel(n_trees=20).fit(spoiled, y, groups).predict_proba(spoiled)
    assert np.isfinite(p).all()
    assert np.mean(p.argmax(1) == y) > 0.6


def test_auto_is_the_mean_of_its_members_and_repeats_itself() -> None:
    X, y, groups = table()
    model = AutoModel(n_trees=30, random_state=4)
    first, again = clone(model).fit(X, y, groups), clone(model).fit(X, y, groups)
    p = first.predict_proba(X)
    np.testing.assert_array_equal(p, again.predict_proba(X))
    np.testing.assert_allclose(p, first.member_probabilities(X).mean(0))
    np.testing.assert_allclose(p.sum(1), 1)


def test_auto_ranks_new_rows_as_well_as_its_best_member_nearly() -> None:
    X, y, groups = table(n=360, seed=2)
    model = AutoModel(n_trees=100).fit(X[:240], y[:240], groups[:240])
    truth = np.eye(3)[y[240:]]
    loss = -(truth * np.log(np.clip(model.member_probabilities(X[240:]), 1e-9, 1))).sum(2).mean(1)
    together = -(truth * np.log(model.predict_proba(X[240:]))).sum(1).mean()
    assert together < loss.min() + 0.02


def test_one_patient_in_a_class_leaves_the_penalty_at_one() -> None:
    X, _, _ = table(n=20)
    y = np.array([0] * 10 + [1] * 10)
    groups = np.array([*(f"P{i}" for i in range(10)), *["Q"] * 10])
    assert DenseLogistic().fit(X, y, groups).C_ == 1.0


def test_sparse_score_uses_at_most_ten_and_predicts_by_hand() -> None:
    X, y, groups = table(n=200, p=60)
    score = SparseScore().fit(X, y, groups)
    assert 1 <= len(score.features_) <= 10
    assert score.names_ == [X.columns[j] for j in score.features_]
    z = (X[score.names_] - score.mean_) / score.scale_
    eta = z.to_numpy() @ score.coef_.T + score.intercept_
    p = np.exp(eta) / np.exp(eta).sum(1, keepdims=True)
    np.testing.assert_allclose(score.predict_proba(X), p, atol=1e-9)
    np.testing.assert_allclose(score.coef_.sum(0), 0, atol=1e-12)
    assert np.mean(score.predict(X) == y) > 0.6


def test_sparse_score_of_constant_columns_is_the_prior() -> None:
    X = pd.DataFrame(np.ones((30, 3)), columns=list("abc"))
    y = np.array([0] * 20 + [1] * 10)
    score = SparseScore().fit(X, y)
    assert score.names_ == []
    np.testing.assert_allclose(score.predict_proba(X)[0], [2 / 3, 1 / 3], atol=1e-3)


@pytest.mark.parametrize("K", [2, 3, 5])
def test_proportional_odds_equals_statsmodels(K: int) -> None:
    rng = np.random.default_rng(K)
    score = rng.normal(3, 2, size=400)
    noisy = score + rng.logistic(size=400)
    y = np.digitize(noisy, np.quantile(noisy, np.linspace(0, 1, K + 1)[1:-1]))
    ours = ScoreModel(ordered=True).fit(score[:, None], y)
    z = (score - score.mean()) / score.std()
    theirs = OrderedModel(y, z[:, None], distr="logit").fit(method="bfgs", disp=0, gtol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(score[:, None]), theirs.predict(), atol=2e-3)
    assert (np.diff(ours.thresholds_) > 0).all()


def test_score_without_spread_is_the_prior() -> None:
    y = np.array([0] * 6 + [1] * 3 + [2])
    for ordered in (True, False):
        p = ScoreModel(ordered).fit(np.full((10, 1), 0.3), y).predict_proba(np.array([[9.0]]))
        np.testing.assert_allclose(p[0], [0.6, 0.3, 0.1], atol=1e-4)


def test_score_model_takes_one_column() -> None:
    with pytest.raises(ValueError, match=r"ScoreModel takes one score; got 2 columns\."):
        ScoreModel().fit(np.zeros((4, 2)), [0, 0, 1, 1])


def test_auto_is_quick() -> None:
    """METHODS: about 1 CPU s at n = 200; the bound leaves room for a slow machine."""
    X, y, groups = table(n=200, p=170)
    start = time.process_time()
    AutoModel().fit(X, y, groups)
    assert time.process_time() - start < 3


def test_columns_of_unequal_length_are_fitted_as_closely_as_others() -> None:
    """L-BFGS in units of the curvature: columns a thousand times apart in length, near the minimum in all of them."""
    X, y, _ = table()
    Z, Y = StandardScaler().fit_transform(X)[:, ::4], np.eye(3)[y]
    lengths = np.logspace(-3, 0, Z.shape[1])
    W = fit_logistic(Z * lengths, Y, 1e4)
    theirs = LogisticRegression(C=1e4, tol=1e-12, max_iter=100_000, solver="newton-cg").fit(Z * lengths, y)
    p = np.exp((Z * lengths) @ W[:-1] + W[-1])
    np.testing.assert_allclose(p / p.sum(1, keepdims=True), theirs.predict_proba(Z * lengths), atol=5e-4)


def test_folds_are_dealt_once_for_equal_rows_and_anew_for_others() -> None:
    _, y, groups = table()
    first, again = inner_folds(y, groups, 5, 0), inner_folds(y.copy(), groups.astype(object), 5, 0)
    assert all(a is b for one, other in zip(first, again, strict=True) for a, b in zip(one, other, strict=True))
    for changed in (inner_folds(2 - y, groups, 5, 0), inner_folds(y, groups[::-1], 4, 0), inner_folds(y, None, 5, 0)):
        assert changed[0][1].tolist() != first[0][1].tolist()
