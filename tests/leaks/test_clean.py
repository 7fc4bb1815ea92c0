"""Studies without a leak: the checks stay silent, and what they say of real and phantom data is no false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded

from .studies import SETTINGS, audited, clean, looked_at, write  # type: ignore[import-not-found]


def alarms(folder: Path, seeds: range, signal: float) -> dict[int, dict[str, str]]:
    """Seed -> rows of the audit that are not PASS."""
    found = {}
    for seed in seeds:
        rows = audited(write(folder / str(seed), clean(seed, signal), SETTINGS.replace("ns: 2", "ns: 4")))
        found[seed] = {name: row["text"] for name, row in rows.items() if row["status"] != "PASS"}
        print(seed, found[seed])
    return found


def test_two_clean_studies_raise_no_alarm(tmp_path: Path) -> None:
    assert alarms(tmp_path, range(2), 1.0) == {0: {}, 1: {}}


@pytest.mark.slow
def test_twenty_clean_studies_raise_at_most_one_alarm(tmp_path: Path) -> None:
    found = alarms(tmp_path, range(20), 1.0)
    assert sum(bool(rows) for rows in found.values()) <= 1


@pytest.mark.slow
def test_twenty_studies_without_signal_are_told_so_and_no_more(tmp_path: Path) -> None:
    found = alarms(tmp_path, range(100, 120), 0.0)
    others = {seed: set(rows) - {"signal"} for seed, rows in found.items()}
    assert sum("signal" in rows for rows in found.values()) >= 18
    assert sum(bool(rows) for rows in others.values()) <= 1


def test_the_vertebral_column_data_raise_none(shared: Path, tmp_path: Path) -> None:
    """Sorted by class, patients numbered in that order, one class defined by one measure: none of it is a leak."""
    names = ["incidence", "tilt", "lordosis", "slope", "radius", "grade", "diagnosis"]
    table = pd.read_csv(shared / "data/vertebral_column/column_3C.dat", sep=" ", names=names)
    table.insert(0, "patient_id", [f"P{k + 1}" for k in range(len(table))])
    for part, rows in {
        "whole": table,
        "halved": table.assign(cohort=np.where(table.index % 2, "train", "external")),
    }.items():
        found = looked_at(write(tmp_path / part, rows, "outcome: {column: diagnosis, ordered: false}\n"))
        assert {name: check.text for name, check in found.items() if check.status != "PASS"} == {}


def test_a_leak_reaches_the_results_the_report_and_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = clean(1)
    path = write(tmp_path, table.assign(group=table["astlof_class"] + 0.1 * np.sin(np.arange(len(table)))))
    run = tmp_path / "run"
    assert guarded(app, ["run", str(path), "--out", str(run), "--strict"]) == 4
    audit = json.loads((run / "results.json").read_text(encoding="utf-8"))["audit"]
    rows = {row["check"]: row for row in audit["rows"]}
    assert audit["status"] == "FAIL"
    assert rows["label proxy"]["status"] == "FAIL"
    assert rows["too good"]["status"] == "WARN"
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "FAIL: an honesty check failed (label proxy" in page
    assert "Column group tells every class without error" in page
