"""What a feature table and its study file say is done, and what cannot be done is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.report.methods_text import methods
from ovfrad.study import load
from ovfrad.workflow import evaluate
from ovfrad.workflow.folder import RunFolder
from ovfrad.workflow.report import gather

from .conftest import LEAN, ovfrad, write_table  # type: ignore[import-not-found]

pytestmark = pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a refusal."""
    assert ovfrad(*arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("E_")]
    assert len(lines) == 1
    return lines[0]


def test_a_clean_study_of_two_classes_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path, K=2)
    assert ovfrad("run", path, "--out", tmp_path / "run", "--strict") == 0
    rows = json.loads((tmp_path / "run" / "results.json").read_text())["audit"]["rows"]
    assert next(row for row in rows if row["check"] == "tables")["status"] == "PASS"

    wrong = pd.DataFrame({"where": ["macro"], "result": ["FAIL"], "reason": ["planted"]})
    monkeypatch.setattr(evaluate, "audit_table", lambda rows: wrong)
    assert ovfrad("run", path, "--out", tmp_path / "run", "--strict") == 4
    card = (tmp_path / "run" / "bundle" / "MODEL_CARD.md").read_text()
    assert "FAIL" in card


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            "outcome: {column: sex}\nharmonisation: {covariates: [sex]}",
            "sex is the outcome, which ComBat must not know",
        ),
        ("outcome: {column: scanner}", "scanner is the outcome and would be ComBat's batch"),
        ("outcome: {column: center}\nharmonisation: {batch: center}", "center is the outcome and would be ComBat's"),
    ],
)
def test_combat_is_not_told_the_outcome(
    settings: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_table(tmp_path)
    path.write_text(f"features: table.csv\n{settings}\n")
    line = refused(capsys, "check", path)
    assert line.startswith("E_SETTING_VALUE")
    assert fault in line


def test_deep_columns_are_arms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_table(tmp_path, signal=0.0)
    table, rng = pd.read_csv(tmp_path / "table.csv"), np.random.default_rng(1)
    y = np.arange(len(table)) % 3
    for j in range(3):
        table[f"deep_resnet_{j:04d}"] = 2.0 * y * (j == 0) + rng.normal(size=len(table))
    table.to_csv(tmp_path / "table.csv", index=False)
    assert load(path).arms == ("resnet",)
    assert ovfrad("fit", path, "--out", tmp_path / "run") == 0
    counts = json.loads((tmp_path / "run" / "selection.json").read_text())["sound/resnet"]["counts"]
    assert (counts["radiomics"], counts["deep"]) == (8, 3)
    path.write_text(path.read_text().replace("models: {", "models: {headline: {arm: other}, "))
    assert "E_SETTING_VALUE table.csv: headline arm 'other' has no column" in refused(capsys, "check", path)


def test_a_batch_column_is_whole_or_not_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    table["scanner"] = np.where(np.arange(len(table)) % 2, "A", "B")
    table.loc[[4, 7], "scanner"] = None
    table.to_csv(tmp_path / "table.csv", index=False)
    assert any(line.startswith("W_BATCH_GAPS table.csv: scanner is empty in 2 of 90") for line in load(path).warnings)
    path.write_text(path.read_text() + "harmonisation: {batch: scanner}\n")
    assert "E_BATCH_MISSING table.csv: scanner is empty in 2 of 90 cases" in refused(capsys, "check", path)


def test_text_classes_have_no_order_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_table(tmp_path)
    path.write_text(f"features: table.csv\noutcome: {{column: grade}}\n{LEAN}")
    study = load(path)
    assert not study.settings.outcome.ordered
    assert any(line.startswith("W_CLASS_ORDER") for line in study.warnings)
    path.write_text(f"features: table.csv\noutcome: {{column: grade, ordered: true}}\n{LEAN}")
    assert refused(capsys, "check", path).startswith("E_CLASS_ORDER table.csv: the order of mild, moderate, severe")
    table = pd.read_csv(tmp_path / "table.csv")
    table.assign(grade=table["grade"].map({"mild": "2.5", "moderate": "10.5", "severe": "1.5"})).to_csv(
        tmp_path / "table.csv", index=False
    )
    assert load(path).classes == ("1.5", "2.5", "10.5")


def test_a_clinical_column_of_numbers_is_a_number_and_no_feature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    table.assign(bmi=20 + table["f1"], smoker="yes").to_csv(tmp_path / "table.csv", index=False)
    path.write_text(path.read_text() + "clinical: {columns: [bmi, smoker]}\n")
    study = load(path)
    assert study.cases["bmi"].dtype == float
    assert study.cases["smoker"].dtype == object
    assert study.features is not None
    assert "bmi" not in study.features
    path.write_text(path.read_text().replace("[bmi, smoker]", "[smoker, bmii]"))
    assert "clinical column 'bmii' is absent; did you mean 'bmi'?" in refused(capsys, "check", path)


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    found = []
    for name in ("as it is", "turned"):
        path = write_table(tmp_path / name)
        table = pd.read_csv(path.parent / "table.csv")
        table.iloc[:: 1 if name == "as it is" else -1].to_csv(path.parent / "table.csv", index=False)
        assert ovfrad("fit", path, "--out", path.parent / "run") == 0
        found.append(pd.read_parquet(path.parent / "run" / "predictions.parquet"))
    pd.testing.assert_frame_equal(*(t.sort_values(list(t.columns[:7])).reset_index(drop=True) for t in found))


@pytest.mark.parametrize(
    ("scanners", "said"),
    [
        (None, "Features were not harmonised: no scanner or centre is known of every case."),
        (["A"], "Features were not harmonised: all training cases come from one scanner."),
        (["A", "B"], "towards A) with the scanner as batch (A with 36, B with 36 training cases)."),
    ],
)
def test_the_methods_say_what_was_done(scanners: list[str] | None, said: str, tmp_path: Path) -> None:
    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    table["cohort"] = np.where(np.arange(len(table)) < 72, "train", "external")
    if scanners:
        table["scanner"] = np.array(scanners)[np.arange(len(table)) % len(scanners)]
        table.loc[80:, "scanner"] = "C"
    table.to_csv(tmp_path / "table.csv", index=False)
    assert ovfrad("run", path, "--out", tmp_path / "run") == 0
    words = dict(methods(gather(RunFolder(tmp_path / "run")))[0])["Harmonisation and feature selection"]
    assert said in words
    assert "No case was outlined twice" in words
    left = "10 cases of external validation came from batches that training did not have (C), and were left as they are"
    assert (left in words) == (scanners == ["A", "B"])
