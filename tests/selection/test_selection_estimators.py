"""The steps keep scikit-learn's contract."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ovfrad.selection import (
    ComBat,
    CorrelationPrune,
    DeepPca,
    IccFilter,
    LassoSelector,
    RadScore,
    SpearmanFilter,
)

STEPS = [ComBat(), IccFilter(), SpearmanFilter(), SpearmanFilter(rule="order"), CorrelationPrune(), DeepPca(),
         LassoSelector(), *(LassoSelector(kind=kind) for kind in ("ovr", "multinomial", "ordinal", "cox")), RadScore(),
         RadScore(kind="ordinal")]  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:No features were selected")  # SelectorMixin says so; the LASSO means it
@parametrize_with_checks(STEPS)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)
