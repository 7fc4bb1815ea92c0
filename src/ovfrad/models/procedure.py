"""One procedure from training rows to fitted models: the fold engine runs it on all rows and in every outer fold.

The chain of selection is fitted once per inner fold and shared by all classifiers and grid points (METHODS E10).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.utils.validation import has_fit_parameter

from ovfrad.evaluation.calibration import Recalibration
from ovfrad.models.auto import AutoModel
from ovfrad.models.classifiers import align, fit_quietly, make, unconverged
from ovfrad.models.folds import patient_folds
from ovfrad.models.rows import Rows, prediction_table
from ovfrad.models.score import ScoreModel
from ovfrad.models.scoring import fold_aucs, log_loss
from ovfrad.models.sparse import SparseScore
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import NINE, Harmonisation, Models, Selection

OWN = ("auto", "sparse", "rad_score")
"""Models beside the nine."""
BEST = "best_of_nine"
"""Name under which the best of the nine by inner cross-validation stands in the prediction table."""
_VIEW = {"auto": "dense", "sparse": "dense", "rad_score": "score"}


@dataclass(frozen=True)
class Procedure:
    """All that decides how models are fitted to rows; equal procedures on equal rows give equal models.

    Attributes
    ----------
    models, harmonisation, selection : sections of study.yaml
    classes : tuple of str
        Names of the classes in code order.
    ordered : bool
        Whether that order means something.
    arm : str
        Arm of `deep`; its columns are `deep_<arm>_0000..`, if there are any.
    recipe : str
        Written into the tables.
    names : tuple of str
        Models to fit: some of the nine, "auto", "sparse", "rad_score"; default: those of `models.classifiers`,
        and the other three.
    n_trees : int
        Extra trees of `auto`.
    random_state : int
    tune : bool
        False: too few patients for inner folds, so the first grid point is taken and nothing recalibrated.
    """

    classes: tuple[str, ...]
    models: Models = field(default_factory=Models)
    harmonisation: Harmonisation = field(default_factory=Harmonisation)
    selection: Selection = field(default_factory=Selection)
    ordered: bool = True
    arm: str = "none"
    recipe: str = "sound"
    names: tuple[str, ...] = ()
    n_trees: int = 200
    random_state: int = 0
    tune: bool = True

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (*self.models.classifiers, *OWN))
        unknown = [name for name in self.names if name not in (*NINE, *OWN)]
        if unknown:
            raise ValueError(f"no model {unknown[0]}; known are {', '.join((*NINE, *OWN))}.")

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    def only(self, *names: str, recalibrate: bool | None = None) -> Self:
        """Return the procedure with these models alone; "best_of_nine" stands for the nine it is chosen from."""
        wanted = tuple(dict.fromkeys(m for n in names for m in (self.models.classifiers if n == BEST else (n,))))
        models = self.models if recalibrate is None else self.models.model_copy(update={"recalibrate": recalibrate})
        return replace(self, names=wanted, models=models)

    def chain(self) -> FusedFeatures:
        """Return the unfitted chain of selection."""
        return FusedFeatures.from_settings(
            self.harmonisation, self.selection, self.arm, self.random_state, ordered=self.ordered
        )

    def candidates(self, name: str) -> tuple[BaseEstimator, tuple[dict[str, Any], ...]]:
        """Return a model, unfitted, and its grid, simplest point first."""
        if name == "auto":
            return AutoModel(self.n_trees, random_state=self.random_state), ({},)
        if name == "sparse":
            return SparseScore(random_state=self.random_state), ({},)
        if name == "rad_score":
            return ScoreModel(self.ordered), ({},)
        return make(name, self.models.class_weights, self.random_state)

    def describe(self) -> str:
        """Return all settings as JSON, for content hashes."""
        plain = {
            name: getattr(self, name)
            for name in ("classes", "ordered", "arm", "recipe", "names", "n_trees", "random_state", "tune")
        }
        sections = {
            name: getattr(self, name).model_dump(mode="json") for name in ("models", "harmonisation", "selection")
        }
        return json.dumps(plain | sections, sort_keys=True)


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
        Rad-score; no column where there is none (three or more classes without an order).
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
        frame: pd.DataFrame = getattr(self, _VIEW.get(name, "fused"))
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
    """

    procedure: Procedure
    chain: FusedFeatures
    models: dict[str, FittedModel]
    best_of_nine: str | None
    inner: pd.DataFrame
    inner_counts: pd.DataFrame
    notes: tuple[str, ...]

    def views(self, rows: Rows) -> Views:
        """Return rows as the models see them."""
        return Views.of(self.chain, rows.for_arm(self.procedure.arm))

    def proba(self, rows: Rows, model: str, calibrated: bool = True) -> np.ndarray:
        """Return the class probabilities of one model, shape (n_rows, K); "best_of_nine" is understood."""
        chosen = self.models[str(self.best_of_nine) if model == BEST else model]
        return chosen.proba(self.views(rows).for_model(chosen.name), self.procedure.n_classes, calibrated)

    def table(self, rows: Rows, cohort: str, fold: int = -1) -> pd.DataFrame:
        """Return predictions of all models, and of the best of nine under that name, as a prediction table."""
        views, K = self.views(rows), self.procedure.n_classes
        proba = {name: model.proba(views.for_model(name), K) for name, model in self.models.items()}
        return _tables(rows, proba, self.procedure, self.best_of_nine, cohort, fold)


