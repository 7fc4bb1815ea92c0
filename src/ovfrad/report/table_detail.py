"""Tables of the closer looks: subgroups, within centres, conformal sets, sizes, the two recipes, single cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ovfrad.report.inputs import COHORTS, ReportInput
from ovfrad.report.words import (
    MISSING,
    class_name,
    cohort_name,
    estimate,
    known,
    model_name,
    number,
    unit_share,
)
from ovfrad.study.recipes import defaults

ROWS_WORDS = {"train": "Training (nested)", "validation": "All validation cohorts"}
VARIABLE_WORDS = {
    "all": "All rows",
    "sex": "Sex",
    "age": "Age",
    "center": "Centre",
    "scanner": "Scanner",
    "location": "Location",
    "fracture_stage": "Fracture stage",
}
_LEVEL_WORDS = {"F": "female", "M": "male", "all": ""}


def level_name(level: Any) -> str:
    """Level of a variable in words.

    >>> level_name("F"), level_name(">= 70 years")
    ('female', '≥ 70 years')
    """
    text = str(level)
    return _LEVEL_WORDS.get(text, text.replace(">=", "≥"))


def subgroup_table(data: ReportInput) -> pd.DataFrame | None:
    """Macro and class AUC of the headline model in each subgroup, with rows of each class."""
    rows = []
    for block in (data.results or {}).get("subgroups") or []:
        name, value = VARIABLE_WORDS.get(block["variable"], block["variable"]), level_name(block["level"])
        row = {"Subgroup": f"{name}: {value}" if value else name, "Rows": ROWS_WORDS.get(block["rows"], block["rows"])}
        row["n (patients)"] = f"{block['n']} ({block['n_patients']})"
        row["n by class"] = " / ".join(map(str, block["counts"]))
        row["AUC macro"] = estimate(block.get("macro_auc"))
        for code, value in block.get("class_auc", {}).items():
            row[f"AUC {class_name(int(code), data.classes, '')}"] = estimate(value)
        rows.append(row)
    return pd.DataFrame(rows) if rows else None


def within_center_table(data: ReportInput) -> pd.DataFrame | None:
    """Macro AUC of all pairs beside that of pairs within one centre."""
    results = data.results or {}
    whole = {b["rows"]: b.get("macro_auc") for b in results.get("subgroups") or [] if b["variable"] == "all"}
    rows = []
    for name, block in (results.get("within_center") or {}).items():
        value = block["macro_auc"]
        row = {"Rows": ROWS_WORDS.get(name, name), "Centres": str(block["centers"])}
        row |= {"Macro AUC, all pairs": estimate(whole.get(name)), "Macro AUC within centres": estimate(value)}
        rows.append(row | {"How": str(value.get("method", ""))})
    return pd.DataFrame(rows) if rows else None


def conformal_table(data: ReportInput) -> pd.DataFrame | None:
    """Coverage and mean size of the conformal sets by cohort and class."""
    found = (data.results or {}).get("conformal") or {}
    rows, name = [], "Expected of so many calibration rows"
    promised = {
        row["class"]: {name: f"{number(row['expected'])} ({number(row['low'])} to {number(row['high'])})"}
        for row in found.get("promise", [])
    }
    for cohort, block in (found.get("cohorts") or {}).items():
        sizes = block["sizes"]
        row = {"Cohort": cohort_name(cohort), "True class": "all", **_covered(block)}
        rows.append(row | {"Sets of one class": f"{sizes[1]} of {block['n']}"})
        for code, part in block["class"].items():
            told = {"Cohort": cohort_name(cohort), "True class": _class(data, code), **_covered(part)}
            rows.append(told | promised.get(int(code), {}))
    return pd.DataFrame(rows).fillna("") if rows else None


def _covered(block: Mapping[str, Any]) -> dict[str, str]:
    return {"n": str(block["n"]), "Coverage": estimate(block["coverage"]), "Mean set size": number(block["mean_size"])}


def _class(data: ReportInput, code: Any) -> str:
    return class_name(int(code), data.classes, data.outcome)


def conformal_words(data: ReportInput) -> str:
    """What the sets are, what they were calibrated on, and what they cannot do."""
    found = (data.results or {}).get("conformal") or {}
    level, counts = found["level"], found["calibration_counts"]
    sizes = ", ".join(f"{_class(data, k)} {n}" for k, n in enumerate(counts))
    words = (
        f"{found['method'][:1].upper()}{found['method'][1:]}. A set holds the classes that cannot be ruled out at "
        f"{100 * level:g}% coverage of each class; a set of all classes says nothing. Calibrated on the inner "
        f"out-of-fold predictions of the training rows ({sizes}), which are therefore not evaluated here."
    )
    never = [k for k, n in enumerate(counts) if 1 / (1 + n) > 1 - level]
    if never:
        named = ", ".join(_class(data, k) for k in never)
        words += f" Too few calibration rows ever to rule out: {named} (that takes {round(1 / (1 - level)) - 1} rows)."
    return words


def sample_size_table(data: ReportInput) -> pd.DataFrame | None:
    """Patients of each class and the interval that each could get at an AUC of 0.80, by cohort."""
    rows = []
    for cohort, widths in ((data.results or {}).get("sample_size") or {}).get("widths", {}).items():
        row = {"Cohort": cohort_name(cohort)}
        for block in widths:
            limits = f"{number(block['low'])} to {number(block['high'])}" if known(block["low"]) else "no interval"
            row[f"{_class(data, block['class'])}: patients, interval"] = f"{block['cases']}, {limits}"
        rows.append(row)
    return pd.DataFrame(rows) if rows else None


def sample_size_words(data: ReportInput) -> str:
    """Events per feature of the training rows, in one sentence."""
    found = (data.results or {}).get("sample_size") or {}
    words = {"measured": "all that were measured", "dense": "after filters blind to the outcome and PCA"}
    words |= {"fused": "the fused set"}
    told = [
        f"{unit_share(found['events_per_feature'][key])} for {words[key]} ({found['features'][key]:,})"
        for key in words
        if known(found["events_per_feature"].get(key))
    ]
    return (
        "Interval: what an AUC of 0.80 would get in a class of this size. Events per feature, the training rows of the "
        f"rarest class ({found['events']}) over the number of features: {'; '.join(told)}. Below 10 a plain regression "
        "is usually over-fitted."
    )


def recipe_table(data: ReportInput) -> pd.DataFrame | None:
    """The two recipes side by side: macro AUC of each one's own model, apparent, nested and by cohort."""
    found: dict[str, Any] = (data.results or {}).get("recipes", {})
    if len(found) < 2 or data.headline is None:
        return None
    told = {recipe: _own_model(data, recipe) for recipe in found}
    rows = []
    for cohort in ("train_apparent", *COHORTS):
        blocks = {recipe: data.block(recipe, cohort, *told[recipe]) for recipe in found}
        if any(blocks.values()):
            cells = {_heading(r, told[r][1]): estimate((b or {}).get("macro_auc")) for r, b in blocks.items()}
            rows.append({"Cohort": cohort_name(cohort), **cells})
    gaps = {_heading(r, told[r][1]): _optimism(data, r, *told[r]) for r in found}
    return pd.DataFrame([*rows, {"Cohort": "Apparent minus nested", **gaps}])


