"""Read a bundle: whole, unchanged, and nothing in it that no model of ours holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator

from ovfrad.bundle.save import FORMAT
from ovfrad.bundle.scope import Scope
from ovfrad.bundle.store import file_sha256, read_objects
from ovfrad.errors import InputError
from ovfrad.evaluation.calibration import Recalibration
from ovfrad.models.fitted import FittedModel
from ovfrad.selection import FusedFeatures
from ovfrad.study import StudySettings
from ovfrad.study.file import read_yaml, resolve

#: Files without which a folder is no bundle.
REQUIRED = (
    "model.skops", "study.yaml", "scope.json", "conformal.json", "background.json", "MODEL_CARD.md",
    "check/expected.json",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model read from its folder.

    Attributes
    ----------
    folder : Path
    manifest : dict
    settings : StudySettings
    chain : FusedFeatures
    model : FittedModel
    scope : Scope
    conformal : dict
    background : DataFrame
    """

    folder: Path
    manifest: dict[str, Any]
    settings: StudySettings
    chain: FusedFeatures
    model: FittedModel
    scope: Scope
    conformal: dict[str, Any]
    background: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class values in code order."""
        return tuple(self.manifest["classes"])

    @property
    def from_images(self) -> bool:
        """Whether a new case is a CT with its mask; else it is a row of features."""
        return self.settings.features is None

    @cached_property
    def backbone(self) -> Any:
        """Network of the arm, or None."""
        stated = self.manifest["backbone"]
        if stated is None:
            return None
        from ovfrad.deep import weights

        arm = self.settings.deep.arms[self.manifest["arm"]]
        file = self.folder / "backbone.safetensors"
        if arm.tuned:
            return weights.load_tuned(file)
        return weights.load("random" if arm.weights == "random" else file, arm.seed)


def load(folder: Path) -> Bundle:
    """Read a bundle; a file that is missing, changed or foreign is refused."""
    manifest = _manifest(folder)
    try:
        return _load(folder, manifest)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        fault = f"its files do not fit together ({type(error).__name__}: {error})"[:160]
        raise InputError("E_BUNDLE_FORMAT", folder, fault, "take the bundle from its source again") from None


def _load(folder: Path, manifest: dict[str, Any]) -> Bundle:
    listed = manifest["files"]
    for name in [name for name in REQUIRED if name not in listed]:
        fault = f"its manifest does not list {name}"
        raise InputError("E_BUNDLE_FORMAT", folder, fault, "take the bundle from its source again")
    for name, sha256 in listed.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError("E_BUNDLE_FORMAT", folder, f"{name!r} leads outside", "do not use this bundle")
        if not path.is_file():
            raise InputError("E_BUNDLE_FILE", folder, f"{name} is missing", "take the bundle from its source again")
        if file_sha256(path) != sha256:
            raise InputError("E_BUNDLE_HASH", folder, f"{name} was changed", "take the bundle from its source again")
    objects = read_objects(folder / "model.skops")
    _check_parts(manifest, objects)
    return Bundle(
        folder,
        manifest,
        resolve(read_yaml(folder / "study.yaml"), folder / "study.yaml"),
        objects["chain"],
        _model(manifest["model"], objects["estimator"]),
        Scope.from_dict(read_json(folder / "scope.json")),
        read_json(folder / "conformal.json"),
        pd.DataFrame(read_json(folder / "background.json")),
    )


def _check_parts(manifest: dict[str, Any], objects: Any) -> None:
    """The parts that other parts rely on; ValueError names the first that does not fit."""
    chain, estimator = objects["chain"], objects["estimator"]
    if not isinstance(chain, FusedFeatures) or not hasattr(estimator, "predict_proba"):
        raise ValueError("model.skops holds no chain or no classifier")
    classes, offsets = manifest["classes"], manifest["model"]["offsets"]
    if not isinstance(classes, list) or len(classes) < 2 or len(set(classes)) < len(classes):
        raise ValueError("classes")
    if len(estimator.classes_) > len(classes) or (offsets is not None and len(offsets) != len(classes)):
        raise ValueError("the model has another number of classes")
    for key in ("rows", "summary"):
        manifest["training"][key]
    for key in ("arm", "backbone", "not_seen", "input"):
        manifest[key]


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(
            "E_BUNDLE_MISSING", folder, "is no bundle (no manifest.json)", "give the folder `bundle` of a run"
        )
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        fault = f"has another format than {FORMAT}"
        raise InputError("E_BUNDLE_FORMAT", folder, fault, "use the version of ovfrad that wrote it")
    return manifest


def read_json(path: Path) -> Any:
    """Content of a JSON file of a bundle."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        fault = f"not readable ({type(error).__name__})"
        raise InputError("E_BUNDLE_FILE", path, fault, "take the bundle from its source again") from None


def _model(stated: dict[str, Any], estimator: BaseEstimator) -> FittedModel:
    offsets = stated["offsets"]
    return FittedModel(
        name=stated["name"],
        estimator=estimator,
        view=stated["view"],
        columns=tuple(stated["columns"]),
        point=stated["point"],
        inner_loss=None,
        inner_auc=None,
        recalibration=None if offsets is None else Recalibration(stated["temperature"], tuple(offsets)),
        notes=tuple(stated["notes"]),
    )
