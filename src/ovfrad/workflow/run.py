"""Whole studies: each command's sequence of steps over the run folder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ovfrad.errors import InputError, InputWarning
from ovfrad.report.pdf import require_weasyprint
from ovfrad.study import load as load_study
from ovfrad.workflow.attribution import INPUT, LAYER
from ovfrad.workflow.evaluate import evaluate_run
from ovfrad.workflow.explain import explain_run
from ovfrad.workflow.features import extract_study, in_short, without_shuffled
from ovfrad.workflow.fit import check_weights, fit_study, load_recipes
from ovfrad.workflow.fitted import FittedStudy
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.honesty import audit_study
from ovfrad.workflow.model import save_bundle
from ovfrad.workflow.report import pdf_of, report_run


@dataclass(frozen=True)
class RunOutcome:
    """What a command over a study has to tell.

    Attributes
    ----------
    folder : RunFolder
    quarantined : int
        Cases set aside.
    audit : str or None
        Worst status of the honesty checks: PASS, WARN or FAIL.
    rows : list of dict
        Rows of the honesty checks.
    """

    folder: RunFolder
    quarantined: int
    audit: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


def run_folder(study: Path, out: Path | None, name: str) -> RunFolder:
    """Folder of a run: `out`, else runs/<study name> in the current folder."""
    return RunFolder(out if out is not None else Path("runs") / name)


def finished(path: Path) -> RunFolder:
    """Folder of a run that has been fitted; anything else is refused and nothing made."""
    if not (path / "predictions.parquet").is_file():
        raise InputError("E_RUN_INCOMPLETE", path, "has no predictions.parquet", "run `ovfrad fit STUDY` first")
    return RunFolder(path)


def features_only(path: Path, out: Path | None, recipe: str | None, progress: Progress) -> tuple[Path, int]:
    """Features of every case as a parquet or CSV table; quarantine.csv beside it."""
    study = load_study(path, None if recipe == "both" else recipe, labels=False)
    target = out if out is not None else Path("runs") / study.settings.name
    target = target if target.suffix in (".csv", ".parquet") else target / "features.parquet"
    folder = RunFolder(target.parent)
    with _at_work(folder):
        features = extract_study(study, folder, (study.settings.radiomics,), progress)
        table = without_shuffled(next(iter(features.tables.values())))
        of_a_run = _is_of_this_run(folder, table)
        if not of_a_run or target.name != "features.parquet":
            folder.write_table(target.name, table if target.suffix == ".parquet" else table.reset_index())
        if not of_a_run:
            folder.write_table("quarantine.csv", features.quarantine)
    for line in in_short(features.warnings):
        warnings.warn(line, InputWarning, stacklevel=2)
    return target, len(features.quarantine)


def _is_of_this_run(folder: RunFolder, table: pd.DataFrame) -> bool:
    """Whether a finished run is here that was made of these features, whose files then stay; of others is refused.

    Perturbed rows are not compared: which cases are perturbed depends on a cohort that is drawn by outcome.
    """
    if not (folder / "predictions.parquet").is_file():
        return False
    mine, stored = (_of_readers(one) for one in (table, folder.read_table("features.parquet")))
    same = mine.index.equals(stored.index) and list(mine.columns) == list(stored.columns)
    if not same or not np.allclose(mine, stored, rtol=1e-9, atol=1e-12, equal_nan=True):
        fault = "holds a run that was made of other features"
        raise InputError("E_RUN_THERE", folder.path, fault, "give another --out, or `ovfrad run` the study again there")
    return True


def _of_readers(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the two readers, sorted."""
    return table[table.index.get_level_values("reader").isin(["1", "2"])].sort_index()


@contextmanager
def _at_work(folder: RunFolder) -> Iterator[None]:
    """The run folder is ours, and BLAS keeps to one thread: its products are small, and workers use the other cores."""
    with folder.owned(), threadpool_limits(1, user_api="blas"):
        yield


