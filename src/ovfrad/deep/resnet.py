"""ResNet-50 without its classification head: 2048 features by global average pooling.

He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016, 770-778. In version 1.5
(torchvision's, the default) the stride of a stage sits on the 3x3 convolution; in version 1 as Keras has it, on the
first 1x1 convolution, every convolution has a bias and batch normalisation another epsilon. Names are torchvision's.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Bottlenecks and inner channels of layer1 .. layer4."""
EXPANSION = 4
N_FEATURES = 2048
KERAS_EPS = 1.001e-5
"""Epsilon of the batch normalisations of version 1, as `keras.applications.ResNet50` has it."""


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut; (n, c_in, h, w) to (n, 4 width, h / stride, w / stride)."""

    def __init__(self, channels: int, width: int, stride: int, v1: bool = False) -> None:
        super().__init__()
        out, eps = width * EXPANSION, KERAS_EPS if v1 else 1e-5
        first, second = (stride, 1) if v1 else (1, stride)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, stride=first, bias=v1)
        self.bn1 = nn.BatchNorm2d(width, eps)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=second, padding=1, bias=v1)
        self.bn2 = nn.BatchNorm2d(width, eps)
        self.conv3 = nn.Conv2d(width, out, kernel_size=1, bias=v1)
        self.bn3 = nn.BatchNorm2d(out, eps)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=v1)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out, eps))

    def forward(self, x: Tensor) -> Tensor:
        """Add the three convolutions to the shortcut."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(nn.Module):
    """Images (n, 3, h, w) to features (n, 2048); state-dict keys are torchvision's without `fc`.

    Parameters
    ----------
    v1 : bool
        Version 1 as Keras has it.
    """

    def __init__(self, v1: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=v1)
        self.bn1 = nn.BatchNorm2d(64, KERAS_EPS if v1 else 1e-5)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        stages, channels = [], 64
        for index, (blocks, width) in enumerate(STAGES):
            first = Bottleneck(channels, width, 1 if index == 0 else 2, v1)
            channels = width * EXPANSION
            stages.append(nn.Sequential(first, *(Bottleneck(channels, width, 1, v1) for _ in range(blocks - 1))))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def trunk(self, x: Tensor) -> Tensor:
        """Images (n, 3, h, w) to the map of layer3 (n, 1024, h / 16, w / 16)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer3(self.layer2(self.layer1(x)))

    def last_stage(self, x: Tensor) -> Tensor:
        """Map of layer3 to features (n, 2048): layer4, averaged over its pixels."""
        return self.layer4(x).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Images to features."""
        return self.last_stage(self.trunk(x))


def empty_network(v1: bool = False) -> ResNet50:
    """Build the network without memory for its numbers, to learn its keys and shapes or to be filled."""
    with torch.device("meta"):
        return ResNet50(v1)


def folded(network: ResNet50) -> ResNet50:
    """Return a copy in evaluation mode whose batch normalisations are part of the convolutions before them."""
    network = copy.deepcopy(network).eval().requires_grad_(False)
    blocks = [module for module in network.modules() if isinstance(module, Bottleneck)]
    for owner, n in [(network, 1), *((block, n) for block in blocks for n in (1, 2, 3))]:
        setattr(owner, f"conv{n}", fuse_conv_bn_eval(getattr(owner, f"conv{n}"), getattr(owner, f"bn{n}")))
        setattr(owner, f"bn{n}", nn.Identity())
    for block in blocks:
        if isinstance(block.downsample, nn.Sequential):
            block.downsample = fuse_conv_bn_eval(*block.downsample)
    return network.to(memory_format=torch.channels_last)


def random_state(seed: int) -> dict[str, Tensor]:
    """Numbers of an untrained network, a function of `seed` only.

    Convolutions are normal with variance 2 / (output channels x kernel area) (He et al. 2015, the initialisation
    torchvision uses); batch normalisations are the identity.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, tensor in empty_network().state_dict().items():
        if tensor.ndim == 4:
            deviation = (2.0 / (tensor.shape[0] * tensor.shape[2] * tensor.shape[3])) ** 0.5
            state[key] = torch.randn(tensor.shape, generator=generator) * deviation
        else:
            one = key.endswith(("weight", "running_var"))
            state[key] = torch.full(tensor.shape, int(one), dtype=tensor.dtype)
    return state
