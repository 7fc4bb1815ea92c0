"""What the command line prints: refusals and warnings in one line on stderr, progress there too, results on stdout."""

from __future__ import annotations

import io
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ovfrad.errors import InputError, InputWarning, one_line

if TYPE_CHECKING:
    from ovfrad.workflow.folder import Progress

#: Faults of the command line itself; typer names only a subclass, and its base moved between versions.
UsageError: Any = typer.BadParameter.__bases__[0]
OK, BUG, REFUSED, SET_ASIDE, AUDIT_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def guarded(app: typer.Typer, arguments: list[str]) -> int:
    """Exit code of a command; every fault is one line, and a traceback is shown only with `--debug`."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    _print_anything()
    with warnings.catch_warnings():
        _one_line_warnings(debug)
        try:
            code = app(args=arguments, standalone_mode=False, prog_name="ovfrad")
            if sys.stdout is not None:  # closed by the caller
                sys.stdout.flush()
        except InputError as error:
            return _say(REFUSED, str(error), debug)
        except UsageError as error:
            command = error.ctx.command_path if error.ctx else "ovfrad"
            return _say(REFUSED, f"E_USAGE {command}: {_words(error)}; see `{command} --help`", debug=False)
        except typer.Exit as stop:
            return stop.exit_code
        except (KeyboardInterrupt, typer.Abort):
            return _say(INTERRUPTED, "interrupted; the same command goes on from here", debug=False)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except OSError as error:
            where = one_line(Path(error.filename).name) if isinstance(error.filename, str) else "ovfrad"
            remedy = "free space, or choose another folder"
            return _say(REFUSED, f"E_WRITE {where}: {error.strerror or error}; {remedy}", debug)
        except Exception as error:
            fault = one_line(f"{type(error).__name__}: {error}")[:300]
            return _say(BUG, f"E_BUG ovfrad: {fault}; this is a fault of the program, --debug shows where", debug)
    return code if isinstance(code, int) else OK


def _print_anything() -> None:
    """Names of files and structures are printed whatever the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _words(error: Any) -> str:
    return one_line(error.format_message()).rstrip(".")


def _say(code: int, line: str, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(line, file=sys.stderr)
    return code


def _one_line_warnings(debug: bool) -> None:
    """Our own warnings as lines, each once; those of libraries only with `--debug`."""
    warnings.simplefilter("default" if debug else "ignore")
    warnings.simplefilter("always", InputWarning)
    told = set[str]()

    def show(message: Any, category: type[Warning], *place: Any, **_: Any) -> None:
        line = str(message)
        if line not in told:
            told.add(line)
            print(line if issubclass(category, InputWarning) else f"{category.__name__}: {line}", file=sys.stderr)

    warnings.showwarning = show


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Bars with counts and an estimate on a terminal; elsewhere a line per step, at most one every ten seconds."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bars:
        known: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in known:
                known[step] = bars.add_task(step, total=total)
            bars.update(known[step], completed=done, total=total)

        yield show


def _lines() -> Progress:
    started, said = dict[str, float](), dict[str, float]()

    def show(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        started.setdefault(step, now)
        if done < total and now - said.get(step, -10.0) < 10.0:
            return
        said[step] = now
        spent = now - started[step]
        left = f", about {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        print(f"{step}: {done}/{total} ({spent:.0f} s{left})", file=sys.stderr, flush=True)

    return show


def print_table(rows: Sequence[tuple[str, str]]) -> None:
    """Two aligned columns of text."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
