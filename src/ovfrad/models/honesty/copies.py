"""Patients and images on both sides of a border, and rows that are copies of others (METHODS G4, A4)."""

from __future__ import annotations

import pandas as pd

from ovfrad.models.honesty.check import Check


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
