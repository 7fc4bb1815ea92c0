"""Every input of the corpus through `ovfrad inspect --json`: right, right with a warning, or refused in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `corpus`, which is no part of the package under test

from corpus import ENTRIES, Entry
from corpus.base import MARKER, SEED, Inputs, body
from corpus.dicom import ROOT

from ovfrad.cli import app
from ovfrad.cli.console import guarded

EXACT = 1e-6
"""Relative; the centroid's is against its distance from the origin."""
PRIVATE = (MARKER.lower(), ROOT, "19480711", "20240229")
"""Names, UIDs and dates of every DICOM object of the corpus."""
SECONDS, BYTES = 20.0, 1.5e9
"""What reading may cost at most, whatever a header says."""


def built(entry: Entry, folder: Path) -> Inputs:
    return entry.build(folder, np.random.default_rng([SEED, zlib.crc32(entry.name.encode())]))


def command(inputs: Inputs) -> list[str]:
    return ["inspect", str(inputs.image), str(inputs.mask), *inputs.arguments, "--json"]


def differing(found: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Numbers that are not the true ones."""
    wrong = {}
    for key, value in truth.items():
        is_place = key == "centroid_lps"
        scale = np.linalg.norm(value) if is_place else abs(value)
        apart = np.abs(np.subtract(found.get(key, np.nan), value)).max()
        if not apart <= EXACT * max(float(scale), 1e-3):
            wrong[key] = (found.get(key), value)
    return wrong


def is_refusal(err: str, names: tuple[str, ...]) -> bool:
    """One line `E_CODE file: fault; remedy`, and the file is one of those at fault."""
    line = re.fullmatch(r"E_[A-Z0-9_]+ ([^\n]+?): [^\n]+; [^\n]+\n", err)
    return bool(line and any(err.split(" ", 1)[1].startswith(f"{name}: ") for name in names))


def faulty(entry: Entry, inputs: Inputs) -> tuple[str, ...]:
    """Names a refusal may begin with."""
    if inputs.faulty:
        return inputs.faulty
    if entry.kind == "mask":
        return (inputs.mask.name,)
    inside = [p.name for p in inputs.image.rglob("*")] if entry.kind == "dicom" and inputs.image.is_dir() else []
    return (inputs.image.name, *inside)


def outcome(entry: Entry, inputs: Inputs, code: int, out: str, err: str) -> str:
    """Which of the expectations was met; anything else is an assertion."""
    assert "Traceback" not in err
    assert not any(word in (out + err).lower() for word in PRIVATE), f"tells who the patient is: {err}"
    if code:
        assert code == 2, err
        assert is_refusal(err, faulty(entry, inputs)), err + out
        if out:
            assert list(json.loads(out)) == ["labels"], out
            return "listed"
        return "refused"
    found = json.loads(out)
    said = [line.split()[0] for line in err.splitlines()]
    assert found["warnings"] == err.splitlines()
    assert all(code.startswith("W_") for code in said), err
    wrong = differing(found, body().numbers() if inputs.truth is None else inputs.truth)
    if set(said) and any(code.startswith(entry.warns) for code in said):
        # A warning names the doubt; numbers are still those of the stated content.
        assert not wrong or entry.expect == {"refused", "warned"}, f"{wrong}\n{err}"
        return "equal" if all(code.startswith(entry.may or "-") for code in said) else "warned"
    assert not wrong, f"silently wrong: {wrong}"
    return "equal" if all(code.startswith(entry.may or "-") for code in said) else "warned otherwise"


IN_PROCESS = [name for name, entry in ENTRIES.items() if not entry.hostile]
HOSTILE = [name for name, entry in ENTRIES.items() if entry.hostile]


@pytest.mark.parametrize("name", IN_PROCESS)
def test_an_input_is_read_right_or_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = ENTRIES[name]
    inputs = built(entry, tmp_path)
    capsys.readouterr()
    code = guarded(app, command(inputs))
    out, err = capsys.readouterr()
    assert outcome(entry, inputs, code, out, err) in entry.expect, f"expected {set(entry.expect)}\n{err}{out}"


LAUNCH = """
import os, subprocess, sys
out, err, *command = sys.argv[1:]
with open(out, "wb") as o, open(err, "wb") as e:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=o, stderr=e)
    _, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
os._exit(0)
"""
"""A small process between: the peak memory of a child counts that of the process it was forked from."""


def measured(arguments: list[str], folder: Path) -> tuple[int, str, str, float]:
    """Exit code, stdout, stderr and peak memory (bytes) of a command; it is ended after `SECONDS`."""
    out, err = folder / "stdout", folder / "stderr"
    command = [sys.executable, "-S", "-c", LAUNCH, str(out), str(err), sys.executable, "-m", "ovfrad", *arguments]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, _ = launcher.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.communicate()
        pytest.fail(f"not done within {SECONDS:g} s")
    code, peak = (int(word) for word in said.split())
    unit = 1 if sys.platform == "darwin" else 1024
    return code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"), float(peak * unit)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_input_costs_little(name: str, tmp_path: Path) -> None:
    entry = ENTRIES[name]
    (tmp_path / "inputs").mkdir()
    inputs = built(entry, tmp_path / "inputs")
    code, out, err, peak = measured(command(inputs), tmp_path)
    assert outcome(entry, inputs, code, out, err) in entry.expect, f"expected {set(entry.expect)}\n{err}{out}"
    assert peak < BYTES, f"took {peak / 1e9:.2f} GB"


def test_the_corpus_is_large_and_its_names_say_what_is_in_it() -> None:
    assert len(ENTRIES) > 200
    for kind in ("image", "mask", "dicom"):
        expected = [entry.expect for entry in ENTRIES.values() if entry.kind == kind]
        assert sum("equal" in e for e in expected) >= 20
        assert sum("refused" in e for e in expected) >= 20
