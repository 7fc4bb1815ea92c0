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
group      auc and macro_auc: rows of one group are the classes and their macro mean; count: rows adding up to n
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
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

COLUMNS = ("where", "quantity", "value", "count", "n", "low", "high", "group")
QUANTITIES = ("percentage", "proportion", "auc", "macro_auc", "p", "count")
NUMBER = re.compile(r"^(?:[Pp]\s*)?(?P<relation>[<>=≤≥]?)\s*(?P<digits>-?\d*\.?\d+)\s*%?$")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(\D|$))")
"""A comma between thousands; any other comma is no part of a number."""


class Printed:
    """A number as printed: its value and half a unit of its last digit.

    >>> Printed("56.3").value, Printed("56.3").half_unit
    (56.3, 0.05)
    """

    def __init__(self, text: str) -> None:
        match = NUMBER.match(THOUSANDS.sub("", str(text).strip().replace("·", ".").replace("−", "-")))
        if match is None:
            raise ValueError(f"{text!r} is not a number")
        number = Decimal(match["digits"])
        exponent = number.as_tuple().exponent
        self.relation = match["relation"]
        self.value = float(number)
        self.half_unit = 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)

    def shows(self, exact: float, slack: float = 0.0) -> bool:
        """Whether `exact`, rounded either way at a tie, may be printed like this."""
        return abs(self.value - exact) <= self.half_unit + slack + 1e-9

    def cuts(self, exact: float) -> bool:
        """Whether `exact` gives these digits when the rest is cut off instead of rounded."""
        return -1e-9 <= exact - self.value < 2 * self.half_unit


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
    found += list(_totals(rows)) + list(_macro_means(rows))
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
            if row[name] and not _whole(row[name]):
                raise ValueError(f"{row['where']}: {name} {row[name]!r} is no count of cases.")
    return rows


def _whole(text: str) -> bool:
    """Whether a cell is a whole number of cases, at least 0."""
    printed = Printed(text)
    return not printed.relation and printed.value >= 0 and printed.value == int(printed.value)


def _count_of(text: str) -> int:
    return int(Printed(text).value)


Check = tuple[str, tuple[bool, str]]


def _percentage(row: Mapping[str, str]) -> list[Check]:
    printed, n = Printed(row["value"]), row["n"]
    if not row["count"] or not n or _count_of(n) == 0:
        inside = 0 <= printed.value <= 100
        return [("range", (inside, f"{row['value']} % lies {'in' if inside else 'outside'} 0 to 100"))]
    exact = 100 * _count_of(row["count"]) / _count_of(n)
    text = f"{row['count']} / {n} is {exact:.{_digits(printed) + 1}f} %, printed {row['value']}"
    return [("share", (printed.shows(exact), text))]


def _digits(printed: Printed) -> int:
    """Return the decimals printed."""
    return max(0, len(f"{printed.half_unit * 2:.10f}".rstrip("0").split(".")[1]))


def _proportion(row: Mapping[str, str]) -> list[Check]:
    printed = Printed(row["value"])
    checks = _range(row) + _interval(row)
    if not row["n"]:
        return checks
    n = _count_of(row["n"])
    if n == 0:
        return [*checks, ("whole_count", (False, f"{row['value']} is no k / {n}"))]
    whole = round(printed.value * n)
    candidates = [_count_of(row["count"])] if row["count"] else [whole, whole - 1, whole + 1]
    for fits, rounded in ((printed.shows, True), (printed.cuts, False)):
        for k in candidates:
            if fits(k / n):
                exact = f"{row['value']} is {k} / {n}"
                cut = f"{exact} = {k / n:.{_digits(printed) + 1}f} cut off, not rounded"
                return [*checks, ("whole_count", (True, exact)), ("rounding", (rounded, exact if rounded else cut))]
    near = f"{candidates[0]} / {n} = {candidates[0] / n:.{_digits(printed) + 1}f}"
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


def _totals(rows: pd.DataFrame) -> Iterable[tuple[str, str, str, bool, str]]:
    """Yield whether the counts of each group add up to the total printed with them."""
    counts = rows[(rows["quantity"] == "count") & (rows["group"] != "") & (rows["n"] != "")]
    for group, part in counts.groupby("group", sort=False):
        total, n = sum(Printed(v).value for v in part["value"]), Printed(part["n"].iloc[0]).value
        text = f"{' + '.join(part['value'])} = {total:g}, printed total {part['n'].iloc[0]}"
        yield str(group), "total", f"{total:g}", total == n, text


def _macro_means(rows: pd.DataFrame) -> Iterable[tuple[str, str, str, bool, str]]:
    """Yield whether each macro AUC is the mean of the class AUCs of its group, allowing for their rounding."""
    for row in rows[(rows["quantity"] == "macro_auc") & (rows["group"] != "")].to_dict("records"):
        classes = [Printed(v) for v in rows[(rows["quantity"] == "auc") & (rows["group"] == row["group"])]["value"]]
        if not classes:
            continue
        mean = sum(c.value for c in classes) / len(classes)
        printed = Printed(row["value"])
        slack = sum(c.half_unit for c in classes) / len(classes)
        text = f"the mean of {len(classes)} classes is {mean:.{_digits(printed) + 1}f}, printed {row['value']}"
        yield row["where"], "macro_mean", row["value"], printed.shows(mean, slack), text


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
