"""What `evaluate PREDICTIONS.csv --out DIR` leaves: results.json, tables as CSV, figures as SVG and PNG (F9)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd

import ovfrad
from ovfrad.errors import InputError, warn
from ovfrad.evaluation.consistency import TRAINING
from ovfrad.evaluation.sample_size import interval_widths
from ovfrad.report import table_detail, table_results
from ovfrad.report.inputs import ReportInput
from ovfrad.report.words import RESEARCH_ONLY
from ovfrad.report.write import spreadsheet_safe
from ovfrad.workflow import detail
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.foreign import LEVEL, MODEL_KEYS, NONE, Block, Foreign, Model, closer, where

#: What the figures call the rows of cohort `train`: whether they are nested, the file does not tell.
TRAINING_ROWS = "training rows"
#: Most models of which all figures are drawn; of more, those of the first in the table.
MOST_DRAWN = 4
#: Columns of table 3 that scores which only rank do not have.
UNRANKED = ("AUC micro", "Accuracy", "No-information")
FIGURES = ("roc", "reliability", "decision_curves", "confusion")
#: Tables of one model, by the name of their file.
TABLES = {
    "operating_points": table_results.operating_points,
    "calibration": table_results.calibration_table,
    "confusion": table_results.confusion_table,
    "subgroups": table_detail.subgroup_table,
    "within_center": table_detail.within_center_table,
    "conformal_sets": table_detail.conformal_table,
}


@dataclass(frozen=True, eq=False)
class Results:
    """Blocks of every model and cohort, and the comparisons."""

    blocks: list[tuple[Model, str, Block]]
    pairs: list[Block]


def write_results(folder: RunFolder, table: Foreign, results: Results, progress: Progress) -> Path:
    """Write the files and return the path of results.json, which comes last and lists the others.

    Every file is made beside its place and moved there when complete. Files of an earlier evaluation in this folder
    that this one does not write are taken away, other files are left alone.
    """
    for left in folder.path.glob(".evaluate-*"):  # of an evaluation that was killed
        shutil.rmtree(left, ignore_errors=True)
    earlier = _listed(folder)
    (folder / "results.json").unlink(missing_ok=True)  # no old result beside a new figure
    details = {table.label(model): closer(table, model) for model in table.models}
    data = report_input(table, results)
    try:
        made = Path(mkdtemp(prefix=".evaluate-", dir=folder.path))
        try:
            _tables(data, table, results, details, made)
            _figures(data, table, details, made, progress)
            files = _move(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        for name in earlier - set(files):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        fault = f"cannot be written ({error.strerror or error})"
        raise InputError("E_WRITE", folder.path, fault, "free space, or choose another --out") from None
    content = {
        "notice": f"{RESEARCH_ONLY}.",
        "source": table.name,
        "level": LEVEL,
        "tables": {where(table, model, cohort): block for model, cohort, block in results.blocks},
        "comparisons": results.pairs,
        "details": details,
        "files": files,
    }
    return folder.write_json("results.json", content)


def _listed(folder: RunFolder) -> set[str]:
    """Files that an earlier evaluation wrote here; none where its results.json is no such list."""
    try:
        found = folder.read_json("results.json").get("files", [])
    except (InputError, ValueError, AttributeError):
        return set()
    return {str(name) for name in found if str(name).startswith(("tables/", "figures/")) and ".." not in str(name)}


def _move(made: Path, folder: RunFolder) -> list[str]:
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    for name in names:
        folder.replace(name, lambda path, source=made / name: source.replace(path))  # type: ignore[misc]
    return names


def training_name(table: Foreign) -> str:
    """What the files call cohort `train`; another name where the table has a cohort of that one."""
    name = TRAINING_ROWS
    while name in table.cohorts:
        name += f" ({TRAINING})"
    return name


def report_input(table: Foreign, results: Results) -> ReportInput:
    """The table and its results as the report's figures and tables take them; `headline` is the first model."""
    training = training_name(table)
    rows = table.rows.assign(cohort=table.rows["cohort"].replace({TRAINING: training}))
    recipes: Block = {}
    for (recipe, arm, model), cohort, block in results.blocks:
        cohorts = recipes.setdefault(recipe, {"cohorts": {}})["cohorts"]
        cohorts.setdefault(training if cohort == TRAINING else cohort, {}).setdefault(arm, {})[model] = block
    cases = rows.drop_duplicates(["cohort", *detail.KEYS])[["cohort", *detail.KEYS]]
    return ReportInput(
        study=table.name,
        classes=[str(k) for k in range(table.classes)],
        cases=cases.assign(y=rows.loc[cases.index, "y_true"]),
        run={"version": ovfrad.__version__},
        outcome="y_true",
        ordered=table.ordered,
        unit="rows",
        source="features",
        predictions=rows,
        results={"recipes": recipes, "headline": dict(zip(MODEL_KEYS, table.models[0], strict=True))},
    )


