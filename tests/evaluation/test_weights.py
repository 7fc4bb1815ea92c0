"""Class weights double the rare class's probability; recalibration puts it right, over twenty phantom cohorts (F4)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ovfrad.evaluation.calibration import Recalibration
from ovfrad.phantom.cohort import Case, sample_cohort

COHORTS = 20


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows_of(cases: list[Case], rng: np.random.Generator) -> Rows:
    """What an image shows, with noise, shape (n, 3); class and patient."""
    shown = np.array([(c.shown.morphology, c.shown.mri, c.shown.t_score) for c in cases]) + rng.normal(
        size=(len(cases), 3)
    )
    return shown, np.array([c.treatment_class for c in cases]), np.array([c.patient_id for c in cases])


def means(train: Rows, new: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities of a weighted model in new rows, before and after recalibration, (2, K); observed shares."""
    X, y, who = train
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    crossed = cross_val_predict(model, X, y, groups=who, cv=folds, method="predict_proba")
    raw = model.fit(X, y).predict_proba(new[0])
    mended = Recalibration.fit(crossed, y).apply(raw)
    return np.array([raw.mean(axis=0), mended.mean(axis=0)]), np.bincount(new[1], minlength=3) / len(new[1])


@pytest.fixture(scope="module")
def cohorts() -> list[list[Case]]:
    """Training and internal patients of twenty phantom cohorts of the paper's size."""
    return [[c for c in sample_cohort(1098, seed) if c.center == "A"] for seed in range(COHORTS)]


@pytest.fixture(scope="module")
def split(cohorts: list[list[Case]]) -> tuple[np.ndarray, np.ndarray]:
    """Means and shares where a fifth of the patients is the internal cohort, split by patient and class (A4)."""
    found = []
    for seed, cases in enumerate(cohorts):
        X, y, who = rows_of(cases, np.random.default_rng(seed))
        train, new = next(StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(X, y, who))
        found.append(means((X[train], y[train], who[train]), (X[new], y[new], who[new])))
    return np.array([mean for mean, _ in found]), np.array([share for _, share in found])


def test_class_weights_double_the_probability_of_the_rare_class(split: tuple[np.ndarray, np.ndarray]) -> None:
    mean, share = split
    assert mean[:, 0, 2].mean() > 2 * share[:, 2].mean()


def test_recalibrated_probabilities_are_right_in_the_large(split: tuple[np.ndarray, np.ndarray]) -> None:
    mean, share = split
    large = (mean[:, 1] - share).mean(axis=0)
    assert np.abs(large).max() < 0.02, large


def test_what_remains_in_cohorts_of_other_shares_is_their_shift(cohorts: list[list[Case]]) -> None:
    """The paper has 41 % of class 1 in the internal cohort, 45 % in training: which training cannot tell."""
    large, shift = [], []
    for seed, cases in enumerate(cohorts):
        rng = np.random.default_rng(seed)
        train, new = (rows_of([c for c in cases if c.cohort == name], rng) for name in ("train", "internal"))
        mean, share = means(train, new)
        large.append(mean[1] - share)
        shift.append(np.bincount(train[1], minlength=3) / len(train[1]) - share)
    assert np.mean(large, axis=0) == pytest.approx(np.mean(shift, axis=0), abs=0.01)
    assert np.abs(np.mean(shift, axis=0)).max() > 0.03
