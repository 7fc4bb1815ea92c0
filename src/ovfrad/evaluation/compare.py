"""Two models on the same rows: DeLong per class, joint z for the macro AUC, paired bootstrap, permutation (F3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from ovfrad.evaluation import auc
from ovfrad.evaluation.auc import NO_VARIANCE
from ovfrad.evaluation.bootstrap import CHUNK_CELLS, Counts, Resamples, percentile, weighted_auc
from ovfrad.evaluation.estimate import Estimate, PValue, quantile_of_normal
from ovfrad.evaluation.summary import nested
from ovfrad.evaluation.tables import IDENTITY, Predictions, arrays

Floats = NDArray[np.float64]
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
    method = "cluster-robust DeLong"
    return _z_test(values[0] - values[1], influences[0] - influences[1], codes, method, level)


def _z_test(difference: float, influence: Floats, codes: NDArray[np.intp], method: str, level: float) -> PairedTest:
    """Return the z test of a difference from the row influences on it; identical rankings have p = 1."""
    n, known = len(codes), len(np.unique(codes))
    se = math.sqrt(float(auc.clustered_covariance(influence, codes)[0, 0]))
    if se < NO_VARIANCE:
        if abs(difference) < NO_VARIANCE:
            return PairedTest(Estimate(0.0, None, None, f"{method}; the models rank alike", n, known), 0.0, PValue(1))
        reason = f"{method}; no test: the difference has no variance"
        return PairedTest(Estimate(difference, None, None, reason, n, known), None, None)
    z, half = difference / se, quantile_of_normal(level) * se
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    p = PValue(min(1.0, 2 * float(ndtr(-abs(z)))))
    return PairedTest(Estimate(difference, low, high, method, n, known), float(z), p)


def macro_test(
    y_true: ArrayLike, first: ArrayLike, second: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95
) -> PairedTest:
    """Return the paired z test of two macro AUCs: influences on all classes added, then summed by patient.

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
    influence = (of_a - of_b).mean(axis=0)
    return _z_test(float(a.mean() - b.mean()), influence, codes, "joint z, cluster-robust influence", level)


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


def _aligned(first: pd.DataFrame, second: pd.DataFrame, ranking_only: bool) -> tuple[Predictions, Predictions]:
    """Return both models' arrays on the same rows in the same order."""
    keys = [c for c in ("patient_id", "vertebra") if c in first.columns and c in second.columns]
    one, two = (t.astype(dict.fromkeys(keys, str)) for t in (first, second))
    one, two = (t.sort_values(keys, kind="stable").reset_index(drop=True) for t in (one, two))
    if len(one) != len(two) or not (one[keys] == two[keys]).all(axis=None):
        raise ValueError(f"two models are compared on the same rows; got {len(one)} and {len(two)} with other keys.")
    a, b = arrays(one, ranking_only), arrays(two, ranking_only)
    if a.classes != b.classes or not (a.y == b.y).all():
        raise ValueError("two models are compared on the same outcome; y_true or the number of classes differ.")
    return a, b


def _bootstrap(a: Predictions, b: Predictions, resamples: int, seed: int) -> dict[str, Floats]:
    """Return resampled differences of each class AUC and of the macro AUC, each of shape (resamples,)."""

    def differences(weights: Counts) -> dict[str, Floats]:
        by_class = {
            f"class_auc.{k}": weighted_auc(a.y == k, a.p[:, k], weights) - weighted_auc(a.y == k, b.p[:, k], weights)
            for k in range(a.classes)
        }
        return by_class | {"macro_auc": np.mean(list(by_class.values()), axis=0)}

    return Resamples(a.patients, resamples, seed).apply(differences)


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
        The observed difference counts as one permutation; None where a class is absent.
    """
    y, one, two = np.asarray(y_true, dtype=np.intp), np.asarray(first, float), np.asarray(second, float)
    if auc.absent_classes(y, one.shape[1]):
        return None
    codes = auc.patient_codes(patients, len(y))
    rows = sum(_swap_effects(y == k, one[:, k], two[:, k]) for k in range(one.shape[1]))
    effects = np.bincount(codes, weights=rows)
    rng, size, at_least = np.random.default_rng(seed), max(1, CHUNK_CELLS // len(effects)), 1
    limit = abs(effects.sum()) - SAME_DIFFERENCE
    for start in range(0, permutations, size):
        signs = 2 * rng.integers(2, size=(min(size, permutations - start), len(effects)), dtype=np.int8) - 1
        at_least += int((np.abs(signs @ effects) >= limit).sum())
    return PValue(at_least / (permutations + 1))


def _swap_effects(cases: NDArray[np.bool_], first: Floats, second: Floats) -> Floats:
    """Return the coefficient of each row in the difference of AUCs under swaps, shape (n,); they add up to it."""
    ranks = np.r_[rankdata(first), rankdata(second)]
    _, of_cases, of_others = auc.placements(np.r_[cases, cases], ranks)
    m, others = int(cases.sum()), int((~cases).sum())
    result = np.empty(len(cases))
    result[cases] = (of_cases[0, :m] - of_cases[0, m:]) / m
    result[~cases] = (of_others[0, :others] - of_others[0, others:]) / others
    return result


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    *,
    permutations: int = 0,
    ranking_only: bool = False,
) -> dict[str, Any]:
    """Return the differences in AUC of two prediction tables over the same rows (first less second).

    Parameters
    ----------
    first, second : DataFrame
        One model in one cohort each; see `tables`.
    resamples : int
        Paired bootstrap resamples of patients.
    level : float
    seed : int
    permutations : int
        Of the paired permutation test of the macro AUC; 0 leaves it out.
    ranking_only : bool

    Returns
    -------
    dict
        JSON-safe. `macro_auc` and `class_auc.<k>`: `estimate` (difference), `low, high, method, n, n_patients,
        statistic, p, p_bootstrap`; classes also `p_holm` over the K class tests. `bootstrap.*`: the percentile
        intervals of the same differences. `first`, `second`: what identifies the tables. `permutation_p`.
    """
    a, b = _aligned(first, second, ranking_only)
    classes = range(a.classes)
    tests = [delong_test(a.y == k, a.p[:, k], b.p[:, k], a.patients, level) for k in classes]
    flat = {f"class_auc.{k}": test.as_dict() for k, test in enumerate(tests)}
    for k, p in enumerate(holm([test.p for test in tests])):
        flat[f"class_auc.{k}"]["p_holm"] = p
    flat["macro_auc"] = macro_test(a.y, a.p, b.p, a.patients, level).as_dict()
    values, beside = _bootstrap(a, b, resamples, seed), {}
    for name, result in flat.items():
        result["p_bootstrap"] = bootstrap_p(values[name])
        interval = percentile(values[name], result["estimate"], a.n, a.n_patients, level, "paired patient bootstrap")
        beside[name] = interval.as_dict()
    swapped = permutation_p(a.y, a.p, b.p, a.patients, permutations, seed) if permutations else None
    return nested(flat) | {
        "bootstrap": nested(beside),
        "permutation_p": swapped,
        "first": _identity(first),
        "second": _identity(second),
    }


def _identity(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns that tell a table apart, with their one value."""
    return {name: str(table[name].iloc[0]) for name in IDENTITY if name in table.columns}
