"""Two models, or all pairs of models, on the same rows (F3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ovfrad.evaluation import auc
from ovfrad.evaluation.bootstrap import class_aucs, percentile
from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.paired import (
    PairedTest,
    bootstrap_p,
    class_difference,
    holm,
    macro_difference,
    permutation_p,
)
from ovfrad.evaluation.summary import nested
from ovfrad.evaluation.tables import IDENTITY, Predictions, arrays

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the comparisons of one model use again and again.

    Attributes
    ----------
    data : Predictions
    aucs : ndarray, shape (K,)
        NaN for a class that has no AUC here.
    influences : ndarray, shape (K, n)
    resampled : ndarray, shape (resamples, K)
        AUCs of the patient bootstrap, whose draws all models of the same rows share.
    """

    data: Predictions
    aucs: Floats
    influences: Floats
    resampled: Floats

    @classmethod
    def of(cls, data: Predictions, resamples: int, seed: int) -> Prepared:
        """Return the model's AUCs, their influences and their resamples."""
        aucs, influences = np.full(data.classes, np.nan), np.zeros((data.classes, data.n))
        for k in set(range(data.classes)) - set(auc.absent_classes(data.y, data.classes)):
            (aucs[k],), influences[k] = auc.influence(data.y == k, data.p[:, k], data.patients)
        return cls(data, aucs, influences, class_aucs(data.y, data.p, data.patients, resamples, seed))


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    *,
    permutations: int = 0,
    ranking_only: bool = False,
) -> Row:
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
    a, b = (arrays(table, ranking_only) for table in _same_rows(_sorted(first), _sorted(second)))
    _check_outcome(a, b)
    one, two = (Prepared.of(data, resamples, seed) for data in (a, b))
    flat, values, beside = _differences(one, two, level), _resampled(one, two), {}
    for k, p in enumerate(holm([flat[f"class_auc.{k}"]["p"] for k in range(a.classes)])):
        flat[f"class_auc.{k}"]["p_holm"] = p
    for name, result in flat.items():
        interval = percentile(values[name], result["estimate"], a.n, a.n_patients, level, "paired patient bootstrap")
        without = Estimate(result["estimate"], None, None, result["method"], a.n, a.n_patients)
        beside[name] = (without if result["low"] is None and result["p"] is None else interval).as_dict()
    swapped = permutation_p(a.y, a.p, b.p, a.patients, permutations, seed) if permutations else None
    sides = {"first": _identity(first), "second": _identity(second)}
    return nested(flat) | {"bootstrap": nested(beside), "permutation_p": swapped} | sides


def compare_all(
    tables: Mapping[str, pd.DataFrame],
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    *,
    permutations: int = 1000,
    ranking_only: bool = False,
    against: str | None = None,
) -> list[Row]:
    """Return the differences of every pair of models of one cohort, each pair on the rows that both have.

    Holm's families: the macro tests of all these pairs, and their class tests. Of two classes only the macro AUC is
    compared, since the class AUCs are the same test again.

    Parameters
    ----------
    tables : mapping
        Name of a model -> its predictions in this cohort.
    resamples, level, seed, permutations, ranking_only
        As for `compare`.
    against : str, optional
        Compare this model (first) with each other one, in place of all pairs.

    Returns
    -------
    list of dict
        One row for each pair and metric, JSON-safe: `a, b, metric, difference, low, high, statistic, p, p_holm,
        family_size, p_bootstrap, p_permutation` (macro only)`, method, n, n_patients`. Pairs without a common row are
        left out.
    """
    kept = {name: _sorted(table) for name, table in tables.items()}
    keys = {name: pd.MultiIndex.from_frame(table[_keys(table)]) for name, table in kept.items()}
    whole: dict[str, Prepared] = {}

    def ready(name: str, part: pd.DataFrame) -> Prepared:
        if part is not kept[name]:
            return Prepared.of(arrays(part, ranking_only), resamples, seed)
        if name not in whole:
            whole[name] = Prepared.of(arrays(part, ranking_only), resamples, seed)
        return whole[name]

    rows: list[Row] = []
    for a, b in combinations(kept, 2) if against is None else ((against, name) for name in kept if name != against):
        first, second = (kept[a], kept[b]) if keys[a].equals(keys[b]) else _common_rows(kept[a], kept[b])
        if len(first):
            one, two = ready(a, first), ready(b, second)
            _check_outcome(one.data, two.data)
            rows += _pair_rows(a, b, one, two, level, permutations, seed)
    return adjusted(rows)


