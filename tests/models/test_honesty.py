from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.models import engine, honesty
from ovfrad.models.honesty import Check, judge_permutations, permutation, permute_by_patient
from ovfrad.models.procedure import BEST, Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs

Make = Callable[..., Rows]
Small = Callable[..., Procedure]
P = ["p_0", "p_1", "p_2"]


@pytest.fixture(scope="module")
def predictions(make_rows: Make, small: Small) -> pd.DataFrame:
    cohorts = {"internal": make_rows(n=40, seed=8), "external": make_rows(n=40, seed=9)}
    return engine.run(make_rows(n=100), small("LR", "DT", "auto"), cohorts).predictions


def null_aucs(rows: Rows, ways: Procedure, model: str = "auto") -> np.ndarray:
    table = engine.nested(rows, ways, baselines=False).query("model == @model")
    return fold_aucs(table["y_true"].to_numpy(), table[P].to_numpy(), table["fold"].to_numpy())


def leaky(rows: Rows) -> Rows:
    """The ten columns most correlated with the labels, chosen on all rows before any split: the planted leak."""
    strength = np.abs(rows.X.corrwith(rows.y))
    return replace(rows, X=rows.X[strength.nlargest(10).index])


def test_permuted_labels_keep_their_number_and_mostly_their_siblings() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([f"P{i}" for i in range(60)], 2)
    codes = np.repeat(rng.integers(0, 3, 60), 2)
    shuffled = permute_by_patient(codes, groups, rng)
    assert np.bincount(shuffled).tolist() == np.bincount(codes).tolist()
    assert (shuffled[::2] == shuffled[1::2]).all()
    assert np.mean(shuffled == codes) < 0.6


def test_no_single_patient_keeps_its_labels_by_having_a_size_of_its_own() -> None:
    groups = np.array(["A", "A", "A", "B", "C", "D", "E"])
    codes = np.array([2, 2, 2, 0, 0, 0, 0])
    hits = [(permute_by_patient(codes, groups, np.random.default_rng(s))[:3] == 2).all() for s in range(60)]
    assert np.mean(hits) < 0.5


def test_the_audit_passes_an_honest_procedure_on_data_with_strong_signal(make_rows: Make, small: Small) -> None:
    check = honesty.permutation_audit(make_rows(signal=2.0), small("auto"), permutations=4)
    assert check.status == "PASS"
    assert check.value < 0.6
    assert "over 4 permutations of the labels (limit 0." in check.text


@pytest.mark.parametrize("model", ["LR", BEST])
def test_the_audit_runs_for_a_classifier_and_for_the_best_of_nine(make_rows: Make, small: Small, model: str) -> None:
    check = honesty.permutation_audit(make_rows(), small("LR", "DT", classifiers=("LR", "DT")), model, 2)
    assert check.status == "PASS"


