"""Columns and rows of the feature table: families, deep columns, and what has to line up with its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError
from ovfrad.study.cases import SMALLEST
from ovfrad.study.table import DEEP_COLUMN

_ROUNDING = 1e-12  # a range below this share of the largest value is rounding left by an earlier step
_FAMILIES = (
    ("wavelet", re.compile(r"(^|_)wavelet")),
    ("log", re.compile(r"(^|_)log-sigma|(^|_)logf_")),
    ("shape", re.compile(r"_shape(2d)?_|(^|_)sf_")),
    ("firstorder", re.compile(r"_firstorder_|(^|_)hf_")),
    ("texture", re.compile(r"_(glcm|glrlm|glszm|gldm|ngtdm)_|(^|_)tf_")),
)
"""Families of the names of PyRadiomics and of WORC (sf_, hf_, tf_, logf_), the first that fits."""


def families(columns: Iterable[str]) -> list[str]:
    """Family of each column, in the order given: wavelet, log, shape, firstorder, texture, deep or other.

    Parameters
    ----------
    columns : iterable of str
        Names as PyRadiomics or WORC write them, `deep_<arm>_0000`, `pc_00`, or anything else.

    Examples
    --------
    >>> families(["original_shape_Sphericity", "wavelet-LLH_glcm_Contrast", "pc_00", "pelvic_tilt"])
    ['shape', 'wavelet', 'deep', 'other']
    """
    return [_family(str(name)) for name in columns]


def _family(name: str) -> str:
    if DEEP_COLUMN.fullmatch(name) or re.fullmatch(r"pc_\d+", name):
        return "deep"
    lower = name.lower()
    return next((family for family, pattern in _FAMILIES if pattern.search(lower)), "other")


def deep_columns(columns: Iterable[str], arm: str | None = None) -> list[str]:
    """Names that are features of a network: of this arm, or of any arm where none is named.

    >>> deep_columns(["original_shape_Sphericity", "deep_random_0000", "deep_imagenet_0000"], "random")
    ['deep_random_0000']
    """
    found = [(name, DEEP_COLUMN.fullmatch(str(name))) for name in columns]
    return [name for name, match in found if match and arm in (None, match["arm"])]


def varies(values: np.ndarray) -> np.ndarray:
    """Per column of (n_rows, n_features), whether it varies by more than rounding, and enough to have a variance.

    >>> varies(np.array([[0.1, 1.0, 0.0], [0.1 + 1e-17, 2.0, 1e-200]])).tolist()
    [False, True, False]
    """
    return np.ptp(values, axis=0) > np.maximum(_ROUNDING * np.abs(values).max(axis=0), SMALLEST)


def require_names(X: Any) -> None:
    """Refuse features without names, or with one name twice."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"X must be a DataFrame with the names of the features; got {type(X).__name__}.")
    if X.columns.has_duplicates:
        twice = X.columns[X.columns.duplicated()][0]
        raise InputError("E_COLUMN_TWICE", "features", f"column {twice!r} occurs twice", "keep one")


def second_reader(X: pd.DataFrame, reader2: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Positions of the rows of X that a second reader has too, and that reader's columns `names` of them."""
    at = np.flatnonzero(X.index.isin(reader2.index) & ~X.index.duplicated())
    absent = [name for name in names if name not in reader2.columns]
    if absent:
        fault = f"{len(absent)} features of reader 1 are absent, the first {absent[0]!r}"
        raise InputError("E_READER2", "second reader", fault, "give both readers the same columns")
    return at, reader2.loc[X.index[at], names]


def require_finite(X: pd.DataFrame, where: str) -> None:
    """Refuse a feature frame with a missing or infinite value, naming the first such column and row."""
    bad = ~np.isfinite(X.to_numpy(dtype=float))
    if not bad.any():
        return
    j = int(np.flatnonzero(bad.any(axis=0))[0])
    row = X.index[int(np.flatnonzero(bad[:, j])[0])]
    first = " ".join(map(str, row)) if isinstance(row, tuple) else str(row)
    raise InputError(
        "E_NOT_FINITE",
        where,
        f"column {X.columns[j]!r} has {bad[:, j].sum()} values that are missing or infinite, the first in row {first}",
        "leave the column or these rows out, or impute before the study",
    )


def aligned(values: Any, X: Any, what: str) -> Any:
    """Row metadata in the order of the rows of X.

    A pandas object with another index than X's is put into X's order if it has exactly X's rows, and refused
    otherwise; an array or a list goes by position and must have X's length.

    Parameters
    ----------
    values : Series, DataFrame, array or list of n_rows
    X : DataFrame or array of shape (n_rows, n_features)
    what : str
        Name for the message, such as "batch".
    """
    if not hasattr(values, "__len__") or len(values) != len(X):
        found = len(values) if hasattr(values, "__len__") else "one value"
        raise InputError("E_ROWS", what, f"{found} for {len(X)} rows of features", "give one value for each row")
    if not (isinstance(values, pd.Series | pd.DataFrame) and isinstance(X, pd.DataFrame)):
        return values
    if values.index.equals(X.index):
        return values
    if values.index.has_duplicates or not X.index.isin(values.index).all():
        fault = "its index is not that of the features"
        raise InputError("E_ROWS", what, fault, "index both by the same patient_id and vertebra")
    return values.loc[X.index]
