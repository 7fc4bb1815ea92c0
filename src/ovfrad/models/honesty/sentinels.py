"""Models that should know nothing, or less, beside the headline (METHODS G3, E12)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.folds import CHANCE
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.models.baselines import BASELINES
from ovfrad.models.engine import nested
from ovfrad.models.folds import nested_folds, patient_folds
from ovfrad.models.honesty.check import Check, low, macro, pick
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows

LEVEL_WITH = 0.02
"""A sentinel within this distance of the headline's macro AUC does as well."""
CONFOUND = 0.99
"""Level of the interval that must exclude chance for a centre or scanner to be called a confounder."""
PERFECT = 0.98
"""Nested macro AUC from which the outcome is more likely among the columns than measured so well."""
PRIOR = 2.0
"""Rows of the training classes that each scanner is given beside its own."""


def sentinels(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> list[Check]:
    """Volume only, height only and centre only against the headline, on nested predictions (G3)."""
    own = pick(predictions, cohort="train", recipe=recipe, arm=arm)
    headline = macro(own[own["model"] == model])
    there = [name for name in ("volume", "height", "center") if (own["model"] == name).any()]
    found = {name: macro(own[own["model"] == name], CONFOUND if name == "center" else 0.95) for name in there}
    if headline.estimate is None:
        return []
    return [_sentinel(f"{name} only", told, headline, name == "center") for name, told in found.items()]


def scanner_only(rows: Rows, procedure: Procedure, headline: Estimate) -> Check | None:
    """Class shares of each scanner (batch), learned on the other folds, against the headline (G3).

    None without scanners, with one, or where they are the centres, which have a row of their own.
    """
    if rows.batch is None or headline.estimate is None or len(set(rows.batch)) < 2:
        return None
    if rows.center is not None and len(set(zip(rows.batch, rows.center, strict=True))) == len(set(rows.center)):
        return None
    codes, K = rows.codes, procedure.n_classes
    n = nested_folds(codes, rows.groups, procedure.models.outer_folds, 2, procedure.classes)[0]
    p = np.zeros((len(rows), K))
    for train, test in patient_folds(codes, rows.groups, n, procedure.random_state, procedure.classes):
        prior = np.bincount(codes[train], minlength=K) / len(train)
        for name in set(rows.batch[test]):
            own = codes[train][rows.batch[train] == name]
            at = test[rows.batch[test] == name]
            p[at] = (np.bincount(own, minlength=K) + PRIOR * prior) / (len(own) + PRIOR)
    return _sentinel("scanner only", macro_auc(codes, p, rows.groups, CONFOUND), headline, confounder=True)


def too_good(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> Check:
    """Ask whether the headline, or a baseline, is better in nested predictions than a measurement can be (A6).

    Parts of the label that together make it up, none of which does alone, show here.
    """
    own = pick(predictions, cohort="train", recipe=recipe, arm=arm)
    names = [name for name in (model, *BASELINES) if (own["model"] == name).any()]
    found = {name: macro(own[own["model"] == name]).estimate or 0.0 for name in names}
    best = max(found, key=lambda name: found[name])
    told = f"{best} reads nested macro AUC {found[best]:.3f}"
    if found[best] < PERFECT:
        return Check("too good", "PASS", found[best], PERFECT, f"Nothing is too good to be true: {told}.")
    text = f"{told}, too good to be true: look for a part of the outcome, or what follows from it, among its columns."
    return Check("too good", "WARN", found[best], PERFECT, text)


def _sentinel(name: str, estimate: Estimate, headline: Estimate, confounder: bool = False) -> Check:
    """WARN where a sentinel does as well as the headline, or where it should know nothing and does.

    Where neither is above chance there is nothing to do as well as: the row `signal` says so.
    """
    value, limit = estimate.estimate, (headline.estimate or 0.0) - LEVEL_WITH
    if value is None:
        return Check(name, "WARN", None, limit, f"{name}: {estimate.method}.")
    numbers = f"{name} reads macro AUC {value:.3f}, the headline {headline.estimate:.3f}"
    if value >= limit and max(low(estimate), low(headline)) > CHANCE:
        return Check(name, "WARN", value, limit, f"{numbers}: the headline adds nothing to it.")
    if confounder and low(estimate) > CHANCE:
        return Check(name, "WARN", value, CHANCE, f"{numbers}: it alone foretells the class, so it may confound.")
    return Check(name, "PASS", value, limit, f"{numbers}.")


def shuffled_voxels(
    rows: Rows, features: pd.DataFrame, procedure: Procedure, model: str, headline: Estimate, *, jobs: int = 1
) -> Check:
    """Nested macro AUC with features of images whose voxels were shuffled inside the mask, against the headline (G3).

    Shape and first-order features survive the shuffle, texture does not.

    Parameters
    ----------
    rows : Rows
        Training rows.
    features : DataFrame
        Their features from shuffled voxels, index as `rows.X` in any order.
    procedure : Procedure
    model : str
    headline : Estimate
        Nested macro AUC with the real features.
    """
    shuffled = replace(rows, X=features.loc[rows.X.index], reader2=None)
    lean = replace(procedure.only(model, recalibrate=False), network=None)
    table = nested(shuffled, lean, baselines=False, jobs=jobs)
    return _sentinel("shuffled voxels", macro(table[table["model"] == model]), headline)


def usable_signal(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> Check:
    """Say "no usable signal" where neither the headline nor any baseline is above chance in nested predictions (E12).

    The headline is above chance if its 95 % interval is; of the m baselines, one must be at level 1 - .05 / m.
    """
    own = pick(predictions, cohort="train", recipe=recipe, arm=arm)
    others = [name for name in BASELINES if (own["model"] == name).any()]
    headline = macro(own[own["model"] == model])
    lows = {name: low(macro(own[own["model"] == name], 1 - 0.05 / len(others))) for name in others}
    above = [name for name, low in lows.items() if low > CHANCE]
    if low(headline) > CHANCE:
        return Check("signal", "PASS", headline.estimate, CHANCE, f"{model} is above chance: {headline}.")
    if above:
        text = f"{model} is not above chance ({headline}), though {', '.join(above)} alone is."
    else:
        text = f"No usable signal: neither {model} ({headline}) nor any baseline is above chance; do not rank models."
    return Check("signal", "WARN", headline.estimate, CHANCE, text)
