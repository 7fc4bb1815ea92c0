"""Scores that choose: log-loss for grid points, macro AUC averaged over folds for models and for audits."""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.auc import auc

FLOOR = 1e-3
"""Least probability that the log-loss which chooses counts: one sure mistake of a vote of neighbours costs 6.9."""


def log_loss(codes: np.ndarray, proba: np.ndarray) -> float:
    """Mean of -log p of the true class, p at least `FLOOR`; proba has shape (n_rows, K)."""
    return float(-np.log(np.maximum(proba[np.arange(len(codes)), codes], FLOOR)).mean())


def macro_auc(codes: np.ndarray, proba: np.ndarray) -> float:
    """Mean of the one-vs-rest AUCs of the classes that these rows have; nan where no class has one.

    >>> macro_auc(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]))
    1.0
    """
    found = [k for k in range(proba.shape[1]) if 0 < (codes == k).sum() < len(codes)]
    return float(np.mean([auc(codes == k, proba[:, k]) for k in found])) if found else float("nan")


def fold_aucs(codes: np.ndarray, proba: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Macro AUC within each fold, shape (n_folds,); folds without one are left out.

    An AUC pooled over folds lies a little below .5 where there is no signal, since each fold's training prior
    leans away from its test rows; the mean over folds does not (METHODS G1).
    """
    values = np.array([macro_auc(codes[fold == f], proba[fold == f]) for f in np.unique(fold)])
    return values[np.isfinite(values)]
