"""Layouts of ResNet-50 weight files, told apart by their keys and shapes.

torchvision's own state dict (320 tensors with its head `fc`), and the official RadImageNet file for PyTorch (318, no
head), which numbers the children of torchvision's network. A third one circulates that was converted from the Keras
weights under torchvision's names: another network (a bias on each of the 53 convolutions, strides of ResNet v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from ovfrad.deep.resnet import N_FEATURES, empty_network
from ovfrad.errors import InputError

TORCHVISION, RADIMAGENET, KERAS = "torchvision", "radimagenet-pytorch", "keras-converted"
RADIMAGENET_MODULES = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
"""Children of the official RadImageNet PyTorch file, `backbone.<n>`, and their names in torchvision."""
HEAD = ("fc.weight", "fc.bias")


OWN_NORMALISATION: dict[str, Literal["imagenet", "radimagenet"]] = {
    TORCHVISION: "imagenet",
    RADIMAGENET: "radimagenet",
    KERAS: "radimagenet",
}
"""Preprocessing that each layout's makers trained with; a random network has none of its own."""


@cache
def expected_shapes(v1: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the keys and shapes of a headless ResNet-50: 318, and 53 biases more in version 1."""
    return {key: tuple(tensor.shape) for key, tensor in empty_network(v1).state_dict().items()}


def recognise(shapes: Mapping[str, tuple[int, ...]], shown: str) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """Find the layout of a file from its keys and shapes.

    Parameters
    ----------
    shapes : mapping
        Key of the file -> shape.
    shown : str
        Name of the file in messages.

    Returns
    -------
    layout : str
    places : dict
        Key of the network -> key of the file.
    unused : tuple of str
        Keys of the file's classification head.
    """
    bare = {key.removeprefix("module."): key for key in shapes}  # `module.`: written under DataParallel
    layout = RADIMAGENET if any(key.startswith("backbone.") for key in bare) else TORCHVISION
    renamed = {_torchvision_name(key): original for key, original in bare.items()}
    layout = KERAS if layout == TORCHVISION and "conv1.bias" in renamed else layout
    expected = expected_shapes(layout == KERAS)
    extra = [key for key in renamed if key not in expected and key not in HEAD]
    absent = [key for key in expected if key not in renamed and not key.endswith("num_batches_tracked")]
    head = [key for key in HEAD if key in renamed]
    if extra or absent or len(head) == 1 or len(renamed) != len(shapes):
        raise _unknown_layout(shapes, expected, extra, absent, shown)
    _require_shapes({key: shapes[original] for key, original in renamed.items()}, expected, shown)
    places = {key: original for key, original in renamed.items() if key in expected}
    return layout, places, tuple(renamed[key] for key in head)


def _torchvision_name(key: str) -> str:
    if not key.startswith("backbone."):
        return key
    child, _, rest = key.removeprefix("backbone.").partition(".")
    return f"{RADIMAGENET_MODULES[child]}.{rest}" if child in RADIMAGENET_MODULES else key


def _unknown_layout(
    shapes: Mapping[str, tuple[int, ...]],
    expected: Mapping[str, tuple[int, ...]],
    extra: list[str],
    absent: list[str],
    shown: str,
) -> InputError:
    first = ", ".join(list(shapes)[:3]) or "none"
    fault = (
        f"not a known ResNet-50 layout: {len(shapes)} tensors ({first} ..), {len(absent)} of "
        f"{len(expected)} absent{_example(absent)}, {len(extra)} without a place{_example(extra)}"
    )
    return InputError("E_WEIGHTS_LAYOUT", shown, fault, f"accepted: {TORCHVISION}, {RADIMAGENET} or {KERAS}")


def _example(keys: list[str]) -> str:
    return f" (as {keys[0]})" if keys else ""


def _require_shapes(shapes: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], shown: str) -> None:
    classes = shapes.get("fc.bias", (0,))
    head = {"fc.bias": classes, "fc.weight": (*classes, N_FEATURES)}
    wanted = {**expected, **head}
    wrong = [key for key, shape in shapes.items() if tuple(shape) != wanted[key]]
    if wrong:
        key = wrong[0]
        fault = f"{len(wrong)} tensors have another shape: {key} is {list(shapes[key])} instead of {list(wanted[key])}"
        raise InputError("E_WEIGHTS_SHAPE", shown, fault, "give the weights of a ResNet-50")
