"""2048 numbers of each patch from a frozen network (METHODS D1, D2, D4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ovfrad.deep.layouts import OWN_NORMALISATION
from ovfrad.deep.precision import Precision, dtype_of
from ovfrad.deep.resnet import N_FEATURES, ResNet50, folded
from ovfrad.deep.weights import Backbone

Normalisation = Literal["zscore", "imagenet", "radimagenet", "own"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
BATCH = 64
"""Patches in memory at a time: from here on larger batches are not faster on two cores."""
BLOCK = 4096
"""Rows of a block of features: 32 MB, which the C library gives back whole."""
Patches = NDArray[np.float32] | Iterable[NDArray[np.float32]]


def features(
    patches: Patches,
    backbone: Backbone,
    normalise: Normalisation = "zscore",
    *,
    precision: Precision = "float32",
    batch_size: int = BATCH,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Features of patches by global average pooling, network in evaluation mode and without gradients.

    Batch normalisations are folded into the convolutions, and images lie channels-last; in float32 that changes
    features by rounding (1e-5 of the largest).

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, size, size), or iterable of n such patches
        Bone window 0..1, as `ovfrad.deep.patch.patch` gives them. Of an iterable, one batch is in memory at a time.
    backbone : Backbone
        Network of `ovfrad.deep.weights.load`.
    normalise : {"zscore", "imagenet", "radimagenet", "own"}
        See `normalised`; `own` is what the makers of the weights used, `zscore` for a random network.
    precision : {"float32", "bfloat16", "auto"}
        Of the network's arithmetic; see `ovfrad.deep.precision`. bfloat16 changes features by about 1 % of the
        largest.
    batch_size : int
        Patches in memory at a time; the features do not depend on it by more than 1e-5 of their size in float32.
    threads : int, optional
        Threads of torch while this runs; default: as set.

    Returns
    -------
    ndarray of float32, shape (n, 2048)

    Raises
    ------
    ValueError
        A patch of another shape, or with NaN or infinite values.
    """
    if isinstance(patches, np.ndarray):
        _require_patches(patches[:1] if patches.ndim == 4 else patches)
    kind, how = dtype_of(precision), own(normalise, backbone)
    network = folded(backbone.network).to(kind)
    with torch_threads(threads), torch.inference_mode():
        return _stacked(
            network(as_images(normalised(images, how), kind)).float().numpy() for images in batches(patches, batch_size)
        )


def _stacked(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Rows of all parts, shape (n, 2048), gathered in large blocks: many small arrays kept leave holes in memory."""
    full, block, filled = [], np.empty((BLOCK, N_FEATURES), np.float32), 0
    for part in parts:
        rest = part
        while len(rest):
            taken = rest[: BLOCK - filled]
            block[filled : filled + len(taken)] = taken
            filled, rest = filled + len(taken), rest[len(taken) :]
            if filled == BLOCK:
                full.append(block)
                block, filled = np.empty((BLOCK, N_FEATURES), np.float32), 0
    return np.concatenate([*full, block[:filled]])


def outputs(
    patches: Patches, backbone: Backbone, normalise: Normalisation
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (n, 2048) and class scores (n, K) by a tuned network, in float32.

    Scores are centred over the classes of a row: what all of them share means nothing.
    """
    if backbone.head is None:
        raise ValueError("a network without a tuned head has no class scores")
    found = features(patches, backbone, normalise)
    weight, bias = (tensor.numpy() for tensor in backbone.head)
    scores = found @ weight.T + bias
    return found, scores - scores.mean(axis=1, keepdims=True)


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of class scores, shape (n, K).

    >>> softmax(np.zeros((1, 4), np.float32)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def own(normalise: Normalisation, backbone: Backbone) -> Normalisation:
    """What `own` means for these weights.

    The paper's z-score for a random network, which has no preprocessing of its own.
    """
    return OWN_NORMALISATION.get(backbone.layout, "zscore") if normalise == "own" else normalise


def as_images(batch: NDArray[np.float32], kind: torch.dtype = torch.float32, device: str = "cpu") -> Tensor:
    """Patches (n, 3, size, size) as a tensor whose channels lie last in memory."""
    return torch.from_numpy(batch).to(device=device, dtype=kind, memory_format=torch.channels_last)


def trunk_maps(patches: Patches, network: ResNet50, normalise: Normalisation, batch_size: int = BATCH) -> Tensor:
    """Maps of layer3, shape (n, 1024, size / 16, size / 16): what a tuned last stage starts from."""
    fixed, parts = folded(network), []
    with torch.inference_mode():
        for images in batches(patches, batch_size):
            parts.append(fixed.trunk(as_images(normalised(images, normalise))))
    return torch.cat(parts).clone()


def batches(patches: Patches, size: int) -> Iterator[NDArray[np.float32]]:
    """Patches in arrays of (at most size, 3, height, width), checked, one in memory at a time."""
    patches = iter(patches)
    while chunk := list(islice(patches, size)):
        images = np.stack([np.asarray(patch, np.float32) for patch in chunk])
        _require_patches(images)
        yield images


def _require_patches(patches: NDArray[np.float32]) -> None:
    if patches.ndim != 4 or patches.shape[1] != 3:
        raise ValueError(f"patches must have shape (n, 3, size, size), not {patches.shape}")
    if not np.isfinite(patches).all():
        raise ValueError("patches hold NaN or infinite values")


def normalised(patches: NDArray[np.float32], how: Normalisation) -> NDArray[np.float32]:
    """Scale patches as the network's first layer expects them.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, size, size)
        Grey values 0..1.
    how : {"zscore", "imagenet", "radimagenet"}
        `zscore`: every patch to mean 0 and SD 1 (the paper; a constant patch becomes 0). `imagenet`: torchvision's
        channel means and SDs. `radimagenet`: (x - 127.5) * 2 / 255 of grey values 0..255.

    Examples
    --------
    >>> normalised(np.full((1, 3, 1, 1), 0.5, np.float32), "radimagenet").ravel().tolist()
    [0.0, 0.0, 0.0]
    """
    if how == "radimagenet":
        return np.float32(2.0) * patches - np.float32(1.0)
    if how == "imagenet":
        mean, sd = (np.array(value, np.float32)[:, None, None] for value in (IMAGENET_MEAN, IMAGENET_SD))
        return (patches - mean) / sd
    if how != "zscore":
        raise ValueError(f"normalise must be zscore, imagenet or radimagenet, not {how!r}")
    mean = patches.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    sd = patches.std(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    flat = sd < np.finfo(np.float32).eps
    return np.where(flat, 0.0, (patches - mean) / np.where(flat, 1.0, sd)).astype(np.float32)


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Threads of torch while this runs; None: as set."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        yield
    finally:
        torch.set_num_threads(before)
