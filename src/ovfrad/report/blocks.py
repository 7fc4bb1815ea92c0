"""The pieces a report is made of: sections of paragraphs, tables, figures, and sentences for what is absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from ovfrad.report.inputs import ReportInput

#: Names of the figures that exist.
Drawn = frozenset[str]


@dataclass(frozen=True, eq=False)
class Block:
    """One piece of a section.

    Attributes
    ----------
    kind : {"text", "list", "table", "figure", "absent", "code", "alert"}
        How it is set.
    title : str
        Caption of a table or figure.
    text : str
        Paragraph, note under a table or figure, or the sentence about what is absent.
    items : sequence of str
        Entries of a list.
    table : DataFrame of str, optional
        Cells as shown and as written to CSV.
    name : str
        File name without ending, for tables and figures.
    folded : bool
        Whether it is closed until the reader opens it.
    alt : str
        What a figure shows, for readers who do not see it.
    """

    kind: Literal["text", "list", "table", "figure", "absent", "code", "alert"]
    title: str = ""
    text: str = ""
    items: Sequence[str] = ()
    table: pd.DataFrame | None = None
    name: str = ""
    folded: bool = False
    alt: str = ""


@dataclass(frozen=True, eq=False)
class Section:
    """A heading of the report and its blocks."""

    key: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def text(sentence: str) -> Block:
    """Return a paragraph."""
    return Block("text", text=sentence)


def absent(sentence: str) -> Block:
    """Return the sentence that says why a part is not there."""
    return Block("absent", text=sentence)


def table(
    frame: pd.DataFrame | None, name: str, title: str, note: str = "", otherwise: str = "", folded: bool = False
) -> Block:
    """Return a table, or the sentence `otherwise` when there is none."""
    if frame is None or frame.empty:
        return absent(otherwise)
    return Block("table", title=title, text=note, table=frame, name=name, folded=folded)


def figure(
    drawn: bool, name: str, title: str, note: str = "", alt: str = "", otherwise: str = "", folded: bool = False
) -> Block:
    """Return a figure, or the sentence `otherwise` when it was not drawn."""
    if not drawn:
        return absent(otherwise)
    return Block("figure", title=title, text=note, name=name, alt=alt or title, folded=folded)


#: Parts that need images, in words.
IMAGE_PARTS = {
    "montage": "Pictures of vertebrae are",
    "mesh": "The surface picture is",
    "acquisition": "The acquisition table is",
}


def why_absent(data: ReportInput, part: str, otherwise: str) -> str:
    """The workflow's reason for an absent part, or ours."""
    if data.source == "features" and part in IMAGE_PARTS:
        return f"{IMAGE_PARTS[part]} absent: the study started from a feature table; no image was read."
    return data.absent.get(part, otherwise)
