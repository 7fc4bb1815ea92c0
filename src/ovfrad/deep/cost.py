"""What tuning costs, from a few steps on this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from ovfrad.deep.features import torch_threads
from ovfrad.deep.plan import Plan
from ovfrad.deep.trainer import Trainer
from ovfrad.deep.weights import load

if TYPE_CHECKING:
    from ovfrad.study.settings import Deep

STEPS = 2
"""Steps timed, after one that also prepares kernels."""


def seconds_a_network(deep: Deep, rows: int) -> float:
    """Seconds that tuning one network to `rows` patches takes on one core, every epoch done.

    Parameters
    ----------
    deep : Deep
        Size of the patch, and `tune`.
    rows : int
    """
    batch = deep.tune.batch
    patches = np.random.default_rng(0).random((batch, 3, deep.size, deep.size), dtype=np.float32)
    codes = np.arange(batch) % 3
    with torch_threads(1):
        plan = Plan(deep.tune, 3, plane=deep.plane)
        trainer = Trainer(patches, codes, load("random").network, plan)
        resting, following = (_seconds(trainer, epoch) for epoch in (0, plan.rest))
    epochs = plan.rest * resting + (deep.tune.epochs - plan.rest) * following
    return epochs * rows / batch


def _seconds(trainer: Trainer, epoch: int) -> float:
    """Seconds of one step in this epoch."""
    for step in range(STEPS + 1):
        if step == 1:
            begun = time.perf_counter()
        trainer.epoch = min(epoch, trainer.plan.tune.epochs - 1)
        trainer.one_epoch()
    return (time.perf_counter() - begun) / STEPS
