"""Rad-score: the LASSO's linear predictor as a score of its own, with what its figures show (METHODS E8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.selection.lasso import LassoSelector


class RadScore(BaseEstimator):
    """Weighted sum of the z-scored features that a LASSO with one coefficient vector keeps.

    Its unit is that of the LASSO's kind: class codes (codes), log-odds of a higher class (ordinal), logarithm of the
    hazard (cox: higher class, or earlier event, first).

    Parameters
    ----------
    rule, kind, cv, lowest, highest, n_alphas, random_state
        As in `LassoSelector`; with three or more classes the kind is codes, ordinal or cox.

    Attributes
    ----------
    lasso_ : LassoSelector
        Fitted, with its path and CV curve.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> X = pd.DataFrame({"volume": y + rng.normal(size=120), "noise": rng.normal(size=120)})
    >>> score = RadScore().fit(X, y)
    >>> score.coefficients().round(2)
      feature  coefficient  mean    sd
    0  volume         0.36  1.08  1.27
    """

    def __init__(
        self,
        rule: str = "1se",
        kind: str = "codes",
        cv: int = 10,
        lowest: float = 1e-3,
        highest: float = 1.0,
        n_alphas: int = 50,
        random_state: int = 0,
    ) -> None:
        self.rule = rule
        self.kind = kind
        self.cv = cv
        self.lowest = lowest
        self.highest = highest
        self.n_alphas = n_alphas
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, *, time: Any = None, event: Any = None) -> RadScore:
        """Fit the LASSO; parameters as in `LassoSelector.fit`."""
        validate_data(self, X, y)
        lasso = LassoSelector(**self.get_params()).fit(X, y, groups, time=time, event=event)
        if lasso.coef_.ndim > 1:
            raise ValueError(f"kind {self.kind!r} has one coefficient vector per class, which is no single score.")
        self.lasso_ = lasso
        return self

    @classmethod
    def of(cls, lasso: LassoSelector) -> RadScore:
        """Score of a LASSO already fitted, with one coefficient vector."""
        own = cls(**lasso.get_params())
        own.lasso_ = lasso
        own.n_features_in_ = lasso.n_features_in_
        if hasattr(lasso, "feature_names_in_"):
            own.feature_names_in_ = lasso.feature_names_in_
        return own

    @property
    def intercept_(self) -> float:
        """Mean class code of the training rows; 0 for ordinal and cox."""
        return float(self.lasso_.intercept_)

    def predict(self, X: Any) -> np.ndarray:
        """Score of each row: shape (n_rows,)."""
        check_is_fitted(self)
        validate_data(self, X, reset=False)
        return self.lasso_.decision_function(X)

    def coefficients(self) -> pd.DataFrame:
        """Kept features, largest |coefficient| first: feature, coefficient per SD, mean and sd of training."""
        check_is_fitted(self)
        kept = np.flatnonzero(self.lasso_.coef_)
        kept = kept[np.argsort(-np.abs(self.lasso_.coef_[kept]), kind="stable")]
        columns = {
            "feature": self._names()[kept],
            "coefficient": self.lasso_.coef_[kept],
            "mean": self.lasso_.mean_[kept],
            "sd": self.lasso_.scale_[kept],
        }
        return pd.DataFrame(columns)

    def path(self) -> pd.DataFrame:
        """Coefficients per SD (columns: features) at each penalty (index `alpha`, largest first)."""
        check_is_fitted(self)
        return pd.DataFrame(self.lasso_.path_, index=pd.Index(self.lasso_.alphas_, name="alpha"), columns=self._names())

    def cv_curve(self) -> pd.DataFrame:
        """CV curve, index `alpha`: mean error, its standard error, number of features kept, and `chosen`."""
        check_is_fitted(self)
        lasso = self.lasso_
        columns = {
            "mean": lasso.cv_mean_,
            "se": lasso.cv_se_,
            "n_features": (lasso.path_ != 0).sum(axis=1),
            "chosen": np.arange(len(lasso.alphas_)) == lasso.index_,
        }
        return pd.DataFrame(columns, index=pd.Index(lasso.alphas_, name="alpha"))

    def _names(self) -> np.ndarray:
        names = getattr(self.lasso_, "feature_names_in_", None)
        return np.array([f"x{j}" for j in range(self.lasso_.n_features_in_)], dtype=object) if names is None else names
