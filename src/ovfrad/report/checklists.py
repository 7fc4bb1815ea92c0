"""Reporting checklists: each item by number and gist, with what in the report answers it, or that the author must (H4).

CLEAR: Kocak B, et al. Insights Imaging 2023;14:75. TRIPOD+AI: Collins GS, et al. BMJ 2024;385:e078378. METRICS:
Kocak B, et al. Insights Imaging 2024;15:8. The gists are ours; the published wording decides. There is no score:
whether an item is met is for the author and the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.resources import files

import pandas as pd

from ovfrad.report.blocks import Block, Section, table, text
from ovfrad.report.inputs import ReportInput
from ovfrad.report.words import cohort_name

#: Name of the table, of the file of items, and of the checklist with its source.
CHECKLISTS = (
    ("checklist_clear", "clear", "CLEAR (Insights Imaging 2023;14:75)"),
    ("checklist_tripod_ai", "tripod_ai", "TRIPOD+AI (BMJ 2024;385:e078378)"),
    ("checklist_metrics", "metrics", "METRICS (Insights Imaging 2024;15:8)"),
)
MUST_FILL = "Author must fill"


def items(name: str) -> pd.DataFrame:
    """Items of one checklist: item, part, gist, artefacts, remains; all text.

    >>> items("clear").shape, items("tripod_ai")["item"].tolist()[2:5]
    ((58, 5), ['3a', '3b', '3c'])
    """
    with (files("ovfrad.report") / "checklists" / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def checklists(data: ReportInput, made: Sequence[Section]) -> Section:
    """The section; an item points only to what this report has."""
    known = _artefacts(data, made) | {f"table:{name}": f"tables/{name}.csv" for name, _, _ in CHECKLISTS}
    blocks: list[Block] = [
        text(
            "Each item with the part of this report that answers it; what only the author can know is marked. Numbers "
            "are those of the published lists, the gists are short reminders: read the published wording before "
            "signing. No score is computed. tables/checklists.docx has the same lists to be filled in."
        )
    ]
    for name, source, title in CHECKLISTS:
        frame = answered(items(source), known)
        blocks.append(table(frame, name, f"{title}: {len(frame)} items.", folded=True))
    return Section("checklists", "Checklists", blocks)


def _artefacts(data: ReportInput, made: Sequence[Section]) -> dict[str, str]:
    """Kind and name of everything that the report has, and how the reader finds it."""
    found = {f"section:{section.key}": f"section “{section.title}”" for section in made}
    for block in (block for section in made for block in section.blocks):
        if block.kind == "figure":
            found[f"figure:{block.name}"] = f"figures/{block.name}.svg"
        elif block.kind == "table":
            found[f"table:{block.name}"] = f"tables/{block.name}.csv"
    cohorts = {f"cohort:{cohort}": cohort_name(cohort) for cohort in data.cohorts if data.headline_block(cohort)}
    return found | cohorts


def answered(frame: pd.DataFrame, known: dict[str, str]) -> pd.DataFrame:
    """Columns Item, Part, Gist, Where, Author; `Where` names only artefacts that exist.

    >>> rows = [["1", "Data", "Flow", "figure:flow_chart;table:x", "dates"], ["2", "Data", "Aim", "", ""]]
    >>> frame = pd.DataFrame(rows, columns=["item", "part", "gist", "artefacts", "remains"])
    >>> answered(frame, {"figure:flow_chart": "figures/flow_chart.svg"})[["Where", "Author"]].values.tolist()
    [['figures/flow_chart.svg', 'Author must fill: dates'], ['–', 'Author must fill']]
    """
    rows = []
    for item in frame.itertuples(index=False):
        wanted = [pattern for pattern in str(item.artefacts).split(";") if pattern]
        where = [place for pattern in wanted for key, place in known.items() if fnmatchcase(key, pattern)]
        author = f"{MUST_FILL}: {item.remains}" if item.remains else "" if where else MUST_FILL
        rows.append((item.item, item.part, item.gist, "; ".join(dict.fromkeys(where)) or "–", author))
    return pd.DataFrame(rows, columns=["Item", "Part", "Gist", "Where", "Author"])
