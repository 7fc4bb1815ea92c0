"""Calibration, decision curves and conformal sets."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from ovfrad.evaluation.calibration import Recalibration, brier, class_ece, reliability
from ovfrad.evaluation.conformal import ConformalSets, coverage
from ovfrad.evaluation.decision import decision_curves, net_benefit

SHARES = (0.46, 0.44, 0.10)


def cases(n: int, seed: int, temperature: float = 1.0, offsets: tuple[float, ...] = (0, 0, 0), spread: float = 1.2):
    """Labels drawn from true probabilities, and probabilities distorted by a temperature and offsets."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, 3)) * spread + np.log(SHARES)
    true = softmax(logits, axis=1)
    y = (rng.random(n)[:, None] > np.cumsum(true, axis=1)[:, :2]).sum(axis=1)
    return y, softmax((np.log(true) - np.asarray(offsets)) * temperature, axis=1)


def table(y, p) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": np.arange(len(y)), "y_true": y} | {f"p_{k}": p[:, k] for k in range(p.shape[1])})


def test_recalibration_finds_the_distortion_it_was_given() -> None:
    y, p = cases(20000, 0, 2.0, (0, 0.3, -1.0))
    found = Recalibration.fit(p, y)
    assert found.temperature == pytest.approx(2.0, abs=0.08)
    assert found.offsets == pytest.approx((0, 0.3, -1.0), abs=0.08)
    assert Recalibration.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_recalibrated_probabilities_have_the_shares_of_the_classes() -> None:
    gaps, before = [], []
    for seed in range(20):
        y, p = cases(750, seed, 1.5, (0, 0, -0.8))
        fitted = Recalibration.fit(p, y)
        new_y, new_p = cases(187, 100 + seed, 1.5, (0, 0, -0.8))
        shares = np.bincount(new_y, minlength=3) / 187
        gaps.append(fitted.apply(new_p).mean(axis=0) - shares)
        before.append(new_p.mean(axis=0) - shares)
    assert np.abs(np.mean(gaps, axis=0)).max() < 0.02
    assert np.mean(before, axis=0)[2] > 0.05


def test_recalibration_stays_finite_on_perfect_and_missing_classes() -> None:
    y = np.repeat([0, 1], 20)
    fitted = Recalibration.fit(np.eye(3)[y], y)
    assert np.isfinite(fitted.apply(np.eye(3))).all()
    with pytest.raises(ValueError, match="this recalibration has 3 classes; got 2 columns"):
        fitted.apply(np.eye(2))
    with pytest.raises(ValueError, match="one code from 0 to 2 for each row"):
        Recalibration.fit(np.eye(3), [0, 1, 3])


def test_brier_and_class_ece_of_known_cases() -> None:
    assert brier([0, 1, 2], np.eye(3)) == 0
    assert brier([0, 0], [[0, 1], [0.5, 0.5]]) == pytest.approx((2 + 0.5) / 2)
    assert class_ece([0, 0, 1, 1], np.full((4, 2), 0.5)).tolist() == [0, 0]
    y, p = cases(3000, 1)
    mean, share = {}, {}
    share[0], mean[0] = calibration_curve(y == 2, p[:, 2], n_bins=10)
    counts = np.histogram(p[:, 2], bins=np.linspace(0, 1, 11))[0]
    assert class_ece(y, p)[2] == pytest.approx((counts[counts > 0] * np.abs(mean[0] - share[0])).sum() / 3000)


def test_reliability_keeps_equal_probabilities_apart_from_others() -> None:
    """A model that says .1 or .9 whatever the case is not calibrated, however few values it has."""
    p = np.where(np.arange(300) % 3 == 0, 0.9, 0.1)
    curve = reliability(table((np.arange(300) % 50 < 17).astype(int), np.column_stack([1 - p, p])))
    own = curve[curve["class"] == 1]
    assert own["predicted"].tolist() == pytest.approx([0.1, 0.9])
    assert own["n"].tolist() == [200, 100]
    assert own["observed"].tolist() == pytest.approx([0.34, 0.34], abs=0.05)


def test_a_threshold_that_a_sum_of_probabilities_meets_is_met() -> None:
    data = table(np.array([0, 2]), np.array([[0.2, 0.7, 0.1], [0.2, 0.7, 0.1]]))
    curves = decision_curves(data, [0.8])
    model = curves[(curves["strategy"] == "model") & (curves["decision"] == "P(class >= 1)")]
    assert model["net_benefit"].tolist() == pytest.approx([0.5 - 0.5 * 4])


def test_reliability_counts_every_row_once_for_each_class() -> None:
    curve = reliability(table(*cases(187, 2)))
    assert curve.groupby("class")["n"].sum().tolist() == [187] * 3
    assert (curve["low"] <= curve["observed"]).all()
    assert reliability(table(np.array([0, 1]), np.full((2, 2), 0.5))).shape[0] == 2


