"""The cohort of the phantom: patients, levels, items, centres, scanners and dates, drawn from one seed.

Numbers are those of Liu J et al., JMIR Med Inform 2025;13:e75665, Tables 1 and 2; the rest is a plausible choice. The
phantom tests software: nothing measured on it is true of patients.

>>> cases = sample_cohort(1098)
>>> len({case.patient_id for case in cases}), sum(case.cohort == "external" for case in cases)
(981, 110)
>>> sample_cohort(20)
Traceback (most recent call last):
ovfrad.errors.InputError: E_PHANTOM_SIZE vertebrae: 20 cannot hold every class in four cohorts; ask for 40 or more
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from scipy.stats import truncnorm

from ovfrad.errors import InputError
from ovfrad.phantom.items import (
    COHORT_CLASSES,
    TREATED,
    TREATMENTS,
    Findings,
    Rng,
    classes_of,
    draw_items,
    draw_t_score,
    second_reading,
)
from ovfrad.phantom.scanners import SCANNERS, Scanner

#: Share of the fractures at each level in percent: a third thoracic (paper, Table 1), most at the junction.
LEVELS = {
    "T5": 1.0, "T6": 1.5, "T7": 2.5, "T8": 3.0, "T9": 2.5, "T10": 3.0, "T11": 5.5, "T12": 14.5,
    "L1": 27.0, "L2": 16.5, "L3": 11.0, "L4": 8.0, "L5": 4.0,
}  # fmt: skip
CENTERS = {"train": "A", "internal": "A", "external": "B", "prospective": "C"}
DATES = {"A": (date(2018, 12, 1), date(2024, 12, 31)), "B": (date(2018, 12, 1), date(2024, 12, 31)),
         "C": (date(2024, 1, 1), date(2024, 12, 31))}  # fmt: skip
PAPER_SIZE, PAPER_TWOS, PAPER_THREES = 1098, 87, 15
WOMEN = 687 / 981
#: Age in years: what is printed (69.56, SD 9.88, 50 to 95), met after truncation and a slope with the T-score.
AGE_MEAN, AGE_SD, AGE_RANGE, AGE_PER_T = 68.5, 11.7, (50, 95), -2.0
SMALLEST = 40
SECOND_READER_PATIENTS = 30

Sex = Literal["F", "M"]


@dataclass(frozen=True, slots=True)
class Case:
    """One fractured vertebra of the phantom's case table.

    Parameters
    ----------
    patient_id, vertebra, center, cohort : str
        Names as in cases.csv.
    scanner : Scanner
        The scanner of the examination.
    acquired : date
        Day of the CT.
    sex : {"F", "M"}
        Sex.
    age : int
        Age in years.
    findings : Findings
        The first reader's items, which with `pain` make the label.
    pain : int
        ASTLOF points of pain, never visible in the image.
    second : tuple of int
        The second reader's morphology, MRI and pain points.
    shown : Findings
        What the image shows: `findings`, or without signal an independent draw.
    treatment : str
        One of `TREATMENTS`.
    twice_drawn : bool
        Whether a second reader's mask is written.
    seed : int
        Seed of the image.
    """

    patient_id: str
    vertebra: str
    center: str
    cohort: str
    scanner: Scanner
    acquired: date
    sex: Sex
    age: int
    findings: Findings
    pain: int
    second: tuple[int, int, int]
    shown: Findings
    treatment: str
    twice_drawn: bool
    seed: int

    @property
    def score(self) -> int:
        """ASTLOF total, 0 to 8 points."""
        return self.findings.morphology + self.findings.mri + self.findings.bone_density + self.pain

    @property
    def treatment_class(self) -> int:
        """ASTLOF class: 0 up to 3 points, 1 for 4, 2 from 5."""
        return int(classes_of(np.array(self.score)))


def apportion(total: int, shares: Sequence[int], least: int) -> list[int]:
    """Split `total` by `shares` with largest remainders; none below `least` while the largest can give.

    >>> apportion(10, (345, 338, 67), 2), apportion(750, (345, 338, 67), 4)
    ([4, 4, 2], [345, 338, 67])
    """
    exact = total * np.array(shares) / sum(shares)
    parts = np.floor(exact).astype(int)
    for k in np.argsort(parts - exact, kind="stable")[: total - parts.sum()]:
        parts[k] += 1
    while parts.min() < least and parts.max() > parts.min() + 1:
        parts[parts.argmin()] += 1
        parts[parts.argmax()] -= 1
    return [int(part) for part in parts]


def cohort_classes(vertebrae: int, rng: Rng) -> dict[str, list[int]]:
    """Class of each vertebra by cohort in random order: the paper's counts at 1098, its shares below.

    A small cohort keeps every class: at least 5 vertebrae per validation cohort, 4 of each class in training.
    """
    sizes = apportion(vertebrae, [sum(counts) for counts in COHORT_CLASSES.values()], 5)
    drawn = {}
    for size, (cohort, counts) in zip(sizes, COHORT_CLASSES.items(), strict=True):
        parts = apportion(size, counts, 4 if cohort == "train" else 1)
        drawn[cohort] = [int(k) for k in rng.permutation(np.repeat((0, 1, 2), parts))]
    return drawn


def draw_patients(vertebrae: int, rng: Rng) -> list[tuple[str, tuple[int, ...]]]:
    """Cohort and classes of the fractures of each patient, in random order; no patient is in two cohorts."""
    left = cohort_classes(vertebrae, rng)
    counts = [3] * round(vertebrae * PAPER_THREES / PAPER_SIZE) + [2] * round(vertebrae * PAPER_TWOS / PAPER_SIZE)
    patients = []
    for count in counts:
        room = np.array([len(classes) * (len(classes) > count) for classes in left.values()])
        cohort = list(left)[int(rng.choice(len(room), p=room / room.sum()))]
        patients.append((cohort, tuple(left[cohort].pop() for _ in range(count))))
    patients += [(cohort, (k,)) for cohort, classes in left.items() for k in classes]
    return [patients[i] for i in rng.permutation(len(patients))]


def draw_levels(count: int, rng: Rng) -> list[str]:
    """`count` different levels; a patient's further fractures lie near the first."""
    names, weight, chosen = list(LEVELS), np.array(list(LEVELS.values())), list[int]()
    for _ in range(count):
        chosen.append(int(rng.choice(len(names), p=weight / weight.sum())))
        weight = weight * np.exp(-np.abs(np.arange(len(names)) - chosen[0]) / 2.0)
        weight[chosen] = 0
    return [names[k] for k in chosen]


