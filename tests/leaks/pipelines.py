"""Deliberately leaky pipelines, each beside its honest twin, for the alarms to tell apart. Never part of the package.

A pipeline takes training rows and a procedure (which it mostly ignores) and returns out-of-fold predictions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ovfrad.evaluation.auc import auc
from ovfrad.evaluation.calibration import Recalibration
from ovfrad.evaluation.metrics import youden_threshold
from ovfrad.models.folds import patient_folds
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows, prediction_table
from ovfrad.selection import ComBat, IccFilter

FOLDS = 3
Pipeline = Callable[[Rows, Procedure], pd.DataFrame]
Prepare = Callable[[Rows, np.ndarray], np.ndarray]
"""From all rows, and the positions of those it may learn from, to the matrix a model sees."""
Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From P(class 1) of test rows, their classes and the training part's own scores to what is reported."""


def table(rows: Rows, p: np.ndarray, fold: np.ndarray) -> pd.DataFrame:
    """Prediction table of a binary model."""
    both = np.column_stack([1 - p, p])
    return prediction_table(rows, both, cohort="train", recipe="sound", arm="none", model="LR", fold=fold)


def in_folds(rows: Rows, fit: Callable[[np.ndarray, np.ndarray], np.ndarray], groups: np.ndarray) -> pd.DataFrame:
    """`fit(train, test)` in each of three folds of whole `groups`."""
    p, fold = np.zeros(len(rows)), np.zeros(len(rows), dtype=int)
    for f, (train, test) in enumerate(patient_folds(rows.codes, groups, FOLDS)):
        p[test], fold[test] = fit(train, test), f
    return table(rows, p, fold)


# ---- a step fitted on everything ----


def prepared(step: Prepare, leaky: bool, model: object = None) -> Pipeline:
    """Cross-validation behind a step that learns from all rows (leaky) or from the training part alone."""
    learner = LogisticRegression(C=1.0) if model is None else model

    def run(rows: Rows, _: Procedure) -> pd.DataFrame:
        def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            Z = step(rows, np.arange(len(rows)) if leaky else train)
            return learner.fit(Z[train], rows.codes[train]).predict_proba(Z[test])[:, 1]  # type: ignore[attr-defined]

        return in_folds(rows, fit, rows.groups)

    return run


