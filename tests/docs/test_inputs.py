"""The page of what is read names every code of the reader, and no code that it does not have."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OF_WRITING = {"E_WRITE", "E_FOLDER_NOT_EMPTY"}
BY_RADIOMICS = {"W_NOT_CT"}
"""What `ovfrad radiomics` makes of refusals (E_NOT_CT and its like)."""


def test_every_rule_of_reading_is_documented() -> None:
    modules = (ROOT / "src/ovfrad/imaging").rglob("*.py")
    raised = {code for m in modules for code in re.findall(r'"([EW]_[A-Z0-9_]+)"', m.read_text(encoding="utf-8"))}
    page = (ROOT / "docs/inputs.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([EW]_[A-Z0-9_]+)`", page))
    assert len(raised) > 60
    assert raised - OF_WRITING - documented == set()
    assert documented - raised - BY_RADIOMICS == set()


def test_every_rule_says_when_it_holds() -> None:
    page = (ROOT / "docs/inputs.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if re.match(r"\| `[EW]_", line)]
    assert rows and all(len(cells) == 3 and len(cells[1].strip()) > 5 for cells in rows)
