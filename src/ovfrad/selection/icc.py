"""Reproducibility filter: keep the features on which two readers' masks agree (METHODS C3, E2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.errors import InputError, warn
from ovfrad.evaluation.agreement import IccKind, icc
from ovfrad.selection.columns import deep_columns, require_finite

FEW = 10  # patients with two readers below which an ICC says little (METHODS E2)


class IccFilter(SelectorMixin, BaseEstimator):
    """Keep features whose ICC of two readers reaches a limit; deep features are exempt.

    Parameters
    ----------
    minimum : float
        Least ICC of a kept feature.
    bound : {"estimate", "lower"}
        Which value must reach it: the estimate, or the lower limit of its interval.
    kind : {"2,1", "1,1", "3,1"}
        Shrout and Fleiss' form: absolute agreement of random readers, of readers not told apart, or consistency.
    level : float
        Level of that interval.

    Attributes
    ----------
    icc_, lower_, upper_ : ndarray of shape (n_features,)
        Estimate and limits of its interval; NaN for deep features and where no two readers are.
    n_pairs_, n_patients_ : int
        Rows that both readers measured, and their patients. With no more than one row all features are kept.
    support_ : ndarray of bool of shape (n_features,)

    Examples
    --------
    >>> rows = pd.Index([f"P{i:02d}" for i in range(12)], name="patient_id")
    >>> X = pd.DataFrame({"volume": np.arange(12.0), "noise": np.arange(12.0) % 3}, index=rows)
    >>> second = pd.DataFrame({"volume": np.arange(12.0) + 0.1, "noise": np.arange(12.0) % 4}, index=rows)
    >>> IccFilter(0.8).fit(X, reader2=second).get_feature_names_out().tolist()
    ['volume']
    """

    def __init__(
        self, minimum: float = 0.8, bound: str = "estimate", kind: IccKind = "2,1", level: float = 0.95
    ) -> None:
        self.minimum = minimum
        self.bound = bound
        self.kind = kind
        self.level = level

    def fit(self, X: Any, y: Any = None, *, reader2: pd.DataFrame | None = None) -> IccFilter:
        """Compare the rows of X that the second reader measured too.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            First reader, training rows; the first level of its index is the patient.
        y : ignored
        reader2 : DataFrame, optional
            Second reader: X's columns except deep ones; rows that are not in X are not used. X may be an array where
            there is none.
        """
        validate_data(self, X, dtype=np.float64)
        if self.bound not in ("estimate", "lower"):
            raise ValueError(f"bound must be 'estimate' or 'lower'; got {self.bound!r}.")
        self.icc_ = np.full(self.n_features_in_, np.nan)
        self.lower_ = np.full(self.n_features_in_, np.nan)
        self.upper_ = np.full(self.n_features_in_, np.nan)
        self.support_ = np.ones(self.n_features_in_, dtype=bool)
        self.n_pairs_ = self.n_patients_ = 0
        if isinstance(X, pd.DataFrame) and reader2 is not None:
            self._compare(X, reader2)
        return self

    def _compare(self, X: pd.DataFrame, reader2: pd.DataFrame) -> None:
        judged = ~np.isin(X.columns, deep_columns(X.columns))
        names = X.columns[judged]
        absent = [str(name) for name in names if name not in reader2.columns]
        if absent:
            fault = f"{len(absent)} features of reader 1 are absent, the first {absent[0]!r}"
            raise InputError("E_READER2", "second reader", fault, "give both readers the same columns")
        rows = X.index[X.index.isin(reader2.index)].unique()
        second = reader2.loc[rows, names]
        require_finite(second, "second reader")
        self.n_pairs_, self.n_patients_ = len(rows), rows.get_level_values(0).nunique()
        if 0 < self.n_patients_ < FEW:
            fault = f"fewer than {FEW} training patients have a second outline (a reader's or a perturbed one)"
            warn("W_ICC_FEW", "reproducibility", fault, "the choice of reproducible features is unsure")
        if self.n_pairs_ < 2:
            return
        first = X.loc[~X.index.duplicated()].loc[rows, names]
        readings = first.to_numpy(dtype=float), second.to_numpy(dtype=float)
        agreement = icc(*readings, kind=self.kind, level=self.level)
        same = (first.to_numpy() == second.to_numpy()).all(axis=0)  # full agreement, even on a constant
        limits = (np.where(same, 1.0, found) for found in (agreement.estimate, agreement.low, agreement.high))
        estimate, lower, upper = limits
        self.icc_[judged], self.lower_[judged], self.upper_[judged] = estimate, lower, upper
        self.support_[judged] = (estimate if self.bound == "estimate" else lower) >= self.minimum

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_
