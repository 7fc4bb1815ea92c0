"""The child process in which DICOM files are parsed and decoded; `sandbox` is its parent and only caller.

It reads one JSON question a line from stdin and answers with one JSON line, followed by the raw bytes of the arrays
that the line announces. Before the first question it limits its own memory, files and core dumps. Of an exception
only the code of its kind leaves the process: texts of parsers may quote what a header says about a patient.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError

MEMORY_BYTES = 1 << 30
"""Of the child's own data. Files are mapped, which does not count here."""
ADDRESS_BYTES = 2_400 << 20
"""Of all its mappings: libraries, its own data and one file of the largest size that is read."""
OPEN_FILES = 64
READY = b"ready"
"""First line, once everything is imported and the limits hold."""

Answer = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def limit() -> None:
    """Give this process limits that it cannot lift; does what the system offers, nothing on Windows."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        "RLIMIT_DATA": MEMORY_BYTES, "RLIMIT_AS": ADDRESS_BYTES, "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0,
    }  # fmt: skip
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(getattr(resource, name), (value, value))


def answer(question: dict[str, Any]) -> Answer:
    """Values and arrays that answer one question."""
    path = Path(question["path"])
    if question["ask"] == "frame":
        from ovfrad.imaging.dicom.decode import frame

        return {}, {"pixels": frame(path, question["number"])}
    from ovfrad.imaging.dicom.parse import header

    return header(path, slices=question["slices"])


def refusal(error: BaseException) -> list[str]:
    """Code, fault and remedy for what a parser raised."""
    if isinstance(error, InputError):
        code, _, fault, remedy = error.args
        return [code, fault, remedy]
    if isinstance(error, MemoryError):
        return [
            "E_DICOM_LIMIT", f"needs more than {MEMORY_BYTES >> 30} GiB of memory to parse",
            "no CT, segmentation or structure set takes that; export it again",
        ]  # fmt: skip
    if isinstance(error, RecursionError):
        return ["E_DICOM_LIMIT", "its sequences nest too deep", "export it again"]
    if isinstance(error, OSError):
        return ["E_DICOM_FILE", f"cannot be opened ({os.strerror(error.errno or 0)})", "check the file and its rights"]
    return ["E_DICOM_FILE", "cannot be read as DICOM", "copy or export it again"]


def respond(question: dict[str, Any]) -> list[bytes | memoryview]:
    """The line and the arrays of the answer to one question."""
    try:
        values, arrays = answer(question)
        flat = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        announced = [[name, array.dtype.str, list(array.shape)] for name, array in flat.items()]
        line = json.dumps({"values": values, "arrays": announced}).encode() + b"\n"
    except Exception as error:  # damaged bytes raise anything in a parser
        return [json.dumps({"refused": refusal(error)}).encode() + b"\n"]
    return [line, *(a.reshape(-1).view(np.uint8).data for a in flat.values() if a.size)]


def main() -> None:
    """Answer questions until the parent closes the pipe."""
    limit()
    warnings.simplefilter("ignore")
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not enter the answers
    with contextlib.suppress(BrokenPipeError), os.fdopen(out, "wb", buffering=0) as pipe:
        pipe.write(READY + b"\n")
        for line in sys.stdin.buffer:
            for part in respond(json.loads(line)):
                view = memoryview(part)
                while len(view):
                    view = view[pipe.write(view) :]


if __name__ == "__main__":
    main()
