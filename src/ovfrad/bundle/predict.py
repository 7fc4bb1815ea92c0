"""The next vertebra: the same functions as in training, and no fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.bundle import flags as flags_of
from ovfrad.bundle.scope import FEWEST, LIMIT, ODD
from ovfrad.errors import InputError
from ovfrad.evaluation.conformal import ConformalSets
from ovfrad.models.fitted import Views, raw_proba
from ovfrad.models.rows import Rows

if TYPE_CHECKING:
    from ovfrad.bundle.parts import Bundle
    from ovfrad.imaging import Roi


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of one vertebra, and what speaks against believing it.

    Attributes
    ----------
    case_id : str
    probabilities : ndarray of shape (K,)
        Calibrated where the study recalibrates.
    label : str
        Class of the largest probability.
    set : tuple of str
        Conformal set at the study's level; empty where the bundle has no calibration.
    distance, nearer : float
        Distance to the training data (a training case: about 1), and the share of training cases that lie nearer.
    flags : tuple of str
        Reservations; `in_scope` is False where one of them says that the model was not made for this case.
    in_scope : bool
    model : str
        What the prediction comes from, and how well that did.
    not_seen : tuple of str
    warnings : tuple of str
    shap : DataFrame or None
        Features by classes: contributions to the probability before recalibration.
    """

    case_id: str
    probabilities: np.ndarray
    label: str
    set: tuple[str, ...]
    distance: float
    nearer: float
    flags: tuple[str, ...]
    in_scope: bool
    model: str
    not_seen: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    shap: pd.DataFrame | None = None


def predict_roi(
    bundle: Bundle,
    roi: Roi,
    *,
    vertebra: str | None = None,
    batch: str | None = None,
    covariates: pd.DataFrame | None = None,
    explain: bool = True,
) -> Prediction:
    """Predict one vertebra from its CT and mask, as read.

    Parameters
    ----------
    bundle : Bundle
    roi : Roi
    vertebra : str, optional
        Its level, such as T12: a whole vertebra is then known by the size of bodies there.
    batch, covariates, explain
        As in `predict_features`, of one row.
    """
    from ovfrad import imaging

    stated = bundle.manifest.input
    if stated.kind != "CT and mask":
        remedy = "give a CSV with the features of its study"
        raise InputError("E_BUNDLE_INPUT", bundle.folder, "this model reads feature tables, not images", remedy)
    told = flags_of.of_image(imaging.flags(roi, bundle.settings.imaging), stated, bundle.manifest.training)
    row = _features(bundle, imaging.prepare(roi, bundle.settings.imaging))
    told += flags_of.of_size(row, vertebra, stated)
    frame = pd.DataFrame([row], index=pd.MultiIndex.from_tuples([(roi.case_id, "-")]))
    batches = None if batch is None else np.array([batch], dtype=object)
    return predict_features(bundle, frame, batch=batches, covariates=covariates, explain=explain, flags=[told])[0]


def _features(bundle: Bundle, prepared: Roi) -> dict[str, float]:
    """Radiomics and deep features of one prepared region, by name."""
    from ovfrad import radiomics

    row: dict[str, float] = radiomics.extract(prepared, settings=bundle.settings.radiomics.parameters()).to_dict()
    if bundle.backbone is not None:
        from ovfrad.deep.features import features, outputs
        from ovfrad.deep.patch import patch

        arm = bundle.manifest.arm
        cut = patch(prepared, bundle.settings.deep, bundle.settings.imaging.window_hu)
        deep = bundle.settings.deep
        how = deep.arms[arm].normalise
        if deep.arms[arm].tuned:
            found, scores = outputs(cut[None], bundle.backbone, how)
            values = (scores if deep.tune.gives == "scores" else found)[0]
        else:
            values = features(cut[None], bundle.backbone, how, precision=deep.precision)[0]
        row |= {f"deep_{arm}_{j:04d}": float(value) for j, value in enumerate(values)}
    return row


