"""What may leave a reader of hostile bytes: `InputError`, and nothing else; at once, in little memory, never wrong.

One process fuzzes one target with atheris and keeps going after a find. Started by `run.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import struct
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import atheris

import ovfrad.imaging  # noqa: F401  # before, so that it is not instrumented
from ovfrad.errors import InputError

with atheris.instrument_imports(include=["ovfrad"]):  # whose branches guide the mutations
    import parsers  # noqa: F401

import seeds
import seeds_dicom
from corpus.base import MARKER
from corpus.dicom import ROOT
from seeds import Case

TARGETS = {**seeds.TARGETS, **seeds_dicom.TARGETS}
MEMORY_BYTES = 1 << 30
"""More than the readers may ever ask for, on top of what the process starts with."""
SECONDS = 5
WHOLE = [0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4096, 4097, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1,
         2**63 - 1, 2**63, 2**64 - 1]  # fmt: skip
REAL = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-3, 1e-45, 1e-320, 1e17, 1e30, 3e38, 1e200, 1e308, float("inf"), float("nan")]
WORDS = [b"0", b"-1", b"1", b"1e400", b"-1e308", b"1e17", b"1_0", b"nan", b"inf", b"9" * 30, b"0x10", b"1e-320",
         b"\xb2", b"True", b"none", b"big", b"raw", b"gzip", b"float", b"MET_DOUBLE", b"list", b"(0,0,0)", b"\0", b"\r",
         b"\x85", b"\xa0", b"4096", b"65536", b"2", b"\n", b""]  # fmt: skip


GOOD: list[bytes] = []
"""Payloads of the cases of the chosen target."""


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Change a payload, not the first byte, which chooses the case: bits, numbers, stretches, words, lines."""
    rng, head = random.Random(seed), data[:1]
    is_fresh = GOOD and rng.random() < 0.5  # one fault in a good file gets further than many
    content = bytearray(GOOD[head[0] % len(GOOD)] if is_fresh else data[1:])
    is_text = content[:4] in (b"NRRD", b"Obje")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        way = rng.random()
        if is_text and way < 0.7:
            _reword(content, rng)
        elif content[128:132] == b"DICM" and way < 0.5:
            _refill(content, rng)
        elif way < 0.85:
            _renumber(content, rng)
        else:
            _move(content, rng)
    return head + bytes(content[: most - 1])


def _move(content: bytearray, rng: random.Random) -> None:
    """Cut a stretch out, or copy it somewhere else, over what is there or between."""
    a, b, at = (rng.randrange(len(content) + 1) for _ in range(3))
    size = min(abs(b - a), rng.choice((1, 2, 4, 8, 64, 1 << 20)))
    part, way = content[a : a + size], rng.random()
    if way < 0.3:
        del content[a : a + size]
    else:
        content[at : at + (size if way < 0.7 else 0)] = part


def _reword(content: bytearray, rng: random.Random) -> None:
    lines = bytes(content).split(b"\n")
    n, way = rng.randrange(len(lines)), rng.random()
    if way < 0.1:
        lines.insert(rng.randrange(len(lines)), lines[n])
    elif way < 0.2:
        lines[n], lines[-1 - n] = lines[-1 - n], lines[n]
    elif way < 0.3:
        del lines[n]
    elif words := [*re.finditer(rb"[^\s,()=:]+", lines[n])]:
        word = rng.choice(words)
        lines[n] = lines[n][: word.start()] + rng.choice(WORDS) + lines[n][word.end() :]
    content[:] = b"\n".join(lines)


def _refill(content: bytearray, rng: random.Random) -> None:
    """Put another word in the place of a value, so that all lengths stay true."""
    if words := [*re.finditer(rb"[ -~]{2,}", bytes(content[132:]))]:
        word = rng.choice(words)
        size, new = len(word[0]), rng.choice(WORDS)
        content[132 + word.start() : 132 + word.end()] = new.ljust(size)[:size]


