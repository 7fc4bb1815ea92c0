"""Areas under the ROC curve with cluster-robust intervals (F1, F2).

AUC and its structural components come from midranks (DeLong, DeLong and Clarke-Pearson 1988; Sun and Xu 2014).
The component of each row is kept as its influence on the AUC, and influences are summed by patient before they are
squared, as Obuchowski (1997) does for clustered ROC data. With one row a patient this is DeLong's variance exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.intervals import degrees_of_freedom, logit_interval, newcombe_interval, newcombe_variance

Floats = NDArray[np.float64]
SMALL = 20
"""Below this many patients among cases or non-cases Newcombe's method 5 replaces DeLong's too small variance (F2)."""
MIDDLE = 40
"""Below this many the variance is the mean of DeLong's and Newcombe's: DeLong's alone is too unsteady at a high AUC."""
NO_VARIANCE = 1e-14
"""A standard error below this is rounding: all rows have the same influence."""
FEWEST = 3
"""With fewer patients than this among cases or among non-cases no interval is given (F2)."""


def placements(cases: NDArray[np.bool_], scores: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return AUCs and placement values (structural components) of one or more scores, ties counted one half.

    Parameters
    ----------
    cases : ndarray of bool, shape (n,)
    scores : array-like, shape (n,) or (models, n)

    Returns
    -------
    auc : ndarray, shape (models,)
    of_cases : ndarray, shape (models, m)
        Share of the non-cases that each case outranks, V10.
    of_others : ndarray, shape (models, n - m)
        Share of the cases that outrank each non-case, V01.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=float))
    m = int(cases.sum())
    others = len(cases) - m
    if m == 0 or others == 0:
        raise ValueError("an AUC needs at least one case and one non-case.")
    ranks = rankdata(table, axis=1)
    of_cases = (ranks[:, cases] - rankdata(table[:, cases], axis=1)) / others
    of_others = 1 - (ranks[:, ~cases] - rankdata(table[:, ~cases], axis=1)) / m
    return of_cases.mean(axis=1), of_cases, of_others


