"""Comparison of two models: p in [0, 1], degenerate pairs, Holm, alignment of rows."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from ovfrad.evaluation.auc import auc, influence
from ovfrad.evaluation.compare import compare, compare_all
from ovfrad.evaluation.estimate import Estimate, PValue
from ovfrad.evaluation.paired import (
    PairedTest,
    bootstrap_p,
    class_difference,
    delong_test,
    holm,
    macro_test,
    permutation_p,
)


def pair(n: int = 150, seed: int = 0, better: float = 1.5, worse: float = 0.3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=(0.46, 0.44, 0.1))
    who = [f"P{i // 2}" if i < 40 else f"P{i}" for i in range(n)]
    level = [f"L{i % 2 + 1}" for i in range(n)]
    tables = []
    for name, shift in (("A", better), ("B", worse)):
        scores = rng.standard_normal((n, 3))
        scores[np.arange(n), y] += shift
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        columns = {f"p_{k}": p[:, k] for k in range(3)}
        tables.append(pd.DataFrame({"patient_id": who, "vertebra": level, "model": name, "y_true": y, **columns}))
    return tables[0], tables[1]


def test_a_better_model_is_found_better_by_every_test() -> None:
    result = compare(*pair(), permutations=300)
    json.dumps(result, allow_nan=False)
    assert (result["first"], result["second"]) == ({"model": "A"}, {"model": "B"})
    for found in (result["macro_auc"], *result["class_auc"].values()):
        assert found["low"] <= found["estimate"] <= found["high"]
        assert 0 <= found["p"] <= 1
        assert found["p_bootstrap"] == pytest.approx(found["p"], abs=0.05)
    assert result["macro_auc"]["p"] < 0.001
    assert result["permutation_p"] == pytest.approx(1 / 301)
    assert result["class_auc"]["0"]["p_holm"] >= result["class_auc"]["0"]["p"]


def test_swapping_the_models_swaps_the_sign_only() -> None:
    one, other = compare(*pair())["macro_auc"], compare(*pair()[::-1])["macro_auc"]
    assert other["estimate"] == pytest.approx(-one["estimate"])
    assert other["p"] == pytest.approx(one["p"])


def test_rows_in_another_order_are_aligned() -> None:
    a, b = pair()
    shuffled = compare(a, b.sample(frac=1, random_state=1))["macro_auc"]
    assert shuffled["statistic"] == pytest.approx(compare(a, b)["macro_auc"]["statistic"])


def test_identical_predictions_have_p_one() -> None:
    a, _ = pair()
    result = compare(a, a, permutations=50)
    assert result["macro_auc"]["p"] == 1.0
    assert result["macro_auc"]["estimate"] == 0.0
    assert result["macro_auc"]["method"] == "joint z, cluster-robust influence, Student's t; the models rank alike"
    assert result["permutation_p"] == 1.0
    assert result["bootstrap"]["macro_auc"]["low"] is None


def test_a_difference_without_variance_has_no_test() -> None:
    test = delong_test([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6], [0] * 6)
    assert test.p is None
    assert test.difference.method == "cluster-robust DeLong; no test: the difference has no variance"


def test_an_absent_class_has_no_test_and_the_others_do() -> None:
    result = compare(*(t[t["y_true"] != 2] for t in pair()))
    json.dumps(result, allow_nan=False)
    assert result["macro_auc"]["p"] is None
    assert result["class_auc"]["2"]["p_holm"] is None
    assert result["class_auc"]["0"]["p"] < 0.05


def test_the_null_is_rejected_about_as_often_as_it_should_be() -> None:
    nulls = (pair(80, seed, 1.0, 1.0) for seed in range(200))
    p = [macro_test(a["y_true"], a[PS], b[PS], a["patient_id"]).p for a, b in nulls]
    assert 0.01 <= np.mean(np.array(p, dtype=float) < 0.05) <= 0.10  # none where a class has two patients
    swapped = [permutation_p(a["y_true"], a[PS], b[PS], a["patient_id"], 99) for a, b in map(null_pair, range(100))]
    assert np.mean(np.array(swapped, dtype=float) < 0.05) <= 0.12


@pytest.mark.parametrize("cases", [1, 2])
def test_no_test_where_a_class_has_fewer_than_three_patients(cases: int) -> None:
    """One case tells nothing of others: the normal distribution would reject in .59 of such null pairs."""
    first, second = (t.assign(y_true=np.r_[[2] * cases, np.arange(51 - cases) % 2]) for t in pair(51))
    for result in (compare(first, second), *compare_all({"a": first, "b": second})):
        rows = [result["macro_auc"], result["class_auc"]["2"]] if "macro_auc" in result else [result]
        for row in (row for row in rows if row.get("metric") not in ("class_auc.0", "class_auc.1")):
            assert [row["p"], row["p_bootstrap"], row["low"], row["high"]] == [None] * 4
            assert "patients among the cases, fewer than 3" in row["method"]
            assert row.get("p_permutation") is None
    assert compare(first, second)["bootstrap"]["class_auc"]["2"]["low"] is None
    assert compare(first, second)["class_auc"]["0"]["p"] is not None


@pytest.mark.parametrize("cases", [3, 5, 10])
def test_class_tests_of_few_cases_keep_their_level(cases: int) -> None:
    rng, y, codes, rejected = np.random.default_rng(cases), np.arange(51) < cases, np.arange(51), 0
    for _ in range(800):
        values, influences = influence(y, rng.normal(size=(2, 51)) + 1.2 * y, codes)
        p = class_difference(values[0] - values[1], influences[0] - influences[1], y, codes, 0.95).p
        rejected += p is not None and p < 0.05
    assert rejected / 800 <= 0.065


PS = ["p_0", "p_1", "p_2"]


def null_pair(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pair(80, 1000 + seed, 1.0, 1.0)


def test_holm_against_the_textbook_and_bounds() -> None:
    assert holm([0.01, 0.02, 0.04]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None, None]) == [None, None]


def test_no_p_outside_zero_to_one_can_exist() -> None:
    with pytest.raises(ValueError, match=r"a p value lies between 0 and 1; got 2\.34"):
        PairedTest(Estimate.without("x", 1), None, 2.34)
    assert bootstrap_p(np.zeros(10)) == 1.0
    assert bootstrap_p(np.full(3, np.nan)) is None


def test_other_rows_or_another_outcome_are_refused() -> None:
    a, b = pair()
    with pytest.raises(ValueError, match="two models are compared on the same rows; got 150 and 149"):
        compare(a, b.iloc[1:])
    with pytest.raises(ValueError, match="two models are compared on the same outcome"):
        compare(a, b.assign(y_true=0))


def test_a_p_value_needs_its_difference_and_a_probability() -> None:
    with pytest.raises(ValueError, match="a p value needs the difference that it tests"):
        PairedTest(Estimate.without("x", 1), 1.0, 0.5)
    for value in (-0.001, 1.001, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a p value lies between 0 and 1"):
            PValue(value)
        with pytest.raises(ValueError, match="a p value lies between 0 and 1"):
            holm([0.5, value])
    assert json.dumps(PValue(0.25)) == "0.25"


def test_permutation_p_equals_the_swap_of_ranks_done_by_hand() -> None:
    """Small enough for all 2^6 swaps of patients; ties, and patients with rows of both kinds."""
    rng = np.random.default_rng(8)
    y, patients = np.array([0, 1, 1, 0, 1, 0, 0, 1]), np.array([0, 0, 1, 2, 3, 3, 4, 5])
    one, two = (rng.integers(5, size=8).astype(float) for _ in range(2))
    a, b = rankdata(one), rankdata(two)
    gaps = []
    for signs in itertools.product([False, True], repeat=6):
        swap = np.array(signs)[patients]
        gaps.append(auc(y, np.where(swap, b, a)) - auc(y, np.where(swap, a, b)))
    expected = np.mean(np.abs(gaps) >= abs(gaps[0]) - 1e-12)
    found = permutation_p(y, np.c_[-one, one], np.c_[-two, two], patients, 20000, seed=1)
    assert 0 < expected < 1
    assert found == pytest.approx(expected, abs=0.012)


def test_all_pairs_agree_with_one_pair_and_name_their_family() -> None:
    a, b = pair()
    c = a.assign(model="C", **{f"p_{k}": (a[f"p_{k}"] + b[f"p_{k}"]) / 2 for k in range(3)})
    rows = compare_all({"A": a, "B": b, "C": c.sample(frac=1, random_state=2)}, permutations=200)
    json.dumps(rows, allow_nan=False)
    assert [(r["a"], r["b"]) for r in rows if r["metric"] == "macro_auc"] == [("A", "B"), ("A", "C"), ("B", "C")]
    alone = compare(a, b, permutations=200)
    macro = rows[0]
    assert macro["difference"] == pytest.approx(alone["macro_auc"]["estimate"])
    assert (macro["p"], macro["p_bootstrap"]) == pytest.approx(
        (alone["macro_auc"]["p"], alone["macro_auc"]["p_bootstrap"])
    )
    assert macro["p_permutation"] == alone["permutation_p"]
    assert {r["family_size"] for r in rows if r["metric"] == "macro_auc"} == {3}
    assert {r["family_size"] for r in rows if r["metric"] != "macro_auc"} == {9}
    macros = [r for r in rows if r["metric"] == "macro_auc"]
    assert [r["p_holm"] for r in macros] == holm([r["p"] for r in macros])
    against = compare_all({"A": a, "B": b, "C": c}, permutations=0, against="B")
    assert {(r["a"], r["b"]) for r in against} == {("B", "A"), ("B", "C")}


def test_pairs_are_compared_on_the_rows_that_both_have() -> None:
    a, b = pair()
    rows = compare_all({"A": a, "B": b.iloc[10:], "C": b.head(5)}, permutations=0)
    sizes = {(r["a"], r["b"]): r["n"] for r in rows}
    assert sizes == {("A", "B"): 140, ("A", "C"): 5}
    with pytest.raises(ValueError, match="on the same outcome"):
        compare_all({"A": a, "B": b.assign(y_true=0)})


def test_two_classes_are_compared_once() -> None:
    two = [t[t["y_true"] < 2].assign(p_0=t["p_0"] / (t["p_0"] + t["p_1"])) for t in pair()]
    two = [t.assign(p_1=1 - t["p_0"]).drop(columns="p_2") for t in two]
    rows = compare_all({"A": two[0], "B": two[1]}, permutations=0)
    assert [row["metric"] for row in rows] == ["macro_auc"]
    single = delong_test(two[0]["y_true"], two[0]["p_1"], two[1]["p_1"], two[0]["patient_id"])
    assert rows[0]["p"] == pytest.approx(single.p)
