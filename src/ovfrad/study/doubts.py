"""What a table says and hardly means: reasons that are none, one patient of two names, two outcomes of one case."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.study.cases import class_name

#: What people write who mean that a case stays in.
_NO_REASON = frozenset({"0", "0.0", "no", "n", "false", "f", "-"})
#: The level of a vertebra at the end of a name: P007_L1, P007-T12.
_LEVEL = re.compile(r"[\s_.-]+(?:th|t|c|l|s)\d{1,2}")
#: Values of an outcome that can be classes; more are numbers, or names of cases.
MOST_CLASSES = 20


def check_reasons(cases: pd.DataFrame, path: Path) -> None:
    """Refuse a cell of `exclusion` that is no reason: whether 0 means keep or leave out is not for us to guess."""
    none = cases["exclusion"].astype(str).str.lower().isin(_NO_REASON) & cases["exclusion"].notna()
    if none.any():
        first = cases[none].iloc[0]
        fault = f"exclusion is {first['exclusion']!r} ({none.sum()} such cells), and any text there leaves its case out"
        remedy = "leave the cell empty to keep the case, or write the reason"
        raise InputError("E_CELL", f"{path.name}:{first['row']}", fault, remedy)


def check_patients(cases: pd.DataFrame, path: Path) -> None:
    """Warn of names that are one patient's but for case, blanks or, without a vertebra column, the level behind them.

    Parameters
    ----------
    cases : DataFrame
        Index (patient_id, vertebra).
    path : Path
        The table, for the warning.
    """
    names = pd.Series(sorted(set(cases.index.get_level_values("patient_id"))))
    stems = names.str.lower().str.replace(r"\s+", "", regex=True)
    if (cases.index.get_level_values("vertebra") == "-").all():
        stems = stems.str.replace(f"{_LEVEL.pattern}$", "", regex=True)
    if stems.nunique() == len(stems):
        return
    shared = names[stems == stems[stems.duplicated()].iloc[0]]
    fault = f"{len(names)} patient_ids, {stems.nunique()} but for case, blanks or a level ({', '.join(shared[:3])})"
    remedy = "a patient of two names may be split over folds and cohorts: write one patient_id, the level as `vertebra`"
    warn("W_PATIENT_IDS", path, fault, remedy)


def check_number_of_classes(values: pd.Series, column: str, path: Path) -> None:
    """Refuse an outcome, text of shape (n_cases,), that has more values than classes can be."""
    n = values.nunique()
    if n > MOST_CLASSES or (n > 2 and 2 * n > len(values)):
        fault = f"{column} has {n} distinct values in {len(values)} cases (first: {values.iloc[0]})"
        remedy = "cut numbers into classes before, or list the classes that are meant in outcome.classes"
        raise InputError("E_CLASS_MANY", path, fault, remedy)


def check_same_outcome(cases: pd.DataFrame, features: pd.DataFrame, column: str, paths: tuple[Path, Path]) -> None:
    """Refuse an outcome that the case table and the feature table (`paths`) tell differently.

    Parameters
    ----------
    cases, features : DataFrame
        Case columns of both tables, index (patient_id, vertebra), with `row`.
    column : str
    paths : tuple of Path
    """
    if column not in cases or column not in features:
        return
    there = features.reindex(cases.index)
    ours, theirs = cases[column].map(class_name), there[column].map(class_name)
    differ = (ours != theirs) & ours.notna() & theirs.notna()
    if differ.any():
        at = int(differ.to_numpy().argmax())
        fault = (
            f"{column} of {' '.join(cases.index[at])} is {ours.iloc[at]}, and {theirs.iloc[at]} in "
            f"{paths[1].name}:{there['row'].iloc[at]:.0f} ({differ.sum()} of {len(cases)} cases differ)"
        )
        raise InputError("E_OUTCOME_DISAGREE", f"{paths[0].name}:{cases['row'].iloc[at]}", fault, "correct one of them")


def tell_unused(cases: pd.DataFrame, features: pd.DataFrame, paths: tuple[Path, Path]) -> None:
    """Warn of case columns that only the feature table fills: beside a case table nothing but features is taken of it.

    Parameters
    ----------
    cases, features : DataFrame
        Case columns of both tables.
    paths : tuple of Path
    """
    filled = [name for name in features.columns.drop("row") if features[name].notna().any()]
    unused = [str(name) for name in filled if name not in cases or cases[name].isna().all()]
    if unused:
        fault = f"{', '.join(unused[:6])} filled there, and in no row of {paths[0].name}"
        warn("W_COLUMN_UNUSED", paths[1], fault, f"not used: write such columns into {paths[0].name}")
