"""Commands that need no network do not load torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import sys
from ovfrad.cli import app
from ovfrad.cli.console import guarded
code = guarded(app, sys.argv[1:])
print("torch" in sys.modules, code)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["astlof", "--morphology", "1", "--mri", "1", "--t-score", "-3.1", "--pain", "1"],
        ["weights", "where"],
        ["radiomics", "--list"],
        ["study", "schema"],
    ],
    ids=lambda command: command[0],
)
def test_command_runs_without_torch(command):
    done = subprocess.run([sys.executable, "-c", PROBE, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False 0"
