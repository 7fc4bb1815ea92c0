"""Grad-CAM: where the network looked for one number that it gives (METHODS D7).

Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from deep networks via gradient-based
localization. ICCV 2017, 618-626. At 64x64 the map of layer4 has 2x2 pixels and that of layer3 4x4: the layer is
stated with every map, and a larger input can be asked for.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

from ovfrad.deep.features import Normalisation, as_images, normalised, own
from ovfrad.deep.resnet import folded
from ovfrad.deep.weights import Backbone

Layer = Literal["layer1", "layer2", "layer3", "layer4"]
SHRINKS = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
"""Pixels of the input along one side of a pixel of each layer's map."""


def gradcam(
    patches: NDArray[np.float32],
    backbone: Backbone,
    direction: NDArray[np.floating],
    normalise: Normalisation = "zscore",
    *,
    layer: Layer = "layer2",
    size: int | None = None,
    reference: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Map of what speaks for a large value of features @ direction.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, side, side)
        Bone window 0..1.
    backbone : Backbone
    direction : ndarray, shape (2048,) or (n, 2048)
        Weights of the features in the number explained: a class of a tuned head, loadings of a component.
    normalise : {"zscore", "imagenet", "radimagenet", "own"}
    layer : {"layer1", "layer2", "layer3", "layer4"}
        Whose map is weighed; it has size / 4, 8, 16 or 32 pixels along a side.
    size : int, optional
        Side that patches are enlarged to before they enter the network; default: as they are.
    reference : ndarray of float32, shape (3, side, side), optional
        A patch, such as the mean of many, whose map is subtracted first: what all patches share then speaks for
        nothing. Without it a number to which the usual patch contributes negatively gives an empty map.

    Returns
    -------
    ndarray of float32, shape (n, side, side)
        0 where nothing speaks for it, 1 at the strongest place of each patch.
    """
    network, side = folded(backbone.network), patches.shape[-1]
    n, given = len(patches), np.asarray(patches, np.float32)
    given = given if reference is None else np.concatenate([given, reference[None]])
    images = as_images(normalised(given, own(normalise, backbone)))
    if size is not None:
        images = fn.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    kept: list[Tensor] = []

    def keep(_: torch.nn.Module, __: object, found: Tensor) -> Tensor:
        kept.append(found.requires_grad_())
        return found

    handle = getattr(network, layer).register_forward_hook(keep)
    with torch.enable_grad():
        value = (network(images)[:n] * torch.as_tensor(np.asarray(direction, np.float32))).sum()
        (slope,) = torch.autograd.grad(value, kept)
    handle.remove()
    with torch.no_grad():
        usual = 0.0 if reference is None else kept[0][n:]
        maps = (slope[:n].mean(dim=(2, 3), keepdim=True) * (kept[0][:n] - usual)).sum(1, keepdim=True).relu()
        maps = fn.interpolate(maps, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
        top = maps.amax(dim=(1, 2), keepdim=True)
        found: NDArray[np.float32] = (maps / torch.where(top > 0, top, torch.ones_like(top))).numpy()
    return found
