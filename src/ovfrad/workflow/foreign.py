"""A prediction table from elsewhere: read, checked, and evaluated as our own are (F)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.evaluation.compare import compare_all
from ovfrad.evaluation.consistency import TRAINING, WHOLE, check_whole, cohorts, reservations
from ovfrad.evaluation.summary import evaluate, thresholds
from ovfrad.study.table import read_parquet, read_text_table
from ovfrad.workflow import detail

LEVEL = 0.95
CONFORMAL_LEVEL = 0.90
MODEL_KEYS = ("recipe", "arm", "model")
#: Cell of a column that a table does not have, or leaves empty.
NONE = "-"
Block = dict[str, Any]
Model = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Foreign:
    """A checked table of any number of models and cohorts.

    Attributes
    ----------
    name : str
        Name of the file.
    rows : DataFrame
        Columns `patient_id, vertebra, cohort, recipe, arm, model, y_true, p_0 ..` and grouping variables.
    given : tuple of str
        Identity columns that the file has.
    ranking_only, ordered : bool
    """

    name: str
    rows: pd.DataFrame
    given: tuple[str, ...]
    ranking_only: bool
    ordered: bool

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return sum(bool(re.fullmatch(r"p_\d+", str(c))) for c in self.rows.columns)

    @property
    def cohorts(self) -> list[str]:
        """Cohorts: training first, those of the paper in its order, then the others in the table's."""
        found = list(self.rows["cohort"].unique())
        validation = detail.validation(self.rows)
        return [c for c in found if c not in validation] + validation

    @property
    def models(self) -> list[Model]:
        """Recipe, arm and model of each model, in the order of the table."""
        return list(self.rows[list(MODEL_KEYS)].drop_duplicates().itertuples(index=False, name=None))

    def of(self, model: Model) -> pd.DataFrame:
        """Rows of one model."""
        return self.rows[(self.rows[list(MODEL_KEYS)] == list(model)).all(axis=1)]

    def label(self, model: Model) -> str:
        """Name of a model by the columns that the file has: `random LR`; empty where it has none."""
        return " ".join(_told(self, model).values())


def read_foreign(path: Path, ranking_only: bool = False, ordered: bool = True) -> Foreign:
    """Read and check a table of any tool; a fault is one `InputError`, a reservation one warning."""
    table = _numbers(_read(path), path)
    if ranking_only and "p_1" in table and not {"p_0", "p_2"} & set(table.columns):
        table["p_0"] = -table["p_1"]  # one score ranks two classes
    try:
        columns = check_whole(table, ranking_only)
    except ValueError as error:
        raise refused(path, error) from None
    for told in reservations(table, detail.VARIABLES):
        warn(told.code, path, told.fault, told.consequence)
    rows = table[["patient_id"]].astype(str)
    rows["vertebra"] = _text(table, "vertebra")
    rows["cohort"] = cohorts(table)
    for key in MODEL_KEYS:
        rows[key] = _text(table, key)
    rows["y_true"] = table["y_true"].astype(int)
    kept = rows.join(table[[*columns, *(c for c in detail.VARIABLES if c in table.columns)]])
    given = tuple(key for key in ("cohort", *MODEL_KEYS) if key in table.columns)
    found = Foreign(path.name, kept, given, ranking_only, ordered)
    _check_labels(found, path)
    return found


def _check_labels(table: Foreign, path: Path) -> None:
    """Refuse two models of one label, which names their results."""
    first: dict[str, Model] = {}
    for model in table.models:
        label = table.label(model)
        if (other := first.setdefault(label, model)) != model:
            one, two = ("/".join(f"{k} {v!r}" for k, v in _told(table, each).items()) for each in (other, model))
            raise InputError("E_MODEL_LABEL", path, f"{one} and {two} are both called {label!r}", "rename one of them")


def _told(table: Foreign, model: Model) -> dict[str, str]:
    """Recipe, arm and model of a model, those that the file tells."""
    return {key: value for key, value in zip(MODEL_KEYS, model, strict=True) if key in table.given}


def refused(path: Path, error: ValueError) -> InputError:
    """The refusal of a table for the reason that the evaluation gives."""
    return InputError("E_PREDICTIONS", path, str(error).rstrip("."), "docs/evaluation.md describes the columns")


