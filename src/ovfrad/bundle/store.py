"""Fitted estimators on disk without pickle: skops files whose types are looked at before anything is built."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ovfrad.errors import InputError

#: Types of other packages that our estimators hold; ours are trusted by their module.
TRUSTED = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
    }
)


def write_objects(path: Path, objects: dict[str, Any]) -> None:
    """Estimators by name into one skops file; a type that could not be read back is refused now, not later."""
    import skops.io

    skops.io.dump(objects, path)
    read_objects(path)


def read_objects(path: Path) -> dict[str, Any]:
    """What `write_objects` wrote; a file that asks for any other type builds nothing."""
    import skops.io

    try:
        asked = skops.io.get_untrusted_types(file=path)
    except Exception as error:
        fault = " ".join(f"not readable as fitted models ({type(error).__name__}: {error})".split())[:160]
        raise InputError("E_BUNDLE_FILE", path, fault, "take the bundle from its source again") from None
    strange = [name for name in asked if name not in TRUSTED and not name.startswith("ovfrad.")]
    if strange:
        fault = f"asks for the type {strange[0]}, which no model of this program holds"
        raise InputError("E_BUNDLE_TYPE", path, fault, "do not use this bundle")
    try:
        objects: dict[str, Any] = skops.io.load(path, trusted=asked)
    except Exception as error:
        fault = " ".join(f"cannot be built ({type(error).__name__}: {error})".split())[:160]
        raise InputError("E_BUNDLE_FILE", path, fault, "take the bundle from its source again") from None
    return objects


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
