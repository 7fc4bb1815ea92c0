"""Macro, micro and Hand-Till AUC, each with one interval for all classes jointly (F1, F2)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation.auc import (
    FEWEST,
    NO_VARIANCE,
    SMALL,
    absent_classes,
    class_auc,
    class_influences,
    clustered_covariance,
    influence,
    on_logit,
    patient_codes,
    patient_counts,
    too_few_of_a_class,
)
from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.intervals import degrees_of_freedom, newcombe_interval, newcombe_variance

Floats = NDArray[np.float64]
Sizes = list[tuple[int, int]]


def macro_auc(
    y_true: ArrayLike, probabilities: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return the mean of the one-vs-rest AUCs, with one interval for all classes jointly.

    The influences of a row on all class AUCs are added before they are summed by patient, so their covariance is
    counted; the limits are symmetric on the logit scale, with Student's t where all classes are large. The standard
    deviation of a class with fewer than 20 cases is not allowed below Newcombe's, with the normal quantile (measured
    at 24 / 22 / 5 rows: coverage .95 to .97 instead of .92 to .94). Of two classes that mirror each other there is one
    AUC, with the interval of `class_auc`.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
        Codes 0..K-1.
    probabilities : array-like, shape (n, K)
    patients : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
    """
    y, table, codes = _read(y_true, probabilities, patients)
    n, known, classes = len(y), len(np.unique(codes)), table.shape[1]
    if absent := absent_classes(y, classes):
        return Estimate.without(f"no macro AUC: class {absent[0]} has no AUC here (absent, or alone)", n, known)
    aucs, influences = class_influences(y, table, codes)
    sizes = [patient_counts(y == k, codes) for k in range(classes)]
    return _mean_of(aucs, influences, sizes, y, table, codes, level)


def hand_till(
    y_true: ArrayLike, probabilities: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return Hand and Till's M (Mach Learn 2001;45:171-186), the mean over ordered pairs of classes.

    Of a pair (k, j) it is the AUC by which p_k ranks class k above class j. The interval is made as that of
    `macro_auc`, from the influences on the K (K - 1) AUCs; rows of other classes have none.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
        Codes 0..K-1.
    probabilities : array-like, shape (n, K)
    patients : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate
    """
    y, table, codes = _read(y_true, probabilities, patients)
    n, known, classes = len(y), len(np.unique(codes)), table.shape[1]
    if absent := absent_classes(y, classes):
        return Estimate.without(f"no Hand-Till AUC: class {absent[0]} is absent, or alone", n, known)
    pairs = [(k, j) for k in range(classes) for j in range(classes) if j != k]
    aucs, influences, sizes = np.empty(len(pairs)), np.zeros((len(pairs), n)), []
    for i, (k, j) in enumerate(pairs):
        rows = (y == k) | (y == j)
        (aucs[i],), of_rows = influence(y[rows] == k, table[rows, k], codes[rows])
        influences[i, rows] = of_rows[0]
        sizes.append(patient_counts(y[rows] == k, codes[rows]))
    return _mean_of(aucs, influences, sizes, y, table, codes, level)


def _read(
    y_true: ArrayLike, probabilities: ArrayLike, patients: ArrayLike | None
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Return class codes, probabilities and patient codes as arrays."""
    y = np.asarray(y_true, dtype=np.intp)
    return y, np.asarray(probabilities, dtype=float), patient_codes(patients, len(y))


def _mean_of(
    aucs: Floats, influences: Floats, sizes: Sizes, y: NDArray[np.intp], table: Floats, codes: NDArray[np.intp],
    level: float,
) -> Estimate:  # fmt: skip
    """Return the mean of AUCs, whose cases and non-cases have these sizes in patients, with its interval."""
    n, known, classes = len(y), len(np.unique(codes)), table.shape[1]
    if classes == 2 and np.allclose(influences[0], influences[1], rtol=0, atol=NO_VARIANCE):
        return class_auc(y == 1, table[:, 1], codes, level)
    value = float(aucs.mean())
    if reason := too_few_of_a_class(y, classes, codes):
        return Estimate(value, None, None, reason, n, known)
    if value in (0.0, 1.0):
        low, high = np.mean([newcombe_interval(value, *pair, level) for pair in sizes], axis=0)
        return Estimate(value, low, high, "Newcombe method 5, mean of the classes", n, known)
    covariance = clustered_covariance(influences, codes)
    raw = np.sqrt(np.diag(covariance))
    wanted = _deviations(aucs, raw, sizes, n)
    scale = np.divide(wanted, raw, out=np.zeros(len(raw)), where=raw > 0)
    variance = float(scale @ covariance @ scale + (wanted[raw == 0] ** 2).sum())
    df = math.inf if (wanted > raw).any() else degrees_of_freedom(influences.mean(axis=0), y, codes)
    if np.ptp(table, axis=0).max() == 0:
        return Estimate(value, None, None, "no interval: every row has the same probabilities", n, known)
    return on_logit(value, math.sqrt(variance) / len(aucs), "cluster-robust influence, logit", n, known, level, df)


def _deviations(aucs: Floats, raw: Floats, sizes: Sizes, n: int) -> Floats:
    """Return the SD of each AUC; that of a small class is not below Newcombe's (its DeLong SD is too small)."""
    deviations = raw.copy()
    for k, (value, pair) in enumerate(zip(aucs, sizes, strict=True)):
        if min(pair) < SMALL:
            inner = min(max(value, 0.5 / n), 1 - 0.5 / n)
            deviations[k] = max(deviations[k], math.sqrt(newcombe_variance(inner, *pair)))
    return deviations


def pooled(y_true: NDArray[np.intp], probabilities: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return the n x K decisions "is it class k" laid end to end, class by class: indicator and score, shape (n K,)."""
    classes = probabilities.shape[1]
    return (y_true[None, :] == np.arange(classes)[:, None]).ravel(), probabilities.T.ravel()


def micro_auc(
    y_true: ArrayLike, probabilities: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Return the AUC of all n x K class decisions pooled; the K decisions of a row belong to its patient."""
    y, table, codes = _read(y_true, probabilities, patients)
    n, known = len(y), len(np.unique(codes))
    cases, scores = pooled(y, table)
    repeated = np.tile(codes, table.shape[1])
    (value,), influences = influence(cases, scores, repeated)
    if known < FEWEST:
        return Estimate(value, None, None, f"no interval: {known} patients, fewer than {FEWEST}", n, known)
    if value in (0.0, 1.0):
        return Estimate(value, None, None, "no interval: the pooled AUC is 0 or 1", n, known)
    se = math.sqrt(clustered_covariance(influences, repeated)[0, 0])
    return on_logit(value, se, "cluster-robust DeLong of pooled decisions, logit", n, known, level)
