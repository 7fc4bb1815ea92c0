"""2048 numbers of each patch from a frozen network (METHODS D1, D2, D4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ovfrad.deep.resnet import N_FEATURES
from ovfrad.deep.weights import Backbone

Normalisation = Literal["zscore", "imagenet", "radimagenet"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


def features(
    patches: NDArray[np.float32],
    backbone: Backbone,
    normalise: Normalisation = "zscore",
    *,
    batch_size: int = 32,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Features of patches by global average pooling, network in evaluation mode and without gradients.

    Parameters
    ----------
    patches : ndarray of float32, shape (n, 3, size, size)
        Bone window 0..1, as `ovfrad.deep.patch.patch` gives them.
    backbone : Backbone
        Network of `ovfrad.deep.weights.load`.
    normalise : {"zscore", "imagenet", "radimagenet"}
        See `normalised`.
    batch_size : int
        Patches in memory at a time; the features do not depend on it by more than 1e-5 of their size.
    threads : int, optional
        Threads of torch while this runs; default: as set.

    Returns
    -------
    ndarray of float32, shape (n, 2048)
    """
    patches = np.asarray(patches, dtype=np.float32)
    if patches.ndim != 4 or patches.shape[1] != 3:
        raise ValueError(f"patches must have shape (n, 3, size, size), not {patches.shape}")
    if not np.isfinite(patches).all():
        raise ValueError("patches hold NaN or infinite values")
    out = np.empty((len(patches), N_FEATURES), dtype=np.float32)
    network = backbone.network.eval()
    with _threads(threads), torch.inference_mode():
        for start in range(0, len(patches), batch_size):
            batch = torch.from_numpy(normalised(patches[start : start + batch_size], normalise))
            out[start : start + batch_size] = network(batch.contiguous(memory_format=torch.channels_last)).numpy()
    return out


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
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number or before)
        yield
    finally:
        torch.set_num_threads(before)
