"""Sections of the results: performance, calibration and decisions (METHODS F)."""

from __future__ import annotations

from ovfrad.report.blocks import Drawn, Section, absent, figure, table, text, why_absent
from ovfrad.report.inputs import ReportInput
from ovfrad.report.opening import comparison_words, headline_words
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
        f"Headline model: {headline_words(data)}. The study file, its cases, images or masks were changed {times} "
        "after an earlier run in this folder, whose results may have been seen: this is no pre-specified analysis."
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
            "Bands: 95% limits of the sensitivity at each specificity, the wider of patient bootstrap and Wilson.",
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
            "A family are the tests of one kind in one cohort; Holm's p allows for them all. The permutation p swaps "
            "the two models patient by patient.",
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
            "A model helps at a threshold only where its line is above both others. Band: patient bootstrap, 95%.",
            otherwise=f"Decision curves are {none}",
        ),
        *conformal(data),
    ]
    return Section("calibration", "Calibration and decisions", blocks)