def predict_features(
    bundle: Bundle,
    X: pd.DataFrame,
    *,
    batch: np.ndarray | None = None,
    covariates: pd.DataFrame | None = None,
    explain: bool = True,
    flags: list[list[str]] | None = None,
) -> list[Prediction]:
    """Predict rows of features.

    Parameters
    ----------
    X : DataFrame of shape (n, p)
        Index (patient_id, vertebra); columns as in training.
    batch : ndarray of str of shape (n,), optional
        Scanner or centre, where it is known to the model; None: not harmonised.
    covariates : DataFrame of n rows, optional
        Numbers that ComBat had in training, NaN where one is not known; a row with gaps is harmonised without any.
    flags : list of n, optional
        What the images already told.
    """
    stated = np.full(len(X), None, dtype=object) if batch is None else batch
    adjusted = _adjusted(bundle, covariates, len(X))
    views = _views(bundle, X, stated, covariates, adjusted)
    view = views.for_model(bundle.model.name)
    probabilities = bundle.model.proba(view, len(bundle.classes))
    distance, nearer, odd = bundle.scope.place(views.dense)
    scanner = flags_of.of_scanner(bundle.chain, stated, adjusted)
    shap = _explain(bundle, view) if explain else [None] * len(X)
    sets = _sets(bundle, probabilities)
    predictions = []
    for n, index in enumerate(X.index):
        told = list(flags[n]) if flags else []
        barred = any(flag in flags_of.BARRING for flag in told)
        told += _place_flags(bundle, distance[n], nearer[n], odd[n])
        told += [] if scanner[n] is None else [str(scanner[n])]
        predictions.append(
            Prediction(
                case_id=" ".join(part for part in map(str, index) if part != "-"),
                probabilities=probabilities[n],
                label=bundle.classes[int(probabilities[n].argmax())],
                set=sets[n],
                distance=float(distance[n]),
                nearer=float(nearer[n]),
                flags=tuple(told),
                in_scope=not (barred or _is_far(bundle, nearer[n], odd[n])),
                model=bundle.manifest.training.summary,
                not_seen=tuple(bundle.manifest.not_seen),
                shap=shap[n],
            )
        )
    return predictions


def _adjusted(bundle: Bundle, covariates: pd.DataFrame | None, n: int) -> np.ndarray:
    """Rows of which all covariates of ComBat are known, bool of shape (n,)."""
    combat = bundle.chain.combat_
    if combat is None or not combat.covariates_ or covariates is None:
        return np.zeros(n, dtype=bool)
    known: np.ndarray = covariates[combat.covariates_].notna().all(axis=1).to_numpy()
    return known


def _views(
    bundle: Bundle, X: pd.DataFrame, batch: np.ndarray, covariates: pd.DataFrame | None, adjusted: np.ndarray
) -> Views:
    """Rows as the models see them; ComBat takes those without covariates apart, centred on the mean of training."""
    parts, order = [], []
    for at in (np.flatnonzero(adjusted), np.flatnonzero(~adjusted)):
        if not len(at):
            continue
        own = None
        if covariates is not None and bundle.chain.combat_ is not None and adjusted[at[0]]:
            own = covariates[bundle.chain.combat_.covariates_].iloc[at].set_axis(X.index[at])
        patients = X.index[at].get_level_values(0).to_numpy(dtype=object)
        parts.append(Views.of(bundle.chain, Rows(X.iloc[at], None, patients, batch[at], own)))
        order.append(at)
    back = np.argsort(np.concatenate(order))
    return Views(*(pd.concat([getattr(p, name) for p in parts]).iloc[back] for name in ("fused", "dense", "score")))


def _is_far(bundle: Bundle, nearer: float, odd: list[str]) -> bool:
    """Whether a row is too far from the training data, or these too few to say."""
    strange = len(odd) > ODD * len(bundle.scope.names)
    return bool(nearer >= LIMIT or strange or bundle.manifest.training.rows < FEWEST)


def _place_flags(bundle: Bundle, distance: float, nearer: float, odd: list[str]) -> list[str]:
    """Where a row lies against the training data, as far as it gives reason to doubt."""
    told, rows = [], bundle.manifest.training.rows
    if rows < FEWEST:
        told.append(f"trained on {rows} cases: too few to say what lies in scope")
    if nearer >= LIMIT:
        told.append(f"farther from the training data than {LIMIT:.0%} of the training cases (distance {distance:.1f})")
    if odd:
        told.append(f"{len(odd)} of {len(bundle.scope.names)} features outside the training range, first {odd[0]}")
    return told


def _sets(bundle: Bundle, probabilities: np.ndarray) -> list[tuple[str, ...]]:
    if not bundle.conformal:
        return [()] * len(probabilities)
    sets, alpha = ConformalSets.from_dict(bundle.conformal), 1 - bundle.settings.evaluation.level
    inside = sets.predict(probabilities, alpha, contiguous=bundle.settings.outcome.ordered)
    return [tuple(name for name, kept in zip(bundle.classes, row, strict=True) if kept) for row in inside]


def _explain(bundle: Bundle, view: pd.DataFrame) -> list[pd.DataFrame | None]:
    """SHAP values of each row against the bundle's k-means background."""
    from ovfrad.explanation.shap import shap_values

    columns, K = list(bundle.model.columns), len(bundle.classes)
    if not columns:
        return [None] * len(view)

    def predict(array: np.ndarray) -> np.ndarray:
        return raw_proba(bundle.model.estimator, pd.DataFrame(array, columns=columns), K)

    background = bundle.background[columns].to_numpy(float)
    table = shap_values(
        predict,
        view[columns].to_numpy(float),
        background,
        columns,
        model=bundle.model.estimator,
        classes=bundle.classes,
    )
    return [pd.DataFrame(values, index=columns, columns=list(bundle.classes)) for values in table.values]
