"""Empirical Bayes estimates of one batch's location and scale (ComBat; Johnson 2007, supplementary equations).

In all functions `standard` holds the standardised rows of one batch, shape (n_rows, n_features): without a batch
effect its columns have mean 0 and variance 1.
"""

from __future__ import annotations

import numpy as np

_CONVERGED = 1e-12  # largest change of an estimate at which the iteration ends, in SD units
_MOST_ROUNDS = 10_000


def shrink(
    standard: np.ndarray, scaled: np.ndarray, parametric: bool, empirical_bayes: bool, mean_only: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Location gamma and variance ratio delta of one batch, each of shape (n_features,).

    Parameters
    ----------
    standard : ndarray of shape (n_rows, n_features)
    scaled : ndarray of bool of shape (n_features,)
        False for a feature without pooled variance: it gets its plain location, and no part in the priors.
    parametric, empirical_bayes, mean_only : bool
        As in `ComBat`. A batch of one row is treated as `mean_only`.
    """
    gamma = standard.mean(axis=0)
    location_only = mean_only or len(standard) == 1
    delta = np.ones_like(gamma) if location_only else standard.var(axis=0, ddof=1)
    delta[~scaled | (delta <= 0)] = 1.0
    if not empirical_bayes or scaled.sum() < 2:
        return gamma, delta
    part = standard[:, scaled]
    if not parametric:
        gamma[scaled], delta[scaled] = _nonparametric(part, gamma[scaled], delta[scaled])
    elif location_only:
        spread = gamma[scaled].var(ddof=1)
        gamma[scaled] = _location(gamma[scaled], 1, 1.0, gamma[scaled].mean(), spread)
    else:
        gamma[scaled], delta[scaled] = _parametric(part, gamma[scaled], delta[scaled])
    return gamma, delta


def _location(
    gamma: np.ndarray, n: int, delta: np.ndarray | float, prior_mean: float, prior_variance: float
) -> np.ndarray:
    """Posterior mean of gamma under a normal prior."""
    return (n * prior_variance * gamma + delta * prior_mean) / (n * prior_variance + delta)


def _parametric(standard: np.ndarray, gamma: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior modes under a normal prior on gamma and an inverse gamma prior on delta, by alternation."""
    n, prior_mean, prior_variance = len(standard), gamma.mean(), gamma.var(ddof=1)
    squares = ((standard - gamma) ** 2).sum(axis=0)
    mean, variance = delta.mean(), delta.var(ddof=1)
    if variance <= _CONVERGED * mean**2:  # all features spread alike: the prior is a point
        return _location(gamma, n, delta, prior_mean, prior_variance), delta
    shape, scale = 2 + mean**2 / variance, mean + mean**3 / variance
    location, ratio = gamma, delta
    for _ in range(_MOST_ROUNDS):
        new_location = _location(gamma, n, ratio, prior_mean, prior_variance)
        total = squares + n * (gamma - new_location) ** 2
        new_ratio = (total / 2 + scale) / (n / 2 + shape - 1)
        change = max(np.abs(new_location - location).max(), np.abs(new_ratio / ratio - 1).max())
        location, ratio = new_location, new_ratio
        if change < _CONVERGED:
            break
    return location, ratio


def _nonparametric(standard: np.ndarray, gamma: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means where the prior is the (gamma, delta) of the other features.

    The weight of feature k for feature g is the likelihood of g's rows under a normal of mean gamma_k, variance
    delta_k, in logarithms because n rows of it underflow.
    """
    n = len(standard)
    within = ((standard - gamma) ** 2).sum(axis=0)
    squares = within[:, None] + n * (gamma[:, None] - gamma[None, :]) ** 2
    log_weight = -n / 2 * np.log(2 * np.pi * delta)[None, :] - squares / (2 * delta[None, :])
    np.fill_diagonal(log_weight, -np.inf)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return weight @ gamma, weight @ delta
