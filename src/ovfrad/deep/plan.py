"""What is tuned and how: epochs, learning rates, device (METHODS D3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ovfrad.deep.augment import Plane

if TYPE_CHECKING:
    from ovfrad.deep.features import Normalisation
    from ovfrad.study.settings import Tune

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Plan:
    """What is tuned, on what, and how; everything that the result depends on beside patches and codes.

    Attributes
    ----------
    tune : Tune
    n_classes : int
    normalise : {"zscore", "imagenet", "radimagenet"}
    plane : {"sagittal", "axial", "coronal"}
    seed : int
    device : {"cpu", "cuda"}
    """

    tune: Tune
    n_classes: int
    normalise: Normalisation = "zscore"
    plane: Plane = "sagittal"
    seed: int = 0
    device: Device = "cpu"

    @property
    def rest(self) -> int:
        """Epochs in which the backbone rests."""
        return min(round(self.tune.frozen_share * self.tune.epochs), self.tune.epochs)

    def rates(self, epoch: int, share: float) -> tuple[float, float]:
        """Learning rates of head and backbone, `share` of the way through an epoch."""
        at = epoch + share
        head = self.tune.head_rate * _cosine(at / self.tune.epochs)
        if epoch < self.rest:
            return head, 0.0
        return head, self.tune.backbone_rate * _cosine((at - self.rest) / (self.tune.epochs - self.rest))


def _cosine(share: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * share))
