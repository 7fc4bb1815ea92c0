"""Sections of the results: performance, calibration, decisions and explanation (METHODS F, H)."""

from __future__ import annotations

import pandas as pd

from ovfrad.explanation.importance import global_bar
from ovfrad.explanation.nomogram import Nomogram, Nomograms
from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, table, text, why_absent
from ovfrad.report.figures_explain import output_words
from ovfrad.report.inputs import ReportInput
from ovfrad.report.opening import comparison_words, headline_words
from ovfrad.report.parts import Shap
from ovfrad.report.sections_detail import conformal
from ovfrad.report.table_results import (
    calibration_table,
    comparison_table,
    confusion_table,
    headline_table,
    operating_points,
    table_three,
)


def _named(data: ReportInput) -> str:
    """The headline model, and whether an earlier run in this folder had named another study."""
    changed = (data.run.get("prespecified") or {}).get("changed") or []
    if not changed:
        return f"Headline model, named in the study file before this run: {headline_words(data)}."
    times = "once" if len(changed) == 1 else f"{len(changed)} times"
    return (
        f"Headline model: {headline_words(data)}. The study file or its cases were changed {times} after an "
        "earlier run in this folder, whose results may have been seen: this is no pre-specified analysis."
    )


def performance(data: ReportInput, drawn: Drawn) -> Section:
    """Table 3, ROC curves, all models, comparisons, confusion."""
    title = "Performance"
    three = headline_table(data)
    if three is None:
        return Section("performance", title, [absent("Performance is absent: the run was not evaluated.")])
    blocks = [
        text(_named(data)),
        table(
            three,
            "table3_headline",
            "Table 3. Headline model: AUC with 95% confidence interval.",
            "Training: nested cross-validation, out-of-fold. Macro: mean of the class AUCs. Intervals allow "
            "for several rows of one patient.",
        ),
        figure(
            "roc" in drawn,
            "roc",
            "ROC curves of the headline model, each class against the rest; the macro curve is the vertical "
            "mean of the class curves (its AUC is the mean of theirs).",
        ),
    ]
    if words := comparison_words(data):
        blocks.append(words)
    comparisons = comparison_table((data.results or {}).get("comparisons"))
    blocks += [
        table(
            comparisons,
            "comparisons",
            "Comparisons on the same rows.",
            otherwise=why_absent(data, "comparisons", "No comparison of arms: the study has one arm."),
            folded=comparisons is not None and len(comparisons) > 12,
        ),
        figure(
            "all_models" in drawn,
            "all_models",
            "All models beside the headline (bold): macro AUC with 95% CI.",
            otherwise="–",
        ),
        table(
            table_three(data),
            "table3_all_models",
            "Table 3 in full: all recipes, arms, models and cohorts.",
            folded=True,
        ),
        figure(
            "confusion" in drawn,
            "confusion",
            "Confusion matrices of the headline model: n and share of the true class.",
        ),
        table(confusion_table(data), "confusion", "The same counts as a table.", folded=True),
        table(
            operating_points(data),
            "operating_points",
            "Operating points of the headline model: thresholds fixed on out-of-fold training predictions; "
            "in training itself the largest probability decides.",
            otherwise="Operating points were not evaluated.",
            folded=True,
        ),
    ]
    return Section("performance", title, [b for b in blocks if b.text != "–"])


def calibration(data: ReportInput, drawn: Drawn) -> Section:
    """Reliability and decision curves."""
    none = "absent: no cohort has enough rows with probabilities of the headline model."
    blocks = [
        figure(
            "reliability" in drawn,
            "reliability",
            "Reliability of the headline model's probabilities: observed share against mean prediction in groups of "
            "equal size, with Wilson's 95% limits. On the diagonal, a probability means what it says.",
            otherwise=f"Reliability curves are {none}",
        ),
        table(
            calibration_table(data),
            "calibration",
            "Calibration of the headline model.",
            "Lower is better; log-loss in nats; ECE: expected calibration error, 10 bins, larger in small cohorts.",
            otherwise="Calibration measures were not evaluated.",
        ),
        figure(
            "decision_curves" in drawn,
            "decision_curves",
            "Decision curves: net benefit of acting on the model against acting on all or on none.",
            "A model helps at a threshold only where its line is above both others.",
            otherwise=f"Decision curves are {none}",
        ),
        *conformal(data),
    ]
    return Section("calibration", "Calibration and decisions", blocks)


