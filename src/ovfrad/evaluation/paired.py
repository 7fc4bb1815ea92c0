"""Tests of two models on the same rows: DeLong per class, joint z for the macro AUC, permutation; Holm (F3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr
from scipy.stats import rankdata

from ovfrad.evaluation import auc
from ovfrad.evaluation.auc import NO_VARIANCE
from ovfrad.evaluation.bootstrap import CHUNK_CELLS
from ovfrad.evaluation.estimate import Estimate, PValue
from ovfrad.evaluation.intervals import degrees_of_freedom, quantile

Floats = NDArray[np.float64]
CLASS_METHOD, MACRO_METHOD = "cluster-robust DeLong", "joint z, cluster-robust influence, Student's t"
CLASS_METHOD_FEW = f"{CLASS_METHOD}, Student's t"
NORMAL = 20
"""Patients of the smaller of cases and non-cases from which a class test refers to the normal distribution."""
SAME_DIFFERENCE = 1e-12
"""Differences of permuted AUCs closer than this are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """A difference of two AUCs (first less second), its statistic and its p value.

    Attributes
    ----------
    difference : Estimate
    statistic : float or None
        z of the difference.
    p : PValue or None
        Two-sided; None where no test exists, and then `difference.method` says why.

    Examples
    --------
    >>> PairedTest(Estimate.without("x", 5), 1.0, 2.34)
    Traceback (most recent call last):
    ValueError: a p value lies between 0 and 1; got 2.34.
    """

    difference: Estimate
    statistic: float | None
    p: PValue | None

    def __post_init__(self) -> None:
        if self.p is None:
            return
        object.__setattr__(self, "p", PValue(self.p))
        if self.difference.estimate is None:
            raise ValueError("a p value needs the difference that it tests; got none.")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of the difference and `statistic`, `p` as plain JSON values."""
        return self.difference.as_dict() | {"statistic": self.statistic, "p": self.p}


def delong_test(
    cases: ArrayLike, first: ArrayLike, second: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> PairedTest:
    """Return the paired test of two AUCs, DeLong's with influences summed by patient.

    Without patients it is DeLong, DeLong and Clarke-Pearson's (1988) z test.

    Parameters
    ----------
    cases : array-like of bool, shape (n,)
    first, second : array-like, shape (n,)
        Scores of the two models on the same rows.
    patients : array-like, shape (n,), optional
    level : float
        Of the interval of the difference.

    Examples
    --------
    >>> same = [0.1, 0.4, 0.6, 0.2, 0.7, 0.9]
    >>> delong_test([0, 0, 0, 1, 1, 1], same, same).p
    1.0
    """
    y, codes = np.asarray(cases, dtype=bool), auc.patient_codes(patients, np.size(first))
    known = len(np.unique(codes))
    if y.all() or not y.any():
        return PairedTest(Estimate.without("no test: cases or non-cases are absent", len(y), known), None, None)
    values, influences = auc.influence(y, np.stack([np.asarray(first, float), np.asarray(second, float)]), codes)
    difference, influence = float(values[0] - values[1]), influences[0] - influences[1]
    if reason := auc.too_few(y, codes, "test"):
        return PairedTest(Estimate(difference, None, None, reason, len(y), known), None, None)
    return influence_test(difference, influence, codes, CLASS_METHOD, level)


def class_difference(
    difference: float, influence: Floats, cases: NDArray[np.bool_], codes: NDArray[np.intp], level: float
) -> PairedTest:
    """Return the test of a difference of two AUCs of one class from the row influences on it.

    None below three patients among cases or non-cases, as for the interval of an AUC. Below `NORMAL` Student's t in
    Satterthwaite's degrees of freedom: with 3, 5 and 10 cases among 51 the normal distribution rejects in .094, .074
    and .047 in place of .05.
    """
    n, known = len(codes), len(np.unique(codes))
    if reason := auc.too_few(cases, codes, "test"):
        return PairedTest(Estimate(float(difference), None, None, reason, n, known), None, None)
    if min(auc.patient_counts(cases, codes)) < NORMAL:
        return influence_test(difference, influence, codes, CLASS_METHOD_FEW, level, cases.astype(np.intp))
    return influence_test(difference, influence, codes, CLASS_METHOD, level)


def influence_test(
    difference: float,
    influence: Floats,
    codes: NDArray[np.intp],
    method: str,
    level: float,
    y: NDArray[np.intp] | None = None,
) -> PairedTest:
    """Return the test of a difference from the row influences on it; identical rankings have p = 1.

    The statistic is referred to the normal distribution, or, where the classes `y` of the rows are given, to Student's
    t with Satterthwaite's degrees of freedom over the classes.
    """
    n, known = len(codes), len(np.unique(codes))
    se = math.sqrt(float(auc.clustered_covariance(influence, codes)[0, 0]))
    if se < NO_VARIANCE:
        if abs(difference) < NO_VARIANCE:
            return PairedTest(Estimate(0.0, None, None, f"{method}; the models rank alike", n, known), 0.0, PValue(1))
        reason = f"{method}; no test: the difference has no variance"
        return PairedTest(Estimate(difference, None, None, reason, n, known), None, None)
    df = math.inf if y is None else degrees_of_freedom(influence, y, codes)
    z, half = difference / se, quantile(level, df) * se
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    p = PValue(min(1.0, 2 * float(ndtr(-abs(z)) if math.isinf(df) else stdtr(df, -abs(z)))))
    return PairedTest(Estimate(difference, low, high, method, n, known), float(z), p)


def macro_test(
    y_true: ArrayLike, first: ArrayLike, second: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> PairedTest:
    """Return the paired test of two macro AUCs: influences on all classes added, then summed by patient.

    Student's t, since the normal distribution rejects too often in small cohorts (measured at 51 rows: .073 in place of
    .05, with t .049). Of two classes it is `delong_test`, for there is only one AUC.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    first, second : array-like, shape (n, K)
    patients : array-like, shape (n,), optional
    level : float
    """
    y, codes = np.asarray(y_true, dtype=np.intp), auc.patient_codes(patients, np.shape(first)[0])
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if absent := auc.absent_classes(y, one.shape[1]):
        reason = f"no test: class {absent[0]} has no AUC here"
        return PairedTest(Estimate.without(reason, len(y), len(np.unique(codes))), None, None)
    (a, of_a), (b, of_b) = auc.class_influences(y, one, codes), auc.class_influences(y, two, codes)
    return macro_difference(a - b, of_a - of_b, y, codes, level)


def macro_difference(
    differences: Floats, influences: Floats, y: NDArray[np.intp], codes: NDArray[np.intp], level: float
) -> PairedTest:
    """Return the test of the mean of K differences, shape (K,), from the influences on them, shape (K, n)."""
    mean, influence = float(differences.mean()), influences.mean(axis=0)
    if len(differences) == 2:
        return class_difference(mean, influence, y == 1, codes, level)
    if reason := auc.too_few_of_a_class(y, len(differences), codes, "test"):
        return PairedTest(Estimate(mean, None, None, reason, len(codes), len(np.unique(codes))), None, None)
    return influence_test(mean, influence, codes, MACRO_METHOD, level, y)


def holm(p_values: Sequence[float | None]) -> list[PValue | None]:
    """Return Holm's (1979) adjusted p values of one family; None (no test) stays None and does not count.

    >>> holm([0.01, 0.04, 0.03, None])
    [0.03, 0.06, 0.06, None]
    """
    known = [(PValue(p), i) for i, p in enumerate(p_values) if p is not None]
    result: list[PValue | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        result[i] = PValue(highest)
    return result


def bootstrap_p(values: Floats) -> PValue | None:
    """Return the two-sided p of a resampled difference: twice the smaller tail, each with one more; at most 1."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    tail = min((known <= 0).sum(), (known >= 0).sum())
    return PValue(min(1.0, 2 * (tail + 1) / (len(known) + 1)))


