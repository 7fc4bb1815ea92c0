"""`ovfrad check`: is the study whole, are its files there, and what will a run cost."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ovfrad.errors import InputError
from ovfrad.study import Study
from ovfrad.study.cohorts import COHORTS
from ovfrad.workflow import case as one
from ovfrad.workflow.fit import load_recipes
from ovfrad.workflow.folder import Progress
from ovfrad.workflow.tasks import tasks
from ovfrad.workflow.tuned import networks_to_tune, tuned_arms

#: Seconds that one arm of one recipe takes in the fold engine on one core: a + b per training row (measured).
FIT_SECONDS = (25.0, 0.45)
#: Kilobytes that the run folder keeps of a case (features, patch, pictures).
KB_PER_CASE = 220
#: Cases that are computed before the settings are held to be at fault, spread over the table.
TRIED = 10

Faults = dict[tuple[str, str], str]
"""Case -> the error with which a run would set it aside."""


def check_study(path: Path, recipe: str | None, progress: Progress) -> tuple[list[str], int]:
    """Lines to print, and the number of cases that a run would set aside."""
    studies = load_recipes(path, recipe)
    study, bad, seconds = next(iter(studies.values())), Faults(), 0.0
    if study.features is None:
        work = tasks(study, tuple(one.settings.radiomics for one in studies.values()))
        bad = _faults(work, progress)
        seconds = _seconds_a_case(work, bad, study.table)
    lines = [_counts(study, bad), *(f"{' '.join(case)}: {error}" for case, error in bad.items())]
    lines += _classes_lost(study, bad)
    lines += _cost(study, len(studies), len(study.cases) - len(bad), seconds)
    headline = study.settings
    model = f"{headline.models.headline.model}, arm {study.arms[0]}, recipe {headline.recipe}"
    lines.append(f"headline model: {model}; study sha256 {study.sha256[:16]}")
    return lines, len(bad)


def _counts(study: Study, bad: Faults) -> str:
    """Cases that would be analysed, by cohort and class."""
    cases = study.cases[[case not in bad for case in study.cases.index]]
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


def _classes_lost(study: Study, bad: Faults) -> list[str]:
    """A line for each class whose training cases are all set aside: a run would end there."""
    left = study.cases[[case not in bad for case in study.cases.index]]
    trained = set(left["y"][left["cohort"] == "train"])
    lost = [name for code, name in enumerate(study.classes) if code not in trained]
    return [f"class {name} has no training case left: a run would refuse the study" for name in lost]


def _faults(work: list[one.CaseTask], progress: Progress) -> Faults:
    """Cases that reading shows to be at fault: missing files, masks that do not fit their CT, metal."""
    faults = Faults()
    progress("check files", 0, len(work))
    for done, task in enumerate(work, start=1):
        try:
            one.check_case(task)
        except InputError as error:
            faults[task.patient_id, task.vertebra] = str(error)
        progress("check files", done, len(work))
    return faults


def _seconds_a_case(work: list[one.CaseTask], bad: Faults, table: Path) -> float:
    """Seconds that the features of a case take; a case that is refused joins `bad`, and none left is an error."""
    good = [task for task in work if (task.patient_id, task.vertebra) not in bad]
    tried = [good[n] for n in np.unique(np.linspace(0, len(good) - 1, TRIED).astype(int))] if good else []
    for task in tried:
        error = one.run_case(task).error  # the first case also loads and compiles
        if error is None:
            started = time.monotonic()
            one.run_case(task)
            return time.monotonic() - started
        bad[task.patient_id, task.vertebra] = error
    first = tried[0] if tried else work[0]
    who = f"each case tried ({len(tried)} of {len(work)})" if tried else f"each of the {len(work)} cases"
    fault = f"{who} is refused (first: {first.case_id}: {bad[first.patient_id, first.vertebra]})"
    raise InputError("E_CASES_NONE", table, fault, "correct the setting or the files that it names")


def _cost(study: Study, recipes: int, n: int, seconds_a_case: float) -> list[str]:
    """Time and disk of a run of `n` cases on one core, from one case and from what the fold engine takes."""
    settings = study.settings
    arms = 1 if study.features is not None else len(settings.deep.arms)
    training = int((study.cases["cohort"] == "train").sum())
    seconds = arms * recipes * (FIT_SECONDS[0] + FIT_SECONDS[1] * training) + n * seconds_a_case
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


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
