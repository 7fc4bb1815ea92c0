"""Missing values of features: refused, or filled with medians that each fold learns from its training part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError
from ovfrad.models import engine, honesty
from ovfrad.models.baselines import available, fit_baselines
from ovfrad.models.honesty.proxies import numeric_columns
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import Selection

Make, Small = Callable[..., Rows], Callable[..., Procedure]


def holed(rows: Rows, share: float = 0.1, seed: int = 0) -> Rows:
    """The rows with a share of the cells empty, one column in the first row."""
    X = rows.X.mask(np.random.default_rng(seed).random(rows.X.shape) < share)
    X.iloc[0, 0] = np.nan
    return replace(rows, X=X)


def imputing(procedure: Procedure) -> Procedure:
    return replace(procedure, selection=Selection(missing="impute"))


def test_gaps_take_the_median_of_the_training_rows(make_rows: Make) -> None:
    rows, new = holed(make_rows()), holed(make_rows(n=30, seed=4), seed=1)
    chain = FusedFeatures(missing="impute").fit(rows.X, rows.codes, batch=rows.batch)
    assert chain.medians_ == rows.X.median().to_dict()
    pd.testing.assert_frame_equal(
        chain.transform_dense(new.X, batch=new.batch),
        chain.transform_dense(new.X.fillna(rows.X.median()), batch=new.batch),
    )
    whole = FusedFeatures().fit(rows.X.fillna(rows.X.median()), rows.codes, batch=rows.batch)
    assert whole.fused_ == chain.fused_


def test_gaps_are_refused_unless_the_study_says_otherwise(make_rows: Make) -> None:
    rows = holed(make_rows())
    with pytest.raises(InputError, match=r"E_NOT_FINITE features: column '\w+' has \d+ values"):
        FusedFeatures().fit(rows.X, rows.codes)


def test_a_column_without_any_number_is_filled_and_dropped(make_rows: Make) -> None:
    rows = make_rows()
    X = rows.X.assign(never_measured=np.nan)
    chain = FusedFeatures(missing="impute").fit(X, rows.codes)
    assert chain.medians_["never_measured"] == 0
    assert "never_measured" not in chain.trace_["names"]["spearman"]


def test_infinite_values_are_never_filled(make_rows: Make) -> None:
    rows = make_rows()
    X = rows.X.copy()
    X.iloc[3, 2] = np.inf
    with pytest.raises(InputError, match="E_NOT_FINITE"):
        FusedFeatures(missing="impute").fit(X, rows.codes)


def test_the_engine_fills_in_each_fold_and_nothing_crosses(make_rows: Make, small: Small) -> None:
    rows, procedure = holed(make_rows()), imputing(small("auto", "LR"))
    table = engine.run(rows, procedure).predictions
    assert np.isfinite(table[["p_0", "p_1", "p_2"]]).all(axis=None)
    assert {"L2_all", "RF_all", "volume", "height"} <= set(table["model"])
    check = honesty.isolation(rows, procedure, "auto")
    assert (check.status, check.value) == ("PASS", 0.0)


def test_baselines_fill_too_and_are_absent_where_gaps_are_refused(make_rows: Make, small: Small) -> None:
    rows = holed(make_rows())
    assert {"L2_all", "RF_all", "volume"} <= set(available([rows])[1])
    assert available([rows], impute=True)[1] == {}
    table = fit_baselines(rows, imputing(small("LR")), ["L2_all", "RF_all", "volume"], {}).table(rows, "train")
    assert len(table) == 3 * len(rows)


def test_a_label_proxy_with_a_gap_is_still_found(make_rows: Make) -> None:
    rows = make_rows()
    X = rows.X.assign(score=rows.codes + 0.01 * np.sin(np.arange(len(rows))))
    X.iloc[5, X.columns.get_loc("score")] = np.nan
    found = honesty.label_proxy(numeric_columns(replace(rows, X=X)), rows.codes)
    assert found.status != "PASS"
    assert "score" in found.text


def test_gaps_that_tell_the_class_are_told(make_rows: Make) -> None:
    rows = make_rows()
    X = rows.X.copy()
    X.loc[rows.codes == 2, "original_glcm_Imc1"] = np.nan
    assert honesty.gaps(replace(rows, X=X)).status == "WARN"
    assert honesty.gaps(holed(rows)).status == "PASS"
