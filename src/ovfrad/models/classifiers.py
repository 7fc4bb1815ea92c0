"""The nine classifiers of the paper with their grids (METHODS E9), each simplest grid point first.

docs/models.md has the table of grids, weights and probabilities.
"""

from __future__ import annotations

from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from ovfrad.models.balance import Oversampled, Weighted
from ovfrad.models.svm import SvmProbability

Balance = Literal["none", "weights", "smote"]
Grid = tuple[dict[str, Any], ...]
TREES = 100
ROUNDS = 50
LEAVES: Grid = ({"min_samples_leaf": 10}, {"min_samples_leaf": 5}, {"min_samples_leaf": 1})
"""Grid of the two forests: fewest rows of a leaf."""


def _lr(seed: int) -> tuple[BaseEstimator, Grid]:
    return LogisticRegression(max_iter=2000, random_state=seed), ({"C": 0.01}, {"C": 0.1}, {"C": 1.0}, {"C": 10.0})


def _svm(seed: int) -> tuple[BaseEstimator, Grid]:
    return SvmProbability(random_state=seed), ({"C": 0.3}, {"C": 3.0}, {"C": 30.0})


def _knn(seed: int) -> tuple[BaseEstimator, Grid]:
    return KNeighborsClassifier(weights="distance"), ({"n_neighbors": 31}, {"n_neighbors": 15}, {"n_neighbors": 7})


def _dt(seed: int) -> tuple[BaseEstimator, Grid]:
    return DecisionTreeClassifier(min_samples_leaf=5, random_state=seed), (
        {"max_depth": 2},
        {"max_depth": 3},
        {"max_depth": 5},
    )


def _rf(seed: int) -> tuple[BaseEstimator, Grid]:
    return RandomForestClassifier(TREES, random_state=seed, n_jobs=1), LEAVES


def _extra(seed: int) -> tuple[BaseEstimator, Grid]:
    return ExtraTreesClassifier(TREES, random_state=seed, n_jobs=1), LEAVES


def _xgboost(seed: int) -> tuple[BaseEstimator, Grid]:
    from xgboost import XGBClassifier

    booster = XGBClassifier(
        n_estimators=ROUNDS, subsample=0.8, reg_lambda=2.0, tree_method="hist", n_jobs=1, random_state=seed, verbosity=0
    )
    return booster, (
        {"max_depth": 2, "learning_rate": 0.05},
        {"max_depth": 3, "learning_rate": 0.05},
        {"max_depth": 3, "learning_rate": 0.15},
    )


def _lightgbm(seed: int) -> tuple[BaseEstimator, Grid]:
    from lightgbm import LGBMClassifier

    booster = LGBMClassifier(
        n_estimators=ROUNDS,
        min_child_samples=10,
        reg_lambda=2.0,
        n_jobs=1,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    return booster, (
        {"num_leaves": 4, "learning_rate": 0.05},
        {"num_leaves": 8, "learning_rate": 0.05},
        {"num_leaves": 8, "learning_rate": 0.15},
    )


def _mlp(seed: int) -> tuple[BaseEstimator, Grid]:
    network = MLPClassifier(
        (16,), activation="tanh", solver="lbfgs", tol=1e-3, max_iter=3000, max_fun=30_000, random_state=seed
    )
    return network, ({"alpha": 10.0}, {"alpha": 1.0}, {"alpha": 0.1})


_MAKERS = {
    "LR": _lr,
    "SVM": _svm,
    "KNN": _knn,
    "DT": _dt,
    "RF": _rf,
    "ExtraTrees": _extra,
    "XGBoost": _xgboost,
    "LightGBM": _lightgbm,
    "MLP": _mlp,
}


_BALANCED = {"weights": Weighted, "smote": Oversampled}


def make(name: str, balance: Balance = "none", random_state: int = 0) -> tuple[BaseEstimator, Grid]:
    """Build one of the nine, unfitted, and its grid of settings (simplest first).

    Parameters
    ----------
    name : {"LR", "SVM", "KNN", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM", "MLP"}
    balance : {"none", "weights", "smote"}
        Classes as they are, weighted inversely to their frequency, or filled up with synthetic rows.
    random_state : int

    Returns
    -------
    estimator : classifier
    grid : tuple of dict
        Keyword arguments of `estimator.set_params`, one dict per grid point.

    Examples
    --------
    >>> make("DT")[1]
    ({'max_depth': 2}, {'max_depth': 3}, {'max_depth': 5})
    >>> make("NB")
    Traceback (most recent call last):
    ValueError: no classifier NB; the nine are LR, SVM, KNN, DT, RF, ExtraTrees, XGBoost, LightGBM, MLP.
    """
    if name not in _MAKERS:
        raise ValueError(f"no classifier {name}; the nine are {', '.join(_MAKERS)}.")
    estimator, grid = _MAKERS[name](random_state)
    if balance == "none":
        return estimator, grid
    prefixed = tuple({f"estimator__{key}": value for key, value in point.items()} for point in grid)
    return _BALANCED[balance](estimator, random_state), prefixed
