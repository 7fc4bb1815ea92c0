"""Tables of the results: Table 3, operating points, comparisons, the optimism ledger and the audit (F1 to F3, G)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.report.inputs import COHORTS, ReportInput
from ovfrad.report.words import (
    MISSING,
    class_name,
    cohort_name,
    estimate,
    known,
    model_name,
    number,
    p_value,
    unit_share,
)
from ovfrad.study.settings import NINE

#: Order of the models in tables and figures.
_MODELS = (
    "auto",
    "best_of_nine",
    "sparse",
    "rad_score",
    *NINE,
    "L2_all",
    "RF_all",
    "volume",
    "height",
    "center",
    "clinical",
)
_METRIC_WORDS = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
    "threshold": "Threshold",
}


def models(data: ReportInput) -> Iterator[tuple[str, str, str, str, Mapping[str, Any]]]:
    """Recipe, cohort, arm, model and results of every model, cohorts in the order of the paper."""
    for recipe, found in (data.results or {}).get("recipes", {}).items():
        blocks = found.get("cohorts", {})
        order = [c for c in ("train_apparent", *COHORTS) if c in blocks]
        for cohort in order + [c for c in blocks if c not in order and c != "train_inner"]:
            for arm, named in blocks[cohort].items():
                for model, block in sorted(named.items(), key=lambda item: _place(item[0])):
                    yield recipe, cohort, arm, model, block


def _place(model: str) -> int:
    """Place of a model: the headline's kinds, the nine, the baselines."""
    return _MODELS.index(model) if model in _MODELS else len(_MODELS)


def validated(data: ReportInput) -> list[str]:
    """Cohorts in which the headline model was evaluated, in the order of the paper."""
    return [c for c in data.cohorts if data.headline_block(c)]


def _size(block: Mapping[str, Any]) -> str:
    """Rows and patients behind a block of results."""
    for key in ("macro_auc", "accuracy", "micro_auc"):
        value = block.get(key)
        if isinstance(value, Mapping) and known(value.get("n")):
            patients = value.get("n_patients")
            return f"{value['n']} of {patients}" if known(patients) else str(value["n"])
    return MISSING


def headline_table(data: ReportInput) -> pd.DataFrame | None:
    """Table 3 for the headline model: one row per class, macro, micro and accuracy; one column per cohort."""
    cohorts = validated(data)
    if not cohorts:
        return None
    blocks = {c: data.headline_block(c) or {} for c in cohorts}
    rows = [{"": f"{data.unit.capitalize()} of patients, n", **{c: _size(b) for c, b in blocks.items()}}]
    for code in range(len(data.classes)):
        label = f"AUC, {class_name(code, data.classes, data.outcome)} against the rest"
        rows.append({"": label, **{c: estimate(b.get("class_auc", {}).get(str(code))) for c, b in blocks.items()}})
    for key, label in (("macro_auc", "AUC, macro"), ("micro_auc", "AUC, micro"), ("accuracy", "Accuracy")):
        rows.append({"": label, **{c: estimate(b.get(key)) for c, b in blocks.items()}})
    rows.append({"": "No-information rate", **{c: share(b.get("no_information_rate")) for c, b in blocks.items()}})
    return pd.DataFrame(rows).rename(columns={c: cohort_name(c) for c in cohorts})


def share(value: Any) -> str:
    """A share given as a number or as an estimate."""
    if isinstance(value, Mapping):
        return unit_share(value.get("estimate"))
    return unit_share(value)


def table_three(data: ReportInput) -> pd.DataFrame | None:
    """Every recipe, arm, model and cohort: AUC per class, macro, micro, accuracy and its no-information rate."""
    rows = []
    for recipe, cohort, arm, model, block in models(data):
        row = {"Cohort": cohort_name(cohort), "Recipe": recipe, "Arm": arm, "Model": model_name(model)}
        row["n"] = _size(block)
        for code in range(len(data.classes)):
            name = class_name(code, data.classes, "")
            row[f"AUC {name}"] = estimate(block.get("class_auc", {}).get(str(code)))
        row |= {"AUC macro": estimate(block.get("macro_auc")), "AUC micro": estimate(block.get("micro_auc"))}
        row |= {"Accuracy": estimate(block.get("accuracy")), "No-information": share(block.get("no_information_rate"))}
        rows.append(row)
    return pd.DataFrame(rows) if rows else None


def operating_points(data: ReportInput) -> pd.DataFrame | None:
    """Sensitivity, specificity, PPV, NPV and F1 per class of the headline model, thresholds fixed on training."""
    rows = []
    for cohort in validated(data):
        for code, block in (data.headline_block(cohort) or {}).get("class", {}).items():
            row = {"Cohort": cohort_name(cohort), "Class": class_name(int(code), data.classes, data.outcome)}
            rows.append(row | {word: _cell(block[key]) for key, word in _METRIC_WORDS.items() if key in block})
    return pd.DataFrame(rows).fillna(MISSING) if rows else None


def _cell(value: Any) -> str:
    return estimate(value) if isinstance(value, Mapping) else unit_share(value)


