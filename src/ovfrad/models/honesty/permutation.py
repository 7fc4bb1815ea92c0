"""Label permutation of the whole procedure (METHODS G1)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ovfrad.errors import InputWarning
from ovfrad.evaluation.folds import CHANCE, MARGIN
from ovfrad.models.engine import Progress, nested
from ovfrad.models.honesty.check import Check, proba
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs

MOST, LEAST = 20, 2
"""Permutations of an audit sized by time: not more, not fewer."""
ENOUGH = 8
"""From so many permutations on, the standard error is that of their means; before, at least that of chance alone, since
the folds of a permutation share their training rows and tell less than as many permutations."""


def permute_by_patient(codes: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels in which only chance ties a patient to a class: label lists dealt to the patients in another order.

    Labels of one patient mostly stay together, so rows of a patient resemble each other as before, and every
    class keeps its number of rows.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
    groups : ndarray of str of shape (n_rows,)
    rng : numpy Generator

    Examples
    --------
    >>> permute_by_patient(np.array([0, 0, 1, 2]), np.array(["A", "A", "B", "C"]), np.random.default_rng(3))
    array([2, 1, 0, 0])
    """
    names, patient = np.unique(groups, return_inverse=True)
    table_order = np.argsort(patient, kind="stable")
    by_patient = np.split(codes[table_order], np.cumsum(np.bincount(patient))[:-1])
    dealt = np.concatenate([by_patient[p] for p in rng.permutation(len(names))])
    shuffled = np.empty_like(codes)
    shuffled[table_order] = dealt
    return shuffled


Pipeline = Callable[[Rows, Procedure], pd.DataFrame]
"""From training rows and a procedure to out-of-fold predictions, a prediction table: the engine's, or one to audit."""


def engine_pipeline(rows: Rows, procedure: Procedure) -> pd.DataFrame:
    """Nested predictions of the fold engine."""
    return nested(rows, procedure, baselines=False)


def _null_aucs(rows: Rows, procedure: Procedure, model: str, seed: int, pipeline: Pipeline) -> np.ndarray:
    """Per-fold macro AUCs of the whole procedure on permuted labels; its reservations are those of the real run."""
    rng = np.random.default_rng([procedure.random_state, seed])
    order = permute_by_patient(np.arange(len(rows)), rows.groups, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        table = pipeline(rows.relabelled(order), procedure)
    table = table[table["model"] == model]
    return fold_aucs(table["y_true"].to_numpy(), proba(table), table["fold"].to_numpy())


def permutation_audit(
    rows: Rows,
    procedure: Procedure,
    model: str = "auto",
    permutations: int | Literal["auto"] = "auto",
    *,
    seconds: float = 60.0,
    jobs: int = 1,
    progress: Progress | None = None,
    pipeline: Pipeline = engine_pipeline,
) -> Check:
    """Run the whole nested procedure on labels permuted by patient and ask whether it finds what is not there (G1).

    The AUC is taken within folds and averaged, since the pooled one of an honest pipeline lies below .5; it may
    not lie above .5 + max(3 SE, .01). A leak (selection before the split, say) lifts it.

    Parameters
    ----------
    rows : Rows
        Training rows.
    procedure : Procedure
        As used for the real labels; only `model` is fitted, without recalibration.
    model : str
        The headline: "auto", "best_of_nine" or a classifier.
    permutations : int or "auto"
        Number; "auto": as many of 2 to 20 as fit into `seconds`.
    seconds : float
        Time for "auto".
    jobs : int
        Processes.
    progress : callable, optional
    pipeline : callable
        What is audited; default: the fold engine.
    """
    lean = procedure.only(model, recalibrate=False)
    total = permutations if isinstance(permutations, int) else min(MOST, max(jobs, LEAST))
    done: list[np.ndarray] = []
    start = time.monotonic()
    while len(done) < total:
        batch = range(len(done), min(total, len(done) + max(jobs, 1)))
        work = (delayed(_null_aucs)(rows, lean, model, seed, pipeline) for seed in batch)
        done += Parallel(n_jobs=jobs, max_nbytes=None)(work)
        if permutations == "auto":
            affordable = int(seconds / max(time.monotonic() - start, 1e-9) * len(done))
            total = min(MOST, max(len(done), affordable, LEAST))
        if progress:
            progress("label permutations", len(done), total)
    return judge_permutations(done, model, rows.codes)


def judge_permutations(aucs: list[np.ndarray], model: str, codes: np.ndarray | None = None) -> Check:
    """Verdict on per-fold macro AUCs under permuted labels, one array per permutation.

    `codes`, the labels, give the spread of one permutation by chance where permutations are too few to show it.

    >>> judge_permutations([np.array([0.66, 0.70]), np.array([0.68, 0.64])], "auto").status
    'FAIL'
    """
    folds = np.concatenate(aucs)
    means = np.array([values.mean() for values in aucs if len(values)])
    if not len(folds):
        return Check("permutation", "WARN", None, None, "No fold has two classes, so permuted labels tell nothing.")
    mean, limit = float(means.mean()), CHANCE + max(3 * _standard_error(means, folds, codes), MARGIN)
    found = f"macro AUC {mean:.3f} within folds over {len(aucs)} permutations of the labels (limit {limit:.3f})"
    if mean <= limit:
        return Check("permutation", "PASS", mean, limit, f"Without signal {model} reads {found}: it finds nothing.")
    text = f"Without signal {model} still reads {found}: the procedure leaks, no number of this run can be trusted."
    return Check("permutation", "FAIL", mean, limit, text)


def _standard_error(means: np.ndarray, folds: np.ndarray, codes: np.ndarray | None) -> float:
    """Standard error of the mean over permutations."""
    if len(means) >= ENOUGH:
        return float(means.std(ddof=1) / np.sqrt(len(means)))
    by_folds = float(folds.std(ddof=1) / np.sqrt(len(folds))) if len(folds) > 1 else 0.0
    return by_folds if codes is None else max(by_folds, chance_spread(codes) / float(np.sqrt(len(means))))


def chance_spread(codes: np.ndarray) -> float:
    """Standard deviation of a macro AUC without signal, as if its classes went together (a bound).

    That of one class is Mann and Whitney's: (n + 1) / (12 m (n - m)) for m of n rows.

    >>> round(chance_spread(np.repeat([0, 1], 30)), 3)
    0.075
    """
    n, counts = len(codes), np.bincount(codes)
    inside = counts[(counts > 0) & (counts < n)]
    return float(np.sqrt((n + 1) / (12 * inside * (n - inside))).mean()) if len(inside) else 0.0
