"""The methods paragraph tells what this run did, not what the study file would have allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ovfrad.report import ReportInput
from ovfrad.report.methods_text import methods
from ovfrad.study.file import resolve


def told(data: ReportInput, run: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    """Paragraphs by their headings."""
    resolved = resolve({"cases": "cases.csv", **settings}, "study.yaml").model_dump(mode="json")
    return dict(methods(replace(data, settings=resolved, run={**data.run, **(run or {})}))[0])


def test_folds_as_they_were_used(full: ReportInput) -> None:
    words = told(full, {"folds": {"outer": 2, "inner": 0}})
    assert "in 2 outer folds" in words["Evaluation"]
    assert "too few patients for inner folds. Probabilities were not recalibrated." in words["Models"]
    words = told(full, {"folds": {"outer": 5, "inner": 4}}, models={"classifiers": ["LR"]})
    assert "1 classifier (LR; scikit-learn [" in words["Models"]
    assert "was fitted to the selected set" in words["Models"]
    assert "its grid chosen by log-loss in 4-fold" in words["Models"]
    assert "XGBoost" not in words["Models"]


def test_a_tuned_network_is_not_called_frozen(full: ReportInput) -> None:
    assert "It was frozen" in told(full)["Deep features"]
    words = told(full, deep={"arms": {"random": {"tuned": True}}})["Deep features"]
    assert "frozen" not in words
    assert "its last stage and a new head were tuned on the training patients, anew in every fold" in words
    assert "for training rows from networks tuned on other patients, in 3 folds" in words
    flattered = told(full, deep={"arms": {"random": {"tuned": True}}, "tune": {"training_features": "in_sample"}})
    assert "which flatters them" in flattered["Deep features"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "What ComBat corrected is not known: the run was made by an earlier version."),
        ({}, "Features were not harmonised: no scanner or centre is known of every case."),
        ({"column": "center", "batches": {"A": 9}}, "not harmonised: all training cases come from one centre."),
        (
            {"column": "scanner", "batches": {"A": 9, "B": 1200}, "reference": "B", "not_harmonised": {},
             "adapted": {"external": {"C": 20}}},
            "with the scanner as batch (A with 9, B with 1,200 training cases). 20 cases of external validation came "
            "from batches that training did not have (C), and were adapted on these unlabelled cases.",
        ),
    ],
)  # fmt: skip
def test_what_combat_did(full: ReportInput, found: dict[str, Any] | None, said: str) -> None:
    run = {} if found is None else {"harmonisation": found}
    assert said in told(full, run)["Harmonisation and feature selection"]
