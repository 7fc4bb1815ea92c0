"""All that decides how models are fitted to rows: equal procedures on equal rows give equal models."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Self

from sklearn.base import BaseEstimator

from ovfrad.models.auto import AutoModel
from ovfrad.models.classifiers import make
from ovfrad.models.network import TunedArm
from ovfrad.models.score import ScoreModel
from ovfrad.models.sparse import SparseScore
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import NINE, Harmonisation, Models, Selection

OWN = ("auto", "sparse", "rad_score")
"""Models beside the nine."""
BEST = "best_of_nine"
"""Name under which the best of the nine by inner cross-validation stands in the prediction table."""


@dataclass(frozen=True)
class Procedure:
    """All that decides how models are fitted to rows; equal procedures on equal rows give equal models.

    Attributes
    ----------
    models, harmonisation, selection : sections of study.yaml
    classes : tuple of str
        Names of the classes in code order.
    ordered : bool
        Whether that order means something.
    arm : str
        Arm of `deep`; its columns are `deep_<arm>_0000..`, if there are any.
    recipe : str
        Written into the tables.
    names : tuple of str
        Models to fit: some of the nine, "auto", "sparse", "rad_score"; default: those of `models.classifiers`,
        and the other three.
    n_trees : int
        Trees of each forest of `auto`.
    random_state : int
    tune : bool
        False: too few patients for inner folds, so the first grid point is taken and nothing recalibrated.
    network : TunedArm or None
        Network of the arm where it is tuned inside every fold.
    """

    classes: tuple[str, ...]
    models: Models = field(default_factory=Models)
    harmonisation: Harmonisation = field(default_factory=Harmonisation)
    selection: Selection = field(default_factory=Selection)
    ordered: bool = True
    arm: str = "none"
    recipe: str = "sound"
    names: tuple[str, ...] = ()
    n_trees: int = 150
    random_state: int = 0
    tune: bool = True
    network: TunedArm | None = None

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (*self.models.classifiers, *OWN))
        unknown = [name for name in self.names if name not in (*NINE, *OWN)]
        if unknown:
            raise ValueError(f"no model {unknown[0]}; known are {', '.join((*NINE, *OWN))}.")

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    def only(self, *names: str, recalibrate: bool | None = None) -> Self:
        """Return the procedure with these models alone; "best_of_nine" stands for the nine it is chosen from."""
        wanted = tuple(dict.fromkeys(m for n in names for m in (self.models.classifiers if n == BEST else (n,))))
        models = self.models if recalibrate is None else self.models.model_copy(update={"recalibrate": recalibrate})
        return replace(self, names=wanted, models=models)

    def chain(self) -> FusedFeatures:
        """Return the unfitted chain of selection."""
        return FusedFeatures.from_settings(
            self.harmonisation, self.selection, self.arm, self.random_state, ordered=self.ordered
        )

    def candidates(self, name: str) -> tuple[BaseEstimator, tuple[dict[str, Any], ...]]:
        """Return a model, unfitted, and its grid, simplest point first."""
        if name == "auto":
            return AutoModel(self.n_trees, random_state=self.random_state), ({},)
        if name == "sparse":
            return SparseScore(random_state=self.random_state), ({},)
        if name == "rad_score":
            return ScoreModel(self.ordered), ({},)
        return make(name, self.models.balance, self.random_state)

    def describe(self) -> str:
        """Return all settings as JSON, for content hashes."""
        plain = {
            name: getattr(self, name)
            for name in ("classes", "ordered", "arm", "recipe", "names", "n_trees", "random_state", "tune")
        }
        sections = {
            name: getattr(self, name).model_dump(mode="json") for name in ("models", "harmonisation", "selection")
        }
        network = {} if self.network is None else {"network": self.network.describe()}
        return json.dumps(plain | sections | network, sort_keys=True)


def needs_inner(procedure: Procedure) -> bool:
    """Whether something is chosen or calibrated on inner folds."""
    if not procedure.tune:
        return False
    grids = [len(procedure.candidates(name)[1]) for name in procedure.names]
    several = sum(name in NINE for name in procedure.names) > 1
    return procedure.models.recalibrate or several or max(grids) > 1
