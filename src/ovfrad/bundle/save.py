"""Write a bundle: everything a prediction needs, and no row of a patient."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad import __version__
from ovfrad.bundle import manifest
from ovfrad.bundle.manifest import write_json
from ovfrad.bundle.scope import Scope
from ovfrad.bundle.store import file_sha256, write_objects
from ovfrad.errors import InputError
from ovfrad.models.fitted import FittedModel
from ovfrad.selection import FusedFeatures
from ovfrad.study import StudySettings
from ovfrad.study.file import to_yaml
from ovfrad.study.settings import Arm

#: Weights of the network, where they are not random.
BACKBONE = "backbone.safetensors"
#: Classifiers whose fitted state is their training rows.
HOLD_ROWS = ("KNN", "SVM")
#: What decides the ASTLOF class and is not on a CT.
NOT_SEEN = ("MRI signal", "DXA T-score", "pain and neurological symptoms")


@dataclass(frozen=True, eq=False)
class BundleContent:
    """What goes into a bundle.

    Attributes
    ----------
    settings : StudySettings
        Resolved study of the headline recipe.
    classes : tuple of str
    arm : str
    chain : FusedFeatures
    model : FittedModel
    scope : Scope
    conformal : dict
        Calibration of the sets, as `ovfrad.evaluation` gives it; empty without one.
    background : DataFrame
        k-means centres of the model's view.
    backbone : object or None
        `ovfrad.deep.weights.Backbone`.
    input_contract : dict
        What a new case must be.
    training : dict
        `rows`, `patients`, `synthetic`, `audit` and a `summary` for people.
    card : str
        Model card, Markdown.
    check_case : (CT Volume, mask Volume) or None
        Synthetic case of an image study.
    check_row : dict or None
        Synthetic row of a feature-table study.
    """

    settings: StudySettings
    classes: tuple[str, ...]
    arm: str
    chain: FusedFeatures
    model: FittedModel
    scope: Scope
    conformal: dict[str, Any]
    background: pd.DataFrame
    backbone: Any
    input_contract: dict[str, Any]
    training: dict[str, Any]
    card: str
    check_case: tuple[Any, Any] | None
    check_row: dict[str, float] | None


def save(content: BundleContent, folder: Path, expect: Callable[[Path], np.ndarray]) -> Path:
    """Write the bundle whole or not at all.

    Parameters
    ----------
    content : BundleContent
    folder : Path
        Replaced if it is a bundle already.
    expect : callable
        Probabilities of the check case, shape (K,), predicted from the folder given.
    """
    if folder.exists() and not (folder / manifest.NAME).is_file() and any(folder.iterdir()):
        raise InputError("E_EXISTS", folder, "holds other files than a bundle", "choose an empty folder")
    made = folder.with_name(f".{os.getpid()}.{folder.name}")
    shutil.rmtree(made, ignore_errors=True)
    try:
        _write_files(content, made)
        write_json(made / "check" / "expected.json", dict.fromkeys(content.classes, 0.0))
        _write_manifest(content, made)
        expected = dict(zip(content.classes, expect(made).tolist(), strict=True))
        write_json(made / "check" / "expected.json", expected)
        _write_manifest(content, made)
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    except OSError as error:
        raise InputError(
            "E_WRITE", folder, f"cannot be written ({error.strerror})", "free space or choose --out"
        ) from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def has_weights(arm: Arm) -> bool:
    """Whether a bundle holds the network of an arm; a random one is made from its seed."""
    return arm.tuned or arm.weights not in ("random", "none")


def _write_files(content: BundleContent, folder: Path) -> None:
    (folder / "check").mkdir(parents=True)
    write_objects(folder / "model.skops", {"chain": content.chain, "estimator": content.model.estimator})
    (folder / "study.yaml").write_text(to_yaml(content.settings), encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(content.card, encoding="utf-8")
    write_json(folder / "scope.json", content.scope.as_dict())
    write_json(folder / "conformal.json", content.conformal)
    write_json(folder / "background.json", content.background.to_dict("list"))
    arm = content.settings.deep.arms.get(content.arm)
    if content.backbone is not None and arm is not None and has_weights(arm):
        from ovfrad.deep import weights

        weights.save(content.backbone, folder / BACKBONE)
    if content.check_case is not None:
        from ovfrad.imaging import write_nifti

        for name, volume in zip(("ct", "mask"), content.check_case, strict=True):
            write_nifti(volume, folder / "check" / f"{name}.nii.gz")
    if content.check_row is not None:
        write_json(folder / "check" / "row.json", content.check_row)


def _write_manifest(content: BundleContent, folder: Path) -> None:
    """Everything else on one readable page, with the hash of each other file."""
    model, recalibration = content.model, content.model.recalibration
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / manifest.NAME)
    backbone = content.backbone
    manifest.write(
        folder,
        {
            "notice": "Research use only, not a medical device.",
            "ovfrad": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": content.settings.recipe,
            "arm": content.arm,
            "classes": list(content.classes),
            "outcome": content.settings.outcome.column,
            "model": {
                "name": model.name,
                "view": model.view,
                "columns": list(model.columns),
                "point": model.point,
                "temperature": None if recalibration is None else recalibration.temperature,
                "offsets": None if recalibration is None else list(recalibration.offsets),
                "notes": list(model.notes),
            },
            "backbone": None
            if backbone is None
            else {"description": backbone.description, "layout": backbone.layout, "sha256": backbone.sha256},
            "input": content.input_contract,
            "training": content.training,
            "not_seen": list(NOT_SEEN) if content.settings.outcome.column == "astlof_class" else [],
            "files": {path.relative_to(folder).as_posix(): file_sha256(path) for path in files},
        },
    )