def _text(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        return pd.Series(NONE, index=table.index)
    return table[name].astype(object).where(table[name].notna(), NONE).astype(str)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() != ".parquet":
        return read_text_table(path)
    if not path.is_file():
        raise InputError("E_FILE_MISSING", path, "there is no such file", "give a prediction table")
    return read_parquet(path)


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with numbers in `y_true` and the p columns; the first cell that is none is refused by its row."""
    table = table.copy()
    for name in [c for c in table.columns if re.fullmatch(r"p_(0|[1-9]\d*)", str(c)) or c == "y_true"]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.isna().any():
            row = numbers.index[int(numbers.isna().argmax())]
            cell = table[name].loc[row]
            empty = pd.isna(cell)
            comma = not empty and re.fullmatch(r"-?\d+,\d+", str(cell))
            fault = f"{name} is empty" if empty else f"{name} is {str(cell)[:40]!r}"
            remedy = "write decimals with a point" if comma else "write a number in every row"
            raise InputError("E_CELL", f"{path.name}:{row}", fault, remedy)
        table[name] = numbers
    return table


def evaluated(table: Foreign, resamples: int = 1000, seed: int = 0) -> Iterator[tuple[Model, str, Block]]:
    """Every model in every cohort with its block of estimates.

    Thresholds are those of the model's `train` rows, where there are any, judged on the other cohorts; else, and in
    training itself, the largest probability decides.
    """
    for model in table.models:
        own = table.of(model)
        training = own[own["cohort"] == TRAINING]
        fixed = thresholds(training, table.ranking_only) if len(training) else None
        for cohort in table.cohorts:
            rows = own[own["cohort"] == cohort]
            if len(rows):
                chosen = fixed if cohort in detail.validation(own) else None
                kinds = {"ranking_only": table.ranking_only, "ordered": table.ordered}
                yield model, cohort, evaluate(rows, chosen, resamples, LEVEL, seed, **kinds)


def compared(table: Foreign, resamples: int = 1000, seed: int = 0) -> list[Block]:
    """Every pair of models in every cohort but the views of training that no model left out (F3)."""
    found = []
    for cohort in table.cohorts:
        here = table.rows[table.rows["cohort"] == cohort]
        own = {model: here[(here[list(MODEL_KEYS)] == list(model)).all(axis=1)] for model in table.models}
        named = {table.label(model): rows for model, rows in own.items() if len(rows)}
        pairs = compare_all(named, resamples, LEVEL, seed, ranking_only=table.ranking_only)
        found += [{"family": f"all pairs, {cohort}", "cohort": cohort} | row for row in pairs]
    return found


def closer(table: Foreign, model: Model) -> Block:
    """Subgroups, AUC within centres and conformal sets of one model (F6, F7)."""
    own = _apart(table.of(model))
    cases = own.set_index(detail.KEYS)
    kinds = {"ranking_only": table.ranking_only}
    sets = None
    if not table.ranking_only:
        sets = detail.conformal_block(own, CONFORMAL_LEVEL, table.ordered, calibration=TRAINING)
    return {
        "subgroups": detail.subgroup_blocks(own, cases, LEVEL, **kinds),
        "within_center": detail.within_center_blocks(own, cases, LEVEL, **kinds),
        "conformal": sets if sets and sets["cohorts"] else None,
    }


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one model, the number of the cohort before each vertebra.

    A patient_id of two cohorts thus keeps its rows, and the covariates, of both; where cohorts are pooled these rows
    are one patient's, as nothing tells whether they are.
    """
    numbers = pd.Series(pd.factorize(rows["cohort"])[0], index=rows.index)
    return rows.assign(vertebra=numbers.astype(str) + " " + rows["vertebra"])


def where(table: Foreign, model: Model, cohort: str) -> str:
    """Name of one model in one cohort: `cohort external, model LR`; the file's name where it tells neither."""
    names = {"cohort": cohort} if "cohort" in table.given else {}
    told = [f"{key} {value}" for key, value in (names | _told(table, model)).items()]
    return ", ".join(told) or (table.name if cohort == WHOLE else cohort)
