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
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.dicom.process import Child, EndedError, Parsed, StartError, Ticket

__all__ = ["Parsed", "decoded", "facts", "frames"]

DEADLINE_S = 10.0
"""Seconds that one file may take; the largest file in use takes about two."""
AHEAD = 32
"""Files that the child may be ahead of the parent: enough to keep both busy, little to throw away after a refusal."""
STARTS = 3
"""Children that may end before they answer, killed by the system or by hand, until it is given up."""
FRAMES_AHEAD = 4
"""Decoded frames likewise; each is half a megabyte or more."""

_lock = threading.Lock()
_child: Child | None = None
_pid = os.getpid()
_failed_starts = 0


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


def _running() -> Child:
    global _child
    if _child is not None and _pid != os.getpid():  # a fork that Python did not see
        _after_fork()
    if _child is None:
        _child = Child()
    return _child


def _drop() -> list[Ticket]:
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


def _ask(ticket: Ticket) -> bool:
    """Send a question, if there is room for it."""
    with _lock:
        child = _running()
        if room := child.room(ticket.line):
            ticket.lost = False
            child.send(ticket)
    return room


def _answer(ticket: Ticket) -> Parsed | InputError:
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


def _receive(child: Child) -> None:
    global _failed_starts
    try:
        child.receive(DEADLINE_S)
    except StartError:
        _drop()
        _failed_starts += 1
        if _failed_starts >= STARTS:
            raise
    except EndedError as fault:
        _stop(fault.late)
    except BaseException:  # interrupted in the middle of an answer: what follows would be misread
        _drop()
        raise


def _stream(tickets: Iterator[Ticket], ahead: int) -> Iterator[Parsed]:
    """Answers in order, with some questions under way; the first refusal ends it."""
    under_way: deque[Ticket] = deque()
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


def facts(paths: Sequence[Path], *, slices: bool = False) -> Iterator[Parsed]:
    """Headers of DICOM files, in order; parsed by the child while the caller works.

    Parameters
    ----------
    paths : sequence of Path
        Regular files.
    slices : bool
        Slices of a CT are looked for: of segmentations and structure sets the kind is enough.

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
    return _stream((Ticket(p, _request("facts", p, slices=slices)) for p in paths), AHEAD)


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
    tickets = (Ticket(p, _request("frame", p, number=n)) for p, n in wanted)
    return (parsed.arrays["pixels"] for parsed in _stream(tickets, FRAMES_AHEAD))


def _request(kind: str, path: Path, **more: Any) -> bytes:
    return json.dumps({"ask": kind, "path": os.fspath(path.absolute()), **more}).encode() + b"\n"
