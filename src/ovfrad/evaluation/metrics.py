"""Metrics of decisions and of probabilities, each for many row weights at once (F1, F4).

A function here takes row weights of shape (n, b): a column of ones gives the metric itself, columns of bootstrap
counts give it in every resample. Values that do not exist (no positive prediction, an absent class) are NaN and become
None, with a reason, before they leave `summary`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation.bootstrap import Counts, ratio, won_pairs
from ovfrad.evaluation.mean_auc import pooled
from ovfrad.evaluation.tables import Predictions

Floats = NDArray[np.float64]
LOG_FLOOR = float(np.finfo(float).eps)
"""Smallest probability whose logarithm enters the log-loss, as in scikit-learn."""
BINARY = ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy")


def confusion_matrix(y_true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.intp]:
    """Return counts, rows = true class, columns = predicted class.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0], 2).tolist()
    [[1, 0], [1, 1]]
    """
    cells = np.asarray(y_true, dtype=np.intp) * classes + np.asarray(predicted, dtype=np.intp)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _totals(indicators: NDArray[np.bool_], weights: Counts) -> Floats:
    """Return the weight of the rows in each indicator: (n, c) and (n, b) -> (c, b)."""
    return np.asarray(indicators.astype(weights.dtype).T @ weights, dtype=float)


def confusion_weights(y: NDArray[np.intp], predicted: NDArray[np.intp], classes: int, weights: Counts) -> Floats:
    """Return the confusion matrix for each weight column, shape (K, K, b)."""
    cells = (y * classes + predicted)[:, None] == np.arange(classes * classes)
    return _totals(cells, weights).reshape(classes, classes, -1)


def decision_metrics(confusion: Floats, ordered: bool = True) -> dict[str, Floats]:
    """Return accuracy, no-information rate, balanced accuracy and quadratic kappa of confusion matrices (K, K, b).

    The no-information rate is the share of the largest true class; balanced accuracy is the mean sensitivity. Kappa
    weights disagreement by the squared distance of the codes (Cohen 1968) and needs an ordered outcome.
    """
    total, true = confusion.sum(axis=(0, 1)), confusion.sum(axis=1)
    correct = np.einsum("kkb->kb", confusion)
    result = {
        "accuracy": ratio(correct.sum(axis=0), total),
        "no_information_rate": ratio(true.max(axis=0), total),
        "balanced_accuracy": ratio(correct, true).mean(axis=0),
    }
    if ordered:
        codes = np.arange(len(confusion))
        distance = (codes[:, None] - codes[None, :]) ** 2.0
        seen = np.einsum("kj,kjb->b", distance, confusion)
        expected = ratio(np.einsum("kj,kb,jb->b", distance, true, confusion.sum(axis=0)), total)
        result["quadratic_kappa"] = 1 - ratio(seen, expected)
    return result


def binary_metrics(cases: NDArray[np.bool_], positive: NDArray[np.bool_], weights: Counts) -> dict[str, Floats]:
    """Return sensitivity, specificity, PPV, NPV, F1 and accuracy of a yes/no decision, each of shape (b,)."""
    cells = np.stack([cases & positive, ~cases & positive, cases & ~positive, ~cases & ~positive], axis=1)
    tp, fp, fn, tn = _totals(cells, weights)
    return {
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "ppv": ratio(tp, tp + fp),
        "npv": ratio(tn, tn + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": ratio(tp + tn, tp + fp + fn + tn),
    }


def probability_metrics(data: Predictions, weights: Counts) -> dict[str, Floats]:
    """Return the Brier score, log-loss and calibration-in-the-large per class, each of shape (b,).

    Brier: sum over classes of squared errors, 0 to 2 (Brier 1950). Calibration in the large of class k: mean p_k less
    its observed share; above 0 the class is predicted too often.
    """
    truth = data.y[:, None] == np.arange(data.classes)
    errors = data.p - truth
    columns = np.column_stack([(errors**2).sum(axis=1), row_log_loss(data.y, data.p), errors])
    means = ratio((columns.astype(weights.dtype).T @ weights), weights.sum(axis=0, dtype=float))
    large = {f"calibration_in_the_large.{k}": means[2 + k] for k in range(data.classes)}
    return {"brier": means[0], "log_loss": means[1], **large}


def row_log_loss(y: NDArray[np.intp], p: Floats) -> Floats:
    """Return minus the logarithm of each row's probability of its true class."""
    losses: Floats = -np.log(np.clip(p[np.arange(len(y)), y], LOG_FLOOR, 1.0))
    return losses


def ranking_metrics(data: Predictions, weights: Counts) -> dict[str, Floats]:
    """Return class, macro, micro and Hand-Till AUC, each of shape (b,); NaN where a class is absent."""
    classes = range(data.classes)
    by_class = [_class_pairs(data, k, weights) for k in classes]
    result = {f"class_auc.{k}": by_class[k][0] for k in classes}
    result["macro_auc"] = np.mean([by_class[k][0] for k in classes], axis=0)
    result["hand_till"] = np.mean([by_class[k][1] for k in classes], axis=0)
    cases, scores = pooled(data.y, data.p)
    result["micro_auc"] = ratio(*won_pairs(np.tile(np.arange(data.n), data.classes), cases, scores, weights))
    return result


def _class_pairs(data: Predictions, k: int, weights: Counts) -> tuple[Floats, Floats]:
    """Return the AUC of class k against the rest and its mean AUC against each other class, each of shape (b,)."""
    won, pairs, each = np.zeros(weights.shape[1]), np.zeros(weights.shape[1]), []
    for j in range(data.classes):
        if j == k:
            continue
        rows = np.flatnonzero((data.y == k) | (data.y == j))
        wins, these = won_pairs(rows, data.y[rows] == k, data.p[rows, k], weights)
        won, pairs = won + wins, pairs + these
        each.append(ratio(wins, these))
    return ratio(won, pairs), np.mean(each, axis=0)


def youden_threshold(cases: ArrayLike, score: ArrayLike) -> float:
    """Return the threshold (score >= t) with the largest sensitivity + specificity - 1 (Youden 1950).

    It lies midway between two neighbouring scores; of equally good ones the lowest is taken, the more sensitive.

    >>> youden_threshold([0, 0, 1, 1], [0.1, 0.3, 0.5, 0.9])
    0.4
    """
    y, values = np.asarray(cases, dtype=bool), np.asarray(score, dtype=float)
    if not 0 < y.sum() < len(y):
        raise ValueError("a threshold needs at least one case and one non-case.")
    levels, inverse = np.unique(values, return_inverse=True)
    true = np.bincount(inverse.ravel(), weights=y, minlength=len(levels)) / y.sum()
    false = np.bincount(inverse.ravel(), weights=~y, minlength=len(levels)) / (~y).sum()
    youden = np.cumsum(true[::-1])[::-1] - np.cumsum(false[::-1])[::-1]
    best = int(np.flatnonzero(youden >= youden.max() - 1e-12)[0])
    return float(levels[0]) if best == 0 else float((levels[best - 1] + levels[best]) / 2)
