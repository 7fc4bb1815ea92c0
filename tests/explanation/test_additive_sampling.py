"""Shapley values of logistic members by walks over sums: what all coalitions give, and as cheap at many features."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.explanation.sampling import Additive, enumerated, sampled_additive
from ovfrad.models.dense import DenseLogistic


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1, 2], 30)
    X = rng.normal(size=(90, 5)) + 0.8 * y[:, None] * rng.normal(size=5)
    return [DenseLogistic(ranks=ranks).fit(X, y) for ranks in (False, True)], X


def additive(model, X, background):
    return Additive(model.contributions(X), model.contributions(background), model.intercept_)


def test_contributions_and_intercept_are_the_linear_predictors(fitted):
    members, X = fitted
    for member in members:
        np.testing.assert_allclose(member.contributions(X).sum(axis=1) + member.intercept_, member._eta(X))


def test_walks_give_what_all_coalitions_give(fitted):
    members, X = fitted
    cases, background = X[::15], X[3::20]
    exact, _ = enumerated(lambda rows: sum(m.predict_proba(rows) for m in members), cases, background)
    found = sampled_additive([additive(m, cases, background) for m in members], 10**9, 0)
    assert found.rounds == 20
    error = np.sqrt(np.mean((found.values - exact) ** 2))
    assert error < 1.5 * np.sqrt(np.mean(found.error**2)) < 0.02
    np.testing.assert_allclose(found.values.sum(axis=1), exact.sum(axis=1), atol=1e-12)


def test_two_thousand_features_are_seeded_and_add_up():
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(rows, 2000, 3)) / 40 for rows in (3, 4)]
    member = Additive(*parts, intercept=np.array([0.2, -0.1, 0.0]))
    first, again, other = (sampled_additive([member], 1, seed) for seed in (0, 0, 1))
    assert first.rounds == 2
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).any()
    odds = [np.exp(part.sum(axis=1) + member.intercept) for part in parts]
    top, bottom = (one / one.sum(axis=1, keepdims=True) for one in odds)
    np.testing.assert_allclose(first.values.sum(axis=1), top - bottom.mean(axis=0), atol=1e-12)