def comparison_table(rows: Sequence[Mapping[str, Any]] | None) -> pd.DataFrame | None:
    """Two arms or models on the same rows: difference with interval, p values, and the family that Holm adjusts in."""
    if not rows:
        return None
    out = []
    for row in rows:
        told = {"Recipe": row.get("recipe", MISSING), "Cohort": cohort_name(str(row.get("cohort", MISSING)))}
        told |= {"A": model_name(str(row.get("a", MISSING))), "B": model_name(str(row.get("b", MISSING)))}
        told["AUC"] = str(row.get("metric", "macro_auc")).replace("_auc", "").replace(".", " ").replace("_", " ")
        told["A minus B"] = _difference(row)
        told |= {"p": p_value(row.get("p")), "p, Holm": p_value(row.get("p_holm")), "Family": _family(row)}
        told |= {"p, permutation": p_value(row.get("p_permutation")), "Method": row.get("method", MISSING)}
        out.append(told)
    return pd.DataFrame(out)


def _difference(row: Mapping[str, Any]) -> str:
    """Difference of two AUCs with its interval; ValueError where they contradict each other."""
    value = Estimate.from_dict(dict(row) | {"estimate": row.get("difference")})
    if value.estimate is None:
        return MISSING
    limits = f"({number(value.low)} to {number(value.high)})" if value.has_interval else "(no interval)"
    return f"{number(value.estimate)} {limits}"


def _family(row: Mapping[str, Any]) -> str:
    """Tests that Holm adjusts together: `arms, macro: 2 tests`."""
    if not known(row.get("family_size")):
        return MISSING
    kind = "macro" if row.get("metric", "macro_auc") == "macro_auc" else "class"
    size = int(row["family_size"])
    return f"{row.get('family', MISSING)}, {kind}: {size} {'test' if size == 1 else 'tests'}"


def plain_table(rows: Any, digits: int = 2) -> pd.DataFrame | None:
    """Any rows as text: numbers rounded, p columns as p, estimates with their intervals."""
    if rows is None or not len(rows):
        return None
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if isinstance(rows, pd.DataFrame) and not isinstance(frame.index, pd.RangeIndex) and frame.index.names[0]:
        frame = frame.reset_index()
    text = {str(c): [_text(v, str(c), digits) for v in frame[c]] for c in frame.columns}
    return pd.DataFrame(text).rename(columns=heading)


def heading(column: str) -> str:
    """Column name as a heading.

    >>> heading("macro_auc"), heading("kvp"), heading("Paper says")
    ('Macro AUC', 'kVp', 'Paper says')
    """
    special = {"p_holm": "p, Holm", "kvp": "kVp", "ma": "mA", "p": "p", "n": "n", "sha256": "SHA-256"}
    text = special.get(column, column.replace("_", " ").replace("auc", "AUC").replace(" mm", ", mm"))
    return text if column in special else text[:1].upper() + text[1:]


def _text(value: Any, column: str, digits: int) -> str:
    if isinstance(value, Mapping):
        return estimate(value)
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return MISSING
    if column in ("p", "p_holm"):
        return p_value(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or not known(value):
        return str(value)
    return f"{int(value)}" if float(value).is_integer() and not isinstance(value, float) else number(value, digits)


def calibration_table(data: ReportInput) -> pd.DataFrame | None:
    """Brier score, log-loss and expected calibration error of the headline model by cohort."""
    rows = []
    for cohort in validated(data):
        block = data.headline_block(cohort) or {}
        row = {"Cohort": cohort_name(cohort), "Brier score": estimate(block.get("brier"))}
        row["Log-loss"] = estimate(block.get("log_loss"))
        for code, value in (block.get("ece") or {}).items():
            name = class_name(int(code), data.classes, "")
            row[f"ECE, {name}"] = unit_share(value.get("estimate") if isinstance(value, Mapping) else value)
        rows.append(row)
    return pd.DataFrame(rows).fillna(MISSING) if rows else None


def confusion_table(data: ReportInput) -> pd.DataFrame | None:
    """Counts of true against predicted class of the headline model, all cohorts."""
    names = [class_name(k, data.classes, data.outcome) for k in range(len(data.classes))]
    rows = []
    for cohort in validated(data):
        for true, counts in enumerate((data.headline_block(cohort) or {}).get("confusion_matrix") or []):
            cells = {f"predicted {name}": str(int(n)) for name, n in zip(names, counts, strict=True)}
            rows.append({"Cohort": cohort_name(cohort), "True class": names[true], **cells})
    return pd.DataFrame(rows) if rows else None


def best_new(data: ReportInput) -> str | None:
    """Cohort that answers best how good the model is elsewhere: the first with an interval, else the first.

    The order is external, prospective, internal, nested training.
    """
    found = [c for c in ("external", "prospective", "internal", "train") if data.headline_block(c)]
    values = {c: (data.headline_block(c) or {}).get("macro_auc") or {} for c in found}
    return next((c for c in found if known(values[c].get("low"))), found[0] if found else None)
