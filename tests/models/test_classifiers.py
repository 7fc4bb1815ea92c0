from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from ovfrad.models.classifiers import SvmProbability, Weighted, fit_quietly, make, unconverged
from ovfrad.study.settings import NINE


def blobs(n: int = 90, shares: tuple[float, ...] = (0.5, 0.4, 0.1), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * n).astype(int))
    return rng.normal(size=(len(y), 4)) + 0.8 * y[:, None], y


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NINE)
def test_every_grid_point_gives_probabilities_and_repeats_itself(name: str, weighted: bool) -> None:
    X, y = blobs()
    estimator, grid = make(name, weighted, random_state=3)
    assert 2 <= len(grid) <= 3
    for point in grid:
        estimator.set_params(**point)
        model = fit_quietly(estimator, X, y)
        p = model.predict_proba(X)
        assert p.shape == (len(X), 3)
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
        assert np.mean(p.argmax(1) == y) > 0.45
        assert not unconverged(model)
        np.testing.assert_array_equal(p, fit_quietly(estimator, X, y).predict_proba(X))


@pytest.mark.parametrize("name", NINE)
def test_class_weights_raise_the_rare_class(name: str) -> None:
    X, y = blobs(n=200)
    plain, grid = make(name, False)
    weighted, weighted_grid = make(name, True)
    p = fit_quietly(plain.set_params(**grid[0]), X, y).predict_proba(X)[:, 2].mean()
    q = fit_quietly(weighted.set_params(**weighted_grid[0]), X, y).predict_proba(X)[:, 2].mean()
    assert q > 1.5 * p


@pytest.mark.parametrize("name", NINE)
def test_one_feature_and_few_rows_are_enough(name: str) -> None:
    X, y = blobs(n=20, shares=(0.5, 0.5))
    estimator, grid = make(name)
    for point in grid:
        p = fit_quietly(estimator.set_params(**point), X[:, :1], y).predict_proba(X[:3, :1])
        assert np.isfinite(p).all()


def test_svm_is_an_estimator() -> None:
    cross_fitted = {"check_sample_weight_equivalence_on_dense_data": "a repeated row moves the folds of the map"}
    check_estimator(SvmProbability(), expected_failed_checks=cross_fitted, on_skip=None, on_fail="raise")


def test_svm_probabilities_are_cross_fitted() -> None:
    """With many noise columns the machine separates its own rows; the map must not believe that."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 60)), rng.integers(0, 2, 80)
    model = SvmProbability(C=10.0).fit(X, y, groups=np.arange(80).astype(str))
    assert np.mean(model.machine_.predict(X) == y) == 1
    assert model.predict_proba(X).max() < 0.9


def test_knn_is_resampled_since_it_cannot_weigh() -> None:
    X, y = blobs()
    model = Weighted(KNeighborsClassifier(5), random_state=1).fit(X, y)
    counts = np.bincount(model.estimator_._y, minlength=3)
    assert counts.sum() == len(y)
    assert counts.min() > 2 * np.bincount(y).min()


def test_knn_takes_no_more_neighbours_than_rows() -> None:
    X, y = blobs(n=10, shares=(0.5, 0.5))
    assert fit_quietly(KNeighborsClassifier(31), X, y).n_neighbors == 10


def test_a_solver_that_stops_early_is_noted_and_does_not_warn() -> None:
    X, y = blobs()
    estimator, _ = make("MLP")
    assert unconverged(fit_quietly(estimator.set_params(max_iter=3), X, y))
    weighted, _ = make("LR", class_weights=True)
    assert unconverged(fit_quietly(weighted.set_params(estimator__max_iter=1), X, y))