def _of(data: ReportInput, table: Foreign, model: Model, details: Mapping[str, Any]) -> ReportInput:
    """The input whose headline is `model`."""
    words = {TRAINING: training_name(table)}
    named = {
        "headline": dict(zip(MODEL_KEYS, model, strict=True)),
        "subgroups": [block | {"rows": words.get(block["rows"], block["rows"])} for block in details["subgroups"]],
        "within_center": {words.get(k, k): block for k, block in (details["within_center"] or {}).items()},
    }
    return replace(data, results=dict(data.results or {}) | dict(details) | named)


def _tables(data: ReportInput, table: Foreign, results: Results, details: Mapping[str, Any], made: Path) -> None:
    folder = made / "tables"
    folder.mkdir()
    found: dict[str, pd.DataFrame | None] = {"estimates": estimates(table, results), "sample_size": sizes(table)}
    found["table3"] = _only_given(table_results.table_three(data), table)
    found["comparisons"] = pd.DataFrame(results.pairs)
    for name, make in TABLES.items():
        if table.ranking_only and name in ("calibration", "confusion", "conformal_sets"):
            continue
        parts = [(table.label(m), make(_of(data, table, m, details[table.label(m)]))) for m in table.models]
        whole = [part.assign(Model=label) if label else part for label, part in parts if part is not None]
        found[name] = pd.concat(whole, ignore_index=True).fillna("") if whole else None
    for name, frame in found.items():
        if frame is not None and len(frame):
            front = [c for c in ("Model",) if c in frame and name in TABLES]
            ordered = frame[[*front, *(c for c in frame if c not in front)]]
            spreadsheet_safe(ordered).to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")


def _only_given(frame: pd.DataFrame | None, table: Foreign) -> pd.DataFrame | None:
    """Table 3 without the columns that the file does not tell."""
    if frame is None:
        return None
    absent = [key.capitalize() for key in ("cohort", *MODEL_KEYS) if key not in table.given]
    return frame.drop(columns=[*absent, *(UNRANKED if table.ranking_only else [])])


def estimates(table: Foreign, results: Results) -> pd.DataFrame:
    """Every estimate with all its digits, one a row."""
    rows = []
    for model, cohort, block in results.blocks:
        names = {"cohort": cohort} | dict(zip(MODEL_KEYS, model, strict=True))
        for metric, value in _leaves(block):
            rows.append({**{k: v for k, v in names.items() if v != NONE}, "metric": metric, **value})
    return pd.DataFrame(rows)


def _leaves(block: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in block.items():
        if isinstance(value, Mapping) and "method" in value:
            yield f"{path}{key}", value
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")


def sizes(table: Foreign) -> pd.DataFrame:
    """The interval that each class of each cohort could get at an AUC of 0.80 (F8)."""
    found = []
    for cohort in table.cohorts:
        rows = table.rows[table.rows["cohort"] == cohort].drop_duplicates(detail.KEYS)
        counts = rows["y_true"].value_counts().reindex(range(table.classes), fill_value=0).tolist()
        found.append(interval_widths(counts, level=LEVEL).assign(cohort=cohort))
    frame = pd.concat(found, ignore_index=True)
    return frame[["cohort", *(c for c in frame if c != "cohort")]]


def _figures(data: ReportInput, table: Foreign, details: Mapping[str, Any], made: Path, progress: Progress) -> None:
    from ovfrad.report import figures_detail, figures_results
    from ovfrad.report.style import house_style, save, slug

    folder = made / "figures"
    folder.mkdir()
    several, drawn = len(table.models) > 1, table.models
    if len(drawn) > MOST_DRAWN:
        fault = f"{len(drawn)} models; beside the overview, figures show the first"
        warn("W_FIGURES", table.name, fault, f"give a table of {MOST_DRAWN} models or fewer for those of others")
        drawn = drawn[:1]
    jobs = [("all_models", figures_results.all_models, data, "")] if several else []
    kinds = [k for k in FIGURES if not (table.ranking_only and k != "roc")]
    names: set[str] = set()
    for model in drawn:
        label = table.label(model)
        suffix = f"_{slug(label)}" if several else ""
        while suffix and suffix in names:
            suffix += "x"
        names.add(suffix)
        own = _of(data, table, model, details[label])
        jobs += [(f"{kind}{suffix}", getattr(figures_results, kind), own, label) for kind in kinds]
        jobs.append((f"subgroup_forest{suffix}", figures_detail.subgroup_forest, own, label))
    with house_style():
        for done, (name, draw, own, label) in enumerate(jobs):
            progress("figures", done, len(jobs))
            if (figure := draw(own)) is not None:
                parts = (f"ovfrad {ovfrad.__version__}", table.name, label, RESEARCH_ONLY)
                save(figure, folder, name, " · ".join(filter(None, parts)))
    progress("figures", len(jobs), len(jobs))
