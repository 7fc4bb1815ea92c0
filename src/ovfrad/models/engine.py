"""The fold engine: one procedure on all training rows and in every outer fold, on as many processes as asked (E10).

What is reported for training patients comes from outer folds (cohort `train`); the fit on all rows predicts the
other cohorts, and its apparent and inner predictions are kept to show how far they flatter.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from ovfrad.errors import InputWarning, warn
from ovfrad.models.baselines import FittedBaselines, available, fit_baselines
from ovfrad.models.fitted import Fitted
from ovfrad.models.fitting import fit_models
from ovfrad.models.folds import Fold, nested_folds, patient_folds, patients_per_class
from ovfrad.models.network import own_rows
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows, ordered_table
from ovfrad.sources import code_of

Progress = Callable[[str, int, int], None]
"""Called with a label, the units done and the units in all."""
Heard = list[tuple[type[Warning], str]]
_SAID = "warnings"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the engine made of one arm under one recipe.

    Attributes
    ----------
    fitted : Fitted
        Fit on all training rows.
    baselines : FittedBaselines
        With the absent ones and why.
    predictions : DataFrame
        Prediction table of the cohorts `train`, `train_apparent`, `train_inner` and those given.
    notes : tuple of str
        Reservations of the fit and of the outer folds.
    """

    fitted: Fitted
    baselines: FittedBaselines
    predictions: pd.DataFrame
    notes: tuple[str, ...]


def run(
    rows: Rows,
    procedure: Procedure,
    cohorts: Mapping[str, Rows] | None = None,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    store: Path | None = None,
) -> Outcome:
    """Nested predictions of the training rows, the fit on all of them, and its predictions of other cohorts.

    Parameters
    ----------
    rows : Rows
        Training rows with outcome.
    procedure : Procedure
    cohorts : mapping of str to Rows, optional
        Cohorts to predict, by name; nothing is learned from them.
    jobs : int
        Processes; the result does not depend on it.
    progress : callable, optional
        Called as (label, done, total) after each outer fold and the final fit.
    store : Path, optional
        Folder in which finished outer folds are kept; an interrupted run goes on from there.

    Raises
    ------
    InputError
        E_FOLDS, E_ONE_CLASS where a class has fewer than two patients.
    """
    rows = own_rows(rows, procedure.arm, procedure.network)
    others = {name: own_rows(part, procedure.arm, procedure.network) for name, part in (cohorts or {}).items()}
    impute = procedure.selection.missing == "impute"
    names, absent = available([rows, *others.values()], impute) if procedure.models.baselines else ([], {})
    procedure = affordable(rows, procedure)
    folds = _outer(rows, procedure)
    tasks = [
        _Task(rows, procedure, names, absent, f, fold, _slot(store, rows, procedure, names, f))
        for f, fold in enumerate(folds)
    ]
    final = _Task(rows, procedure, names, absent, -1, None, None)
    parts: dict[int, pd.DataFrame] = {}
    notes: list[str] = []
    fit: tuple[Fitted, FittedBaselines] | None = None
    label = f"{procedure.recipe} / {procedure.arm}"
    for done, (which, result, said) in enumerate(_each([final, *tasks], jobs), start=1):
        if isinstance(result, pd.DataFrame):
            parts[which] = result
        else:
            fit = result
        notes += said
        if progress:
            progress(label, done, len(tasks) + 1)
    if fit is None:
        raise RuntimeError("the final fit returned nothing.")
    fitted, baselines = fit
    tables = [parts[f] for f in sorted(parts)] + [fitted.inner]
    with threadpool_limits(1):  # threads cost small products more than they save, most on a machine in use
        for cohort, of in {"train_apparent": rows, **others}.items():
            tables += [fitted.table(of, cohort), baselines.table(of, cohort)]
    predictions = ordered_table([table for table in tables if len(table)])
    return Outcome(fitted, baselines, predictions, tuple(dict.fromkeys([*fitted.notes, *notes])))


def nested(
    rows: Rows,
    procedure: Procedure,
    *,
    baselines: bool = True,
    jobs: int = 1,
    progress: Progress | None = None,
    store: Path | None = None,
    folds: Collection[int] | None = None,
) -> pd.DataFrame:
    """Nested out-of-fold predictions of the training rows (cohort `train`, fold >= 0), as `run` makes them.

    `folds`: numbers of the outer folds to do; default: all.
    """
    rows, procedure = own_rows(rows, procedure.arm, procedure.network), affordable(rows, procedure)
    impute = procedure.selection.missing == "impute"
    names, absent = available([rows], impute) if baselines and procedure.models.baselines else ([], {})
    tasks = [
        _Task(rows, procedure, names, absent, f, fold, _slot(store, rows, procedure, names, f))
        for f, fold in enumerate(_outer(rows, procedure))
        if folds is None or f in folds
    ]
    parts: dict[int, pd.DataFrame] = {}
    for done, (which, result, _) in enumerate(_each(tasks, jobs), start=1):
        if isinstance(result, pd.DataFrame):
            parts[which] = result
        if progress:
            progress(f"{procedure.recipe} / {procedure.arm}", done, len(tasks))
    return ordered_table([parts[f] for f in sorted(parts)])


