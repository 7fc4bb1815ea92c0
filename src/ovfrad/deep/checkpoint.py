"""State of a training run on disk: tensors as safetensors with the rest as JSON in its header, whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

EVERY_SECONDS = 60.0
"""Time between two checkpoints of one run: what an interruption costs at most, beside an epoch."""


class Checkpoint:
    """Folder of one training run.

    Parameters
    ----------
    folder : Path or None
        None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._written = time.monotonic()

    def keep(self, tensors: dict[str, Tensor], facts: dict[str, Any], *, last: bool = False) -> None:
        """Write the state if it is time to, or the last one."""
        if self.folder is None or not (last or time.monotonic() - self._written >= EVERY_SECONDS):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{os.getpid()}.part"
        text = json.dumps(facts)
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, draft, metadata={"facts": text})
        draft.replace(self.folder / "state.safetensors")
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """State last kept, or None; a file that is not whole counts as none."""
        path = None if self.folder is None else self.folder / "state.safetensors"
        if path is None or not path.is_file():
            return None
        with contextlib.suppress(SafetensorError, OSError, ValueError, KeyError):
            from safetensors import safe_open

            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
            return load_file(path), facts
        return None

    def forget(self) -> None:
        """Remove the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
