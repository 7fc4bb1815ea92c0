"""Columns that tell how the table was made: its order, the names of its patients, its gaps."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, rankdata

from ovfrad.models.honesty.check import Check, Status
from ovfrad.models.honesty.proxies import LEAST, LEVEL, of_tables, rank_aucs
from ovfrad.models.rows import Rows
from ovfrad.selection.columns import deep_columns

LINEAR = 0.999
"""|Pearson| with the row number from which a column is a row number."""
IN_STEP = 0.95
"""|Spearman| with the row number, in every class, from which a column follows the order of the table."""
ENOUGH = 20
"""Rows from which no column follows an order by chance."""
TRACES = 0.7
"""One-vs-rest AUC from which such a column passes the order of the table on as knowledge."""
REPEATED = (0.05, 0.95)
"""Share of rows with one same number between which that number may stand for a gap."""


def bookkeeping(frame: pd.DataFrame, rows: Rows, cases: pd.DataFrame) -> Check:
    """Ask whether a column is the row number, the number in the patient's name or the date, or the names tell a class.

    That a table is sorted by outcome, and its patients numbered so, is no fault by itself: no model sees it. It is
    one if a column carries it. Radiomics and deep features are measurements and are not looked at.
    """
    frame = of_tables(frame)
    orders = {"the row of the table": cases.get("row"),
              "the number in the patient's name": _numbers_in_names(rows), "the date": cases.get("date")}  # fmt: skip
    for what, order in orders.items():
        if order is None or pd.isna(order).any() or len(set(order)) < max(len(rows) / 2, ENOUGH) or not frame.shape[1]:
            continue
        numbers = pd.Series(order).astype("int64").to_numpy(dtype=float)
        found, status, knows = _in_order(frame.to_numpy(), numbers, rows.codes)
        if found.any():
            name = str(frame.columns[int(np.argmax(found))])
            text = f"Column {name} follows {what}{' and tells the class by it' if knows else ''}: leave it out."
            return Check("order and names", status, int(found.sum()), 0, text)
    p = _prefixes(rows)
    if p is not None and p < LEVEL:
        text = f"The letters in the patients' names tell the class (p = {p:.1g}): like a centre, they may confound."
        return Check("order and names", "WARN", p, LEVEL, text)
    return Check("order and names", "PASS", 0, 0, "No column follows the order of the table, the names or the dates.")


def _in_order(X: np.ndarray, order: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, Status, bool]:
    """Columns, shape (n_columns,), that are this order; else those that follow it and tell the class."""
    tells = _tell(X, codes) >= TRACES
    linear = np.abs(_correlations(X, order)) >= LINEAR
    if linear.any():
        knows = bool((linear & tells).any())
        return linear & tells if knows else linear, "FAIL" if knows else "WARN", knows
    return tells & (_within_classes(X, order, codes) >= IN_STEP), "WARN", True


def _numbers_in_names(rows: Rows) -> np.ndarray | None:
    found = [re.search(r"(\d{1,15})\D*$", str(name)) for name in rows.X.index.get_level_values(0)]
    return np.array([int(hit[1]) for hit in found if hit]) if all(found) else None


def _correlations(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    centred, other = X - X.mean(axis=0), y - y.mean()
    size = np.sqrt((centred**2).sum(axis=0) * (other**2).sum())
    return np.divide(centred.T @ other, size, out=np.zeros(X.shape[1]), where=size > 0)


def _within_classes(X: np.ndarray, order: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Least |Spearman| with the order over classes of enough rows, shape (n_columns,); 0 where these are too few."""
    classes = [k for k in np.unique(codes) if (codes == k).sum() >= 2 * LEAST]
    if np.isin(codes, classes).sum() < ENOUGH:
        return np.zeros(X.shape[1])
    own = [codes == k for k in classes]
    return np.min([np.abs(_correlations(rankdata(X[k], axis=0), rankdata(order[k]))) for k in own], axis=0)


