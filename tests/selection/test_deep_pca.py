"""Components of the deep features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from ovfrad.selection import DeepPca


def _deep(n: int, p: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(n, 9)) @ rng.normal(size=(9, p)) + 0.3 * rng.normal(size=(n, p)), 0)


@pytest.mark.parametrize(("n", "p"), [(60, 200), (200, 30)])
def test_equals_scikit_learn_up_to_sign(n: int, p: int) -> None:
    X = _deep(n, p)
    ours, theirs = DeepPca(0.9, maximum=64).fit(X), PCA(0.9, svd_solver="full").fit(X)
    assert ours.n_components_ == theirs.n_components_
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(ours.transform(X)), np.abs(theirs.transform(X)), atol=1e-8)
    np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(ours.n_components_), atol=1e-9)


def test_signs_are_fixed_and_column_order_is_without_effect() -> None:
    X = _deep(60, 200)
    order = np.random.default_rng(1).permutation(200)
    one, other = DeepPca().fit(X), DeepPca().fit(X[:, order])
    largest = np.abs(one.components_).argmax(axis=1)
    assert (one.components_[np.arange(len(largest)), largest] > 0).all()
    np.testing.assert_allclose(one.transform(X), other.transform(X[:, order]), atol=1e-9)


def test_maximum_flat_columns_and_no_variance_at_all() -> None:
    X = _deep(60, 200)
    assert DeepPca(0.99, maximum=3).fit(X).n_components_ == 3
    X[:, 7] = 0
    assert (DeepPca().fit(X).components_[:, 7] == 0).all()
    flat = DeepPca().fit(np.full((20, 30), 0.1))
    assert flat.transform(np.ones((2, 30))).shape == (2, 0)


def test_names_follow_a_frame() -> None:
    X = pd.DataFrame(_deep(60, 200), index=[f"P{i}" for i in range(60)]).add_prefix("deep_random_")
    scores = DeepPca(maximum=2).fit(X).transform(X)
    assert scores.columns.tolist() == ["pc_00", "pc_01"]
    assert scores.index.equals(X.index)
