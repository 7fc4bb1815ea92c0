"""The page on evaluation: its Python runs, and its tables are those that were measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    y = np.arange(80) % 2
    p = (0.3 + 0.3 * y + 0.2 * np.random.default_rng(0).random(80)).round(3)
    table = pd.DataFrame({"patient_id": [f"P{k}" for k in range(80)], "y_true": y, "p_0": (1 - p).round(3), "p_1": p})
    table.to_csv("predictions.csv", index=False)
    names: dict[str, Any] = {}
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for block in shown:
        exec(compile(block, "docs/evaluation.md", "exec"), names)
    assert len(shown) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1.0"


def test_what_the_page_says_was_measured_is_within_what_is_promised() -> None:
    """Coverage of class 2 and macro .925 to .985, plain DeLong and percentiles below; type I error .03 to .07."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    coverage = [line for line in lines if len(line) == 7 and line[0].isdigit()]
    sizes = [line for line in lines if len(line) == 4 and line[0].isdigit()]
    assert len(coverage) == 12
    for *_, class_2, macro, plain, percentiles in coverage:
        assert 0.925 <= float(class_2) <= 0.985
        assert 0.925 <= float(macro) <= 0.985
        assert max(float(plain), float(percentiles)) < float(class_2)
    assert len(sizes) == 6
    assert all(0.03 <= float(line[2]) <= 0.07 for line in sizes)