def draw_age(t_score: float, rng: Rng) -> int:
    """Age in years: truncated normal, a little higher with a low T-score."""
    mean = AGE_MEAN + AGE_PER_T * (t_score + 2.8)
    low, high = ((limit - mean) / AGE_SD for limit in AGE_RANGE)
    return round(float(truncnorm.rvs(low, high, mean, AGE_SD, random_state=rng)))


def draw_second_reader(patients: Sequence[tuple[str, tuple[int, ...]]], rng: Rng) -> set[int]:
    """Numbers of the training patients drawn twice: 30, in small cohorts a quarter but at least 10."""
    train = [k for k, (cohort, _) in enumerate(patients) if cohort == "train"]
    wanted = min(SECOND_READER_PATIENTS, max(10, len(train) // 4), len(train))
    return {int(k) for k in rng.choice(train, wanted, replace=False)}


def draw_patient(number: int, cohort: str, classes: tuple[int, ...], sex: Sex, twice: bool, signal: float, rng: Rng
                 ) -> list[Case]:  # fmt: skip
    """All fractures of one patient, with one T-score, one examination and one scanner.

    The T-score is drawn without regard to sex and level, so that the size of a body tells nothing about its class.
    """
    t_score, t_other = draw_t_score(classes, rng), draw_t_score((), rng)
    center = CENTERS[cohort]
    local = [scanner for scanner in SCANNERS if scanner.center == center]
    scanner, age = local[int(rng.integers(len(local)))], draw_age(t_score, rng)
    first, last = DATES[center]
    acquired = first + timedelta(days=int(rng.integers((last - first).days + 1)))
    cases = []
    for level, klass in zip(draw_levels(len(classes), rng), classes, strict=True):
        findings, pain = draw_items(t_score, klass, rng)
        other, _ = draw_items(t_other, None, rng)
        items = ((findings.morphology, 0), (findings.mri, 1), (pain, 3))
        morphology2, mri2, pain2 = (second_reading(value, axis, rng) for value, axis in items)
        treated = np.array(TREATED[klass]) / sum(TREATED[klass])
        cases.append(Case(
            f"P{number:04d}", level, center, cohort, scanner, acquired, sex, age, findings, pain,
            (morphology2, mri2, pain2), findings if rng.random() < signal else other,
            TREATMENTS[int(rng.choice(3, p=treated))], twice, int(rng.integers(2**31)),
        ))  # fmt: skip
    return cases


def sample_cohort(vertebrae: int = PAPER_SIZE, seed: int = 0, signal: float = 1.0) -> list[Case]:
    """Draw a multi-centre cohort of fractured vertebrae.

    Parameters
    ----------
    vertebrae : int
        Number of vertebrae, 40 or more; 1098 gives the paper's 879, 87 and 15 patients with one, two and three.
    seed : int
        Seed of everything drawn, images included.
    signal : float
        Share of the vertebrae, 0 to 1, whose image shows their own findings; at 0 images and labels are independent.

    Returns
    -------
    list of Case
        One per vertebra, by patient.
    """
    if vertebrae < SMALLEST:
        raise InputError("E_PHANTOM_SIZE", "vertebrae", f"{vertebrae} cannot hold every class in four cohorts",
                         f"ask for {SMALLEST} or more")  # fmt: skip
    if not 0 <= signal <= 1:
        raise InputError("E_PHANTOM_SIGNAL", "signal", f"{signal} is no share", "give a number from 0 to 1")
    rng = np.random.default_rng(seed)
    patients = draw_patients(vertebrae, rng)
    women = rng.permutation(len(patients)) < round(WOMEN * len(patients))
    twice = draw_second_reader(patients, rng)
    cases = list[Case]()
    for number, ((cohort, classes), woman) in enumerate(zip(patients, women, strict=True)):
        cases += draw_patient(number, cohort, classes, "F" if woman else "M", number in twice, signal, rng)
    return cases