def test_net_benefit_of_the_definition_and_of_treating_all_and_none() -> None:
    y, p = cases(400, 3)
    curves = decision_curves(table(y, p), [0.1, 0.5], resamples=200)
    assert curves["decision"].unique().tolist() == ["P(class >= 1)", "P(class = 2)"]
    model = curves[(curves["strategy"] == "model") & (curves["decision"] == "P(class = 2)")].set_index("threshold")
    acts = p[:, 2] >= 0.1
    by_hand = (acts & (y == 2)).sum() / 400 - (acts & (y != 2)).sum() / 400 / 9
    assert model.loc[0.1, "net_benefit"] == pytest.approx(by_hand)
    assert model.loc[0.1, "low"] < by_hand < model.loc[0.1, "high"]
    everyone = curves[(curves["strategy"] == "all") & (curves["decision"] == "P(class >= 1)")].iloc[1]
    assert everyone["net_benefit"] == pytest.approx(2 * (y >= 1).mean() - 1)
    assert (curves.loc[curves["strategy"] == "none", "net_benefit"] == 0).all()
    assert len(decision_curves(table(y, p), [0.2], ordered=False)["decision"].unique()) == 3
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        net_benefit([1], [0.5], [1.0])


def test_sets_per_class_cover_the_rare_class_where_marginal_ones_do_not() -> None:
    per_class, marginal = [], []
    for seed in range(40):
        y, p = cases(750, seed, spread=0.7)
        new_y, new_p = cases(500, 1000 + seed, spread=0.7)
        per_class.append(coverage(ConformalSets.fit(p, y).predict(new_p, 0.1), new_y))
        scores = np.sort(1 - p[np.arange(750), y])
        quantile = scores[int(np.ceil(751 * 0.9)) - 1]
        marginal.append(coverage(1 - new_p <= quantile, new_y))
    assert (np.mean(per_class, axis=0) >= 0.89).all()
    assert np.mean(marginal, axis=0)[2] < 0.45


def test_p_values_are_the_finite_sample_ones() -> None:
    y, p = np.zeros(9, dtype=int), np.c_[np.arange(1, 10) / 10, 1 - np.arange(1, 10) / 10]
    sets = ConformalSets.fit(p, y)
    assert sets.p_values([[0.05, 0.95], [0.5, 0.5], [0.95, 0.05]])[:, 0].tolist() == [0.1, 0.6, 1.0]
    assert sets.p_values([[0.05, 0.95]])[0, 1] == 1.0  # no calibration rows: never ruled out


def test_contiguous_sets_have_no_gap_and_no_set_is_empty() -> None:
    y, p = cases(300, 5)
    sets = ConformalSets.fit(p, y)
    rows = np.array([[0.5, 0.0, 0.5], [0.34, 0.33, 0.33]])
    assert sets.predict(rows, 0.1).tolist()[0] == [True, False, True]
    assert sets.predict(rows, 0.1, contiguous=True).tolist()[0] == [True, True, True]
    assert sets.predict(cases(300, 6)[1], 0.9).any(axis=1).all()
    assert not sets.predict(cases(300, 6)[1], 0.9, allow_empty=True).any(axis=1).all()


def test_compressed_sets_are_small_and_never_smaller_sets() -> None:
    y, p = cases(2000, 7)
    sets = ConformalSets.fit(p, y, source="cross")
    small = sets.compress()
    assert max(map(len, small.knots)) <= 100
    new = cases(500, 8)[1]
    assert (small.p_values(new) >= sets.p_values(new)).all()
    assert np.abs(small.p_values(new) - sets.p_values(new)).max() < 0.03
    assert ConformalSets.from_dict(json.loads(json.dumps(small.as_dict()))) == small
    assert small.method == "cross-conformal per class, without the split-conformal promise"


def test_the_promise_of_a_calibration_is_what_calibrations_give() -> None:
    """Coverage of the rare class over many calibrations of 40 rows: mean and limits are those of the Beta law."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(600):
        p = rng.random(40)
        sets = ConformalSets.fit(np.c_[1 - p, p], np.ones(40, dtype=int))
        lowest = np.sort(p)[3]  # 4 of 41 may be ruled out: a new p below the fourth smallest is
        assert sets.p_values([[1 - lowest + 1e-6, lowest - 1e-6]])[0, 1] <= 0.1 < sets.p_values([[0, lowest]])[0, 1]
        found.append(1 - lowest)
    row = sets.promise(0.1).iloc[1]
    assert row["expected"] == pytest.approx(1 - 4 / 41)
    assert np.mean(found) == pytest.approx(row["expected"], abs=0.006)
    assert np.mean((found >= row["low"]) & (found <= row["high"])) == pytest.approx(0.95, abs=0.025)
    assert sets.promise(0.1).iloc[0].tolist() == [0, 0, 1, 1, 1]
