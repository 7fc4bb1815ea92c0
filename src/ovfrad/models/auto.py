"""`auto`, headline model of the recipe `sound`: the mean of five dense members (METHODS E12, decisions 8 and 11)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.models.dense import DenseLogistic, _classes

MEMBERS = (
    "L2 on z-scores",
    "L2 on ranks, families balanced",
    "L2 on ranks, families balanced, directions evened",
    "extra trees",
    "random forest",
)

LEAF = 2
"""Fewest rows of a leaf of both forests."""
TRIED = 0.2
"""Share of the columns that a split of the extra trees tries: of many correlated columns a square root finds few that
tell, and a cut at random through each needs more of them than the best cut of a random forest."""


class AutoModel(ClassifierMixin, BaseEstimator):
    """Mean of the probabilities of five members that see all columns and choose nothing but a penalty.

    The members are an L2 logistic regression on z-scores, one on ranks in which every family of features has the same
    total variance, the same with its directions evened (`DenseLogistic`), extra trees and a random forest. Averaging
    such members beat each of them, and beat choosing one by inner cross-validation, on real radiomics tables
    (METHODS E12).

    Parameters
    ----------
    n_trees : int
        Number of trees of each of the two forests.
    families : tuple of str, optional
        Family of each column; default: by column name (`ovfrad.selection.families`).
    folds : int
        Most patient folds that choose the penalties by log-loss.
    random_state : int
        Seed of folds and trees.

    Attributes
    ----------
    members_ : list of estimators
        In the order of `MEMBERS`.
    classes_ : ndarray of shape (K,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 20)
    >>> X = rng.normal(size=(60, 5)) + y[:, None]
    >>> AutoModel(n_trees=20).fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """

    def __init__(
        self, n_trees: int = 150, families: tuple[str, ...] | None = None, folds: int = 5, random_state: int = 0
    ) -> None:
        self.n_trees = n_trees
        self.families = families
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: pd.DataFrame | np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> Self:
        """Fit the members; `groups` are patients, kept whole in the folds that choose C.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_columns)
            All radiomics features after ComBat and ICC, and the components of the deep features. No gaps.
        y : ndarray of shape (n_rows,)
        groups : ndarray of shape (n_rows,), optional
        """
        names = getattr(X, "columns", None)
        values, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, _ = _classes(self, y)
        frame = values if names is None else pd.DataFrame(values, columns=names)
        shared: dict[str, Any] = {"folds": self.folds, "random_state": self.random_state}
        of_forest: dict[str, Any] = {"min_samples_leaf": LEAF, "random_state": self.random_state, "n_jobs": 1}
        self.members_ = [
            DenseLogistic(**shared).fit(values, y, groups),
            DenseLogistic(ranks=True, balance=True, families=self.families, **shared).fit(frame, y, groups),
            DenseLogistic(ranks=True, balance=True, even=True, families=self.families, **shared).fit(frame, y, groups),
            ExtraTreesClassifier(self.n_trees, max_features=TRIED, **of_forest).fit(values, y),
            RandomForestClassifier(self.n_trees, **of_forest).fit(values, y),
        ]
        return self

    def member_probabilities(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Probabilities of each member, shape (5, n_rows, K); their mean over the first axis is the model."""
        check_is_fitted(self)
        names = getattr(X, "columns", None)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        frame = values if names is None else pd.DataFrame(values, columns=names)
        seen = [frame if hasattr(member, "feature_names_in_") else values for member in self.members_]
        return np.stack([member.predict_proba(X) for member, X in zip(self.members_, seen, strict=True)])

    def predict_proba(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Probability of each class, shape (n_rows, K)."""
        return self.member_probabilities(X).mean(0)

    def predict(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Most probable class of each row."""
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(1)]
