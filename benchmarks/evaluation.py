"""Speed of the evaluation, as ratios and totals of one run: `python benchmarks/evaluation.py`.

1. 1000 patient resamples x 3 classes at 187 rows, against a loop over scikit-learn's roc_auc_score (of which a part is
   timed and scaled up), in CPU time, which a busy machine stretches less. Ours is timed as a whole: drawing the
   resamples, counting them, all AUCs; the mean of 20.
2. 20 models x 4 cohorts x 1000 resamples x all metrics, and the comparison of all pairs of models.
3. One model on 100,000 rows, with the largest memory of the process.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ovfrad.evaluation.bootstrap import class_aucs
from ovfrad.evaluation.compare import compare_all
from ovfrad.evaluation.summary import evaluate, thresholds

COHORTS = {"train": 750, "internal": 187, "external": 110, "prospective": 51}
LOOPS = 50
"""Resamples that the loop over scikit-learn is timed on."""


def predictions(n: int, seed: int) -> pd.DataFrame:
    """Three classes in the shares of the paper, a tenth of the rows a second vertebra; `seed` is the model's."""
    rng = np.random.default_rng(n)
    y = rng.permutation(np.resize(np.repeat([0, 1, 2], [23, 22, 5]), n))
    p = np.exp(np.random.default_rng(seed).standard_normal((n, 3)) + 1.2 * np.eye(3)[y])
    p /= p.sum(axis=1, keepdims=True)
    patients = round(0.9 * n)
    who = np.r_[np.arange(patients), rng.choice(patients, n - patients, replace=False)]
    level = pd.Series(who).groupby(who).cumcount().astype(str)
    names = {"patient_id": [f"P{i}" for i in who], "vertebra": "L" + level, "y_true": y}
    return pd.DataFrame(names | {f"p_{k}": p[:, k] for k in range(3)})


def seconds(work: Callable[[], object], repeats: int = 1, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the mean time of a call."""
    start = clock()
    for _ in range(repeats):
        work()
    return (clock() - start) / repeats


def against_scikit_learn() -> None:
    table = predictions(187, 0)
    y, p, who = table["y_true"].to_numpy(), table[["p_0", "p_1", "p_2"]].to_numpy(), table["patient_id"].to_numpy()
    rows_of = [np.flatnonzero(who == name) for name in np.unique(who)]
    rng = np.random.default_rng(0)

    def loop() -> None:
        for _ in range(LOOPS):
            rows = np.concatenate([rows_of[j] for j in rng.integers(len(rows_of), size=len(rows_of))])
            for k in range(3):
                roc_auc_score(y[rows] == k, p[rows, k])

    class_aucs(y, p, who, 1000, seed=99)  # compiled, or read from the cache
    seeds = iter(range(10_000))
    ours = seconds(lambda: class_aucs(y, p, who, 1000, seed=next(seeds)), 20, time.process_time)
    theirs = seconds(loop, 1, time.process_time) * 1000 / LOOPS
    print(f"1000 resamples x 3 classes, 187 rows: {1e3 * ours:.2f} ms, loop {theirs:.2f} s, ratio {theirs / ours:,.0f}")


def many_models() -> None:
    tables = {(m, c): predictions(n, 100 * m) for m in range(20) for c, n in COHORTS.items()}
    fixed = {m: thresholds(tables[m, "train"]) for m in range(20)}
    alone = seconds(lambda: [evaluate(table, None if c == "train" else fixed[m]) for (m, c), table in tables.items()])
    print(f"20 models x 4 cohorts x 1000 resamples x all metrics: {alone:.1f} s")

    def pairs() -> None:
        for cohort in COHORTS:
            compare_all({f"m{m}": tables[m, cohort] for m in range(20)})

    print(f"all 760 pairs of them compared, 1000 resamples and 1000 permutations each: {seconds(pairs):.1f} s")


def many_rows() -> None:
    table = predictions(100_000, 1)
    spent = seconds(lambda: evaluate(table, thresholds(table)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"100,000 rows, 1000 resamples, all metrics: {spent:.1f} s, {memory:.2f} GiB at most")


if __name__ == "__main__":
    against_scikit_learn()
    many_models()
    many_rows()
