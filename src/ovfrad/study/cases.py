"""The case table: one row per fractured vertebra, checked as a whole before anything runs (METHODS A1, A2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad.astlof import AstlofScore, bone_density_points, class_of_total
from ovfrad.errors import InputError, warn
from ovfrad.study.labels import Faults, with_labels
from ovfrad.study.settings import Models, StudySettings
from ovfrad.study.table import COLUMNS, check_columns, read_text_table, typed

#: No feature is larger; trees keep single precision, which ends at 3e38.
LARGEST = 1e30
#: A smaller spread has a variance that underflows; such a feature counts as constant.
SMALLEST = 1e-150
#: Most features of a table: the matrix of their correlations is 3 GB there.
MOST_FEATURES = 20_000
#: Columns that PyRadiomics writes beside its features; there are also those that begin with `diagnostics_`.
_BYSTANDERS = frozenset({"Image", "Mask", "Label", "Label_channel", "reader"})


def read_cases(path: Path, settings: StudySettings, faults: Faults | None = None) -> pd.DataFrame:
    """Case table of an image study, index (patient_id, vertebra), every known column present.

    Columns `ct`, `mask`, `mask_reader2` are absolute paths; `mask_label` follows from vertebra and scheme where only
    these are given; `row` is the row of the file. With `faults` a row whose label is refused is told there.
    """
    images = settings.features is None
    table = read_text_table(path)
    required = ("patient_id", "vertebra", "ct", "mask") if images else ("patient_id",)
    check_columns(table, path, required, (*settings.further_columns, *settings.named_columns))
    cases = _indexed(typed(table, path, settings.clinical.columns), path, settings)
    if images:
        cases = _with_files(cases, path, settings.allow_absolute_paths)
        cases = with_labels(cases, path, faults)
    return cases


def read_features(path: Path, settings: StudySettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Case columns and features (float64) of a feature table, both with index (patient_id, vertebra).

    Features are `feature_columns` where named, else every numeric column that is neither a case column, nor the
    outcome, nor the cohort, nor one of `further_columns`, nor PyRadiomics' diagnostics. Of a table with `reader`, as
    `ovfrad features` writes it, the rows of reader 1 are taken.
    """
    table = _first_reader(read_text_table(path), path)
    check_columns(table, path, ("patient_id",), settings.further_columns, features=True)
    aside = {*COLUMNS, *settings.further_columns, *settings.named_columns}
    others = [c for c in table.columns if c not in aside | _BYSTANDERS and not str(c).startswith("diagnostics_")]
    wanted = list(settings.feature_columns or others)
    absent = [name for name in wanted if name not in table.columns]
    if absent or not wanted:
        fault = f"feature column {absent[0]!r} is absent" if absent else "holds no feature column"
        raise InputError("E_COLUMN_MISSING", path, fault, "name the columns as the table does")
    if len(wanted) > MOST_FEATURES:
        fault = f"{len(wanted)} feature columns, more than {MOST_FEATURES}"
        raise InputError("E_TABLE_WIDE", path, fault, "name those that are meant in feature_columns")
    impute = settings.selection.missing == "impute"
    numbers = {name: _feature(table[name], path, impute) for name in wanted}
    _tell_gaps(numbers, len(table), path)
    numbers |= _levelled(numbers, path)
    known = [c for c in table.columns if c in aside]
    cases = _indexed(typed(table[known], path, settings.clinical.columns), path, settings)
    features = pd.DataFrame(numbers).set_axis(cases.index)
    return cases, features


