"""One procedure from training rows to fitted models: the fold engine runs it on all rows and in every outer fold.

The chain of selection is fitted once per inner fold and shared by all classifiers and grid points (METHODS E10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.utils.validation import has_fit_parameter

from ovfrad.evaluation.calibration import Recalibration
from ovfrad.models.auto import AutoModel
from ovfrad.models.estimators import fit_quietly, unconverged
from ovfrad.models.fitted import VIEW, Fitted, FittedModel, Views, raw_proba, tables
from ovfrad.models.folds import patient_folds
from ovfrad.models.network import NETWORK, learned, own_rows
from ovfrad.models.procedure import Procedure, needs_inner
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs, log_loss
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import NINE


def fit_view(
    name: str,
    estimator: BaseEstimator,
    point: dict[str, Any],
    frame: pd.DataFrame,
    codes: np.ndarray,
    groups: np.ndarray,
    teacher: np.ndarray | None = None,
) -> BaseEstimator:
    """Fit one model at one grid point; without a column it is the training prior.

    Parameters
    ----------
    name : str
    estimator : classifier
        Unfitted.
    point : dict
    frame : DataFrame of shape (n_rows, n_columns)
    codes, groups : ndarray of shape (n_rows,)
    teacher : ndarray of shape (n_rows, K), optional
        Probabilities for "sparse" to learn from.
    """
    if not frame.shape[1]:
        return DummyClassifier(strategy="prior").fit(np.zeros((len(codes), 1)), codes)
    model = clone(estimator).set_params(**point)
    if name == "auto":
        return model.fit(frame, codes, groups)
    if name == "sparse":
        return model.fit(frame, codes, groups, teacher=teacher)
    patients = {"groups": groups} if has_fit_parameter(model, "groups") else {}
    return fit_quietly(model, frame.to_numpy(), codes, **patients)


@dataclass(frozen=True, eq=False)
class _Search:
    """Inner out-of-fold probabilities of every grid point: name -> list of ndarray (n_rows, K)."""

    proba: dict[str, list[np.ndarray]]
    fold: np.ndarray
    fused: list[list[str]]
    unconverged: dict[str, int]


def _search(rows: Rows, procedure: Procedure) -> _Search:
    """Fit the chain once per inner fold, then every model at every grid point."""
    codes, K = rows.codes, procedure.n_classes
    models = {name: procedure.candidates(name) for name in procedure.names}
    proba = {name: [np.zeros((len(rows), K)) for _ in grid] for name, (_, grid) in models.items()}
    fold, fused, stopped = np.full(len(rows), -1), [], dict.fromkeys(models, 0)
    folds = patient_folds(codes, rows.groups, procedure.models.inner_folds, procedure.random_state, procedure.classes)
    for f, (train, test) in enumerate(folds):
        inside, outside = rows.take(train), rows.take(test)
        chain = _fit_chain(inside, procedure)
        views, unseen = Views.of(chain, inside), Views.of(chain, outside)
        fold[test] = f
        fused.append(list(chain.fused_))
        teacher = None
        for name, (estimator, grid) in models.items():
            for i, point in enumerate(grid):
                frame = views.for_model(name)
                model = fit_view(name, estimator, point, frame, codes[train], inside.groups, teacher)
                teacher = _teacher(model, frame, teacher)
                stopped[name] += unconverged(model)
                proba[name][i][test] = raw_proba(model, unseen.for_model(name)[list(frame.columns)], K)
    return _Search(proba, fold, fused, stopped)


def _teacher(model: BaseEstimator, frame: pd.DataFrame, known: np.ndarray | None) -> np.ndarray | None:
    """Probabilities of the first member of `auto` for `sparse` to learn from, so that it is not fitted twice."""
    return model.members_[0].predict_proba(frame.to_numpy()) if isinstance(model, AutoModel) else known


def _fit_chain(rows: Rows, procedure: Procedure) -> FusedFeatures:
    return procedure.chain().fit(
        rows.X, rows.codes, groups=rows.groups, batch=rows.batch, covariates=rows.covariates, reader2=rows.reader2,
        survival=rows.survival,
    )  # fmt: skip


def fit_models(rows: Rows, procedure: Procedure, inner: bool | None = None) -> Fitted:
    """Fit chain and models to training rows: choose on inner patient folds, recalibrate, refit on all rows.

    Parameters
    ----------
    rows : Rows
        Training rows with outcome.
    procedure : Procedure
    inner : bool, optional
        Run the inner folds; default: where something is chosen or calibrated on them.
    """
    rows, network = learned(own_rows(rows, procedure.arm, procedure.network), procedure.network)
    search = _search(rows, procedure) if inner or (inner is None and needs_inner(procedure)) else None
    chain = _fit_chain(rows, procedure)
    views = Views.of(chain, rows)
    models: dict[str, FittedModel] = {}
    teacher = None
    for name in procedure.names:
        estimator, grid = procedure.candidates(name)
        frame = views.for_model(name)
        losses = [log_loss(rows.codes, p) for p in search.proba[name]] if search else [0.0]
        best = int(np.argmin(np.round(losses, 9)))
        model = fit_view(name, estimator, grid[best], frame, rows.codes, rows.groups, teacher)
        teacher = _teacher(model, frame, teacher)
        models[name] = _fitted_model(name, model, frame, grid[best], best, rows, procedure, search)
    chosen = _best_of_nine(models) if search else None
    held_out = {} if network is None or np.isnan(network.held_out).any() else {NETWORK: network.held_out}
    table, counts = _inner_tables(rows, procedure, search, models, chosen, held_out)
    notes = tuple(dict.fromkeys(note for model in models.values() for note in model.notes))
    notes += () if network is None else network.features.notes_
    return Fitted(procedure, chain, models, chosen, table, counts, notes, network)


def _fitted_model(
    name: str,
    model: BaseEstimator,
    frame: pd.DataFrame,
    point: dict[str, Any],
    best: int,
    rows: Rows,
    procedure: Procedure,
    search: _Search | None,
) -> FittedModel:
    """Bind a refitted model to its inner scores, its recalibration and its reservations."""
    notes = []
    view = VIEW.get(name, "fused")
    if not frame.shape[1]:
        absent = {"fused": "the fused set is empty", "dense": "no feature is left", "score": "there is no rad-score"}
        who = "the nine classifiers predict" if view == "fused" else f"{name} predicts"
        notes.append(f"{absent[view]}: {who} the class shares of the training rows")
    if unconverged(model) or (search and search.unconverged[name]):
        notes.append(f"{name} ran out of iterations in some fits")
    where = {"name": name, "estimator": model, "view": view, "columns": tuple(frame.columns), "point": point}
    if search is None:
        return FittedModel(**where, inner_loss=None, inner_auc=None, recalibration=None, notes=tuple(notes))
    held_out = search.proba[name][best]
    return FittedModel(
        **where,
        inner_loss=log_loss(rows.codes, held_out),
        inner_auc=float(fold_aucs(rows.codes, held_out, search.fold).mean()),
        recalibration=Recalibration.fit(held_out, rows.codes) if procedure.models.recalibrate else None,
        notes=tuple(notes),
    )


def _best_of_nine(models: dict[str, FittedModel]) -> str | None:
    """Name of the classifier with the highest inner macro AUC, ties to the earlier of the nine."""
    nine = [name for name in NINE if name in models]
    return max(nine, key=lambda name: round(float(models[name].inner_auc or 0.0), 9)) if nine else None


def _inner_tables(
    rows: Rows,
    procedure: Procedure,
    search: _Search | None,
    models: dict[str, FittedModel],
    best: str | None,
    held_out: dict[str, np.ndarray],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `train_inner` predictions and the features of each inner fold's fused set."""
    if search is None:
        return pd.DataFrame(), pd.DataFrame()
    proba = dict(held_out)
    for name, model in models.items():
        raw = search.proba[name][list(procedure.candidates(name)[1]).index(model.point)]
        proba[name] = raw if model.recalibration is None else model.recalibration.apply(raw)
    names = sorted({feature for fold in search.fused for feature in fold})
    counts = pd.DataFrame([[feature in fold for feature in names] for fold in search.fused], columns=names)
    return tables(rows, proba, procedure, best, "train_inner", -1), counts
