"""The parent's side of the child process that parses DICOM: questions go out, plain numbers and texts come back.

A damaged or hostile file can make a parser or a decoder crash, hang or ask for all memory. All of that happens in a
child (`ovfrad.imaging.dicom.child`), which sets limits on itself; the parent adds a deadline for each file, and after
a crash or a limit it goes on with a new child. What comes back is JSON and raw numbers, never pickled objects, and
no text of a parser's exception: it may quote a patient. Where the system has no `resource` module (Windows) the child
cannot limit its memory, and the deadline alone holds.

There is one child in a process. It starts at the first question, and ends when the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.child import READY

DEADLINE_S = 10.0
"""Seconds that one file may take; the largest file in use takes about two."""
START_S = 60.0
"""Seconds that the child may take to start; a third of one is usual, a busy network disk takes longer."""
AHEAD = 32
"""Files that the child may be ahead of the parent: enough to keep both busy, little to throw away after a refusal."""
FRAMES_AHEAD = 4
"""Decoded frames likewise; each is half a megabyte or more."""
PIPE_BYTES = 32_768
"""Of questions under way: a pipe holds 64 KiB, so writing them never waits for a child that waits for its reader."""
LINE_BYTES = 1 << 28
"""Longest line believed of the child."""


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
class _Ticket:
    """One question, from the sending to its answer."""

    path: Path
    line: bytes
    answer: Parsed | InputError | None = None
    lost: bool = False
    """The child ended before it came to this question: it is asked again."""


class _EndedError(Exception):
    """The child closed its end; `late` where the deadline was the reason."""

    def __init__(self, late: bool) -> None:
        self.late = late


class _Child:
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
        self.waiting: deque[_Ticket] = deque()
        self.buffer = bytearray()
        self.ready = False

    def send(self, ticket: _Ticket) -> None:
        self.waiting.append(ticket)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # noticed when its answer is read
            self.process.stdin.write(ticket.line)

    def room(self, line: bytes) -> bool:
        """Whether a question may be sent without the risk that both sides wait for each other."""
        return not self.waiting or sum(len(t.line) for t in self.waiting) + len(line) <= PIPE_BYTES

    def receive(self) -> None:
        """Read the answer to the oldest question."""
        if not self.ready:
            self._greet()
        ticket = self.waiting[0]
        by = time.monotonic() + DEADLINE_S
        head = json.loads(self._line(by))
        if refused := head.get("refused"):
            code, fault, remedy = refused
            ticket.answer = InputError(code, ticket.path, fault, remedy)
        else:
            arrays = {name: self._array(dtype, shape, by) for name, dtype, shape in head["arrays"]}
            ticket.answer = Parsed(ticket.path, head["values"], arrays)
        self.waiting.popleft()

    def _greet(self) -> None:
        with contextlib.suppress(_EndedError):
            self.ready = self._line(time.monotonic() + START_S) == READY
        if not self.ready:
            raise RuntimeError(f"the child process that parses DICOM does not start ({sys.executable})")

    def _line(self, by: float) -> bytes:
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LINE_BYTES:
                raise _EndedError(late=True)
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
                    raise _EndedError(late=True)
            part = os.read(pipe.fileno(), size)
        else:  # pipes cannot be waited for with a limit here
            timer = threading.Timer(max(by - time.monotonic(), 0), self.process.kill)
            timer.start()
            part = os.read(pipe.fileno(), size)
            timer.cancel()
        if not part:
            raise _EndedError(late=time.monotonic() >= by)
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


_lock = threading.Lock()
_child: _Child | None = None
_pid = os.getpid()


def _after_fork() -> None:
    global _lock, _child, _pid
    _lock, _pid = threading.Lock(), os.getpid()
    if _child is not None:
        _child.forget()
        _child = None


def _at_exit() -> None:
    global _child
    if _child is not None and _pid == os.getpid():
        _child.end(grace_s=1.0)
        _child = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


def _running() -> _Child:
    global _child
    if _child is not None and _pid != os.getpid():  # a fork that Python did not see
        _after_fork()
    if _child is None:
        _child = _Child()
    return _child


def _drop() -> list[_Ticket]:
    """End the child; what it has not answered will be asked again."""
    global _child
    assert _child is not None
    child, _child = _child, None
    child.end()
    for ticket in child.waiting:
        ticket.lost = True
    return list(child.waiting)


def _stop(late: bool) -> None:
    """End the child after a failure; its oldest question is answered by a refusal."""
    guilty = _drop()[0]
    if late:
        guilty.answer = InputError(
            "E_DICOM_LIMIT", guilty.path, f"took more than {DEADLINE_S:g} s to parse",
            "no CT, segmentation or structure set takes that; export it again",
        )  # fmt: skip
    else:
        guilty.answer = InputError(
            "E_DICOM_FILE", guilty.path, "cannot be read as DICOM: it broke the parser", "copy or export it again"
        )


def _ask(ticket: _Ticket) -> bool:
    """Send a question, if there is room for it."""
    with _lock:
        child = _running()
        if room := child.room(ticket.line):
            ticket.lost = False
            child.send(ticket)
    return room


def _answer(ticket: _Ticket) -> Parsed | InputError:
    """Wait for the answer to a question; answers to older ones are kept for those who asked."""
    while ticket.answer is None:
        with _lock:
            child = _running()
            if ticket.lost or ticket not in child.waiting:
                ticket.lost = False
                while child.waiting and not child.room(ticket.line):
                    _receive(child)
                    child = _running()
                child.send(ticket)
            _receive(child)
    return ticket.answer


def _receive(child: _Child) -> None:
    try:
        child.receive()
    except _EndedError as fault:
        _stop(fault.late)
    except BaseException:  # interrupted in the middle of an answer: what follows would be misread
        _drop()
        raise


def _stream(tickets: Iterator[_Ticket], ahead: int) -> Iterator[Parsed]:
    """Answers in order, with some questions under way; the first refusal ends it."""
    under_way: deque[_Ticket] = deque()
    following = next(tickets, None)
    while following is not None or under_way:
        while following is not None and len(under_way) < ahead:
            if not _ask(following):
                if under_way:
                    break
                following.lost = True  # another caller's questions fill the pipe
            under_way.append(following)
            following = next(tickets, None)
        answer = _answer(under_way.popleft())
        if isinstance(answer, InputError):
            raise answer
        yield answer


def facts(paths: Sequence[Path]) -> Iterator[Parsed]:
    """Headers of DICOM files, in order; parsed by the child while the caller works.

    Parameters
    ----------
    paths : sequence of Path
        Regular files.

    Yields
    ------
    Parsed
        One a file; its values are empty where the file is no DICOM at all.

    Raises
    ------
    InputError
        `E_DICOM_LIMIT` where time, memory or nesting exceed their limits, `E_DICOM_FILE` where the parser fails or
        crashes, and what the parsers refuse by themselves; names the file.
    """
    return _stream((_Ticket(p, _request("facts", p)) for p in paths), AHEAD)


def frames(path: Path, numbers: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Stored pixels of frames (from 0) of a file whose pixels are compressed, decoded by the child.

    Yields
    ------
    ndarray of int16 or uint16, shape (row, column)
        Stored values, not rescaled.
    """
    return decoded([(path, n) for n in numbers])


def decoded(wanted: Sequence[tuple[Path, int]]) -> Iterator[NDArray[Any]]:
    """As `frames`, of many files."""
    tickets = (_Ticket(p, _request("frame", p, number=n)) for p, n in wanted)
    return (parsed.arrays["pixels"] for parsed in _stream(tickets, FRAMES_AHEAD))


def _request(kind: str, path: Path, **more: Any) -> bytes:
    return json.dumps({"ask": kind, "path": os.fspath(path.absolute()), **more}).encode() + b"\n"
