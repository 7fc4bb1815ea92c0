"""Sections of the closer looks: subgroups, single cases, conformal sets, sizes, the two recipes (METHODS F6 to F8, H3).

A run of an older version has none of these results; its report says that they were not computed.
"""

from __future__ import annotations

from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, table, text, why_absent
from ovfrad.report.inputs import ReportInput
from ovfrad.report.table_detail import (
    conformal_table,
    conformal_words,
    gallery_table,
    recipe_table,
    sample_size_table,
    sample_size_words,
    subgroup_table,
    within_center_table,
)


def detail(data: ReportInput, drawn: Drawn) -> Section:
    """Subgroups, within-centre AUC and the gallery."""
    return Section("detail", "Subgroups and single cases", [*_subgroups(data, drawn), *_gallery(data, drawn)])


def _subgroups(data: ReportInput, drawn: Drawn) -> list[Block]:
    if not (data.results or {}).get("subgroups"):
        return [absent("Subgroups are absent: they were not computed in this run.")]
    note = (
        "Training rows are out of fold (nested) and never mixed with the others; the validation cohorts, predicted by "
        "one model, are pooled, since each is too small to be cut. "
    )
    blocks = [
        text(
            f"Subgroups of the headline model. {note}They describe: no test was planned for them, and the more "
            "subgroups there are, the more of them stray by chance."
        )
    ]
    drawing = figure(
        "subgroup_forest" in drawn,
        "subgroup_forest",
        "Macro AUC by subgroup: dashed line, all rows; dotted line, guessing; hollow marks have no interval.",
        folded=True,
        otherwise="No subgroup plot: the case table has no column that makes two subgroups.",
    )
    return [
        *blocks,
        drawing,
        table(
            subgroup_table(data),
            "subgroups",
            "Subgroups of the headline model.",
            "Age is cut at 70 years, near the mean age of the published cohort. No AUC where a class is absent.",
            folded=True,
        ),
        table(
            within_center_table(data),
            "within_center",
            "Macro AUC within centres: differences between centres cannot help it.",
            otherwise="No AUC within centres: the case table names no centre.",
        ),
    ]


def _gallery(data: ReportInput, drawn: Drawn) -> list[Block]:
    found = data.gallery
    if found is None:
        return [absent(why_absent(data, "gallery", "Single cases are absent: the run kept none."))]
    if found.cases.empty:
        none = "Nothing to show: there is no such case." if found.theirs else "Nothing to show: there is no error."
        return [text(found.rule), absent(none)]
    title = "Cases on which the two arms disagree" if found.theirs else "The headline model's surest errors"
    order = "probabilities in the order of the classes"
    blocks = [text(f"{title}. {found.rule}")]
    for direction, name in (("ours", found.ours), ("theirs", found.theirs)):
        if found.theirs and not found.cases["direction"].eq(direction).any():
            blocks.append(absent(f"No case in which {name} alone is right."))
    if "gallery" in drawn:
        blocks.append(
            figure(
                True,
                "gallery",
                f"{title}: sagittal and axial section, the mask outlined; {order}.",
                alt=f"{title}: sections of each vertebra with the true class and the predictions",
            )
        )
    return [*blocks, table(gallery_table(data), "gallery", f"{title}: {order}.", folded="gallery" in drawn)]


def conformal(data: ReportInput) -> list[Block]:
    """Coverage of the conformal sets."""
    found = (data.results or {}).get("conformal")
    if not found:
        return [absent("Conformal sets are absent: there are no inner predictions to calibrate them on.")]
    none = "The conformal sets were not checked: the study has no validation cohort."
    title = "Conformal sets of the headline model: coverage and size."
    return [table(conformal_table(data), "conformal_sets", title, conformal_words(data), otherwise=none)]


def recipes(data: ReportInput) -> list[Block]:
    """The two recipes side by side, where both were run."""
    frame = recipe_table(data)
    if frame is None:
        return []
    names = " against ".join(f"recipe {name}" for name in (data.results or {}).get("recipes", {}))
    note = "Each recipe speaks by its own model. What apparent promises beyond nested is optimism."
    return [table(frame, "recipes", f"{names[:1].upper()}{names[1:]}: macro AUC.", note)]


def sizes(data: ReportInput) -> list[Block]:
    """What the sizes of the cohorts allow."""
    frame = sample_size_table(data)
    if frame is None:
        return []
    return [table(frame, "sample_size", "What these sizes allow.", sample_size_words(data))]
