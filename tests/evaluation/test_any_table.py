"""Whatever small table is drawn, every estimate can be printed: no exception, no NaN, no contradiction."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ovfrad.evaluation.compare import compare_all
from ovfrad.evaluation.estimate import Estimate, PValue
from ovfrad.evaluation.roc import roc_band
from ovfrad.evaluation.summary import evaluate, thresholds


@st.composite
def tables(draw: st.DrawFn) -> list[pd.DataFrame]:
    """Two models on 1 to 14 rows of few patients, 2 to 4 classes, probabilities with ties, zeros and ones."""
    n, K = draw(st.integers(1, 14)), draw(st.integers(2, 4))
    whole = st.integers(0, 4)
    y = draw(st.lists(st.integers(0, K - 1), min_size=n, max_size=n))
    who = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    parts = []
    for _ in range(2):
        cells = np.array(draw(st.lists(st.lists(whole, min_size=K, max_size=K), min_size=n, max_size=n)), dtype=float)
        cells[cells.sum(axis=1) == 0] = 1
        p = cells / cells.sum(axis=1, keepdims=True)
        names = {"patient_id": who, "vertebra": range(n), "y_true": y}
        parts.append(pd.DataFrame(names | {f"p_{k}": p[:, k] for k in range(K)}))
    return parts


def check(tree: dict) -> int:
    """Build every estimate of a result again; return how many there were."""
    if "method" in tree:
        Estimate.from_dict(tree)
        return 1
    return sum(check(value) for value in tree.values() if isinstance(value, dict))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_every_estimate_of_any_table_can_be_printed(parts: list[pd.DataFrame]) -> None:
    one, two = parts
    for chosen in (None, thresholds(one)):
        result = evaluate(two, chosen, resamples=150)
        json.dumps(result, allow_nan=False)
        assert check(result) >= 10
    for row in compare_all({"a": one, "b": two}, resamples=150, permutations=50):
        json.dumps(row, allow_nan=False)
        Estimate.from_dict(row | {"estimate": row["difference"]})
        assert all(row.get(name) is None or PValue(row[name]) <= 1 for name in ("p", "p_holm", "p_permutation"))
    cases = one["y_true"] == 0
    if 0 < cases.sum() < len(one):
        band = roc_band(cases, one["p_0"], one["patient_id"], 60)
        inside = (band["low"] <= band["sensitivity"] + 1e-9) & (band["sensitivity"] <= band["high"] + 1e-9)
        assert (inside | band["low"].isna()).all()
