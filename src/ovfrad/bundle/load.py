"""Read a bundle: whole, unchanged, and nothing in it that no model of ours holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ovfrad.bundle.manifest import AGAIN, NAME, Manifest, Model, read, read_json
from ovfrad.bundle.parts import Bundle
from ovfrad.bundle.predict import predict_features
from ovfrad.bundle.save import BACKBONE, has_weights
from ovfrad.bundle.scope import Scope
from ovfrad.bundle.store import file_sha256, read_objects
from ovfrad.errors import InputError
from ovfrad.evaluation.calibration import Recalibration
from ovfrad.models.fitted import VIEW, FittedModel
from ovfrad.selection import FusedFeatures
from ovfrad.study.file import read_yaml, resolve

#: Files without which a folder is no bundle.
REQUIRED = (
    "model.skops", "study.yaml", "scope.json", "conformal.json", "background.json", "MODEL_CARD.md",
    "check/expected.json",
)  # fmt: skip
#: What file managers leave in a folder that they show; nothing reads it.
OF_A_DESKTOP = re.compile(r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.directory|\.nfs.*", re.IGNORECASE)


def load(folder: Path) -> Bundle:
    """Read a bundle; a file that is missing, changed, foreign or not listed is refused."""
    manifest = read(folder)
    _check_files(folder, manifest.files)
    try:
        bundle = _load(folder, manifest)
        _check_parts(bundle)
        _try(bundle)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        fault = f"its files do not fit together ({type(error).__name__}: {error})"[:160]
        raise InputError("E_BUNDLE_FORMAT", folder, fault, AGAIN) from None
    return bundle


def _check_files(folder: Path, listed: dict[str, str]) -> None:
    """All files that the manifest lists, unchanged, and no other."""
    for name in [name for name in REQUIRED if name not in listed]:
        raise InputError("E_BUNDLE_FORMAT", folder, f"its manifest does not list {name}", AGAIN)
    for name, sha256 in listed.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError("E_BUNDLE_FORMAT", folder, f"{name!r} leads outside", "do not use this bundle")
        if not path.is_file():
            raise InputError("E_BUNDLE_FILE", folder, f"{name} is missing", AGAIN)
        if file_sha256(path) != sha256:
            raise InputError("E_BUNDLE_HASH", folder, f"{name} was changed", AGAIN)
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    for name in (path.relative_to(folder).as_posix() for path in found):
        if name != NAME and name not in listed and not OF_A_DESKTOP.fullmatch(name.rsplit("/", 1)[-1]):
            fault = f"holds {name}, which its manifest does not list"
            raise InputError("E_BUNDLE_FILE", folder, fault, f"remove it, or {AGAIN}")


def _load(folder: Path, manifest: Manifest) -> Bundle:
    objects = read_objects(folder / "model.skops")
    if not isinstance(objects["chain"], FusedFeatures) or not hasattr(objects["estimator"], "predict_proba"):
        raise ValueError("model.skops holds no chain or no classifier")
    return Bundle(
        folder,
        manifest,
        resolve(read_yaml(folder / "study.yaml"), folder / "study.yaml"),
        objects["chain"],
        _model(manifest.model, objects["estimator"]),
        Scope.from_dict(read_json(folder / "scope.json")),
        read_json(folder / "conformal.json"),
        pd.DataFrame(read_json(folder / "background.json")),
    )


def _model(stated: Model, estimator: BaseEstimator) -> FittedModel:
    recalibration = None
    if stated.offsets is not None and stated.temperature is not None:
        recalibration = Recalibration(stated.temperature, tuple(stated.offsets))
    return FittedModel(
        name=stated.name,
        estimator=estimator,
        view=stated.view,
        columns=tuple(stated.columns),
        point=stated.point,
        inner_loss=None,
        inner_auc=None,
        recalibration=recalibration,
        notes=tuple(stated.notes),
    )


def _check_parts(bundle: Bundle) -> None:
    """The parts that name each other; ValueError says which do not fit."""
    manifest, chain = bundle.manifest, bundle.chain
    if bundle.from_images != (manifest.input.kind == "CT and mask"):
        raise ValueError("the input is not that of study.yaml")
    if manifest.input.kind == "features" and not set(chain.feature_names_in_) <= set(manifest.input.columns):
        raise ValueError("columns of the input")
    if manifest.arm != chain.arm:
        raise ValueError(f"arm {manifest.arm!r}, where the features are those of {chain.arm!r}")
    arm = bundle.settings.deep.arms[manifest.arm] if bundle.from_images else None
    if (manifest.backbone is not None) != (arm is not None and arm.weights != "none"):
        raise ValueError("backbone")
    if (arm is not None and has_weights(arm)) != (BACKBONE in manifest.files):
        raise ValueError(BACKBONE)
    _check_model(bundle)
    for name in ("check/ct.nii.gz", "check/mask.nii.gz") if bundle.from_images else ("check/row.json",):
        manifest.files[name]


def _check_model(bundle: Bundle) -> None:
    """The classifier has the columns and classes that the manifest, the background and the check case name."""
    stated, estimator, columns = bundle.manifest.model, bundle.model.estimator, list(bundle.model.columns)
    if len(estimator.classes_) > len(bundle.classes):
        raise ValueError("the model has another number of classes")
    if stated.view != VIEW.get(stated.name, "fused"):
        raise ValueError("view of the model")
    asked = list(getattr(estimator, "feature_names_in_", columns))
    width = getattr(estimator, "n_features_in_", len(columns))
    if columns != asked or width != len(columns) or list(bundle.background) != columns:
        raise ValueError("columns of the model")
    expected = read_json(bundle.folder / "check" / "expected.json")
    if list(expected) != list(bundle.classes) or not np.isfinite(np.array(list(expected.values()), float)).all():
        raise ValueError("its classes are not those of its check case")


def _try(bundle: Bundle) -> None:
    """Send a row of zeros through the model: what would fail at a patient's case fails here, by name."""
    names = [str(name) for name in bundle.chain.feature_names_in_]
    row = pd.DataFrame([dict.fromkeys(names, 0.0)], index=pd.MultiIndex.from_tuples([("try", "-")]))
    try:
        with np.errstate(all="ignore"):
            predict_features(bundle, row, explain=False)
    except InputError as error:
        raise ValueError(error.fault) from None
