"""The ASTLOF score (Assessment System of Thoracolumbar Osteoporotic Fractures) and the names of vertebrae.

Score, classes and treatments: Liu et al., JMIR Med Inform 2025;13:e75665, after Du et al. 2018. Label schemes: VerSe
(1-7 C, 8-19 T, 20-25 L, 28 T13) and the two label maps of TotalSegmentator. Their numbers clash, so a scheme is named,
never guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

#: Vertebrae from the head down; T13 and L6 are variants.
VERTEBRAE = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
)

_FROM_C1 = tuple(v for v in VERTEBRAE if v not in ("T13", "L6"))
_LABELS = {
    "verse": {v: n for n, v in enumerate((*_FROM_C1, "L6"), start=1)} | {"T13": 28},
    "totalsegmentator": {v: n for n, v in enumerate(reversed(_FROM_C1), start=27)},
    "totalsegmentator_v1": {v: n for n, v in enumerate(reversed(_FROM_C1), start=18)},
}
SCHEMES = tuple(_LABELS)

#: Columns of the case table that are the label or follow from it (METHODS A6): never predictors unless allowed.
LABEL_COMPONENTS = (
    "astlof_class", "astlof_score", "t_score", "morphology", "mri", "pain",
    "morphology_reader2", "mri_reader2", "pain_reader2", "treatment",
)  # fmt: skip

TREATMENT = MappingProxyType({0: "conservative", 1: "conservative or surgical", 2: "surgical"})


class AstlofClass(IntEnum):
    """Treatment class of the ASTLOF score."""

    CONSERVATIVE = 0
    EITHER = 1
    SURGERY = 2


@dataclass(frozen=True, slots=True)
class AstlofScore:
    """The four items of one vertebra, each 0, 1 or 2 points.

    Parameters
    ----------
    morphology : int
        0 normal, 1 compression, 2 burst fracture.
    mri : int
        0 normal, 1 high signal, 2 vacuum or fluid sign.
    bone_density : int
        From the DXA T-score, see `bone_density_points`.
    pain : int
        0 no significant pain, 1 positional, 2 persistent or neurological.

    Examples
    --------
    >>> score = AstlofScore(morphology=1, mri=1, bone_density=bone_density_points(-3.1), pain=1)
    >>> score.total, score.treatment_class.name
    (4, 'EITHER')
    >>> AstlofScore(morphology=3, mri=0, bone_density=0, pain=0)
    Traceback (most recent call last):
    ValueError: morphology must be 0, 1 or 2 points; got 3.
    """

    morphology: int
    mri: int
    bone_density: int
    pain: int

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if (points := getattr(self, name)) not in (0, 1, 2):
                raise ValueError(f"{name} must be 0, 1 or 2 points; got {points}.")

    @property
    def total(self) -> int:
        """Sum of the four items, 0 to 8."""
        return self.morphology + self.mri + self.bone_density + self.pain

    @property
    def treatment_class(self) -> AstlofClass:
        """Class of the total."""
        return class_of_total(self.total)


def class_of_total(total: int) -> AstlofClass:
    """Class 0 for a total up to 3, class 1 for 4, class 2 from 5.

    >>> [int(class_of_total(total)) for total in (0, 3, 4, 5, 8)]
    [0, 0, 1, 2, 2]
    >>> class_of_total(9)
    Traceback (most recent call last):
    ValueError: an ASTLOF total lies in 0..8; got 9.
    """
    if not 0 <= total <= 8:
        raise ValueError(f"an ASTLOF total lies in 0..8; got {total}.")
    return AstlofClass((total > 3) + (total > 4))


def bone_density_points(t_score: float) -> int:
    """Points for a DXA T-score in SD: 0 above -2.5, 1 from -2.5 down to above -3.5, 2 from -3.5 down.

    >>> [bone_density_points(t) for t in (-2.4, -2.5, -3.4, -3.5)]
    [0, 1, 1, 2]
    >>> bone_density_points(-31)
    Traceback (most recent call last):
    ValueError: a DXA T-score lies in -10..10 SD; got -31.
    """
    if not (math.isfinite(t_score) and abs(t_score) <= 10):
        raise ValueError(f"a DXA T-score lies in -10..10 SD; got {t_score:g}.")
    return int(t_score <= -2.5) + int(t_score <= -3.5)


def label_of(vertebra: str, scheme: str) -> int:
    """Label number of a vertebra in a segmentation scheme.

    >>> label_of("L1", "verse"), label_of("L1", "totalsegmentator"), label_of("L5", "totalsegmentator_v1")
    (20, 31, 18)
    >>> label_of("L7", "verse")
    Traceback (most recent call last):
    ValueError: scheme verse has no label for vertebra 'L7'; it has C1..C7, T1..T12, L1..L5, L6, T13.
    """
    labels = _scheme(scheme)
    if vertebra not in labels:
        variants = "".join(f", {v}" for v in ("L6", "T13") if v in labels)
        raise ValueError(
            f"scheme {scheme} has no label for vertebra {vertebra!r}; it has C1..C7, T1..T12, L1..L5{variants}."
        )
    return labels[vertebra]


def vertebra_of(label: int, scheme: str) -> str | None:
    """Vertebra of a label number in a segmentation scheme; None where the label is another structure.

    >>> vertebra_of(19, "verse"), vertebra_of(43, "totalsegmentator")
    ('T12', 'T1')
    """
    return next((vertebra for vertebra, number in _scheme(scheme).items() if number == label), None)


def _scheme(name: str) -> dict[str, int]:
    if name not in _LABELS:
        raise ValueError(f"unknown label scheme {name!r}; known: {', '.join(SCHEMES)}.")
    return _LABELS[name]