def adjusted(rows: list[Row]) -> list[Row]:
    """Return the rows with `p_holm` and `family_size`: macro tests are one family, class tests another."""
    for kind in ("macro_auc", "class_auc"):
        own = [row for row in rows if row["metric"].startswith(kind)]
        size = sum(row["p"] is not None for row in own)
        for row, p in zip(own, holm([row["p"] for row in own]), strict=True):
            row |= {"p_holm": p, "family_size": size}
    return rows


def _pair_rows(
    a: str, b: str, one: Prepared, two: Prepared, level: float, permutations: int, seed: int
) -> Iterator[Row]:
    """Yield the row of the macro AUC and, with three classes or more, of each class."""
    data, flat = one.data, _differences(one, two, level)
    wanted = ["macro_auc"] + [f"class_auc.{k}" for k in range(data.classes) if data.classes > 2]
    for metric in wanted:
        found = flat[metric]
        row = {"a": a, "b": b, "metric": metric, "difference": found.pop("estimate")} | found
        if metric == "macro_auc" and permutations:
            row["p_permutation"] = permutation_p(data.y, data.p, two.data.p, data.patients, permutations, seed)
        yield row


def _differences(one: Prepared, two: Prepared, level: float) -> dict[str, Row]:
    """Return the test of each class AUC and of the macro AUC as plain values, with the bootstrap p beside."""
    data, gap, rows = one.data, one.aucs - two.aucs, one.influences - two.influences
    found = {f"class_auc.{k}": _class_test(k, gap[k], rows[k], data, level) for k in range(data.classes)}
    missing = np.flatnonzero(np.isnan(gap))
    found["macro_auc"] = (
        _no_test(int(missing[0]), data) if len(missing) else macro_difference(gap, rows, data.y, data.patients, level)
    )
    values = _resampled(one, two)
    return {
        name: test.as_dict() | {"p_bootstrap": None if test.p is None else bootstrap_p(values[name])}
        for name, test in found.items()
    }


def _class_test(k: int, difference: float, influence: Floats, data: Predictions, level: float) -> PairedTest:
    if not np.isfinite(difference):
        return _no_test(k, data)
    return class_difference(float(difference), influence, data.y == k, data.patients, level)


def _no_test(k: int, data: Predictions) -> PairedTest:
    return PairedTest(Estimate.without(f"no test: class {k} has no AUC here", data.n, data.n_patients), None, None)


def _resampled(one: Prepared, two: Prepared) -> dict[str, Floats]:
    """Return resampled differences of each class AUC and of the macro AUC, each of shape (resamples,)."""
    gaps = one.resampled - two.resampled
    return {f"class_auc.{k}": gaps[:, k] for k in range(gaps.shape[1])} | {"macro_auc": gaps.mean(axis=1)}


def _keys(table: pd.DataFrame) -> list[str]:
    return [c for c in ("patient_id", "vertebra") if c in table.columns]


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table in the order of its keys, which become text."""
    keys = _keys(table)
    return table.astype(dict.fromkeys(keys, str)).sort_values(keys, kind="stable").reset_index(drop=True)


def _same_rows(one: pd.DataFrame, two: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both sorted tables; ValueError where their keys differ."""
    keys = [c for c in _keys(one) if c in two.columns]
    if len(one) != len(two) or not (one[keys] == two[keys]).all(axis=None):
        raise ValueError(f"two models are compared on the same rows; got {len(one)} and {len(two)} with other keys.")
    return one, two


def _common_rows(one: pd.DataFrame, two: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of both sorted tables whose keys both have."""
    keys = [c for c in _keys(one) if c in two.columns]
    first, second = (pd.MultiIndex.from_frame(table[keys]) for table in (one, two))
    return one[first.isin(second)].reset_index(drop=True), two[second.isin(first)].reset_index(drop=True)


def _check_outcome(a: Predictions, b: Predictions) -> None:
    if a.classes != b.classes or not (a.y == b.y).all():
        raise ValueError("two models are compared on the same outcome; y_true or the number of classes differ.")


def _identity(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns that tell a table apart, with their one value."""
    return {name: str(table[name].iloc[0]) for name in IDENTITY if name in table.columns}