def selection(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """The ten columns most correlated with the labels."""
    X = rows.X.to_numpy()
    strength = np.abs(np.corrcoef(X[seen].T, rows.codes[seen])[-1, :-1])
    return X[:, np.argsort(-strength)[:10]]


def scaler(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Standard scores."""
    return StandardScaler().fit(rows.X.to_numpy()[seen]).transform(rows.X.to_numpy())


def pca(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Five principal components."""
    return PCA(5, svd_solver="full").fit(rows.X.to_numpy()[seen]).transform(rows.X.to_numpy())


def combat(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """ComBat without covariates."""
    part = rows.take(seen)
    return ComBat().fit(part.X, batch=part.batch).transform(rows.X, batch=rows.batch).to_numpy()


def combat_outcome(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """ComBat that keeps the effect of the outcome, of test rows too; its honest twin is told of no outcome."""
    if len(seen) < len(rows):
        return combat(rows, seen)
    y = pd.DataFrame({"y": rows.codes}, index=rows.X.index)
    return (
        ComBat()
        .fit(rows.X, batch=rows.batch, covariates=y)
        .transform(rows.X, batch=rows.batch, covariates=y)
        .to_numpy()
    )


def icc(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Features on which two readers of these rows agree."""
    part = rows.take(seen)
    return rows.X.to_numpy() * IccFilter(0.75).fit(part.X, reader2=part.reader2).support_


def network(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Hidden layer of a network tuned to the labels of these rows."""
    X = rows.X.to_numpy()
    tuned = MLPClassifier((16,), solver="lbfgs", alpha=1e-3, max_iter=300, random_state=0).fit(
        X[seen], rows.codes[seen]
    )
    return np.maximum(X @ tuned.coefs_[0] + tuned.intercepts_[0], 0)


def class_means(rows: Rows, seen: np.ndarray) -> np.ndarray:
    """Gaps filled with the mean of the row's class; the honest twin fills with the mean of the training part."""
    X = rows.X.to_numpy()
    if len(seen) < len(rows):
        return np.where(np.isnan(X), np.nanmean(X[seen], axis=0), X)
    by_class = np.array([np.nanmean(X[rows.codes == k], axis=0) for k in (0, 1)])
    return np.where(np.isnan(X), by_class[rows.codes], X)


# ---- folds that do not hold ----


def split(leaky: bool) -> Pipeline:
    """Nearest neighbour in folds of rows (leaky: siblings and copies cross them) or of whole patients."""

    def run(rows: Rows, _: Procedure) -> pd.DataFrame:
        X = rows.X.to_numpy()

        def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            return KNeighborsClassifier(1).fit(X[train], rows.codes[train]).predict_proba(X[test])[:, 1]

        return in_folds(rows, fit, np.arange(len(rows)).astype(str) if leaky else rows.groups)

    return run


def smote(X: np.ndarray, codes: np.ndarray, near: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Rows of class 1 between neighbours of class 1, until both classes are as frequent (Chawla et al. 2002)."""
    rng = np.random.default_rng(0)
    own = X[codes == 1]
    near = min(near, len(own) - 1)
    neighbours = NearestNeighbors(n_neighbors=near + 1).fit(own).kneighbors(own, return_distance=False)[:, 1:]
    wanted = int((codes == 0).sum() - len(own))
    start = np.arange(wanted) % len(own)
    end = neighbours[start, rng.integers(0, near, wanted)]
    new = own[start] + rng.random((wanted, 1)) * (own[end] - own[start])
    return np.vstack([X, new]), np.r_[codes, np.ones(wanted, dtype=int)]


def oversampled(leaky: bool) -> Pipeline:
    """SMOTE on all rows before the split, its rows in every training part; or on the training part alone."""

    def run(rows: Rows, _: Procedure) -> pd.DataFrame:
        X, y = rows.X.to_numpy(), rows.codes
        everything, labels = smote(X, y)

        def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            own = np.r_[train, np.arange(len(X), len(everything))]
            A, b = (everything[own], labels[own]) if leaky else smote(X[train], y[train])
            return KNeighborsClassifier(3).fit(A, b).predict_proba(X[test])[:, 1]

        return in_folds(rows, fit, rows.groups)

    return run


# ---- choices made where they are judged ----


def chosen_late(judge: Judge) -> Pipeline:
    """Logistic regression whose output is worked over by `judge`, which is shown the classes of the test rows."""

    def run(rows: Rows, _: Procedure) -> pd.DataFrame:
        X = rows.X.to_numpy()

        def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            model = LogisticRegression().fit(X[train], rows.codes[train])
            train_p, test_p = (model.predict_proba(X[part])[:, 1] for part in (train, test))
            own = np.column_stack([train_p, rows.codes[train]])
            return judge(test_p, rows.codes[test], own)

        return in_folds(rows, fit, rows.groups)

    return run


def threshold(leaky: bool) -> Pipeline:
    """Decisions at Youden's threshold of the test rows, or of the training rows; their AUC is balanced accuracy."""

    def judge(p: np.ndarray, y: np.ndarray, own: np.ndarray) -> np.ndarray:
        at = youden_threshold(y == 1, p) if leaky else youden_threshold(own[:, 1] == 1, own[:, 0])
        return (p >= at).astype(float)

    return chosen_late(judge)


def calibrated(leaky: bool) -> Pipeline:
    """Isotonic calibration on the test rows, or on the training rows."""

    def judge(p: np.ndarray, y: np.ndarray, own: np.ndarray) -> np.ndarray:
        on = (p, y) if leaky else (own[:, 0], own[:, 1])
        return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(*on).predict(p)

    return chosen_late(judge)


def recalibrated(leaky: bool) -> Pipeline:
    """Temperature and offset fitted on the test rows, or on the training rows; the ranking stays as it was."""

    def judge(p: np.ndarray, y: np.ndarray, own: np.ndarray) -> np.ndarray:
        on = (p, y) if leaky else (own[:, 0], own[:, 1].astype(int))
        fitted = Recalibration.fit(np.column_stack([1 - on[0], on[0]]), on[1])
        return fitted.apply(np.column_stack([1 - p, p]))[:, 1]

    return chosen_late(judge)


NINE = (
    LogisticRegression(), GaussianNB(), LinearDiscriminantAnalysis(), KNeighborsClassifier(3), KNeighborsClassifier(9),
    DecisionTreeClassifier(max_depth=3, random_state=0), ExtraTreesClassifier(15, random_state=0),
    RandomForestClassifier(15, random_state=0), SVC(),
)  # fmt: skip


def best_of_nine(leaky: bool) -> Pipeline:
    """The best of nine by its AUC in the rows it is judged on, or the first of them."""

    def run(rows: Rows, _: Procedure) -> pd.DataFrame:
        X, y = rows.X.to_numpy(), rows.codes

        def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            scores = []
            for model in NINE if leaky else NINE[:1]:
                model.fit(X[train], y[train])
                score = (
                    model.decision_function(X[test]) if isinstance(model, SVC) else model.predict_proba(X[test])[:, 1]
                )
                scores.append(score)
            best = max(scores, key=lambda score: auc(y[test] == 1, score))
            return 1 / (1 + np.exp(-best)) if best.min() < 0 or best.max() > 1 else best

        return in_folds(rows, fit, rows.groups)

    return run
