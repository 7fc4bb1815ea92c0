"""The sections of the report in the paper's order; each part is shown, or a sentence says why it is absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ovfrad.explanation.importance import global_bar
from ovfrad.explanation.nomogram import Nomogram, Nomograms
from ovfrad.report.blocks import Block, Section, absent, figure, table, text
from ovfrad.report.figures_explain import output_words
from ovfrad.report.figures_selection import MOST
from ovfrad.report.inputs import ReportInput, SelectionTrace, Shap
from ovfrad.report.opening import comparison_words, headline_words, opening
from ovfrad.report.style import slug
from ovfrad.report.table_one import table_one, table_two
from ovfrad.report.table_results import (
    calibration_table,
    comparison_table,
    confusion_table,
    headline_table,
    operating_points,
    plain_table,
    table_three,
)
from ovfrad.report.words import duration, known, number

Drawn = frozenset[str]


def sections(data: ReportInput, drawn: Drawn) -> list[Section]:
    """All sections; `drawn` names the figures that exist."""
    made = [opening(data), cases(data, drawn), images(data, drawn), selection(data, drawn), performance(data, drawn)]
    return [
        *made,
        calibration(data, drawn),
        explanation(data, drawn),
        honesty(data),
        differences(data),
        run_facts(data),
    ]


#: Parts that need images, in words.
_IMAGE_PARTS = {
    "montage": "Pictures of vertebrae are",
    "mesh": "The surface picture is",
    "acquisition": "The acquisition table is",
}


def _why(data: ReportInput, part: str, otherwise: str) -> str:
    """The workflow's reason for an absent part, or ours."""
    if part in data.absent:
        return data.absent[part]
    if data.source == "features" and part in _IMAGE_PARTS:
        return f"{_IMAGE_PARTS[part]} absent: the study started from a feature table; no image was read."
    return otherwise


def cases(data: ReportInput, drawn: Drawn) -> Section:
    """Flow chart, Table 1, Table 2, acquisition, agreement of readers, quarantine."""
    two = table_two(data)
    blocks = [
        figure("flow_chart" in drawn, "flow_chart", f"Patients and {data.unit} from eligibility to cohorts."),
        table(
            table_one(data),
            "table1_baseline_by_cohort",
            "Table 1. Baseline characteristics by cohort.",
            "Patients are counted once in rows of patients; tests of the other rows treat each row as independent. "
            "SMD: largest absolute standardised difference from the first cohort; above 0.10 deserves a look. "
            "Missing values are counted and left out of the percentages and tests.",
        ),
        table(
            two,
            "table2_class_by_treatment",
            "Table 2. Class by treatment, n (% of the class).",
            otherwise=_why(
                data, "treatment", "Table 2 (class by treatment) is absent: the case table has no treatment column."
            ),
        ),
        table(
            plain_table(data.acquisition),
            "acquisition",
            "Scanners and acquisition parameters.",
            otherwise=_why(
                data, "acquisition", "The acquisition table is absent: no scanner or protocol facts were read."
            ),
            folded=True,
        ),
        table(
            plain_table(data.agreement),
            "reader_agreement",
            "Agreement of the two readers on the items of the label.",
            otherwise=_why(
                data, "agreement", "Agreement of readers is absent: the case table has one reader's items only."
            ),
        ),
        table(
            plain_table(data.quarantine),
            "quarantine",
            "Cases set aside because their files or rows could not be used.",
            otherwise="No case was set aside.",
            folded=True,
        ),
    ]
    return Section("cases", "Patients and vertebrae" if data.unit == "vertebrae" else "Patients and cases", blocks)


def images(data: ReportInput, drawn: Drawn) -> Section:
    """Montage and surface."""
    kind = "synthetic CT" if data.synthetic else "CT"
    none = _why(data, "montage", "Pictures of vertebrae are absent: the run kept none.")
    blocks = [
        figure(
            "roi_montage" in drawn,
            "roi_montage",
            f"A few vertebrae as the software sees them ({kind}, window −250 to 1250 HU), the mask outlined in red.",
            alt="Sagittal, axial and coronal sections with the contour of the vertebral body",
            otherwise=none,
        )
    ]
    if "mesh" in drawn or data.source == "images":
        otherwise = _why(data, "mesh", "The surface picture is absent: the run kept no mesh.")
        blocks.append(figure("mesh" in drawn, "mesh", "Surface of one mask.", otherwise=otherwise))
    return Section("images", "Images and masks", blocks)


def selection(data: ReportInput, drawn: Drawn) -> Section:
    """Feature counts, rad-score and LASSO per arm."""
    if not data.selection:
        reason = "Feature selection is not shown: the run kept no trace of it."
        if not data.ordered:
            reason = "Feature selection by a LASSO on class codes is absent: the outcome has no order of classes."
        return Section("selection", "Feature selection", [absent(_why(data, "selection", reason))])
    blocks = [
        text(
            "What is drawn here was learned on the whole training cohort; inside every fold of the nested estimate all "
            "of it was learned again from that fold's training rows."
        )
    ]
    for arm, trace in data.selection.items():
        blocks += _arm(arm, trace, drawn)
    return Section("selection", "Feature selection", blocks)


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
            otherwise=f"Arm {arm}: the LASSO path is absent; too few features reached it or the outcome has no order.",
        ),
        figure(f"rad_score_{key}" in drawn, f"rad_score_{key}", f"Arm {arm}: rad-score.{more}", otherwise=none),
    ]
    if rows:
        frame = pd.DataFrame(rows)
        blocks.append(
            table(frame, f"rad_score_{key}", f"Arm {arm}: all {len(rows)} coefficients of the rad-score.", folded=True)
        )
    return blocks


