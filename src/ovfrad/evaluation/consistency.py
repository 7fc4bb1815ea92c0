"""What can be wrong with a table of several models and cohorts that no single row shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ovfrad.evaluation.tables import IDENTITY, check_predictions, probability_columns

WHOLE = "all rows"
"""Name of the cohort, and of the model, of a table that names none."""
TRAINING = "train"
"""Cohort of the training patients; `train_apparent` and `train_inner` are other views of them."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A fault that leaves the table usable.

    Attributes
    ----------
    code : str
        `W_` and a name in capitals.
    fault, consequence : str
    """

    code: str
    fault: str
    consequence: str


def check_whole(table: pd.DataFrame, ranking_only: bool = False) -> list[str]:
    """Return the probability columns of a table of any number of models and cohorts; ValueError in one sentence.

    Beyond `check_predictions`: a vertebra has one true class, whoever predicts it, and somewhere two classes must meet.

    >>> one = pd.DataFrame({"patient_id": ["a"], "y_true": [1], "p_0": [0.4], "p_1": [0.6]})
    >>> check_whole(one)
    Traceback (most recent call last):
    ValueError: no AUC exists: the table has 1 row, of class 1; it takes rows of two classes in one cohort.
    """
    columns = check_predictions(table, ranking_only)
    keys = [name for name in ("cohort", "patient_id", "vertebra") if name in table.columns]
    truths = table.groupby(keys, dropna=False, sort=False)["y_true"].nunique()
    if (truths > 1).any():
        key = truths.index[(truths > 1).argmax()]
        shown = " ".join(map(str, key if isinstance(key, tuple) else (key,)))
        raise ValueError(f"{int((truths > 1).sum())} rows have another y_true in another model, the first is {shown}.")
    groups = [name for name in IDENTITY if name in table.columns]
    classes = table.groupby(groups, dropna=False)["y_true"].nunique() if groups else [table["y_true"].nunique()]
    if np.max(classes) < 2:
        found = " and ".join(f"{value:g}" for value in sorted(table["y_true"].unique())[:3])
        rows = "1 row" if len(table) == 1 else f"{len(table)} rows"
        raise ValueError(
            f"no AUC exists: the table has {rows}, of class {found}; it takes rows of two classes in one cohort."
        )
    return columns


def reservations(table: pd.DataFrame, used: tuple[str, ...] = ()) -> list[Reservation]:
    """Return what a reader of the results should know of a checked table, in a fixed order.

    Parameters
    ----------
    table : DataFrame
        Checked by `check_whole`.
    used : tuple of str
        Further columns that the caller uses.
    """
    return [*_absent(table), *_shared(table), *_uneven(table), *_unused(table, used)]


def is_training(cohort: str) -> bool:
    """Whether a cohort holds training patients.

    >>> is_training("train"), is_training("train_inner"), is_training("trainees")
    (True, True, False)
    """
    return cohort == TRAINING or cohort.startswith(f"{TRAINING}_")


def cohorts(table: pd.DataFrame) -> pd.Series:
    """Return the cohort of each row as text; "Training" and the like are `train`."""
    if "cohort" not in table.columns:
        return pd.Series(WHOLE, index=table.index)
    names = table["cohort"].astype(object).where(table["cohort"].notna(), "-").astype(str)
    return names.where(~names.str.lower().isin(("train", "training")), TRAINING)


def _absent(table: pd.DataFrame) -> Iterator[Reservation]:
    """Yield each cohort that lacks a class."""
    classes = len(probability_columns(table))
    for cohort, rows in table.groupby(cohorts(table), sort=False):
        missing = sorted(set(range(classes)) - set(rows["y_true"].astype(int)))
        if missing:
            names = " and ".join(map(str, missing))
            where = f"cohort {cohort} has" if "cohort" in table.columns else "the table has"
            consequence = "it has no AUC there, nor has the macro AUC" if len(missing) == 1 else "no macro AUC there"
            yield Reservation("W_CLASS_ABSENT", f"{where} no row of class {names}", consequence)


def _shared(table: pd.DataFrame) -> Iterator[Reservation]:
    """Yield patients that stand in two cohorts; the views of the training patients are one."""
    names = cohorts(table)
    names = names.where(~names.map(is_training), TRAINING)
    several = names.groupby(table["patient_id"].astype(str).to_numpy()).nunique()
    if (several > 1).any():
        first = several.index[(several > 1).argmax()]
        fault = f"{int((several > 1).sum())} patients stand in two cohorts, the first is {first}"
        yield Reservation("W_PATIENT_COHORTS", fault, "if they are the same persons, these cohorts are not independent")


def _uneven(table: pd.DataFrame) -> Iterator[Reservation]:
    """Yield cohorts whose models predict other rows."""
    models = [name for name in IDENTITY if name in table.columns and name != "cohort"]
    keys = [name for name in ("patient_id", "vertebra") if name in table.columns]
    if not models:
        return
    for cohort, rows in table.groupby(cohorts(table), sort=False):
        sizes = rows.groupby(models, dropna=False, sort=False).size()
        union = rows[keys].drop_duplicates()
        if (sizes < len(union)).any():
            fault = (
                f"the models of cohort {cohort} predict {int(sizes.min())} to {int(sizes.max())} of {len(union)} rows"
            )
            yield Reservation("W_ROWS", fault, "each is evaluated on its own rows, pairs on those that both have")


def _unused(table: pd.DataFrame, used: tuple[str, ...]) -> Iterator[Reservation]:
    known = {"patient_id", "vertebra", "y_true", "fold", *IDENTITY, *probability_columns(table), *used}
    extra = [str(c) for c in table.columns if c not in known]
    if extra:
        more = f" and {len(extra) - 4} more" if len(extra) > 4 else ""
        yield Reservation("W_COLUMNS", f"not used: {', '.join(extra[:4])}{more}", "the results do not depend on them")