def explanation(data: ReportInput, drawn: Drawn) -> Section:
    """SHAP and nomogram."""
    blocks: list[Block] = []
    if data.shap is None:
        blocks.append(absent(why_absent(data, "shap", "SHAP values are absent: they were not computed in this run.")))
    else:
        blocks += _shap(data, drawn)
    if data.nomogram is None:
        reason = "The nomogram is absent: it was not fitted in this run."
        if not data.ordered:
            reason = "The nomogram of one scale is absent: it needs an order of the classes."
        blocks.append(absent(why_absent(data, "nomogram", reason)))
    else:
        blocks += _nomograms(data.nomogram, drawn)
    return Section("explanation", "Explanation", [b for b in blocks if b.text != "–" or b.kind != "absent"])


def _shap(data: ReportInput, drawn: Drawn) -> list[Block]:
    shap = data.shap
    assert shap is not None
    n, p = len(shap.case_ids), len(shap.table.feature_names)
    share = shap.table.error_share
    error = f" Between-seed standard error: {100 * share:.1f}% of the size of a value." if share else ""
    rows = f"{n} {data.unit} ({shap.cohort or 'all cohorts'}), {p} features"
    what = f"{shap.model or 'headline model'}, {shap.table.method}, {rows}"
    lines = [
        text(
            f"Explained: {what}; output: {output_words(shap)}.{error} SHAP values say what the model used, "
            "not what causes the class; of correlated features one can stand for another."
        ),
        figure("shap_bar" in drawn, "shap_bar", "Mean absolute SHAP value per feature and class."),
        figure(
            "shap_beeswarm" in drawn,
            "shap_beeswarm",
            "SHAP values per class: each point is one case; right of 0 raises the output for the class; colour: the "
            "feature's value from low (blue) to high (magenta).",
        ),
        figure(
            "shap_decision" in drawn,
            "shap_decision",
            "Decision plots: from the base (bottom) to the output (top), one case per class.",
            "Each case is the one of its class with the median output for that class.",
        ),
        figure(
            "shap_waterfall" in drawn,
            "shap_waterfall",
            "Waterfall of the last of these cases: what each feature adds to the output for its class, from the base "
            "(bottom) to the output (top).",
        ),
    ]
    return [
        *lines,
        table(shap_table(shap), "shap_importance", "Mean absolute SHAP value of every feature.", folded=True),
    ]


def shap_table(shap: Shap) -> pd.DataFrame:
    """Mean absolute SHAP value per feature and class, largest first."""
    bars = global_bar(shap.table).map(lambda value: f"{value:.3g}")
    bars = bars.rename(columns={"all": "All classes", "error": "Standard error"}).reset_index()
    return bars.rename(columns={"feature": "Feature"})


def _nomograms(found: Nomograms, drawn: Drawn) -> list[Block]:
    """Figure and points of each nomogram, and what was found out on the way."""
    title = "Nomogram: add up the points of each line, then read the probabilities below the total."
    blocks: list[Block] = []
    for name, one in nomogram_names(found):
        events = ", ".join(one.events).replace(">=", "≥")
        blocks.append(
            figure(name in drawn, name, title, f"Probabilities: {events}.", otherwise="The nomogram was not drawn.")
        )
        points = one.points_table().assign(points=lambda t: t["points"].map(lambda value: f"{value:.1f}"))
        blocks.append(table(points, f"{name}_points", "Points of the nomogram.", folded=True))
    notes = [f"{note[:1].upper()}{note[1:]}." for note in found.notes]
    return [*blocks, Block("list", title="About the nomogram", items=notes)] if notes else blocks


def nomogram_names(found: Nomograms) -> list[tuple[str, Nomogram]]:
    """File name and nomogram: one, or one for each threshold."""
    if len(found.nomograms) == 1:
        return [("nomogram", found.nomograms[0])]
    return [(f"nomogram_{place}", one) for place, one in enumerate(found.nomograms, start=1)]
