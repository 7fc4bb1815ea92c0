"""Folds by patient, stratified by class: no patient is ever on both sides of a split (METHODS E9, E10)."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ovfrad.errors import InputError

Fold = tuple[np.ndarray, np.ndarray]
LEAST_ROWS = 5
"""Rows from which a LASSO with its own cross-validation can learn."""
SHUFFLES = 20
"""Shuffles tried until every class is in every training part; with as many patients as folds one is nearly enough."""


def patients_per_class(y: np.ndarray, groups: np.ndarray) -> dict[int, int]:
    """Count the patients that have at least one vertebra of each class.

    >>> patients_per_class(np.array([0, 0, 1]), np.array(["P1", "P1", "P2"]))
    {0: 1, 1: 1}
    """
    return {int(k): len(set(groups[y == k])) for k in np.unique(y)}


def patient_folds(
    y: np.ndarray, groups: np.ndarray, n: int, random_state: int = 0, classes: tuple[str, ...] | None = None
) -> list[Fold]:
    """Split rows into `n` folds of whole patients with about equal class shares.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Class codes 0..K-1.
    groups : ndarray of shape (n_rows,)
        Patient of each row.
    n : int
        Number of folds.
    random_state : int
        Seed of the shuffle of patients.
    classes : tuple of str, optional
        Names of the classes in code order, for messages.

    Returns
    -------
    list of (train, test)
        Row positions of each fold; the test parts cover every row once.

    Raises
    ------
    InputError
        E_FOLDS if a class has fewer patients than there are folds.

    Examples
    --------
    >>> patient_folds(np.array([0, 0, 0, 1]), np.array(["P1", "P2", "P3", "P4"]), 3)
    Traceback (most recent call last):
    ovfrad.errors.InputError: E_FOLDS training rows: class 1 has 1 patient, fewer than the 3 folds; join or leave \
out this class
    """
    y, groups = np.asarray(y), np.asarray(groups)
    require_patients(y, groups, n, f"the {n} folds", classes)
    for shuffle in range(SHUFFLES):
        splitter = StratifiedGroupKFold(n, shuffle=True, random_state=random_state + 1000 * shuffle)
        folds = list(splitter.split(np.zeros(len(y)), y, groups))
        if all(len(set(y[train])) == len(set(y)) and len(test) for train, test in folds):
            return folds
    raise InputError(
        "E_FOLDS",
        "training rows",
        f"no split into {n} patient folds keeps every class in every training part",
        "set fewer folds (models.outer_folds, models.inner_folds)",
    )


def require_patients(
    y: np.ndarray, groups: np.ndarray, least: int, needed_for: str, classes: tuple[str, ...] | None = None
) -> None:
    """Refuse rows in which some class has fewer than `least` patients; `needed_for` ends the sentence."""
    counts = patients_per_class(np.asarray(y), np.asarray(groups))
    if len(counts) < 2:
        raise InputError(
            "E_ONE_CLASS",
            "training rows",
            f"every one of the {len(y)} rows has the same class",
            "a model needs at least two classes in training",
        )
    scarce = min(counts, key=lambda k: counts[k])
    if counts[scarce] < least:
        patients = "patient" if counts[scarce] == 1 else "patients"
        raise InputError(
            "E_FOLDS",
            "training rows",
            f"class {classes[scarce] if classes else scarce} has {counts[scarce]} {patients}, fewer than {needed_for}",
            ("" if counts[scarce] < 2 else "set fewer folds (models.outer_folds, models.inner_folds), or ")
            + "join or leave out this class",
        )


def nested_folds(
    y: np.ndarray, groups: np.ndarray, outer: int, inner: int, classes: tuple[str, ...] | None = None
) -> tuple[int, int]:
    """Outer and inner folds that the smallest class allows, as many as asked for where it can; inner 0: none possible.

    An outer fold takes up to ceil(m / outer) of the m patients of a class; those left must fill the inner folds.

    Examples
    --------
    >>> y, patients = np.repeat([0, 1], [20, 4]), np.arange(24).astype(str)
    >>> nested_folds(y, patients, 5, 5), nested_folds(y, patients, 2, 5), nested_folds(y[:-2], patients[:-2], 5, 5)
    ((4, 3), (2, 2), (2, 0))
    """
    require_patients(y, groups, 2, "the 2 that any split by patient needs", classes)
    scarce = min(patients_per_class(np.asarray(y), np.asarray(groups)).values())
    outer = min(outer, scarce)
    left, rows = scarce - -(-scarce // outer), len(y) - -(-len(y) // outer)
    if rows < LEAST_ROWS:
        fault = f"{len(y)} rows leave {rows} to learn from in {outer} outer folds"
        raise InputError("E_FOLDS", "training rows", fault, f"at least {LEAST_ROWS} are needed: add cases")
    inner = min(inner, left) if left >= 2 else 0
    return outer, inner if inner and rows - -(-rows // inner) >= LEAST_ROWS else 0
