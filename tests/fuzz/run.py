"""Fuzz readers for a stated time: `python tests/fuzz/run.py --minutes 10 --target nifti`.

Needs atheris (of the extra `test`, where it has a wheel: Linux on x86_64). Says how many mutants came to what, and
leaves the smallest mutant of each find in the folder of --out; `harness.py TARGET OUT --again FILE` runs one again.
Exits with 1 where there was a find.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HARNESS = Path(__file__).with_name("harness.py")
TARGETS = "nifti", "text", "masks", "dicom", "objects", "sandbox"


def fuzz(target: str, minutes: float, out: Path) -> Counter[str]:
    """Counts of one target; the process is started anew after a crash or a hang, which are finds themselves."""
    ends, counts, runs = time.monotonic() + 60 * minutes, Counter[str](), 0
    while (left := int(ends - time.monotonic())) > 0:
        part, runs = out / target / str(runs), runs + 1
        part.mkdir(parents=True)
        with (part / "log").open("wb") as log:
            command = [sys.executable, str(HARNESS), target, str(part), "--seconds", str(left)]
            code = subprocess.run(command, stdout=log, stderr=log, cwd=part).returncode
        if not (part / "counts.json").exists():
            raise SystemExit((part / "log").read_text(encoding="utf-8", errors="replace")[-2000:])
        counts.update(json.loads((part / "counts.json").read_text(encoding="utf-8")))
        if code:
            counts["find: crash, hang or memory"] += 1
    return counts


def main() -> None:
    """Fuzz and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--target", choices=TARGETS, action="append", help="default: each in turn")
    parser.add_argument("--out", type=Path, help="folder for finds; default: a new one")
    chosen = parser.parse_args()
    out, found = chosen.out or Path(tempfile.mkdtemp(prefix="fuzz_")), 0
    for target in chosen.target or TARGETS:
        counts = fuzz(target, chosen.minutes, out)
        rate = counts["executions"] / max(counts["seconds"], 1)
        print(f"{target}: {counts['executions']} mutants in {counts['seconds']} s ({rate:.0f} a second)")
        for name, n in counts.most_common():
            if name not in ("executions", "seconds"):
                print(f"  {n:8d} {name}")
        found += sum(name.startswith("find") for name in counts)
    print(f"{found} kinds of finds, in {out}")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
