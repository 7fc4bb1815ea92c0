from __future__ import annotations

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.models.folds import nested_folds, patient_folds, patients_per_class


def cohort(n_patients: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.array([f"P{i}" for i in rng.integers(0, n_patients, 2 * n_patients)])
    return rng.choice(3, len(groups), p=[0.46, 0.44, 0.1]), groups


def test_no_patient_is_on_both_sides_and_every_row_is_tested_once() -> None:
    y, groups = cohort()
    folds = patient_folds(y, groups, 5)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(y)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(y)))


def test_class_shares_are_about_equal_and_no_class_is_missing() -> None:
    y, groups = cohort()
    for train, test in patient_folds(y, groups, 5):
        assert abs(np.mean(y[test] == 0) - np.mean(y == 0)) < 0.1
        assert set(y[train]) == {0, 1, 2}


def test_folds_repeat_with_the_seed_and_differ_without() -> None:
    y, groups = cohort()
    first, again, other = (patient_folds(y, groups, 5, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def test_many_siblings_of_few_patients() -> None:
    y, groups = np.tile([0, 1, 2], 40), np.repeat([f"P{i}" for i in range(5)], 24)
    assert all(set(y[train]) == {0, 1, 2} for train, _ in patient_folds(y, groups, 5))


def test_a_class_with_fewer_patients_than_folds_is_refused_by_name() -> None:
    y, groups = np.array([0] * 9 + [1] * 9 + [2] * 6), np.array([f"P{i}" for i in range(20)] + ["P19"] * 4)
    assert patients_per_class(y, groups) == {0: 9, 1: 9, 2: 2}
    with pytest.raises(InputError) as refused:
        patient_folds(y, groups, 5, classes=("conservative", "either", "surgery"))
    assert str(refused.value) == (
        "E_FOLDS training rows: class surgery has 2 patients, fewer than the 5 folds; "
        "set fewer folds (models.outer_folds, models.inner_folds), or join or leave out this class"
    )


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="E_ONE_CLASS training rows: every one of the 4 rows has the same class"):
        patient_folds(np.zeros(4, int), np.arange(4).astype(str), 2)


@pytest.mark.parametrize(("patients", "folds"), [(7, (5, 5)), (6, (5, 4)), (4, (4, 3)), (3, (3, 2)), (2, (2, 0))])
def test_scarce_classes_get_as_many_folds_as_they_can_fill(patients: int, folds: tuple[int, int]) -> None:
    """Of 6 patients an outer fold of 5 may take 2 and leave 4; of 7 it leaves 5."""
    y = np.array([0] * 30 + [1] * patients)
    groups = np.array([f"P{i}" for i in range(len(y))])
    outer, inner = nested_folds(y, groups, 5, 5)
    assert (outer, inner) == folds
    for train, _ in patient_folds(y, groups, outer):
        if inner:
            patient_folds(y[train], groups[train], inner)


def test_a_class_of_one_patient_is_refused() -> None:
    y, groups = np.array([0, 0, 1]), np.array(["P1", "P2", "P3"])
    with pytest.raises(InputError) as refused:
        nested_folds(y, groups, 5, 5, ("mild", "severe"))
    assert "class severe has 1 patient, fewer than the 2 that any split by patient needs" in str(refused.value)
