"""Facts that belong to every number of a run: versions, hashes, and what was fixed before outcomes were read."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ovfrad import __version__
from ovfrad.study import Study

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


def prespecification(study: Study) -> dict[str, Any]:
    """What was fixed before the outcomes of a validation cohort were read (A8)."""
    settings = study.settings
    return {
        "study_sha256": study.sha256,
        "case_list_sha256": study.case_list_sha256,
        "at": study.case_list_at,
        "headline": {"recipe": settings.recipe, "arm": settings.headline_arm, "model": settings.models.headline.model},
    }
