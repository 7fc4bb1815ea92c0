"""Agreement of readers: intraclass correlation for features (C3), weighted kappa for items and classes (A3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri

from ovfrad.evaluation.auc import clustered_covariance, patient_codes
from ovfrad.evaluation.estimate import Estimate, quantile_of_normal

Floats = NDArray[np.float64]
IccKind = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
KINDS: tuple[IccKind, ...] = get_args(IccKind)


@dataclass(frozen=True, eq=False)
class Icc:
    """Intraclass correlations with their intervals, one of each feature.

    Attributes
    ----------
    estimate, low, high : ndarray, shape (features,)
        NaN where the readings of a feature do not vary at all.
    kind : str
        Shrout and Fleiss' name: "2,1" is absolute agreement of single readings by random readers.
    subjects, readers : int
    """

    estimate: Floats
    low: Floats
    high: Floats
    kind: str
    subjects: int
    readers: int


def icc(readings: ArrayLike, second: ArrayLike | None = None, kind: IccKind = "2,1", level: float = 0.95) -> Icc:
    """Return the intraclass correlation of each feature (Shrout and Fleiss 1979; McGraw and Wong 1996).

    Parameters
    ----------
    readings : array-like
        With `second`: the first reader's values, shape (n,) or (n, features). Alone: shape (n, k) or (n, k, features)
        for n subjects and k readers.
    second : array-like, optional
        The second reader's values, same shape as `readings`.
    kind : {"1,1", "2,1", "3,1", "1,k", "2,k", "3,k"}
        1 one-way, 2 two-way random absolute agreement, 3 two-way mixed consistency; of single readings or of the mean.
    level : float

    Returns
    -------
    Icc

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> float(icc(judges, kind="2,1").estimate[0].round(2))
    0.29
    """
    if kind not in KINDS:
        raise ValueError(f"the kind of an ICC is one of {', '.join(KINDS)}; got {kind!r}.")
    values = _readings(readings, second)
    n, k, _ = values.shape
    squares = _mean_squares(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        single, low, high = _SINGLE[kind[0]](n, k, *squares, (1 - level) / 2)
        perfect = (squares[1] > 0) & (squares[0] <= 1e-24 * squares[1])  # the readers never differ
        single, low, high = (np.where(perfect, 1.0, limit) for limit in (single, low, high))
        if kind[2] == "k":
            single, low, high = (k * limit / (1 + (k - 1) * limit) for limit in (single, low, high))
    return Icc(single, low, high, kind, n, k)


def _readings(readings: ArrayLike, second: ArrayLike | None) -> Floats:
    """Return values as (subjects, readers, features)."""
    first = np.asarray(readings, dtype=float)
    if second is not None:
        other = np.asarray(second, dtype=float)
        if first.shape != other.shape:
            raise ValueError(f"two readers need tables of one shape; got {first.shape} and {other.shape}.")
        first = np.stack([first, other], axis=1)
    if first.ndim == 2:
        first = first[:, :, None]
    if first.ndim != 3 or first.shape[0] < 2 or first.shape[1] < 2:
        raise ValueError(f"an ICC needs at least two subjects and two readers; got shape {first.shape}.")
    if not np.isfinite(first).all():
        raise ValueError(f"{int((~np.isfinite(first)).sum())} readings are missing or infinite.")
    return first


def _mean_squares(values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the mean squares within subjects, between subjects, between readers and of the residual; (features,)."""
    n, k, _ = values.shape
    grand = values.mean(axis=(0, 1))
    subjects, readers = values.mean(axis=1), values.mean(axis=0)
    between = k * ((subjects - grand) ** 2).sum(axis=0) / (n - 1)
    of_readers = n * ((readers - grand) ** 2).sum(axis=0) / (k - 1)
    within = ((values - subjects[:, None]) ** 2).sum(axis=(0, 1)) / (n * (k - 1))
    rest = values - subjects[:, None] - readers[None] + grand
    residual = (rest**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    return within, between, of_readers, residual


def _one_way(
    n: int, k: int, within: Floats, between: Floats, of_readers: Floats, residual: Floats, tail: float
) -> tuple[Floats, Floats, Floats]:
    """ICC(1,1) = (MSB - MSW) / (MSB + (k - 1) MSW)."""
    return _from_f(between / within, n - 1, n * (k - 1), k, tail)


def _consistency(
    n: int, k: int, within: Floats, between: Floats, of_readers: Floats, residual: Floats, tail: float
) -> tuple[Floats, Floats, Floats]:
    """ICC(3,1) = (MSB - MSE) / (MSB + (k - 1) MSE)."""
    return _from_f(between / residual, n - 1, (n - 1) * (k - 1), k, tail)


def _from_f(ratio: Floats, upper_df: float, lower_df: float, k: int, tail: float) -> tuple[Floats, Floats, Floats]:
    """Return (F - 1) / (F + k - 1) for the observed F and for its two limits."""
    limits = (ratio, ratio / fdtri(upper_df, lower_df, 1 - tail), ratio * fdtri(lower_df, upper_df, 1 - tail))
    value, low, high = ((f - 1) / (f + k - 1) for f in limits)
    return value, low, high


def _absolute(
    n: int, k: int, within: Floats, between: Floats, of_readers: Floats, residual: Floats, tail: float
) -> tuple[Floats, Floats, Floats]:
    """ICC(2,1) = (MSB - MSE) / (MSB + (k - 1) MSE + k (MSR - MSE) / n), limits by Satterthwaite's df."""
    value = (between - residual) / (between + (k - 1) * residual + k * (of_readers - residual) / n)
    f_readers = of_readers / residual
    share = n * (1 + (k - 1) * value) - k * value
    top = (k - 1) * (n - 1) * (k * value * f_readers + share) ** 2
    df = top / ((n - 1) * k**2 * value**2 * f_readers**2 + share**2)
    upper, lower = fdtri(n - 1, df, 1 - tail), fdtri(df, n - 1, 1 - tail)
    rest = k * of_readers + (k * n - k - n) * residual
    low = n * (between - upper * residual) / (upper * rest + n * between)
    high = n * (lower * between - residual) / (rest + n * lower * between)
    return value, low, high


_SINGLE = {"1": _one_way, "2": _absolute, "3": _consistency}


def weighted_kappa(
    first: ArrayLike,
    second: ArrayLike,
    weights: Literal["linear", "quadratic"] = "quadratic",
    patients: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return Cohen's weighted kappa of two readers' codes with its interval.

    The variance is the sum of squared influences, by patient where given; without patients that is the large-sample
    variance of Fleiss, Cohen and Everitt (1969).

    Parameters
    ----------
    first, second : array-like of int, shape (n,)
        Ordered codes.
    weights : {"linear", "quadratic"}
        Disagreement grows with the distance of the codes or with its square.
    patients : array-like, shape (n,), optional
    level : float

    Returns
    -------
    Estimate

    Examples
    --------
    >>> round(weighted_kappa([0, 1, 2, 1, 0], [0, 1, 2, 2, 0]).estimate, 3)
    0.857
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(f"weighted kappa needs two equally long lists of codes; got shapes {a.shape} and {b.shape}.")
    if weights not in ("linear", "quadratic"):
        raise ValueError(f"kappa weights are linear or quadratic; got {weights!r}.")
    power = 1 if weights == "linear" else 2
    codes, inverse = np.unique(np.r_[a, b], return_inverse=True)
    one, two = inverse[: len(a)], inverse[len(a) :]
    distance = np.abs(codes[:, None] - codes[None, :]) ** power
    share_one, share_two = (np.bincount(i, minlength=len(codes)) / len(a) for i in (one, two))
    seen, expected = distance[one, two].mean(), float(share_one @ distance @ share_two)
    clusters = patient_codes(patients, len(a))
    n, known = len(a), len(np.unique(clusters))
    if expected == 0:
        return Estimate.without("kappa does not exist: both readers gave one and the same code throughout", n, known)
    value = 1 - seen / expected
    of_expected = (distance @ share_two)[one] + (share_one @ distance)[two] - 2 * expected
    rows = (-(distance[one, two] - seen) + seen / expected * of_expected) / expected / n
    se = float(np.sqrt(clustered_covariance(rows, clusters)[0, 0]))
    name = f"{weights} weighted kappa"
    if se == 0:
        return Estimate(value, None, None, f"{name}; no interval: no variance", n, known)
    half = quantile_of_normal(level) * se
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half), f"{name}, large-sample", n, known)
