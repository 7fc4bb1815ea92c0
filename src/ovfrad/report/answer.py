"""The half-minute answer: how good the model is for the rarest, highest class at a new centre, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovfrad.report.blocks import Card
from ovfrad.report.inputs import ReportInput
from ovfrad.report.table_results import best_new
from ovfrad.report.words import class_name, cohort_name, estimate, known, unit_share

#: Cohorts from the strictest test of a model to the mildest.
STRICTEST = ("external", "prospective", "internal", "train")
WHERE = {
    "external": "at a centre that the model has never seen",
    "prospective": "in cases collected after training",
    "internal": "in held-out patients of the training centre",
    "train": "in training patients, each predicted by models that never saw the patient",
}
_NEW = {"external": "at a new centre", "prospective": "in later patients", "internal": "in held-out patients"}
_NEW |= {"train": "in patients left out in turn"}


def where(data: ReportInput, cohort: str) -> str:
    """What kind of test a cohort is; a centre whose scanners were adapted to was seen, if without its outcomes."""
    if (data.run.get("harmonisation") or {}).get("adapted", {}).get(cohort):
        return f"{WHERE[cohort]} but for the scale of its features, which was learned from these cases without outcomes"
    return WHERE[cohort]


def highest(data: ReportInput) -> int:
    """Code of the class that the first page asks about: the last in order, for ASTLOF the surgical one."""
    return len(data.classes) - 1


def _name(data: ReportInput) -> str:
    return class_name(highest(data), data.classes, data.outcome)


def rare_question(data: ReportInput) -> str:
    """The question that a clinician asks first."""
    who = "cases for surgery" if data.outcome == "astlof_class" else _name(data)
    return f"How good is it for {who} at a new centre, and how sure is that?"


def rare_answer(data: ReportInput) -> list[str]:
    """The answer in plain words, from the external cohort; or why it cannot be given, and the nearest evidence."""
    found = [c for c in STRICTEST if _auc(data, c)]
    if not found:
        return ["This run cannot say: the class was not evaluated in any cohort."]
    first = found[0]
    if first == "external":
        lines = [*_told(data, first), _sure(data, first)]
        if known(_auc(data, first).get("low")):
            return lines
    else:
        lines = ["This study cannot say: it has no external cohort in which the class occurs."]
    firm = next((c for c in found if c != "external" and known(_auc(data, c).get("low"))), None)
    return [*lines, "The nearest evidence:", *_told(data, firm), _sure(data, firm)] if firm else lines


def _auc(data: ReportInput, cohort: str) -> Mapping[str, Any]:
    """AUC of the highest class in a cohort; empty where there is none."""
    block = data.headline_block(cohort) or {}
    value = block.get("class_auc", {}).get(str(highest(data))) or {}
    return value if known(value.get("estimate")) else {}


def _count(data: ReportInput, cohort: str) -> tuple[int, int]:
    """Rows of the highest class in a cohort, and all rows."""
    y = data.headline_predictions(cohort)["y_true"] if len(data.headline_predictions(cohort)) else []
    return int(sum(code == highest(data) for code in y)), len(y)


def _told(data: ReportInput, cohort: str) -> list[str]:
    """Where, the AUC as pairs out of a hundred, and what the fixed threshold finds and wrongly names."""
    value, (cases, n), name = _auc(data, cohort), _count(data, cohort), _name(data)
    lines = [
        f"Where: {cohort_name(cohort).lower()}, {where(data, cohort)}; {cases} of {n} {data.unit} are {name}.",
        f"Ranking: AUC {estimate(value)}. Of a hundred pairs, one {name} and one not, the model puts the right one "
        f"first in {100 * value['estimate']:.0f}.",
    ]
    rates = {key: (_rates(data, cohort).get(key) or {}) for key in ("sensitivity", "specificity")}
    if all(isinstance(r, Mapping) and known(r.get("estimate")) for r in rates.values()) and cases:
        hit, wrong = rates["sensitivity"]["estimate"] * cases, (1 - rates["specificity"]["estimate"]) * (n - cases)
        lines.append(
            f"Finding: at {_threshold(cohort)} it finds {hit:.0f} of the {cases} (sensitivity "
            f"{estimate(rates['sensitivity'])}) and wrongly names {wrong:.0f} of the {n - cases} others "
            f"(specificity {estimate(rates['specificity'])})."
        )
    return lines


def _rates(data: ReportInput, cohort: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (data.headline_block(cohort) or {}).get("class", {}).get(str(highest(data)), {})
    return found


def _threshold(cohort: str) -> str:
    return "the largest probability" if cohort == "train" else "the threshold fixed on training"


def _sure(data: ReportInput, cohort: str) -> str:
    """What the interval allows, in words."""
    value, (cases, _) = _auc(data, cohort), _count(data, cohort)
    low, high = value.get("low"), value.get("high")
    if not (known(low) and known(high)):
        few = "one such case allows" if cases == 1 else f"{cases} such cases allow"
        return f"How sure: not at all; {few} no interval."
    width = high - low
    sure = "fairly sure" if width <= 0.1 else "roughly sure" if width <= 0.2 else "very unsure"
    reach = f"the data agree with anything from {100 * low:.0f} to {100 * high:.0f} of a hundred pairs"
    verdict = "; guessing, 50 of a hundred, is not excluded" if round(low, 2) <= 0.5 else ""
    return f"How sure: {sure}; {reach}{verdict}."


def cards(data: ReportInput) -> list[Card]:
    """Three or four numbers: all classes, the highest class, finding it, optimism."""
    cohort = best_new(data)
    if cohort is None:
        return []
    block = data.headline_block(cohort) or {}
    found = [_card(f"All classes, {_NEW[cohort]}", block.get("macro_auc"), "macro AUC")]
    strictest = next((c for c in STRICTEST if _auc(data, c)), None)
    if strictest:
        found.append(_card(f"{_name(data).capitalize()}, {_NEW[strictest]}", _auc(data, strictest), "AUC"))
        rate = _rates(data, strictest).get("sensitivity")
        if isinstance(rate, Mapping):
            found.append(_card(f"Share of {_name(data)} that it finds there", rate, "sensitivity"))
    gap = optimism(data)
    if gap is not None:
        found.append(
            Card("Optimism", f"{gap[0] - gap[1]:.2f}", f"apparent {unit_share(gap[0])}, nested {unit_share(gap[1])}")
        )
    return found


def _card(label: str, value: Mapping[str, Any] | None, what: str) -> Card:
    value = value or {}
    shown, n = unit_share(value.get("estimate")), f"; n = {value['n']}" if known(value.get("n")) else ""
    if not known(value.get("low")):  # too few cases for an interval are too few for a large number
        return Card(label, "too few", f"{what} {shown}; no interval{n}")
    return Card(label, shown, f"{what}; 95% CI {unit_share(value['low'])} to {unit_share(value.get('high'))}{n}")


def optimism(data: ReportInput) -> tuple[float, float] | None:
    """Macro AUC of the headline model on its own training rows, and in nested cross-validation."""
    values = [
        ((data.headline_block(c) or {}).get("macro_auc") or {}).get("estimate") for c in ("train_apparent", "train")
    ]
    apparent, nested = values
    return (apparent, nested) if known(apparent) and known(nested) else None
