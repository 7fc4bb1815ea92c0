"""The command `ovfrad`: one command per step; parses, calls, prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ovfrad.cli import case_commands, model_commands, study_commands, table_commands  # noqa: F401 - they register
from ovfrad.cli.app import app
from ovfrad.cli.console import guarded

__all__ = ["app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code (0, 2, 3, 4; 1 is a bug)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(guarded(app, given))
