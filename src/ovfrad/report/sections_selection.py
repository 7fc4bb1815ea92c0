"""Section of the feature selection: reproducibility, redundancy, LASSO and rad-score per arm, glossary (E2 to E8)."""

from __future__ import annotations

import pandas as pd

from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, heading, table, text, why_absent
from ovfrad.report.figures_selection import MOST
from ovfrad.report.glossary import glossary
from ovfrad.report.harmonisation import harmonisation_words
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Chosen, SelectionTrace
from ovfrad.report.style import slug
from ovfrad.report.words import feature_name, known, number, plural


def selection(data: ReportInput, drawn: Drawn) -> Section:
    """Reproducibility, redundancy, then feature counts, LASSO and rad-score per arm, and what the features are."""
    if not data.selection:
        reason = "Feature selection is not shown: the run kept no trace of it."
        if not data.ordered:
            reason = "Feature selection by a LASSO on class codes is absent: the outcome has no order of classes."
        return Section("selection", "Feature selection", [absent(why_absent(data, "selection", reason))])
    blocks = [
        text(
            "What is drawn here was learned on the whole training cohort; inside every fold of the nested estimate all "
            "of it was learned again from that fold's training rows."
        )
    ]
    if "harmonisation" in data.settings:
        blocks.append(text(harmonisation_words(data)))
    if data.chosen is not None:
        blocks += [heading("Filters, the same for every arm"), *_reproducibility(data, data.chosen, drawn)]
        blocks += _redundancy(data.chosen, drawn)
    for arm, trace in data.selection.items():
        blocks += [heading(f"Arm {arm}"), *_arm(arm, trace, drawn)]
    return Section("selection", "Feature selection", [*blocks, *_glossary(data)])


def _reproducibility(data: ReportInput, found: Chosen, drawn: Drawn) -> list[Block]:
    pairs, patients = found.facts.get("icc_pairs", 0), found.facts.get("icc_patients", 0)
    perturbed = any(line.startswith("W_ONE_READER") for line in data.warnings)
    who = "one outline against a seeded perturbation of mask and image" if perturbed else "two readers' outlines"
    if found.reproducibility is None:
        return [absent("Reproducibility is absent: no training row was outlined twice, so it filtered no feature.")]
    shown = found.reproducibility
    frame = pd.DataFrame(
        {
            "Feature": shown["feature"],
            "ICC": [number(value, 3) for value in shown["icc"]],
            "Lower 95% limit": [number(value, 3) for value in shown["lower"]],
            "Kept": ["yes" if kept else "no" for kept in shown["kept"]],
        }
    )
    title = (
        f"Reproducibility of the features: {who}, {plural(pairs, 'row')} of {plural(patients, 'patient')}; "
        f"{int(shown['kept'].sum()):,} of {len(shown):,} kept."
    )
    note = "A class may lie to the left because its features are fragile, or because they vary little between patients."
    return [
        figure("icc" in drawn, "icc", title, note, otherwise="The ICC is not drawn: no feature has one."),
        table(frame, "icc", "ICC of every feature.", folded=True, most=40),
    ]


def _redundancy(found: Chosen, drawn: Drawn) -> list[Block]:
    if found.redundancy is None:
        return [absent("Redundancy is absent: no radiomics feature reached the Spearman filter.")]
    limit = found.facts.get("spearman_max", 0.9)
    rows = []
    for name, part in found.redundancy.groupby("stands_in", sort=True):
        others = part[part["feature"] != name].sort_values("rho", ascending=False, kind="stable")
        least = number(others["rho"].min(), 2) if len(others) else "–"
        named = ", ".join(feature_name(other) for other in others["feature"].head(5))
        named += f" and {len(others) - 5} more" if len(others) > 5 else ""
        rows.append((len(part), {"Kept": name, "Features in the group": str(len(part)), "Least |rho|": least,
                                 "Dropped for it": named or "–"}))  # fmt: skip
    frame = pd.DataFrame([row for _, row in sorted(rows, key=lambda item: -item[0])])
    title = f"Features that say the same: of every pair above |rho| {limit:g} one was dropped; {len(frame):,} stayed."
    note = "A group is a kept feature with those dropped ones that correlate with it more than with any other kept one."
    too_many = "The matrix of correlations is not drawn: there are too few features, or more than 3,000."
    return [
        figure("spearman_clusters" in drawn, "spearman_clusters", title, note, otherwise=too_many),
        table(frame, "spearman_clusters", "Groups of redundant features.", folded=True, most=40),
    ]


def _glossary(data: ReportInput) -> list[Block]:
    frame = glossary(data)
    note = (
        "Definitions are those of the radiomics engine, with the code of the IBSI reference manual where IBSI has the "
        "feature; on a filtered image the same formula is applied to the filter's response. Direction: mean in each "
        "class of the training rows after ComBat, and Spearman's rho with the class; it describes these data and is "
        "no effect."
    )
    none = "The glossary is absent: no feature was selected, or the run kept no directions."
    title = "What the selected features are, and their direction in these data."
    return [heading("Glossary"), table(frame, "feature_glossary", title, note, otherwise=none, most=70)]


def _arm(arm: str, trace: SelectionTrace, drawn: Drawn) -> list[Block]:
    counts = pd.DataFrame([{"Step": s, "Features left": f"{n:,}"} for s, n in trace.counts])
    kept = sorted(((n, b) for n, b in trace.coefficients.items() if b), key=lambda item: -abs(item[1]))
    rows = [{"Feature": n, "Coefficient per SD": number(b, 3), **_frequency(trace, n)} for n, b in kept]
    key = slug(arm)
    none = f"Arm {arm}: no feature kept a coefficient, so there is no rad-score; the path shows why."
    more = f" The {MOST} largest are drawn." if len(kept) > MOST else ""
    blocks = [
        table(
            counts,
            f"feature_counts_{key}",
            f"Arm {arm}: features left after each step.",
            otherwise=f"Arm {arm}: no steps kept.",
        ),
        figure(
            f"lasso_{key}" in drawn,
            f"lasso_{key}",
            f"Arm {arm}: cross-validated loss (bars: standard error) and coefficients over the penalty.",
            otherwise=f"Arm {arm}: the LASSO path is absent; too few features reached it, or there is one per class.",
        ),
        figure(f"rad_score_{key}" in drawn, f"rad_score_{key}", f"Arm {arm}: rad-score.{more}", otherwise=none),
    ]
    if rows:
        frame = pd.DataFrame(rows)
        blocks.append(table(frame, f"rad_score_{key}", f"Arm {arm}: every coefficient of the rad-score.", folded=True))
    return blocks


def _frequency(trace: SelectionTrace, name: str) -> dict[str, str]:
    if trace.frequency is None:
        return {}
    share = trace.frequency.get(name)
    return {"Folds that kept it": f"{100 * share:.0f}%" if known(share) else "–"}
