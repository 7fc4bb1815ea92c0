"""The section on the network: patches, tuning and what it flatters, what deep features add, where it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, table, text
from ovfrad.report.inputs import ReportInput
from ovfrad.report.words import cohort_name, number, p_sentence

#: Rows of the comparison that say what deep features add: family and name of the other side.
_ALONE = {"deep_only": "deep features alone", "network": "the tuned network alone"}
ALPHA = 0.05


def network(data: ReportInput, drawn: Drawn) -> Section | None:
    """The section, or None where the study has no network."""
    look = data.network
    if look is None:
        return None
    blocks = [*_seen(data, drawn), *_added(data), *_tuning(data, drawn), *_attribution(data, drawn)]
    return Section("network", "The network", blocks)


def _seen(data: ReportInput, drawn: Drawn) -> list[Block]:
    look = data.network
    assert look is not None
    channels = "one slice three times" if look.channels == "repeat" else "the slice and its two neighbours"
    how = (
        f"{look.plane} slice of largest mask area, square box with a margin of {look.margin:.0%} of its side, "
        f"{look.size}x{look.size} pixels; channels: {channels}"
    )
    none = "The patches are not drawn: the run kept none."
    return [figure("patches" in drawn, "patches", "What the network sees.", f"{how}.", otherwise=none)]


def added_words(data: ReportInput) -> list[str]:
    """Whether deep features add anything: the fused model against radiomics alone and deep alone, paired."""
    headline = data.headline
    if headline is None:
        return []
    kinds = {name: w.kind for name, w in data.weights.items()}
    if kinds.get(headline[1]) in (None, "none"):
        return []
    lines = []
    for row in (data.results or {}).get("comparisons") or []:
        if row["metric"] != "macro_auc":
            continue
        if row["family"] == "arms" and kinds.get(row["b"]) == "none":
            lines.append(_verdict(row, "radiomics alone"))
        elif row["family"] == "baselines" and row["b"] in _ALONE:
            lines.append(_verdict(row, _ALONE[row["b"]]))
    return lines


def _verdict(row: Mapping[str, Any], other: str) -> str:
    """One comparison in words: better, worse, or not shown to differ."""
    difference, p = row["difference"], row["p"]
    told = f"{difference:+.3f} macro AUC, {p_sentence(p)}" if p is not None else f"{difference:+.3f} macro AUC"
    verdict = "show no difference from"
    if p is not None and p < ALPHA:
        verdict = "are better than" if difference > 0 else "are WORSE than"
    return f"{cohort_name(row['cohort'])}: radiomics and deep features together {verdict} {other} ({told})."


def _added(data: ReportInput) -> list[Block]:
    lines = added_words(data)
    if not lines:
        return [absent("What deep features add is not known: compare with an arm `none` (weights: none).")]
    return [Block("list", title="What deep features add (paired tests on the same rows, not adjusted)", items=lines)]


def _tuning(data: ReportInput, drawn: Drawn) -> list[Block]:
    look = data.network
    assert look is not None
    if not look.tuning:
        return [text("No network was tuned: features come from the networks as they are (tuned: false).")]
    rest = "Shaded: the backbone rests. Solid: training loss; dashed: loss of watched patients; thick: all rows."
    blocks = [
        text(
            "A network tuned on training patients makes their features look better than they are. In recipe sound "
            "their features come from networks that did not see the patient; in recipe paper they do not."
        ),
        table(
            flattery_table(data),
            "tuned_networks",
            "Macro AUC of the tuned networks alone, by how it is counted.",
            "On the rows it was tuned on is what a look at the training patients would promise.",
            otherwise="The tuned networks were not evaluated.",
        ),
        figure("learning_curves" in drawn, "learning_curves", "Learning curves.", rest, otherwise="No curves."),
    ]
    notes = [f"{name}: {note}." for name, told in look.tuning.items() for note in told["notes"]]
    facts = [f"{name}: {told['precision']} on {told['device']}." for name, told in look.tuning.items()]
    return [*blocks, Block("list", title="How they were tuned", items=[*facts, *notes])]


def flattery_table(data: ReportInput) -> pd.DataFrame | None:
    """Macro AUC of each tuned network by way of counting, from the prediction table."""
    rows = data.predictions
    if rows is None or "network" not in set(rows["model"]):
        return None
    from ovfrad.evaluation.mean_auc import macro_auc

    own, found = rows[rows["model"] == "network"], []
    order = ("train_apparent", "train_inner", "train", "internal", "external", "prospective")
    words = {"train_apparent": "Rows it was tuned on", "train_inner": "Out of fold", "train": "Held out (nested)"}
    for (recipe, arm), part in own.groupby(["recipe", "arm"], sort=False):
        line = {"Recipe": recipe, "Arm": arm}
        for cohort in order:
            there = part[part["cohort"] == cohort]
            p = there[[c for c in there if str(c).startswith("p_")]].to_numpy()
            one = len(there) and macro_auc(there["y_true"].to_numpy(), p, there["patient_id"].to_numpy()).estimate
            line[words.get(cohort, cohort_name(cohort))] = number(one or None, 3)
        found.append(line)
    return pd.DataFrame(found)


def _attribution(data: ReportInput, drawn: Drawn) -> list[Block]:
    look = data.network
    assert look is not None
    told = look.attribution
    if not told:
        return [absent("Where the network looks is not drawn: the headline's arm has no network.")]
    note = (
        f"Explained: {told['what']}. Grad-CAM on {told['layer']} with an input of {told['input']} pixels: a map of "
        f"{told['map']}x{told['map']}, against the mean training patch. Relevance (LRP): red speaks for it, blue "
        "against; pixels and biases add up to the value (explanation/relevance.csv). Neither shows what causes a "
        "class."
    )
    return [
        figure("attribution" in drawn, "attribution", "Where the network looks.", note, otherwise="Not drawn."),
        figure(
            "excited" in drawn,
            "excited",
            "Training patches that each kept deep component rates highest (left half) and lowest (right half).",
            otherwise="No deep component was kept.",
        ),
    ]
