"""Which patients train and which validate (METHODS A4): by column, by rule, or 8:2 by patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.study.settings import CohortRule, Cohorts

COHORTS = ("train", "internal", "external", "prospective")


def assign(cases: pd.DataFrame, outcome: pd.Series, settings: Cohorts, seed: int, path: Path) -> pd.Series:
    """Cohort of every case; a patient in two cohorts is an error.

    With a filled `cohort` column the column decides; else the rules, and `internal_share` of the remaining patients,
    stratified by class, become the internal cohort.
    """
    column = settings.column
    if column is not None and column != "cohort" and column not in cases.columns:
        raise InputError("E_COHORT_COLUMN", path, f"cohort column {column!r} is absent", "correct cohorts.column")
    given = cases[column] if column is not None and column in cases.columns else pd.Series(None, index=cases.index)
    if given.notna().any():
        cohort = _by_column(given, cases, path)
    else:
        cohort = _by_rule(cases, settings.rules, path)
        rest = cohort == "train"
        if "internal" not in settings.rules and rest.any():
            cohort[rest] = _split(outcome[rest], settings.internal_share, seed)
    _one_cohort_per_patient(cohort, path)
    return cohort


def training(cases: pd.DataFrame, settings: Cohorts) -> pd.Series:
    """Cases (bool) that train as far as column and rules tell; those that `assign` would split count all."""
    column = settings.column
    if column in cases.columns and cases[column].notna().any():
        return cases[column] == "train"
    chosen = pd.Series(False, index=cases.index)
    for rule in settings.rules.values():
        chosen |= _matches(cases, rule)
    return ~chosen


def _by_column(given: pd.Series, cases: pd.DataFrame, path: Path) -> pd.Series:
    for value, row in zip(given, cases["row"], strict=True):
        if value not in COHORTS:
            found = "empty" if pd.isna(value) else repr(value)
            remedy = f"write one of {', '.join(COHORTS)}"
            raise InputError("E_COHORT_NAME", f"{path.name}:{row}", f"cohort is {found}", remedy)
    return given.astype(object)


def _by_rule(cases: pd.DataFrame, rules: dict, path: Path) -> pd.Series:
    cohort = pd.Series("train", index=cases.index, dtype=object)
    for name, rule in rules.items():
        match = _matches(cases, rule)
        _check_rule(cases, name, rule, bool(match.any()), path)
        cohort[match] = name
    for name, rule in rules.items():
        _tell_undated(cases, name, rule, cohort, path)
    return cohort


def _matches(cases: pd.DataFrame, rule: CohortRule) -> pd.Series:
    match = _of_center(cases, rule)
    if rule.date_from is not None:
        match &= pd.to_datetime(cases["date"]) >= pd.Timestamp(rule.date_from)
    if rule.date_until is not None:
        match &= pd.to_datetime(cases["date"]) <= pd.Timestamp(rule.date_until)
    return match


def _of_center(cases: pd.DataFrame, rule: CohortRule) -> pd.Series:
    return cases["center"].isin(rule.center) if rule.center else pd.Series(True, index=cases.index)


def _check_rule(cases: pd.DataFrame, name: str, rule: CohortRule, any_match: bool, path: Path) -> None:
    """Refuse a rule that no case follows, and warn of a centre that no case names."""
    centers = sorted(cases["center"].dropna().unique())
    found = f"centers found: {', '.join(centers[:12])}" if centers else "the table names no center"
    absent = [center for center in rule.center if center not in centers]
    if not any_match:
        dates = cases["date"].dropna()
        days = f"dates from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}" if len(dates) else "the table has no date"
        told = [found] * bool(rule.center) + [days] * (rule.date_from is not None or rule.date_until is not None)
        fault = f"rule {name} of cohorts.rules fits none of {len(cases)} cases ({'; '.join(told)})"
        raise InputError("E_COHORT_RULE", path, fault, "write centers as the table does, or take the rule out")
    if absent:
        fault = f"no case is of center {', '.join(absent)}, which rule {name} names"
        warn("W_COHORT_RULE", path, fault, found)


def _tell_undated(cases: pd.DataFrame, name: str, rule: CohortRule, cohort: pd.Series, path: Path) -> None:
    """Warn of cases without a date that a rule by date cannot place, and say where they are."""
    dated = rule.date_from is not None or rule.date_until is not None
    undated = _of_center(cases, rule) & cases["date"].isna()
    if dated and undated.any():
        counts = cohort[undated].value_counts()
        where = ", ".join(f"{n} to {'training and internal' if of == 'train' else of}" for of, n in counts.items())
        fault = f"{undated.sum()} of {len(cases)} cases have no date, by which rule {name} decides"
        warn("W_COHORT_DATE", path, fault, f"they go {where}")


def _split(outcome: pd.Series, share: float, seed: int) -> pd.Series:
    """`internal` for a share of the patients of each class (a patient counts in the highest class they have).

    The draw depends on the seed and the patients' names, not on the order of the rows.
    """
    patients = outcome.index.get_level_values("patient_id")
    stratum = outcome.groupby(patients).max().sort_index()
    rng, chosen = np.random.default_rng(seed), set[str]()
    for _, members in stratum.groupby(stratum):
        names = members.index.to_numpy()
        chosen.update(rng.permutation(names)[: round(share * len(names))])
    return pd.Series(np.where(patients.isin(chosen), "internal", "train"), index=outcome.index, dtype=object)


def _one_cohort_per_patient(cohort: pd.Series, path: Path) -> None:
    by_patient = cohort.groupby(level="patient_id").unique()
    for patient, names in by_patient.items():
        if len(names) > 1:
            fault = f"patient {patient} is in two cohorts ({', '.join(sorted(names))})"
            raise InputError("E_COHORT_PATIENT", path, fault, "put all vertebrae of a patient in one cohort")
