"""Feature tables that cannot be learned from end in one line; poor ones are fitted with what they allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import ovfrad, write_table  # type: ignore[import-not-found]

Change = Callable[[pd.DataFrame], pd.DataFrame]
F = [f"f{j}" for j in range(8)]


def copied(table: pd.DataFrame) -> pd.DataFrame:
    """Every row twice, under another name."""
    return pd.concat([table, table.assign(patient_id=[f"Q{k:03d}" for k in range(len(table))])])


BAD: dict[str, tuple[Change, str]] = {
    "constant outcome": (
        lambda t: t.assign(grade="mild"),
        "E_CLASS_TRAIN table.csv: class moderate is missing in the training cohort (72 of class mild, 0 of class "
        "moderate, 0 of class severe); training needs every class",
    ),
    "a class of one patient": (
        lambda t: t.assign(grade=np.where(t.index == 3, "severe", np.where(t.index % 2, "mild", "moderate"))),
        "E_FOLDS training rows: class severe has 1 patient, fewer than the 2 that any split by patient needs; join or "
        "leave out this class",
    ),
    "no feature varies": (
        lambda t: t.assign(**dict.fromkeys(F, 1.0)),
        "E_NO_FEATURES table.csv: each of the 8 features has one value in all 72 training cases; give features that "
        "vary",
    ),
    "infinite": (
        lambda t: t.assign(f3=np.inf),
        "E_FEATURE_CELL table.csv:2: feature 'f3' is 'inf', no number that can be used; fill it, drop the row, or list "
        "a column of text in `further_columns`",
    ),
    "a copy of each case": (copied, "have the same features; one of them must go: a copy is no validation"),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_one_line(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, wanted = BAD[fault]
    path = write_table(tmp_path)
    change(pd.read_csv(tmp_path / "table.csv")).to_csv(tmp_path / "table.csv", index=False)
    assert ovfrad("fit", path, "--out", tmp_path / "run") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("E_")]
    assert len(lines) == 1
    assert wanted in lines[0]
    if fault == "a copy of each case":
        assert lines[0].count("(train)") == 1  # two cohorts are named, not one twice


def test_gaps_are_filled_where_the_study_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    table.loc[::7, "f0"] = np.nan
    table.to_csv(tmp_path / "table.csv", index=False)
    assert ovfrad("fit", path, "--out", tmp_path / "run") == 2
    assert "selection.missing: impute takes the median" in capsys.readouterr().err
    path.write_text(path.read_text() + "selection: {missing: impute}\n")
    assert ovfrad("run", path, "--out", tmp_path / "run") == 0
    assert "W_FEATURE_GAPS table.csv: empty cells in 1 of 8 feature columns" in capsys.readouterr().err
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert {"auto", "L2_all", "RF_all"} <= set(predictions["model"])
    assert np.isfinite(predictions[["p_0", "p_1", "p_2"]]).all(axis=None)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "W_FEATURE_GAPS" in page


def test_a_table_as_a_spreadsheet_leaves_it_goes_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Row numbers before, separators behind, a unit in which a variance underflows, and hardly a number in a column."""
    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv").drop(columns="age")
    table["f3"] *= 1e-200
    table["f4"] = table["f4"].where(table.index < 4)
    lines = table.to_csv().splitlines()
    (tmp_path / "table.csv").write_text("".join(f"{line},,\n" for line in lines))
    path.write_text(path.read_text() + "selection: {missing: impute}\n")
    assert ovfrad("run", path, "--out", tmp_path / "run") == 0
    told = capsys.readouterr().err
    for code in ("W_COLUMN_NAME", "W_FEATURE_TINY", "W_FEATURE_GAPS"):
        assert f"{code} table.csv: " in told
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert np.isfinite(predictions[["p_0", "p_1", "p_2"]]).all(axis=None)