def auc(cases: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve, ties counted one half.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return float(placements(np.asarray(cases, dtype=bool), score)[0][0])


def influence(cases: NDArray[np.bool_], scores: ArrayLike, patients: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return AUCs and the influence of every row, scaled so that squared patient sums add up to the variance.

    The scale of each group is sqrt(I / (I - 1)) with I its number of patients (Obuchowski 1997).

    Parameters
    ----------
    cases : ndarray of bool, shape (n,)
    scores : array-like, shape (n,) or (models, n)
    patients : ndarray of int, shape (n,)
        Patient codes 0..J-1.

    Returns
    -------
    auc : ndarray, shape (models,)
    influences : ndarray, shape (models, n)
    """
    value, of_cases, of_others = placements(cases, scores)
    result = np.empty((len(value), len(cases)))
    for rows, components in ((cases, of_cases), (~cases, of_others)):
        clusters = len(np.unique(patients[rows]))
        scale = math.sqrt(clusters / (clusters - 1)) if clusters > 1 else 1.0
        result[:, rows] = scale * (components - value[:, None]) / rows.sum()
    return value, result


def clustered_covariance(influences: Floats, patients: NDArray[np.intp]) -> Floats:
    """Return the covariance of estimates from their row influences summed by patient.

    Parameters
    ----------
    influences : ndarray, shape (estimates, n)
    patients : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (estimates, estimates)
    """
    table = np.atleast_2d(influences)
    sums: Floats = np.array([np.bincount(patients, weights=row) for row in table], dtype=float)
    covariance: Floats = sums @ sums.T
    return covariance


def patient_codes(patients: ArrayLike | None, n: int) -> NDArray[np.intp]:
    """Return codes 0..J-1 of the patients of n rows; without patients every row is its own."""
    if patients is None:
        return np.arange(n)
    codes: NDArray[np.intp] = np.unique(np.asarray(patients), return_inverse=True)[1].ravel()
    return codes


def patient_counts(cases: NDArray[np.bool_], patients: NDArray[np.intp]) -> tuple[int, int]:
    """Return the number of patients among the cases and among the non-cases (one can be in both)."""
    return len(np.unique(patients[cases])), len(np.unique(patients[~cases]))


def too_few(cases: NDArray[np.bool_], patients: NDArray[np.intp], what: str = "interval") -> str | None:
    """Return why there is no interval (or no test, as `what` says), or None."""
    for found, name in zip(patient_counts(cases, patients), ("cases", "non-cases"), strict=True):
        if found < FEWEST:
            return f"no {what}: {found} patients among the {name}, fewer than {FEWEST}"
    return None


def too_few_of_a_class(
    y: NDArray[np.intp], classes: int, patients: NDArray[np.intp], what: str = "interval"
) -> str | None:
    """Return why nothing can be said of all classes together, or None."""
    for k in range(classes):
        if reason := too_few(y == k, patients, what):
            return f"{reason} of class {k}"
    return None


def class_auc(cases: ArrayLike, score: ArrayLike, patients: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Return the AUC of cases against the rest, with the interval F2 chooses.

    Sizes are counted in patients. Logit-DeLong with Student's t in Brunner and Munzel's degrees of freedom; where the
    smaller of cases and non-cases is below 40, with the mean of DeLong's and Newcombe's variance (measured at 23 cases
    of 187 and AUC .92: coverage .97 instead of .92 to .94); Newcombe's method 5 where it is below 20 or the AUC is 0 or
    1, without a design effect, which on so few is noise (measured on 13 cases of about 8 patients: coverage .94 to .96
    instead of .91 to .95); no interval below three patients in either group.

    Parameters
    ----------
    cases : array-like of bool, shape (n,)
    score : array-like, shape (n,)
        Higher means more likely a case.
    patients : array-like, shape (n,), optional
        Patient of each row; without it every row is its own.
    level : float

    Returns
    -------
    Estimate

    Examples
    --------
    >>> print(class_auc([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6]))
    1.00 (0.50 to 1.00; Newcombe method 5; n = 6 vertebrae of 6 patients)
    """
    y, codes = np.asarray(cases, dtype=bool), patient_codes(patients, np.size(score))
    n, known = len(y), len(np.unique(codes))
    m = int(y.sum())
    if m in (0, n):
        return Estimate.without(f"no AUC: {'no' if m == 0 else 'only'} cases among {n} rows", n, known)
    (value,), influences = influence(y, score, codes)
    if reason := too_few(y, codes):
        return Estimate(value, None, None, reason, n, known)
    if np.ptp(np.asarray(score, dtype=float)) == 0:
        return Estimate(value, None, None, "no interval: every row has the same score", n, known)
    sizes = patient_counts(y, codes)
    if min(sizes) < SMALL or value in (0.0, 1.0):
        low, high = newcombe_interval(value, *sizes, level)
        return Estimate(value, low, high, "Newcombe method 5", n, known)
    variance, method = float(clustered_covariance(influences, codes)[0, 0]), "cluster-robust DeLong, logit"
    if min(sizes) < MIDDLE:
        variance = (variance + newcombe_variance(value, *sizes)) / 2
        method = "cluster-robust DeLong and Newcombe, logit"
    df = degrees_of_freedom(influences[0], y.astype(np.intp), codes)
    return on_logit(value, math.sqrt(variance), method, n, known, level, df)


def on_logit(
    value: float, se: float, method: str, n: int, patients: int, level: float, df: float = math.inf
) -> Estimate:
    """Return a value between 0 and 1 with its logit interval, or without one where it has no variance."""
    if se < NO_VARIANCE:
        return Estimate(value, None, None, "no interval: no variance", n, patients)
    return Estimate(value, *logit_interval(value, se, level, df), method, n, patients)


def class_influences(y: NDArray[np.intp], probabilities: Floats, patients: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the K one-vs-rest AUCs, shape (K,), and the influence of each row on each, shape (K, n)."""
    pairs = [influence(y == k, probabilities[:, k], patients) for k in range(probabilities.shape[1])]
    return np.array([value[0] for value, _ in pairs]), np.concatenate([rows for _, rows in pairs])


def absent_classes(y: NDArray[np.intp], classes: int) -> list[int]:
    """Return the classes that no row has, or that every row has, so that their AUC does not exist."""
    counts = np.bincount(y, minlength=classes)
    return [k for k in range(classes) if counts[k] in (0, len(y))]
