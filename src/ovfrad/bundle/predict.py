"""The next vertebra: the same functions as in training, and no fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ovfrad.bundle.scope import FEWEST, LIMIT, ODD
from ovfrad.errors import InputError
from ovfrad.evaluation.conformal import ConformalSets
from ovfrad.models.fitted import Views, raw_proba
from ovfrad.models.rows import Rows

if TYPE_CHECKING:
    from ovfrad.bundle.load import Bundle
    from ovfrad.imaging import Roi


#: Volume, relative to the largest training body, from which a mask is taken for a whole vertebra.
WHOLE = 1.3
#: Flags of the image with which a prediction is out of scope.
BARRING = (
    "metal", "contrast", "scattered", "too small", "too large", "mask larger than the vertebral bodies of training",
)  # fmt: skip


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
    bundle: Bundle, roi: Roi, *, batch: str | None = None, explain: bool = True, warnings: tuple[str, ...] = ()
) -> Prediction:
    """Predict one vertebra from its CT and mask, as read."""
    from ovfrad import imaging

    if not bundle.from_images:
        remedy = "give a CSV with the features of its study"
        raise InputError("E_BUNDLE_INPUT", bundle.folder, "this model reads feature tables, not images", remedy)
    image_flags = _image_flags(imaging.flags(roi, bundle.settings.imaging))
    row = _features(bundle, imaging.prepare(roi, bundle.settings.imaging))
    largest = bundle.manifest["input"]["volume_ml"][1]
    if row["original_shape_VoxelVolume"] / 1000 > WHOLE * largest:
        image_flags.append("mask larger than the vertebral bodies of training")
    frame = pd.DataFrame([row], index=pd.MultiIndex.from_tuples([(roi.case_id, "-")]))
    batches = None if batch is None else np.array([batch], dtype=object)
    return predict_features(bundle, frame, batch=batches, explain=explain, flags=[image_flags], warnings=[warnings])[0]


def _features(bundle: Bundle, prepared: Roi) -> dict[str, float]:
    """Radiomics and deep features of one prepared region, by name."""
    from ovfrad import radiomics

    row: dict[str, float] = radiomics.extract(prepared, settings=bundle.settings.radiomics.parameters()).to_dict()
    if bundle.backbone is not None:
        from ovfrad.deep.features import features, outputs
        from ovfrad.deep.patch import patch

        arm = bundle.manifest["arm"]
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


def _image_flags(facts: dict[str, Any]) -> list[str]:
    return [name.replace("_", " ") for name, value in facts.items() if isinstance(value, bool | np.bool_) and value]


def predict_features(
    bundle: Bundle,
    X: pd.DataFrame,
    *,
    batch: np.ndarray | None = None,
    explain: bool = True,
    flags: list[list[str]] | None = None,
    warnings: list[tuple[str, ...]] | None = None,
) -> list[Prediction]:
    """Predict rows of features.

    Parameters
    ----------
    X : DataFrame of shape (n, p)
        Index (patient_id, vertebra); columns as in training.
    batch : ndarray of str of shape (n,), optional
        Scanner or centre, where it is known to the model; None: not harmonised.
    flags, warnings : lists of n, optional
        What the images already told.
    """
    patients = X.index.get_level_values(0).to_numpy(dtype=object)
    stated = np.full(len(X), None, dtype=object) if batch is None else batch
    views = Views.of(bundle.chain, Rows(X, None, patients, stated))
    dense, view = views.dense, views.for_model(bundle.model.name)
    probabilities = bundle.model.proba(view, len(bundle.classes))
    distance, nearer, odd = bundle.scope.place(dense)
    harmonised = bundle.chain.harmonised(stated)
    learned = bundle.chain.combat_ is not None and bundle.chain.combat_.n_batches_ > 1
    shap = _explain(bundle, view) if explain else [None] * len(X)
    sets = _sets(bundle, probabilities)
    predictions = []
    for n, index in enumerate(X.index):
        told = list(flags[n]) if flags else []
        barred = [flag for flag in told if flag in BARRING]
        far, strange = bool(nearer[n] >= LIMIT), len(odd[n]) > ODD * len(bundle.scope.names)
        few = bundle.manifest["training"]["rows"] < FEWEST
        if few:
            told.append(f"trained on {bundle.manifest['training']['rows']} cases: too few to say what lies in scope")
        if far:
            told.append(
                f"farther from the training data than {LIMIT:.0%} of the training cases (distance {distance[n]:.1f})"
            )
        if odd[n]:
            told.append(
                f"{len(odd[n])} of {len(bundle.scope.names)} features outside the training range, first {odd[n][0]}"
            )
        covariates = bundle.settings.harmonisation.covariates
        if learned and covariates:
            told.append(f"harmonised without {' and '.join(covariates)}, which the study had as covariates")
        if learned and not harmonised[n]:
            told.append("not harmonised: its scanner is not one of the training data")
        predictions.append(
            Prediction(
                case_id=" ".join(part for part in map(str, index) if part != "-"),
                probabilities=probabilities[n],
                label=bundle.classes[int(probabilities[n].argmax())],
                set=sets[n],
                distance=float(distance[n]),
                nearer=float(nearer[n]),
                flags=tuple(told),
                in_scope=not (far or strange or few or barred),
                model=bundle.manifest["training"]["summary"],
                not_seen=tuple(bundle.manifest["not_seen"]),
                warnings=warnings[n] if warnings else (),
                shap=shap[n],
            )
        )
    return predictions


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
