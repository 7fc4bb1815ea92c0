"""The arithmetic audit of printed tables, tried on the paper's (docs/paper_tables.csv)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.evaluation.audit import audit_table, rows_of_evaluation
from ovfrad.evaluation.summary import evaluate

PAPER = Path(__file__).resolve().parents[2] / "docs" / "paper_tables.csv"


@pytest.fixture(scope="module")
def audited() -> pd.DataFrame:
    return audit_table(pd.read_csv(PAPER, dtype=str, keep_default_na=False))


def failures(audited: pd.DataFrame, check: str) -> list[str]:
    return audited.loc[(audited["check"] == check) & (audited["result"] == "FAIL"), "where"].tolist()


def test_the_papers_p_value_is_no_probability(audited: pd.DataFrame) -> None:
    assert failures(audited, "probability") == ["Results, training, DeLong"]


def test_the_papers_percentages(audited: pd.DataFrame) -> None:
    assert failures(audited, "share") == ["Table 1, conservative, external", "Results, flow"]
    reason = audited.loc[audited["where"] == "Table 1, conservative, external", "reason"].item()
    assert reason == "62 / 110 is 56.36 %, printed 56.3"


def test_the_papers_accuracies_are_no_whole_counts(audited: pd.DataFrame) -> None:
    found = failures(audited, "whole_count")
    for cohort in ("internal", "external", "prospective"):
        assert sum(cohort in where for where in found) >= 4, cohort
    assert not [where for where in found if "train" in where]
    assert "Table 3, RadImageNet, class 2, train" in failures(audited, "rounding")


@pytest.mark.parametrize(("cohort", "n"), [("internal", 187), ("external", 110), ("prospective", 51)])
def test_they_are_whole_counts_of_other_denominators(cohort: str, n: int) -> None:
    table = pd.read_csv(PAPER, dtype=str, keep_default_na=False)
    other = {"internal": "197", "external": "116", "prospective": "56"}[cohort]
    rows = table[(table["quantity"] == "proportion") & table["where"].str.endswith(cohort)]
    assert len(rows) == 8
    assert (rows["n"] == str(n)).all()
    found = audit_table(rows.assign(n=other))
    assert (found.loc[found["check"] == "whole_count", "result"] == "PASS").all()


def test_the_sizes_that_fit_them_are_named(audited: pd.DataFrame) -> None:
    found = audited[audited["check"] == "size"]
    assert found["value"].tolist() == ["187", "110", "51"]
    assert found["reason"].tolist() == [
        f"8 proportions stated for n = {n} do not all fit it; all fit n = {other}"
        for n, other in ((187, 197), (110, 116), (51, 56))
    ]


def test_the_papers_macro_intervals_are_means_of_class_limits(audited: pd.DataFrame) -> None:
    assert len(failures(audited, "macro_limits")) == 8
    rows = [
        {"where": f"class {k}", "quantity": "auc", "value": v, "low": low, "high": high, "group": "g"}
        for k, v, low, high in ((0, "0.80", "0.70", "0.90"), (1, "0.70", "0.60", "0.80"))
    ]
    honest = {"where": "macro", "quantity": "macro_auc", "value": "0.75", "low": "0.68", "high": "0.82", "group": "g"}
    assert failures(audit_table([*rows, honest]), "macro_limits") == []
    assert failures(audit_table([*rows, honest | {"low": "0.65", "high": "0.85"}]), "macro_limits") == ["macro"]


def test_two_classes_share_their_interval_with_the_macro_auc() -> None:
    rows = [
        {"where": f"class {k}", "quantity": "auc", "value": "0.85", "low": "0.77", "high": "0.93", "group": "g"}
        for k in (0, 1)
    ]
    macro = {"where": "macro", "quantity": "macro_auc", "value": "0.85", "low": "0.77", "high": "0.93", "group": "g"}
    assert failures(audit_table([*rows, macro]), "macro_limits") == []


def test_no_other_size_is_named_where_chance_would_fit_one() -> None:
    """Two proportions fit some size near any; eight do not."""
    few = [{"where": f"row {v}", "quantity": "proportion", "value": v, "n": "110"} for v in ("0.715", "0.647")]
    found = audit_table(few)
    assert "FAIL" in set(found["result"])
    assert "size" not in set(found["check"])


def test_the_papers_macro_aucs_exceed_the_mean_of_their_classes(audited: pd.DataFrame) -> None:
    found = failures(audited, "macro_mean")
    assert "Table 3, RadImageNet, macro, prospective" in found
    assert not failures(audited, "interval")
    assert not failures(audited, "total")


def test_our_own_tables_pass() -> None:
    rng = np.random.default_rng(0)
    for seed in range(5):
        y = rng.choice(3, 110, p=(0.46, 0.44, 0.1))
        p = np.exp(rng.standard_normal((110, 3)) + np.eye(3)[y])
        p /= p.sum(axis=1, keepdims=True)
        table = pd.DataFrame({"patient_id": range(110), "y_true": y} | {f"p_{k}": p[:, k] for k in range(3)})
        found = audit_table(rows_of_evaluation(evaluate(table, seed=seed), "Table 3, external"))
        assert {"macro_mean", "whole_count", "interval", "range"} <= set(found["check"])
        assert (found["result"] == "PASS").all(), found[found["result"] == "FAIL"]


@pytest.mark.parametrize(
    ("row", "check", "reason"),
    [
        ({"quantity": "auc", "value": "1.02"}, "range", "1.02 lies outside 0 to 1"),
        (
            {"quantity": "auc", "value": "0.80", "low": "0.81", "high": "0.9"},
            "interval",
            "0.81 to 0.9 does not contain",
        ),
        ({"quantity": "auc", "value": "0.80", "low": "0.9", "high": "0.7"}, "interval", "0.9 to 0.7 is no interval"),
        ({"quantity": "auc", "value": "0.80", "low": "0.7"}, "interval", "one limit of the interval is missing"),
        ({"quantity": "percentage", "value": "101"}, "range", "101 % lies outside 0 to 100"),
        ({"quantity": "proportion", "value": "0.5", "n": "0"}, "whole_count", "0.5 is no k / 0"),
    ],
)
def test_each_fault_is_found(row: dict, check: str, reason: str) -> None:
    found = audit_table([{"where": "x"} | row])
    failed = found[found["result"] == "FAIL"]
    assert failed["check"].tolist() == [check]
    assert reason in failed["reason"].item()


def test_small_p_values_as_printed_pass() -> None:
    assert (
        audit_table([{"where": "x", "quantity": "p", "value": v} for v in ("<.001", ".05", "1")])["result"] == "PASS"
    ).all()


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"where": "x", "quantity": "p", "value": "n.s."}], "x: value 'n.s.' is not a number."),
        ([{"where": "x", "quantity": "p", "value": ""}], "x: value '' is not a number."),
        ([{"where": "x", "quantity": "AUC", "value": "1"}], "x: quantity 'AUC' is unknown; percentage, proportion"),
        ([{"where": "x", "value": "1"}], "column 'quantity' is missing"),
        ([{"where": "x", "quantity": "p", "value": "1", "total": "2"}], "column 'total' is unknown"),
    ],
)
def test_a_table_in_another_format_is_refused(rows: list[dict], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        audit_table(rows)


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        ({"quantity": "percentage", "value": "45.2", "count": "1,098", "n": "2,430"}, True),
        ({"quantity": "percentage", "value": "45.2%", "count": "1098", "n": "2430"}, True),
        ({"quantity": "p", "value": "P < .001"}, True),
        ({"quantity": "p", "value": "p=1.2"}, False),
        ({"quantity": "proportion", "value": "0·66", "n": "187"}, True),
        ({"quantity": "proportion", "value": "0·660", "n": "187"}, False),
        ({"quantity": "count", "value": "-3"}, False),
    ],
)
def test_numbers_as_journals_print_them(row: dict, passes: bool) -> None:
    assert (audit_table([{"where": "x"} | row])["result"] == "PASS").all() == passes


@pytest.mark.parametrize("n", ["51.5", "-4", "<20", "many", "1,09"])
def test_a_size_that_is_no_count_is_refused(n: str) -> None:
    with pytest.raises(ValueError, match=r"^x: n "):
        audit_table([{"where": "x", "quantity": "proportion", "value": "0.5", "n": n}])
