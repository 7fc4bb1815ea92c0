"""`ovfrad demo`: a phantom cohort and a whole study on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from ovfrad.errors import InputError
from ovfrad.phantom.write import write_cohort
from ovfrad.study.file import read_yaml
from ovfrad.workflow.folder import Progress
from ovfrad.workflow.run import RunOutcome, run_study


def run_demo(out: Path, vertebrae: int, seed: int, weights: dict[str, str], progress: Progress) -> RunOutcome:
    """Draw the cohort into `out/cohort` (or go on with it), run both recipes into `out/run`."""
    cohort = _cohort(out, vertebrae, seed, progress)
    study = cohort / "study.yaml"
    given = read_yaml(study) | {"name": "demo"} | _arms(weights)
    demo = cohort / "demo.yaml"
    demo.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    return run_study(demo, out / "run", "both", progress)


def _arms(weights: dict[str, str]) -> dict[str, object]:
    """Arms with the user's weights; without any, a seeded random network, which the report says everywhere."""
    if not weights:
        return {}
    files = {}
    for name, file in weights.items():
        path = Path(file).resolve()
        if not path.is_file():
            raise InputError("E_WEIGHTS_MISSING", path, "there is no such file", "see `ovfrad weights where`")
        files[name] = {"weights": str(path)}
    return {"deep": {"arms": {**files, "none": {"weights": "none"}}}}


def _cohort(out: Path, vertebrae: int, seed: int, progress: Progress) -> Path:
    """Phantom cohort of this size and seed, drawn unless it is there whole."""
    cohort = out / "cohort"
    wanted = f"vertebrae {vertebrae}, seed {seed}\n"
    mark = cohort / "drawn.txt"
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return cohort
    begun = out / "cohort.part"
    if cohort.exists() and not mark.is_file():
        raise InputError("E_EXISTS", cohort, "holds something else than a demo's cohort", "choose another --out")
    shutil.rmtree(begun, ignore_errors=True)
    try:
        write_cohort(begun, vertebrae, seed, 1.0, lambda done, total: progress("phantom", done, total))
        (begun / "drawn.txt").write_text(wanted, encoding="utf-8")
        if cohort.exists():
            shutil.rmtree(cohort)
        begun.rename(cohort)
    except OSError as error:
        fault = f"cannot be written ({error.strerror or error})"
        raise InputError("E_WRITE", out, fault, "free space, or choose a folder you can write to with --out") from None
    return cohort
