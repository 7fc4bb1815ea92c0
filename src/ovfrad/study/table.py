"""Tables as people keep them (CSV or Excel), read as text and turned into checked columns."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad.astlof import SCHEMES, VERTEBRAE
from ovfrad.errors import InputError, warn

#: Columns of the case table (DESIGN, table 1) and how their cells are read.
COLUMNS = {
    "patient_id": "text", "vertebra": "vertebra", "center": "text", "scanner": "text", "date": "date",
    "cohort": "text", "ct": "text", "mask": "text", "mask_label": "label", "mask_scheme": "scheme",
    "mask_reader2": "text", "mask_label_reader2": "label", "age": "age", "sex": "sex", "t_score": "t_score",
    "morphology": "points", "mri": "points", "pain": "points", "morphology_reader2": "points",
    "mri_reader2": "points", "pain_reader2": "points", "astlof_score": "score", "astlof_class": "text",
    "location": "text", "fracture_stage": "text", "treatment": "text", "exclusion": "text",
}  # fmt: skip

#: Column of a feature of an arm's network.
DEEP_COLUMN = re.compile(r"deep_(?P<arm>.+)_\d{4,}")
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
_RANGES = {"age": (0, 120), "t_score": (-10, 10), "points": (0, 2), "score": (0, 8)}
_WHOLE = frozenset({"points", "score"})
_LABELS = (1, 65535)
_SEX = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M"}


def read_text_table(path: Path) -> pd.DataFrame:
    """Cells as stripped text, missing ones as None; one row per case, row numbers of the file as index.

    CSV may be separated by comma, semicolon or tab and carry a byte-order mark; Excel is read from its first sheet;
    of parquet a named index becomes columns. A column without a header and without cells is left out.
    """
    if not path.is_file():
        raise InputError("E_FILE_MISSING", path, "there is no such file", "give the path of a CSV or Excel table")
    try:
        rows = _READERS.get(path.suffix.lower(), _csv_rows)(path)
    except (UnicodeDecodeError, csv.Error, ValueError, KeyError, OSError) as error:
        fault = " ".join(str(error).split())[:160]
        raise InputError("E_TABLE_READ", path, f"not readable as a table ({fault})", "save it as CSV, UTF-8") from None
    if len(rows) < 2:
        raise InputError("E_TABLE_EMPTY", path, "has no rows", "write one row per case below the header")
    header = [name.strip() for name in rows[0]]
    twice = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    if twice:
        raise InputError("E_COLUMN_TWICE", path, f"column {twice[0]!r} stands twice", "keep one of them")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            fault = f"row {number} has {len(row)} cells, the header {len(header)}"
            raise InputError("E_TABLE_READ", path, fault, "quote cells that contain the separator")
    cells = [[_cell(text) for text in row] for row in rows[1:]]
    table = pd.DataFrame(cells, columns=header, index=range(2, len(rows) + 1), dtype=object)
    return _with_headers(table, path).dropna(how="all")


def _with_headers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns that have a name; row numbers before them are set aside, other cells without a name refused.

    Spreadsheets write separators behind the last column, pandas and R the numbers of the rows before the first.
    """
    nameless = [bool(_NAMELESS.fullmatch(str(name))) for name in table.columns]
    for j in np.flatnonzero(nameless):
        filled = table.iloc[:, j].dropna()
        if filled.empty:
            continue
        numbered = filled.is_unique and filled.str.fullmatch("[0-9]+").all()
        if j or not numbered or len(filled) < len(table):
            fault = f"column {j + 1} has no name in the header, and {len(filled)} cells (first: {filled.iloc[0]!r})"
            raise InputError("E_COLUMN_NAME", f"{path.name}:{filled.index[0]}", fault, "name the column, or remove it")
        fault = f"the first column has no name and holds {filled.iloc[0]}, {', '.join(filled.iloc[1:3])}, .."
        warn("W_COLUMN_NAME", path, fault, "it is taken for numbers of rows and set aside")
    return table.loc[:, np.logical_not(nameless)]


