"""SHAP values add up, agree with enumeration and with the shap package, and cost what they say."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from ovfrad.explanation.background import choose_cases, kmeans_background
from ovfrad.explanation.importance import beeswarm, decision, global_bar, waterfall
from ovfrad.explanation.sampling import enumerated, sampled
from ovfrad.explanation.shap import LOG_ODDS, PROBABILITY, shap_values
from ovfrad.models.auto import AutoModel
from ovfrad.models.classifiers import make

NAMES = [f"f{j}" for j in range(6)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6))
    y = np.digitize(X[:, 0] - X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=150), [-0.4, 1.0])
    return X, y, kmeans_background(X, most=8)


def _smooth(X):
    """Three classes with interactions."""
    return softmax(np.c_[X[:, 0] * X[:, 1], X[:, 2:].sum(axis=1), X[:, 0] - X[:, -1] ** 2], axis=1)


def _fitted(name, X, y, weights=False):
    model, grid = make(name, "weights" if weights else "none")
    return model.set_params(**grid[0]).fit(X, y)


def test_enumeration_is_the_shap_package_s_exact_explainer(data):
    X, _, background = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from shap.explainers import ExactExplainer
        from shap.maskers import Independent

        witness = ExactExplainer(_smooth, Independent(background))(X[:5])
    assert enumerated(_smooth, X[:5], background)[0] == pytest.approx(witness.values, abs=1e-10)


def test_permutations_agree_with_enumeration_within_their_stated_error(data):
    X, _, background = data
    exact = enumerated(_smooth, X[:12], background)[0]
    found = sampled(_smooth, X[:12], background, 20_000, random_state=3)
    assert found.rounds == 20 and found.evaluations == 20 * 2 * 12 * len(background) * 5
    measured = np.sqrt(((found.values - exact) ** 2).mean(axis=0))
    assert measured.max() < 3 * found.error.max()
    assert np.sqrt((measured**2).mean()) == pytest.approx(np.sqrt((found.error**2).mean()), rel=0.25)
    again = sampled(_smooth, X[:12], background, 20_000, random_state=3)
    assert np.array_equal(found.values, again.values)
    assert sampled(_smooth, X[:12], background, 1, random_state=3).rounds == 2


@pytest.mark.parametrize("name", ["LR", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM"])
@pytest.mark.parametrize("K", [2, 3])
def test_exact_explainers_agree_with_enumeration_of_what_they_explain(data, name, K):
    X, y, background = data
    y = np.minimum(y, K - 1)
    model = _fitted(name, X, y)
    table = shap_values(model.predict_proba, X[:10], background, NAMES, model=model)
    assert table.method.startswith("exact") and table.evaluations == 0 and not table.error.any()
    assert table.values.shape == (10, 6, K)

    def explained(rows):
        if table.output_name == PROBABILITY:
            return model.predict_proba(rows)
        kwargs = {"XGBoost": {"output_margin": True}, "LightGBM": {"raw_score": True}}.get(name)
        margin = model.decision_function(rows) if kwargs is None else model.predict(rows, **kwargs)
        return np.c_[-margin, margin] if K == 2 else margin

    assert table.values == pytest.approx(enumerated(explained, X[:10], background)[0], abs=2e-5)
    assert (table.output_name == LOG_ODDS) == (name in ("LR", "XGBoost", "LightGBM"))


@pytest.mark.parametrize("name", ["SVM", "KNN", "MLP"])
def test_other_models_are_explained_on_the_probability(data, name):
    X, y, background = data
    model = _fitted(name, X, y)
    table = shap_values(model.predict_proba, X[:6], background, NAMES, model=model)
    assert table.method == "all 64 coalitions" and table.output_name == PROBABILITY
    assert table.output == pytest.approx(model.predict_proba(X[:6]))


def test_wrapper_that_weights_classes_is_looked_into(data):
    X, y, background = data
    model = _fitted("RF", X, y, weights=True)
    assert shap_values(model.predict_proba, X[:4], background, NAMES, model=model).method == "exact (trees)"


@pytest.mark.parametrize("evaluations", [1, 900_000])
def test_auto_is_the_sum_of_its_trees_and_its_logistic_members(data, evaluations):
    X, y, background = data
    model = AutoModel(n_trees=20).fit(X, y)
    table = shap_values(model.predict_proba, X[:8], background, NAMES, model=model, evaluations=evaluations)
    exact = enumerated(model.predict_proba, X[:8], background)[0]
    if evaluations == 1:
        assert table.method == "trees exact, logistic members by antithetic permutations (2 seeds)"
        assert np.abs(table.values - exact).max() < 0.02 and 0 < table.error_share < 0.1
    else:
        assert table.method == "all 64 coalitions" and table.values == pytest.approx(exact, abs=1e-12)


def test_values_that_do_not_add_up_make_no_table(data):
    X, y, background = data
    model = _fitted("LR", X, y)
    table = shap_values(model.predict_proba, X[:4], background, NAMES, model=model)
    wrong = table.values.copy()
    wrong[2, 3, 1] += 1e-3
    with pytest.raises(ValueError, match=r"^SHAP values do not add up: \|base \+ sum - output\| = 0\.001, at most"):
        replace(table, values=wrong)
    with pytest.raises(ValueError, match="parts of a ShapTable disagree"):
        replace(table, base=table.base[:2])
    with pytest.raises(ValueError, match="must be finite"):
        replace(table, base=table.base * np.nan)


def test_wrong_input_is_refused(data):
    X, y, background = data
    model = _fitted("LR", X, y)
    with pytest.raises(ValueError, match="the model given to shap_values is not the owner of predict_proba"):
        shap_values(_smooth, X, background, NAMES, model=model)
    with pytest.raises(ValueError, match=r"same columns: X \(150, 6\), background \(8, 6\), 2 names"):
        shap_values(_smooth, X, background, ["a", "b"])
    with pytest.raises(ValueError, match="at least one case, one background row and one feature"):
        shap_values(_smooth, X[:0], background, NAMES)
    with pytest.raises(ValueError, match="150 background rows; give at most 100, see kmeans_background"):
        shap_values(_smooth, X, X, NAMES)


def test_cost_at_170_features_and_60_cases_is_what_it_says():
    rng = np.random.default_rng(1)
    X, slopes = rng.normal(size=(60, 170)), rng.normal(size=(170, 3)) / 10
    seen = []

    def predict(rows):
        seen.append(len(rows))
        return softmax(rows @ slopes, axis=1)

    table = shap_values(predict, X, rng.normal(size=(20, 170)), [f"f{j}" for j in range(170)])
    assert table.evaluations == 2 * 2 * 60 * 20 * 169 == sum(seen) - 60 - 60 - 20 - 20
    assert max(seen) <= 20_000 and table.method == "antithetic permutations (2 seeds)"
    assert table.error_share < 0.1


def test_one_feature_and_a_feature_without_effect(data):
    X, _, background = data
    single = shap_values(lambda X: softmax(np.c_[X, -X], axis=1), X[:3, :1], background[:, :1], ["a"])
    assert single.values[:, 0] == pytest.approx(single.output - single.base)
    found = sampled(lambda X: _smooth(np.c_[X[:, :5], np.zeros(len(X))]), X[:3], background, 1, 0)
    assert not found.values[:, 5].any()


def test_background_holds_no_patient_row():
    rng = np.random.default_rng(2)
    X = np.r_[rng.normal(size=(90, 4)), [[50.0, 50, 50, 50]]]
    centres = kmeans_background(X)
    assert len(centres) <= 20 and centres.shape[1] == 4
    assert np.abs(centres[:, None] - X[None]).max(axis=2).min() > 1e-6
    assert np.array_equal(centres, kmeans_background(X))
    assert len(kmeans_background(np.ones((9, 2)))) == 1
    assert kmeans_background(X[:2]) == pytest.approx(X[:2].mean(axis=0, keepdims=True))


def test_chosen_cases_keep_class_shares():
    y = np.repeat([0, 1, 2], [500, 400, 100])
    chosen = choose_cases(y, most=60)
    assert len(chosen) == 60 and np.bincount(y[chosen]).tolist() == [30, 24, 6]
    assert choose_cases(y[:10]).tolist() == list(range(10))


def test_tables_for_the_figures_repeat_the_values(data):
    X, _, background = data
    table = shap_values(_smooth, X[:7], background, NAMES, classes=("0", "1", "2"))
    bars = global_bar(table)
    assert list(bars.columns) == ["0", "1", "2", "all", "error"] and bars["all"].is_monotonic_decreasing
    assert bars.loc["f1", "2"] == pytest.approx(np.abs(table.values[:, 1, 2]).mean())
    swarm = beeswarm(table, most=4)
    assert len(swarm) == 3 * 4 * 7 and swarm["share"].between(0, 1).all()
    row = swarm.iloc[9]
    assert row["shap"] == table.values[row["case"], NAMES.index(row["feature"]), int(row["class"])]
    for most in (3, 6):
        steps = waterfall(table, case=2, k=1, most=most)
        assert steps["start"].iloc[0] == pytest.approx(table.base[1])
        assert steps["end"].iloc[-1] == pytest.approx(table.output[2, 1])
        assert len(steps) == min(most + 1, 6)
        paths = decision(table, k=1, most=most)
        last = paths[paths["step"] == paths["step"].max()]
        assert last["output"].to_numpy() == pytest.approx(table.output[:, 1])
        assert paths.loc[paths["step"] == 0, "output"].to_numpy() == pytest.approx(np.full(7, table.base[1]))
    assert waterfall(table, 2, 1, most=3)["feature"].iloc[0] == "3 other features"


def test_linear_values_are_slope_times_distance(data):
    X, y, background = data
    model = LogisticRegression().fit(X, y)
    table = shap_values(model.predict_proba, X[:3], background, NAMES, model=model)
    assert table.values[1, 4, 2] == pytest.approx(model.coef_[2, 4] * (X[1, 4] - background[:, 4].mean()))
