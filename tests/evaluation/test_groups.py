"""Subgroups, pairs within a centre, per-fold averages and sample-size notes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from ovfrad.evaluation.folds import per_fold_macro_auc
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.evaluation.sample_size import events_per_feature, interval_widths
from ovfrad.evaluation.subgroups import subgroups, within_auc


def predictions(n: int = 240, signal: float = 1.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [n // 2, n // 3, n - n // 2 - n // 3]))
    p = np.exp(rng.standard_normal((n, 3)) + signal * np.eye(3)[y])
    p /= p.sum(axis=1, keepdims=True)
    columns = {f"p_{k}": p[:, k] for k in range(3)}
    return pd.DataFrame({"patient_id": np.arange(n), "y_true": y, **columns})


def test_each_level_of_each_variable_has_its_numbers() -> None:
    table = predictions()
    groups = pd.DataFrame({"sex": np.tile(["f", "f", "m"], 80), "age": np.linspace(50, 95, 240)})
    groups.loc[:4, "age"] = np.nan
    found = subgroups(table, groups)
    assert found["level"].unique().tolist() == ["f", "m", "<= 72.9707", "> 72.9707", "missing"]
    row = found[(found["level"] == "m") & (found["metric"] == "macro_auc")].iloc[0]
    part = table[groups["sex"] == "m"]
    expected = macro_auc(part["y_true"], part[["p_0", "p_1", "p_2"]])
    assert (row["n"], row["estimate"], row["low"]) == (80, expected.estimate, pytest.approx(expected.low))
    with pytest.raises(ValueError, match="one row for each of the 240 predictions; got 3"):
        subgroups(table, groups.head(3))


def test_a_centre_with_more_surgery_cannot_help_within_centre_auc() -> None:
    table = predictions(600, 0.0)
    center = np.where(table["y_true"] == 2, np.where(np.arange(600) % 10 < 9, "B", "A"), "A")
    center = np.where(np.arange(600) % 7 == 0, "B", center)
    guess = np.where(center == "B", 0.6, 0.1) + np.random.default_rng(1).random(600) * 0.1
    rest = (1 - guess)[:, None] * np.array([[0.5, 0.5]])
    table = table.assign(p_0=rest[:, 0], p_1=rest[:, 1], p_2=guess)
    assert macro_auc(table["y_true"], table[["p_0", "p_1", "p_2"]]).estimate > 0.58
    within = within_auc(table, center)
    assert within.low < 0.5 < within.high
    assert within.method.startswith("within 2 strata, 0 without all classes left out")


def test_per_fold_auc_is_one_half_where_pooling_is_biased() -> None:
    means, pooled = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.repeat([0, 1], 20))
        fold = np.arange(40) % 10
        share = np.array([y[fold != f].mean() for f in fold])  # a model that learned the training share only
        p = np.clip(share + rng.standard_normal(40) * 1e-6, 0, 1)
        table = pd.DataFrame({"patient_id": range(40), "fold": fold, "y_true": y, "p_0": 1 - p, "p_1": p})
        means.append(per_fold_macro_auc(table).mean)
        pooled.append(macro_auc(y, np.c_[1 - p, p]).estimate)
    assert np.mean(pooled) < 0.4
    assert np.mean(means) == pytest.approx(0.5, abs=0.05)


def test_folds_that_lack_a_class_are_counted() -> None:
    table = predictions(12).assign(y_true=[0, 1, 0, 1, 2, 2, 2, 2, 0, 1, 2, 0], fold=np.repeat([0, 1, 2], 4))
    found = per_fold_macro_auc(table)
    assert (found.folds, found.incomplete, found.skipped) == (2, 1, 1)
    assert found.as_dict()["limit"] == pytest.approx(0.5 + max(3 * found.se, 0.01))
    one = per_fold_macro_auc(table.assign(y_true=0))
    assert (one.mean, one.passes) == (None, None)
    with pytest.raises(ValueError, match="column 'fold' is missing; it tells the folds apart"):
        per_fold_macro_auc(table.drop(columns="fold"))


def test_no_signal_passes_and_signal_does_not() -> None:
    def repeated(signal: float) -> pd.DataFrame:
        parts = [predictions(120, signal, seed).assign(fold=np.arange(120) % 5, run=seed) for seed in range(6)]
        return pd.concat(parts)

    null, real = (per_fold_macro_auc(repeated(signal), repetition="run") for signal in (0.0, 1.0))
    assert (null.repetitions, null.folds) == (6, 30)
    assert null.passes
    assert not real.passes


def test_sample_size_of_the_papers_cohorts() -> None:
    assert events_per_feature([345, 338, 67], 33) == 2.03
    assert events_per_feature([5, 5], 0) is None
    widths = interval_widths([24, 22, 2])
    assert widths["width"].isna().tolist() == [False, False, True]


def test_two_centres_halve_the_variance_of_one() -> None:
    table = predictions(120)
    twice = pd.concat([table, table.assign(patient_id=table["patient_id"] + 1000)], ignore_index=True)
    one, two = within_auc(table, ["A"] * 120), within_auc(twice, ["A"] * 120 + ["B"] * 120)
    assert two.estimate == pytest.approx(one.estimate)
    width_one, width_two = (logit(found.high) - logit(found.low) for found in (one, two))
    assert width_two == pytest.approx(width_one / np.sqrt(2))
    alone = within_auc(table, np.where(table["y_true"] == 2, "A", "B"))
    assert alone.method == "no stratum has all classes"


def test_patients_of_two_centres_count_once_and_rows_of_none_are_left_out() -> None:
    table = predictions(120)
    twice = pd.concat([table.assign(vertebra="L1"), table.assign(vertebra="L2")], ignore_index=True)
    one, two = within_auc(table, ["A"] * 120), within_auc(twice, ["A"] * 120 + ["B"] * 120)
    assert (two.low, two.high) == pytest.approx((one.low, one.high))
    assert (two.n, two.patients) == (240, one.patients)
    unknown = within_auc(twice, ["A"] * 120 + [None] * 120)
    assert (unknown.estimate, unknown.low, unknown.n) == pytest.approx((one.estimate, one.low, 120))
    assert "0 without all classes left out, 120 rows without a stratum" in unknown.method
