"""Figures of the closer looks: macro AUC by subgroup, and the gallery of single cases (METHODS F7, H3; paper Fig 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ovfrad.report.figures_cases import plane_picture
from ovfrad.report.inputs import ReportInput
from ovfrad.report.style import GREY, INK, drawable, grid, new_figure
from ovfrad.report.table_detail import ROWS_WORDS, VARIABLE_WORDS, level_name, prediction_words
from ovfrad.report.words import class_name, cohort_name, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most subgroups drawn; the table has all.
MOST_LEVELS = 40
_SHADES = {"train": GREY, "validation": "#0072B2"}
Block = Mapping[str, Any]
Line = tuple[str, str]


def subgroup_forest(data: ReportInput) -> Figure | None:
    """Macro AUC of the headline model in each subgroup, one panel per set of rows; dashed: all rows of the set."""
    blocks = [
        b for b in (data.results or {}).get("subgroups") or [] if known((b.get("macro_auc") or {}).get("estimate"))
    ]
    if not any(b["variable"] != "all" for b in blocks):
        return None
    lines = _lines(blocks)
    sets = list(dict.fromkeys(b["rows"] for b in blocks))
    figure = new_figure(0.9 + 0.2 * len(lines))
    every = figure.subplots(1, len(sets), sharey=True, sharex=True, squeeze=False)[0]
    for axes, name in zip(every, sets, strict=True):
        found = {(b["variable"], b["level"]): b for b in blocks if b["rows"] == name}
        _forest(axes, found, lines, _SHADES.get(name, INK))
        axes.set_title(drawable(ROWS_WORDS.get(name, name)), fontsize=8.5)
        axes.set_xlabel("Macro AUC (95% CI)")
    names = [_label(variable, level) for variable, level in lines]
    every[0].set_yticks(range(len(lines)), names, fontsize=7.5)
    for text, (_, level) in zip(every[0].get_yticklabels(), lines, strict=True):
        text.set_fontweight("bold" if level in ("", "all") else "normal")
    every[0].set_ylim(len(lines) - 0.4, -0.6)
    return figure


def _lines(blocks: Sequence[Block]) -> list[Line]:
    """Lines of the plot: (variable, level), before each variable's levels a line (variable, "") with its name."""
    order = list(VARIABLE_WORDS)
    found = sorted({(b["variable"], b["level"]) for b in blocks}, key=lambda line: (order.index(line[0]), line[1]))
    lines: list[Line] = []
    for variable, level in found[:MOST_LEVELS]:
        if variable != "all" and (variable, "") not in lines:
            lines.append((variable, ""))
        lines.append((variable, level))
    return lines


def _label(variable: str, level: str) -> str:
    if level in ("", "all"):
        return VARIABLE_WORDS.get(variable, variable)
    return drawable(level_name(level), 28)


def _forest(axes: Axes, found: Mapping[Line, Block], lines: Sequence[Line], shade: str) -> None:
    for row, line in enumerate(lines):
        if line not in found:
            continue
        value, n = found[line]["macro_auc"], found[line]["n"]
        whole = known(value.get("low"))
        if whole:
            axes.hlines(row, value["low"], value["high"], color=shade, lw=1.1)
        mark = "D" if line[0] == "all" else "o"
        axes.plot(value["estimate"], row, mark, color=shade, ms=3.8, mfc=shade if whole else "white")
        axes.text(1.02, row, f"n {n}", transform=axes.get_yaxis_transform(), fontsize=6.5, va="center", color=GREY)
    total = (found.get(("all", "all")) or {}).get("macro_auc") or {}
    if known(total.get("estimate")):
        axes.axvline(total["estimate"], color=shade, lw=0.8, ls="--", zorder=0)
    axes.axvline(0.5, color=GREY, lw=0.8, ls=":", zorder=0)
    axes.tick_params(axis="y", length=0)
    grid(axes, "x")


def gallery(data: ReportInput) -> Figure | None:
    """Sagittal and axial section of each case of the gallery, with the true class and what the models said."""
    found = data.gallery
    if found is None or not found.pictures or found.cases.empty:
        return None
    columns = _columns(found.cases)
    rows = max(map(len, columns))
    figure = new_figure(0.35 + 2.1 * rows, layout="constrained")
    outer = figure.subfigures(rows, 2, squeeze=False, wspace=0.03, hspace=0.02)
    for place, column in enumerate(columns):
        for row, case in enumerate(column):
            _case(outer[row, place], data, case, first=row == 0)
    return figure


def _columns(cases: pd.DataFrame) -> list[list[Any]]:
    """Cases of the left and of the right column: the two directions, or errors dealt out in turn."""
    if "error" in set(cases["direction"]):
        return [list(cases.index[0::2]), list(cases.index[1::2])]
    return [list(cases.index[cases["direction"] == name]) for name in ("ours", "theirs")]


def _case(part: Any, data: ReportInput, case: Any, first: bool) -> None:
    assert data.gallery is not None
    row, two = data.gallery.cases.loc[case], bool(data.gallery.theirs)
    head = {"ours": data.gallery.ours, "theirs": data.gallery.theirs}.get(row["direction"], "")
    true = class_name(row["y_true"], data.classes, data.outcome)
    cohort = cohort_name(row["cohort"]).split(" ")[0].lower()
    lines = [f"{drawable(' '.join(map(str, case)), 24)} · {cohort} · true {drawable(true, 26)}"]
    for name, said, p in prediction_words(data, row, two):
        lines.append(f"{drawable(name.split(', ')[0] if two else 'said', 22)}: {drawable(said, 24)}, {p}")
    title = f"Only {drawable(head, 46)} is right\n" if head and first else ""
    part.suptitle(title + "\n".join(lines), fontsize=6.8, x=0.02, ha="left", linespacing=1.35)
    picture = data.gallery.pictures.get(case)
    panels = part.subplots(1, 2)
    for axes, plane in zip(panels, ("sagittal", "axial"), strict=True):
        if picture is None:
            axes.set_visible(False)
        else:
            plane_picture(axes, picture, plane)
