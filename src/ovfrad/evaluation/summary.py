"""Everything the report says about one model in one cohort, from its prediction table (F1, F2, F4).

>>> import pandas as pd
>>> table = pd.DataFrame({"patient_id": list("abcdef"), "y_true": [0, 0, 0, 1, 1, 1],
...     "p_0": [.9, .8, .4, .5, .2, .1], "p_1": [.1, .2, .6, .5, .8, .9]})
>>> result = evaluate(table)
>>> round(result["macro_auc"]["estimate"], 3), result["class_auc"]["1"]["method"]
(0.889, 'Newcombe method 5')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ovfrad.evaluation import auc, mean_auc
from ovfrad.evaluation.bootstrap import Counts, Resamples, percentile
from ovfrad.evaluation.calibration import class_ece
from ovfrad.evaluation.estimate import Estimate, wilson
from ovfrad.evaluation.intervals import mean_of_shares
from ovfrad.evaluation.metrics import (
    binary_metrics,
    confusion_matrix,
    confusion_weights,
    decision_metrics,
    probability_metrics,
    ranking_metrics,
    youden_threshold,
)
from ovfrad.evaluation.tables import Predictions, arrays

Floats = NDArray[np.float64]
NO_MICRO = "no micro AUC of scores that are not probabilities"
WILSON_BELOW = 20
"""Proportions of fewer rows than this get Wilson's interval: their bootstrap is too narrow, at 0 and 1 of no width."""


def thresholds(predictions: pd.DataFrame, ranking_only: bool = False) -> dict[str, float | None]:
    """Return the Youden threshold of each class on out-of-fold training predictions, keys "0" .. "K-1".

    A class that no row (or every row) has gets None.
    """
    data = arrays(predictions, ranking_only)
    missing = auc.absent_classes(data.y, data.classes)
    return {str(k): None if k in missing else youden_threshold(data.y == k, data.p[:, k]) for k in range(data.classes)}