def _renumber(content: bytearray, rng: random.Random) -> None:
    if not content or rng.random() < 0.3:
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return
    order, kind = rng.choice("<>"), rng.choice("BHLQfd")
    number: float = rng.choice(REAL) if kind in "fd" else rng.choice(WHOLE) % 2 ** (8 * struct.calcsize(order + kind))
    if kind == "f" and abs(number) > 3.4e38:
        number = float("inf")
    size = struct.calcsize(order + kind)
    at = rng.randrange(max(1, len(content) - size))
    at -= at % min(size, 4) if rng.random() < 0.8 else 0
    content[at : at + size] = struct.pack(order + kind, number)


class Judge:
    """Runs cases, counts what comes of them, keeps one small file for each find."""

    def __init__(self, cases: list[Case], out: Path, scratch: Path) -> None:
        self.cases, self.out, self.scratch = cases, out, scratch
        self.counts: Counter[str] = Counter()
        self.finds: dict[str, int] = {}
        self.started = time.monotonic()

    def __call__(self, data: bytes) -> None:
        if not data:
            return
        case = self.cases[data[0] % len(self.cases)]
        began = time.monotonic()
        try:
            remark = case.check(self.scratch, data[1:])
            self.counts["accepted"] += 1
            if remark:
                self.keep("silent", case, data, remark)
        except InputError as error:
            self.counts[error.code] += 1
            if MARKER in str(error) or ROOT in str(error):
                self.keep("name shown", case, data, str(error))
            if not str(error).isprintable():
                self.keep(f"unprintable {error.code}", case, data, repr(str(error)))
        except Exception as error:
            self.keep(f"{type(error).__name__} {_place(error)}", case, data, traceback.format_exc())
        if time.monotonic() - began > SECONDS:
            self.keep("slow", case, data, f"{time.monotonic() - began:.1f} s")
        self.counts["executions"] += 1
        if self.counts["executions"] % 200 == 0:
            self.say()

    def keep(self, kind: str, case: Case, data: bytes, text: str) -> None:
        """Keep the mutant that differs least from the good file."""
        self.counts[f"find: {kind}"] += 1
        good = case.payload
        cost = abs(len(good) - len(data) + 1) * 2 + sum(a != b for a, b in zip(good, data[1:], strict=False))
        if cost < self.finds.get(kind, 1 << 60):
            self.finds[kind] = cost
            name = re.sub(r"[^A-Za-z0-9_.]+", "-", kind)
            (self.out / f"{name}.bin").write_bytes(data)
            (self.out / f"{name}.txt").write_text(f"{case.name}\n{cost} bytes differ\n{text}\n", encoding="utf-8")

    def say(self) -> None:
        counts = dict((self.counts + seeds_dicom.STRAY).most_common())
        counts["seconds"] = round(time.monotonic() - self.started)
        (self.out / "counts.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")


def _place(error: BaseException) -> str:
    """The innermost line of ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ovfrad" in f.filename]
    return f"{Path(frames[-1].filename).name}_{frames[-1].lineno}" if frames else "elsewhere"


def _limit() -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))  # a child sets limits of its own


def main() -> None:
    """Fuzz one target for some seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--again", type=Path, help="run one kept mutant and let its exception out")
    chosen = parser.parse_args()
    cases = list(TARGETS[chosen.target]())
    scratch = chosen.out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    if chosen.again:
        data = chosen.again.read_bytes()
        print(cases[data[0] % len(cases)].check(scratch, data[1:]))
        return
    judge = Judge(cases, chosen.out, scratch)
    corpus = chosen.out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for n, case in enumerate(cases):
        if remark := case.check(scratch, case.payload):
            raise AssertionError(f"{case.name}: {remark}")
        (corpus / f"seed_{n}").write_bytes(bytes([n]) + case.payload)
    GOOD.extend(case.payload for case in cases)
    _limit()
    most = 2 * max(len(case.payload) for case in cases)
    options = [f"-max_total_time={chosen.seconds}", f"-timeout={4 * SECONDS}", "-rss_limit_mb=2048", f"-max_len={most}"]
    arguments = [sys.argv[0], *options, f"-artifact_prefix={chosen.out}/", "-print_final_stats=1", str(corpus)]
    with contextlib.suppress(SystemExit):
        atheris.Setup(arguments, judge, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
