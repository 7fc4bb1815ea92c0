"""Coverage of the intervals and size of the macro test by simulation (slow).

The figures stand in docs/evaluation.md;
`OVFRAD_REPLICATES=2000 pytest -m slow tests/evaluation/test_coverage.py -s` prints the table.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from ovfrad.evaluation import auc, mean_auc
from ovfrad.evaluation.bootstrap import Resamples, weighted_auc
from ovfrad.evaluation.metrics import confusion_weights, decision_metrics, ranking_metrics
from ovfrad.evaluation.paired import macro_test
from ovfrad.evaluation.roc import roc_band
from ovfrad.evaluation.summary import evaluate
from ovfrad.evaluation.tables import arrays

REPLICATES = int(os.environ.get("OVFRAD_REPLICATES", "2000"))
COHORTS = {51: (24, 22, 5), 110: (51, 46, 13), 187: (88, 76, 23)}
SHARED = 0.5  # correlation of the noise of two vertebrae of one patient


def shift_for(target: float) -> float:
    """Shift of the true class's score that gives each class about the AUC wanted, by simulation of the ranks."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, 20000, p=(0.46, 0.44, 0.1))
    noise = rng.standard_normal((20000, 3))
    return brentq(lambda d: truth(y, noise + d * np.eye(3)[y])[2] - target, 0.1, 4, xtol=1e-3)


