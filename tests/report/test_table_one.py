from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.report import ReportInput
from ovfrad.report.table_one import compare_counts, compare_numbers, flow_numbers, smd_counts, table_one, table_two


@pytest.fixture
def small() -> ReportInput:
    """Three training patients (one with two vertebrae, one of unknown sex) and two external ones."""
    cases = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "c", "d", "e"],
            "vertebra": ["L1", "L2", "L1", "T12", "L1", "L3"],
            "cohort": ["train"] * 4 + ["external"] * 2,
            "sex": ["F", "F", "M", None, "F", "M"],
            "age": [60.0, 60.0, 70.0, 80.0, 65.0, 75.0],
            "location": ["Lumbar", "Lumbar", "Lumbar", "Thoracic", "Lumbar", "Lumbar"],
            "treatment": ["PVA", "conservative", "PVA", None, "PVA", "PVA"],
            "y": [0, 1, 1, 2, 0, 1],
        }
    )
    return ReportInput("small", ("0", "1", "2"), cases)


def row(table: pd.DataFrame, start: str) -> pd.Series:
    return table[table["Characteristic"].str.strip().str.startswith(start)].iloc[0]


def test_patients_are_counted_once_and_vertebrae_each(small: ReportInput) -> None:
    table = table_one(small)
    assert row(table, "Patients")[["Train", "External", "All"]].tolist() == ["3", "2", "5"]
    assert row(table, "Vertebrae, n")[["Train", "External", "All"]].tolist() == ["4", "2", "6"]
    # Patient a counts once: ages 60, 70, 80.
    assert row(table, "Age")["Train"] == "70.0 (10.0)"
    assert row(table, "Female")["Train"] == "1 (50.0)"
    assert row(table, "Thoracic")["Train"] == "1 (25.0)"
    assert row(table, "2")["Train"] == "1 (33.3)"


def test_missing_values_are_counted_and_left_out_of_percentages(small: ReportInput) -> None:
    table = table_one(small)
    assert row(table, "Missing")[["Train", "External", "All"]].tolist() == ["1 (33.3)", "0 (0.0)", "1 (20.0)"]


def test_standardised_difference_and_test_of_two_cohorts(small: ReportInput) -> None:
    age = row(table_one(small), "Age")
    assert age["Test"] == "Welch t"
    # Means both 70.
    assert age["SMD"] == "0.00"


def test_tests_follow_the_data() -> None:
    rng = np.random.default_rng(0)
    normal = [rng.normal(size=50) for _ in range(3)]
    assert compare_numbers(normal)[1] == "ANOVA"
    assert compare_numbers(normal, ranks=True)[1] == "Kruskal-Wallis"
    assert compare_numbers(normal[:2], ranks=True)[1] == "Mann-Whitney"
    assert compare_numbers([np.ones(5), np.ones(5)])[1] == "–"
    # Fisher's tea: p = 0.4857 (Fisher 1935).
    p, test = compare_counts(np.array([[3, 1], [1, 3]]))
    assert (round(p, 4), test) == (0.4857, "Fisher")
    assert compare_counts(np.array([[10, 0, 2], [4, 5, 1]])) == compare_counts(np.array([[10, 0, 2], [4, 5, 1]]))
    assert np.isnan(compare_counts(np.array([[10, 0], [4, 0]]))[0])


def test_multinomial_difference_of_two_levels_is_the_binary_formula() -> None:
    p, q = 0.3, 0.5
    binary = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert smd_counts(np.array([30, 70]), np.array([50, 50])) == pytest.approx(binary)


def test_class_by_treatment_counts_gaps_as_missing(small: ReportInput) -> None:
    table = table_two(small)
    assert table is not None
    assert table.columns.tolist() == ["Classification", "n", "conservative (n=1)", "PVA (n=4)", "missing (n=1)"]
    assert table.iloc[1].tolist() == ["class 1 (either)", "3", "1 (33.3)", "2 (66.7)", "0 (0.0)"]
    assert table_two(replace(small, cases=small.cases.drop(columns="treatment"))) is None


def test_flow_counts_add_up(small: ReportInput) -> None:
    left = pd.DataFrame({"patient_id": ["a", "z"], "vertebra": ["T9", "L1"], "exclusion": ["tumour", "tumour"]})
    boxes = flow_numbers(replace(small, excluded=left))
    assert boxes[0][:3] == ("Assessed for eligibility", 6, 8)
    assert boxes[1] == ("Excluded", 2, 2, "tumour: 2")
    assert boxes[2][:3] == ("Analysed", 5, 6)
    assert sum(box[2] for box in boxes[3:]) == 6
