"""The training loop of `ovfrad.deep.finetune`: one state, moved on epoch by epoch, that can be kept and taken up."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ovfrad.deep.augment import augmented
from ovfrad.deep.checkpoint import Checkpoint
from ovfrad.deep.features import BATCH, as_images, batches, normalised
from ovfrad.deep.plan import Plan
from ovfrad.deep.precision import dtype_of
from ovfrad.deep.resnet import ResNet50, folded

Epoch = dict[str, float]
MOST_BYTES = 2**29
"""Maps of layer3 that are kept for the next epoch, where patches do not change from one to the next."""


class Head(nn.Module):
    """Features (n, 2048) to class scores (n, K): centred and divided by one SD, then one linear layer.

    One SD for all features: each by its own would blow up those that hardly ever differ from 0.

    Parameters
    ----------
    features : Tensor, shape (n, 2048)
        Of the training rows before tuning, for mean and SD.
    n_classes, seed : int
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: Tensor, n_classes: int, seed: int) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean(0))
        spread = features.var(0, correction=0).mean().sqrt()
        self.register_buffer("scale", torch.where(spread > 0, spread, torch.ones_like(spread)))
        self.linear = nn.Linear(features.shape[1], n_classes)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.linear.weight.copy_(0.01 * torch.randn(self.linear.weight.shape, generator=generator))
            self.linear.bias.zero_()

    def forward(self, features: Tensor) -> Tensor:
        """Class scores before the softmax."""
        scores: Tensor = self.linear((features.float() - self.mean) / self.scale)
        return scores


def class_weights(codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float32]:
    """Weights inverse to the frequency of classes, of mean 1 over the rows.

    >>> class_weights(np.array([0, 0, 0, 0, 1, 1]), 2).tolist()
    [0.75, 1.5]
    """
    counts = np.bincount(codes, minlength=n_classes)
    present = max(int((counts > 0).sum()), 1)
    return (len(codes) / (present * np.maximum(counts, 1))).astype(np.float32)


