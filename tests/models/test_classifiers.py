from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from ovfrad.models.balance import Oversampled, Weighted, oversampled
from ovfrad.models.classifiers import Balance, make
from ovfrad.models.estimators import fit_quietly, unconverged
from ovfrad.models.svm import SvmProbability
from ovfrad.study.settings import NINE, Models


def blobs(n: int = 90, shares: tuple[float, ...] = (0.5, 0.4, 0.1), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(shares)), np.round(np.array(shares) * n).astype(int))
    return rng.normal(size=(len(y), 4)) + 0.8 * y[:, None], y


@pytest.mark.parametrize("balance", ["none", "weights", "smote"])
@pytest.mark.parametrize("name", NINE)
def test_every_grid_point_gives_probabilities_and_repeats_itself(name: str, balance: Balance) -> None:
    X, y = blobs()
    estimator, grid = make(name, balance, random_state=3)
    assert 3 <= len(grid) <= 4
    for point in grid:
        estimator.set_params(**point)
        model = fit_quietly(estimator, X, y)
        p = model.predict_proba(X)
        assert p.shape == (len(X), 3)
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
        assert np.mean(p.argmax(1) == y) > 0.45
        assert not unconverged(model)
        np.testing.assert_array_equal(p, fit_quietly(estimator, X, y).predict_proba(X))


@pytest.mark.parametrize("balance", ["weights", "smote"])
@pytest.mark.parametrize("name", NINE)
def test_balancing_raises_the_rare_class(name: str, balance: Balance) -> None:
    X, y = blobs(n=200)
    unseen, _ = blobs(n=200, seed=1)
    plain, grid = make(name)
    weighted, weighted_grid = make(name, balance)
    p = fit_quietly(plain.set_params(**grid[0]), X, y).predict_proba(unseen)[:, 2].mean()
    q = fit_quietly(weighted.set_params(**weighted_grid[0]), X, y).predict_proba(unseen)[:, 2].mean()
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


def test_synthetic_rows_come_last_and_lie_between_rows_of_their_class() -> None:
    X, y = blobs()
    more, of = oversampled(X, y, 0)
    np.testing.assert_array_equal(more[: len(X)], X)
    assert np.bincount(of).tolist() == [45, 45, 45]
    for k in range(3):
        own, new = X[y == k], more[len(X) :][of[len(X) :] == k]
        assert ((new >= own.min(axis=0)) & (new <= own.max(axis=0))).all()
    lone, classes = oversampled(np.r_[X[:20], X[-1:]], np.r_[y[:20], 2], 0)
    assert classes.tolist() == [0] * 20 + [2] * 20
    assert (lone[20:] == X[-1]).all()


def test_synthetic_rows_of_the_svm_stay_inside_its_folds() -> None:
    """Values of a fold come from machines to which none of its rows, nor a row made of one, was shown."""
    X, y = blobs()
    shown: list[np.ndarray] = []

    def watch(rows: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shown.append(rows)
        return oversampled(rows, codes, 0)

    SvmProbability().fit(X, y, groups=np.arange(len(y)), resample=watch)
    assert [len(rows) for rows in shown] == [90, 60, 60, 60, 90]
    assert shown[-1].shape[1] == 3  # decision values, which teach the map
    assert Oversampled(SvmProbability()).fit(X, y).predict_proba(X).shape == (90, 3)


def test_one_way_of_balancing_at_a_time() -> None:
    assert [Models(class_weights=w, smote=s).balance for w, s in ((False, False), (True, False), (False, True))] == [
        "none", "weights", "smote",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="class_weights and smote both balance the classes"):
        Models(class_weights=True, smote=True)


def test_knn_takes_no_more_neighbours_than_rows() -> None:
    X, y = blobs(n=10, shares=(0.5, 0.5))
    assert fit_quietly(KNeighborsClassifier(31), X, y).n_neighbors == 10


def test_a_solver_that_stops_early_is_noted_and_does_not_warn() -> None:
    X, y = blobs()
    estimator, _ = make("MLP")
    assert unconverged(fit_quietly(estimator.set_params(max_iter=3), X, y))
    weighted, _ = make("LR", "weights")
    assert unconverged(fit_quietly(weighted.set_params(estimator__max_iter=1), X, y))
