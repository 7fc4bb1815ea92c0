"""A running child process that parses DICOM: its pipes, its deadline, and the questions it has not answered yet."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.child import READY

START_S = 60.0
"""Seconds that the child may take to start; a third of one is usual, a busy network disk takes longer."""
PIPE_BYTES = 32_768
"""Of questions under way: a pipe holds 64 KiB, so writing them never waits for a child that waits for its reader."""
LINE_BYTES = 1 << 26
"""Longest line believed of the child; a structure set of a hundred thousand contours has a tenth of it."""


@dataclass(frozen=True)
class Parsed:
    """What the child read in one file.

    Parameters
    ----------
    path : Path
        File.
    values : mapping
        Header values by DICOM keyword: texts, numbers, lists and nested mappings; empty where the file is no DICOM.
    arrays : mapping
        Bulk numbers by name.
    """

    path: Path
    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(eq=False)
class Ticket:
    """One question, from the sending to its answer."""

    path: Path
    line: bytes
    answer: Parsed | InputError | None = None
    lost: bool = False
    """The child ended before it came to this question: it is asked again."""


class EndedError(Exception):
    """The child closed its end; `late` where the deadline was the reason."""

    def __init__(self, late: bool) -> None:
        self.late = late


class StartError(RuntimeError):
    """The child ended, or stayed silent, before it could be asked."""


class Child:
    """A running child and the questions it has not answered yet, in order."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[3])
        start = "import sys; sys.path.append(sys.argv.pop()); from ovfrad.imaging.dicom.child import main; main()"
        single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        # -P keeps the current folder out of the path: a module named `dl` there breaks gdcm
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", start, root],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            env={**os.environ, **single},
        )  # fmt: skip
        self.waiting: deque[Ticket] = deque()
        self.buffer = bytearray()
        self.ready = False

    def send(self, ticket: Ticket) -> None:
        """Ask a question."""
        self.waiting.append(ticket)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # noticed when its answer is read
            self.process.stdin.write(ticket.line)

    def room(self, line: bytes) -> bool:
        """Whether a question may be sent without the risk that both sides wait for each other."""
        return not self.waiting or sum(len(t.line) for t in self.waiting) + len(line) <= PIPE_BYTES

    def receive(self, deadline_s: float) -> None:
        """Read the answer to the oldest question; `EndedError` where none comes in time."""
        if not self.ready:
            self._greet()
        ticket = self.waiting[0]
        by = time.monotonic() + deadline_s
        head = json.loads(self._line(by))
        if refused := head.get("refused"):
            code, fault, remedy = refused
            ticket.answer = InputError(code, ticket.path, fault, remedy)
        else:
            arrays = {name: self._array(dtype, shape, by) for name, dtype, shape in head["arrays"]}
            ticket.answer = Parsed(ticket.path, head["values"], arrays)
        self.waiting.popleft()

    def _greet(self) -> None:
        with contextlib.suppress(EndedError):
            self.ready = self._line(time.monotonic() + START_S) == READY
        if not self.ready:
            raise StartError(f"the child process that parses DICOM does not start ({sys.executable})")

    def _line(self, by: float) -> bytes:
        searched = 0
        while (end := self.buffer.find(b"\n", searched)) < 0:
            searched = len(self.buffer)
            if searched > LINE_BYTES:
                raise EndedError(late=True)
            self.buffer += self._read(1 << 16, by)
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        return line

    def _array(self, dtype: str, shape: list[int], by: float) -> NDArray[Any]:
        array = np.empty(shape, np.dtype(dtype))
        view = array.reshape(-1).view(np.uint8).data
        at = min(len(self.buffer), len(view))
        view[:at] = self.buffer[:at]
        del self.buffer[:at]
        while at < len(view):
            part = self._read(len(view) - at, by)
            view[at : at + len(part)] = part
            at += len(part)
        return array

    def _read(self, size: int, by: float) -> bytes:
        """Some bytes of the child; ends it when they are late."""
        pipe = self.process.stdout
        assert pipe is not None
        if os.name == "posix":
            with selectors.DefaultSelector() as selector:
                selector.register(pipe, selectors.EVENT_READ)
                if not selector.select(max(by - time.monotonic(), 0)):
                    raise EndedError(late=True)
            part = os.read(pipe.fileno(), size)
        else:  # pipes cannot be waited for with a limit here
            timer = threading.Timer(max(by - time.monotonic(), 0), self.process.kill)
            timer.start()
            part = os.read(pipe.fileno(), size)
            timer.cancel()
        if not part:
            raise EndedError(late=time.monotonic() >= by)
        return part

    def end(self, grace_s: float = 0.0) -> None:
        """Close the pipes and make sure that the process is gone and reaped."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def forget(self) -> None:
        """In a forked process: let go of the other process's child without ending it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.returncode = 0  # nothing to be waited for
