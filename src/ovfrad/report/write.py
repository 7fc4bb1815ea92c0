"""Write the report of one run: tables as CSV, figures as SVG and PNG, one HTML page; all or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pandas as pd

from ovfrad.report.blocks import Section
from ovfrad.report.inputs import ReportInput
from ovfrad.report.opening import weights_text
from ovfrad.report.sections import sections
from ovfrad.report.sections_explain import nomogram_names, waterfall_names
from ovfrad.report.style import house_style, save, slug
from ovfrad.report.word import write_checklists, write_manuscript
from ovfrad.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Begins the name of the folder in which a report is made before it is moved to its place.
UNFINISHED = ".report-"
#: First characters of what a spreadsheet may run as a formula, and what looks like that but is a number.
_FORMULA = ("=", "+", "-", "@")
_NUMBER = re.compile(r"-\d[\d.]*%?( \([\d. to-]+\)| \(no interval\))?")
#: Figures with photographs or many points are written at this resolution to stay small.
_PHOTO_DPI = {"roi_montage": 220, "gallery": 220, "mesh": 220}


def write_report(data: ReportInput, folder: Path, progress: Callable[[int, int], Any] | None = None) -> Path:
    """Write `tables/*.{csv,docx}`, `figures/*.{svg,png}` and `report.html` into `folder`.

    Everything is made beside its place first and moved there when complete; `report.html` comes last.

    Parameters
    ----------
    data : ReportInput
    folder : Path
        Run folder; created when absent.
    progress : callable, optional
        Called with the figures that are done, and all that may be drawn.

    Returns
    -------
    Path
        The page.
    """
    from ovfrad.report.html import render

    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{UNFINISHED}*"):  # of a report that was killed
        shutil.rmtree(left)
    made = Path(mkdtemp(prefix=UNFINISHED, dir=folder))
    try:
        (made / "tables").mkdir()
        (made / "figures").mkdir()
        drawn = draw_all(data, made / "figures", progress)
        parts = sections(data, frozenset(drawn))
        write_tables(data, parts, made / "tables")
        write_manuscript(data, parts, made / "tables" / "manuscript.docx")
        write_checklists(data, parts[-1], made / "tables" / "checklists.docx")
        (made / "report.html").write_text(render(data, parts, made / "figures"), encoding="utf-8")
        _move(made, folder)
    finally:
        shutil.rmtree(made)
    return folder / "report.html"


def _move(made: Path, folder: Path) -> None:
    """Put the new files in place of the old ones, the page last."""
    for name in ("tables", "figures"):
        if (folder / name).exists():
            (folder / name).rename(made / f"old-{name}")
        (made / name).rename(folder / name)
    (made / "report.html").replace(folder / "report.html")


def drawings(data: ReportInput) -> Iterator[tuple[str, Callable[[], Figure | None]]]:
    """Name and drawing of every figure that the input may allow."""
    from ovfrad.report import (
        figures_cases,
        figures_deep,
        figures_detail,
        figures_explain,
        figures_filters,
        figures_groups,
        figures_nomogram,
        figures_results,
        figures_selection,
        figures_workflow,
    )

    yield "flow_chart", partial(figures_cases.flow_chart, data)
    yield "workflow", partial(figures_workflow.workflow, data)
    for name in ("montage", "mesh"):
        yield {"montage": "roi_montage"}.get(name, name), partial(getattr(figures_cases, name), data)
    yield "icc", partial(figures_filters.reproducibility, data)
    yield "spearman_clusters", partial(figures_filters.redundancy, data)
    for arm, trace in data.selection.items():
        yield f"lasso_{slug(arm)}", partial(figures_selection.lasso, trace)
        yield f"rad_score_{slug(arm)}", partial(figures_selection.rad_score, trace)
    for name in ("roc", "all_models", "confusion", "reliability", "decision_curves"):
        yield name, partial(getattr(figures_results, name), data)
    for name in ("subgroup_forest", "gallery"):
        yield name, partial(getattr(figures_detail, name), data)
    for name in ("patches", "learning_curves", "attribution", "excited"):
        yield name, partial(getattr(figures_deep, name), data)
    for name in ("shap_bar", "shap_beeswarm", "shap_decision"):
        yield name, partial(getattr(figures_explain, name), data)
    for place, name in enumerate(waterfall_names(data)):
        yield name, partial(figures_explain.shap_waterfall, data, place)
    yield "shap_groups", partial(figures_groups.shap_groups, data)
    yield "shap_models", partial(figures_groups.shap_models, data)
    for model, shap in data.shap_models.items():
        yield f"shap_{slug(model)}", partial(figures_explain.shap_beeswarm, replace(data, shap=shap))
    for name, one in nomogram_names(data.nomogram) if data.nomogram is not None else ():
        yield name, partial(figures_nomogram.nomogram, one)


def draw_all(data: ReportInput, folder: Path, progress: Callable[[int, int], Any] | None = None) -> list[str]:
    """Draw every figure for which there is something to draw; return their names."""
    version = data.run.get("version", "")
    footer = " · ".join(filter(None, [f"ovfrad {version}".strip(), data.study, weights_text(data), RESEARCH_ONLY]))
    drawn = []
    with house_style():
        wanted = list(drawings(data))
        for done, (name, draw) in enumerate(wanted):
            if progress is not None:
                progress(done, len(wanted))
            figure = draw()
            if figure is not None:
                save(figure, folder, name, footer, dpi=_PHOTO_DPI.get(name, 300))
                drawn.append(name)
    if progress is not None:
        progress(len(wanted), len(wanted))
    return drawn


def write_tables(data: ReportInput, parts: list[Section], folder: Path) -> None:
    """Write each table as shown, and a README that says what the files are."""
    lines = []
    for block in (b for part in parts for b in part.blocks if b.kind == "table" and b.table is not None):
        assert block.table is not None
        spreadsheet_safe(block.table).to_csv(folder / f"{block.name}.csv", index=False, encoding="utf-8")
        lines.append(f"{block.name}.csv: {block.title} {block.text}".strip())
    notes = " · ".join(filter(None, [weights_text(data), RESEARCH_ONLY]))
    lines += ["manuscript.docx: methods paragraph, references and main tables.", "checklists.docx: to be filled in."]
    head = f"Tables of the study {data.study}, as shown in report.html. {notes}."
    (folder / "README.txt").write_text("\n".join([head, "", *lines, ""]), encoding="utf-8")


def spreadsheet_safe(frame: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe; control characters become `?`.

    >>> spreadsheet_safe(pd.DataFrame({"id": ["=cmd()", "-0.31 (no interval)", "-2.8"]}))["id"].tolist()
    ["'=cmd()", '-0.31 (no interval)', '-2.8']
    """
    out = frame.map(_safe)
    out.columns = [_safe(str(c)) for c in frame.columns]
    return out


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = "".join(c if c.isprintable() or c == "\n" else "?" for c in value)
    return f"'{text}" if text[:1] in _FORMULA and not _NUMBER.fullmatch(text) else text