def affordable(rows: Rows, procedure: Procedure) -> Procedure:
    """The procedure with no more folds than its smallest class allows; a warning says where these are fewer."""
    settings = procedure.models
    asked = settings.outer_folds, settings.inner_folds
    outer, inner = nested_folds(rows.codes, rows.groups, *asked, procedure.classes)
    if (outer, inner) == asked:
        return procedure
    scarce = min(patients_per_class(rows.codes, rows.groups).values())
    used = f"{outer} outer and {inner} inner folds are used" if inner else f"{outer} outer and no inner folds are used"
    cost = "" if inner else ": nothing is tuned and nothing recalibrated"
    warn(
        "W_FOLDS",
        "training rows",
        f"the smallest class has {scarce} patients, too few for {asked[0]} outer and {asked[1]} inner folds",
        used + cost,
    )
    fewer = settings.model_copy(update={"outer_folds": outer, "inner_folds": inner or asked[1]})
    return replace(procedure, models=fewer, tune=inner > 0)


def _outer(rows: Rows, procedure: Procedure) -> list[Fold]:
    settings = procedure.models
    return patient_folds(rows.codes, rows.groups, settings.outer_folds, procedure.random_state, procedure.classes)


@dataclass(frozen=True, eq=False)
class _Task:
    """One unit of work: an outer fold, or (fold None) the fit on all rows."""

    rows: Rows
    procedure: Procedure
    baselines: list[str]
    absent: dict[str, str]
    number: int
    fold: Fold | None
    slot: Path | None


_Result = tuple[int, "pd.DataFrame | tuple[Fitted, FittedBaselines]", list[str]]


def _each(tasks: list[_Task], jobs: int) -> Iterator[_Result]:
    """Yield results as they come; what the workers warned of is warned here, once each."""
    heard: set[tuple[type[Warning], str]] = set()
    if jobs == 1:
        results = map(_do, tasks)
    else:
        results = Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)(
            delayed(_do)(t) for t in tasks
        )
    for number, result, said in results:
        for category, text in said:
            if (category, text) not in heard:
                heard.add((category, text))
                warnings.warn(text, category, stacklevel=3)
        yield number, result, [text for _, text in said]


def _do(task: _Task) -> tuple[int, pd.DataFrame | tuple[Fitted, FittedBaselines], Heard]:
    """Do one unit with one thread of BLAS and OpenMP, so that results do not depend on how many there are."""
    if task.slot is not None and task.slot.is_file():
        kept = pd.read_parquet(task.slot)
        return task.number, kept, _heard(kept)
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always")
        result = _fit_all(task) if task.fold is None else _fit_fold(task, task.fold)
    said = [(w.category, str(w.message)) for w in caught]
    if task.slot is not None and isinstance(result, pd.DataFrame):
        _keep(result, said, task.slot)
    return task.number, result, said


def _fit_all(task: _Task) -> tuple[Fitted, FittedBaselines]:
    fitted = fit_models(task.rows, task.procedure, inner=task.procedure.tune)
    return fitted, fit_baselines(task.rows, task.procedure, task.baselines, task.absent)


def _fit_fold(task: _Task, fold: Fold) -> pd.DataFrame:
    inside, outside = task.rows.take(fold[0]), task.rows.take(fold[1])
    models = fit_models(inside, task.procedure).table(outside, "train", task.number)
    plain = fit_baselines(inside, task.procedure, task.baselines, task.absent).table(outside, "train", task.number)
    return pd.concat([part for part in (models, plain) if len(part)], ignore_index=True)


def _slot(store: Path | None, rows: Rows, procedure: Procedure, baselines: list[str], fold: int) -> Path | None:
    """File for the predictions of an outer fold, named by everything that they depend on."""
    if store is None:
        return None
    code = code_of("models", "selection", "evaluation", "deep")
    content = "\n".join([code, rows.digest(), procedure.describe(), repr(baselines), str(fold)])
    return store / f"{hashlib.sha256(content.encode()).hexdigest()[:32]}.parquet"


def _keep(table: pd.DataFrame, said: Heard, slot: Path) -> None:
    """Write a table, and what was warned of while it was made, under its final name only when it is whole."""
    slot.parent.mkdir(parents=True, exist_ok=True)
    part = slot.with_suffix(f".{os.getpid()}.part")
    told = table.copy(deep=False)
    told.attrs[_SAID] = [[issubclass(category, InputWarning), text] for category, text in said]
    told.to_parquet(part, index=False)
    part.replace(slot)


def _heard(table: pd.DataFrame) -> Heard:
    """Warnings kept with a table; those of libraries come back without their class."""
    return [(InputWarning if own else UserWarning, text) for own, text in table.attrs.pop(_SAID, [])]


def selection_frequency(fitted: Fitted) -> pd.DataFrame:
    """Share of the inner folds whose fused set holds each feature, highest first: columns feature, share, folds."""
    counts = fitted.inner_counts
    share = counts.mean().to_numpy() if counts.size else np.empty(0)
    table = pd.DataFrame({"feature": list(map(str, counts.columns)), "share": share, "folds": len(counts)})
    return table.sort_values(["share", "feature"], ascending=[False, True], kind="stable").reset_index(drop=True)
