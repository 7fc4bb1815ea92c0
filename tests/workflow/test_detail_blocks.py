"""Closer looks at the headline model, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ovfrad.workflow.detail import conformal_block, sample_size_block, set_block, subgroup_blocks, within_center_blocks


def table(cohort: str, y: list[int], p: list[float]) -> pd.DataFrame:
    ids = [f"{cohort}{k}" for k in range(len(y))]
    frame = pd.DataFrame({"patient_id": ids, "vertebra": "L1", "cohort": cohort, "y_true": y})
    return frame.assign(p_0=1 - np.array(p), p_1=p)


def case_table(rows: pd.DataFrame, **columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.MultiIndex.from_frame(rows[["patient_id", "vertebra"]]))


def test_validation_cohorts_are_pooled_and_training_stays_alone() -> None:
    rows = pd.concat([table("train", [0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2]),
                      table("internal", [0, 1], [0.3, 0.6]), table("external", [0, 1], [0.5, 0.4])])  # fmt: skip
    cases = case_table(rows, sex=list("FFMM") + list("FFMM"), age=[60.0, 80, 70, None, 60, 80, 69, 71])
    found = {(b["rows"], b["variable"], b["level"]): b for b in subgroup_blocks(rows, cases, 0.95)}
    # Training: women ranked right, men wrong. Validation: of the pairs (0.3, 0.6, 0.5, 0.4) three of four are right.
    assert found["train", "sex", "F"]["macro_auc"]["estimate"] == 1.0
    assert found["train", "sex", "M"]["macro_auc"]["estimate"] == 0.0
    assert found["validation", "all", "all"]["macro_auc"]["estimate"] == pytest.approx(0.75)
    assert found["validation", "all", "all"]["counts"] == [2, 2]
    assert {level for _, name, level in found if name == "age"} == {"< 70 years", ">= 70 years", "missing"}
    assert found["train", "age", "missing"]["n"] == 1
    assert found["train", "age", "missing"]["macro_auc"]["estimate"] is None


def test_within_centres_drops_pairs_between_them() -> None:
    # Centre A scores high and has the cases: pooled pairs flatter (A's cases beat B's controls), pairs within do not.
    y = [1, 1, 1, 0, 1, 0, 0, 0]
    p = [0.7, 0.8, 0.9, 0.85, 0.2, 0.1, 0.3, 0.25]
    rows = table("internal", y, p)
    cases = case_table(rows, center=list("AAAABBBB"))
    found = within_center_blocks(rows, cases, 0.95)
    assert found is not None
    # A: one of three cases above its control; B: its case above one of three controls.
    assert found["validation"]["macro_auc"]["estimate"] == pytest.approx(1 / 3)
    assert found["validation"]["macro_auc"]["low"] is None
    assert "no interval: a class has fewer than 3 patients in a centre" in found["validation"]["macro_auc"]["method"]
    assert within_center_blocks(rows, case_table(rows, sex=list("FFFFMMMM")), 0.95) is None


def test_a_cohort_without_a_known_centre_says_so() -> None:
    rows = pd.concat([table("train", [0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2]), table("internal", [0, 1], [0.3, 0.6])])
    cases = case_table(rows, center=[*"AAAA", None, None])
    found = within_center_blocks(rows, cases, 0.95)
    assert found is not None
    assert (found["validation"]["centers"], found["validation"]["macro_auc"]["method"]) == (0, "no centre is known")
    assert found["train"]["macro_auc"]["method"].startswith("one centre")


def test_sets_are_counted_by_class() -> None:
    inside = np.array([[True, False], [True, True], [False, True], [True, False]])
    block = set_block(inside, np.array([0, 0, 1, 1]), pd.Series(list("abcc")))
    assert block["coverage"]["estimate"] == 0.75
    assert block["mean_size"] == 1.25
    assert block["sizes"] == [0, 3, 1]
    assert block["class"]["1"]["coverage"]["estimate"] == 0.5
    # Two rows of one patient are one trial.
    assert block["class"]["1"]["coverage"]["n_patients"] == 1
    assert block["class"]["0"]["mean_size"] == 1.5


def test_conformal_sets_are_calibrated_on_inner_rows_and_need_them() -> None:
    new = table("internal", [0, 1], [0.05, 0.95])
    assert conformal_block(new, 0.9, ordered=True) is None
    inner = table("train_inner", [0] * 20 + [1] * 20, [0.1] * 20 + [0.9] * 20)
    block = conformal_block(pd.concat([inner, new]), 0.9, ordered=True)
    assert block is not None
    assert block["method"] == "cross-conformal per class, without the split-conformal promise"
    assert (block["calibration_rows"], block["calibration_counts"]) == ("train_inner", [20, 20])
    assert list(block["cohorts"]) == ["internal"]
    assert block["cohorts"]["internal"]["mean_size"] == 1.0


def test_sizes_and_events() -> None:
    rows = pd.concat([table("train", [0] * 12 + [1] * 8, [0.5] * 20), table("internal", [0, 1], [0.5, 0.5])])
    counts = {"radiomics": 107, "deep": 0, "icc": 80, "pca": 0, "fused": 4}
    block = sample_size_block(rows, counts, 0.95)
    assert block["events"] == 8
    assert block["events_per_feature"] == {"measured": 0.07, "dense": 0.1, "fused": 2.0}
    assert block["widths"]["internal"][0]["low"] is None
