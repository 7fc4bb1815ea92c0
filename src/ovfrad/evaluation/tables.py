"""The prediction table: its columns, its checks and its arrays.

Columns: `patient_id`, optional `vertebra` (without it one row a patient), `y_true` (code 0..K-1), `p_0 .. p_{K-1}`;
further columns such as `cohort`, `recipe`, `arm`, `model` and `fold` tell tables apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SUM_TOLERANCE = 0.005
"""How far the probabilities of a row may miss 1: three classes rounded to three decimals miss it by up to .0015."""
ROUNDING = 1e-6
"""How far a probability may lie outside 0 to 1 through the rounding of single-precision tools."""
IDENTITY = ("cohort", "recipe", "arm", "model")
"""Columns of which `evaluate` accepts one value each."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Arrays of one checked prediction table.

    Attributes
    ----------
    y : ndarray of int, shape (n,)
    p : ndarray of float64, shape (n, K)
    patients : ndarray of int, shape (n,)
        Patient codes 0..J-1.
    """

    y: NDArray[np.intp]
    p: NDArray[np.float64]
    patients: NDArray[np.intp]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return int(self.patients.max()) + 1

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return self.p.shape[1]


def probability_columns(table: pd.DataFrame) -> list[str]:
    """Return `p_0 .. p_{K-1}` in order; ValueError where one is missing or there are fewer than two."""
    names = [str(c) for c in table.columns]
    found = sorted(int(c[2:]) for c in names if re.fullmatch(r"p_(0|[1-9]\d*)", c))
    missing = [k for k in range(max([*found, 1]) + 1) if k not in found]
    if missing:
        near = [c for c in names if re.fullmatch(r"(p|prob|proba|probability|score)[ _.-]?\d+", c, re.IGNORECASE)]
        near = [c for c in near if c not in {f"p_{k}" for k in found}]
        hint = f"; rename {near[0]!r}" if near else ""
        raise ValueError(
            f"probability column p_{missing[0]} is missing; a table of K classes has p_0 to p_(K-1){hint}."
        )
    return [f"p_{k}" for k in found]


def _check_columns(table: pd.DataFrame) -> None:
    for column in ("patient_id", "y_true"):
        if column not in table.columns:
            raise ValueError(
                f"column {column!r} is missing; a prediction table has patient_id, y_true, p_0 .. p_(K-1)."
            )
    if table.empty:
        raise ValueError("the prediction table has no rows.")
    if table["patient_id"].isna().any():
        raise ValueError(f"{int(table['patient_id'].isna().sum())} rows have no patient_id.")


def _check_keys(table: pd.DataFrame) -> None:
    keys = [c for c in ("patient_id", "vertebra", *IDENTITY) if c in table.columns]
    repeated = table.duplicated(keys, keep="first")
    if not repeated.any():
        return
    first = table.loc[repeated, keys].iloc[0]
    shown = ", ".join(f"{key} {first[key]}" for key in keys)
    hint = "" if "vertebra" in keys else "; a table with several rows a patient needs a vertebra column"
    raise ValueError(f"{int(repeated.sum())} rows repeat a key, the first is {shown}{hint}.")


def _check_outcome(table: pd.DataFrame, classes: int) -> None:
    y = pd.to_numeric(table["y_true"], errors="coerce")
    bad = y.isna() | (y != y.round()) | (y < 0) | (y >= classes)
    if bad.any():
        value = table.loc[bad, "y_true"].iloc[0]
        from_one = y.min() == 1 and y.max() == classes and (y == y.round()).all()
        hint = "; codes start at 0, subtract 1" if from_one else ""
        raise ValueError(
            f"y_true must be a code from 0 to {classes - 1} (p_0 .. p_{classes - 1}); {int(bad.sum())} rows are not, "
            f"the first has {value}{hint}."
        )


def _check_probabilities(table: pd.DataFrame, columns: list[str], ranking_only: bool) -> None:
    values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        first = table.index[bad.argmax()]
        raise ValueError(f"{int(bad.sum())} rows have a missing or infinite prediction, the first is row {first}.")
    if ranking_only:
        return
    totals = values.sum(axis=1)
    outside = ((values < -ROUNDING) | (values > 1 + ROUNDING)).any(axis=1)
    if outside.any():
        percent = (values >= 0).all() and np.allclose(totals, 100, atol=100 * SUM_TOLERANCE)
        remedy = "percentages are to be divided by 100" if percent else "scores that only rank need ranking-only"
        first = table.index[outside.argmax()]
        raise ValueError(
            f"{int(outside.sum())} rows have a probability outside 0 to 1, the first is row {first}; {remedy}."
        )
    off = np.abs(totals - 1) > SUM_TOLERANCE
    if off.any():
        first = table.index[off.argmax()]
        raise ValueError(
            f"the probabilities of {int(off.sum())} rows do not sum to 1, the first is row {first} with "
            f"{totals[off.argmax()]:.4f}."
        )


def check_predictions(table: pd.DataFrame, ranking_only: bool = False) -> list[str]:
    """Return the probability columns of a sound prediction table; ValueError with one sentence otherwise.

    Parameters
    ----------
    table : DataFrame
    ranking_only : bool
        The p columns are scores that rank, not probabilities: their range and sum are not checked.

    Examples
    --------
    >>> check_predictions(pd.DataFrame({"patient_id": ["a"], "y_true": [1], "p_0": [0.3], "p_1": [0.6]}))
    Traceback (most recent call last):
    ValueError: the probabilities of 1 rows do not sum to 1, the first is row 0 with 0.9000.
    """
    _check_columns(table)
    columns = probability_columns(table)
    _check_keys(table)
    _check_outcome(table, len(columns))
    _check_probabilities(table, columns, ranking_only)
    return columns


def arrays(table: pd.DataFrame, ranking_only: bool = False) -> Predictions:
    """Return the arrays of one model's predictions in one cohort; ValueError where the table holds several."""
    columns = check_predictions(table, ranking_only)
    for name in IDENTITY:
        if name in table.columns and len(table[name].unique()) > 1:
            found = ", ".join(map(str, sorted(table[name].astype(str).unique())[:4]))
            raise ValueError(f"one {name} at a time: this table holds {found}; select one.")
    codes = np.unique(table["patient_id"].astype(str).to_numpy(dtype=object), return_inverse=True)[1].ravel()
    return Predictions(
        pd.to_numeric(table["y_true"]).to_numpy(dtype=np.intp), table[columns].to_numpy(dtype=float), codes
    )
