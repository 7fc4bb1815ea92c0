"""The application with its commands; each module of commands adds its own."""

from __future__ import annotations

import typer

from ovfrad import __version__

_EPILOG = (
    "Not there yet: web page (serve), DICOM SEG and SR as output, validation of a bundle at another centre, Dask, "
    "effects of single steps. "
    "--debug shows where a fault arose. "
    "Research use only, not a medical device."
)

app = typer.Typer(
    name="ovfrad",
    help="Deep-learning radiomics of osteoporotic vertebral fractures: from CT and masks to a report.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and leave.")) -> None:
    """Deep-learning radiomics of osteoporotic vertebral fractures: from CT and masks to a report."""
    if version:
        print(f"ovfrad {__version__}")
        raise typer.Exit
