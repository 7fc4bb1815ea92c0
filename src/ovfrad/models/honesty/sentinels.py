"""Models that should know nothing, or less, beside the headline (METHODS G3, E12)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.folds import CHANCE
from ovfrad.models.baselines import BASELINES
from ovfrad.models.engine import nested
from ovfrad.models.honesty.check import Check, low, macro, pick
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows

LEVEL_WITH = 0.02
"""A sentinel within this distance of the headline's macro AUC does as well."""


def sentinels(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> list[Check]:
    """Volume only, height only and centre only against the headline, on nested predictions (G3)."""
    own = pick(predictions, cohort="train", recipe=recipe, arm=arm)
    headline = macro(own[own["model"] == model]).estimate
    checks = []
    for name in ("volume", "height", "center"):
        table = own[own["model"] == name]
        if not len(table) or headline is None:
            continue
        checks.append(_sentinel(f"{name} only", macro(table), headline, name == "center"))
    return checks


def _sentinel(name: str, estimate: Estimate, headline: float, confounder: bool = False) -> Check:
    """WARN where a sentinel does as well as the headline, or where it should know nothing and does."""
    value, limit = estimate.estimate, headline - LEVEL_WITH
    if value is None:
        return Check(name, "WARN", None, limit, f"{name}: {estimate.method}.")
    numbers = f"{name} reads macro AUC {value:.3f}, the headline {headline:.3f}"
    if value >= limit:
        return Check(name, "WARN", value, limit, f"{numbers}: the headline adds nothing to it.")
    if confounder and estimate.low is not None and estimate.low > CHANCE:
        return Check(name, "WARN", value, CHANCE, f"{numbers}: it alone foretells the class, so it may confound.")
    return Check(name, "PASS", value, limit, f"{numbers}.")


def shuffled_voxels(
    rows: Rows, features: pd.DataFrame, procedure: Procedure, model: str, headline: float, *, jobs: int = 1
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
    headline : float
        Nested macro AUC with the real features.
    """
    shuffled = replace(rows, X=features.loc[rows.X.index], reader2=None)
    table = nested(shuffled, procedure.only(model, recalibrate=False), baselines=False, jobs=jobs)
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