def _csv_rows(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    return [row for row in csv.reader(text.splitlines(), delimiter=separator, strict=True) if row]


def _excel_rows(path: Path) -> list[list[str]]:
    from zipfile import BadZipFile

    try:
        sheet = pd.read_excel(path, header=None, dtype=str, na_filter=False, engine="openpyxl")
    except BadZipFile:
        raise ValueError("no Excel file") from None
    return [[str(cell) for cell in row] for row in sheet.itertuples(index=False)]


def read_parquet(path: Path) -> pd.DataFrame:
    """A parquet file, columns of a named index among its columns; refused in one line if it is none."""
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises its own kinds for what is no parquet
        fault = " ".join(str(error).split())[:160]
        raise InputError("E_TABLE_READ", path, f"not readable as parquet ({fault})", "save it as CSV, UTF-8") from None
    named = any(table.index.names)
    return table.reset_index(names=None) if named else table.reset_index(drop=True)


def _parquet_rows(path: Path) -> list[list[str]]:
    table = read_parquet(path)
    cells = table.astype(object).where(table.notna(), "")
    return [[str(name) for name in table.columns], *([str(cell) for cell in row] for row in cells.to_numpy())]


_READERS = {".xlsx": _excel_rows, ".xlsm": _excel_rows, ".parquet": _parquet_rows}
#: No header, or what pandas puts in its place.
_NAMELESS = re.compile(r"|Unnamed: [0-9.]+")


def _cell(text: str) -> str | None:
    stripped = text.strip()
    return None if stripped.lower() in _MISSING else stripped


def check_columns(
    table: pd.DataFrame, where: Path, required: tuple[str, ...], further: tuple[str, ...], *, features: bool = False
) -> None:
    """Refuse a required column that is absent and a column nobody knows; `features` tables may hold any number."""
    for name in required:
        if name not in table.columns:
            near = get_close_matches(name, [c for c in table.columns if c not in COLUMNS], n=1)
            hint = f"rename {near[0]!r}" if near else f"columns found: {', '.join(map(str, table.columns[:12]))}"
            raise InputError("E_COLUMN_MISSING", where, f"column {name!r} is required and absent", hint)
    known = {*COLUMNS, *further}
    for name in table.columns:
        if name in known or features:
            continue
        near = get_close_matches(str(name), COLUMNS, n=1)
        remedy = f"did you mean {near[0]!r}? Else" if near else "remove it, or"
        raise InputError(
            "E_COLUMN_UNKNOWN",
            where,
            f"unknown column {name!r}",
            f"{remedy} list it in `further_columns` of study.yaml",
        )


def deep_arms(columns: Iterable[str]) -> list[str]:
    """Arms whose networks' features are among the columns, in the order they come.

    >>> deep_arms(["original_shape_Sphericity", "deep_random_0000", "deep_random_0001"])
    ['random']
    """
    found = (DEEP_COLUMN.fullmatch(str(name)) for name in columns)
    return list(dict.fromkeys(match["arm"] for match in found if match))


def as_number(text: str) -> float | None:
    """The finite number that a text is, or None.

    >>> as_number("-1.5"), as_number("\u00b2"), as_number("mild")
    (-1.5, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def typed(table: pd.DataFrame, where: Path, measured: Collection[str] = ()) -> pd.DataFrame:
    """Known columns in their types: numbers as float64 (missing NaN), dates as datetime64, text as str or None.

    Columns in `measured` of which nothing else is known are numbers where every cell is one, else text.
    """
    out = table.copy()
    for name in table.columns:
        kind = COLUMNS.get(str(name), "text")
        if str(name) not in COLUMNS and name in measured:
            numbers = table[name].map(as_number, na_action="ignore").astype(float)
            out[name] = table[name] if (numbers.isna() & table[name].notna()).any() else numbers
        if kind != "text":
            out[name] = [_value(text, kind, f"{where.name}:{row}", str(name)) for row, text in table[name].items()]
        if kind in _RANGES:
            out[name] = out[name].astype(float)
        elif kind == "date":
            out[name] = pd.to_datetime(out[name])
    return out


def _value(text: str | None, kind: str, where: str, column: str) -> object:
    """One cell in the type of its column; None stays missing."""
    if text is None:
        return np.nan if kind in _RANGES else None
    if kind == "label":
        return _label(text, where, column)
    if kind in _RANGES:
        return _number(text, kind, where, column)
    if kind == "date":
        date = pd.to_datetime(text, errors="coerce", format="ISO8601")
        if pd.isna(date):
            raise InputError("E_CELL", where, f"{column} is {text!r}, no date", "write dates as 2024-03-31")
        return date
    if kind == "sex":
        accepted, found = "F or M", _SEX.get(text.lower())
    elif kind == "scheme":
        accepted, found = ", ".join(SCHEMES), text if text in SCHEMES else None
    else:
        name = text.upper().replace("TH", "T")
        accepted, found = "a name like T12 or L1, or - for a level not known", _level(name)
    if found is None:
        raise InputError("E_CELL", where, f"{column} is {text!r}", f"write {accepted}")
    return found


def _level(name: str) -> str | None:
    """A vertebra, or `-`, `-2`, .. for a level not known."""
    unknown = name == "-" or (name[:1] == "-" and name[1:].isdigit())
    return name if name in VERTEBRAE or unknown else None


def _label(text: str, where: str, column: str) -> str:
    """Number of a label without its decimals (Excel writes 20.0), or name of a segment or ROI as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    if not _LABELS[0] <= number <= _LABELS[1] or number != int(number):
        remedy = f"write a whole number from {_LABELS[0]} to {_LABELS[1]}, or the name of a segment or ROI"
        raise InputError("E_CELL", where, f"{column} is {text!r}", remedy)
    return str(int(number))


def _number(text: str, kind: str, where: str, column: str) -> float:
    low, high = _RANGES[kind]
    whole = kind in _WHOLE
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not low <= number <= high or (whole and number != int(number)):
        what = "a whole number" if whole else "a number"
        raise InputError("E_CELL", where, f"{column} is {text!r}", f"write {what} from {low} to {high}")
    return number
