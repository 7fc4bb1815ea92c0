"""What each way of counting flatters (METHODS G2)."""

from __future__ import annotations

import pandas as pd

from ovfrad.models.honesty.check import Check, macro, pick
from ovfrad.models.procedure import BEST
from ovfrad.study.settings import NINE

GAP = 0.05
"""Excess of inner over nested macro AUC from which the ledger warns that choosing has flattered."""


def ledger(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> pd.DataFrame:
    """How much each way of counting flatters (G2): columns quantity, cohort, recipe, model, macro_auc, n.

    Apparent, inner cross-validation and nested macro AUC of the headline, then in each validation cohort the
    headline beside the best of the nine picked on that very cohort, and the `paper` recipe's own headline.

    Parameters
    ----------
    predictions : DataFrame
        Prediction table of the run.
    recipe, arm, model : str
        The headline.
    """
    validation = [c for c in ("internal", "external", "prospective") if (predictions["cohort"] == c).any()]
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
        for cohort in ("train", *validation):
            add("recipe of the paper", cohort, recipe="paper", model=BEST)
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
    gap = value["train_inner"] - value["train"]
    apparent = f"apparent {value['train_apparent']:.3f}, " if "train_apparent" in value else ""
    numbers = f"{apparent}inner cross-validation {value['train_inner']:.3f}, nested {value['train']:.3f}"
    verdict = "choosing has flattered the inner number" if gap > GAP else "choosing has cost nothing that shows"
    return Check("ledger", "WARN" if gap > GAP else "PASS", gap, GAP, f"Macro AUC: {numbers}; {verdict}.")
