"""What the honesty checks say of phantom images: their table is clean."""

from __future__ import annotations

import json
from pathlib import Path

OF_THE_TABLE = ("isolation", "label proxy", "label parts", "order and names", "gaps", "siblings", "duplicates",
                "copies", "near copies", "synthetic rows")  # fmt: skip


def test_a_phantom_raises_no_alarm(phantom_run: Path) -> None:
    """Its flatness follows the morphology item, as it should: image features are measurements."""
    audit = json.loads((phantom_run / "audit.json").read_text(encoding="utf-8"))
    rows = {row["check"]: row for row in audit["rows"]}
    assert [rows[name]["text"] for name in OF_THE_TABLE if rows[name]["status"] != "PASS"] == []
