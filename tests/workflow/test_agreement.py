"""Agreement of two readers on items and on the class that follows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from ovfrad.phantom.cohort import sample_cohort
from ovfrad.workflow.agreement import reader_agreement


def cases() -> pd.DataFrame:
    rows = [
        (c.patient_id, c.vertebra, c.findings.morphology, c.findings.mri, c.pain, *c.second, c.findings.t_score,
         c.treatment_class)
        for c in sample_cohort(300, 4)
    ]  # fmt: skip
    names = ["patient_id", "vertebra", "morphology", "mri", "pain", "morphology_reader2", "mri_reader2", "pain_reader2"]
    return pd.DataFrame(rows, columns=[*names, "t_score", "y"]).set_index(["patient_id", "vertebra"])


def test_items_and_class_have_their_kappas() -> None:
    table = cases()
    found = reader_agreement(table).set_index("item")["weighted kappa"]
    assert list(found.index) == ["morphology", "mri", "pain", "class, by the items"]
    expected = cohen_kappa_score(table["pain"], table["pain_reader2"], weights="quadratic")
    assert found["pain"]["estimate"] == pytest.approx(expected)
    density = np.select([table["t_score"] > -2.5, table["t_score"] > -3.5], [0, 1], 2)
    second = table[["morphology_reader2", "mri_reader2", "pain_reader2"]].sum(axis=1) + density
    classes = np.select([second <= 3, second == 4], [0, 1], 2)
    value = found["class, by the items"]
    assert value["estimate"] == pytest.approx(cohen_kappa_score(table["y"], classes, weights="quadratic"))
    assert value["low"] < value["estimate"] < value["high"]
    assert (value["n"], value["n_patients"]) == (300, table.index.get_level_values(0).nunique())


def test_one_reader_or_one_common_case_has_none() -> None:
    table = cases()
    assert reader_agreement(table[["morphology", "mri", "pain", "t_score"]]) is None
    one = table.assign(**{f"{item}_reader2": np.nan for item in ("morphology", "mri", "pain")})
    one.loc[one.index[0], "pain_reader2"] = 1
    assert reader_agreement(one) is None
