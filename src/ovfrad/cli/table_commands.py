"""Commands over tables of any origin: `evaluate`, `audit-table`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ovfrad.cli.app import app
from ovfrad.cli.console import progress_bar
from ovfrad.errors import InputError


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or PREDICTIONS.csv with patient_id, y_true, p_0 ..")],
    ranking_only: Annotated[bool, typer.Option("--ranking-only", help="The p columns are no probabilities.")] = False,
    unordered: Annotated[bool, typer.Option("--unordered", help="The classes have no order.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for results.json, tables and figures of a table.")
    ] = None,
) -> None:
    """Evaluate the predictions of a run, or a prediction table from elsewhere."""
    if source.is_dir():
        _evaluate_run(source, ranking_only or unordered or out is not None)
        return
    from ovfrad.workflow.tables import evaluate_table

    with progress_bar() as progress:
        lines, path = evaluate_table(source, out, ranking_only, not unordered, progress)
    for line in lines:
        print(line)
    if path is not None:
        print(path)


def _evaluate_run(source: Path, options: bool) -> None:
    from ovfrad.workflow.run import evaluate_only

    if options:
        fault = "--out, --ranking-only and --unordered are for prediction tables"
        raise InputError("E_USAGE", "ovfrad evaluate", fault, "a run keeps its results and its study file's settings")
    with progress_bar() as progress:
        print(evaluate_only(source, progress))


@app.command("audit-table")
def audit_table(file: Annotated[Path, typer.Argument(help="Transcription of printed numbers, CSV or YAML.")]) -> None:
    """Check the arithmetic of published tables: counts, percentages, p values, intervals, accuracies."""
    from ovfrad.workflow.tables import audit_printed

    for line in audit_printed(file):
        print(line)
