"""Section of the explanation: SHAP of the headline and of the nine, and the nomogram (METHODS H1, H2)."""

from __future__ import annotations

import pandas as pd

from ovfrad.explanation.groups import by_group
from ovfrad.explanation.importance import global_bar
from ovfrad.explanation.nomogram import Nomogram, Nomograms
from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, heading, table, text, why_absent
from ovfrad.report.figures_explain import output_words, waterfall_cases
from ovfrad.report.figures_groups import model_shares
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Shap
from ovfrad.report.style import slug
from ovfrad.report.words import MISSING, class_name, known, model_name

#: Rows of long tables on the page; the CSV file has all.
MOST_ROWS = 40


def explanation(data: ReportInput, drawn: Drawn) -> Section:
    """SHAP and nomogram."""
    blocks: list[Block] = []
    if data.shap is None:
        blocks.append(absent(why_absent(data, "shap", "SHAP values are absent: they were not computed in this run.")))
    else:
        blocks += _shap(data, drawn)
    blocks += _nine(data, drawn)
    if data.nomogram is None:
        reason = "The nomogram is absent: it was not fitted in this run."
        if not data.ordered:
            reason = "The nomogram of one scale is absent: it needs an order of the classes."
        blocks.append(absent(why_absent(data, "nomogram", reason)))
    else:
        blocks += [heading("Nomogram"), *_nomograms(data.nomogram, drawn)]
    return Section("explanation", "Explanation", blocks)


def _shap(data: ReportInput, drawn: Drawn) -> list[Block]:
    shap = data.shap
    assert shap is not None
    n, p = len(shap.case_ids), len(shap.table.feature_names)
    rows = f"{n} {data.unit} ({shap.cohort or 'all cohorts'}), {p:,} features"
    what = f"{model_name(shap.model) if shap.model else 'headline model'}, {shap.table.method}, {rows}"
    lines = [
        text(
            f"Explained: {what}; output: {output_words(shap)}. {error_words(shap)} SHAP values say what the model "
            "used, not what causes the class; of correlated features one can stand for another."
        ),
        figure("shap_bar" in drawn, "shap_bar", "Mean absolute SHAP value per feature and class."),
        figure(
            "shap_beeswarm" in drawn,
            "shap_beeswarm",
            "SHAP values per class: each point is one case; right of 0 raises the output for the class; colour: the "
            "feature's value from low (blue) to high (magenta).",
        ),
        *_groups(data, shap, drawn),
        figure(
            "shap_decision" in drawn,
            "shap_decision",
            "Decision plots: from the base (bottom) to the output (top), one case per class.",
            "Each case is the one of its class with the median output for that class.",
        ),
        *_waterfalls(data, shap, drawn),
    ]
    title = "Mean absolute SHAP value of every feature."
    return [*lines, table(shap_table(shap), "shap_importance", title, folded=True, most=MOST_ROWS)]


def error_words(shap: Shap) -> str:
    """How exact the values are: exact, or the standard error between seeds."""
    if not shap.table.error.any():
        return "The values are exact."
    share = shap.table.error_share
    size = f"{100 * share:.1f}%" if share >= 0.0005 else "below 0.1%"
    return f"Sampled: the standard error between seeds is {size} of the size of a value."


def _groups(data: ReportInput, shap: Shap, drawn: Drawn) -> list[Block]:
    bars = by_group(shap.table)
    names = ", ".join(f"{kind} ({100 * share:.0f}%)" for kind, share in bars["share"].items())
    note = "Of the sum over the features of a kind, case by case: features that pull against each other cancel."
    if set(bars.index) <= {"radiomics", "deep"}:
        note += " Clinical characteristics are no part of this model; the nomogram and the clinical baseline have them."
    frame = by_group(shap.table, families=True)
    rows = [
        {"Kind": kind, "Features": f"{int(row['features']):,}", **{
            class_name(k, data.classes, data.outcome): f"{row[name]:.3g}" for k, name in enumerate(shap.table.classes)
        }, "Share": f"{100 * row['share']:.0f}%" if known(row["share"]) else MISSING}
        for kind, row in frame.iterrows()
    ]  # fmt: skip
    title = f"Kinds of features against each other: {names}."
    otherwise = (
        f"All features of the model are of one kind ({', '.join(bars.index)}); there is nothing to set against it."
    )
    return [
        figure("shap_groups" in drawn, "shap_groups", title, note, otherwise=otherwise),
        table(pd.DataFrame(rows), "shap_groups", "SHAP values by family of features.", note, folded=True),
    ]


def waterfall_names(data: ReportInput) -> list[str]:
    """File names of the waterfalls, one a chosen case."""
    if data.shap is None:
        return []
    y = data.shap.y_true
    cases = waterfall_cases(data.shap)
    if y is None:
        return [f"shap_waterfall_{place}" for place in range(1, len(cases) + 1)]
    return [f"shap_waterfall_class_{slug(str(data.classes[int(y[row])]))}" for row, _ in cases]


def _waterfalls(data: ReportInput, shap: Shap, drawn: Drawn) -> list[Block]:
    blocks = []
    for name, (row, k) in zip(waterfall_names(data), waterfall_cases(shap), strict=True):
        true = "" if shap.y_true is None else f", true {class_name(int(shap.y_true[row]), data.classes, data.outcome)}"
        blocks.append(
            figure(
                name in drawn,
                name,
                f"Waterfall of {shap.case_ids[row]}{true}: what each feature adds to the output for "
                f"{class_name(k, data.classes, data.outcome)}, from the base (bottom) to the output (top).",
                otherwise="No waterfall: no case was explained.",
            )
        )
    return blocks


def _nine(data: ReportInput, drawn: Drawn) -> list[Block]:
    """The nine classifiers: shares of their features side by side, and a beeswarm of each."""
    if not data.shap_models:
        none = "SHAP values of the nine classifiers are absent: no feature reached them, or they were not explained."
        return [absent(why_absent(data, "shap_models", none))]
    shares = model_shares(data)
    assert shares is not None
    cells = shares.map(lambda share: f"{100 * share:.1f}" if known(share) else MISSING)
    note = "Shares of a model's mean |SHAP|, so that models explained on probabilities and on log-odds can be compared."
    blocks = [
        heading("The nine classifiers"),
        figure(
            "shap_models" in drawn,
            "shap_models",
            "What each of the nine classifiers uses.",
            note,
            otherwise="The comparison of the nine is not drawn: there is one model, or one feature.",
        ),
        table(
            cells.rename_axis("Feature").reset_index(),
            "shap_models",
            "Share of each feature in each classifier, %.",
            note,
            folded=True,
            most=MOST_ROWS,
        ),
        table(_exactness(data), "shap_methods", "How each classifier was explained.", folded=True),
    ]
    for model, shap in data.shap_models.items():
        name = f"shap_{slug(model)}"
        title = f"{model}: SHAP values per class ({shap.table.method}; {output_words(shap)}). {error_words(shap)}"
        blocks.append(figure(name in drawn, name, title, folded=True, otherwise=f"{model}: nothing to draw."))
    return blocks


def _exactness(data: ReportInput) -> pd.DataFrame:
    rows = [
        {
            "Model": model,
            "Method": shap.table.method,
            "Output": shap.table.output_name,
            "Cases": str(len(shap.case_ids)),
            "Standard error, % of a value": f"{100 * shap.table.error_share:.2g}"
            if shap.table.error.any()
            else "exact",
        }
        for model, shap in data.shap_models.items()
    ]
    return pd.DataFrame(rows)


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
