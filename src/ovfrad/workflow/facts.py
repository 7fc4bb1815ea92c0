"""Facts that belong to every number of a run: versions, hashes, and what was fixed before outcomes were read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad import __version__
from ovfrad.sources import code_of
from ovfrad.study import Study
from ovfrad.study.file import said_sha256
from ovfrad.workflow.folder import RunFolder

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "xgboost-cpu",
    "lightgbm",
    "torch",
    "SimpleITK",
    "numba",
    "shap",
)


def facts(study: Study) -> dict[str, Any]:
    """Versions, machine and hashes that belong to every number of a run."""
    known = {}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            known[name] = version(name)
    return {
        "ovfrad": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": known,
        "study": study.settings.name,
        "study_sha256": study.sha256,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "ovfrad " + " ".join(Path(a).name if os.sep in a else a for a in sys.argv[1:]),
        "excluded": [(*case, str(reason)) for case, reason in study.excluded["exclusion"].items()],
        "synthetic": study.settings.synthetic,
    }


def earlier(folder: RunFolder) -> dict[str, Any] | None:
    """What was fixed by the run before this one in the same folder."""
    if not (folder / "run.json").is_file():
        return None
    stored: dict[str, Any] | None = folder.read_json("run.json").get("prespecified")
    return stored


def prespecification(study: Study, before: dict[str, Any] | None, voxels: pd.Series | None = None) -> dict[str, Any]:
    """What was fixed before a model was fitted to outcomes (A8), and whether an earlier run had fixed something else.

    Parameters
    ----------
    study : Study
    before : dict, optional
        What an earlier run in the same folder had fixed.
    voxels : Series, optional
        Hash of each case's region, or of its row of features; None before they are read.

    Returns
    -------
    dict
        `study_sha256` of the resolved study file, `said_sha256` of what it does not leave to defaults,
        `case_list_sha256`, `content_sha256` of all regions and `read_by`, the code that prepared them, `headline`;
        `at`, the time of the first run with the same of each; `changed`, what earlier runs had fixed.
    """
    now = _fixed(study, voxels)
    if before is None:
        return {**now, "changed": []}
    if _same(before, now):
        return {**now, "at": before["at"], "changed": before.get("changed", [])}
    return {**now, "changed": [*before.get("changed", []), {key: before.get(key) for key in now}]}


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a user changed nothing: a new version's defaults, or its own reading of the same files, is no change."""
    compared = ["said_sha256", "case_list_sha256", "headline"]
    if before.get("read_by") == now["read_by"]:
        compared.append("content_sha256")
    return all(before[key] == now[key] for key in compared if before.get(key) is not None)


def _fixed(study: Study, voxels: pd.Series | None) -> dict[str, Any]:
    settings = study.settings
    content = None if voxels is None else "\n".join(sorted(f"{case} {sha}" for case, sha in voxels.items()))
    return {
        "study_sha256": study.sha256,
        "said_sha256": said_sha256(study.settings),
        "read_by": code_of("imaging"),
        "case_list_sha256": study.case_list_sha256,
        "content_sha256": None if content is None else hashlib.sha256(content.encode()).hexdigest(),
        "at": study.case_list_at,
        "headline": {"recipe": settings.recipe, "arm": study.arms[0], "model": settings.models.headline.model},
    }
