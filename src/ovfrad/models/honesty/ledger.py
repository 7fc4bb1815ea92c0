"""What each way of counting flatters (METHODS G2)."""

from __future__ import annotations

import math

import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.models.honesty.check import Check, macro, pick
from ovfrad.models.network import NETWORK
from ovfrad.models.procedure import BEST
from ovfrad.study.settings import NINE

GAP = 0.05
"""Excess of inner over nested macro AUC from which the ledger warns that choosing has flattered."""
NOISE = 0.6
"""Over the root of the rows: the gap that so few rows show by themselves, about one standard error of a macro AUC."""
DROP, SURE = 0.1, 3.0
"""Fall of the macro AUC in a validation cohort, and in standard errors of the difference, from which it is told."""
_OF_A_NETWORK = {
    "train_apparent": "on the rows it was tuned on",
    "train_inner": "out of fold",
    "train": "on held-out patients",
}
VALIDATION = ("internal", "external", "prospective")


def ledger(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> pd.DataFrame:
    """How much each way of counting flatters (G2): columns quantity, cohort, recipe, model, macro_auc, n.

    Apparent, inner cross-validation and nested macro AUC of the headline, then in each validation cohort the
    headline beside the best of the nine picked on that very cohort, and the `paper` recipe's own headline. Of an arm
    whose network is tuned, also the network alone: on the rows it was tuned on, out of fold, and on other patients.

    Parameters
    ----------
    predictions : DataFrame
        Prediction table of the run.
    recipe, arm, model : str
        The headline.
    """
    validation = [c for c in VALIDATION if (predictions["cohort"] == c).any()]
    rows = []

    def add(quantity: str, cohort: str, **where: str) -> None:
        table = pick(predictions, cohort=cohort, arm=arm, **where)
        value = macro(table).estimate if len(table) else None
        if value is not None:
            rows.append({"quantity": quantity, "cohort": cohort, **where, "macro_auc": value, "n": len(table)})

    add("apparent: on the rows it was fitted to", "train_apparent", recipe=recipe, model=model)
    add("inner cross-validation: on the folds that chose it", "train_inner", recipe=recipe, model=model)
    add("nested: on patients held out from every choice", "train", recipe=recipe, model=model)
    for cohort in validation:
        add("headline", cohort, recipe=recipe, model=model)
        own = pick(predictions, cohort=cohort, arm=arm, recipe=recipe)
        found = {name: macro(own[own["model"] == name]).estimate for name in NINE if (own["model"] == name).any()}
        scored = {name: value for name, value in found.items() if value is not None}
        if scored:
            best = max(scored, key=lambda name: scored[name])
            add("best of the nine, picked on this cohort", cohort, recipe=recipe, model=best)
    if recipe != "paper":
        for cohort in ("train_apparent", "train", *validation):
            add("recipe of the paper", cohort, recipe="paper", model=BEST)
    for which in dict.fromkeys((recipe, "paper")):
        for cohort, what in _OF_A_NETWORK.items():
            add(f"tuned network alone, {what}", cohort, recipe=which, model=NETWORK)
        for cohort in validation:
            add("tuned network alone", cohort, recipe=which, model=NETWORK)
    return pd.DataFrame(rows, columns=["quantity", "cohort", "recipe", "model", "macro_auc", "n"])


def check_ledger(table: pd.DataFrame) -> Check:
    """Judge the ledger: what was chosen on inner folds must not lose much on patients that chose nothing."""
    value = {row.cohort: float(row.macro_auc) for row in table[table["quantity"].str.contains(":")].itertuples()}
    if "train_inner" not in value or "train" not in value:
        return Check(
            "ledger",
            "WARN",
            None,
            GAP,
            "Too few patients for inner folds: what choosing flatters is not known.",
        )
    rows = int(table.loc[table["cohort"] == "train", "n"].max())
    gap, limit = value["train_inner"] - value["train"], max(GAP, NOISE / math.sqrt(rows))
    apparent = f"apparent {value['train_apparent']:.3f}, " if "train_apparent" in value else ""
    numbers = f"{apparent}inner cross-validation {value['train_inner']:.3f}, nested {value['train']:.3f}"
    verdict = "choosing has flattered the inner number" if gap > limit else "choosing has cost nothing that shows"
    return Check("ledger", "WARN" if gap > limit else "PASS", gap, limit, f"Macro AUC: {numbers}; {verdict}.")


def check_cohorts(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> Check | None:
    """Ask whether the headline falls far below its nested number in a validation cohort; None without one.

    What was learned before the study began (features of a network tuned on its training patients, columns chosen
    on them) is in the nested number and not in that of other patients.
    """
    own = pick(predictions, recipe=recipe, arm=arm, model=model)
    nested = macro(own[own["cohort"] == "train"])
    found: dict[str, tuple[float, float]] = {}
    for cohort in VALIDATION:
        there = macro(own[own["cohort"] == cohort]) if (own["cohort"] == cohort).any() else nested
        if there is not nested and there.estimate is not None and nested.estimate is not None:
            spread = math.hypot(_deviation(nested), _deviation(there))
            found[cohort] = nested.estimate - there.estimate, spread
    if not found or nested.estimate is None:
        return None
    worst = max(found, key=lambda cohort: found[cohort][0] - SURE * found[cohort][1])
    (drop, spread), limit = found[worst], max(DROP, SURE * found[worst][1])
    told = f"{nested.estimate:.3f} in nested training, {nested.estimate - drop:.3f} in the {worst} cohort"
    if not math.isfinite(spread) or drop <= limit:
        return Check("cohorts", "PASS", drop, limit if math.isfinite(limit) else None, f"Macro AUC {told}.")
    text = (
        f"Macro AUC {told}: more than chance. Were features or their choice learned on the training patients before "
        "the study, or are these other patients?"
    )
    return Check("cohorts", "WARN", drop, limit, text)


def _deviation(estimate: Estimate) -> float:
    """Standard error, from the interval; without one nothing is sure."""
    if estimate.low is None or estimate.high is None:
        return math.inf
    return (estimate.high - estimate.low) / (2 * 1.96)
