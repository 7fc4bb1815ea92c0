"""ResNet-50 v1.5 without its classification head: 2048 features by global average pooling.

He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016, 770-778; in version 1.5 the
stride of a stage sits on the 3x3 convolution. Names, shapes and numbers are torchvision's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
"""Bottlenecks and inner channels of layer1 .. layer4."""
EXPANSION = 4
N_FEATURES = 2048


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution beside a shortcut; (n, c_in, h, w) to (n, 4 width, h / stride, w / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * EXPANSION
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """Add the three convolutions to the shortcut."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(nn.Module):
    """Images (n, 3, h, w) to features (n, 2048); state-dict keys are torchvision's without `fc`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        stages, channels = [], 64
        for index, (blocks, width) in enumerate(STAGES):
            first = Bottleneck(channels, width, stride=1 if index == 0 else 2)
            channels = width * EXPANSION
            stages.append(nn.Sequential(first, *(Bottleneck(channels, width, 1) for _ in range(blocks - 1))))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages

    def forward(self, x: Tensor) -> Tensor:
        """Average the last stage's map over its pixels."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def empty_network() -> ResNet50:
    """Build the network without memory for its numbers, to learn its keys and shapes or to be filled."""
    with torch.device("meta"):
        return ResNet50()


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
