"""Proportional-odds model by maximum likelihood, and Brant's test of its assumption (METHODS H2).

logit P(class >= k) = x . coefficients - threshold_k, k = 1 .. K-1 (McCullagh P, J R Stat Soc B 1980;42:109-142). Signs
and thresholds are those of R's MASS::polr; for K = 2 it is logistic regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit
from scipy.stats import chi2

Floats = NDArray[np.float64]
MOST_STEPS = 100
GRADIENT = 1e-8
"""Largest gradient entry per row, standardised columns, at which Newton's method stops."""
SEPARATED = 15.0
"""Slope per SD above which classes are taken as separated: the odds ratio of one SD would exceed three million."""
RIDGE = 1.0
"""Penalty on squared standardised slopes where classes are separated: a normal prior of SD 1."""


@dataclass(frozen=True, eq=False)
class ProportionalOdds:
    """A fitted proportional-odds model.

    Parameters
    ----------
    names : tuple of str
        The p columns.
    coefficients : ndarray of shape (p,)
        Log odds ratio of a higher class per unit.
    thresholds : ndarray of shape (K - 1,)
        Increasing.
    covariance : ndarray of shape (p + K - 1, p + K - 1)
        Of coefficients and thresholds, from the observed information.
    log_likelihood, null_log_likelihood : float
        With these columns and with none; without the penalty.
    n : int
        Rows.
    penalty : float
        0; `RIDGE` where classes were separated and no finite maximum exists.
    """

    names: tuple[str, ...]
    coefficients: Floats
    thresholds: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    n: int
    penalty: float

    def linear_predictor(self, X: ArrayLike) -> Floats:
        """X . coefficients, shape (n,)."""
        return np.asarray(X, dtype=np.float64) @ self.coefficients

    def cumulative(self, linear_predictor: ArrayLike) -> Floats:
        """P(class >= k) for k = 1 .. K-1, shape (n, K - 1)."""
        return expit(np.asarray(linear_predictor, dtype=np.float64)[..., None] - self.thresholds)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probability of each class, shape (n, K)."""
        return class_probabilities(self.cumulative(self.linear_predictor(X)))

    def standard_errors(self) -> Floats:
        """Of the coefficients, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))[: len(self.names)]

    def likelihood_ratio(self) -> tuple[float, int, float]:
        """Statistic, degrees of freedom and p value of all columns together."""
        statistic = max(2.0 * (self.log_likelihood - self.null_log_likelihood), 0.0)
        return statistic, len(self.names), float(chi2.sf(statistic, len(self.names)))


def class_probabilities(cumulative: Floats) -> Floats:
    """P(class >= 1 .. K-1), shape (n, K - 1), to P(class = 0 .. K-1), shape (n, K)."""
    edges = np.ones((*cumulative.shape[:-1], 1))
    return -np.diff(np.concatenate([edges, cumulative, 0 * edges], axis=-1), axis=-1)


