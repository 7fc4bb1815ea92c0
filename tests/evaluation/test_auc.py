"""AUC, DeLong and the paired test against pROC (tests/reference/evaluation/generate.R), and the choice of interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit, stdtr
from scipy.stats import brunnermunzel

from ovfrad.evaluation import auc, mean_auc
from ovfrad.evaluation.intervals import degrees_of_freedom, newcombe_interval, newcombe_variance
from ovfrad.evaluation.paired import delong_test
from ovfrad.evaluation.roc import roc_points

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "evaluation"
SAME = 1e-10  # both compute the same sums in double precision


def reference(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(REFERENCE / f"{name}_rows.csv"), pd.read_csv(
        REFERENCE / f"{name}_results.csv", dtype={"kind": str}
    )


@pytest.mark.parametrize("dataset", range(1, 11))
def test_auc_variance_and_paired_test_equal_proc(dataset: int) -> None:
    rows, results = (table[table["dataset"] == dataset] for table in reference("delong"))
    expected = results.iloc[0]
    cases, scores = rows["y"].to_numpy(dtype=bool), rows[["a", "b"]].to_numpy().T
    values, influences = auc.influence(cases, scores, np.arange(len(cases)))
    covariance = auc.clustered_covariance(influences, np.arange(len(cases)))
    assert values == pytest.approx([expected["auc_a"], expected["auc_b"]], abs=SAME)
    assert covariance[[0, 1, 0], [0, 1, 1]] == pytest.approx(expected[["var_a", "var_b", "cov_ab"]].tolist(), abs=SAME)
    test = delong_test(cases, scores[0], scores[1])
    assert test.statistic == pytest.approx(expected["z"], abs=SAME)
    assert test.p == pytest.approx(expected["p"], abs=SAME)


def test_the_reference_holds_ten_datasets_most_with_ties() -> None:
    results = reference("delong")[1]
    assert len(results) == 10
    assert (results["ties"] > 0).sum() == 9


def test_auc_is_the_share_of_pairs_won_with_ties_one_half() -> None:
    rng = np.random.default_rng(0)
    y, score = rng.integers(2, size=60).astype(bool), rng.integers(4, size=60)
    pairs = np.sign(score[y][:, None] - score[~y][None, :])
    assert auc.auc(y, score) == pytest.approx((pairs + 1).mean() / 2)


def test_doubled_rows_of_one_patient_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=80).astype(bool)
    score = rng.standard_normal(80) + y
    once = auc.class_auc(y, score)
    twice = auc.class_auc(np.tile(y, 2), np.tile(score, 2), np.tile(np.arange(80), 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=1e-12)
    assert (twice.n, twice.patients) == (160, 80)
    naive = auc.class_auc(np.tile(y, 2), np.tile(score, 2))
    assert naive.high - naive.low < 0.75 * (once.high - once.low)


@pytest.mark.parametrize(
    ("cases", "others", "method"),
    [
        (40, 40, "cluster-robust DeLong, logit"),
        (39, 80, "cluster-robust DeLong and Newcombe, logit"),
        (20, 20, "cluster-robust DeLong and Newcombe, logit"),
        (19, 40, "Newcombe method 5"),
        (40, 19, "Newcombe method 5"),
    ],
)
def test_the_smaller_group_chooses_the_interval(cases: int, others: int, method: str) -> None:
    rng = np.random.default_rng(2)
    y = np.r_[np.ones(cases), np.zeros(others)].astype(bool)
    assert auc.class_auc(y, rng.standard_normal(len(y)) + y).method == method


def test_below_three_patients_there_is_an_estimate_and_no_interval() -> None:
    y = np.r_[np.ones(2), np.zeros(20)].astype(bool)
    found = auc.class_auc(y, np.arange(22))
    assert found.estimate == 0.0
    assert not found.has_interval
    assert found.method == "no interval: 2 patients among the cases, fewer than 3"
    three_rows_of_two = auc.class_auc(np.r_[[True] * 3, [False] * 9], np.arange(12), [0, 0, 1, *range(2, 11)])
    assert not three_rows_of_two.has_interval


@pytest.mark.parametrize("perfect", [True, False])
def test_a_perfect_or_reversed_ranking_keeps_an_interval_of_some_width(perfect: bool) -> None:
    y = np.repeat([0, 1, 2], [24, 22, 5])
    p = np.eye(3)[y] * 0.9 + 0.05 if perfect else 1 - np.eye(3)[y]
    for found in (auc.class_auc(y == 2, p[:, 2]), mean_auc.macro_auc(y, p)):
        assert found.estimate == float(perfect)
        assert 0.1 < found.high - found.low < 0.5


def test_newcombe_limits_are_where_the_z_statistic_is_exactly_z() -> None:
    low, high = newcombe_interval(0.8, 5, 46)
    for limit in (low, high):
        z = (0.8 - limit) / np.sqrt(newcombe_variance(limit, 5, 46))
        assert abs(z) == pytest.approx(1.959964, abs=1e-5)


@pytest.mark.parametrize("n", [12, 30, 60, 200])
def test_mean_aucs_of_two_classes_are_the_class_auc(n: int) -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=n)
    p1 = 1 / (1 + np.exp(-(rng.standard_normal(n) + y)))
    single = auc.class_auc(y == 1, p1)
    for mean in (mean_auc.macro_auc, mean_auc.hand_till):
        found = mean(y, np.c_[1 - p1, p1])
        assert (found.estimate, found.low, found.high) == pytest.approx((single.estimate, single.low, single.high))


def test_the_width_of_hand_till_is_that_of_a_jackknife_over_patients() -> None:
    rng = np.random.default_rng(5)
    patients, y = np.repeat(np.arange(150), 2), rng.permutation(np.repeat([0, 1, 2], 100))
    scores = rng.standard_normal((150, 3))[patients] + rng.standard_normal((300, 3)) + 1.5 * np.eye(3)[y]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = mean_auc.hand_till(y, p, patients)
    left_out = [mean_auc.hand_till(y[patients != k], p[patients != k]).estimate for k in range(150)]
    se = np.sqrt(149 / 150 * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    on_logit = (logit(found.high) - logit(found.low)) / 2 * found.estimate * (1 - found.estimate) / se
    assert on_logit == pytest.approx(1.96, abs=0.06)


def test_roc_points_enclose_the_auc() -> None:
    rng = np.random.default_rng(4)
    y, score = rng.integers(2, size=70).astype(bool), rng.integers(9, size=70)
    false, true, thresholds = roc_points(y, score)
    assert np.trapezoid(true, false) == pytest.approx(auc.auc(y, score))
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.isinf(thresholds[0])


def test_degrees_of_freedom_are_those_of_brunner_and_munzel() -> None:
    rng = np.random.default_rng(6)
    y = np.r_[np.ones(23), np.zeros(60)].astype(bool)
    score = rng.standard_normal(83) + y
    _, rows = auc.influence(y, score, np.arange(83))
    expected = brunnermunzel(score[~y], score[y])
    t = (auc.auc(y, score) - 0.5) / np.sqrt((rows**2).sum())
    df = degrees_of_freedom(rows[0], y.astype(int), np.arange(83))
    assert abs(t) == pytest.approx(abs(expected.statistic))
    assert 2 * stdtr(df, -abs(t)) == pytest.approx(expected.pvalue)