@dataclass
class Trainer:
    """State of one training run; `one_epoch` and `judge` move it on."""

    patches: NDArray[np.float32]
    codes: NDArray[np.intp]
    start: ResNet50
    plan: Plan
    epoch: int = 0
    stopped: bool = False
    curves: list[Epoch] = field(default_factory=list)
    best_epoch: int = -1

    def __post_init__(self) -> None:
        plan = self.plan
        self.kind = dtype_of(plan.tune.precision, plan.device)
        self.network = copy.deepcopy(self.start).eval().requires_grad_(False).to(plan.device)
        part = self.network.layer4 if plan.tune.stages == "last" else self.network
        self.following = {name: p for name, p in part.named_parameters() if p.is_floating_point()}
        self.still = folded(self.network).to(self.kind)  # what does not learn yet, in its fastest form
        self.fixed_features, self.fixed_maps = self._fixed()
        self.head = Head(self.fixed_features, plan.n_classes, plan.seed).to(plan.device)
        weights = class_weights(self.codes, plan.n_classes) if plan.tune.class_weights else np.ones(plan.n_classes)
        self.loss = nn.CrossEntropyLoss(torch.as_tensor(weights, dtype=torch.float32, device=plan.device))
        groups = [{"params": list(self.head.parameters())}, {"params": list(self.following.values())}]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, weight_decay=plan.tune.weight_decay, fused=True)
        self.best: dict[str, Tensor] = {}

    @property
    def learns(self) -> bool:
        """Whether the backbone follows in this epoch."""
        return self.epoch >= self.plan.rest

    def one_epoch(self) -> None:
        """Every row once, in an order and with changes that follow from seed and epoch alone."""
        rng = np.random.default_rng([self.plan.seed, self.epoch])
        for parameter in self.following.values():
            parameter.requires_grad_(self.learns)
        order, size, total = rng.permutation(len(self.codes)), self.plan.tune.batch, 0.0
        for begun in range(0, len(order), size):
            rates = self.plan.rates(self.epoch, begun / len(order))
            for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
                group["lr"] = rate
            total += self._step(order[begun : begun + size], rng)
        head, backbone = self.plan.rates(self.epoch, 0.0)
        told = {"head_rate": head, "backbone_rate": backbone, "train_loss": total / len(order)}
        self.curves.append({"epoch": float(self.epoch), **told})
        self.epoch += 1

    def _step(self, rows: NDArray[np.intp], rng: np.random.Generator) -> float:
        """One step of the optimiser; returns the loss summed over its rows."""
        codes = torch.from_numpy(self.codes[rows]).to(self.plan.device)
        loss = self.loss(self.head(self._seen(rows, rng)), codes)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return float(loss.detach()) * len(rows)

    def _seen(self, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Features of training rows, with gradients where the backbone follows."""
        tune = self.plan.tune
        if not (tune.augment or self.learns):
            return self.fixed_features[rows]
        if not tune.augment and self.fixed_maps is not None:
            return self._mixed(self.network.last_stage, self.fixed_maps[rows])
        patches = augmented(self.patches[rows], self.plan.plane, rng) if tune.augment else self.patches[rows]
        if self.learns and not self._last:
            return self._mixed(self.network, self._images(patches, torch.float32))
        with torch.no_grad():
            images = self._images(patches, self.kind)
            if not self.learns:
                return self.still(images).float()
            maps = self.still.trunk(images)
        return self._mixed(self.network.last_stage, maps)

    def _mixed(self, part: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """What learns, with master weights in float32 and products in the chosen arithmetic."""
        with torch.autocast(self.plan.device, dtype=torch.bfloat16, enabled=self.kind == torch.bfloat16):
            return part(given if self.kind == torch.bfloat16 else given.float())

    def _fixed(self) -> tuple[Tensor, Tensor | None]:
        """Features of the training rows before tuning, and their maps of layer3 where these are used again."""
        wanted = self._last and not self.plan.tune.augment
        side = -(-self.patches.shape[-1] // 16)
        wanted &= len(self.patches) * 1024 * side * side * self.kind.itemsize <= MOST_BYTES
        features, maps = [], []
        with torch.no_grad():
            for part in batches(self.patches, BATCH):
                found = self.still.trunk(self._images(part, self.kind))
                features.append(self.still.last_stage(found).float())
                maps += [found] if wanted else []
        return torch.cat(features), torch.cat(maps) if maps else None

    @property
    def _last(self) -> bool:
        return self.plan.tune.stages == "last"

    def _images(self, patches: NDArray[np.float32], kind: torch.dtype) -> Tensor:
        return as_images(normalised(patches, self.plan.normalise), kind, self.plan.device)

    def _forward_all(self, patches: NDArray[np.float32]) -> Tensor:
        """Features of patches in evaluation mode, without gradients, shape (n, 2048)."""
        network = folded(self.network).to(self.kind) if self.epoch > self.plan.rest else self.still
        with torch.no_grad():
            return torch.cat([network(self._images(part, self.kind)).float() for part in batches(patches, BATCH)])

    def judge(self, patches: NDArray[np.float32], codes: NDArray[np.intp]) -> None:
        """Loss of the watched rows: keep the best weights, and stop when none came for a while."""
        if not len(codes):
            self.best_epoch = self.epoch - 1
            return
        with torch.no_grad():
            scores = self.head(self._forward_all(patches))
            loss = float(self.loss(scores, torch.from_numpy(codes).to(self.plan.device)))
        self.curves[-1]["watched_loss"] = loss
        if self.best_epoch < 0 or loss < self.curves[self.best_epoch]["watched_loss"]:
            self.best_epoch, self.best = self.epoch - 1, {n: t.clone() for n, t in self._weights().items()}
        waited = self.epoch - 1 - max(self.best_epoch, self.plan.rest - 1)  # counts once the backbone follows
        self.stopped = waited >= self.plan.tune.patience

    def _weights(self) -> dict[str, Tensor]:
        """What learns, by name."""
        head = {f"head.{name}": tensor for name, tensor in self.head.state_dict().items()}
        return head | {f"backbone.{name}": p.detach() for name, p in self.following.items()}

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._weights().items():
                tensor.copy_(weights[name])

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, by name."""
        now = {f"now.{name}": tensor for name, tensor in self._weights().items()}
        best = {f"best.{name}": tensor for name, tensor in self.best.items()}
        moments = {
            f"optimiser.{n}.{kind}": value
            for n, parameter in enumerate(self._parameters())
            for kind, value in self.optimiser.state.get(parameter, {}).items()
        }
        return now | best | moments

    @property
    def facts(self) -> dict[str, object]:
        """The rest of the state, as JSON."""
        return {"epoch": self.epoch, "stopped": self.stopped, "curves": self.curves, "best_epoch": self.best_epoch}

    def _parameters(self) -> Iterator[Tensor]:
        return (parameter for group in self.optimiser.param_groups for parameter in group["params"])

    def restore(self, saved: Checkpoint) -> None:
        """Go on from a checkpoint, if there is a whole one."""
        found = saved.read()
        if found is None:
            return
        tensors, facts = found
        self.epoch, self.stopped, self.best_epoch = facts["epoch"], facts["stopped"], facts["best_epoch"]
        self.curves = facts["curves"]
        self._put({n.removeprefix("now."): t for n, t in tensors.items() if n.startswith("now.")})
        self.best = {n.removeprefix("best."): t for n, t in tensors.items() if n.startswith("best.")}
        for n, parameter in enumerate(self._parameters()):
            prefix = f"optimiser.{n}."
            state = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
            if state:
                self.optimiser.state[parameter] = state

    def best_weights(self) -> tuple[ResNet50, Head]:
        """Network and head of the best epoch, on the CPU."""
        if self.best:
            self._put(self.best)
        network = self.network.to("cpu").eval().requires_grad_(False)
        return network, self.head.to("cpu").eval().requires_grad_(False)
