"""Layer-wise relevance propagation: each pixel's part of one number that the network gives (METHODS D7).

Bach S, Binder A, Montavon G, et al. On pixel-wise explanations for non-linear classifier decisions by layer-wise
relevance propagation. PLoS ONE 2015;10:e0130140. A value is handed back layer by layer in proportion to what each
input contributed; batch normalisations are part of their convolutions. Contributions that raise a sum weigh 1 + gamma
times (Montavon 2019), which keeps large parts of opposite sign from blowing each other up. Nothing is made or lost:
relevance of the pixels and what the biases contributed add up to the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from ovfrad.deep.features import Normalisation, as_images, normalised, own
from ovfrad.deep.resnet import Bottleneck, ResNet50, folded
from ovfrad.deep.weights import Backbone

GAMMA = 0.25
"""Extra weight of contributions that raise a sum, behind the first layer."""
EPSILON = 1e-6
"""Share of a layer's mean size below which a sum counts as nothing, so that nothing is divided by 0."""


@dataclass(frozen=True, eq=False)
class Relevance:
    """Parts of one number per patch.

    Attributes
    ----------
    pixels : ndarray of float64, shape (n, side, side)
        Relevance of each pixel, summed over the channels.
    biases : ndarray of float64, shape (n,)
        What biases, and sums too small to be divided up, contributed.
    value : ndarray of float64, shape (n,)
        The number explained: features @ direction.
    """

    pixels: NDArray[np.float64]
    biases: NDArray[np.float64]
    value: NDArray[np.float64]


def relevance(
    patches: NDArray[np.float32],
    backbone: Backbone,
    direction: NDArray[np.floating],
    normalise: Normalisation = "zscore",
) -> Relevance:
    """Hand features @ direction back to the pixels.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, side, side)
        Bone window 0..1.
    backbone : Backbone
    direction : ndarray, shape (2048,) or (n, 2048)
        Weights of the features in the number explained.
    normalise : {"zscore", "imagenet", "radimagenet", "own"}
    """
    images = as_images(normalised(np.asarray(patches, np.float32), own(normalise, backbone)))
    walk = _Walk(folded(backbone.network).double())
    with torch.no_grad():
        parts = walk.forward(images.double()) * torch.as_tensor(np.asarray(direction, np.float64))
    value = parts.sum(1)
    pixels = walk.back(parts)
    left = value - pixels.sum(dim=(1, 2, 3))
    return Relevance(pixels.sum(1).numpy(), left.numpy(), value.numpy())


@dataclass
class _Walk:
    """Forward pass that remembers what each layer saw, and the way back."""

    network: ResNet50
    steps: list[Callable[[Tensor], Tensor]] = field(default_factory=list)

    def forward(self, images: Tensor) -> Tensor:
        net, self.steps = self.network, []
        x = self._conv(net.conv1, images, gamma=0.0).relu()
        x = self._linear(lambda t: fn.max_pool2d(t, 3, 2, 1), x)
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            for block in stage:
                x = self._block(block, x)
        return self._linear(lambda t: t.mean(dim=(2, 3)), x)

    def back(self, parts: Tensor) -> Tensor:
        """Relevance of the features to relevance of the images."""
        for step in reversed(self.steps):
            parts = step(parts)
        return parts

    def _conv(self, layer: nn.Conv2d, x: Tensor, gamma: float = GAMMA) -> Tensor:
        self.steps.append(lambda parts: handed_back(layer, x, parts, gamma))
        found: Tensor = layer(x)
        return found

    def _linear(self, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Pooling: without weights, so in proportion to what went through."""
        self.steps.append(lambda parts: _in_proportion(layer, x, parts))
        return layer(x)

    def _block(self, block: Bottleneck, x: Tensor) -> Tensor:
        """A bottleneck: two ways that meet in a sum, each of which gets its share of it."""
        main, short = _Walk(self.network), _Walk(self.network)
        y = main._conv(block.conv1, x).relu()
        y = main._conv(block.conv2, y).relu()
        y = main._conv(block.conv3, y)
        z = short._conv(block.downsample, x) if isinstance(block.downsample, nn.Conv2d) else x

        def step(parts: Tensor) -> Tensor:
            shares = parts / stabilised(y + z)
            return main.back(y * shares) + short.back(z * shares)

        self.steps.append(step)
        return (y + z).relu()


def handed_back(layer: nn.Conv2d, x: Tensor, parts: Tensor, gamma: float) -> Tensor:
    """Relevance of a convolution's outputs to that of its inputs, in proportion to their contributions.

    With gamma, contributions with the sign of the output weigh 1 + gamma times (Andéol L, et al. 2021).
    """
    weight, bias = layer.weight, layer.bias
    how = {"stride": layer.stride, "padding": layer.padding}

    def raised(sign: float) -> Callable[[Tensor], Tensor]:
        extra = gamma * (sign * weight).clamp_min(0) * sign
        more = None if bias is None else bias + gamma * (sign * bias).clamp_min(0) * sign
        return lambda t: fn.conv2d(t, weight + extra, more, **how)

    plain = fn.conv2d(x, weight, bias, **how)
    up = _in_proportion(raised(1.0), x, torch.where(plain >= 0, parts, 0.0))
    return up + _in_proportion(raised(-1.0), x, torch.where(plain < 0, parts, 0.0))


def _in_proportion(layer: Callable[[Tensor], Tensor], x: Tensor, parts: Tensor) -> Tensor:
    """X times the slope of the layer at parts / output: the epsilon rule."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        found = layer(x)
        (slope,) = torch.autograd.grad(found, x, parts / stabilised(found.detach()))
    return (x * slope).detach()


def stabilised(sums: Tensor) -> Tensor:
    """Sums moved away from 0 by EPSILON of their mean size; a sum of 0 counts as positive."""
    least = EPSILON * sums.abs().mean().clamp_min(1e-300)
    return sums + torch.where(sums >= 0, least, -least)
