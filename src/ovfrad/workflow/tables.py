"""Commands over tables from elsewhere: evaluate predictions, audit printed numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ovfrad.errors import InputError
from ovfrad.evaluation.audit import audit_table
from ovfrad.evaluation.summary import evaluate, thresholds
from ovfrad.evaluation.tables import IDENTITY
from ovfrad.study.table import read_text_table
from ovfrad.workflow.folder import RunFolder

#: Estimates printed for each table; the JSON file has all.
_SHOWN = ("macro_auc", "micro_auc", "accuracy", "balanced_accuracy", "brier", "log_loss")


def read_predictions(path: Path) -> pd.DataFrame:
    """Prediction table of any tool, numbers as numbers."""
    if path.suffix == ".parquet":
        if not path.is_file():
            raise InputError("E_FILE_MISSING", path, "there is no such file", "give a prediction table")
        table = pd.read_parquet(path)
    else:
        table = read_text_table(path).reset_index(drop=True)
    for name in [c for c in table.columns if str(c).startswith("p_") or c in ("y_true", "fold")]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().argmax()) + 2
            fault = f"{name} is {table[name].iloc[row - 2]!r}"
            raise InputError("E_CELL", f"{path.name}:{row}", fault, "write a number in every row")
        table[name] = numbers
    return table


def evaluate_table(path: Path, out: Path | None, ranking_only: bool) -> tuple[list[str], Path | None]:
    """Lines to print, and results.json below `out` where that is given."""
    table = read_predictions(path)
    results: dict[str, Any] = {}
    lines = []
    for name, part, fixed in _parts(table, path, ranking_only):
        try:
            found = evaluate(part, fixed, ranking_only=ranking_only)
        except ValueError as error:
            raise _refused(path, error) from None
        results[name] = found
        lines += [f"{name}", *(f"  {line}" for line in _lines(found))]
    if out is None:
        return lines, None
    notice = {"notice": "Research use only, not a medical device.", "source": path.name}
    return lines, RunFolder(out).write_json("results.json", notice | {"tables": results})


def _refused(path: Path, error: ValueError) -> InputError:
    remedy = "see `ovfrad evaluate --help` for the columns"
    return InputError("E_PREDICTIONS", path, str(error).rstrip("."), remedy)


def _parts(
    table: pd.DataFrame, path: Path, ranking_only: bool
) -> Iterator[tuple[str, pd.DataFrame, dict[str, float | None] | None]]:
    """Each model in each cohort, with the thresholds of the same model's `train` rows where there are any."""
    keys = [name for name in IDENTITY if name in table.columns]
    if not keys:
        yield path.name, table, None
        return
    whole = table[keys].fillna("-").astype(str)
    groups = [
        (key if isinstance(key, tuple) else (key,), part) for key, part in table.groupby([whole[k] for k in keys])
    ]
    for key, part in groups:
        named = dict(zip(keys, key, strict=True))
        same = {k: v for k, v in named.items() if k != "cohort"}
        training = part
        if "cohort" in named:
            chosen = (whole["cohort"] == "train") & (whole[list(same)] == pd.Series(same)).all(axis=1)
            training = table[chosen]
        try:
            elsewhere = "cohort" in named and named["cohort"] != "train" and len(training) > 0
            fixed = thresholds(training, ranking_only) if elsewhere else None
        except ValueError as error:
            raise _refused(path, error) from None
        yield ", ".join(f"{k} {v}" for k, v in named.items()), part, fixed


def _lines(found: dict[str, Any]) -> Iterator[str]:
    """Estimates as sentences."""
    for k, value in found["class_auc"].items():
        yield f"AUC of class {k} against the rest {_sentence(value)}"
    for name in _SHOWN:
        if name in found:
            yield f"{name.replace('_', ' ').replace('auc', 'AUC')} {_sentence(found[name])}"
    rate = found.get("no_information_rate", {}).get("estimate")
    if rate is not None:
        yield f"always saying the largest class is right in {rate:.2f}"


def _sentence(value: dict[str, Any]) -> str:
    if value["estimate"] is None:
        return f"cannot be given: {value['method']}"
    size = f"n = {value['n']}" + (f" of {value['n_patients']} patients" if value.get("n_patients") else "")
    if value["low"] is None:
        return f"{value['estimate']:.2f} (no interval: {value['method']}; {size})"
    return f"{value['estimate']:.2f} ({value['low']:.2f} to {value['high']:.2f}; {value['method']}; {size})"


def audit_printed(path: Path) -> list[str]:
    """One line per check of a transcription, failures first, and a last line that counts them."""
    rows = _transcription(path)
    try:
        found = audit_table(rows)
    except ValueError as error:
        raise InputError("E_AUDIT_TABLE", path, str(error).rstrip("."), "see docs/audit.md for the columns") from None
    ordered = found.sort_values("result", kind="stable")
    lines = [f"{row.result}  {row.where}, {row.check}: {row.reason}" for row in ordered.itertuples()]
    failed = int((found["result"] == "FAIL").sum())
    return [*lines, f"{failed} of {len(found)} checks failed"]


def _transcription(path: Path) -> Any:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return read_text_table(path).fillna("")
    if not path.is_file():
        raise InputError("E_FILE_MISSING", path, "there is no such file", "give a CSV or YAML transcription")
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fault = " ".join(str(error).split())[:160]
        raise InputError("E_AUDIT_TABLE", path, f"not readable as YAML ({fault})", "mend the file") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(
            "E_AUDIT_TABLE", path, "holds no list of rows", "write `- {where: .., quantity: .., value: ..}`"
        )
    return [{key: str(value) for key, value in row.items()} for row in rows]
