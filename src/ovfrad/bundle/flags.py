"""What speaks against believing a prediction: its image, the size of its mask, its scanner (METHODS B6, E1, I2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.bundle.size import MEASURES

if TYPE_CHECKING:
    from ovfrad.bundle.manifest import Images, Training
    from ovfrad.selection import FusedFeatures

LARGER = "mask larger than the vertebral bodies of training"
#: Flags of the image with which a prediction is out of scope.
BARRING = ("metal", "contrast", "scattered", "too small", "too large", LARGER)


def of_image(facts: Mapping[str, Any], stated: Images, training: Training) -> list[str]:
    """Raised flags of the image in words; what the study kept among its training cases is a note that says so."""
    raised = [name for name, value in facts.items() if isinstance(value, bool | np.bool_) and value]
    seen: Mapping[str, int] = {str(name): n for name, n in stated.seen.items()}
    return [
        f"{name.replace('_', ' ')}, as {seen[name]} of the {training.rows} training cases"
        if seen.get(name)
        else name.replace("_", " ")
        for name in raised
    ]


def of_size(row: Mapping[str, float], vertebra: str | None, stated: Images) -> list[str]:
    """Whether the prepared mask is larger than a body of its level, by any measure; one flag, or none."""
    larger = False
    for measure in MEASURES:
        limits = getattr(stated, measure.name)
        limit = limits.levels.get(vertebra or "", measure.whole * limits.range[1])
        larger |= row[measure.feature] * measure.unit > limit
    return [LARGER] if larger else []


def of_scanner(chain: FusedFeatures, batch: np.ndarray, adjusted: np.ndarray) -> list[str | None]:
    """Per row, what ComBat could not do for it.

    Parameters
    ----------
    chain : FusedFeatures
    batch : ndarray of shape (n,)
        Scanner or centre; None where it is not known.
    adjusted : ndarray of bool of shape (n,)
        Whether all covariates of the row are known.
    """
    combat = chain.combat_
    if combat is None or combat.n_batches_ < 2:
        return [None] * len(batch)
    without = None
    if combat.covariates_:
        without = f"harmonised without {' and '.join(combat.covariates_)}, which the study had as covariates"
    told: list[str | None] = []
    for known, name, whole in zip(chain.harmonised(batch), batch, adjusted, strict=True):
        as_it_is = whole or name == combat.reference_  # the reference stays as it is, whatever its covariates
        told.append(
            (None if as_it_is else without) if known else "not harmonised: its scanner is not one of the training data"
        )
    return told
