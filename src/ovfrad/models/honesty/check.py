"""One row of the audit, and what all checks share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.folds import CHANCE
from ovfrad.evaluation.mean_auc import macro_auc

Status = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the audit.

    Attributes
    ----------
    check : str
    status : {"PASS", "WARN", "FAIL"}
    value, limit : float or None
        What was measured, and the bound it was held against.
    text : str
        One sentence for the report.
    """

    check: str
    status: Status
    value: float | None
    limit: float | None
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def worst(checks: Iterable[Check]) -> Status:
    """Return FAIL if a check failed, else WARN if one warns, else PASS."""
    found = {check.status for check in checks}
    return "FAIL" if "FAIL" in found else "WARN" if "WARN" in found else "PASS"


def proba(table: pd.DataFrame) -> np.ndarray:
    """Probabilities of a prediction table, shape (n_rows, K)."""
    return table[[name for name in table.columns if str(name).startswith("p_")]].to_numpy(dtype=float)


def macro(table: pd.DataFrame, level: float = 0.95) -> Estimate:
    """Macro AUC of a prediction table."""
    return macro_auc(table["y_true"].to_numpy(), proba(table), table["patient_id"].to_numpy(), level)


def pick(predictions: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Rows of a prediction table whose columns have these values."""
    chosen = np.ones(len(predictions), dtype=bool)
    for name, value in values.items():
        chosen &= (predictions[name] == value).to_numpy()
    return predictions[chosen]


def low(estimate: Estimate) -> float:
    """Lower limit; without one nothing is known to be above chance."""
    return CHANCE if estimate.low is None else estimate.low
