"""`ovfrad check`: is the study whole, are its files there, and what will a run cost."""

from __future__ import annotations

import time
from pathlib import Path

from ovfrad.errors import InputError
from ovfrad.study import Study
from ovfrad.study import load as load_study
from ovfrad.study.cohorts import COHORTS
from ovfrad.workflow import case as one
from ovfrad.workflow.folder import Progress
from ovfrad.workflow.tuned import networks_to_tune, tuned_arms

#: Seconds that one arm of one recipe takes in the fold engine on one core: a + b per training row (measured).
FIT_SECONDS = (25.0, 0.45)
#: Kilobytes that the run folder keeps of a case (features, patch, pictures).
KB_PER_CASE = 220


def check_study(path: Path, recipe: str | None, progress: Progress) -> tuple[list[str], int]:
    """Lines to print, and the number of cases that a run would set aside."""
    study = load_study(path, None if recipe == "both" else recipe)
    lines: list[str] = []
    bad: list[str] = []
    if study.features is None:
        progress("check files", 0, len(study.cases))
        bad = _faults(study, progress)
        lines += bad
    lines = [_counts(study, bad), *lines]
    lines += _cost(study, 2 if recipe == "both" else 1, bad)
    headline = study.settings
    model = f"{headline.models.headline.model}, arm {study.arms[0]}, recipe {headline.recipe}"
    lines.append(f"headline model: {model}; study sha256 {study.sha256[:16]}")
    return lines, len(bad)


def _counts(study: Study, bad: list[str]) -> str:
    """Cases that would be analysed, by cohort and class."""
    aside = {line.split(": ", 1)[0] for line in bad}
    cases = study.cases[[" ".join(case) not in aside for case in study.cases.index]]
    parts = []
    for cohort in COHORTS:
        part = cases[cases["cohort"] == cohort]
        if len(part):
            counts = " / ".join(str(int((part["y"] == k).sum())) for k in range(len(study.classes)))
            patients = part.index.get_level_values("patient_id").nunique()
            parts.append(f"{cohort} {len(part)} cases of {patients} patients ({counts})")
    left = f"; {len(study.excluded)} excluded" if len(study.excluded) else ""
    left += f"; {len(bad)} set aside" if bad else ""
    return f"{len(cases)} cases, classes {' / '.join(study.classes)}: {'; '.join(parts)}{left}"


def _faults(study: Study, progress: Progress) -> list[str]:
    """One line per case that could not be read: missing files, and masks that do not fit their CT."""
    settings, faults = study.settings, []
    tasks = one.tasks(study, (settings.radiomics,))
    for done, task in enumerate(tasks, start=1):
        try:
            one.read_both(task)
        except InputError as error:
            faults.append(f"{task.case_id}: {error}")
        progress("check files", done, len(tasks))
    return faults


def _cost(study: Study, recipes: int, bad: list[str]) -> list[str]:
    """Time and disk of a run on one core, from one case and from what the fold engine takes."""
    settings, n = study.settings, len(study.cases) - len(bad)
    arms = 1 if study.features is not None else len(settings.deep.arms)
    training = int((study.cases["cohort"] == "train").sum())
    seconds = arms * recipes * (FIT_SECONDS[0] + FIT_SECONDS[1] * training)
    if study.features is None and n:
        seconds += n * _seconds_a_case(study, bad)
    tuning, told = _tuning(study, recipes, training)
    seconds += tuning
    disk = n * KB_PER_CASE / 1024 if study.features is None else 1.0
    cost = f"{_duration(seconds)} of processor time and {max(disk, 1):.0f} MB"
    return [f"a run takes about {cost} beside its report", *told]


def _tuning(study: Study, recipes: int, training: int) -> tuple[float, list[str]]:
    """Seconds that tuned networks take, from one step of training on this machine, and lines that say so."""
    settings = study.settings
    arms = tuned_arms(settings)
    if not arms:
        return 0.0, []
    from ovfrad.deep.cost import seconds_a_network

    number, each = networks_to_tune(settings, recipes), seconds_a_network(settings.deep, training)
    share = number * each / 3600
    cost = f"{share:.1f} hours" if share >= 1.5 else f"{60 * share:.0f} minutes"
    lines = [
        f"arm {arm}: {number} networks to tune (outer folds, out-of-fold features, honesty checks), {each:.1f} s each: "
        f"about {cost} of processor time; `tuned: false` takes the network as it is"
        for arm in arms
    ]
    return len(arms) * number * each, lines


def _seconds_a_case(study: Study, bad: list[str]) -> float:
    tasks = one.tasks(study, (study.settings.radiomics,))
    good = next(task for task in tasks if not any(line.startswith(f"{task.case_id}: ") for line in bad))
    one.run_case(good)  # the first case also loads and compiles
    started = time.monotonic()
    one.run_case(good)
    return time.monotonic() - started


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