def _frequency(trace: SelectionTrace, name: str) -> dict[str, str]:
    if trace.frequency is None:
        return {}
    share = trace.frequency.get(name)
    return {"Folds that kept it": f"{100 * share:.0f}%" if known(share) else "–"}


def performance(data: ReportInput, drawn: Drawn) -> Section:
    """Table 3, ROC curves, all models, comparisons, confusion."""
    title = "Performance"
    three = headline_table(data)
    if three is None:
        return Section("performance", title, [absent("Performance is absent: the run was not evaluated.")])
    blocks = [
        text(f"Headline model, named before any result was seen: {headline_words(data)}."),
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
            otherwise=_why(data, "comparisons", "No comparison of arms: the study has one arm."),
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
            "Operating points of the headline model, thresholds fixed on training predictions.",
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
    ]
    return Section("calibration", "Calibration and decisions", blocks)


def explanation(data: ReportInput, drawn: Drawn) -> Section:
    """SHAP and nomogram."""
    blocks: list[Block] = []
    if data.shap is None:
        blocks.append(absent(_why(data, "shap", "SHAP values are absent: they were not computed in this run.")))
    else:
        blocks += _shap(data, drawn)
    if data.nomogram is None:
        reason = "The nomogram is absent: it was not fitted in this run."
        if not data.ordered:
            reason = "The nomogram of one scale is absent: it needs an order of the classes."
        blocks.append(absent(_why(data, "nomogram", reason)))
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


def honesty(data: ReportInput) -> Section:
    """Audit and ledger."""
    results = data.results or {}
    audit = results.get("audit") or {}
    rows = [{k: r.get(k) for k in ("check", "status", "value", "limit", "text")} for r in audit.get("rows", [])]
    none = "The honesty checks are absent: they were not run."
    blocks = [
        table(
            plain_table(rows, 3), "audit", f"Honesty checks: {str(audit.get('status', '')).upper()}.", otherwise=none
        ),
        table(
            plain_table(results.get("ledger")),
            "ledger",
            "Optimism ledger: the same model looked at in ways of decreasing optimism.",
            otherwise=_why(data, "ledger", "The optimism ledger is absent: it was left out of this run."),
        ),
    ]
    left_out = (data.settings.get("honesty") or {}).get("leave_out") if isinstance(data.settings, Mapping) else None
    if left_out:
        blocks.append(absent(f"Left out at the user's wish: {', '.join(left_out)}."))
    return Section("honesty", "Honesty checks", blocks)


def differences(data: ReportInput) -> Section:
    """What the paper says, what we do, why."""
    frame = data.recipe_differences
    if frame is not None:
        names = {"setting": "Setting", "paper_says": "Paper says", "we_do": "We do", "why": "Why"}
        names |= {"paper": "Paper's value", "sound": "Our value"}
        frame = plain_table(frame.rename(columns=names))
    blocks = [
        text(
            "The method is that of Liu J et al., JMIR Med Inform 2025;13:e75665. Recipe sound departs from it only in "
            "these settings; recipe paper follows it step by step."
        ),
        table(
            frame,
            "recipe_differences",
            "Paper says, we do, why.",
            otherwise="The recipes were not compared in this run.",
        ),
    ]
    return Section("differences", "The paper and this run", blocks)


def run_facts(data: ReportInput) -> Section:
    """Software, hashes, warnings, settings, and what this version does not do."""
    facts = [{"Fact": key, "Value": value} for key, value in flat(data.run)]
    blocks = [
        table(
            pd.DataFrame(facts), "run_facts", "Software, hashes and times.", otherwise="No facts of the run were kept."
        )
    ]
    if data.warnings:
        blocks.append(Block("list", title="Warnings of the run", items=list(data.warnings)))
    if data.settings:
        dump = json.dumps(data.settings, indent=2, default=str, ensure_ascii=False)
        blocks.append(Block("code", title="The resolved study file", text=dump, folded=True))
    if data.not_yet:
        blocks.append(Block("list", title="What this version does not do", items=list(data.not_yet)))
    return Section("run", "How it was run", blocks)


def flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as rows.

    >>> flat({"version": "0.1.0", "seconds": 190, "software": {"numpy": "2.3"}})
    [('version', '0.1.0'), ('time', '3 min 10 s'), ('software, numpy', '2.3')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in facts.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}, ")
        elif key == "seconds":
            rows.append((f"{prefix}time", duration(value)))
        elif isinstance(value, (list, tuple)):
            rows.append((name, ", ".join(map(str, value))))
        elif value is not None:
            rows.append((name, str(value)))
    return rows
