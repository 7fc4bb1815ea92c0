"""Commands over tables of any origin: `evaluate`, `audit-table`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ovfrad.cli.app import app
from ovfrad.cli.console import progress_bar


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or PREDICTIONS.csv with patient_id, y_true, p_0 ..")],
    ranking_only: Annotated[bool, typer.Option("--ranking-only", help="The p columns are no probabilities.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results of a table.")] = None,
) -> None:
    """Evaluate the predictions of a run, or a prediction table from elsewhere."""
    if source.is_dir():
        from ovfrad.workflow.run import evaluate_only

        with progress_bar() as progress:
            print(evaluate_only(source, progress))
        return
    from ovfrad.workflow.tables import evaluate_table

    lines, path = evaluate_table(source, out, ranking_only)
    for line in lines:
        print(line)
    if path is not None:
        print(path)


@app.command("audit-table")
def audit_table(file: Annotated[Path, typer.Argument(help="Transcription of printed numbers, CSV or YAML.")]) -> None:
    """Check the arithmetic of published tables: counts, percentages, p values, intervals, accuracies."""
    from ovfrad.workflow.tables import audit_printed

    for line in audit_printed(file):
        print(line)
