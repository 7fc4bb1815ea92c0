"""Checklists point to what is there, carry no score, and come as CSV and Word with hostile names as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from docx import Document

from ovfrad.report import ReportInput, write_report
from ovfrad.report.checklists import MUST_FILL, items

HOSTILE = ['=cmd|"/C calc"!A0', "<script>alert(1)</script>", "../../etc/passwd", 'a,"b";c', "\x1b[31mred\x00"]
CHECKS = {"checklist_clear": 58, "checklist_tripod_ai": 52, "checklist_metrics": 35}


@pytest.fixture(scope="module")
def hostile(full: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report without figures of results, for patients and a study with names made to break things."""
    cases = full.cases.head(40).copy()
    cases["patient_id"] = [HOSTILE[n % len(HOSTILE)] + str(n) for n in range(len(cases))]
    bad = pd.DataFrame({"patient_id": HOSTILE, "vertebra": "L1", "reason": HOSTILE})
    acquired = pd.DataFrame({"center": HOSTILE, "scanner": HOSTILE, "kvp": 120.0})
    data = ReportInput(
        HOSTILE[1],
        full.classes,
        cases,
        quarantine=bad,
        acquisition=acquired,
        selection={HOSTILE[2]: full.selection["none"]},
    )
    return write_report(data, tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize(("name", "source"), [("checklist_clear", "clear"), ("checklist_tripod_ai", "tripod_ai"),
                                              ("checklist_metrics", "metrics")])  # fmt: skip
def test_items_are_whole_and_numbered_once(name: str, source: str) -> None:
    table = items(source)
    assert len(table) == CHECKS[name] and table["item"].is_unique
    assert table["gist"].str.len().between(3, 90).all()
    kinds = {one.split(":")[0] for cell in table["artefacts"] for one in cell.split(";") if one}
    assert kinds <= {"figure", "table", "section", "cohort"}
    assert (table["artefacts"].ne("") | table["remains"].ne("")).all()


def test_answers_name_files_that_exist_and_what_the_author_must_add(written_full: Path) -> None:
    for name, count in CHECKS.items():
        table = pd.read_csv(written_full.parent / "tables" / f"{name}.csv", dtype=str, keep_default_na=False)
        assert len(table) == count and list(table.columns) == ["Item", "Part", "Gist", "Where", "Author"]
        named = {
            part for cell in table["Where"] for part in cell.split("; ") if part.startswith(("figures/", "tables/"))
        }
        assert len(named) > 8
        assert all((written_full.parent / part).is_file() for part in named)
        assert table.loc[table["Where"] == "–", "Author"].str.startswith(MUST_FILL).all()
        assert not table.to_csv().lower().count("score:")


def test_an_item_without_its_artefact_is_left_to_the_author(hostile: Path) -> None:
    table = pd.read_csv(hostile.parent / "tables" / "checklist_metrics.csv", dtype=str, keep_default_na=False)
    external = table[table["Item"] == "27"].iloc[0]
    assert external["Where"] == "–" and external["Author"] == f"{MUST_FILL}: an external cohort"


def test_word_files_hold_the_same_rows(written_full: Path) -> None:
    document = Document(str(written_full.parent / "tables" / "checklists.docx"))
    assert [len(table.rows) - 1 for table in document.tables] == list(CHECKS.values())
    manuscript = Document(str(written_full.parent / "tables" / "manuscript.docx"))
    frame = pd.read_csv(written_full.parent / "tables" / "table3_headline.csv", dtype=str, keep_default_na=False)
    shown = [[cell.text for cell in row.cells] for table in manuscript.tables for row in table.rows[1:]]
    assert all(row in shown for row in frame.to_numpy().tolist())


def test_hostile_names_are_text_everywhere(hostile: Path) -> None:
    text = hostile.read_text(encoding="utf-8")
    assert (
        "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "\x1b" not in text and "\x00" not in text
    )
    frame = pd.read_csv(hostile.parent / "tables" / "quarantine.csv", dtype=str)
    assert frame["Patient id"].tolist()[0].startswith("'=cmd") and frame["Reason"].tolist()[3] == 'a,"b";c'
    assert frame["Patient id"].tolist()[4] == "?[31mred?"
    for name in ("manuscript", "checklists"):
        words = "\n".join(p.text for p in Document(str(hostile.parent / "tables" / f"{name}.docx")).paragraphs)
        assert "<script>alert(1)</script>" in words
    cells = [c.text for t in Document(str(hostile.parent / "tables" / "manuscript.docx")).tables
             for r in t.rows for c in r.cells]  # fmt: skip
    assert {HOSTILE[0], HOSTILE[2], "?[31mred?"} <= set(cells)
    made = [f.relative_to(hostile.parent).as_posix() for f in hostile.parent.rglob("*") if f.is_file()]
    assert all(part.replace("/", "").replace(".", "").replace("_", "").replace("-", "").isalnum() for part in made)
    assert "tables/feature_counts_etc-passwd.csv" in made


def test_a_study_name_with_terminal_codes_prints_in_word(full: ReportInput, tmp_path: Path) -> None:
    page = write_report(replace(ReportInput("bare", full.classes, full.cases.head(30)), study=HOSTILE[4]), tmp_path)
    assert Document(str(page.parent / "tables" / "manuscript.docx")).paragraphs[0].text.startswith("?[31mred?")
