"""Real labels: 310 patients, six angles and distances of pelvis and lumbar spine, three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ovfrad.models.engine import nested
from ovfrad.models.folds import patient_folds
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import macro_auc
from ovfrad.study.settings import Models

MEASURES = [
    "pelvic_incidence",
    "pelvic_tilt",
    "lumbar_lordosis_angle",
    "sacral_slope",
    "pelvic_radius",
    "grade_of_spondylolisthesis",
]


def test_the_headline_is_as_good_as_plain_logistic_regression_under_the_same_folds(shared: Path) -> None:
    table = pd.read_csv(shared / "data/vertebral_column/column_3C.dat", sep=" ", names=[*MEASURES, "diagnosis"])
    patients = np.array([f"P{i:03d}" for i in range(len(table))])
    classes = sorted(table["diagnosis"].unique())
    index = pd.MultiIndex.from_arrays([patients, [""] * len(table)], names=["patient_id", "vertebra"])
    X = table[MEASURES].set_index(index)
    codes = np.searchsorted(classes, table["diagnosis"])
    ways = Procedure(tuple(classes), Models(inner_folds=3), ordered=False, names=("auto",), n_trees=100)
    found = nested(Rows(X, pd.Series(codes, index=index), patients), ways, baselines=False)
    columns = [f"p_{k}" for k in range(3)]
    ours = macro_auc(found["y_true"].to_numpy(), found[columns].to_numpy())

    plain = np.zeros((len(X), 3))
    for train, test in patient_folds(codes, patients, 5):
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X.to_numpy()[train], codes[train])
        plain[test] = model.predict_proba(X.to_numpy()[test])
    theirs = macro_auc(codes, plain)
    assert theirs > 0.94
    assert ours > theirs - 0.02
