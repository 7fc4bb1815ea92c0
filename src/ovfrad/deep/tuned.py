"""Features of a tuned network as a learned step: those of training rows come from networks that did not see them.

A network tuned on the training rows makes their features look perfect (METHODS D4, D5). Here the training rows are
cut into patient folds; a network tuned on the other folds gives each fold its features, and one tuned on all rows
gives features to everyone else. What crosses from one network to another must mean the same in all of them: see
docs/decisions/0009-features-of-tuned-networks.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.validation import check_is_fitted

from ovfrad.deep.axes import Turn
from ovfrad.deep.checkpoint import Checkpoint
from ovfrad.deep.features import outputs, own, softmax
from ovfrad.deep.finetune import tune
from ovfrad.deep.plan import Plan
from ovfrad.deep.trainer import Epoch
from ovfrad.deep.weights import Backbone

FEWEST_FOLDS = 2


class DeepFeatures(BaseEstimator):
    """Fine-tuned features of patches, cross-fitted over patients.

    Parameters
    ----------
    backbone : Backbone
        Where tuning starts.
    plan : Plan
        What is tuned, how, and with which seed.
    store : Path, optional
        Folder in which networks are kept until `fit` is through; an interrupted fit goes on from there.

    Attributes
    ----------
    network_ : Backbone
        Tuned on all training rows, with its head; what a new patch goes through.
    training_ : ndarray of float32, shape (n, d)
        Features of the training rows, as `tune.training_features` says; d is K for scores, else 2048.
    held_out_ : ndarray of float32, shape (n, K)
        Probabilities of each training row by the network that did not see its patient; NaN where the setting is
        `in_sample` and no such network was made.
    curves_ : dict of str to tuple of dict
        Learning curves: `all rows`, `fold 0`, ...
    notes_ : tuple of str
    precision_ : str
        Of the arithmetic while tuning.
    """

    def __init__(self, backbone: Backbone, plan: Plan, store: Path | None = None) -> None:
        self.backbone = backbone
        self.plan = plan
        self.store = store

    def fit(self, patches: NDArray[np.float32], codes: NDArray[np.intp], groups: NDArray[np.object_]) -> DeepFeatures:
        """Tune the networks.

        Parameters
        ----------
        patches : ndarray of float32, shape (n, 3, size, size)
            Bone window 0..1.
        codes : ndarray of int, shape (n,)
        groups : ndarray of str, shape (n,)
            Patient of each row.
        """
        codes, settings = np.asarray(codes, np.intp), self.plan.tune
        self._used: list[Path] = []
        everyone = np.arange(len(codes))
        self.curves_: dict[str, tuple[Epoch, ...]] = {}
        self.notes_: tuple[str, ...] = ()
        self.network_ = self._tuned("all rows", patches, codes, groups, everyone)
        self.training_ = self._given(patches)
        self.held_out_ = np.full((len(codes), self.plan.n_classes), np.nan, np.float32)
        if settings.training_features == "out_of_fold":
            for n, (inside, outside) in enumerate(self._folds(codes, groups)):
                one = self._tuned(f"fold {n}", patches, codes, groups, inside)
                self._cross(one, patches, inside, outside)
        for folder in self._used:
            Checkpoint(folder).forget()
        return self

    def fit_transform(
        self, patches: NDArray[np.float32], codes: NDArray[np.intp], groups: NDArray[np.object_]
    ) -> NDArray[np.float32]:
        """Tune, and return the features of the training rows (not those of `transform`), shape (n, d)."""
        return self.fit(patches, codes, groups).training_

    def transform(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of other rows by the network tuned on all training rows, shape (n, d)."""
        check_is_fitted(self, "network_")
        return self._given(patches)

    def predict_proba(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities of the tuned network itself, shape (n, K)."""
        check_is_fitted(self, "network_")
        return softmax(outputs(patches, self.network_, self.plan.normalise)[1])

    def _folds(self, codes: NDArray[np.intp], groups: NDArray[np.object_]) -> list[tuple[Any, Any]]:
        """Patient folds, as many as asked for or as the rarest class has patients."""
        scarce = min(len(set(groups[codes == k])) for k in np.unique(codes))
        n = max(min(self.plan.tune.folds, scarce), FEWEST_FOLDS)
        return list(StratifiedGroupKFold(n, shuffle=True, random_state=self.plan.seed).split(codes, codes, groups))

    def _tuned(
        self,
        name: str,
        patches: NDArray[np.float32],
        codes: NDArray[np.intp],
        groups: NDArray[np.object_],
        rows: NDArray[np.intp],
    ) -> Backbone:
        """One network, tuned on some rows. All start from the same weights and the same head."""
        folder = None
        if self.store is not None:
            folder = self.store / self._key(patches[rows], codes[rows], groups[rows])
            self._used.append(folder)
        found = tune(patches[rows], codes[rows], groups[rows], self.backbone.network, self._resolved, folder)
        self.curves_[name] = found.curves
        self.notes_ = tuple(dict.fromkeys((*self.notes_, *found.notes)))
        self.precision_ = found.precision
        return found.as_backbone(self.backbone, len(rows))

    @property
    def _resolved(self) -> Plan:
        return replace(self.plan, normalise=own(self.plan.normalise, self.backbone))

    def _key(self, *arrays: Any) -> str:
        """Name of a network: everything it depends on."""
        digest = hashlib.sha256(repr((self.plan, self.backbone.sha256, torch.__version__)).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(np.asarray(array).astype("S") if _text(array) else array).tobytes())
        return digest.hexdigest()[:32]

    def _given(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        features, scores = outputs(patches, self.network_, self.plan.normalise)
        return scores if self.plan.tune.gives == "scores" else features

    def _cross(
        self, one: Backbone, patches: NDArray[np.float32], inside: NDArray[np.intp], outside: NDArray[np.intp]
    ) -> None:
        """Give the rows of one fold what a network tuned on the others makes of them."""
        how, gives = self.plan.normalise, self.plan.tune.gives
        features, scores = outputs(patches[outside], one, how)
        self.held_out_[outside] = softmax(scores)
        if gives == "aligned":
            theirs, ours = (outputs(patches[inside], network, how)[0] for network in (one, self.network_))
            features = Turn.learn(theirs, ours).apply(features)
        self.training_[outside] = scores if gives == "scores" else features


def _text(array: Any) -> bool:
    return np.asarray(array).dtype == object