def fit_only(path: Path, out: Path | None, recipe: str | None, progress: Progress) -> RunOutcome:
    """Features, folds, final models, bundle."""
    studies = load_recipes(path, recipe)
    check_weights(studies)
    folder = run_folder(path, out, next(iter(studies.values())).settings.name)
    with _at_work(folder):
        fitted = fit_study(studies, folder, progress)
        save_bundle(fitted, progress)
    return RunOutcome(folder, len(fitted.features.quarantine))


def run_study(path: Path, out: Path | None, recipe: str | None, progress: Progress) -> RunOutcome:
    """Everything, to the report."""
    studies = load_recipes(path, recipe)
    check_weights(studies)
    folder = run_folder(path, out, next(iter(studies.values())).settings.name)
    with _at_work(folder):
        return _run_all(studies, folder, progress)


def _run_all(studies: dict[str, Any], folder: RunFolder, progress: Progress) -> RunOutcome:
    started = time.monotonic()
    fitted = fit_study(studies, folder, progress)
    audit_study(fitted, progress, spent=time.monotonic() - started)
    outcome = _judged(fitted, progress)
    explain_run(folder, None, progress)
    _note_seconds(folder, time.monotonic() - started)
    report_run(folder, progress)
    return outcome


def _judged(fitted: FittedStudy, progress: Progress) -> RunOutcome:
    """Evaluation, which adds the arithmetic of its own numbers to the checks; then the bundle, which bears them."""
    evaluate_run(fitted.folder, progress)
    audit = fitted.folder.read_json("results.json")["audit"]
    save_bundle(fitted, progress, audit["status"])
    return RunOutcome(fitted.folder, len(fitted.features.quarantine), audit["status"], audit["rows"])


def _note_seconds(folder: RunFolder, seconds: float) -> None:
    run = folder.read_json("run.json")
    folder.write_json("run.json", run | {"seconds": round(seconds, 1)})


def audit_only(path: Path, out: Path | None, permutations: int, progress: Progress) -> RunOutcome:
    """Honesty checks with a stated number of label permutations; a run that was there keeps its recipes and report."""
    studies = load_recipes(path, None)
    folder = run_folder(path, out, next(iter(studies.values())).settings.name)
    if known := _recipes_of(folder):
        studies = load_recipes(path, "both" if len(known) > 1 else known[0])
    check_weights(studies)
    with _at_work(folder):
        reported, printed = ((folder / name).is_file() for name in ("report.html", "report.pdf"))
        fitted: FittedStudy = fit_study(studies, folder, progress)
        audit_study(fitted, progress, permutations=permutations)
        outcome = _judged(fitted, progress)
        if reported:
            explain_run(folder, None, progress)
            page = report_run(folder, progress)
            if printed:
                pdf_of(page, progress)
        return outcome


def _recipes_of(folder: RunFolder) -> list[str]:
    """Recipes of the run that a folder holds."""
    known: list[str] = folder.read_json("run.json").get("recipes", []) if (folder / "run.json").is_file() else []
    return known


def evaluate_only(path: Path, progress: Progress) -> Path:
    """results.json of a run."""
    folder = finished(path)
    with _at_work(folder):
        return evaluate_run(folder, progress)


def explain_only(path: Path, model: str | None, progress: Progress, layer: str = LAYER, size: int = INPUT) -> Path:
    """SHAP values and nomogram of a run as tables, and where its network looks."""
    folder = finished(path)
    with _at_work(folder):
        return explain_run(folder, model, progress, layer, size)


def report_only(path: Path, progress: Progress, pdf: bool = False) -> Path:
    """The report of a run, or its PDF beside it if asked for; missing steps before it are done first."""
    if pdf:
        require_weasyprint()
    folder = finished(path)
    with _at_work(folder):
        if not (folder / "results.json").is_file():
            evaluate_run(folder, progress)
        if not (folder / "explanation" / "explanation.json").is_file():
            explain_run(folder, None, progress)
        page = report_run(folder, progress)
        return pdf_of(page, progress) if pdf else page