def _heading(recipe: str, model: str) -> str:
    return f"Recipe {recipe}: {model_name(model)}"


def _own_model(data: ReportInput, recipe: str) -> tuple[str, str]:
    """Arm and model that a recipe stands for: the headline's for its own, the default of the other."""
    assert data.headline is not None
    own, arm, model = data.headline
    if recipe != own:
        model = defaults(recipe).get("models", {}).get("headline", {}).get("model", "auto")
        model = model if data.block(recipe, "train", arm, model) else data.headline[2]
    return arm, model


def _optimism(data: ReportInput, recipe: str, arm: str, model: str) -> str:
    values = [
        ((data.block(recipe, c, arm, model) or {}).get("macro_auc") or {}).get("estimate")
        for c in ("train_apparent", "train")
    ]
    apparent, nested = values
    return number(apparent - nested) if known(apparent) and known(nested) else MISSING


def gallery_table(data: ReportInput) -> pd.DataFrame | None:
    """True class and both predictions of every case in the gallery."""
    if data.gallery is None or data.gallery.cases.empty:
        return None
    two = bool(data.gallery.theirs)
    rows = []
    for case, row in data.gallery.cases.iterrows():
        told = {
            "Case": " ".join(str(part) for part in case if part not in ("", "-")),
            "Cohort": cohort_name(row["cohort"]),
        }
        told["True class"] = _class(data, row["y_true"])
        for name, code, p in prediction_words(data, row, two):
            told[name] = f"{code} (p = {p})"
        rows.append(told | ({"Right": {"ours": "first", "theirs": "second"}[row["direction"]]} if two else {}))
    return pd.DataFrame(rows)


def prediction_words(data: ReportInput, row: pd.Series, two: bool) -> Iterator[tuple[str, str, str]]:
    """Name of the model, class that it names, and its probabilities of all classes."""
    assert data.gallery is not None
    for key, name in (("ours", data.gallery.ours), ("theirs", data.gallery.theirs)):
        if key == "ours" or two:
            yield name, _class(data, row[key]), " / ".join(unit_share(p) for p in row[f"p_{key}"])
