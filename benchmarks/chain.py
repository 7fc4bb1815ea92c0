"""What the learned chain costs, and where the time goes.

    python benchmarks/chain.py [PART ...] [--rows N] [--jobs N]

Parts, all by default:

    spearman   |rho| of 2,000 columns against scipy's spearmanr, in turns, and the greedy step after it
    fold       one outer fold of one arm in one process: CPU seconds by step
    study      the nine classifiers with grids, `auto`, the sparse score and the baselines, nested 5 x 5, both arms

The table is synthetic: 750 rows of 700 patients, three classes (46, 44 and 10 %), 1,400 radiomics of 60 hidden
measures in clusters, 2,048 deep features, three scanners, a second reader of 60 rows.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import warnings
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from ovfrad.models import engine
from ovfrad.models.fitting import fit_models
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.selection.spearman import _most_partners, absolute_spearman
from ovfrad.study.settings import Models

RADIOMICS, DEEP, HIDDEN = 1400, 2048, 60
IMAGES = ["original", *(f"log-sigma-{s}-0-mm-3D" for s in range(1, 6)),
          *(f"wavelet-{b}" for b in ("LLL", "LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH"))]  # fmt: skip
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
STEPS = {
    "chain of selection": "fused.py:fit", "LASSO": "lasso.py:fit", "Spearman": "spearman.py:fit",
    "ComBat": "combat.py:fit", "PCA": "pca.py:fit", "auto": "auto.py:fit", "sparse score": "sparse.py:fit",
    "the nine": "estimators.py:fit_quietly",
}  # fmt: skip
"""Step -> file and function whose cumulative time it is."""


def rows_of(n: int, seed: int = 0) -> Rows:
    """The synthetic table."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.46, 0.44, 0.10])
    hidden = rng.normal(size=(n, HIDDEN))
    hidden[:, :6] += 0.5 * y[:, None]
    main = np.eye(HIDDEN)[rng.integers(0, HIDDEN, RADIOMICS)].T  # each radiomics feature follows one measure most
    radiomics = hidden @ (main + 0.1 * rng.normal(size=main.shape) * (rng.random(main.shape) < 0.1))
    deep = np.abs(hidden @ (rng.normal(size=(HIDDEN, DEEP)) * (rng.random((HIDDEN, DEEP)) < 0.2)))
    X = np.hstack([radiomics, deep]) + 0.3 * rng.normal(size=(n, RADIOMICS + DEEP))
    names = [f"{IMAGES[j % 14]}_{CLASSES[j // 14 % 7]}_F{j:04d}" for j in range(RADIOMICS)]
    patients = np.array([f"P{min(i // 2, 50) + max(i - 100, 0):05d}" for i in range(n)], dtype=object)
    index = pd.MultiIndex.from_arrays([patients, [f"V{i}" for i in range(n)]], names=["patient_id", "vertebra"])
    frame = pd.DataFrame(X, index=index, columns=[*names, *(f"deep_random_{j:04d}" for j in range(DEEP))])
    reader2 = frame.iloc[:60, :RADIOMICS] + 0.3 * rng.normal(size=(60, RADIOMICS))
    scanner = rng.choice(["A", "B", "C"], n).astype(object)
    return Rows(frame, pd.Series(y, index=index), patients, batch=scanner, reader2=reader2)


def procedure(arm: str) -> Procedure:
    """All models of a study, nested 5 x 5."""
    return Procedure(("0", "1", "2"), Models(), arm=arm)


def spearman(rows: Rows, rounds: int = 5) -> None:
    """Ratio of CPU times to scipy, in turns."""
    X = rows.X.to_numpy()[:, :2000]
    with threadpool_limits(1):
        ours, theirs = [], []
        for _ in range(rounds):
            start = process_time()
            rho = absolute_spearman(X)
            ours.append(process_time() - start)
            start = process_time()
            other = np.abs(spearmanr(X).statistic)
            theirs.append(process_time() - start)
        start = process_time()
        kept = _most_partners(rho, 0.9)
        greedy = process_time() - start
    print(f"spearman   {X.shape[1]} columns, {len(X)} rows: {median(ours):.2f} s against {median(theirs):.2f} s of "
          f"scipy, ratio {median(theirs) / median(ours):.1f}; largest difference {np.abs(rho - other).max():.1e}; "
          f"greedy step {greedy * 1000:.0f} ms, {kept.sum()} kept")  # fmt: skip


def fold(rows: Rows, arm: str) -> None:
    """CPU seconds of one outer fold by step."""
    inside = rows.for_arm(arm).take(np.arange(0, len(rows) * 4 // 5))
    profile = cProfile.Profile()
    with threadpool_limits(1):
        start = process_time()
        profile.runcall(fit_models, inside, procedure(arm))
        spent = process_time() - start
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = {
        step: sum(row[3] for (file, _, name), row in stats.items() if f"{Path(file).name}:{name}" == where)
        for step, where in STEPS.items()
    }
    told = ", ".join(f"{step} {seconds:.1f}" for step, seconds in found.items())
    print(f"fold       arm {arm}: {spent:.1f} CPU s under the profiler; of these {told}")


def study(rows: Rows, jobs: int) -> None:
    """Wall-clock time of everything that a study fits to a table."""
    total = perf_counter()
    for arm in ("random", "none"):
        start = perf_counter()
        outcome = engine.run(rows, procedure(arm), jobs=jobs)
        models = outcome.predictions["model"].nunique()
        print(f"study      arm {arm}: {perf_counter() - start:.0f} s, {models} models, {jobs} processes")
    print(f"study      both arms: {perf_counter() - total:.0f} s")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["spearman", "fold", "study"])
    parser.add_argument("--rows", type=int, default=750)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = rows_of(options.rows)
    for part in options.parts:
        if part == "spearman":
            spearman(rows)
        elif part == "fold":
            for arm in ("random", "none"):
                fold(rows, arm)
        elif part == "study":
            study(rows, options.jobs)
        else:
            parser.error(f"no part {part}")


if __name__ == "__main__":
    main()
