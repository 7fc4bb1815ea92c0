"""Proportional odds against R and statsmodels; the nomogram's points lead back to the model's probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from ovfrad.explanation.combined import combined_variables
from ovfrad.explanation.nomogram import build_nomograms, nice_ticks
from ovfrad.explanation.proportional_odds import RIDGE, brant_test, fit_proportional_odds

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "explanation"
COLUMNS = ["score", "age", "female", "thoracic"]
CLASSES = ("0", "1", "2")


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(REFERENCE / "proportional_odds_data.csv")


@pytest.fixture(scope="module")
def from_r():
    return pd.read_csv(REFERENCE / "proportional_odds.csv", keep_default_na=False).set_index(["quantity", "name"])[
        "value"
    ]


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(4)
    n = 500
    frame = pd.DataFrame(
        {
            "rad_score": rng.normal(size=n),
            "age": rng.normal(70, 10, n).round(),
            "sex": rng.choice(["F", "M"], n, p=[0.7, 0.3]),
            "location": rng.choice(["thoracic", "thoracolumbar", "lumbar"], n, p=[0.2, 0.5, 0.3]),
        }
    )
    effect = 1.4 * frame["rad_score"] + 0.03 * (frame["age"] - 70) + 1.0 * (frame["location"] == "lumbar")
    latent = effect + rng.logistic(size=n)
    return frame, np.searchsorted(np.quantile(latent, [0.46, 0.9]), latent)


def test_estimates_are_those_of_polr(table, from_r):
    model = fit_proportional_odds(table[COLUMNS], table["class"], COLUMNS)
    assert model.coefficients == pytest.approx(from_r["coefficient"][COLUMNS].to_numpy(), abs=2e-6)
    assert model.thresholds == pytest.approx(from_r["threshold"].to_numpy(), abs=5e-6)
    assert [model.log_likelihood, model.null_log_likelihood] == pytest.approx(
        from_r["log_likelihood"][["fit", "null"]].to_list(), abs=1e-6
    )
    # polr's second derivatives are finite differences
    assert model.standard_errors() == pytest.approx(from_r["standard_error"][COLUMNS].to_numpy(), rel=1e-3)
    assert model.penalty == 0 and model.n == 300


def test_brant_test_is_that_of_two_glm_fits_in_r(table, from_r):
    test = brant_test(table[COLUMNS], table["class"], COLUMNS)
    assert test.df == 4 and test.statistic == pytest.approx(from_r["brant_statistic"]["all"], rel=1e-6)
    assert test.p_value == pytest.approx(from_r["brant_p"]["all"], rel=1e-6)
    by_column = test.by_column
    assert by_column["statistic"].to_numpy() == pytest.approx(from_r["brant_statistic"][COLUMNS].to_numpy(), rel=1e-5)
    assert by_column["p_value"].to_numpy() == pytest.approx(from_r["brant_p"][COLUMNS].to_numpy(), rel=1e-5)


@pytest.mark.parametrize("K", [2, 4])
def test_estimates_for_other_numbers_of_classes_are_those_of_statsmodels(table, K):
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    rng = np.random.default_rng(K)
    latent = table["score"] + 0.02 * table["age"] + rng.logistic(size=len(table))
    y = np.searchsorted(np.quantile(latent, np.arange(1, K) / K), latent)
    X = table[["score", "age"]]
    witness = OrderedModel(y, (X - X.mean()) / X.std(), distr="logit").fit(method="bfgs", disp=0, gtol=1e-8)
    model = fit_proportional_odds(X, y)
    assert model.coefficients == pytest.approx(witness.params[:2].to_numpy() / X.std().to_numpy(), abs=1e-5)
    assert model.log_likelihood == pytest.approx(witness.llf, abs=1e-7)
    assert model.predict_proba(X) == pytest.approx(np.asarray(witness.predict()), abs=1e-5)
    assert model.predict_proba(X).shape == (len(table), K)


def test_points_lead_back_to_the_probabilities_of_the_model(cohort):
    frame, y = cohort
    found = build_nomograms(frame, y, CLASSES)
    assert found.proportional and len(found.nomograms) == 1
    drawn = found.nomograms[0]
    assert drawn.events == ("P(class >= 1)", "P(class = 2)")
    points = drawn.points_table()
    span = points.groupby("variable")["points"].agg(["min", "max"])
    assert span["max"].max() == pytest.approx(100) and span["min"].to_numpy() == pytest.approx(np.zeros(4))
    design = np.c_[frame["rad_score"], frame["age"], frame["sex"] == "M"]
    levels = drawn.scales[3].levels
    assert levels[0] == "thoracolumbar"
    design = np.c_[design, *[frame["location"] == level for level in levels[1:]]]
    assert drawn.predict_proba(frame) == pytest.approx(drawn.model.predict_proba(design.astype(float)), abs=1e-12)
    cumulative = drawn.cumulative(drawn.points(frame).sum(axis=1))
    assert drawn.predict_proba(frame)[:, 2] == pytest.approx(cumulative[:, 1])
    assert drawn.predict_proba(frame)[:, 1:].sum(axis=1) == pytest.approx(cumulative[:, 0])


def test_reading_by_hand_to_one_decimal_gives_the_probability_to_a_hundredth(cohort):
    """Only the tables are used, as a reader would: interpolate on each scale, add, read the two axes."""
    frame, y = cohort
    drawn = build_nomograms(frame, y, CLASSES).nomograms[0]
    table, axis = drawn.points_table(), drawn.total_table(step=1.0)
    for row in frame.sample(100, random_state=0).to_dict("records"):
        total = 0.0
        for variable, ticks in table.groupby("variable"):
            if variable in ("rad_score", "age"):
                points = np.interp(row[variable], ticks["value"].astype(float), ticks["points"])
            else:
                points = ticks.set_index("value").loc[row[variable], "points"]
            total += round(float(points), 1)
        read = [np.interp(total, axis.index, axis[event]) for event in drawn.events]
        proba = drawn.predict_proba(pd.DataFrame([row]))[0]
        assert read == pytest.approx([1 - proba[0], proba[2]], abs=0.01)


def test_probability_ticks_lie_where_the_total_has_that_probability(cohort):
    frame, y = cohort
    drawn = build_nomograms(frame, y, CLASSES).nomograms[0]
    ticks = drawn.probability_ticks()
    assert set(ticks["event"]) == set(drawn.events) and ticks["total"].between(0, drawn.most_points).all()
    for event, part in ticks.groupby("event"):
        column = drawn.events.index(event)
        assert drawn.cumulative(part["total"])[:, column] == pytest.approx(part["probability"].to_numpy())


def test_two_nomograms_where_proportional_odds_fails():
    rng = np.random.default_rng(0)
    n = 1500
    a, b = rng.normal(size=(2, n))
    first = a + rng.logistic(size=n) > 0
    second = first & (-1.5 * a + 2 * b + rng.logistic(size=n) > 1)
    found = build_nomograms(pd.DataFrame({"a": a, "b": b}), first.astype(int) + second, CLASSES)
    assert not found.proportional and found.test.p_value < 1e-6
    assert [drawn.events for drawn in found.nomograms] == [("P(class >= 1)",), ("P(class = 2)",)]
    second_ = found.nomograms[1]
    logistic = fit_proportional_odds(np.c_[a, b], second)
    assert second_.predict_proba(pd.DataFrame({"a": a, "b": b})) == pytest.approx(logistic.predict_proba(np.c_[a, b]))
    assert found.notes[0].startswith("proportional odds rejected (Brant chi-square")


def test_brant_test_holds_its_level():
    rng = np.random.default_rng(1)
    p = []
    for _ in range(200):
        X = rng.normal(size=(400, 2))
        latent = X @ [1.0, 0.5] + rng.logistic(size=400)
        p.append(brant_test(X, np.searchsorted([-0.3, 2.2], latent)).p_value)
    assert 0.015 <= np.mean(np.array(p) < 0.05) <= 0.095  # 3 SE of 200 draws


def test_two_classes_make_one_logistic_nomogram(cohort):
    frame, y = cohort
    found = build_nomograms(frame, np.minimum(y, 1), ("no", "yes"), outcome="surgery")
    assert found.test is None and found.nomograms[0].events == ("P(surgery = yes)",)


def test_separated_classes_are_penalised_and_said(cohort):
    frame, y = cohort
    separated = pd.DataFrame({"rad_score": y + 0.1 * frame["rad_score"].rank(pct=True), "age": frame["age"]})
    found = build_nomograms(separated, y, CLASSES)
    drawn = found.nomograms[0]
    assert drawn.model.penalty == RIDGE and np.isfinite(drawn.model.coefficients).all()
    assert found.notes == (
        "proportional odds: not tested: a column separates classes without overlap",
        "a variable separates the classes in training; its slope was held finite by a penalty",
    )
    assert (drawn.predict_proba(separated).argmax(axis=1) == y).mean() > 0.9


def test_one_category_is_left_out_and_an_unknown_one_refused(cohort):
    frame, y = cohort
    found = build_nomograms(frame.assign(centre="A"), y, CLASSES)
    assert "centre left out: one value in training" in found.notes
    assert [scale.variable for scale in found.nomograms[0].scales] == list(frame.columns)
    with pytest.raises(ValueError, match="location has no level sacral; the nomogram knows thoracolumbar, lu"):
        found.nomograms[0].predict_proba(frame.head(2).assign(location="sacral"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, y: (f[["sex"]].assign(sex="F"), y), "no variable of the nomogram varies in training"),
        (lambda f, y: (f.assign(age=np.nan), y), "a nomogram needs complete rows; age has gaps"),
        (lambda f, y: (f.assign(twice=2 * f["age"]), y), "follow from one another; leave one out"),
        (lambda f, y: (f, np.minimum(y, 1)), r"needs rows of every class; found \{0: 230, 1: 270\} of 3 classes"),
    ],
)
def test_data_without_a_nomogram_are_refused(cohort, change, message):
    frame, y = change(*cohort)
    with pytest.raises(ValueError, match=message):
        build_nomograms(frame, y, CLASSES)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 2.9), (1e-6, 5e-6), (52, 91), (1234, 98765)])
def test_ticks_are_round_and_cover_the_data(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-12 and ticks[-1] >= high - 1e-12 and 4 <= len(ticks) <= 14
    assert np.diff(ticks) == pytest.approx(np.full(len(ticks) - 1, ticks[1] - ticks[0]))


def test_combined_model_takes_significant_characteristics_that_are_not_the_label(cohort):
    frame, y = cohort
    clinical = frame[["age", "sex", "location"]].assign(
        t_score=-y.astype(float), fracture_stage=["acute"] * len(y), treatment=y.astype(str)
    )
    found = combined_variables(frame["rad_score"], clinical, y, 3)
    assert list(found.frame.columns) == ["rad_score", "age", "location"]
    assert found.tests.loc["fracture_stage", "reason"] == "one value in training"
    assert found.tests.loc["sex", "reason"].startswith("p = ")
    asked = combined_variables(frame["rad_score"], clinical, y, 3, columns=("t_score", "treatment", "age"))
    assert list(asked.frame.columns) == ["rad_score", "age"]
    gaps = clinical.assign(age=clinical["age"].where(clinical.index > 1))
    assert (
        combined_variables(frame["rad_score"], gaps, y, 3).tests.loc["age", "reason"] == "2 of 500 values are missing"
    )


def test_univariable_test_is_the_likelihood_ratio_of_r(table, from_r):
    model = fit_proportional_odds(table[COLUMNS], table["class"], COLUMNS)
    statistic, df, p = model.likelihood_ratio()
    expected = 2 * (from_r["log_likelihood"]["fit"] - from_r["log_likelihood"]["null"])
    assert statistic == pytest.approx(expected, abs=1e-6) and df == 4
    assert p == pytest.approx(chi2.sf(expected, 4), rel=1e-5)