def _tables(
    rows: Rows, proba: dict[str, np.ndarray], procedure: Procedure, best: str | None, cohort: str, fold: int
) -> pd.DataFrame:
    named = proba if best is None else proba | {BEST: proba[best]}
    where: dict[str, Any] = {"cohort": cohort, "recipe": procedure.recipe, "arm": procedure.arm, "fold": fold}
    return pd.concat([prediction_table(rows, p, model=name, **where) for name, p in named.items()], ignore_index=True)


def raw_proba(estimator: BaseEstimator, frame: pd.DataFrame, n_classes: int) -> np.ndarray:
    """Return probabilities over all K classes; an estimator fitted on arrays gets an array."""
    X = frame if hasattr(estimator, "feature_names_in_") else frame.to_numpy()
    return align(estimator.predict_proba(X), estimator.classes_, np.arange(n_classes))


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
        rows.X, rows.codes, groups=rows.groups, batch=rows.batch, covariates=rows.covariates, reader2=rows.reader2
    )


def needs_inner(procedure: Procedure) -> bool:
    """Whether something is chosen or calibrated on inner folds."""
    if not procedure.tune:
        return False
    grids = [len(procedure.candidates(name)[1]) for name in procedure.names]
    several = sum(name in NINE for name in procedure.names) > 1
    return procedure.models.recalibrate or several or max(grids) > 1


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
    rows = rows.for_arm(procedure.arm)
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
    table, counts = _inner_tables(rows, procedure, search, models, chosen)
    notes = tuple(dict.fromkeys(note for model in models.values() for note in model.notes))
    return Fitted(procedure, chain, models, chosen, table, counts, notes)


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
    view = _VIEW.get(name, "fused")
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
    rows: Rows, procedure: Procedure, search: _Search | None, models: dict[str, FittedModel], best: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `train_inner` predictions and the features of each inner fold's fused set."""
    if search is None:
        return pd.DataFrame(), pd.DataFrame()
    proba = {}
    for name, model in models.items():
        raw = search.proba[name][list(procedure.candidates(name)[1]).index(model.point)]
        proba[name] = raw if model.recalibration is None else model.recalibration.apply(raw)
    names = sorted({feature for fold in search.fused for feature in fold})
    counts = pd.DataFrame([[feature in fold for feature in names] for fold in search.fused], columns=names)
    return _tables(rows, proba, procedure, best, "train_inner", -1), counts
