"""Commands over a study and its run folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ovfrad.cli.app import app
from ovfrad.cli.console import AUDIT_FAILED, OK, SET_ASIDE, progress_bar
from ovfrad.errors import InputError

StudyPath = Annotated[Path, typer.Argument(help="study.yaml, or the folder that holds it.")]
RunPath = Annotated[Path, typer.Argument(help="Run folder that `fit` or `run` wrote.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write; default: runs/<study name>.")]
Table = Annotated[
    Path | None, typer.Option("--out", help="A .csv or .parquet file, or a folder; default: runs/<name>.")
]
Strict = Annotated[bool, typer.Option("--strict", help="End with exit code 4 where an honesty check failed.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of everything random.")]


class Recipe(StrEnum):
    """Recipes of `run` and `fit`."""

    sound = "sound"
    paper = "paper"
    both = "both"


RecipeOption = Annotated[Recipe | None, typer.Option(help="Default: the one the study file names.")]
study_app = typer.Typer(no_args_is_help=True, help="Show a study file resolved, or the schema of its settings.")
app.add_typer(study_app, name="study")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demonstration.")] = Path("demo"),
    vertebrae: Annotated[int, typer.Option(min=40, max=2000, help="Vertebrae of the phantom cohort.")] = 200,
    seed: Seed = 0,
    weights: Annotated[list[str] | None, typer.Option(metavar="ARM=FILE", help="Weights of a deep arm.")] = None,
) -> int:
    """Draw a phantom cohort and run the whole study on it, to a report."""
    from ovfrad.workflow.demo import run_demo

    arms = dict(_arm(text) for text in weights or [])
    with progress_bar() as progress:
        outcome = run_demo(out, vertebrae, seed, arms, progress)
    return _finish(outcome.folder.path / "report.html", outcome.quarantined, outcome.audit, strict=False)


def _arm(text: str) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    if not (equals and name.isidentifier() and file):
        raise InputError(
            "E_USAGE", "ovfrad demo", f"--weights {text!r}", "write ARM=FILE, as radimagenet=net.safetensors"
        )
    return name, file


@app.command()
def phantom(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")],
    vertebrae: Annotated[int, typer.Option(min=40, max=100_000, help="1098 is the paper's cohort.")] = 1098,
    seed: Seed = 0,
    signal: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the images that show their label.")] = 1.0,
) -> None:
    """Write a synthetic multi-centre cohort: CT volumes, masks, cases.csv, study.yaml and its truth."""
    from ovfrad.phantom.write import write_cohort

    with progress_bar() as progress:
        path = write_cohort(folder, vertebrae, seed, signal, lambda done, total: progress("phantom", done, total))
    print(path)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new study.")],
    images: Annotated[Path | None, typer.Option("--from", help="Folder of CTs and masks in pairs.")] = None,
) -> None:
    """Write study.yaml and cases.csv to begin with, filled from a folder of images where that can be done."""
    from ovfrad.workflow.init import initialise

    path, found = initialise(folder, images)
    rows = f"{found} cases" if found else "no case yet"
    print(f"cases.csv: {rows}; fill astlof_class (0, 1, 2), then `ovfrad check {folder}`")
    print(path)


@app.command()
def check(study: StudyPath, recipe: RecipeOption = None) -> int:
    """Check a study and its files, and estimate time and disk from the features of a case."""
    from ovfrad.workflow.check import check_study

    with progress_bar() as progress:
        lines, bad = check_study(study, None if recipe is None else recipe.value, progress)
    for line in lines:
        print(line)
    return SET_ASIDE if bad else OK


@study_app.command("show")
def study_show(study: StudyPath, recipe: RecipeOption = None) -> None:
    """Print a study file resolved: every setting with its value."""
    from ovfrad.study import file, recipes

    path = study / "study.yaml" if study.is_dir() else study
    names = ("sound", "paper") if recipe is Recipe.both else (recipe.value if recipe else None,)
    resolved = [file.resolve(file.read_yaml(path), path, name) for name in names]
    for settings in resolved:
        print(f"# recipe {settings.recipe}, sha256 {file.sha256(settings)}")
        print(file.to_yaml(settings), end="")
    if len(resolved) > 1:
        print(*recipes.side_by_side(*resolved), sep="\n")


@study_app.command("schema")
def study_schema() -> None:
    """Print the JSON Schema of study.yaml, for editors."""
    import json

    from ovfrad.study.settings import StudySettings

    print(json.dumps(StudySettings.model_json_schema(), indent=1))


@app.command()
def features(study: StudyPath, out: Table = None, recipe: RecipeOption = None) -> int:
    """Extract the features of every case; the outcome is not needed."""
    from ovfrad.workflow.run import features_only

    with progress_bar() as progress:
        path, quarantined = features_only(study, out, None if recipe is None else recipe.value, progress)
    return _finish(path, quarantined, None, strict=False)


@app.command()
def fit(study: StudyPath, out: Out = None, recipe: RecipeOption = None) -> int:
    """Fit the learned chain in patient folds and write predictions and the bundle."""
    from ovfrad.workflow.run import fit_only

    with progress_bar() as progress:
        outcome = fit_only(study, out, None if recipe is None else recipe.value, progress)
    return _finish(outcome.folder.path, outcome.quarantined, None, strict=False)


@app.command()
def run(study: StudyPath, out: Out = None, recipe: RecipeOption = None, strict: Strict = False) -> int:
    """Run a whole study: features, fit, honesty checks, evaluation, explanation, report."""
    from ovfrad.workflow.run import run_study

    with progress_bar() as progress:
        outcome = run_study(study, out, None if recipe is None else recipe.value, progress)
    return _finish(outcome.folder.path, outcome.quarantined, outcome.audit, strict)


@app.command()
def explain(
    run: RunPath,
    model: Annotated[str | None, typer.Option(help="One of the nine; default: the headline model.")] = None,
    layer: Annotated[str, typer.Option(help="Grad-CAM: layer1, layer2, layer3 or layer4.")] = "layer3",
    input_size: Annotated[int, typer.Option(help="Grad-CAM: pixels that a patch is enlarged to.")] = 256,
) -> None:
    """Explain the headline model of a run, or any of the nine: SHAP values, nomogram, where its network looks."""
    from ovfrad.workflow.run import explain_only

    with progress_bar() as progress:
        print(explain_only(run, model, progress, layer, input_size))


@app.command()
def report(
    run: RunPath, pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF; needs the extra `pdf`.")] = False
) -> None:
    """Write the report of a run: one page, its tables, its figures, and Word files; the last line is its path."""
    from ovfrad.workflow.run import report_only

    with progress_bar() as progress:
        path = report_only(run, progress, pdf)
    print(path)


@app.command()
def audit(
    study: StudyPath,
    permutations: Annotated[int, typer.Option(min=1, max=10_000, help="Label permutations.")] = 20,
    out: Out = None,
    strict: Strict = False,
) -> int:
    """Run the honesty checks of a study with the full number of label permutations."""
    from ovfrad.workflow.run import audit_only

    with progress_bar() as progress:
        outcome = audit_only(study, out, permutations, progress)
    for row in outcome.rows:
        print(f"{row['status']:<5} {row['check']}: {row['text']}")
    return _finish(outcome.folder.path, outcome.quarantined, outcome.audit, strict)


def _finish(path: Path, quarantined: int, audit_status: str | None, strict: bool) -> int:
    """The path as the last line of stdout, and the exit code."""
    import sys

    if quarantined:
        cases = "1 case was" if quarantined == 1 else f"{quarantined} cases were"
        print(f"{cases} set aside; see quarantine.csv", file=sys.stderr)
    print(path)
    if strict and audit_status == "FAIL":
        return AUDIT_FAILED
    return SET_ASIDE if quarantined else OK
