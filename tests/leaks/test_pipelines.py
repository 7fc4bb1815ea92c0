"""Leaks of a pipeline: the alarms go off on the leaky one, stay silent on its honest twin and on our own engine.

Two alarms: labels permuted by patient (G1) find what learned from outcomes it should not have seen; spoiling a test
patient (isolation) finds what learned from values it should not have seen, with outcomes or without.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ovfrad.models import engine, honesty
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.study.settings import Models

from . import pipelines, tables  # type: ignore[import-not-found]

ALARM = 0.6
PERMUTATIONS = 16
PLAIN = Procedure(("0", "1"), Models(outer_folds=3, inner_folds=3), names=("LR", "auto"), ordered=False, n_trees=10)
Table = Callable[[], Rows]
Make = Callable[[bool], pipelines.Pipeline]


def of_step(step: pipelines.Prepare) -> Make:
    return lambda leaky: pipelines.prepared(step, leaky)


OF_LABELS: dict[str, tuple[Table, Make]] = {
    "selection before the folds": (tables.wide, of_step(pipelines.selection)),
    "siblings split": (tables.siblings, pipelines.split),
    "copies split": (tables.copies, pipelines.split),
    "ComBat with the outcome": (tables.scanners, of_step(pipelines.combat_outcome)),
    "network tuned on all rows": (tables.noise, of_step(pipelines.network)),
    "gaps filled by class": (tables.gaps, of_step(pipelines.class_means)),
    "oversampling before the folds": (tables.rare, pipelines.oversampled),
    "threshold chosen on test rows": (tables.few, pipelines.threshold),
    "calibration fitted on test rows": (tables.noise, pipelines.calibrated),
    "best of nine on test rows": (tables.few, pipelines.best_of_nine),
}
OF_VALUES: dict[str, tuple[Table, Make]] = {
    "scaler outside the folds": (tables.noise, of_step(pipelines.scaler)),
    "PCA on everything": (tables.noise, of_step(pipelines.pca)),
    "ComBat fitted on everything": (tables.scanners, of_step(pipelines.combat)),
    "ICC filter with test patients": (tables.two_readers, of_step(pipelines.icc)),
    "recalibration fitted on test rows": (tables.noise, pipelines.recalibrated),
}


@pytest.mark.parametrize("leak", OF_LABELS)
def test_what_learned_from_outcomes_of_test_rows_reads_above_chance_without_signal(leak: str) -> None:
    rows, make = OF_LABELS[leak]
    leaky, honest = (
        honesty.permutation_audit(rows(), PLAIN, "LR", PERMUTATIONS, pipeline=make(planted))
        for planted in (True, False)
    )
    print(f"{leak}: leaky {leaky.value:.3f} (limit {leaky.limit:.3f}), honest {honest.value:.3f} ({honest.limit:.3f})")
    assert leaky.status == "FAIL"
    assert leaky.value > ALARM
    assert honest.status == "PASS"


@pytest.mark.parametrize("leak", OF_VALUES)
def test_what_learned_from_values_of_test_rows_moves_when_one_is_spoilt(leak: str) -> None:
    """Without outcomes there is nothing that permuted labels could show: the permutation audit passes these."""
    rows, make = OF_VALUES[leak]
    leaky, honest = (honesty.isolation(rows(), PLAIN, "LR", pipeline=make(planted)) for planted in (True, False))
    blind = honesty.permutation_audit(rows(), PLAIN, "LR", PERMUTATIONS, pipeline=make(True))
    print(f"{leak}: moved {leaky.value:.2g}, honest {honest.value:.2g}; permuted labels {blind.value:.3f}")
    assert leaky.status == "FAIL"
    assert leaky.value > 1e-3
    assert (honest.status, honest.value) == ("PASS", 0.0)
    assert blind.status == "PASS"


def test_isolation_also_finds_some_that_saw_outcomes() -> None:
    rows, make = OF_LABELS["oversampling before the folds"]
    assert honesty.isolation(rows(), PLAIN, "LR", pipeline=make(True)).status == "FAIL"
    assert honesty.isolation(rows(), PLAIN, "LR", pipeline=make(False)).status == "PASS"


@pytest.mark.parametrize("table", [tables.wide, tables.siblings, tables.copies, tables.scanners, tables.two_readers,
                                   tables.rare])  # fmt: skip
def test_our_engine_does_none_of_it(table: Table) -> None:
    alarm = honesty.permutation_audit(table(), PLAIN, "auto", 4)
    isolated = honesty.isolation(table(), PLAIN, "auto")
    print(f"{table.__name__}: {alarm.value:.3f} (limit {alarm.limit:.3f}), moved {isolated.value:.2g}")
    assert alarm.status == "PASS"
    assert alarm.value < ALARM
    assert (isolated.status, isolated.value) == ("PASS", 0.0)


def test_our_own_choices_among_models_are_made_inside() -> None:
    nine = Procedure(("0", "1"), Models(outer_folds=3, inner_folds=3, classifiers=("LR", "KNN", "DT")), ordered=False)
    alarm = honesty.permutation_audit(tables.noise(), nine, "best_of_nine", 3)
    assert alarm.status == "PASS"
    assert honesty.isolation(tables.noise(), nine, "best_of_nine").status == "PASS"


def test_were_our_engine_to_fit_on_all_rows_both_alarms_would_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarms work on the engine too, not only on pipelines made for them."""
    honest = engine._fit_fold
    everything = np.arange(45)
    monkeypatch.setattr(engine, "_fit_fold", lambda task, fold: honest(task, (everything, fold[1])))
    alarm = honesty.permutation_audit(tables.noise(), PLAIN, "auto", 4)
    assert alarm.status == "FAIL"
    assert alarm.value is not None
    assert alarm.value > ALARM
    assert honesty.isolation(tables.noise(), PLAIN, "auto").status == "FAIL"