def _tell(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Largest one-vs-rest AUC of each column, in either direction."""
    ranks = rankdata(X, axis=0)
    return np.max([np.abs(rank_aucs(ranks, codes == k) - 0.5) + 0.5 for k in np.unique(codes)], axis=0)


def _prefixes(rows: Rows) -> float | None:
    """The p of name prefixes by class, one row a patient; None where the names have one prefix, or many."""
    first = ~pd.Series(rows.X.index.get_level_values(0)).duplicated().to_numpy()
    prefix = np.array([re.sub(r"\d+.*$", "", str(name)) for name in rows.X.index.get_level_values(0)[first]])
    codes = rows.codes[first]
    names, counts = np.unique(prefix, return_counts=True)
    common = np.isin(prefix, names[counts >= LEAST])
    if rows.center is not None and len(set(zip(prefix, rows.center[first], strict=True))) == len(
        set(rows.center[first])
    ):
        return None  # the centre in other words, which has a row of its own
    return _association(prefix[common], codes[common])


def _association(levels: np.ndarray, codes: np.ndarray) -> float | None:
    """The p of a chi-square test of levels by class; None where there is nothing to compare."""
    counts = pd.crosstab(levels, codes)
    if min(counts.shape) < 2:
        return None
    return float(chi2_contingency(counts.to_numpy()).pvalue)


def gaps(rows: Rows) -> Check:
    """Ask whether it tells the class that a value is missing, or that a number stands for a missing one."""
    marked = {} if rows.clinical is None else {n: rows.clinical[n].isna().to_numpy() for n in rows.clinical.columns}
    zeros = set(deep_columns(rows.X.columns))  # of a network's rectifiers, not of a table
    own = [name for name in rows.X.columns if name not in zeros]
    marked |= {str(name): _gaps(rows.X[name].to_numpy(dtype=float)) for name in own}
    usable = {name: gap for name, gap in marked.items() if min(gap.sum(), (~gap).sum()) >= LEAST}
    tested = {name: _association(gap, rows.codes) for name, gap in usable.items()}
    worst = min(tested, key=lambda name: 1.0 if tested[name] is None else float(tested[name] or 0.0), default=None)
    p = None if worst is None else tested[worst]
    if worst is None or p is None:
        return Check("gaps", "PASS", None, LEVEL, "No column has gaps, or one number in their place, to speak of.")
    numbers = f"{worst} in {int(usable[worst].sum())} of {len(rows)} rows, p = {p:.1g} of {len(tested)} tested"
    if p >= LEVEL / len(tested):
        return Check("gaps", "PASS", p, LEVEL / len(tested), f"That a value is missing tells no class ({numbers}).")
    text = f"That a value is missing tells the class ({numbers}): a model learns who was examined, not what was found."
    return Check("gaps", "WARN", p, LEVEL / len(tested), text)


def _gaps(values: np.ndarray) -> np.ndarray:
    """Rows without a number, or with one in place of a number."""
    missing = np.isnan(values)
    return missing if missing.any() else _stands_for_a_gap(values)


def _stands_for_a_gap(values: np.ndarray) -> np.ndarray:
    """Rows with the one repeated number of a column whose other numbers are mostly distinct, if it looks filled in.

    It does where it lies far outside the others (-999) or in their midst (a mean or median); at their edge it is
    more likely a measurement that has a floor, such as a volume of 0.
    """
    numbers, counts = np.unique(values, return_counts=True)
    at = int(counts.argmax())
    others = np.delete(numbers, at)
    share, none = counts[at] / len(values), np.zeros(len(values), dtype=bool)
    if not REPEATED[0] <= share <= REPEATED[1] or len(others) < 0.8 * (len(values) - counts[at]) or len(others) < LEAST:
        return none
    low, high = others[0], others[-1]
    outside = numbers[at] < low - (high - low) / 2 or numbers[at] > high + (high - low) / 2
    inner = np.quantile(others, (0.25, 0.75))
    return values == numbers[at] if outside or inner[0] <= numbers[at] <= inner[1] else none