def evaluate(
    predictions: pd.DataFrame,
    thresholds: Mapping[str, float | None] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    *,
    ranking_only: bool = False,
    ordered: bool = True,
) -> dict[str, Any]:
    """Return every metric of one model in one cohort with its interval.

    Parameters
    ----------
    predictions : DataFrame
        Columns `patient_id, y_true, p_0 .. p_{K-1}`, optional `vertebra`; see `tables`.
    thresholds : mapping, optional
        Threshold of each class, keys "0" .. "K-1", fixed on training (`thresholds`). Without it a row is positive for
        the class of its largest probability.
    resamples : int
        Bootstrap resamples of patients.
    level : float
        Of every interval.
    seed : int
    ranking_only : bool
        The p columns are scores: only AUCs but the micro one, and class metrics where thresholds are given.
    ordered : bool
        Whether class codes have an order; without it there is no quadratic kappa.

    Returns
    -------
    dict
        JSON-safe. `macro_auc, micro_auc, hand_till, accuracy, no_information_rate, balanced_accuracy, quadratic_kappa,
        brier, log_loss` and, by class code, `class_auc.<k>`, `class.<k>.<metric>`, `calibration_in_the_large.<k>`,
        `ece.<k>` are each an `Estimate.as_dict()`. `bootstrap.{macro_auc, micro_auc, class_auc.<k>}` are the percentile
        intervals beside the analytic ones. `confusion_matrix` (rows = true class), `counts`, `n`, `n_patients`,
        `level`, `resamples`, `seed`, `operating_point` describe the rest. What does not exist has estimate None and its
        reason as method.
    """
    data = arrays(predictions, ranking_only)
    positive = _positive(data, thresholds, ranking_only)

    def statistics(weights: Counts) -> dict[str, Floats]:
        return _statistics(data, weights, positive, ranking_only, ordered)

    point = {name: float(v[0]) for name, v in statistics(np.ones((data.n, 1))).items()}
    resampled = Resamples(data.patients, resamples, seed).apply(statistics)
    boot = {
        name: percentile(resampled[name], v if np.isfinite(v) else None, data.n, data.n_patients, level)
        for name, v in point.items()
    }
    for name in (name for name in boot if name.endswith("no_information_rate")):
        boot[name] = Estimate(point[name], None, None, "share of the largest class", data.n, data.n_patients)
    boot = _where_enough(boot, data)
    flat = _proportions(boot, data, positive, level) | _analytic(data, level)
    for k, error in enumerate([] if ranking_only else class_ece(data.y, data.p)):
        flat[f"ece.{k}"] = Estimate(error, None, None, "10 bins; no interval", data.n, data.n_patients)
    beside = {name: boot[name] for name in boot if name.split(".")[0] in ("macro_auc", "micro_auc", "class_auc")}
    if ranking_only:  # it would rank scores of different classes, whose scales need not agree
        flat["micro_auc"] = beside["micro_auc"] = Estimate.without(NO_MICRO, data.n, data.n_patients)
    return nested({name: value.as_dict() for name, value in flat.items()}) | {
        "bootstrap": nested({name: value.as_dict() for name, value in beside.items()}),
        "confusion_matrix": None if ranking_only else _confusion(data),
        "counts": np.bincount(data.y, minlength=data.classes).tolist(),
        "n": data.n,
        "n_patients": data.n_patients,
        "level": level,
        "resamples": resamples,
        "seed": seed,
        "operating_point": "largest probability" if thresholds is None else dict(thresholds),
    }


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict of dicts from dotted keys.

    >>> nested({"class_auc.0": 1, "class_auc.1": 2})
    {'class_auc': {'0': 1, '1': 2}}
    """
    result: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        place = result
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def _where_enough(boot: dict[str, Estimate], data: Predictions) -> dict[str, Estimate]:
    """Return the bootstrap estimates, without an interval where a class that they rest on has too few patients.

    A patient drawn again and again tells nothing of others: of one case in 51 the percentile interval of the balanced
    accuracy covers .25 in place of .95.
    """
    together = auc.too_few_of_a_class(data.y, data.classes, data.patients)
    reasons = dict.fromkeys(("macro_auc", "hand_till", "balanced_accuracy"), together)
    reasons |= {f"class_auc.{k}": auc.too_few(data.y == k, data.patients) for k in range(data.classes)}
    return {
        name: Estimate(found.estimate, None, None, reasons[name] or "", found.n, found.patients)
        if reasons.get(name) and found.estimate is not None
        else found
        for name, found in boot.items()
    }


def _confusion(data: Predictions) -> list[list[int]]:
    matrix: list[list[int]] = confusion_matrix(data.y, data.p.argmax(axis=1), data.classes).tolist()
    return matrix


def _positive(
    data: Predictions, thresholds: Mapping[str, float | None] | None, ranking_only: bool
) -> dict[int, NDArray[np.bool_]]:
    """Return the yes/no decision for each class that has one."""
    if thresholds is None:
        if ranking_only:
            return {}
        chosen = data.p.argmax(axis=1)
        return {k: chosen == k for k in range(data.classes)}
    known = {str(k) for k in range(data.classes)}
    if unknown := sorted(set(thresholds) - known):
        raise ValueError(f"threshold for class {unknown[0]!r}; this table has classes 0 to {data.classes - 1}.")
    given = {int(k): t for k, t in thresholds.items() if t is not None}
    return {k: data.p[:, k] >= t for k, t in sorted(given.items())}


def _statistics(
    data: Predictions, weights: Counts, positive: Mapping[int, NDArray[np.bool_]], ranking_only: bool, ordered: bool
) -> dict[str, Floats]:
    """Return every metric for each column of weights, by dotted name; each of shape (b,)."""
    result = ranking_metrics(data, weights)
    for k, decision in positive.items():
        cases = data.y == k
        for name, values in binary_metrics(cases, decision, weights).items():
            result[f"class.{k}.{name}"] = values
        share = weights[cases].sum(axis=0, dtype=float) / weights.sum(axis=0, dtype=float)
        result[f"class.{k}.no_information_rate"] = np.maximum(share, 1 - share)
    if ranking_only:
        return result
    confusion = confusion_weights(data.y, data.p.argmax(axis=1), data.classes, weights)
    return result | decision_metrics(confusion, ordered) | probability_metrics(data, weights)


def _analytic(data: Predictions, level: float) -> dict[str, Estimate]:
    """Return the AUCs with their analytic intervals (F2); they replace the bootstrap ones as the first."""
    result = {
        f"class_auc.{k}": auc.class_auc(data.y == k, data.p[:, k], data.patients, level) for k in range(data.classes)
    }
    result["macro_auc"] = mean_auc.macro_auc(data.y, data.p, data.patients, level)
    result["micro_auc"] = mean_auc.micro_auc(data.y, data.p, data.patients, level)
    result["hand_till"] = mean_auc.hand_till(data.y, data.p, data.patients, level)
    return result


def _proportions(
    boot: dict[str, Estimate], data: Predictions, positive: Mapping[int, NDArray[np.bool_]], level: float
) -> dict[str, Estimate]:
    """Return the bootstrap estimates, with Wilson's interval where a proportion rests on too few rows or is 0 or 1."""
    everyone = np.ones(data.n, dtype=bool)
    bases = {"accuracy": everyone}
    for k, decision in positive.items():
        cases = data.y == k
        rows = {"sensitivity": cases, "specificity": ~cases, "ppv": decision, "npv": ~decision, "accuracy": everyone}
        bases |= {f"class.{k}.{name}": base for name, base in rows.items()}
    result = dict(boot)
    for name, base in bases.items():
        if name not in boot:
            continue
        value, n = boot[name].estimate, int(base.sum())
        patients = len(np.unique(data.patients[base]))
        if value is None:
            result[name] = Estimate.without("no rows to count", n, patients)
        elif n < WILSON_BELOW or value in (0.0, 1.0):
            limits = wilson(value * patients, patients, level)
            result[name] = Estimate(value, *limits, "Wilson, patients as trials", n, patients)
        else:
            result[name] = Estimate(value, boot[name].low, boot[name].high, boot[name].method, n, patients)
    if "balanced_accuracy" in boot:
        result["balanced_accuracy"] = _balanced_accuracy(boot["balanced_accuracy"], data, level)
    return result


def _balanced_accuracy(boot: Estimate, data: Predictions, level: float) -> Estimate:
    """Return the bootstrap estimate, or where a class is small the interval from Wilson's of each sensitivity.

    Resampling 3, 5 or 10 patients of a class tells too little of others: percentiles cover .76, .91 and .93 there.
    """
    rows = [data.y == k for k in range(data.classes)]
    enough = min(cases.sum() for cases in rows) >= WILSON_BELOW
    if boot.estimate is None or enough or auc.too_few_of_a_class(data.y, data.classes, data.patients):
        return boot
    right = data.p.argmax(axis=1) == data.y
    patients = [len(np.unique(data.patients[cases])) for cases in rows]
    limits = mean_of_shares([float(right[cases].mean()) for cases in rows], patients, level)
    return Estimate(boot.estimate, *limits, "MOVER of Wilson, patients as trials", data.n, data.n_patients)
