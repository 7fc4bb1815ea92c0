"""Word files: the methods paragraph with the main tables, and the checklists to be filled in (METHODS H4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ovfrad.report.blocks import Block, Section
from ovfrad.report.inputs import ReportInput
from ovfrad.report.methods_text import methods
from ovfrad.report.opening import weights_text
from ovfrad.report.words import RESEARCH_ONLY

#: Tables that a manuscript shows, in its order.
MAIN = (
    "table1_baseline_by_cohort",
    "table2_class_by_treatment",
    "acquisition",
    "table3_headline",
    "comparisons",
    "operating_points",
    "calibration",
)
#: Longer tables are supplements, and stay CSV.
MOST_ROWS = 80


def write_manuscript(data: ReportInput, parts: Sequence[Section], path: Path) -> None:
    """Write methods, references and the main tables as far as the report has them."""
    document = _document(data, f"{data.study}: methods and tables")
    paragraphs, references = methods(data)
    if paragraphs:
        document.add_heading("Methods", 1)
        for head, words in paragraphs:
            document.add_heading(plain(head), 2)
            document.add_paragraph(plain(words))
        document.add_heading("References", 1)
        for line in references:
            document.add_paragraph(plain(line))
    found = {block.name: block for part in parts for block in part.blocks if block.kind == "table"}
    document.add_heading("Tables", 1)
    for name in MAIN:
        if name in found and len(found[name].shown) <= MOST_ROWS:
            _table(document, found[name])
    document.save(str(path))


def write_checklists(data: ReportInput, part: Section, path: Path) -> None:
    """Write every checklist as a table."""
    document = _document(data, f"{data.study}: reporting checklists")
    for block in part.blocks:
        if block.kind == "table":
            _table(document, block)
        elif block.text:
            document.add_paragraph(plain(block.text))
    document.save(str(path))


def _document(data: ReportInput, title: str) -> Any:
    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm

    document = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = Cm(29.7), Cm(21.0)
    for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
        setattr(section, side, Cm(1.8))
    document.core_properties.title, document.core_properties.author = plain(title), "ovfrad"
    document.add_heading(plain(title), 0)
    document.add_paragraph(plain(" · ".join(filter(None, [weights_text(data), RESEARCH_ONLY]))))
    return document


def _table(document: Any, block: Block) -> None:
    """One table under its caption, the head row repeated on every page; cells are set row by row, which is fast."""
    from docx.oxml import OxmlElement
    from docx.shared import Pt

    frame = block.shown
    document.add_heading(plain(block.title), 2)
    table = document.add_table(rows=len(frame) + 1, cols=frame.shape[1], style="Light Grid Accent 1")
    lines = [list(frame.columns), *frame.itertuples(index=False, name=None)]
    for row, line in zip(table.rows, lines, strict=True):
        for cell, value in zip(row.cells, line, strict=True):
            run = cell.paragraphs[0].add_run(plain(str(value)))
            run.font.size = Pt(8)
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    if block.text:
        document.add_paragraph(plain(block.text))


def plain(words: str) -> str:
    r"""Text without the control characters that XML, and so Word, cannot hold.

    >>> plain("P1\x1b[31m\x00 =cmd")
    'P1?[31m? =cmd'
    """
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in words)
