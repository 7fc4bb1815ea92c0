"""Patients on both sides of a border, and rows that are copies of others or made from them (METHODS G4, A4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ovfrad.models.honesty import neighbours
from ovfrad.models.honesty.check import Check
from ovfrad.models.honesty.neighbours import Pair
from ovfrad.models.rows import Rows

LEVEL = 0.001
"""Chance, or number expected by chance, at which rows without copies are called copies."""
NEAREST = 0.5
"""Ratio of the first to the fifth distance above which no pair is called near, in however many dimensions."""
SEVERAL = 3
"""Rows on a line between two others from which it is no accident."""


def siblings(cases: pd.DataFrame) -> list[Check]:
    """Patients, and images, that stand on both sides of a border between cohorts (G4, A4).

    Parameters
    ----------
    cases : DataFrame
        Column `cohort`, `patient_id` as column or index level, and `content_hash` of the voxels where known.
    """
    table = cases if "patient_id" in cases.columns else cases.reset_index()
    checks = [_across(table, "patient_id", "siblings", "patient")]
    if "content_hash" in table.columns:
        known = table[table["content_hash"].notna()]
        checks.append(_across(known, "content_hash", "duplicates", "image content"))
        twice = int(known.duplicated(["cohort", "content_hash"]).sum())
        if twice and checks[-1].status == "PASS":
            text = f"{twice} images occur twice within a cohort: they count as more cases than there are."
            checks[-1] = Check("duplicates", "WARN", twice, 0, text)
    return checks


def _across(table: pd.DataFrame, column: str, name: str, noun: str) -> Check:
    cohorts = table.groupby(column)["cohort"].nunique()
    shared = sorted(map(str, cohorts.index[cohorts > 1]))
    if not shared:
        return Check(name, "PASS", 0, 0, f"No {noun} is in two cohorts ({len(cohorts)} looked at).")
    text = f"{len(shared)} {noun}{'s are' if len(shared) > 1 else ' is'} in two cohorts, the first {shared[0][:16]}."
    return Check(name, "FAIL", len(shared), 0, text)


def copies(cohorts: Mapping[str, Rows]) -> list[Check]:
    """Rows of two patients that are one case (in part equal, or too near) and rows made from others.

    Parameters
    ----------
    cohorts : mapping of str to Rows
        All cohorts, by name, with their outcomes.
    """
    X = pd.concat([rows.X for rows in cohorts.values()])
    groups = np.concatenate([rows.groups for rows in cohorts.values()]).astype(str)
    cohort = np.repeat(list(cohorts), [len(rows) for rows in cohorts.values()])
    codes = np.concatenate([rows.codes for rows in cohorts.values()])
    told = neighbours.telling(X)
    if len(told) < neighbours.FEWEST_ROWS or told.shape[1] < neighbours.FEWEST_COLUMNS:
        text = f"Not looked for: {len(told)} rows, {told.shape[1]} columns of mostly distinct values tell too little."
        return [Check("copies", "PASS", None, None, text)]
    equal = neighbours.agreeing(told, groups, LEVEL)
    return [_equal(equal, X, cohort), _near(told, groups, cohort, equal), _made(told, codes)]


def _equal(pairs: list[Pair], X: pd.DataFrame, cohort: np.ndarray) -> Check:
    """Pairs equal in half a feature family."""
    if not pairs:
        text = f"No two patients' rows are equal in half the columns of a feature family ({len(X)} rows looked at)."
        return Check("copies", "PASS", 0, 0, text)
    crossing = [pair for pair in pairs if cohort[pair.first] != cohort[pair.second]]
    first = (crossing or pairs)[0]
    what = f"{_names(X, first)} agree in {first.value:.0%} of the columns of a feature family"
    if crossing:
        text = f"{_pairs(len(crossing))} across cohorts are one case twice, {what}: a copy validates nothing."
        return Check("copies", "FAIL", len(crossing), 0, text)
    text = f"{_pairs(len(pairs))} within a cohort are one case twice, {what}: give both rows one patient_id."
    return Check("copies", "WARN", len(pairs), 0, text)


def _near(told: pd.DataFrame, groups: np.ndarray, cohort: np.ndarray, equal: list[Pair]) -> Check:
    """Pairs much nearer than neighbours are, in ranks over all rows and in ranks within each cohort."""
    values = neighbours.spaced(told.to_numpy(dtype=float))
    looks = [neighbours.normal_scores(values)]
    if len(set(cohort)) > 1:
        looks.append(np.empty_like(values))
        for name in set(cohort):
            looks[1][cohort == name] = neighbours.normal_scores(values[cohort == name])
    known, found = {(p.first, p.second) for p in equal}, dict[tuple[int, int], float]()
    smallest, at = np.inf, NEAREST
    for scores in looks:
        ratio, nearest, dimension = neighbours.nearness(scores, groups)
        limit = min(NEAREST, neighbours.ratio_limit(len(scores), dimension, LEVEL / len(looks)))
        if ratio.min() / limit < smallest / at:
            smallest, at = float(ratio.min()), limit
        for i in np.flatnonzero(ratio < limit):
            pair = min(int(i), int(nearest[i])), max(int(i), int(nearest[i]))
            if pair not in known:
                found[pair] = min(found.get(pair, 1.0), float(ratio[i]))
    numbers = f"{smallest:.2f} times as far as its fifth neighbour (limit {at:.2f})"
    if not found:
        seen = "beside those equal in part, " if equal else ""
        text = f"No two patients' rows are much nearer than neighbours: {seen}the nearest is {numbers}."
        return Check("near copies", "PASS", smallest, at, text)
    first = Pair(*min(found, key=lambda pair: found[pair]), min(found.values()))
    crossing = sum(cohort[i] != cohort[j] for i, j in found)
    text = (
        f"{_pairs(len(found))} are nearly the same, {crossing} of them across cohorts, the nearest "
        f"{_names(told, first)}: {numbers}. Rescaled, resampled or outlined anew, a copy is still one case."
    )
    return Check("near copies", "WARN", smallest, at, text)


def _made(told: pd.DataFrame, codes: np.ndarray) -> Check:
    """Rows on the line between two others."""
    values = neighbours.spaced(told.to_numpy(dtype=float))
    rows = neighbours.between((values - values.mean(axis=0)) / values.std(axis=0), codes)
    if not rows:
        return Check("synthetic rows", "PASS", 0, 0, "No row lies on a straight line between two others.")
    text = (
        f"{len(rows)} rows lie exactly between two others of their class, the first {_name(told, rows[0])}, as SMOTE "
        "makes them: oversampled before the split, a case answers for itself."
    )
    return Check("synthetic rows", "FAIL" if len(rows) >= SEVERAL else "WARN", len(rows), 0, text)


def _pairs(n: int) -> str:
    return f"{n} pair{'' if n == 1 else 's'} of rows"


def _name(X: pd.DataFrame, at: int) -> str:
    row = X.index[at]
    return " ".join(map(str, row)) if isinstance(row, tuple) else str(row)


def _names(X: pd.DataFrame, pair: Pair) -> str:
    return f"{_name(X, pair.first)} and {_name(X, pair.second)}"
