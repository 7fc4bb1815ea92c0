"""What a bundle consists of once it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad.bundle.manifest import Manifest
from ovfrad.bundle.save import BACKBONE
from ovfrad.bundle.scope import Scope
from ovfrad.models.fitted import FittedModel
from ovfrad.selection import FusedFeatures
from ovfrad.study import StudySettings


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model read from its folder.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    settings : StudySettings
    chain : FusedFeatures
    model : FittedModel
    scope : Scope
    conformal : dict
    background : DataFrame
    """

    folder: Path
    manifest: Manifest
    settings: StudySettings
    chain: FusedFeatures
    model: FittedModel
    scope: Scope
    conformal: dict[str, Any]
    background: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class values in code order."""
        return tuple(self.manifest.classes)

    @property
    def from_images(self) -> bool:
        """Whether a new case is a CT with its mask; else it is a row of features."""
        return self.settings.features is None

    @cached_property
    def backbone(self) -> Any:
        """Network of the arm, or None."""
        if self.manifest.backbone is None:
            return None
        from ovfrad.deep import weights

        arm = self.settings.deep.arms[self.manifest.arm]
        file = self.folder / BACKBONE
        if arm.tuned:
            return weights.load_tuned(file)
        return weights.load("random" if arm.weights == "random" else file, arm.seed)
