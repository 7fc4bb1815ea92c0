"""Commands over a fitted model and over network weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ovfrad.cli.app import app
from ovfrad.cli.case_commands import AsJson, Label, Scheme, checked_level
from ovfrad.cli.console import print_table
from ovfrad.errors import InputError

Level = Annotated[str | None, typer.Option("--vertebra", help="Its level, such as L1; chooses with --scheme.")]
BundlePath = Annotated[Path, typer.Argument(help="Folder `bundle` of a run.")]
weights_app = typer.Typer(no_args_is_help=True, help="Files of network weights: show, convert, where to get them.")
app.add_typer(weights_app, name="weights")


@app.command()
def predict(
    bundle: BundlePath,
    image: Annotated[Path, typer.Argument(help="CT of one vertebra; or CASES.csv.")],
    mask: Annotated[Path | None, typer.Argument(help="Mask of one vertebra; none with CASES.csv.")] = None,
    label: Label = None,
    vertebra: Level = None,
    scheme: Scheme = None,
    batch: Annotated[str | None, typer.Option(help="Scanner or centre, if it is one of the training data.")] = None,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option("--out", help="CSV to write, with CASES.csv.")] = None,
) -> int:
    """Predict one vertebra, or every row of a case table: class, probabilities, set, reasons for doubt."""
    from ovfrad.workflow import predict as step

    if mask is None:
        if out is None:
            raise InputError(
                "E_USAGE", "ovfrad predict", "no MASK", "give IMAGE and MASK, or CASES.csv with --out FILE"
            )
        given = {"--label": label, "--vertebra": vertebra, "--scheme": scheme, "--batch": batch}
        single = [name for name, value in given.items() if value is not None] + ["--json"] * as_json
        if single:
            fault = f"{', '.join(single)} with CASES.csv"
            remedy = "leave it out: the columns of the table name label, level and scanner of each case"
            raise InputError("E_USAGE", "ovfrad predict", fault, remedy)
        quarantined = step.predict_table(bundle, image, out)
        print(out)
        return 3 if quarantined else 0
    if out is not None:
        fault = "--out with IMAGE and MASK; it is for CASES.csv"
        raise InputError("E_USAGE", "ovfrad predict", fault, "leave it out: the prediction is printed")
    level = checked_level(mask, label, vertebra, scheme)
    prediction, classes = step.predict_case(bundle, image, mask, label, batch, level, scheme)
    if as_json:
        print(json.dumps(step.as_json(prediction, classes), indent=1, ensure_ascii=False))
    else:
        print_table(step.as_rows(prediction, classes))
    return 0


@app.command()
def verify(bundle: BundlePath) -> None:
    """Make sure that a bundle is whole and still gives the probabilities it gave; its hashes are no signature."""
    from ovfrad.bundle import verify as check

    print(f"{bundle}: whole; its check case differs by {check(bundle):.1e} in a probability")


@weights_app.command("show")
def weights_show(file: Path) -> None:
    """Show what a .safetensors file holds: layout, tensors, hash."""
    from ovfrad.deep import weights

    facts: dict[str, Any] = weights.show(file)
    print_table([(name, str(value)) for name, value in facts.items()])


@weights_app.command("convert")
def weights_convert(
    file: Path, out: Annotated[Path | None, typer.Option("--out", help="Default: beside it, .safetensors.")] = None
) -> None:
    """Convert a .pth or .pt file to .safetensors, in a process of its own that loads tensors only."""
    from ovfrad.deep import weights

    print(weights.convert(file, out))


@weights_app.command("where")
def weights_where() -> None:
    """Say where weights can be had, and under which licence."""
    from ovfrad.deep.sources import WHERE

    print(WHERE)
