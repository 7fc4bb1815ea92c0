"""Fitted models, and rows as these see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ovfrad.evaluation.calibration import Recalibration
from ovfrad.models.estimators import align
from ovfrad.models.network import FittedNetwork, joined, own_probabilities, own_rows
from ovfrad.models.procedure import BEST, Procedure
from ovfrad.models.rows import Rows, prediction_table
from ovfrad.selection import FusedFeatures

VIEW = {"auto": "dense", "sparse": "dense", "rad_score": "score"}
"""View of the models beside the nine, which see the fused set."""


@dataclass(frozen=True, eq=False)
class Views:
    """One set of rows as the models see it.

    Attributes
    ----------
    fused : DataFrame of shape (n_rows, n_fused)
        z-scored fused set, for the nine; may have no column.
    dense : DataFrame of shape (n_rows, n_dense)
        Radiomics after ComBat and ICC, and deep components, for `auto` and `sparse`.
    score : DataFrame of shape (n_rows, 0 or 1)
        Rad-score; no column where there is none (a LASSO with one coefficient vector per class).
    """

    fused: pd.DataFrame
    dense: pd.DataFrame
    score: pd.DataFrame

    @classmethod
    def of(cls, chain: FusedFeatures, rows: Rows) -> Self:
        """Apply a fitted chain to rows."""
        dense = chain.transform_dense(rows.X, batch=rows.batch, covariates=rows.covariates)
        fused = (dense[chain.fused_] - chain.fused_mean_) / chain.fused_scale_
        score = pd.DataFrame(index=dense.index)
        if chain.rad_score_ is not None:
            score["rad_score"] = chain.rad_score_.predict(dense[list(chain.rad_score_.lasso_.feature_names_in_)])
        return cls(fused, dense, score)

    def for_model(self, name: str) -> pd.DataFrame:
        """Return the columns that a model sees."""
        frame: pd.DataFrame = getattr(self, VIEW.get(name, "fused"))
        return frame


@dataclass(frozen=True, eq=False)
class FittedModel:
    """One model fitted to all rows of a procedure.

    Attributes
    ----------
    name : str
    estimator : classifier
        Takes the columns `columns` of its view; predicts before recalibration.
    view : {"fused", "dense", "score"}
    columns : tuple of str
    point : dict
        Grid point chosen.
    inner_loss, inner_auc : float or None
        Log-loss and per-fold macro AUC of the inner out-of-fold predictions, before recalibration.
    recalibration : Recalibration or None
    notes : tuple of str
        Reservations, in words.
    """

    name: str
    estimator: BaseEstimator
    view: str
    columns: tuple[str, ...]
    point: dict[str, Any]
    inner_loss: float | None
    inner_auc: float | None
    recalibration: Recalibration | None
    notes: tuple[str, ...] = ()

    def proba(self, frame: pd.DataFrame, n_classes: int, calibrated: bool = True) -> np.ndarray:
        """Return class probabilities of shape (n_rows, K) from the columns of this model's view."""
        raw = raw_proba(self.estimator, frame[list(self.columns)], n_classes)
        return raw if self.recalibration is None or not calibrated else self.recalibration.apply(raw)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Chain and models fitted to one set of training rows.

    Attributes
    ----------
    procedure : Procedure
    chain : FusedFeatures
    models : dict of str to FittedModel
    best_of_nine : str or None
        Of the nine, that with the highest inner per-fold macro AUC (ties: the earlier); None without inner folds.
    inner : DataFrame
        Inner out-of-fold predictions of all models, cohort `train_inner`, recalibrated as the models are.
    inner_counts : DataFrame
        Per inner fold (row) and feature (column): True where the fold's fused set has it, for selection frequencies.
    notes : tuple of str
    network : FittedNetwork or None
        Of an arm whose network was tuned on these rows.
    """

    procedure: Procedure
    chain: FusedFeatures
    models: dict[str, FittedModel]
    best_of_nine: str | None
    inner: pd.DataFrame
    inner_counts: pd.DataFrame
    notes: tuple[str, ...]
    network: FittedNetwork | None = None

    def views(self, rows: Rows) -> Views:
        """Return rows as the models see them; patches go through the tuned network."""
        rows = own_rows(rows, self.procedure.arm, self.procedure.network)
        if self.network is not None and rows.patches is not None:
            rows = self.network.seen(rows)
        return Views.of(self.chain, rows)

    def trained_on(self, rows: Rows) -> Rows:
        """Return the training rows with the features that the models were fitted to, which may be out of fold."""
        rows = own_rows(rows, self.procedure.arm, self.procedure.network)
        return rows if self.network is None else joined(rows, self.network.training)

    def proba(self, rows: Rows, model: str, calibrated: bool = True) -> np.ndarray:
        """Return the class probabilities of one model, shape (n_rows, K); "best_of_nine" is understood."""
        chosen = self.models[str(self.best_of_nine) if model == BEST else model]
        return chosen.proba(self.views(rows).for_model(chosen.name), self.procedure.n_classes, calibrated)

    def table(self, rows: Rows, cohort: str, fold: int = -1) -> pd.DataFrame:
        """Return predictions of all models, and of the best of nine under that name, as a prediction table."""
        views, K = self.views(rows), self.procedure.n_classes
        proba = {name: model.proba(views.for_model(name), K) for name, model in self.models.items()}
        proba |= own_probabilities(self.network, rows)
        return tables(rows, proba, self.procedure, self.best_of_nine, cohort, fold)


def tables(
    rows: Rows, proba: dict[str, np.ndarray], procedure: Procedure, best: str | None, cohort: str, fold: int
) -> pd.DataFrame:
    """Probabilities of several models, by name, as one prediction table; `best` once more as the best of nine."""
    named = proba if best is None else proba | {BEST: proba[best]}
    where: dict[str, Any] = {"cohort": cohort, "recipe": procedure.recipe, "arm": procedure.arm, "fold": fold}
    return pd.concat([prediction_table(rows, p, model=name, **where) for name, p in named.items()], ignore_index=True)


def raw_proba(estimator: BaseEstimator, frame: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Return probabilities over all K classes; an estimator fitted on arrays gets an array."""
    X = frame if hasattr(estimator, "feature_names_in_") else frame.to_numpy()
    return align(estimator.predict_proba(X), estimator.classes_, np.arange(n_classes))
