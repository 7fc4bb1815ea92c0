"""The run folder: every file is written whole or not at all, and one run at a time owns it."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError

#: What `fit` makes invalid when it starts; the cache stays, since its entries are named by content.
OF_A_FIT = (
    "predictions.parquet", "results.json", "audit.json", "selection.json", "explanation", "bundle", "tables", "figures",
    "report.html", "report.pdf", "features_zscore.parquet", "features_hu.parquet",
)  # fmt: skip

#: Called with step, units done, units in all.
Progress = Callable[[str, int, int], None]


def silent(step: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


class RunFolder:
    """Paths of a run and atomic writing into them.

    Parameters
    ----------
    path : Path
        Folder of the run, created if absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again."""
        folder = self.path / ".cache"
        folder.mkdir(exist_ok=True)
        return folder

    def replace(self, name: str, write: Callable[[Path], Any]) -> Path:
        """File `name`, written by `write` under another name and then renamed."""
        target = self.path / name
        beside = target.with_name(f".{os.getpid()}.{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write(beside)
            beside.replace(target)
        except OSError as error:
            raise _unwritable(target, error) from None
        finally:
            beside.unlink(missing_ok=True)
        return target

    def write_json(self, name: str, content: Any) -> Path:
        """JSON in which a number that does not exist is null, never NaN."""
        text = json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return self.replace(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_table(self, name: str, table: pd.DataFrame) -> Path:
        """CSV or parquet by the name's suffix."""
        if name.endswith(".parquet"):
            return self.replace(name, lambda path: table.to_parquet(path))
        return self.replace(name, lambda path: table.to_csv(path, index=False, encoding="utf-8"))

    def read_json(self, name: str) -> Any:
        """Content of a JSON file of this run."""
        return json.loads(self.need(name).read_text(encoding="utf-8"))

    def read_table(self, name: str) -> pd.DataFrame:
        """Content of a parquet file of this run."""
        return pd.read_parquet(self.need(name))

    def forget(self) -> None:
        """Take away what was made of an earlier fit, so that no old number stands beside a new one."""
        for name in OF_A_FIT:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def need(self, name: str) -> Path:
        """Path of a file that an earlier step wrote."""
        path = self.path / name
        if not path.is_file():
            raise InputError("E_RUN_INCOMPLETE", self.path, f"has no {name}", "run `ovfrad fit STUDY` first")
        return path

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder; a second run in it is refused while the first lives."""
        lock = self.path / ".lock"
        try:
            handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise _unwritable(lock, error) from None
        try:
            _lock(handle, self.path)
            yield
        finally:
            os.close(handle)


def _lock(handle: int, path: Path) -> None:
    """Lock that the system drops with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl: there runs are not kept apart
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            "E_RUN_BUSY", path, "another run is writing here", "wait for it, or give another --out"
        ) from None


def _unwritable(path: Path, error: OSError) -> InputError:
    fault = f"cannot be written ({error.strerror or error})"
    return InputError("E_WRITE", path, fault, "choose a folder you can write to with --out, or free space")


def plain(value: Any) -> Any:
    """Python numbers, strings, lists and mappings in place of numpy's; a non-finite float becomes None.

    >>> plain({"auc": np.float64("nan"), "n": np.int64(3), "ci": (0.5, np.float32(0.75))})
    {'auc': None, 'n': 3, 'ci': [0.5, 0.75]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, str) else str(value)
