"""Plain models that stand beside the others (METHODS E11): if one of them does as well, nothing was gained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ovfrad.models.dense import DenseLogistic
from ovfrad.models.estimators import align
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows, prediction_table
from ovfrad.selection import deep_columns

BASELINES = ("L2_all", "RF_all", "deep_only", "volume", "height", "center", "clinical")
SINGLE = {
    "volume": ("original_shape_VoxelVolume", "original_shape_MeshVolume"),
    "height": ("original_shape_LeastAxisLength",),
}
"""Columns of the one-number baselines, the first that exists. A vertebral body is lower than it is wide or deep, so
its least axis length follows its height, and height loss shortens it."""
TREES = 200
STEADY_C = 10.0
"""Inverse penalty of the few-column baselines: next to none."""


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers that a baseline sees, with what a later table needs to be turned into the same columns.

    Attributes
    ----------
    mean, scale : dict of str to float
        Of numeric columns in training.
    levels : dict of str to tuple of str
        Values of text columns in training; another value is none of them.
    filling : dict of str to float or str
        What stands for a gap: the median of a number, the commonest value of a text, in training.
    """

    mean: dict[str, float]
    scale: dict[str, float]
    levels: dict[str, tuple[str, ...]]
    filling: dict[str, float | str]

    @classmethod
    def learn(cls, frame: pd.DataFrame) -> Table:
        """Learn scales, levels and what stands for a gap from training rows."""
        numbers = [str(name) for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
        filling = {str(name): _middle(frame[name], name in numbers) for name in frame.columns}
        whole = frame.fillna(filling)
        spread = {name: float(whole[name].astype(float).std(ddof=0)) for name in numbers}
        return cls(
            {name: float(whole[name].astype(float).mean()) for name in numbers},
            {name: value if value > 0 else 1.0 for name, value in spread.items()},
            {str(n): tuple(sorted(set(whole[n].astype(str)))) for n in frame.columns if n not in numbers},
            filling,
        )

    def apply(self, frame: pd.DataFrame) -> np.ndarray:
        """Return standard scores and indicators, shape (n_rows, n_numbers + n_levels)."""
        frame = frame.fillna(self.filling)
        numbers = [(frame[name].astype(float).to_numpy() - self.mean[name]) / self.scale[name] for name in self.mean]
        flags = [
            (frame[n].astype(str) == value).to_numpy(float) for n, values in self.levels.items() for value in values
        ]
        return np.column_stack([*numbers, *flags])


def _middle(column: pd.Series, numeric: bool) -> float | str:
    """Median or commonest value of the known cells."""
    known = column.dropna()
    if numeric:
        return float(known.median()) if len(known) else 0.0
    return str(known.mode().iloc[0]) if len(known) else "not known"


@dataclass(frozen=True, eq=False)
class FittedBaselines:
    """Baselines fitted to one set of training rows.

    Attributes
    ----------
    models : dict of str to (Table or None, classifier)
    absent : dict of str to str
        Baselines that cannot be fitted, and why.
    """

    procedure: Procedure
    models: dict[str, tuple[Table | None, BaseEstimator]]
    absent: dict[str, str]

    def table(self, rows: Rows, cohort: str, fold: int = -1) -> pd.DataFrame:
        """Return the predictions of all baselines as a prediction table; a row they cannot see is an error."""
        procedure, parts = self.procedure, []
        for name, (columns, model) in self.models.items():
            frame, why = seen(name, rows.for_arm(procedure.arm), procedure.selection.missing == "impute")
            if frame is None:
                raise ValueError(f"baseline {name}: {why}, though the training rows had them.")
            X = columns.apply(frame) if columns is not None else frame.to_numpy()
            proba = align(model.predict_proba(X), model.classes_, np.arange(procedure.n_classes))
            where: dict[str, Any] = {"cohort": cohort, "recipe": procedure.recipe, "arm": procedure.arm, "fold": fold}
            parts.append(prediction_table(rows, proba, model=name, **where))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def seen(name: str, rows: Rows, impute: bool = False) -> tuple[pd.DataFrame | None, str]:
    """Return the columns that a baseline sees, or None and the reason why it is absent; with `impute` gaps are none."""
    frame: pd.DataFrame | None
    if name in SINGLE:
        there = [column for column in SINGLE[name] if column in rows.X.columns]
        frame, why = (rows.X[there[:1]] if there else None), f"there is no column {' or '.join(SINGLE[name])}"
    elif name == "center":
        frame = None if rows.center is None else pd.DataFrame({"center": rows.center}, index=rows.X.index, dtype=str)
        why = "no centres are given"
    elif name == "deep_only":
        deep = deep_columns(rows.X.columns)
        frame, why = (rows.X[deep] if deep else None), "the arm has no features of a frozen network"
    elif name == "clinical":
        given = rows.clinical is not None and rows.clinical.shape[1] > 0
        frame, why = (rows.clinical if given else None), "no clinical columns are given"
    else:
        frame, why = rows.X[sorted(rows.X.columns)], ""  # a forest draws columns by position
    if frame is not None and name != "clinical" and not (impute and name != "center") and frame.isna().any(axis=None):
        gaps = frame.isna().sum()
        return None, f"column {gaps.idxmax()} has {int(gaps.max())} gaps"
    return frame, why


def available(cohorts: list[Rows], impute: bool = False) -> tuple[list[str], dict[str, str]]:
    """Return the baselines whose columns exist in every cohort, and why the others are absent.

    Features without gaps, unless these are filled (`impute`) with the medians of the training rows. Of an arm without
    a network, `deep_only` is no baseline and needs no reason.
    """
    absent: dict[str, str] = {}
    asked = [name for name in BASELINES if name != "deep_only" or deep_columns(cohorts[0].X.columns)]
    for name in asked:
        for rows in cohorts:
            frame, why = seen(name, rows, impute)
            if frame is None:
                absent.setdefault(name, why)
    centers = cohorts[0].center
    if "center" not in absent and centers is not None and len(set(centers)) < 2:
        absent["center"] = "all training rows are of one centre"
    return [name for name in asked if name not in absent], absent


def fit_baselines(rows: Rows, procedure: Procedure, names: list[str], absent: dict[str, str]) -> FittedBaselines:
    """Fit baselines to training rows; they see raw columns, nothing of the learned chain."""
    rows, impute = rows.for_arm(procedure.arm), procedure.selection.missing == "impute"
    models: dict[str, tuple[Table | None, BaseEstimator]] = {}
    for name in names:
        frame, _ = seen(name, rows, impute)
        if frame is None:
            continue
        columns = Table.learn(frame) if impute or name not in ("L2_all", "RF_all", "deep_only") else None
        X = frame.to_numpy() if columns is None else columns.apply(frame)
        if name in ("L2_all", "deep_only"):
            model = DenseLogistic(folds=procedure.models.inner_folds, random_state=procedure.random_state)
            models[name] = columns, model.fit(X, rows.codes, rows.groups)
        elif name == "RF_all":
            forest = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=procedure.random_state, n_jobs=1)
            models[name] = columns, forest.fit(X, rows.codes)
        else:
            few = LogisticRegression(C=STEADY_C, max_iter=1000)
            models[name] = columns, few.fit(X, rows.codes)
    return FittedBaselines(procedure, models, absent)
