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
        return weights.load("random" if arm.weights == "random" else file, arm.seed)


def load(folder: Path) -> Bundle:
    """Read a bundle; a file that is missing, changed or foreign is refused."""
    manifest = _manifest(folder)
    for name, sha256 in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise InputError("E_BUNDLE_FILE", folder, f"{name} is missing", "take the bundle from its source again")
        if file_sha256(path) != sha256:
            raise InputError("E_BUNDLE_HASH", folder, f"{name} was changed", "take the bundle from its source again")
    objects = read_objects(folder / "model.skops")
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
