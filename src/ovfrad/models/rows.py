"""Rows of a study as the fold engine takes them, and the prediction table that comes out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from ovfrad.errors import InputError
from ovfrad.selection import deep_columns

FIRST_COLUMNS = ["patient_id", "vertebra", "cohort", "recipe", "arm", "model", "fold", "y_true"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Vertebrae with all that the learned chain may use of them, aligned row by row.

    Attributes
    ----------
    X : DataFrame of shape (n_rows, n_features)
        Features, index (patient_id, vertebra).
    y : Series of shape (n_rows,) or None
        Class codes 0..K-1; None for rows to predict only.
    groups : ndarray of str of shape (n_rows,)
        Patient of each row.
    batch : ndarray of str of shape (n_rows,) or None
        Scanner or centre, for ComBat.
    covariates : DataFrame of n_rows or None
        Kept by ComBat.
    reader2 : DataFrame or None
        Second reader's radiomics; its index is a part of that of X.
    clinical : DataFrame of n_rows or None
        Columns of the clinical baseline: numbers, or text taken as categories.
    center : ndarray of str of shape (n_rows,) or None
        Centre, for the baseline that knows nothing else.
    survival : DataFrame of n_rows or None
        Columns time and event, for a LASSO of kind cox; part of the outcome.
    patches : ndarray of float32 of shape (n_rows, 3, size, size) or None
        What a network that is tuned in every fold sees.
    """

    X: pd.DataFrame
    y: pd.Series | None
    groups: np.ndarray
    batch: np.ndarray | None = None
    covariates: pd.DataFrame | None = None
    reader2: pd.DataFrame | None = None
    clinical: pd.DataFrame | None = None
    center: np.ndarray | None = None
    survival: pd.DataFrame | None = None
    patches: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("y", "groups", "batch", "covariates", "clinical", "center", "survival", "patches"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.X):
                raise InputError(
                    "E_ROWS", name, f"{len(value)} for {len(self.X)} rows of features", "give one value for each row"
                )

    def __len__(self) -> int:
        return len(self.X)

    @property
    def codes(self) -> np.ndarray:
        """Class codes as int array of shape (n_rows,); -1 where the outcome is not known."""
        return np.full(len(self.X), -1) if self.y is None else np.asarray(self.y, dtype=np.intp)

    def take(self, rows: np.ndarray) -> Self:
        """Return the rows at these positions, with the second reader's rows of the same vertebrae."""
        X = self.X.iloc[rows]
        part: dict[str, Any] = {
            f.name: _at(getattr(self, f.name), rows) for f in fields(self) if f.name not in ("X", "reader2")
        }
        reader2 = None if self.reader2 is None else self.reader2[self.reader2.index.isin(X.index)]
        return replace(self, X=X, reader2=reader2, **part)

    def relabelled(self, order: np.ndarray) -> Self:
        """Return the rows with the outcomes of the rows at these positions."""
        y = None if self.y is None else pd.Series(self.codes[order], index=self.X.index)
        survival = None if self.survival is None else self.survival.iloc[order].set_axis(self.X.index)
        return replace(self, y=y, survival=survival)

    def for_arm(self, arm: str | None) -> Self:
        """Return the rows without the deep columns of other arms."""
        others = set(deep_columns(self.X.columns)) - set(deep_columns(self.X.columns, arm) if arm else [])
        return self if not others else replace(self, X=self.X[[name for name in self.X.columns if name not in others]])

    def digest(self) -> str:
        """Return the sha256 of all values, names and the order of the rows."""
        hashed = hashlib.sha256()
        for field in fields(self):
            value = getattr(self, field.name)
            hashed.update(field.name.encode())
            if value is None:
                continue
            if field.name == "patches":
                hashed.update(np.ascontiguousarray(value).tobytes())
                continue
            frame = pd.DataFrame(value)
            hashed.update(repr([str(name) for name in frame.columns]).encode())
            hashed.update(pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes())
        return hashed.hexdigest()


def _at(value: Any, rows: np.ndarray) -> Any:
    if value is None:
        return None
    return value.iloc[rows] if isinstance(value, pd.Series | pd.DataFrame) else np.asarray(value)[rows]


def prediction_table(
    rows: Rows, proba: np.ndarray, *, cohort: str, recipe: str, arm: str, model: str, fold: int | np.ndarray = -1
) -> pd.DataFrame:
    """Return one model's probabilities as rows of the prediction table.

    Parameters
    ----------
    rows : Rows
    proba : ndarray of shape (n_rows, K)
    cohort, recipe, arm, model : str
    fold : int or ndarray of shape (n_rows,)
        Outer fold; -1 where there is none.
    """
    index = rows.X.index
    patients = index.get_level_values(0) if index.nlevels > 1 else rows.groups
    table = pd.DataFrame(
        {
            "patient_id": [str(patient) for patient in patients],
            "vertebra": [str(v) for v in index.get_level_values(-1)] if index.nlevels > 1 else "",
            "cohort": cohort,
            "recipe": recipe,
            "arm": arm,
            "model": model,
            "fold": np.asarray(fold, dtype=np.int64),
            "y_true": rows.codes.astype(np.int64),
        }
    )
    for k in range(proba.shape[1]):
        table[f"p_{k}"] = proba[:, k]
    return table


def ordered_table(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Join prediction tables, by cohort, model and patient, so that equal runs give equal files."""
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["recipe", "arm", "cohort", "model", "patient_id", "vertebra"], kind="stable").reset_index(
        drop=True
    )
