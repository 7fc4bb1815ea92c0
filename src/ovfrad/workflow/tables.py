"""Commands over tables from elsewhere: evaluate predictions, audit printed numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ovfrad.errors import InputError
from ovfrad.evaluation.audit import audit_table
from ovfrad.study.table import read_text_table
from ovfrad.workflow.folder import Progress, RunFolder, silent
from ovfrad.workflow.foreign import compared, evaluated, read_foreign, refused, where
from ovfrad.workflow.foreign_files import Results, write_results

#: Estimates printed for each table; the files have all.
_SHOWN = ("macro_auc", "micro_auc", "accuracy", "balanced_accuracy", "brier", "log_loss")
#: Most comparisons printed; comparisons.csv has all.
_PAIRS_SHOWN = 12


def evaluate_table(
    path: Path, out: Path | None, ranking_only: bool, ordered: bool = True, progress: Progress = silent
) -> tuple[list[str], Path | None]:
    """Lines to print, and results.json below `out` where that is given, with tables and figures beside it."""
    folder = None if out is None else _output(out)
    table = read_foreign(path, ranking_only, ordered)
    blocks, total, lines = [], len(table.rows[[*table.given]].drop_duplicates()) if table.given else 1, []
    try:
        for model, cohort, block in evaluated(table):
            blocks.append((model, cohort, block))
            if folder is not None:
                progress("evaluate", len(blocks), total)
            lines += [where(table, model, cohort), *(f"  {line}" for line in _lines(block))]
        pairs = compared(table)
    except ValueError as error:
        raise refused(path, error) from None
    lines += _pair_lines(pairs)
    if folder is None:
        return lines, None
    return lines, write_results(folder, table, Results(blocks, pairs), progress)


def _output(out: Path) -> RunFolder:
    if (out / "run.json").exists():
        raise InputError("E_OUT", out, "is the folder of a run, whose results.json would be lost", "name another --out")
    return RunFolder(out)


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
        return f"{value['estimate']:.2f} ({_no_interval(value['method'])}; {size})"
    return f"{value['estimate']:.2f} ({value['low']:.2f} to {value['high']:.2f}; {value['method']}; {size})"


def _no_interval(reason: str) -> str:
    return reason if reason.startswith("no interval") else f"no interval: {reason}"


def _pair_lines(pairs: list[dict[str, Any]]) -> Iterator[str]:
    """Differences of macro AUCs as sentences, or where to find them."""
    macro = [row for row in pairs if row["metric"] == "macro_auc"]
    if len(macro) > _PAIRS_SHOWN:
        yield f"{len(macro)} pairs of models were compared: see comparisons.csv below --out"
        return
    for row in macro:
        told = f"{row['a']} less {row['b']}, {row['cohort']}: macro AUC"
        if row["p"] is None:
            yield f"{told} not compared: {row['method']}"
            continue
        limits = "no interval" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        holm = f", {_p(row['p_holm'])} after Holm over {row['family_size']}" if row["family_size"] > 1 else ""
        difference = round(row["difference"], 2) + 0.0  # no minus before 0.00
        yield f"{told} {difference:+.2f} ({limits}; {_p(row['p'])}{holm}; {row['method']}; n = {row['n']})"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


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
