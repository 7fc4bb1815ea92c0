"""ICC against psych (R) and Shrout and Fleiss; weighted kappa against scikit-learn and statsmodels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from ovfrad.evaluation.agreement import KINDS, icc, weighted_kappa

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "evaluation"
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def readings(dataset: int) -> np.ndarray:
    rows = pd.read_csv(REFERENCE / "icc_rows.csv")
    return rows[rows["dataset"] == dataset].pivot_table(index="subject", columns="reader", values="value").to_numpy()


@pytest.mark.parametrize("dataset", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_icc_and_limits_equal_psych(dataset: int, kind: str) -> None:
    results = pd.read_csv(REFERENCE / "icc_results.csv", dtype={"kind": str})
    row = results[(results["dataset"] == dataset) & (results["kind"] == kind.replace(",", "."))].iloc[0]
    found = icc(readings(dataset), kind=kind)
    got = [found.estimate[0], found.low[0], found.high[0]]
    assert got == pytest.approx(row[["icc", "low", "high"]].tolist(), abs=1e-8)
    assert (found.subjects, found.readers) == (row["n"], row["k"])


def test_icc_of_shrout_and_fleiss() -> None:
    found = [round(float(icc(JUDGES, kind=kind).estimate[0]), 2) for kind in KINDS]
    assert found == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]


def test_many_features_of_two_readers_at_once() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((30, 107))
    second = first + 0.3 * rng.standard_normal((30, 107))
    found = icc(first, second)
    assert found.estimate.shape == (107,)
    assert found.estimate[5] == pytest.approx(icc(np.c_[first[:, 5], second[:, 5]]).estimate[0])
    assert (found.low < found.estimate).all()
    assert (found.estimate < found.high).all()


def test_icc_of_equal_readings_is_one_and_of_a_constant_unknown() -> None:
    varied = np.arange(8.0)
    found = icc(np.c_[varied, np.ones(8)], np.c_[varied, np.ones(8)])
    assert (found.estimate[0], found.low[0], found.high[0]) == (1, 1, 1)
    assert np.isnan(found.estimate[1])


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (np.ones((5, 2)), np.ones((4, 2)), r"two readers need tables of one shape; got \(5, 2\) and \(4, 2\)."),
        (np.ones(5), None, r"at least two subjects and two readers; got shape \(5,\)."),
        (np.full((5, 2), np.nan), None, "10 readings are missing or infinite."),
    ],
)
def test_icc_refuses_what_it_cannot_use(first, second, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        icc(first, second)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
@pytest.mark.parametrize("n", [30, 200, 981])
def test_kappa_and_its_interval_agree_with_other_packages(weights: str, n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.choice(3, n, p=(0.46, 0.44, 0.10))
    b = np.clip(a + rng.choice([-1, 0, 1], n, p=(0.1, 0.8, 0.1)), 0, 2)
    found = weighted_kappa(a, b, weights)
    assert found.estimate == pytest.approx(cohen_kappa_score(a, b, weights=weights))
    distance = np.arange(3.0) ** (1 if weights == "linear" else 2)
    table = np.zeros((3, 3))
    np.add.at(table, (a, b), 1)
    other = cohens_kappa(table, weights=distance, wt="toeplitz")
    assert found.low == pytest.approx(other.kappa_low, abs=1e-9)
    assert found.high == pytest.approx(min(1.0, other.kappa_upp), abs=1e-9)


def test_kappa_of_two_vertebrae_a_patient_is_wider() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(3, size=100)
    b = np.clip(a + rng.integers(-1, 2, size=100), 0, 2)
    once = weighted_kappa(a, b)
    twice = weighted_kappa(np.tile(a, 2), np.tile(b, 2), patients=np.tile(np.arange(100), 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))
    assert (twice.n, twice.patients) == (200, 100)


def test_kappa_of_one_code_is_absent_and_of_full_agreement_without_interval() -> None:
    assert weighted_kappa([1, 1, 1], [1, 1, 1]).estimate is None
    full = weighted_kappa([0, 1, 2], [0, 1, 2])
    assert (full.estimate, full.low) == (1.0, None)
