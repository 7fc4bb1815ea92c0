"""The evaluation of one prediction table: keys, agreement with other implementations, absences, refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.summary import evaluate, thresholds
from ovfrad.evaluation.tables import arrays, check_predictions

SHARES = {2: (0.6, 0.4), 3: (0.46, 0.44, 0.10), 4: (0.4, 0.3, 0.2, 0.1)}


def predictions(n: int = 187, patients: int = 165, classes: int = 3, seed: int = 0, digits: int | None = None):
    """A table of simulated probabilities with several vertebrae in some patients; rounding makes ties."""
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n, p=SHARES[classes])
    scores = rng.standard_normal((n, classes))
    scores[np.arange(n), y] += 1.2
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if digits is not None:
        p = p.round(digits) / p.round(digits).sum(axis=1, keepdims=True)
    who = np.r_[np.arange(patients), rng.choice(patients, n - patients, replace=False)]
    level = pd.Series(who).groupby(who).cumcount().map(lambda i: f"L{i + 1}")
    columns = {f"p_{k}": p[:, k] for k in range(classes)}
    return pd.DataFrame({"patient_id": [f"P{i:04d}" for i in who], "vertebra": level, "y_true": y, **columns})


def leaves(tree: dict, path: str = ""):
    for key, value in tree.items():
        if isinstance(value, dict) and "method" not in value:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_point_estimates_agree_with_scikit_learn(classes: int) -> None:
    table = predictions(classes=classes, digits=1)
    y, p = table["y_true"].to_numpy(), table[[f"p_{k}" for k in range(classes)]].to_numpy()
    result, guess = evaluate(table, resamples=200), p.argmax(axis=1)
    binary = np.eye(classes)[y]
    expected = {
        "macro_auc": metrics.roc_auc_score(binary, p, average="macro"),
        "micro_auc": metrics.roc_auc_score(binary, p, average="micro"),
        "accuracy": metrics.accuracy_score(y, guess),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, guess),
        "quadratic_kappa": metrics.cohen_kappa_score(y, guess, weights="quadratic"),
        "log_loss": metrics.log_loss(y, np.clip(p, 1e-300, 1), labels=range(classes)),
        "brier": ((p - binary) ** 2).sum(axis=1).mean(),
    }
    if classes > 2:
        expected["hand_till"] = metrics.roc_auc_score(y, p, multi_class="ovo")
    for name, value in expected.items():
        assert result[name]["estimate"] == pytest.approx(value, abs=1e-12), name
    assert result["confusion_matrix"] == metrics.confusion_matrix(y, guess, labels=range(classes)).tolist()
    for k in range(classes):
        assert result["class_auc"][str(k)]["estimate"] == pytest.approx(
            metrics.roc_auc_score(y == k, p[:, k]), abs=1e-9
        )
        found = result["class"][str(k)]
        assert found["sensitivity"]["estimate"] == pytest.approx(metrics.recall_score(y == k, guess == k))
        assert found["ppv"]["estimate"] == pytest.approx(metrics.precision_score(y == k, guess == k))
        assert found["f1"]["estimate"] == pytest.approx(metrics.f1_score(y == k, guess == k))


def test_every_estimate_is_json_and_contains_itself() -> None:
    table = predictions()
    result = json.loads(json.dumps(evaluate(table, thresholds(predictions(seed=1))), allow_nan=False))
    found = {name: value for name, value in leaves(result) if isinstance(value, dict)}
    assert len(found) > 40
    for name, value in found.items():
        assert set(value) == {"estimate", "low", "high", "method", "n", "n_patients"}, name
        if value["low"] is not None:
            assert value["low"] <= value["estimate"] <= value["high"], name
    assert result["n"] == 187
    assert result["n_patients"] == 165
    assert result["bootstrap"]["macro_auc"]["low"] < result["macro_auc"]["estimate"]


def test_rows_in_another_order_give_the_same_result() -> None:
    table = predictions()
    assert evaluate(table) == evaluate(table)
    shuffled = evaluate(table.sample(frac=1, random_state=3))
    for (name, one), (_, other) in zip(leaves(evaluate(table)), leaves(shuffled), strict=True):
        if isinstance(one, dict) and one["low"] is not None:
            assert other["low"] == pytest.approx(one["low"], abs=1e-6), name


def test_an_absent_class_is_absent_with_its_reason() -> None:
    table = predictions()
    result = evaluate(table[table["y_true"] != 2])
    json.dumps(result, allow_nan=False)
    assert result["class_auc"]["2"]["estimate"] is None
    assert result["class_auc"]["2"]["method"] == "no AUC: no cases among 160 rows"
    assert result["macro_auc"]["method"] == "no macro AUC: class 2 has no AUC here (absent, or alone)"
    assert result["class_auc"]["0"]["estimate"] is not None
    assert result["accuracy"]["estimate"] is not None
    assert result["class"]["2"]["sensitivity"]["estimate"] is None


def test_one_row_and_one_class_do_not_fail() -> None:
    one = predictions().head(1)
    result = evaluate(one)
    json.dumps(result, allow_nan=False)
    assert result["n"] == 1
    assert result["macro_auc"]["estimate"] is None
    assert result["accuracy"]["estimate"] in (0.0, 1.0)


def test_ranking_only_gives_aucs_and_nothing_of_probabilities() -> None:
    table = predictions()
    scores = table.assign(**{f"p_{k}": np.log(table[f"p_{k}"]) * 7 for k in range(3)})
    with pytest.raises(ValueError, match="187 rows have a probability outside 0 to 1, the first is row 0; scores that"):
        evaluate(scores)
    result = evaluate(scores, ranking_only=True)
    assert result["class_auc"]["1"] == pytest.approx(evaluate(table)["class_auc"]["1"])
    assert not {"brier", "log_loss", "accuracy", "class"} & set(result)
    assert "class" in evaluate(scores, thresholds(scores, ranking_only=True), ranking_only=True)


def test_perfect_sensitivity_of_five_has_an_interval_of_some_width() -> None:
    table = predictions()
    result = evaluate(table, {"0": 0.0})
    assert result["class"]["0"]["sensitivity"]["method"] == "Wilson, patients as trials"
    assert result["class"]["0"]["sensitivity"]["high"] == 1.0
    assert result["class"]["0"]["specificity"]["estimate"] == 0.0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.drop(columns="y_true"), "column 'y_true' is missing; a prediction table has patient_id, y_true"),
        (lambda t: t.drop(columns="p_1"), "probability column p_1 is missing"),
        (lambda t: t.head(0), "the prediction table has no rows."),
        (lambda t: t.assign(y_true=3), r"y_true must be a code from 0 to 2 \(p_0 .. p_2\); 187 rows are not"),
        (lambda t: t.assign(y_true=0.5), "the first has 0.5"),
        (lambda t: t.assign(p_0=np.nan), "187 rows have a missing or infinite prediction, the first is row 0."),
        (lambda t: t.assign(p_0=0.0), "rows do not sum to 1, the first is row 0"),
        (lambda t: pd.concat([t, t.head(2)]), "2 rows repeat a key, the first is patient_id P0000, vertebra L1."),
        (lambda t: t.drop(columns="vertebra"), "a table with several rows a patient needs a vertebra column"),
        (lambda t: t.assign(patient_id=None), "187 rows have no patient_id."),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(change, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        check_predictions(change(predictions()))
    assert "\n" not in str(caught.value)


def test_two_models_in_one_table_are_refused() -> None:
    two = pd.concat([predictions().assign(model="LR"), predictions().assign(model="RF")])
    assert check_predictions(two) == ["p_0", "p_1", "p_2"]
    with pytest.raises(ValueError, match="one model at a time: this table holds LR, RF; select one"):
        arrays(two)


def test_an_unknown_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold for class '7'; this table has classes 0 to 2"):
        evaluate(predictions(), {"7": 0.5})


def test_estimate_refuses_what_cannot_be_printed() -> None:
    with pytest.raises(ValueError, match="an interval needs its estimate"):
        Estimate(None, 0.1, 0.2, "x", 3)
    with pytest.raises(ValueError, match="two limits or none"):
        Estimate(0.1, 0.1, None, "x", 3)
    with pytest.raises(ValueError, match="must be finite"):
        Estimate(float("nan"), None, None, "x", 3)
    assert str(Estimate.without("no cases", 5, 5)) == "none (no cases; n = 5 vertebrae of 5 patients)"


@pytest.mark.parametrize(("rare", "method"), [(5, "MOVER of Wilson, patients as trials"), (25, "bootstrap")])
def test_balanced_accuracy_of_a_small_class_has_an_interval_from_each_sensitivity(rare: int, method: str) -> None:
    y = np.repeat([0, 1, 2], [40, 30, rare])
    guess = np.where(np.arange(len(y)) % 5 == 0, (y + 1) % 3, y)
    rows = pd.DataFrame({"patient_id": range(len(y)), "y_true": y})
    found = evaluate(rows.assign(**{f"p_{k}": 0.1 + 0.7 * (guess == k) for k in range(3)}), resamples=200)
    estimate = found["balanced_accuracy"]
    assert method in estimate["method"]
    assert estimate["low"] < estimate["estimate"] < estimate["high"]
    if rare == 5:  # 32 of 40, 24 of 30, 4 of 5 right: Wilson's limits by hand
        low = np.array([0.652432, 0.626881, 0.375535])
        assert estimate["low"] == pytest.approx(0.8 - np.sqrt(((0.8 - low) ** 2).sum()) / 3, abs=1e-5)


def test_no_percentile_interval_where_a_class_has_fewer_than_three_patients() -> None:
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(3), 51)
    rows = pd.DataFrame({"patient_id": range(51), "y_true": np.r_[2, np.arange(50) % 2]})
    found = evaluate(rows.assign(**{f"p_{k}": p[:, k] for k in range(3)}), resamples=200)
    for estimate in (found["hand_till"], found["balanced_accuracy"], found["bootstrap"]["macro_auc"]):
        assert estimate["estimate"] is not None
        assert estimate["low"] is None
        assert "1 patients among the cases, fewer than 3 of class 2" in estimate["method"]
    assert found["bootstrap"]["class_auc"]["0"]["low"] is not None
