"""LASSO selector and rad-score, against R's glmnet (reference/selection/lasso_glmnet.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError
from ovfrad.selection import LassoSelector, RadScore
from ovfrad.selection.lasso import deal_patients

REFERENCE = Path(__file__).parents[1] / "reference" / "selection"
GLMNET_TOLERANCE = 1e-4  # duality gap of 1e-7 of the sum of squares: coefficients to about its square root


def _data() -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(REFERENCE / "lasso_data.csv")
    return table.drop(columns="y"), table["y"].to_numpy()


def _cohort(n: int = 200, seed: int = 0, signal: float = 1.0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.array([f"P{i:03d}" for i in np.sort(rng.integers(0, int(0.8 * n), n))])
    y = rng.choice(3, n, p=[0.46, 0.44, 0.1])
    X = pd.DataFrame(rng.normal(size=(n, 15)), columns=[f"f{j:02d}" for j in range(15)])
    X["f03"] += signal * y
    X["f09"] -= 0.6 * signal * y
    return X, y, groups


def test_path_equals_glmnet() -> None:
    X, y = _data()
    expected = pd.read_csv(REFERENCE / "lasso_glmnet.csv")
    lasso = LassoSelector().fit(X, y)
    np.testing.assert_allclose(lasso.alphas_, expected["alpha"], rtol=1e-12)
    np.testing.assert_allclose(lasso.path_, expected[X.columns], atol=GLMNET_TOLERANCE)
    clear = np.abs(expected[X.columns].to_numpy()) > 10 * GLMNET_TOLERANCE
    assert (lasso.path_[clear] != 0).all()


def test_one_se_rule_takes_the_larger_penalty_within_one_se() -> None:
    X, y, groups = _cohort()
    one, least = (LassoSelector(rule).fit(X, y, groups) for rule in ("1se", "min"))
    i, j = one.index_, least.index_
    assert least.cv_mean_[j] == least.cv_mean_.min()
    assert i < j
    assert one.cv_mean_[i] <= one.cv_mean_[j] + one.cv_se_[j] < one.cv_mean_[i - 1]
    assert one.support_.sum() <= least.support_.sum()
    assert {"f03", "f09"} <= set(one.get_feature_names_out())


def test_paper_lambdas_are_points_of_the_grid() -> None:
    X, y, _ = _cohort(60)
    rounded = LassoSelector().fit(X, y).alphas_.round(4)
    assert {0.0031, 0.0295} <= set(rounded)


def test_no_signal_selects_nothing() -> None:
    X, y, groups = _cohort(signal=0)
    lasso = LassoSelector().fit(X, y, groups)
    assert not lasso.support_.any()
    np.testing.assert_allclose(lasso.decision_function(X), y.mean())


def test_unit_and_origin_of_a_feature_do_not_matter() -> None:
    X, y, groups = _cohort()
    one = LassoSelector().fit(X, y, groups)
    other = LassoSelector().fit(X * 1000 + 5e4, y, groups)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-8)
    assert one.alpha_ == other.alpha_


def test_one_lasso_per_class_finds_what_codes_cannot() -> None:
    """f09 marks the middle class alone: it has no trend over the codes if classes 0 and 2 are alike and balanced."""
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], 100)
    X = np.column_stack([rng.normal(size=(300, 5)), (y == 1) + rng.normal(size=300)])
    assert not LassoSelector().fit(X, y).support_[5]
    fitted = LassoSelector(kind="ovr").fit(X, y)
    assert fitted.support_[5]
    assert fitted.coef_.shape == (3, 6)
    assert fitted.decision_function(X).shape == (300, 3)


def test_a_constant_feature_has_no_coefficient() -> None:
    X, y, groups = _cohort()
    lasso = LassoSelector("min").fit(X.assign(flat=0.1), y, groups)
    assert lasso.coef_[-1] == 0
    np.testing.assert_allclose(lasso.coef_[:-1], LassoSelector("min").fit(X, y, groups).coef_, atol=1e-9)


def test_folds_keep_patients_whole_and_classes_even() -> None:
    _, y, groups = _cohort(400)
    folds = deal_patients(groups, y, 10, 0)
    assert pd.Series(folds).groupby(groups).nunique().max() == 1
    assert set(folds) == set(range(10))
    shares = pd.Series(y == 2).groupby(folds).mean()
    assert shares.max() < 2.5 * (y == 2).mean()
    assert len(set(deal_patients(groups[:6], y[:6], 10, 0))) == len(set(groups[:6]))


def test_same_seed_same_result_and_another_seed_other_folds() -> None:
    X, y, groups = _cohort()
    one, same, other = (LassoSelector(random_state=s).fit(X, y, groups) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.cv_mean_, same.cv_mean_)
    assert not np.array_equal(one.cv_mean_, other.cv_mean_)


def test_refusals() -> None:
    X, y, groups = _cohort()
    with pytest.raises(ValueError, match=r"y has one class, 0; a LASSO needs at least two\."):
        LassoSelector().fit(X, np.zeros(len(X), dtype=int))
    known = r"rule is '1se' or 'min', kind 'codes', 'ovr', 'multinomial', 'ordinal' or 'cox'; got 'best' and 'codes'\."
    with pytest.raises(ValueError, match=known):
        LassoSelector("best").fit(X, y)
    with pytest.raises(ValueError, match=r"needs rows of at least 2 patients; there is 1\."):
        LassoSelector().fit(X, y, np.full(len(X), "P1"))
    with pytest.raises(InputError, match="E_ROWS groups: 3 for 200 rows of features"):
        LassoSelector().fit(X, y, groups[:3])


def test_refusals_of_times() -> None:
    X, y, groups = _cohort()
    time, event = np.arange(200.0), y > 0
    for kind, told in (("codes", {"time": time, "event": event}), ("cox", {"time": time}), ("cox", {"event": event})):
        with pytest.raises(ValueError, match=r"time and event are given together, and to kind 'cox' only\."):
            LassoSelector(kind=kind).fit(X, y, groups, **told)
    holed = np.where(np.arange(200) == 5, np.nan, time)
    for told in ({"time": holed, "event": event}, {"time": time, "event": y}):
        with pytest.raises(ValueError, match=r"time must be finite, and event 0 or 1\."):
            LassoSelector(kind="cox").fit(X, y, groups, **told)
    with pytest.raises(InputError, match="E_ROWS time: 3 for 200 rows of features"):
        LassoSelector(kind="cox").fit(X, y, groups, time=time[:3], event=event)


@pytest.mark.parametrize("patients", [0, 1])
def test_too_few_events_for_folds_of_patients(patients: int) -> None:
    X, y, groups = _cohort()
    told = rf"E_EVENTS training rows: {patients} of \d+ patients of a fold's training rows had the event; .* needs 2"
    with pytest.raises(InputError, match=told):
        event = np.isin(groups, np.unique(groups)[:patients])
        LassoSelector(kind="cox").fit(X, y, groups, time=np.arange(200.0), event=event)


@pytest.mark.parametrize("kind", ["codes", "ovr", "multinomial", "ordinal", "cox"])
def test_a_feature_whose_variance_underflows_counts_as_constant(kind: str) -> None:
    X, y, groups = _cohort()
    X = X.assign(f00=1.0, f01=X["f01"] * 1e-200)
    lasso = LassoSelector(kind=kind).fit(X, y, groups)
    same = LassoSelector(kind=kind).fit(X.assign(f01=1.0), y, groups)
    assert lasso.scale_[1] == 1.0
    np.testing.assert_array_equal(lasso.coef_, same.coef_)


def test_every_kind_finds_what_is_there_and_points_to_the_higher_class() -> None:
    X, y, groups = _cohort()
    for kind in ("ordinal", "cox"):
        lasso = LassoSelector(kind=kind).fit(X, y, groups)
        assert lasso.coef_[3] > 0 > lasso.coef_[9]
        assert lasso.decision_function(X).shape == (200,)
    lasso = LassoSelector(kind="multinomial").fit(X, y, groups)
    assert {"f03", "f09"} <= set(lasso.get_feature_names_out())
    assert lasso.coef_.shape == (3, 15)
    assert lasso.coef_[2, 3] > lasso.coef_[0, 3]
    assert abs(lasso.intercept_.sum()) < 1e-9
    np.testing.assert_array_equal(lasso.support_, (lasso.coef_ != 0).any(axis=0))
    chosen = lasso.decision_function(X).argmax(axis=1)
    assert (chosen == y).mean() > max(np.bincount(y)) / 200


def test_no_kind_finds_what_is_not_there() -> None:
    X, y, groups = _cohort(signal=0)
    time, event = np.random.default_rng(1).exponential(size=200), y > 0
    for kind in ("multinomial", "ordinal", "cox"):
        assert not LassoSelector(kind=kind).fit(X, y, groups).support_.any()
    assert not LassoSelector(kind="cox").fit(X, y, groups, time=time, event=event).support_.any()


def test_classes_without_times_are_ranks_with_the_highest_class_first() -> None:
    X, y, groups = _cohort()
    order = LassoSelector("min", "cox").fit(X, y, groups)
    timed = LassoSelector("min", "cox").fit(X, y, groups, time=10.0 - 3 * y, event=np.ones(200))
    np.testing.assert_array_equal(order.path_, timed.path_)


def test_times_count_by_their_order_and_the_class_not_at_all() -> None:
    X, y, groups = _cohort()
    rng = np.random.default_rng(3)
    time, event = rng.exponential(np.exp(-X["f05"])), rng.random(200) < 0.6
    lasso = LassoSelector(kind="cox").fit(X, y, groups, time=time, event=event)
    assert lasso.coef_[5] > 0  # a larger value, an earlier event
    other = LassoSelector(kind="cox").fit(X, np.zeros(200), groups, time=pd.Series(time**3 + 1), event=event)
    np.testing.assert_array_equal(other.path_, lasso.path_)
    np.testing.assert_array_equal(other.cv_mean_, lasso.cv_mean_)


def test_two_classes_are_one_logistic_regression() -> None:
    X, y, groups = _cohort()
    multinomial, ordinal = (LassoSelector("min", kind).fit(X, y > 0, groups) for kind in ("multinomial", "ordinal"))
    np.testing.assert_array_equal(multinomial.path_, ordinal.path_)
    np.testing.assert_array_equal(multinomial.cv_mean_, ordinal.cv_mean_)
    shares = 1 / (1 + np.exp(-multinomial.decision_function(X)))
    np.testing.assert_allclose(shares.mean(), (y > 0).mean(), atol=1e-9)  # as for every logistic regression
    np.testing.assert_allclose(ordinal.decision_function(X) - ordinal.thresholds_, multinomial.decision_function(X))


def test_rad_score_of_other_kinds() -> None:
    X, y, groups = _cohort()
    for kind in ("ordinal", "cox"):
        score = RadScore("min", kind).fit(X, y, groups)
        standard = (X - score.lasso_.mean_) / score.lasso_.scale_
        np.testing.assert_allclose(score.predict(X), standard @ score.lasso_.coef_)
        assert score.intercept_ == 0.0
        assert RadScore.of(score.lasso_).get_params() == score.get_params()
    with pytest.raises(
        ValueError, match=r"kind 'multinomial' has one coefficient vector per class, which is no single"
    ):
        RadScore(kind="multinomial").fit(X, y, groups)


def test_rad_score_is_the_linear_predictor_with_its_tables() -> None:
    X, y, groups = _cohort()
    score = RadScore().fit(X, y, groups)
    table = score.coefficients()
    by_hand = (
        score.intercept_
        + ((X[table["feature"]] - table["mean"].to_numpy()) / table["sd"].to_numpy()) @ table["coefficient"].to_numpy()
    )
    np.testing.assert_allclose(score.predict(X), by_hand)
    assert table["coefficient"].abs().is_monotonic_decreasing
    assert score.path().shape == (50, 15)
    np.testing.assert_allclose(score.path().loc[score.lasso_.alpha_], score.lasso_.coef_)
    curve = score.cv_curve()
    assert curve.index[curve["chosen"]].tolist() == [score.lasso_.alpha_]
    assert curve.loc[curve["chosen"], "n_features"].item() == len(table)
