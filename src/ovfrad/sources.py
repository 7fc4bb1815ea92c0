"""Which code a stored result was made by, so that results of other code are never taken for its own."""

from __future__ import annotations

import contextlib
import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ROOT = Path(__file__).parent
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "lightgbm")


@cache
def code_of(*parts: str) -> str:
    """Return the sha256 of the sources of these subpackages, and of the versions of the libraries they count with.

    >>> code_of("models") == code_of("models"), code_of("models") == code_of("selection")
    (True, False)
    """
    sha = hashlib.sha256()
    for part in parts:
        for path in sorted((_ROOT / part).rglob("*.py")):
            sha.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            sha.update(f"{name} {version(name)}".encode())
    return sha.hexdigest()