def probabilities(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def truth(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    p = probabilities(scores)
    return np.array([auc.auc(y == k, p[:, k]) for k in range(3)])


def cohort(n: int, clustered: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and patient of each row: 12 % of the rows are a second vertebra of a patient of any class."""
    y = rng.permutation(np.repeat([0, 1, 2], COHORTS[n]))
    patients = round(n * 0.88) if clustered else n
    return y, np.r_[np.arange(patients), rng.choice(patients, n - patients, replace=False)]


def noise(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(patients)
    return np.sqrt(SHARED) * rng.standard_normal((n, 3))[patients] + np.sqrt(1 - SHARED) * rng.standard_normal((n, 3))


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.70, 0.80, 0.92])
@pytest.mark.parametrize(("n", "clustered"), [(51, False), (51, True), (110, True), (187, True)])
def test_class_2_and_macro_intervals_cover(n: int, clustered: bool, target: float) -> None:
    d, rng = shift_for(target), np.random.default_rng(n)
    y, _ = cohort(187, False, rng)
    big = np.repeat(y, 3000)
    true = truth(big, rng.standard_normal((len(big), 3)) + d * np.eye(3)[big])
    class_2 = macro = plain = percentiles = 0
    for replicate in range(REPLICATES):
        y, patients = cohort(n, clustered, rng)
        p = probabilities(noise(patients, rng) + d * np.eye(3)[y])
        rare, mean = auc.class_auc(y == 2, p[:, 2], patients), mean_auc.macro_auc(y, p, patients)
        class_2 += rare.low <= true[2] <= rare.high
        macro += mean.low <= true.mean() <= mean.high
        value, rows = auc.influence(y == 2, p[:, 2], patients)
        plain += abs(value[0] - true[2]) <= 1.96 * np.sqrt(auc.clustered_covariance(rows, patients)[0, 0])
        drawn = next(Resamples(patients, 1000, replicate).chunks())
        low, high = np.nanquantile(weighted_auc(y == 2, p[:, 2], drawn), [0.025, 0.975])
        percentiles += low <= true[2] <= high
    found = np.array([class_2, macro, plain, percentiles]) / REPLICATES
    told = " | ".join(f"{share:.3f}" for share in found)
    print(f"\n| {n} | {'yes' if clustered else 'no'} | {true[2]:.2f} | {told} |", end="")
    slack = 0 if REPLICATES >= 2000 else 3 * np.sqrt(0.95 * 0.05 / REPLICATES)
    assert 0.925 - slack <= found[0] <= 0.985 + slack
    assert 0.925 - slack <= found[1] <= 0.985 + slack
    assert found[2] < found[0]
    assert found[3] < found[0]


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.12])
@pytest.mark.parametrize("n", [51, 110, 187])
def test_the_paired_macro_test_keeps_its_size_with_clusters(n: int, share: float) -> None:
    """Two equally good models; all patients (the worst case) or 12 % have two rows of one class, noise correlated."""
    rng = np.random.default_rng(n)
    kept = ignored = done = 0
    for _ in range(REPLICATES):
        y = rng.permutation(np.repeat([0, 1, 2], COHORTS[n]))
        patients = round(n / (1 + share))
        twice = rng.permutation(patients)[: n - patients]
        y, patients = np.r_[y[:patients], y[twice]], np.r_[np.arange(patients), twice]
        if min(len(np.unique(patients[y == k])) for k in range(3)) < auc.FEWEST:
            continue  # no test there
        a, b = (probabilities(noise(patients, rng) + 1.2 * np.eye(3)[y]) for _ in range(2))
        done += 1
        kept += macro_test(y, a, b, patients).p < 0.05
        ignored += macro_test(y, a, b).p < 0.05
    print(f"\n| {n} | {100 * share:.0f} % | {kept / done:.3f} | {ignored / done:.3f} |", end="")
    slack = 0 if REPLICATES >= 2000 else 3 * np.sqrt(0.05 * 0.95 / done)
    assert 0.03 - slack <= kept / done <= 0.07 + slack
    assert ignored > kept or share < 1


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.70, 0.85])
@pytest.mark.parametrize(("n", "rare"), [(51, 3), (51, 5), (51, 10), (110, 13), (187, 23)])
def test_hand_till_and_balanced_accuracy_cover(n: int, rare: int, target: float) -> None:
    """Against percentiles of 300 resamples, which at 3 cases cover two thirds to four fifths."""
    d, rng, done = shift_for(target), np.random.default_rng([n, rare]), REPLICATES // 4
    y = np.repeat([0, 1, 2], [n // 2, n - n // 2 - rare, rare])
    true = both(np.repeat(y, 3000), d, rng)
    held = np.zeros(4)
    for replicate in range(done):
        p = probabilities(rng.standard_normal((n, 3)) + d * np.eye(3)[y])
        table = pd.DataFrame({"patient_id": range(n), "y_true": y, **{f"p_{k}": p[:, k] for k in range(3)}})
        found = evaluate(table, resamples=100)
        ours = [found[name] for name in ("hand_till", "balanced_accuracy")]
        data = arrays(table)
        drawn = next(Resamples(data.patients, 300, replicate).chunks())
        correct = decision_metrics(confusion_weights(y, p.argmax(axis=1), 3, drawn), ordered=True)
        resampled = [ranking_metrics(data, drawn)["hand_till"], correct["balanced_accuracy"]]
        limits = [np.nanquantile(values, [0.025, 0.975]) for values in resampled]
        held += [e["low"] <= t <= e["high"] for e, t in zip(ours, true, strict=True)] + [
            low <= t <= high for (low, high), t in zip(limits, true, strict=True)
        ]
    shares = held / done
    print(f"\n| {n} | {rare} | " + " | ".join(f"{share:.3f}" for share in shares) + " |", end="")
    assert (shares[:2] > 0.93 - 3 * np.sqrt(0.95 * 0.05 / done) - 0.02 * (rare == 3)).all()
    assert rare > 5 or (shares[2:] < shares[:2]).all()


def both(y: np.ndarray, d: float, rng: np.random.Generator) -> tuple[float, float]:
    """Hand-Till AUC and balanced accuracy of a large cohort."""
    p = probabilities(rng.standard_normal((len(y), 3)) + d * np.eye(3)[y])
    pairs = [(k, j) for k in range(3) for j in range(3) if j != k]
    aucs = [auc.auc(y[(y == k) | (y == j)] == k, p[(y == k) | (y == j), k]) for k, j in pairs]
    return float(np.mean(aucs)), float(np.mean([(p[y == k].argmax(axis=1) == k).mean() for k in range(3)]))


@pytest.mark.slow
def test_the_roc_band_covers_the_sensitivity_at_a_rate_chosen_beforehand() -> None:
    """Class of 5, 13 and 24 cases, normal scores: the true sensitivity at a false positive rate f is Phi(d + z_f)."""
    for cases, others in ((5, 46), (13, 97), (24, 27)):
        rng, held, places = np.random.default_rng(cases), [], (10, 30)
        y = np.repeat([True, False], [cases, others])
        true = ndtr(1.4 + ndtri(np.array(places) / 100))
        for replicate in range(REPLICATES // 4):
            band = roc_band(y, rng.standard_normal(len(y)) + 1.4 * y, resamples=300, seed=replicate)
            held.append((band["low"].to_numpy()[[*places]] <= true) & (true <= band["high"].to_numpy()[[*places]]))
        shares = np.mean(held, axis=0)
        print(f"\n| {cases} of {len(y)} | {shares[0]:.3f} | {shares[1]:.3f} |", end="")
        assert (shares > 0.93).all()


def test_the_simulation_gives_the_auc_it_is_asked_for() -> None:
    assert ndtr(shift_for(0.70) / np.sqrt(2)) < 0.75
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1, 2], [4600, 4400, 1000])
    assert truth(y, rng.standard_normal((10000, 3)) + shift_for(0.8) * np.eye(3)[y])[2] == pytest.approx(0.8, abs=0.02)
