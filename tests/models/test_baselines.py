from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.models import engine
from ovfrad.models.baselines import BASELINES, Table, available, fit_baselines
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import macro_auc

Make = Callable[..., Rows]
Small = Callable[..., Procedure]


def test_all_six_are_fitted_and_know_what_they_should(make_rows: Make, small: Small) -> None:
    rows, new = make_rows(n=150), make_rows(n=150, seed=1)
    names, absent = available([rows, new])
    assert (names, absent) == ([name for name in BASELINES if name != "deep_only"], {})
    table = fit_baselines(rows, small("LR"), names, absent).table(new, "external")
    auc = {
        model: macro_auc(part["y_true"].to_numpy(), part[["p_0", "p_1", "p_2"]].to_numpy())
        for model, part in table.groupby("model")
    }
    assert min(auc["L2_all"], auc["RF_all"]) > 0.8
    assert max(auc["volume"], auc["height"], auc["center"], auc["clinical"]) < 0.65


def test_deep_features_alone_are_a_baseline_of_an_arm_with_a_network(make_rows: Make, small: Small) -> None:
    rows = make_rows(deep=5)
    names, _ = available([rows])
    assert "deep_only" in names
    blind = replace(rows, X=rows.X.assign(other_0=0.0))
    tables = [
        fit_baselines(each, small("LR", arm="random"), ["deep_only"], {}).table(each, "train_apparent")
        for each in (rows, blind)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_absent_columns_make_absent_baselines_with_a_reason(make_rows: Make, small: Small) -> None:
    rows = make_rows()
    bare = replace(rows, X=rows.X.iloc[:, 4:], clinical=None, center=None)
    out = engine.run(bare, small("LR"))
    assert out.baselines.absent == {
        "volume": "there is no column original_shape_VoxelVolume or original_shape_MeshVolume",
        "height": "there is no column original_shape_LeastAxisLength",
        "center": "no centres are given",
        "clinical": "no clinical columns are given",
    }
    assert set(out.predictions["model"]) == {"LR", "best_of_nine", "L2_all", "RF_all"}


def test_a_single_centre_is_a_reason_too(make_rows: Make) -> None:
    rows = make_rows()
    gaps = rows.clinical.assign(age=np.where(np.arange(72) < 3, np.nan, 70.0))
    _, absent = available([replace(rows, clinical=gaps, center=np.full(72, "A"))])
    assert absent == {"center": "all training rows are of one centre"}


def test_gaps_of_clinical_columns_take_the_middle_of_the_training_rows() -> None:
    training = pd.DataFrame({"age": [60.0, 70.0, 90.0, np.nan], "sex": ["F", "F", "M", None]})
    table = Table.learn(training)
    assert table.filling == {"age": 70.0, "sex": "F"}
    later = pd.DataFrame({"age": [np.nan], "sex": [None]}, dtype=object)
    assert table.apply(later).tolist() == table.apply(pd.DataFrame({"age": [70.0], "sex": ["F"]})).tolist()


def test_baselines_can_be_left_out(make_rows: Make, small: Small) -> None:
    out = engine.run(make_rows(), small("LR", baselines=False))
    assert set(out.predictions["model"]) == {"LR", "best_of_nine"}


def test_an_unseen_centre_is_none_of_the_known(make_rows: Make) -> None:
    rows = make_rows(n=20)
    learned = Table.learn(rows.clinical.assign(center=rows.center))
    new = learned.apply(rows.clinical.assign(center="B"))
    assert new.shape == (20, 1 + 2 + 2)
    assert not new[:, 3:].any()
    np.testing.assert_allclose(learned.apply(rows.clinical.assign(center=rows.center))[:, 0].std(), 1)


def test_a_later_cohort_must_have_the_columns(make_rows: Make, small: Small) -> None:
    rows = make_rows()
    fitted = fit_baselines(rows, small("LR"), ["center"], {})
    with pytest.raises(ValueError, match="baseline center: no centres are given, though the training rows had them"):
        fitted.table(replace(rows, center=None), "external")