def permutation_p(
    y_true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    patients: ArrayLike | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> PValue | None:
    """Return the paired permutation p of two macro AUCs: the models' ranks are swapped, patient by patient.

    Scores become ranks per model and class first, so that models on other scales are exchangeable. With z = -1 for a
    patient whose models are swapped and +1 for the others, the difference of the two mixed AUCs is linear in z: the
    quadratic terms of the pairs cancel, and a row's coefficient is the difference of its two placements among the rows
    of both models. All permutations are then one matrix product.

    Parameters
    ----------
    y_true : array-like of int, shape (n,)
    first, second : array-like, shape (n, K)
    patients : array-like, shape (n,), optional
    permutations : int
    seed : int

    Returns
    -------
    PValue or None
        The observed difference counts as one permutation; None where a class has fewer than three patients.
    """
    y, one, two = np.asarray(y_true, dtype=np.intp), np.asarray(first, float), np.asarray(second, float)
    codes = auc.patient_codes(patients, len(y))
    if auc.absent_classes(y, one.shape[1]) or auc.too_few_of_a_class(y, one.shape[1], codes):
        return None
    rows = sum(_swap_effects(y == k, one[:, k], two[:, k]) for k in range(one.shape[1]))
    effects = np.bincount(codes, weights=rows)
    limit, at_least = abs(effects.sum()) - SAME_DIFFERENCE, 1
    size = max(1, CHUNK_CELLS // len(effects))
    for block, start in enumerate(range(0, permutations, size)):
        signs = _signs(len(effects), min(size, permutations - start), seed + 1_000_003 * block)
        at_least += int((np.abs(signs @ effects) >= limit).sum())
    return PValue(at_least / (permutations + 1))


@lru_cache(maxsize=4)
def _signs(patients: int, permutations: int, seed: int) -> Floats:
    """Return -1 for the swapped and +1 for the other patients, shape (permutations, patients)."""
    drawn = np.random.default_rng(seed).integers(2, size=(permutations, patients), dtype=np.int8)
    return np.asarray(drawn * 2.0 - 1.0, dtype=float)


def _swap_effects(cases: NDArray[np.bool_], first: Floats, second: Floats) -> Floats:
    """Return the coefficient of each row in the difference of AUCs under swaps, shape (n,); they add up to it."""
    ranks = np.r_[rankdata(first), rankdata(second)]
    _, of_cases, of_others = auc.placements(np.r_[cases, cases], ranks)
    m, others = int(cases.sum()), int((~cases).sum())
    result = np.empty(len(cases))
    result[cases] = (of_cases[0, :m] - of_cases[0, m:]) / m
    result[~cases] = (of_others[0, :others] - of_others[0, others:]) / others
    return result