def fit_proportional_odds(
    X: ArrayLike, y: ArrayLike, names: Sequence[str] | None = None, n_classes: int | None = None
) -> ProportionalOdds:
    """Fit by Newton's method on standardised columns; the log-likelihood is concave (Pratt, JASA 1981;76:103-106).

    Parameters
    ----------
    X : array of shape (n, p)
        No constant column, no gaps.
    y : array of shape (n,)
        Codes 0 .. K-1, every class present.
    names : sequence of str, optional
        Of the columns; default x1 .. xp.
    n_classes : int, optional
        K; default the largest code + 1.

    Returns
    -------
    ProportionalOdds

    Examples
    --------
    >>> model = fit_proportional_odds([[0], [0], [0], [1], [1], [1]], [0, 0, 1, 0, 1, 1])
    >>> model.coefficients.round(4).tolist()  # odds ratio 4
    [1.3863]
    >>> fit_proportional_odds([[0], [1]], [0, 0])
    Traceback (most recent call last):
    ValueError: an ordinal model needs rows of every class; found {0: 2} of 2 classes
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y).astype(int)
    names = tuple(names) if names is not None else tuple(f"x{j + 1}" for j in range(X.shape[1]))
    K = max(int(y.max(initial=0)) + 1, 2) if n_classes is None else n_classes
    _check(X, y, names, K)
    mean, sd = X.mean(axis=0), X.std(axis=0)
    Z = (X - mean) / sd
    null = _newton(Z[:, :0], y, K, 0.0)
    penalty, fitted = 0.0, _newton(Z, y, K, 0.0)
    if fitted is None:
        penalty, fitted = RIDGE, _newton(Z, y, K, RIDGE)
    if fitted is None or null is None:
        raise ValueError(f"the ordinal model of {', '.join(names)} found no maximum in {MOST_STEPS} steps")
    parameters, information, likelihood = fitted
    p = len(names)
    back = np.eye(p + K - 1)  # standardised parameters -> those of X
    back[:p, :p] /= sd
    back[p:, :p] = mean / sd
    final = back @ parameters
    covariance = back @ np.linalg.inv(information) @ back.T
    return ProportionalOdds(names, final[:p], final[p:], covariance, likelihood, null[2], len(y), penalty)


def _check(X: Floats, y: NDArray[np.int_], names: tuple[str, ...], K: int) -> None:
    found, counts = np.unique(y, return_counts=True)
    if found.tolist() != list(range(K)):
        had = dict(zip(found.tolist(), counts.tolist(), strict=True))
        raise ValueError(f"an ordinal model needs rows of every class; found {had} of {K} classes")
    if X.shape != (len(y), len(names)) or not np.isfinite(X).all():
        raise ValueError(f"an ordinal model needs finite columns, one per name and one row per case, not {X.shape}")
    constant = [name for name, spread in zip(names, np.ptp(X, axis=0), strict=True) if spread == 0]
    if constant:
        raise ValueError(f"columns without variation: {', '.join(constant)}")
    if np.linalg.matrix_rank(np.c_[np.ones(len(X)), (X - X.mean(axis=0)) / X.std(axis=0)]) <= X.shape[1]:
        raise ValueError(f"the columns {', '.join(names)} follow from one another; leave one out")


def _newton(Z: Floats, y: NDArray[np.int_], K: int, penalty: float) -> tuple[Floats, Floats, float] | None:
    """Parameters, information and log-likelihood at the maximum; None where slopes run away."""
    p = Z.shape[1]
    shares = np.cumsum(np.bincount(y, minlength=K))[:-1] / len(y)
    parameters = np.r_[np.zeros(p), np.log(shares / (1 - shares))]
    value, gradient, information = _likelihood(parameters, Z, y, penalty)
    for _ in range(MOST_STEPS):
        if np.abs(gradient).max() <= GRADIENT * len(y):
            return parameters, information, _likelihood(parameters, Z, y, 0.0)[0]
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        for shrink in 0.5 ** np.arange(30):
            trial = _likelihood(parameters + shrink * step, Z, y, penalty)
            if trial[0] > value - 1e-12 * abs(value):
                break
        parameters = parameters + shrink * step
        value, gradient, information = trial
        if not np.isfinite(value) or (penalty == 0 and np.abs(parameters[:p]).max(initial=0.0) > SEPARATED):
            return None
    return None


def _likelihood(parameters: Floats, Z: Floats, y: NDArray[np.int_], penalty: float) -> tuple[float, Floats, Floats]:
    """Penalised log-likelihood, its gradient and the information (minus its second derivatives)."""
    p = Z.shape[1]
    slopes, thresholds = parameters[:p], parameters[p:]
    empty = np.zeros((len(parameters), len(parameters)))
    if (np.diff(thresholds) <= 0).any():
        return -np.inf, parameters * 0, empty
    ends = np.r_[-np.inf, thresholds, np.inf]
    eta = Z @ slopes
    upper, lower = ends[y + 1] - eta, ends[y] - eta
    log_p = log_expit(upper) + log_expit(-lower) + np.log1p(-np.exp(lower - upper))
    F, G, P = expit(upper), expit(lower), np.exp(log_p)
    f, g = F * (1 - F) / P, G * (1 - G) / P
    marks = np.eye(len(thresholds) + 2)[:, 1:-1]
    A, B = np.c_[-Z, marks[y + 1]], np.c_[-Z, marks[y]]
    gradient = A.T @ f - B.T @ g
    cross = A.T @ ((f * g)[:, None] * B)
    second = A.T @ ((f * (1 - 2 * F) - f**2)[:, None] * A) - B.T @ ((g * (1 - 2 * G) + g**2)[:, None] * B)
    ridge = np.r_[np.full(p, penalty), np.zeros(len(thresholds))]
    value = float(log_p.sum() - 0.5 * penalty * slopes @ slopes)
    return value, gradient - ridge * parameters, np.diag(ridge) - second - cross - cross.T


@dataclass(frozen=True, eq=False)
class BrantTest:
    """Test of the hypothesis that the slopes of P(class >= k) are the same for all k.

    Parameters
    ----------
    statistic, p_value : float
        Wald chi-square of all columns together; NaN where it could not be computed.
    df : int
    by_column : DataFrame
        Index the columns; `statistic`, `df`, `p_value`, and `slope_1` .. `slope_<K-1>` of the binary models.
    note : str
        Why it could not be computed, or empty.
    """

    statistic: float
    df: int
    p_value: float
    by_column: pd.DataFrame
    note: str = ""


def brant_test(X: ArrayLike, y: ArrayLike, names: Sequence[str] | None = None) -> BrantTest:
    """Brant's test of proportional odds (Biometrics 1990;46:1171-1178).

    Parameters
    ----------
    X : array of shape (n, p)
    y : array of shape (n,)
        Codes 0 .. K-1, K >= 3.
    names : sequence of str, optional

    Returns
    -------
    BrantTest
        With NaN and a note where a binary model has separated classes.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y).astype(int)
    K, p = int(y.max()) + 1, X.shape[1]
    if K < 3:
        raise ValueError("with two classes there is no proportionality to test")
    binary = [fit_proportional_odds(X, y >= k, names) for k in range(1, K)]
    slopes = pd.DataFrame(
        {f"slope_{k}": model.coefficients for k, model in enumerate(binary, start=1)}, index=list(binary[0].names)
    )
    if any(model.penalty for model in binary):
        note = "not tested: a column separates classes without overlap"
        return BrantTest(np.nan, (K - 2) * p, np.nan, slopes, note)
    covariance = _joint_covariance(X, binary)
    beta = np.concatenate([model.coefficients for model in binary])
    contrast = np.hstack([np.kron(np.ones((K - 2, 1)), np.eye(p)), -np.eye((K - 2) * p)])
    gap, spread = contrast @ beta, contrast @ covariance @ contrast.T
    rows = [_wald(gap[j::p], spread[j::p, j::p]) for j in range(p)]
    by_column = pd.DataFrame(rows, columns=["statistic", "df", "p_value"], index=slopes.index).join(slopes)
    return BrantTest(*_wald(gap, spread), by_column)


def _wald(gap: Floats, covariance: Floats) -> tuple[float, int, float]:
    statistic = float(gap @ np.linalg.lstsq(covariance, gap, rcond=None)[0])
    return statistic, len(gap), float(chi2.sf(statistic, len(gap)))


def _joint_covariance(X: Floats, binary: Sequence[ProportionalOdds]) -> Floats:
    """Covariance of the slopes of all binary models, fitted to the same rows; shape ((K-1) p, (K-1) p)."""
    design = np.c_[np.ones(len(X)), X]
    prob = [model.predict_proba(X)[:, 1] for model in binary]
    inverse = [np.linalg.inv(design.T @ ((q * (1 - q))[:, None] * design)) for q in prob]
    blocks = [[np.empty(0)] * len(binary) for _ in binary]
    for low, q_low in enumerate(prob):
        for high in range(low, len(prob)):
            weight = prob[high] * (1 - q_low)  # P(class >= high) - P(class >= high) P(class >= low)
            block = inverse[low] @ (design.T @ (weight[:, None] * design)) @ inverse[high]
            blocks[low][high], blocks[high][low] = block[1:, 1:], block[1:, 1:].T
    return np.block(blocks)
