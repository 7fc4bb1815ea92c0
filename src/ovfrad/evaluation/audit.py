"""Arithmetic audit of printed tables, ours or anyone's (G5, G6).

The input is tidy: one row for each printed number, all columns text as printed, so that the digits shown are known.

========== ===========================================================================================
column     meaning
========== ===========================================================================================
where      where the number stands, free text: "Table 1, conservative, external"
quantity   percentage, proportion, auc, macro_auc, p or count
value      the number as printed: "56.3", "0.715", "<.001"
count, n   percentage: count out of n. proportion: n (and count, where printed). count: n, the printed total
low, high  printed interval (auc, macro_auc, proportion)
group      auc and macro_auc: rows of one group are the classes and their macro mean; count: rows adding up to n;
           proportion: rows of one group have the same cases (default: the same n)
========== ===========================================================================================

Columns without use in a table may be absent, cells may be empty. Checks:

share         percentage = 100 count / n at the digits printed
whole_count   a proportion (accuracy, sensitivity) is k / n for a whole number k, at the digits printed
rounding      ... and its digits are rounded, not cut off
total         the counts of a group add up to n
probability   p in [0, 1]
range         an AUC or proportion in [0, 1]
interval      low <= value <= high, and limits in [0, 1]
macro_mean    the macro AUC is the mean of its classes, at the digits printed
macro_limits  ... and its interval is not the mean of theirs: one of a mean is narrower
size          proportions of one n that are no k / n, and all k / m of another number m of cases
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ovfrad.evaluation.audit_groups import groups
from ovfrad.evaluation.printed import Printed, count_of, is_count

COLUMNS = ("where", "quantity", "value", "count", "n", "low", "high", "group")
QUANTITIES = ("percentage", "proportion", "auc", "macro_auc", "p", "count")


def audit_table(table: pd.DataFrame | Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row for each check of each printed number.

    Parameters
    ----------
    table : DataFrame or iterable of mappings
        The tidy format above.

    Returns
    -------
    DataFrame
        Columns `where, check, value, result (PASS, FAIL), reason`.

    Examples
    --------
    >>> rows = [{"where": "text, training", "quantity": "p", "value": "2.34"}]
    >>> audit_table(rows)[["result", "reason"]].iloc[0].tolist()
    ['FAIL', '2.34 is no probability: it lies outside 0 to 1']
    """
    rows = _checked(pd.DataFrame(table))
    found: list[tuple[str, str, str, bool, str]] = []
    for row in rows.to_dict("records"):
        for check, (good, reason) in _CHECKS[row["quantity"]](row):
            found.append((row["where"], check, row["value"], good, reason))
    found += groups(rows)
    return pd.DataFrame(
        [(where, check, value, "PASS" if good else "FAIL", reason) for where, check, value, good, reason in found],
        columns=["where", "check", "value", "result", "reason"],
    )


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with all columns as text; ValueError for what is not in the format."""
    if unknown := sorted(set(map(str, table.columns)) - set(COLUMNS)):
        raise ValueError(f"column {unknown[0]!r} is unknown; a table to audit has {', '.join(COLUMNS)}.")
    if missing := [name for name in COLUMNS[:3] if name not in table.columns]:
        raise ValueError(f"column {missing[0]!r} is missing; a table to audit has {', '.join(COLUMNS)}.")
    rows = table.reindex(columns=list(COLUMNS)).astype(object)
    rows = rows.where(rows.notna(), "").astype(str)
    for name in COLUMNS:
        rows[name] = rows[name].str.strip()
    for row in rows.to_dict("records"):
        if row["quantity"] not in QUANTITIES:
            raise ValueError(f"{row['where']}: quantity {row['quantity']!r} is unknown; {', '.join(QUANTITIES)}.")
        for name in ("value", "count", "n", "low", "high"):
            try:
                Printed(row[name] or ("" if name == "value" else "0"))
            except ValueError as error:
                raise ValueError(f"{row['where']}: {name} {error}.") from None
        for name in ("count", "n"):
            if row[name] and not is_count(row[name]):
                raise ValueError(f"{row['where']}: {name} {row[name]!r} is no count of cases.")
    return rows


Check = tuple[str, tuple[bool, str]]


def _percentage(row: Mapping[str, str]) -> list[Check]:
    printed, n = Printed(row["value"]), row["n"]
    if not row["count"] or not n or count_of(n) == 0:
        inside = 0 <= printed.value <= 100
        return [("range", (inside, f"{row['value']} % lies {'in' if inside else 'outside'} 0 to 100"))]
    exact = 100 * count_of(row["count"]) / count_of(n)
    text = f"{row['count']} / {n} is {exact:.{printed.digits + 1}f} %, printed {row['value']}"
    return [("share", (printed.shows(exact), text))]


def _proportion(row: Mapping[str, str]) -> list[Check]:
    printed = Printed(row["value"])
    checks = _range(row) + _interval(row)
    if not row["n"]:
        return checks
    n = count_of(row["n"])
    if n == 0:
        return [*checks, ("whole_count", (False, f"{row['value']} is no k / {n}"))]
    whole = round(printed.value * n)
    candidates = [count_of(row["count"])] if row["count"] else [whole, whole - 1, whole + 1]
    for fits, rounded in ((printed.shows, True), (printed.cuts, False)):
        for k in candidates:
            if fits(k / n):
                exact = f"{row['value']} is {k} / {n}"
                cut = f"{exact} = {k / n:.{printed.digits + 1}f} cut off, not rounded"
                return [*checks, ("whole_count", (True, exact)), ("rounding", (rounded, exact if rounded else cut))]
    near = f"{candidates[0]} / {n} = {candidates[0] / n:.{printed.digits + 1}f}"
    return [*checks, ("whole_count", (False, f"{row['value']} is no k / {n}; nearest is {near}"))]


def _range(row: Mapping[str, str]) -> list[Check]:
    value = Printed(row["value"]).value
    inside = 0 <= value <= 1
    return [("range", (inside, f"{row['value']} lies {'in' if inside else 'outside'} 0 to 1"))]


def _interval(row: Mapping[str, str]) -> list[Check]:
    if not row["low"] and not row["high"]:
        return []
    if not row["low"] or not row["high"]:
        return [("interval", (False, "one limit of the interval is missing"))]
    value, low, high = (Printed(row[name]).value for name in ("value", "low", "high"))
    shown = f"{row['low']} to {row['high']}"
    if not 0 <= low <= high <= 1:
        return [("interval", (False, f"{shown} is no interval in 0 to 1"))]
    inside = low <= value <= high
    return [("interval", (inside, f"{shown} {'contains' if inside else 'does not contain'} {row['value']}"))]


def _auc(row: Mapping[str, str]) -> list[Check]:
    return _range(row) + _interval(row)


def _p(row: Mapping[str, str]) -> list[Check]:
    inside = 0 <= Printed(row["value"]).value <= 1
    reason = f"{row['value']} lies in 0 to 1" if inside else f"{row['value']} is no probability: it lies outside 0 to 1"
    return [("probability", (inside, reason))]


def _count(row: Mapping[str, str]) -> list[Check]:
    value = Printed(row["value"]).value
    good = value >= 0 and value == int(value)
    return [("range", (good, f"{row['value']} is {'a' if good else 'no'} count"))]


_CHECKS = {
    "percentage": _percentage, "proportion": _proportion, "auc": _auc, "macro_auc": _auc, "p": _p, "count": _count,
}  # fmt: skip


def rows_of_evaluation(result: Mapping[str, Any], where: str, digits: int = 3) -> list[dict[str, str]]:
    """Return the tidy rows of one `evaluate` result as it would be printed, so that our own tables can be audited.

    Parameters
    ----------
    result : mapping
        What `summary.evaluate` returned.
    where : str
        Names the table and cohort.
    digits : int
        Decimals printed.
    """
    entries: list[tuple[str, str, Mapping[str, Any]]] = [("macro AUC", "macro_auc", result["macro_auc"])]
    entries += [(f"AUC of class {k}", "auc", value) for k, value in result["class_auc"].items()]
    if "accuracy" in result:
        entries.append(("accuracy", "proportion", result["accuracy"]))
    for k, metrics in result.get("class", {}).items():
        entries += [(f"{name} of class {k}", "proportion", metrics[name]) for name in ("sensitivity", "specificity")]
    rows = []
    for name, quantity, value in entries:
        if value["estimate"] is None:
            continue
        row = {"where": f"{where}, {name}", "quantity": quantity, "value": f"{value['estimate']:.{digits}f}"}
        if value["low"] is not None:
            row |= {"low": f"{value['low']:.{digits}f}", "high": f"{value['high']:.{digits}f}"}
        row |= {"n": str(value["n"])} if quantity == "proportion" else {"group": where}
        rows.append(row)
    return rows
