"""The first page in plain words: what was done, on what, with which weights, how well, and what not to conclude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ovfrad.report.answer import cards, optimism, rare_answer, rare_question, where
from ovfrad.report.blocks import Block, Section, text
from ovfrad.report.inputs import ReportInput
from ovfrad.report.table_results import best_new, validated
from ovfrad.report.words import (
    class_name,
    cohort_name,
    estimate,
    known,
    model_name,
    p_sentence,
    plural,
    sentence,
    unit_share,
)

#: A class with fewer rows than this in a cohort gets a warning sentence (intervals become very wide).
FEW = 20


def banners(data: ReportInput) -> list[tuple[str, str]]:
    """Kind and sentence of each banner at the top, most serious first."""
    found = []
    audit = (data.results or {}).get("audit") or {}
    if str(audit.get("status", "")).lower() == "fail":
        failed = [str(r.get("check")) for r in audit.get("rows", []) if str(r.get("status", "")).lower() == "fail"]
        which = f" ({', '.join(failed)})" if failed else ""
        found.append(("fail", f"FAIL: an honesty check failed{which}. Do not use the results of this run."))
    if data.allowed_components:
        names = ", ".join(data.allowed_components)
        found.append(("fail", f"Predictors that are part of the label or follow from it are in use: {names}."))
    if data.synthetic:
        found.append(("note", "Synthetic images: this run tests the software and says nothing about patients."))
    if random := _random_arms(data, tuned=False):
        said = f"arm {', '.join(random)} has seeded random weights; its deep features were never trained."
        found.append(("note", f"Random network: {said}"))
    if begun := _random_arms(data, tuned=True):
        said = f"the network of arm {', '.join(begun)} began with seeded random weights; it was tuned on training "
        found.append(("note", f"Random start: {said}patients alone and knows no other images."))
    found.append(("plain", "Research use only, not a medical device."))
    return found


def _is_tuned(data: ReportInput, arm: str) -> bool:
    arms = data.settings.get("deep", {}).get("arms", {})
    return bool(arms.get(arm, {}).get("tuned"))


def _random_arms(data: ReportInput, tuned: bool) -> list[str]:
    """Arms whose network has, or began its tuning with, random weights."""
    random = [arm for arm, weights in data.weights.items() if weights.kind == "random"]
    return [arm for arm in random if _is_tuned(data, arm) == tuned]


def headline_words(data: ReportInput) -> str:
    """Name of the headline model, with its arm, and what a random arm means."""
    if data.headline is None:
        return "no headline model"
    recipe, arm, model = data.headline
    weights = data.weights.get(arm)
    note = " (random network)" if weights and weights.kind == "random" else ""
    note = " (radiomics only)" if weights and weights.kind == "none" else note
    return f"{model_name(model)}, arm {arm}{note}, recipe {recipe}"


def opening(data: ReportInput) -> Section:
    """The first section: the answer, then what it rests on."""
    blocks = []
    if answer := headline_sentence(data):
        blocks.append(Block("alert", title=rare_question(data), items=rare_answer(data)))
        blocks.append(Block("cards", cards=cards(data)))
        blocks += [_short_table(data), text(answer)]
    blocks.append(Block("list", title="What to conclude", items=conclusions(data)))
    blocks.append(Block("list", title="What not to conclude", items=cautions(data)))
    blocks.append(Block("list", title="How much of it is optimism", items=_optimism(data)))
    what = [_question(data), _material(data), _images(data), *_weights(data)]
    blocks.append(Block("list", title="What was done, on what", items=what))
    return Section("summary", "In short", [b for b in blocks if b.items or b.text or b.cards or b.table is not None])


def _question(data: ReportInput) -> str:
    names = ", ".join(class_name(k, data.classes, data.outcome) for k in range(len(data.classes)))
    order = "ordered" if data.ordered else "unordered"
    if data.outcome == "astlof_class":
        return f"Question: can CT alone tell the ASTLOF treatment class of a fractured vertebra ({names})?"
    return f"Question: can the features tell {data.outcome} ({len(data.classes)} {order} classes: {names})?"


def _material(data: ReportInput) -> str:
    cohorts = ", ".join(f"{(data.cases['cohort'] == c).sum()} {c}" for c in data.cohorts)
    centres = data.cases["center"].nunique() if "center" in data.cases else 0
    where = f" from {plural(centres, 'centre')}" if centres else ""
    rows = f"{len(data.cases):,} {data.unit}"
    return f"Data: {rows} of {data.cases['patient_id'].nunique():,} patients{where}; by cohort: {cohorts}."


def _images(data: ReportInput) -> str:
    if data.source == "features":
        return "The study started from a feature table; no image was read."
    kind = "Synthetic CT volumes" if data.synthetic else "CT volumes"
    return f"Images: {kind} with a mask of each vertebra; one case is one fractured vertebra."


def _weights(data: ReportInput) -> list[str]:
    if not data.weights or data.source == "features":
        brought = [arm for arm in data.selection if arm != "table"] if data.source == "features" else []
        told = f"Deep features ({', '.join(brought)}) came with the feature table."
        return [told if brought else "No network was used: the study has no deep arm."]
    words = {
        ("none", False): "no network; radiomics alone",
        ("random", False): "seeded random network, never trained on any image",
        ("random", True): "network with seeded random weights, tuned on training patients in every fold",
        ("file", False): "weights file of the user, frozen",
        ("file", True): "weights file of the user, tuned on training patients in every fold",
    }
    lines = []
    for arm, weights in data.weights.items():
        line = f"Arm {arm}: {words[weights.kind, _is_tuned(data, arm) and weights.kind != 'none']}"
        detail = [weights.description] if weights.description and weights.kind != "none" else []
        detail += [f"sha256 {weights.sha256[:12]}…"] if weights.sha256 else []
        lines.append(line + (f" ({'; '.join(detail)})" if detail else "") + ".")
    return lines


def headline_sentence(data: ReportInput) -> str:
    """The one sentence a reader takes away."""
    cohort = best_new(data)
    if cohort is None:
        return ""
    block = data.headline_block(cohort) or {}
    value = sentence(block.get("macro_auc"), "macro AUC", data.unit)
    return f"{cohort_name(cohort)}, {where(data, cohort)}: {value}. Model: {headline_words(data)}."


def _short_table(data: ReportInput) -> Block:
    """How good, for each class, in each cohort: the half-minute answer."""
    last = len(data.classes) - 1
    rows = []
    for cohort in validated(data):
        block = data.headline_block(cohort) or {}
        found = block.get("class", {}).get(str(last), {})
        row = {"Cohort": cohort_name(cohort), "Macro AUC (95% CI)": estimate(block.get("macro_auc"))}
        name = class_name(last, data.classes, data.outcome)
        row[f"AUC, {name}"] = estimate(block.get("class_auc", {}).get(str(last)))
        for metric in ("sensitivity", "specificity"):
            value = found.get(metric)
            row[f"{metric.capitalize()}, {name}"] = estimate(value) if isinstance(value, dict) else unit_share(value)
        row["Accuracy (no-information rate)"] = _accuracy(block)
        rows.append(row)
    note = (
        "0.50 is guessing, 1.00 is perfect. Sensitivity and specificity at the threshold fixed on training; in "
        "training itself the largest probability decides. No-information rate: accuracy of always naming the "
        "commonest class."
    )
    return Block(
        "table", title="Headline model at a glance", table=pd.DataFrame(rows), name="headline_at_a_glance", text=note
    )


def _accuracy(block: Mapping[str, Any]) -> str:
    value, rate = block.get("accuracy"), block.get("no_information_rate")
    got = (value or {}).get("estimate") if isinstance(value, dict) else value
    rate = rate.get("estimate") if isinstance(rate, dict) else rate
    return f"{unit_share(got)} ({unit_share(rate)})"


def _optimism(data: ReportInput) -> list[str]:
    found = optimism(data)
    lines = []
    if found is not None:
        lines.append(
            f"On its own training rows the model reaches macro AUC {unit_share(found[0])} (apparent); in nested "
            f"cross-validation {unit_share(found[1])}. The difference, {found[0] - found[1]:.2f}, is optimism."
        )
    return lines + _findings(data)


def _findings(data: ReportInput) -> list[str]:
    """What the honesty checks found: the permutation test always, others where they did not pass."""
    lines = []
    for row in ((data.results or {}).get("audit") or {}).get("rows", []):
        check, status = str(row.get("check", "")), str(row.get("status", "")).upper()
        if check.startswith("permutation") or status != "PASS":
            what = str(row.get("text") or check).rstrip(".")
            lines.append(f"{what[:1].upper()}{what[1:]} (check {check}: {status}).")
    return lines


def conclusions(data: ReportInput) -> list[str]:
    """What the numbers allow, by rule from the interval of the best cohort."""
    cohort = best_new(data)
    value = ((data.headline_block(cohort) or {}).get("macro_auc") or {}) if cohort else {}
    if not known(value.get("estimate")):
        return ["Nothing about performance: no cohort could be evaluated."]
    where = cohort_name(cohort or "").lower()
    low, high = value.get("low"), value.get("high")
    if not (known(low) and known(high)):
        return [f"In {where} there are too few {data.unit} for an interval; the estimate alone carries no conclusion."]
    if round(low, 2) <= 0.5 <= high:  # as printed: an interval from "0.50" shows nothing
        return [f"No usable signal is shown in {where}: the interval of the macro AUC includes 0.50."]
    if high < 0.5:
        return [f"In {where} the model ranks worse than guessing; look for a reversed label or a wrong cohort."]
    lines = [
        f"In {where} the model ranks {data.unit} by class better than guessing: the whole interval lies above 0.50."
    ]
    if high - low > 0.15:
        lines.append(f"How much better is uncertain: the interval spans {high - low:.2f}.")
    for other in validated(data):
        if not known(((data.headline_block(other) or {}).get("macro_auc") or {}).get("low")):
            lines.append(f"Nothing from {cohort_name(other).lower()}: it is too small for an interval.")
    return lines


def cautions(data: ReportInput) -> list[str]:
    """What must not be read into the report."""
    lines = []
    if data.synthetic:
        lines.append("Nothing about patients: the images are synthetic and their signal was put there by a program.")
    for tuned, learned in ((False, "was trained on no image"), (True, "learned from this study's images alone")):
        if arms := _random_arms(data, tuned):
            lines.append(f"Nothing about transfer learning: the network of arm {' and '.join(arms)} {learned}.")
    if data.outcome == "astlof_class":
        lines.append(
            "Not that CT replaces the ASTLOF score: MRI, DXA and pain are part of the class, and CT does not show pain."
        )
    lines.append("Not that the model should decide about any patient: no study of its use was done.")
    lines.append("Not performance from apparent rows, from the best of several models, or without the interval.")
    if "external" not in data.cohorts:
        lines.append("Nothing about other centres: there is no external cohort.")
    return lines + _small(data)


def _small(data: ReportInput) -> list[str]:
    """One line on the classes that are too rare in a validation cohort."""
    found = []
    for cohort in data.cohorts:
        counts = data.cases.loc[data.cases["cohort"] == cohort, "y"].value_counts()
        few = [k for k in range(len(data.classes)) if counts.get(k, 0) < FEW]
        if few and cohort != "train":
            sizes = ", ".join(f"{class_name(k, data.classes, '')} n = {counts.get(k, 0)}" for k in few)
            found.append(f"{cohort} ({f'every class below {FEW}' if len(few) == len(data.classes) else sizes})")
    return [f"Not a firm number per class where a class is rare: {'; '.join(found)}."] if found else []


def weights_text(data: ReportInput) -> str:
    """Short statement for figure footers."""
    parts = ["synthetic images"] if data.synthetic else []
    for tuned, words in ((False, "random network"), (True, "network tuned from random weights")):
        if arms := _random_arms(data, tuned):
            parts.append(f"arm {', '.join(arms)}: {words}")
    return " · ".join(parts)


def _speaks(row: Mapping[str, Any], cohort: str | None) -> bool:
    """Whether a comparison is of two arms, in macro AUC, in this cohort."""
    of_arms = row.get("family", "arms") == "arms" and row.get("metric", "macro_auc") == "macro_auc"
    return of_arms and row.get("cohort") == cohort and known(row.get("difference"))


def comparison_words(data: ReportInput) -> Block | None:
    """One sentence on the first comparison of arms in the cohort of the headline sentence."""
    rows = (data.results or {}).get("comparisons") or []
    cohort = best_new(data)
    row = next((r for r in rows if _speaks(r, cohort)), None)
    if row is None:
        return None
    p = row.get("p_holm") if known(row.get("p_holm")) else row.get("p")
    return text(
        f"In {cohort_name(cohort or '').lower()}, {row.get('a')} minus {row.get('b')} is {row['difference']:.2f} "
        f"in macro AUC ({p_sentence(p)}{', Holm' if known(row.get('p_holm')) else ''})."
    )