def test_the_audit_is_sized_by_time(make_rows: Make, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0, 1000, 5.0))
    monkeypatch.setattr(permutation.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(permutation, "_null_aucs", lambda *a: np.array([0.5, 0.49]))
    steps: list[tuple[str, int, int]] = []
    honesty.permutation_audit(make_rows(), small("auto"), seconds=30, progress=lambda *step: steps.append(step))
    assert steps[-1] == ("label permutations", 6, 6)


def test_one_and_two_processes_permute_alike(make_rows: Make, small: Small) -> None:
    one, two = (honesty.permutation_audit(make_rows(), small("auto"), permutations=2, jobs=j) for j in (1, 2))
    assert one == two


def test_no_signal_reads_one_half(make_rows: Make, small: Small) -> None:
    found = [null_aucs(make_rows(n=90, signal=0.0, seed=s), small("auto", recalibrate=False)) for s in range(6)]
    check = judge_permutations(found, "auto")
    assert check.status == "PASS", check
    assert check.value > 0.4


def test_selection_before_the_split_sets_off_the_alarm(make_rows: Make, small: Small) -> None:
    found = [
        null_aucs(leaky(make_rows(n=90, signal=0.0, seed=s, noise=300)), small("auto", recalibrate=False))
        for s in range(4)
    ]
    check = judge_permutations(found, "auto")
    assert check.status == "FAIL"
    assert check.value > 0.6
    assert check.text.endswith("the procedure leaks, no number of this run can be trusted.")


@pytest.mark.slow
def test_ten_seeds_without_signal(make_rows: Make, small: Small) -> None:
    """The issue's canary, on feature tables: every headline reads .5, and usable_signal says so."""
    for model in ("auto", BEST):
        ways = small("auto", "LR", "RF", "SVM", classifiers=("LR", "RF", "SVM"))
        rows = [make_rows(n=120, signal=0.0, seed=s, noise=60) for s in range(10)]
        assert judge_permutations([null_aucs(r, ways, model) for r in rows], model).status == "PASS"


def test_verdict_rule() -> None:
    """mean <= .5 + max(3 SE, .01), one-sided."""
    assert judge_permutations([np.array([0.51, 0.51])], "auto").limit == pytest.approx(0.51)
    assert judge_permutations([np.array([0.52, 0.52])], "auto").status == "FAIL"
    assert judge_permutations([np.array([0.2, 0.3])], "auto").status == "PASS"
    wide = judge_permutations([np.array([0.4, 0.7])], "auto")
    assert (wide.status, wide.limit) == ("PASS", pytest.approx(0.5 + 3 * 0.15))
    assert judge_permutations([np.empty(0)], "auto").status == "WARN"


def test_ledger_sets_the_ways_of_counting_side_by_side(predictions: pd.DataFrame) -> None:
    table = honesty.ledger(predictions, "sound", "none", "auto")
    value = {(row.quantity.split(":")[0], row.cohort): row.macro_auc for row in table.itertuples()}
    assert value["apparent", "train_apparent"] > value["nested", "train"]
    for cohort in ("internal", "external"):
        best = value["best of the nine, picked on this cohort", cohort]
        part = predictions.query("cohort == @cohort and model == 'LR'")
        assert best >= macro_auc(part["y_true"].to_numpy(), part[P].to_numpy()).estimate
    check = honesty.check_ledger(table)
    assert check.status == "PASS"
    assert check.text.startswith("Macro AUC: apparent ")


def test_ledger_takes_the_paper_recipe_where_it_was_run(predictions: pd.DataFrame) -> None:
    both = pd.concat([predictions, predictions.assign(recipe="paper")])
    table = honesty.ledger(both, "sound", "none", "auto")
    cohorts = table.loc[table["recipe"] == "paper", "cohort"].tolist()
    assert cohorts == ["train_apparent", "train", "internal", "external"]


def test_ledger_warns_where_choosing_flattered(predictions: pd.DataFrame) -> None:
    flattered = predictions.copy()
    inner = (flattered["cohort"] == "train_inner") & (flattered["model"] == "auto")
    flattered.loc[inner, P] = np.eye(3)[flattered.loc[inner, "y_true"]]
    assert honesty.check_ledger(honesty.ledger(flattered, "sound", "none", "auto")).status == "WARN"
    without = predictions[predictions["cohort"] != "train_inner"]
    assert honesty.check_ledger(honesty.ledger(without, "sound", "none", "auto")).value is None


def test_sentinels_know_less_than_the_headline(predictions: pd.DataFrame) -> None:
    checks = honesty.sentinels(predictions, "sound", "none", "auto")
    assert [check.check for check in checks] == ["volume only", "height only", "center only"]
    assert honesty.worst(checks) == "PASS"


def test_a_sentinel_as_good_as_the_headline_warns(predictions: pd.DataFrame) -> None:
    keys = ["patient_id", "vertebra", "cohort", "fold"]
    auto = predictions.query("cohort == 'train' and model == 'auto'")
    as_volume = pd.concat([predictions.query("model != 'volume'"), auto.assign(model="volume")])
    volume = honesty.sentinels(as_volume, "sound", "none", "auto")[0]
    assert volume.status == "WARN"
    assert volume.text.endswith("the headline adds nothing to it.")
    truth = np.eye(3)[auto["y_true"]] * 0.2 + np.random.default_rng(0).dirichlet((1, 1, 1), len(auto)) * 0.8
    center = auto.assign(model="center", **dict(zip(P, truth.T, strict=True)))
    confounded = pd.concat([predictions.query("model != 'center'"), center])
    check = honesty.sentinels(confounded, "sound", "none", "auto")[2]
    assert check.status == "WARN", keys


def test_shuffled_voxels_against_the_headline(make_rows: Make, small: Small) -> None:
    rows = make_rows(n=90, signal=1.5)
    shuffled = rows.X.copy()
    shuffled.iloc[:, 2:6] = np.random.default_rng(0).normal(size=(90, 4))
    headline = Estimate(0.85, 0.8, 0.9, "a test", 90)
    check = honesty.shuffled_voxels(rows, shuffled.iloc[::-1], small("auto"), "auto", headline)
    assert (check.check, check.status) == ("shuffled voxels", "PASS")
    same = honesty.shuffled_voxels(rows, rows.X, small("auto"), "auto", headline)
    assert same.status == "WARN"


def test_siblings_and_duplicates_across_cohorts_fail() -> None:
    cases = pd.DataFrame(
        {
            "patient_id": ["P1", "P1", "P2", "P3", "P4"],
            "cohort": ["train", "train", "train", "external", "external"],
            "content_hash": ["a", "b", "c", "d", None],
        }
    )
    assert [check.status for check in honesty.siblings(cases)] == ["PASS", "PASS"]
    assert honesty.siblings(cases)[0].text == "No patient is in two cohorts (4 looked at)."
    sibling = honesty.siblings(cases.assign(patient_id=["P1", "P1", "P2", "P3", "P1"]))
    assert (sibling[0].status, sibling[0].text) == ("FAIL", "1 patient is in two cohorts, the first P1.")
    copied = honesty.siblings(cases.assign(content_hash=["a", "b", "c", "c", "a"]))
    assert (copied[1].status, copied[1].value) == ("FAIL", 2)
    twice = honesty.siblings(cases.assign(content_hash=["a", "a", "c", "d", None]))
    assert twice[1] == Check(
        "duplicates", "WARN", 1, 0, "1 images occur twice within a cohort: they count as more cases than there are."
    )
    assert len(honesty.siblings(cases.drop(columns="content_hash").set_index("patient_id"))) == 1


def test_usable_signal_is_said_to_be_there(predictions: pd.DataFrame) -> None:
    check = honesty.usable_signal(predictions, "sound", "none", "auto")
    assert check.status == "PASS"
    assert check.text.startswith("auto is above chance: 0.")


def test_no_usable_signal_is_said(make_rows: Make, small: Small) -> None:
    found = engine.nested(make_rows(n=90, signal=0.0, seed=2), small("auto", recalibrate=False))
    check = honesty.usable_signal(found, "sound", "none", "auto")
    assert check.status == "WARN"
    assert check.text.startswith("No usable signal: neither auto (")
    assert check.text.endswith("nor any baseline is above chance; do not rank models.")


def test_a_baseline_above_chance_is_named(predictions: pd.DataFrame) -> None:
    flat = predictions.copy()
    auto = flat["model"] == "auto"
    flat.loc[auto, P] = np.random.default_rng(1).dirichlet((1, 1, 1), int(auto.sum()))
    check = honesty.usable_signal(flat, "sound", "none", "auto")
    assert check.status == "WARN"
    assert "though L2_all, RF_all alone is." in check.text


def test_worst_status() -> None:
    rows = [Check("a", "PASS", 0, 0, ""), Check("b", "WARN", 0, 0, "")]
    assert honesty.worst(rows) == "WARN"
    assert honesty.worst([*rows, Check("c", "FAIL", 0, 0, "")]) == "FAIL"
    assert honesty.worst([]) == "PASS"
    assert rows[0].as_dict() == {"check": "a", "status": "PASS", "value": 0, "limit": 0, "text": ""}
