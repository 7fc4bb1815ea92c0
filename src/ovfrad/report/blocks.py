"""The pieces a report is made of: sections of paragraphs, tables, figures, and sentences for what is absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pandas as pd

from ovfrad.report.inputs import ReportInput

#: Names of the figures that exist.
Drawn = frozenset[str]


class Card(NamedTuple):
    """One number of the first page: what it is, the number, and how sure it is."""

    label: str
    value: str
    note: str


@dataclass(frozen=True, eq=False)
class Block:
    """One piece of a section.

    Attributes
    ----------
    kind : {"text", "list", "table", "figure", "absent", "code", "alert", "cards", "roc", "slices", "heading"}
        How it is set; `roc` and `slices` need scripts and are hidden without them.
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
    cards : sequence of Card
        Numbers of the first page.
    data : object
        What the scripts of `roc` and `slices` are given, as JSON.
    most : int or None
        Rows that the page shows of a long table; the CSV file has all.
    """

    kind: Literal["text", "list", "table", "figure", "absent", "code", "alert", "cards", "roc", "slices", "heading"]
    title: str = ""
    text: str = ""
    items: Sequence[str] = ()
    table: pd.DataFrame | None = None
    name: str = ""
    folded: bool = False
    alt: str = ""
    cards: Sequence[Card] = ()
    data: Any = None
    most: int | None = None

    @property
    def shown(self) -> pd.DataFrame:
        """Rows of the table that the page shows."""
        assert self.table is not None
        return self.table if self.most is None else self.table.head(self.most)

    @property
    def sortable(self) -> bool:
        """Whether rows may change places: three or more, none of them a level of the row above it."""
        frame = self.shown
        levels = frame.iloc[:, 0].astype(str).str.startswith("  ")
        return len(frame) > 2 and not levels.any()


@dataclass(frozen=True, eq=False)
class Section:
    """A heading of the report and its blocks."""

    key: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def text(sentence: str) -> Block:
    """Return a paragraph."""
    return Block("text", text=sentence)


def heading(words: str) -> Block:
    """Return a heading inside a section."""
    return Block("heading", title=words)


def absent(sentence: str) -> Block:
    """Return the sentence that says why a part is not there."""
    return Block("absent", text=sentence)


def table(
    frame: pd.DataFrame | None, name: str, title: str, note: str = "", otherwise: str = "", folded: bool = False,
    most: int | None = None,
) -> Block:  # fmt: skip
    """Return a table, or the sentence `otherwise` when there is none."""
    if frame is None or frame.empty:
        return absent(otherwise)
    return Block("table", title=title, text=note, table=frame, name=name, folded=folded, most=most)


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
