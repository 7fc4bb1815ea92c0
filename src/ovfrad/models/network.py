"""The tuned network of an arm as a learned step of the fold engine (METHODS D4, D5).

It is fitted before the chain on the same training rows, in every outer fold again. Its features of these rows are out
of fold (or, in recipe `paper`, in sample); inner folds take them as they are, since tuning in each of them as well
would multiply the cost by their number and change nothing in the outer folds, which are what is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ovfrad.study.settings import Tune

if TYPE_CHECKING:
    from ovfrad.deep.tuned import DeepFeatures
    from ovfrad.models.rows import Rows

NETWORK = "network"
"""Name under which the tuned network's own class probabilities stand in the prediction table."""


@dataclass(frozen=True)
class TunedArm:
    """What a worker needs to know to tune the network of an arm.

    Attributes
    ----------
    arm : str
    weights : str
        Path of the weights file, or `random`.
    sha256 : str
        Of the weights.
    weights_seed : int
        Of a random network.
    normalise : str
    plane : {"sagittal", "axial", "coronal"}
    tune : Tune
    n_classes : int
    random_state : int
    store : str, optional
        Folder for what an interrupted fit goes on from.
    """

    arm: str
    weights: str
    sha256: str
    weights_seed: int
    normalise: Literal["zscore", "imagenet", "radimagenet", "own"]
    plane: Literal["sagittal", "axial", "coronal"]
    tune: Tune
    n_classes: int
    random_state: int = 0
    store: str | None = None

    def describe(self) -> dict[str, Any]:
        """Everything that the features depend on, as plain values."""
        told = asdict(replace(self, weights="", store=None)) | {"tune": self.tune.model_dump(mode="json")}
        return {name: value for name, value in told.items() if name not in ("weights", "store")}

    def estimator(self) -> DeepFeatures:
        """Return the unfitted step; a weights file that has changed since the study began is refused."""
        from ovfrad.deep import weights
        from ovfrad.deep.plan import Plan
        from ovfrad.deep.tuned import DeepFeatures
        from ovfrad.errors import InputError

        backbone = weights.load(self.weights, self.weights_seed)
        if backbone.sha256 != self.sha256:
            raise InputError("E_WEIGHTS_CHANGED", Path(self.weights), "changed during the run", "run again")
        plan = Plan(self.tune, self.n_classes, self.normalise, self.plane, self.random_state, device())
        return DeepFeatures(backbone, plan, None if self.store is None else Path(self.store))


def device() -> Literal["cpu", "cuda"]:
    """Where networks are tuned: on a GPU where torch finds one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A tuned network, and what it made of the rows that it was tuned on.

    Attributes
    ----------
    arm : str
    features : DeepFeatures
        Fitted.
    training : DataFrame of shape (n_rows, d)
        Columns deep_<arm>_0000 ..., as the models were fitted to them.
    held_out : ndarray of shape (n_rows, K)
        Out-of-fold probabilities of the network; NaN where there are none.
    """

    arm: str
    features: DeepFeatures
    training: pd.DataFrame
    held_out: np.ndarray

    def seen(self, rows: Rows) -> Rows:
        """Return other rows with the network's features in place of their patches."""
        with _one_thread():
            return joined(rows, named(self.features.transform(_patches(rows)), self.arm, rows.X.index))

    def proba(self, rows: Rows) -> np.ndarray:
        """Class probabilities of the network itself, shape (n_rows, K)."""
        with _one_thread():
            return self.features.predict_proba(_patches(rows)).astype(float)


def own_rows(rows: Rows, arm: str, network: TunedArm | None) -> Rows:
    """Return rows with what this arm sees: without other arms' columns, and without patches that no one reads."""
    rows = rows.for_arm(arm)
    return rows if network is not None or rows.patches is None else replace(rows, patches=None)


def learned(rows: Rows, network: TunedArm | None) -> tuple[Rows, FittedNetwork | None]:
    """Tune the network on training rows; return them with its features in place of patches."""
    if network is None or rows.patches is None:
        return rows, None
    step = network.estimator()
    with _one_thread():
        step.fit(rows.patches, rows.codes, rows.groups)
    training = named(step.training_, network.arm, rows.X.index)
    return joined(rows, training), FittedNetwork(network.arm, step, training, step.held_out_.astype(float))


def named(values: np.ndarray, arm: str, index: pd.Index) -> pd.DataFrame:
    """Features of a network under their names in the feature table."""
    columns = [f"deep_{arm}_{j:04d}" for j in range(values.shape[1])]
    return pd.DataFrame(np.asarray(values, float), index=index, columns=columns)


def joined(rows: Rows, features: pd.DataFrame) -> Rows:
    """Return rows with features of a network in place of patches."""
    return replace(rows, X=pd.concat([rows.X, features], axis=1), patches=None)


def own_probabilities(network: FittedNetwork | None, rows: Rows) -> Mapping[str, np.ndarray]:
    """The network's own probabilities under its name; nothing where the arm's network is not tuned."""
    return {} if network is None or rows.patches is None else {NETWORK: network.proba(rows)}


def _patches(rows: Rows) -> np.ndarray:
    if rows.patches is None:
        raise ValueError("rows of an arm with a tuned network need patches.")
    return rows.patches


def _one_thread() -> Any:
    """One thread of torch: workers use the other cores, and results do not depend on how many there are."""
    from ovfrad.deep.features import torch_threads

    return torch_threads(1)
