"""Which rows stand for "not known" in SHAP, and which cases are explained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_MEMBERS = 3
"""Training rows behind every background row: none is a patient (METHODS I1)."""


def kmeans_background(X: NDArray[np.float64], most: int = 20, random_state: int = 0) -> NDArray[np.float64]:
    """Return k-means centres of the training features, each the mean of at least three rows.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Training rows as the model sees them.
    most : int
        Largest number of centres.
    random_state : int

    Returns
    -------
    ndarray of shape (m, p), m <= most
        Rows of smaller clusters count with the nearest larger one.

    Examples
    --------
    >>> kmeans_background(np.array([[0.0], [0.1], [0.2], [9.0]]), most=2).round(3).tolist()
    [[2.325]]
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin

    X = np.asarray(X, dtype=np.float64)
    k = min(most, len(np.unique(X, axis=0)), max(len(X) // LEAST_MEMBERS, 1))
    scale = X.std(axis=0)
    Z = X / np.where(scale > 0, scale, 1.0)
    machine = KMeans(k, n_init=3, random_state=random_state).fit(Z)
    large = np.bincount(machine.labels_, minlength=k) >= LEAST_MEMBERS
    if not large.any():
        return X.mean(axis=0, keepdims=True)
    owner = pairwise_distances_argmin(Z, machine.cluster_centers_[large])
    groups = [X[owner == index] for index in range(int(large.sum()))]
    return np.stack([rows.mean(axis=0) for rows in groups if len(rows) >= LEAST_MEMBERS])


def choose_cases(y: NDArray[np.integer], most: int = 60, random_state: int = 0) -> NDArray[np.intp]:
    """Indices of at most `most` cases to explain, the same share of every class, in their order.

    >>> choose_cases(np.repeat([0, 1], [8, 4]), most=3).size
    3
    """
    y = np.asarray(y)
    if len(y) <= most:
        return np.arange(len(y))
    rng = np.random.default_rng(random_state)
    key = np.empty(len(y))
    for k in np.unique(y):
        rows = np.flatnonzero(y == k)
        key[rng.permutation(rows)] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.sort(np.argsort(key, kind="stable")[:most])
