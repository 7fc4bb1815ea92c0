"""Fine-tuning of the ResNet-50 to the classes of a study (METHODS D3).

A head of one linear layer and the backbone are two parameter groups, each with a learning rate that a cosine anneals
to 0. The backbone rests for the first part of the epochs and then follows: layer4 alone, or all layers. Statistics of
the batch normalisations stay those of the weights file, so that the features of a patch never depend on its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ovfrad.deep.checkpoint import Checkpoint
from ovfrad.deep.plan import Plan
from ovfrad.deep.precision import has_units, named
from ovfrad.deep.resnet import ResNet50
from ovfrad.deep.trainer import Epoch, Head, Trainer
from ovfrad.deep.weights import Backbone, tensors_sha256


@dataclass(frozen=True, eq=False)
class TunedNetwork:
    """A network after tuning, on the CPU in float32 and in evaluation mode.

    Attributes
    ----------
    network : ResNet50
    head : Head
    curves : tuple of dict
        Per epoch: epoch, head_rate, backbone_rate, train_loss and, where patients were watched, watched_loss.
    best_epoch : int
        Epoch whose weights these are: that of the lowest watched loss, else the last.
    precision : str
        Of the arithmetic while tuning.
    notes : tuple of str
    """

    network: ResNet50
    head: Head
    curves: tuple[Epoch, ...]
    best_epoch: int
    precision: str
    notes: tuple[str, ...] = ()

    def as_backbone(self, origin: Backbone, rows: int) -> Backbone:
        """Network and head as one that is loaded, kept and applied like any other; `rows`: it was tuned on so many."""
        head = self.head
        weight = head.linear.weight / head.scale
        bias = head.linear.bias - weight @ head.mean
        state = {**self.network.state_dict(), "fc.weight": weight, "fc.bias": bias}
        description = f"{origin.description}, tuned on {rows} rows"
        return Backbone(self.network, tensors_sha256(state), origin.layout, description, (weight, bias))


def tune(
    patches: NDArray[np.float32],
    codes: NDArray[np.intp],
    groups: NDArray[np.object_],
    network: ResNet50,
    plan: Plan,
    checkpoint: Path | None = None,
) -> TunedNetwork:
    """Tune a copy of a network to the classes of its training rows.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, size, size)
        Bone window 0..1.
    codes : ndarray of int, shape (n,)
        Class codes 0..K-1.
    groups : ndarray of str, shape (n,)
        Patient of each row; those watched for stopping early are whole patients.
    network : ResNet50
        Starting point; stays as it is.
    plan : Plan
    checkpoint : Path, optional
        Folder in which training is kept about once a minute; a call that was interrupted goes on from there.

    Returns
    -------
    TunedNetwork
        The same for the same arguments on one CPU with one number of threads.
    """
    learning, watched = watch_split(codes, groups, plan)
    trainer = Trainer(patches[learning], codes[learning], network, plan)
    saved = Checkpoint(checkpoint)
    trainer.restore(saved)
    while trainer.epoch < plan.tune.epochs and not trainer.stopped:
        trainer.one_epoch()
        trainer.judge(patches[watched], codes[watched])
        saved.keep(trainer.tensors, trainer.facts, last=trainer.epoch == plan.tune.epochs or trainer.stopped)
    return _finished(trainer, few=plan.tune.stop_share > 0 and not len(watched))


def _finished(trainer: Trainer, few: bool) -> TunedNetwork:
    """The network of the best epoch, with what should be known of its making."""
    kind, device = trainer.kind, trainer.plan.device
    network, head = trainer.best_weights()
    told = ["too few patients of a class to watch some for stopping early: all epochs were done"] if few else []
    if named(kind) == "bfloat16" and not has_units(device):
        told.append("bfloat16 on a processor without units for it: slow")
    return TunedNetwork(network, head, tuple(trainer.curves), trainer.best_epoch, named(kind), tuple(told))


def watch_split(
    codes: NDArray[np.intp], groups: NDArray[np.object_], plan: Plan
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that teach, and rows of other patients that are watched for stopping early (none if a class is too rare)."""
    everything, none = np.arange(len(codes)), np.arange(0)
    parts = round(1 / plan.tune.stop_share) if plan.tune.stop_share else 0
    scarce = min(len(set(groups[codes == k])) for k in np.unique(codes))
    if not parts or scarce < parts:
        return everything, none
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=plan.seed)
    learning, watched = next(iter(splitter.split(codes, codes, groups)))
    return learning, watched
