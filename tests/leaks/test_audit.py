"""Leaks that only show in predictions: a confounded centre or scanner, features learned before the study, parts of the
label that make it up together, choices on a validation cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.evaluation.estimate import Estimate
from ovfrad.models import engine, honesty
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.study.settings import Models

from . import tables  # type: ignore[import-not-found]

HEADLINE = ("sound", "none", "LR")
PLAIN = Procedure(("0", "1"), Models(outer_folds=3, inner_folds=3, classifiers=("LR", "KNN", "DT")),
                  names=("LR", "KNN", "DT"), ordered=False)  # fmt: skip


def of_one_source(rows: Rows, share: float) -> np.ndarray:
    """A name per row that agrees with the class in about this share of the rows."""
    agrees = np.random.default_rng(5).random(len(rows)) < share
    return np.where(agrees == (rows.codes == 1), "B", "A").astype(object)


@pytest.fixture(scope="module")
def several() -> dict[str, Rows]:
    """Training, internal and external rows with some signal."""
    found = {}
    for seed, name in enumerate(("train", "internal", "external")):
        rows = tables.noise(75, 8, seed)
        found[name] = replace(rows, X=rows.X.assign(f000=rows.X["f000"] + 1.0 * rows.codes))
    return found


@pytest.mark.parametrize(("share", "status"), [(0.85, "WARN"), (0.5, "PASS")])
def test_a_centre_or_scanner_that_is_the_only_signal(share: float, status: str) -> None:
    rows = tables.noise(90)
    source = of_one_source(rows, share)
    as_feature = rows.X.assign(dose=(source == "B") + 0.3 * np.random.default_rng(1).normal(size=len(rows)))
    by_center = engine.run(replace(rows, X=as_feature, center=source), PLAIN).predictions
    center = next(row for row in honesty.sentinels(by_center, *HEADLINE) if row.check == "center only")
    scanner = honesty.scanner_only(replace(rows, batch=source), PLAIN, Estimate(0.75, 0.6, 0.85, "a test", 90))
    print(center, scanner)
    assert scanner is not None
    assert (center.status, scanner.status) == (status, status)


def test_scanners_have_no_row_where_there_is_one_or_where_they_are_the_centres() -> None:
    rows, headline = tables.noise(45), Estimate(0.75, 0.6, 0.85, "a test", 45)
    source = of_one_source(rows, 0.5)
    assert honesty.scanner_only(rows, PLAIN, headline) is None
    assert honesty.scanner_only(replace(rows, batch=np.full(45, "A")), PLAIN, headline) is None
    assert honesty.scanner_only(replace(rows, batch=source, center=source), PLAIN, headline) is None
    assert honesty.scanner_only(replace(rows, batch=source), PLAIN, Estimate.without("none", 45)) is None


def test_features_of_a_network_tuned_on_its_training_patients_fall_in_other_cohorts() -> None:
    train, other = tables.noise(90, 8, 1), tables.noise(60, 8, 2)
    tuned = replace(
        train, X=train.X.assign(f000=train.X["f000"] + 2.0 * train.codes, f001=train.X["f001"] + train.codes)
    )
    found = engine.run(tuned, PLAIN, {"internal": other}).predictions
    check = honesty.check_cohorts(found, *HEADLINE)
    print(check)
    assert check is not None
    assert check.status == "WARN"
    assert check.value is not None
    assert check.value > 0.25
    assert "in the internal cohort: more than chance. Were features" in check.text


def test_cohorts_like_the_training_rows_do_not_fall(several: dict[str, Rows]) -> None:
    others = {name: several[name] for name in ("internal", "external")}
    check = honesty.check_cohorts(engine.run(several["train"], PLAIN, others).predictions, *HEADLINE)
    assert check is not None
    assert check.status == "PASS"
    assert honesty.check_cohorts(engine.run(several["train"], PLAIN).predictions, *HEADLINE) is None


def test_parts_that_make_up_the_label_together_are_too_good_to_be_true() -> None:
    rows = tables.noise(90, 4)
    parts = np.random.default_rng(3).normal(size=(90, 4))
    total = parts.sum(axis=1)
    whole = tables.rows_of(parts, (total > np.median(total)).astype(int), tables.names(90))
    single = honesty.label_proxy(honesty.numeric_columns(whole), whole.codes)
    assert single.status == "PASS"
    assert honesty.too_good(engine.run(whole, PLAIN).predictions, *HEADLINE).status == "WARN"
    assert honesty.too_good(engine.run(rows, PLAIN).predictions, *HEADLINE).status == "PASS"


def test_nothing_is_chosen_on_a_validation_cohort_and_what_that_would_gain_is_told(several: dict[str, Rows]) -> None:
    """The ledger names the best of the nine on each cohort; our headline does not move with that cohort's outcomes."""
    outcomes = {}
    for seed in (None, 0, 1):
        cohort = several["internal"]
        if seed is not None:
            codes = np.random.default_rng(seed).permutation(cohort.codes)
            cohort = replace(cohort, y=pd.Series(codes, index=cohort.X.index))
        outcomes[seed] = engine.run(several["train"], PLAIN, {"internal": cohort})
    first = outcomes.pop(None)
    values = [name for name in first.predictions if name != "y_true"]
    for outcome in outcomes.values():
        pd.testing.assert_frame_equal(first.predictions[values], outcome.predictions[values])
        assert outcome.fitted.best_of_nine == first.fitted.best_of_nine
        ledger = honesty.ledger(outcome.predictions, *HEADLINE).set_index(["quantity", "cohort"])["macro_auc"]
        best, own = (ledger[way, "internal"] for way in ("best of the nine, picked on this cohort", "headline"))
        print(f"without signal in the cohort: best of the nine there {best:.3f}, headline {own:.3f}")
        assert best > own
