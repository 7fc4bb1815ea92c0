from __future__ import annotations

import pandas as pd

from ovfrad.report import ReportInput
from ovfrad.report.table_results import (
    best_new,
    comparison_table,
    confusion_table,
    headline_table,
    plain_table,
    table_three,
)
from ovfrad.report.words import estimate, p_value, sentence


def test_headline_table_says_what_results_say(full: ReportInput) -> None:
    table = headline_table(full)
    assert table is not None
    block = full.headline_block("external")
    assert block is not None
    macro = table[table[""] == "AUC, macro"].iloc[0]
    assert macro["External validation"] == estimate(block["macro_auc"])
    assert table.columns.tolist()[1:] == [
        "Training (nested)",
        "Internal validation",
        "External validation",
        "Prospective validation",
    ]
    n, patients = block["macro_auc"]["n"], block["macro_auc"]["n_patients"]
    assert table.iloc[0]["External validation"] == f"{n} of {patients}"


def test_table_three_has_every_model_arm_and_cohort(full: ReportInput) -> None:
    table = table_three(full)
    assert table is not None
    # Three models, two arms, four cohorts, and the apparent row of the headline.
    assert len(table) == 3 * 2 * 4 + 1
    assert table.iloc[0]["Cohort"] == "Training (apparent)"


def test_confusion_counts_are_the_cases(full: ReportInput) -> None:
    table = confusion_table(full)
    assert table is not None
    external = table[table["Cohort"] == "External validation"]
    assert external.filter(like="predicted").astype(int).to_numpy().sum() == (full.cases["cohort"] == "external").sum()


def test_the_external_cohort_answers_first(full: ReportInput, plain: ReportInput) -> None:
    assert best_new(full) == "external"
    assert best_new(plain) == "train"


def test_no_interval_without_limits_and_no_p_outside_its_range() -> None:
    row = {"cohort": "external", "a": "x", "b": "y", "difference": 0.1, "low": None, "high": None, "p": None}
    table = comparison_table([row])
    assert table is not None
    assert table.iloc[0][["A minus B", "p", "p, Holm"]].tolist() == ["0.10 (no interval)", "–", "–"]
    assert p_value(1.0) == "> .99"


def test_a_missing_estimate_gives_its_reason() -> None:
    none = {"estimate": None, "low": None, "high": None, "method": "fewer than 3 cases", "n": 2, "n_patients": 2}
    assert sentence(none, "macro AUC") == "macro AUC not estimated: fewer than 3 cases"
    assert sentence(None, "macro AUC") == "macro AUC not estimated"


def test_plain_tables_round_and_name() -> None:
    table = plain_table(pd.DataFrame({"p_holm": [0.0004], "kappa": [0.8123], "n": [30], "ok": [True], "x": [None]}))
    assert table is not None
    assert table.iloc[0].tolist() == ["< .001", "0.81", "30", "yes", "–"]
    assert table.columns[0] == "p, Holm"
