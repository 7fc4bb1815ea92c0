"""A study after `fit`: what the honesty checks, the evaluation, the bundle and the report start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ovfrad.models import engine
from ovfrad.models.rows import Rows
from ovfrad.study import Study
from ovfrad.workflow.features import StudyFeatures
from ovfrad.workflow.folder import RunFolder


@dataclass(frozen=True, eq=False)
class FittedStudy:
    """A study after `fit`, in memory for the steps that follow.

    Attributes
    ----------
    studies : dict
        Recipe -> Study.
    features : StudyFeatures
    outcomes : dict
        (recipe, arm) -> `engine.Outcome`.
    rows : dict
        (recipe, cohort) -> Rows of all arms.
    folder : RunFolder
    run : dict
        What run.json holds.
    """

    studies: dict[str, Study]
    features: StudyFeatures
    outcomes: dict[tuple[str, str], engine.Outcome]
    rows: dict[tuple[str, str], Rows]
    folder: RunFolder
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """Study of the headline's recipe."""
        return next(iter(self.studies.values()))

    @property
    def headline(self) -> tuple[str, str, str]:
        """Recipe, arm and model the study stands for."""
        settings = self.study.settings
        return settings.recipe, self.study.arms[0], settings.models.headline.model
