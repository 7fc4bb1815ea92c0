"""Performance in subgroups and within centres (F7)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ovfrad.evaluation import auc, mean_auc
from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.intervals import logit_interval
from ovfrad.evaluation.tables import Predictions, arrays

FEW_LEVELS = 8
"""A numeric variable with more distinct values than this is cut at its median."""
COLUMNS = [
    "variable", "level", "n", "n_patients", "counts", "metric", "estimate", "low", "high", "method",
]  # fmt: skip


def subgroups(
    table: pd.DataFrame, groups: pd.DataFrame, level: float = 0.95, *, ranking_only: bool = False
) -> pd.DataFrame:
    """Return macro and class AUC in each level of each grouping variable.

    Parameters
    ----------
    table : DataFrame
        One model's predictions in one cohort; see `tables`.
    groups : DataFrame
        Grouping variables (sex, age, center, scanner, level, acuity), one row for each row of `table`, in its order.
        Numbers with more than eight values are cut at their median; missing values are a level of their own.
    level : float
        Of the intervals.
    ranking_only : bool

    Returns
    -------
    DataFrame
        One row for each variable, level and metric (`macro_auc`, `class_auc.<k>`): `variable, level, n, n_patients,
        counts` (rows of each class as text, "24/22/5"), `metric, estimate, low, high, method`. What does not exist is
        missing and `method` says why.
    """
    data = arrays(table, ranking_only)
    if len(groups) != data.n:
        raise ValueError(f"subgroups need one row for each of the {data.n} predictions; got {len(groups)}.")
    rows = []
    for variable in groups.columns:
        labels = _levels(groups[variable])
        for name in sorted(set(labels)):
            inside = labels == name
            part = Predictions(data.y[inside], data.p[inside], auc.patient_codes(data.patients[inside], len(labels)))
            counts = "/".join(map(str, np.bincount(part.y, minlength=part.classes)))
            for metric, value in _aucs(part, level).items():
                shown = (metric, value.estimate, value.low, value.high, value.method)
                rows.append((variable, name, part.n, part.n_patients, counts, *shown))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(("estimate", "low", "high"), float))


def _aucs(data: Predictions, level: float) -> dict[str, Estimate]:
    result = {"macro_auc": mean_auc.macro_auc(data.y, data.p, data.patients, level)}
    for k in range(data.classes):
        result[f"class_auc.{k}"] = auc.class_auc(data.y == k, data.p[:, k], data.patients, level)
    return result


def _levels(values: pd.Series) -> NDArray[np.object_]:
    """Return the level of each row as text."""
    labels = values.astype(object).where(values.notna(), "missing")
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numbers and values.nunique() > FEW_LEVELS:
        middle = float(values.median())
        cut = np.where(values <= middle, f"<= {middle:g}", f"> {middle:g}")
        labels = pd.Series(np.where(values.isna(), "missing", cut), index=values.index)
    return labels.astype(str).to_numpy(dtype=object)


def within_auc(table: pd.DataFrame, strata: ArrayLike, level: float = 0.95, *, ranking_only: bool = False) -> Estimate:
    """Return the macro AUC of pairs within one stratum (centre, scanner): differences between strata cannot help it.

    The mean of the strata's macro AUCs weighted by their rows; strata that lack a class and rows without a stratum are
    left out and counted. The influences of a patient in several strata are summed over them.

    Parameters
    ----------
    table : DataFrame
    strata : array-like, shape (n,)
        Centre of each row; missing where it is not known.
    level : float
    ranking_only : bool
    """
    data, names = arrays(table, ranking_only), pd.Series(np.asarray(strata, dtype=object))
    unknown, names = int(names.isna().sum()), names.astype(object).where(names.isna(), names.astype(str)).to_numpy()
    aucs: list[float] = []
    parts: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []
    every = sorted({name for name in names if not pd.isna(name)})
    for name in every:
        rows = np.flatnonzero(names == name)
        y, p, codes = data.y[rows], data.p[rows], auc.patient_codes(data.patients[rows], data.n)
        if not auc.absent_classes(y, data.classes):
            values, influences = auc.class_influences(y, p, codes)
            aucs.append(float(values.mean()))
            parts.append((rows, influences.mean(axis=0)))
    if not aucs:
        return Estimate.without("no stratum has all classes", data.n, data.n_patients)
    used = np.concatenate([rows for rows, _ in parts])
    share = np.array([len(rows) for rows, _ in parts]) / len(used)
    together = np.concatenate([weight * of_rows for weight, (_, of_rows) in zip(share, parts, strict=True)])
    codes = np.unique(data.patients[used], return_inverse=True)[1]
    value, variance = float(share @ aucs), float(auc.clustered_covariance(together, codes)[0, 0])
    method = f"within {len(aucs)} strata, {len(every) - len(aucs)} without all classes left out"
    method += f", {unknown} rows without a stratum" if unknown else ""
    n, patients = len(used), int(codes.max()) + 1
    if variance <= 0 or not 0 < value < 1:
        return Estimate(value, None, None, f"{method}; no interval: no variance", n, patients)
    low, high = logit_interval(value, math.sqrt(variance), level)
    return Estimate(value, low, high, f"{method}, cluster-robust, logit", n, patients)
