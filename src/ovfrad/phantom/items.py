"""How the ASTLOF items of a synthetic fracture hang together, and how two readers differ on them.

The paper (Liu J et al., JMIR Med Inform 2025;13:e75665) prints classes by cohort (Table 1) and treatment (Table 2) but
no item, so the joint table is a plausible choice raked to the printed class shares and to the T-score.

>>> Findings(morphology=1, mri=1, t_score=-3.1, stage="acute").bone_density
1
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ovfrad.astlof import bone_density_points

Rng = np.random.Generator
Stage = Literal["acute", "chronic"]

#: Vertebrae of class 0, 1, 2 per cohort (paper, Table 1; the sums 508, 482, 108 are those of Table 2).
COHORT_CLASSES = {
    "train": (345, 338, 67), "internal": (88, 76, 23), "external": (51, 46, 13), "prospective": (24, 22, 5),
}  # fmt: skip
#: Treatments, and how often class 0, 1, 2 got each (paper, Table 2).
TREATMENTS = ("conservative", "PVA", "open surgery")
TREATED = ((411, 71, 26), (162, 289, 31), (58, 30, 20))
#: DXA T-scores as reported, in tenths of an SD, with the probability of each: mean -2.8, SD 0.8 (paper, Table 1).
T_SCORES = np.arange(-50, 1) / 10
T_SHARES = norm(-2.8, 0.8).pdf(T_SCORES) / norm(-2.8, 0.8).pdf(T_SCORES).sum()
#: Probability of an acute fracture by MRI points; overall two thirds (paper, Table 1: 65.6 % of the training set).
ACUTE = (0.12, 0.83, 0.50)
#: Wanted weighted kappa between two readers, halfway between linear and quadratic weights.
READER_KAPPA = 0.8


@dataclass(frozen=True, slots=True)
class Findings:
    """What imaging shows of one fracture.

    Parameters
    ----------
    morphology : int
        0 normal shape, 1 compression, 2 burst.
    mri : int
        0 normal, 1 high signal (oedema), 2 vacuum or fluid sign.
    t_score : float
        DXA T-score in SD.
    stage : {"acute", "chronic"}
        Age of the fracture.
    """

    morphology: int
    mri: int
    t_score: float
    stage: Stage

    @property
    def bone_density(self) -> int:
        """ASTLOF points: 0 above -2.5, 1 above -3.5, else 2."""
        return bone_density_points(self.t_score)


def classes_of(score: NDArray[np.int_]) -> NDArray[np.int_]:
    """ASTLOF class of a total score: 0 up to 3 points, 1 for 4, 2 from 5."""
    return np.digitize(score, (4, 5))


@cache
def item_table() -> NDArray[np.float64]:
    """Joint probability of morphology, MRI, bone density and pain points, shape (3, 3, 3, 3).

    A fracture without deformity needs oedema to be found, a cleft goes with collapse, pain with oedema, deformity with
    low density. Iterative proportional fitting brings the classes and the bone density to their shares.
    """
    m, r, b, p = np.indices((3, 3, 3, 3))
    mri = np.array([[0.0, 0.96, 0.04], [0.32, 0.57, 0.11], [0.10, 0.58, 0.32]])[m, r]
    pain = np.array([[0.50, 0.40, 0.10], [0.10, 0.70, 0.20], [0.05, 0.55, 0.40]])[r, p]
    table = np.array([0.26, 0.42, 0.32])[m] * mri * pain * (1 + 0.4 * (b - 1) * (m - 1))
    points = np.array([bone_density_points(float(t)) for t in T_SCORES])
    density = np.bincount(points, T_SHARES)
    shares = np.sum(list(COHORT_CLASSES.values()), axis=0) / 1098
    klass = classes_of(m + r + b + p)
    for _ in range(200):
        table = table * (density / table.sum((0, 1, 3)))[:, None]
        table = table * (shares / np.bincount(klass.ravel(), table.ravel()))[klass]
    return np.asarray(table / table.sum())


@cache
def class_table() -> NDArray[np.float64]:
    """`item_table` split by class, shape (class, morphology, MRI, bone density, pain)."""
    m, r, b, p = np.indices((3, 3, 3, 3))
    klass = classes_of(m + r + b + p)
    return np.stack([item_table() * (klass == k) for k in range(3)])


def draw_t_score(classes: tuple[int, ...], rng: Rng) -> float:
    """T-score of a patient whose fractures have these classes (none given: of any patient), to one decimal."""
    of_density = item_table().sum((0, 1, 3))
    likelihood = np.ones(3)
    for k in classes:
        likelihood *= class_table()[k].sum((0, 1, 3)) / of_density
    weight = T_SHARES * likelihood[[bone_density_points(float(t)) for t in T_SCORES]]
    return float(rng.choice(T_SCORES, p=weight / weight.sum()))


def draw_items(t_score: float, klass: int | None, rng: Rng) -> tuple[Findings, int]:
    """Findings and pain points of one fracture given the T-score, and given the class unless it is None."""
    table = item_table() if klass is None else class_table()[klass]
    cell = table[:, :, bone_density_points(t_score)].ravel()
    morphology, mri, pain = np.unravel_index(int(rng.choice(27, p=cell / cell.sum())), (3, 3, 3))
    stage: Stage = "acute" if rng.random() < ACUTE[mri] else "chronic"
    return Findings(int(morphology), int(mri), t_score, stage), int(pain)


@cache
def slip_rate(axis: int) -> float:
    """Probability that the second reader is one point off, so that the weighted kappa is about `READER_KAPPA`.

    Kappa is 1 - observed / expected disagreement (Cohen 1968). One point off counts 1 of the 2 (linear) or 1 of the
    4 (quadratic) that two points count; expected is the disagreement of two independent draws of the item, whose
    shares are those of `item_table` along `axis` (0 morphology, 1 MRI, 3 pain).
    """
    share = item_table().sum(tuple({0, 1, 2, 3} - {axis}))
    apart = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    chance = share[:, None] * share
    per_slip = 0.5 * (1 / (chance * apart).sum() + 1 / (chance * apart**2).sum())
    return float((1 - READER_KAPPA) / per_slip)


def second_reading(value: int, axis: int, rng: Rng) -> int:
    """What the second reader gives for an item the first gave `value`: the same, or a neighbouring grade."""
    if rng.random() >= slip_rate(axis):
        return value
    return 1 if value != 1 else int(rng.choice((0, 2)))
