"""Checks of printed numbers that belong together: totals, macro means and their intervals, sizes (G6)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ovfrad.evaluation.printed import Printed, count_of

Found = tuple[str, str, str, bool, str]
"""Where, check, value, whether it is good, reason."""
SEARCH = 0.25
"""Other sizes are looked for within this share of the one stated."""
CHANCE = 0.001
"""Expected number of sizes that would fit all proportions by chance, above which none is named."""


def groups(rows: pd.DataFrame) -> list[Found]:
    """All checks of rows that belong together; `rows` as `audit.audit_table` has checked them."""
    return [*_totals(rows), *_macro_means(rows), *_macro_limits(rows), *_sizes(rows)]


def _totals(rows: pd.DataFrame) -> Iterator[Found]:
    """Yield whether the counts of each group add up to the total printed with them."""
    counts = rows[(rows["quantity"] == "count") & (rows["group"] != "") & (rows["n"] != "")]
    for group, part in counts.groupby("group", sort=False):
        total, n = sum(Printed(v).value for v in part["value"]), Printed(part["n"].iloc[0]).value
        text = f"{' + '.join(part['value'])} = {total:g}, printed total {part['n'].iloc[0]}"
        yield str(group), "total", f"{total:g}", total == n, text


def _macro_means(rows: pd.DataFrame) -> Iterator[Found]:
    """Yield whether each macro AUC is the mean of the class AUCs of its group, allowing for their rounding."""
    for row in rows[(rows["quantity"] == "macro_auc") & (rows["group"] != "")].to_dict("records"):
        classes = [Printed(v) for v in rows[(rows["quantity"] == "auc") & (rows["group"] == row["group"])]["value"]]
        if not classes:
            continue
        mean = sum(c.value for c in classes) / len(classes)
        printed = Printed(row["value"])
        slack = sum(c.half_unit for c in classes) / len(classes)
        text = f"the mean of {len(classes)} classes is {mean:.{printed.digits + 1}f}, printed {row['value']}"
        yield row["where"], "macro_mean", row["value"], printed.shows(mean, slack), text


def _macro_limits(rows: pd.DataFrame) -> Iterator[Found]:
    """Yield whether the interval of each macro AUC is but the mean of the limits of its classes."""
    for row in rows[(rows["quantity"] == "macro_auc") & (rows["group"] != "")].to_dict("records"):
        own = rows[(rows["quantity"] == "auc") & (rows["group"] == row["group"])]
        if not row["low"] or not row["high"] or len(own) < 2 or (own[["low", "high"]] == "").any(axis=None):
            continue
        if len(own.drop_duplicates(["low", "high"])) < 2:  # two classes have one AUC, which is the macro AUC as well
            continue
        means = {name: [Printed(text) for text in own[name]] for name in ("low", "high")}
        same = all(
            Printed(row[name]).shows(sum(p.value for p in of) / len(of), max(p.half_unit for p in of))
            for name, of in means.items()
        )
        interval = f"{row['low']} to {row['high']}"
        text = f"{interval} is the mean of the limits of {len(own)} classes; the interval of a mean is narrower"
        good = f"{interval} is not the mean of the limits of its classes"
        yield row["where"], "macro_limits", interval, not same, text if same else good


def _sizes(rows: pd.DataFrame) -> Iterator[Found]:
    """Yield for proportions of one size that do not all fit it: whether another size fits them all."""
    own = rows[(rows["quantity"] == "proportion") & (rows["n"] != "") & (rows["count"] == "")]
    for (group, n), part in own.groupby(["group", "n"], sort=False):
        stated, values = count_of(str(n)), [Printed(text) for text in part["value"]]
        if stated == 0 or all(_fits(value, stated) for value in values):
            continue
        if other := _other_sizes(values, stated):
            text = f"{len(values)} proportions stated for n = {n} do not all fit it; all fit n = {other}"
            yield str(group) or part["where"].iloc[0], "size", str(n), False, text


def _other_sizes(values: list[Printed], stated: int) -> str:
    """Sizes that all proportions fit, which chance would hardly give; empty where there are none."""
    reach = range(max(1, round(stated * (1 - SEARCH))), round(stated * (1 + SEARCH)) + 1)
    for cut, units in ((False, 1), (True, 1), (None, 2)):  # all rounded, all cut off, or each as it comes
        chance = len(reach) * np.prod([min(1.0, stated * units * 2 * value.half_unit) for value in values])
        found = [m for m in reach if all(_fits(value, m, cut) for value in values)]
        if found and chance < CHANCE:
            return " and ".join(map(str, found))
    return ""


def _fits(value: Printed, n: int, cut: bool | None = None) -> bool:
    """Whether a proportion is k / n rounded (`cut` False), cut off (True), or either (None)."""
    manners = [value.shows] * (cut is not True) + [value.cuts] * (cut is not False)
    return any(manner(k / n) for manner in manners for k in (int(value.value * n), int(value.value * n) + 1))