def _levelled(numbers: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Columns whose values differ by less than a variance can hold, as zeros (gaps stay), with a warning."""
    spread = {name: np.ptp(known) for name, values in numbers.items() if len(known := values[~np.isnan(values)])}
    tiny = [name for name, width in spread.items() if 0 < width < SMALLEST]
    if tiny:
        fault = f"values of {tiny[0]!r} differ by {spread[tiny[0]]:.0e} at most"
        fault += f" ({len(tiny)} such columns)" if len(tiny) > 1 else ""
        warn("W_FEATURE_TINY", path, fault, "it counts as constant; give it in a larger unit")
    return {name: numbers[name] * 0.0 for name in tiny}


def _first_reader(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows of reader 1, where the table has rows of several."""
    if "reader" not in table.columns or table["reader"].nunique() < 2:
        return table
    first = table["reader"] == "1"
    others = ", ".join(sorted({str(name) for name in table["reader"][~first]}))
    if not first.any():
        remedy = "keep the rows of one reader, or name it 1"
        raise InputError("E_READER", path, f"rows of readers {others}, none of reader 1", remedy)
    fault = f"{(~first).sum()} of {len(table)} rows are of other readers ({others})"
    warn("W_READER", path, fault, "they are not used; a feature table has no ICC between readers")
    return table[first]


def _cell_words(cell: object) -> str:
    if cell is None:
        return "empty"
    return f"{cell!r}, no number" + (" (a decimal comma?)" if "," in str(cell) else " that can be used")


def _tell_gaps(numbers: dict[str, np.ndarray], n_rows: int, path: Path) -> None:
    """Warn of columns with gaps, which reach here only where the study file allows them."""
    gaps = {name: int(np.isnan(values).sum()) for name, values in numbers.items()}
    worst = max(gaps, key=lambda name: gaps[name])
    if gaps[worst]:
        columns = sum(count > 0 for count in gaps.values())
        fault = (
            f"empty cells in {columns} of {len(gaps)} feature columns, most in {worst!r} ({gaps[worst]} of {n_rows})"
        )
        warn("W_FEATURE_GAPS", path, fault, "each takes the median of its column in the training rows of the fold")


def check_filled(features: pd.DataFrame, training: pd.Series, path: Path) -> None:
    """Refuse a column whose only numbers are in other cohorts than `training` (bool): it has no median to fill in."""
    empty = features.columns[features[training].isna().all()]
    if len(empty):
        fault = f"feature {empty[0]!r} is empty in all {training.sum()} training cases"
        fault += f" ({len(empty)} such columns)" if len(empty) > 1 else ""
        remedy = "take it out, list it in `further_columns`, or name the features in feature_columns"
        raise InputError("E_FEATURE_CELL", path, fault, remedy)


def _feature(column: pd.Series, path: Path, impute: bool = False) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
    usable = np.isfinite(numbers) & (np.abs(numbers) < LARGEST)
    if impute and usable.any():
        usable |= column.isna().to_numpy()
    if not usable.all():
        at = int(np.argmin(usable))
        where, fault = f"{path.name}:{column.index[at]}", f"feature {column.name!r} is {_cell_words(column.iloc[at])}"
        remedy = "fill it, drop the row, or list a column of text in `further_columns`"
        if column.iloc[at] is None and not impute:
            remedy += "; selection.missing: impute takes the median"
        raise InputError("E_FEATURE_CELL", where, fault, remedy)
    return numbers


def _indexed(table: pd.DataFrame, path: Path, settings: StudySettings) -> pd.DataFrame:
    """Every known column present, index (patient_id, vertebra), each case once."""
    out = table.reindex(columns=[*COLUMNS, *[c for c in table.columns if c not in COLUMNS]])
    out.insert(0, "row", table.index)
    if "vertebra" not in table.columns:
        out["vertebra"] = "-"
    for name in ("patient_id", "vertebra"):
        empty = out[name].isna()
        if empty.any():
            raise InputError("E_CELL", f"{path.name}:{out['row'][empty].iloc[0]}", f"{name} is empty", "fill it")
    out = out.set_index(["patient_id", "vertebra"])
    twice = out.index.duplicated()
    if twice.any():
        patient, vertebra = out.index[twice][0]
        where = f"{path.name}:{out['row'].iloc[int(np.argmax(twice))]}"
        what = (
            f"case {patient} {vertebra}" if vertebra != "-" else f"patient {patient} (the table has no vertebra column)"
        )
        raise InputError("E_CASE_TWICE", where, f"{what} stands twice", "keep one row per vertebra")
    first = out.index.get_level_values("vertebra").str[0]
    if out["location"].isna().all() and (first != "-").all():
        out["location"] = first.map({"C": "cervical", "T": "thoracic", "L": "lumbar"})
    return out


def _with_files(cases: pd.DataFrame, path: Path, allow_outside: bool) -> pd.DataFrame:
    """Paths resolved against the table's folder; one that leads out of its tree is refused unless allowed."""
    root, out = path.resolve().parent, cases.copy()
    for name in ("ct", "mask", "mask_reader2"):
        resolved = [None if pd.isna(text) else root / str(text) for text in cases[name]]
        for text, file, row in zip(cases[name], resolved, cases["row"], strict=True):
            if file is None and name != "mask_reader2":
                raise InputError("E_CELL", f"{path.name}:{row}", f"{name} is empty", "give its file")
            if file is not None and not allow_outside and not file.resolve().is_relative_to(root):
                remedy = "move it below the table's folder, or set allow_absolute_paths: true"
                raise InputError("E_PATH_OUTSIDE", f"{path.name}:{row}", f"{name} {text!r} leads outside", remedy)
        out[name] = pd.Series(resolved, index=cases.index, dtype=object)
    return out


def outcome(cases: pd.DataFrame, path: Path, settings: StudySettings) -> pd.Series:
    """Class of every case as text; for ASTLOF also derived from total or items, which must agree (A2)."""
    column = settings.outcome.column
    derived = _astlof(cases, path) if column == "astlof_class" else pd.Series(None, index=cases.index, dtype=object)
    if column not in cases.columns:
        near = [c for c in cases.columns if c != "row" and c not in COLUMNS] or ["astlof_class"]
        remedy = f"set outcome.column to one of: {', '.join(map(str, near[:8]))}"
        raise InputError("E_OUTCOME_COLUMN", path, f"outcome column {column!r} is absent", remedy)
    found = cases[column].map(class_name)
    values = found.where(found.notna(), derived)
    missing = values.isna()
    if missing.any():
        rows = cases["row"][missing]
        fault = f"{missing.sum()} of {len(cases)} cases have no {column} (first: row {rows.iloc[0]})"
        raise InputError("E_OUTCOME_MISSING", path, fault, "fill the column, or give a reason in `exclusion`")
    clash = found.notna() & derived.notna() & (found != derived)
    if clash.any():
        at = cases["row"][clash].iloc[0]
        fault = f"astlof_class is {found[clash].iloc[0]} but score or items give {derived[clash].iloc[0]}"
        raise InputError("E_ASTLOF_DISAGREE", f"{path.name}:{at}", fault, "correct the class or the items")
    return values


def survival(cases: pd.DataFrame, path: Path, settings: StudySettings) -> pd.DataFrame:
    """Times (float, 0 or more) and events (0.0 or 1.0) under the names of their columns; training cases need both."""
    time, event = settings.selection.time_column, settings.selection.event_column
    if time is None or event is None:
        return pd.DataFrame(index=cases.index)
    found, training = {}, cases["cohort"] == "train"
    for column, fits in ((time, _is_time), (event, _is_event)):
        if column not in cases.columns:
            remedy = "name the column of the case table that holds it, or leave out time_column and event_column"
            raise InputError("E_COLUMN_MISSING", path, f"column {column!r} of selection is absent", remedy)
        numbers = pd.to_numeric(cases[column], errors="coerce")
        bad = ~fits(numbers) & (training | cases[column].notna())
        if bad.any():
            what = "a time of 0 or more" if fits is _is_time else "1 (the event came) or 0 (censored)"
            where = f"{path.name}:{cases['row'][bad].iloc[0]}"
            raise InputError("E_CELL", where, f"{column} is {_cell_words(cases[column][bad].iloc[0])}", f"write {what}")
        found[column] = numbers.astype(float)
    _require_events(cases.index[training & (found[event] == 1)], event, path, settings.models)
    return pd.DataFrame(found, index=cases.index)


def _require_events(cases: pd.Index, event: str, path: Path, models: Models) -> None:
    """Refuse fewer patients with the event, among `cases` that had it, than nested folds can share out."""
    came, needed = (
        cases.get_level_values("patient_id").nunique(),
        _events_needed(models.outer_folds, models.inner_folds),
    )
    if came < needed:
        folds = f"{models.outer_folds} outer and {models.inner_folds} inner folds need at least {needed}"
        fault = f"{came or 'no'} training {'patient has' if came == 1 else 'patients have'} the event in {event!r}"
        remedy = "code the event as 1, add cases, or leave out time_column and event_column"
        raise InputError("E_EVENTS", path, f"{fault}, and {folds}", remedy)


def _events_needed(outer: int, inner: int) -> int:
    """Patients with an event of which, spread evenly, two are left to every LASSO of the nested folds.

    >>> _events_needed(5, 5), _events_needed(2, 2)
    (4, 8)
    """
    left = 2
    for folds in (inner, outer):
        left = next(n for n in range(left, 4 * left + 1) if n - -(-n // folds) >= left)
    return left


def _is_time(numbers: pd.Series) -> pd.Series:
    return (numbers >= 0) & (numbers < LARGEST)


def _is_event(numbers: pd.Series) -> pd.Series:
    return numbers.isin((0, 1))


def class_name(value: object) -> object:
    """Class values as text; 1.0 from a spreadsheet is 1."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    text = str(value)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def _astlof(cases: pd.DataFrame, path: Path) -> pd.Series:
    """Class by total or items, None where neither is complete; total and items must agree."""
    classes: list[str | None] = []
    for _, case in cases.iterrows():
        items = case[["morphology", "mri", "t_score", "pain"]]
        total = None if pd.isna(case["astlof_score"]) else int(case["astlof_score"])
        if items.notna().all():
            points = AstlofScore(
                int(items["morphology"]), int(items["mri"]), bone_density_points(items["t_score"]), int(items["pain"])
            ).total
            if total is not None and total != points:
                fault = f"astlof_score is {total} but the items add to {points}"
                raise InputError(
                    "E_ASTLOF_DISAGREE", f"{path.name}:{case['row']}", fault, "correct the score or an item"
                )
            total = points
        classes.append(None if total is None else str(int(class_of_total(total))))
    return pd.Series(classes, index=cases.index, dtype=object)
