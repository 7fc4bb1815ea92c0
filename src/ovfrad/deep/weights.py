"""Weights of the ResNet-50: the one place where weight files are read, recognised by keys and shapes, or refused.

Only safetensors files are loaded; a pickled `.pth` goes through `convert` once, in a process of its own. Nothing is
ever half loaded: every tensor of a file has its place in the network, or is named as unused, or the file is refused.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ovfrad.deep.layouts import HEAD, KERAS, OWN_NORMALISATION, expected_shapes, recognise
from ovfrad.deep.resnet import ResNet50, empty_network, random_state
from ovfrad.errors import InputError

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
CONVERT_SECONDS = 600.0
"""Longest time the converting process may take; a 100 MB file takes a few seconds."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen ResNet-50 and where its numbers come from.

    Parameters
    ----------
    network : ResNet50
        In evaluation mode, without gradients, float32.
    sha256 : str
        Of the weights file; of the tensors for a random network.
    layout : str
        `torchvision`, `radimagenet-pytorch`, `keras-converted` or `random`.
    description : str
        For tables and figures, as `random (seed 0)`.
    head : tuple of Tensor, optional
        Weight (K, 2048) and bias (K,) of a tuned classification head; the head of a weights file is not used.
    """

    network: ResNet50
    sha256: str
    layout: str
    description: str
    head: tuple[Tensor, Tensor] | None = None


def load(source: str | Path, seed: int = 0) -> Backbone:
    """Load a weights file, or build the random network.

    Parameters
    ----------
    source : str or Path
        A `.safetensors` file in one of the layouts of `ovfrad.deep.layouts`, or `random`.
    seed : int
        Of the random network.

    Returns
    -------
    Backbone

    Raises
    ------
    InputError
        E_WEIGHTS_MISSING, E_WEIGHTS_PICKLE, E_WEIGHTS_FILE, E_WEIGHTS_LAYOUT, E_WEIGHTS_SHAPE, E_WEIGHTS_VALUES.
    """
    if str(source) == "random":
        state = random_state(seed)
        return Backbone(_network(state), tensors_sha256(state), "random", f"random (seed {seed})")
    path = Path(source)
    found = _read(path)
    digest = _file_sha256(path)
    layout = found.metadata.get("layout_of_source", found.layout)
    layout = layout if layout in (*OWN_NORMALISATION, "random") else found.layout
    description = f"{path.name} ({layout} layout, sha256 {digest[:12]})"
    return Backbone(_network(found.state), digest, layout, description)


def save(backbone: Backbone, path: Path) -> None:
    """Write the network as a safetensors file under torchvision's names, for a bundle."""
    state = {key: tensor.contiguous() for key, tensor in backbone.network.state_dict().items()}
    origin = {"description": backbone.description, "source_sha256": backbone.sha256}
    origin["layout_of_source"] = backbone.layout  # whose preprocessing `normalise: own` means
    if backbone.head is not None:
        state |= dict(zip(HEAD, backbone.head, strict=True))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / "weights.safetensors"
        save_file(state, draft, metadata=origin)
        draft.replace(path)


def load_tuned(path: Path) -> Backbone:
    """Load what `save` wrote of a tuned network, with its head."""
    backbone = load(path)
    with safe_open(path, framework="pt") as file:
        return replace(backbone, head=(file.get_tensor(HEAD[0]), file.get_tensor(HEAD[1])))


def show(path: str | Path) -> dict[str, Any]:
    """Say what a weights file is, after the same checks as `load`.

    Returns
    -------
    dict
        file, layout, tensors, parameters, unused (names of tensors without a place), dtype, sha256, metadata.
    """
    path = Path(path)
    found = _read(path)
    return {
        "file": path.name,
        "layout": found.layout,
        "tensors": len(found.state),
        "parameters": sum(t.numel() for key, t in found.state.items() if key.endswith(("weight", "bias"))),
        "unused": list(found.unused),
        "dtype": found.dtype,
        "sha256": _file_sha256(path),
        "metadata": found.metadata,
    }


def convert(source: str | Path, target: str | Path | None = None) -> Path:
    """Turn a pickled PyTorch state dict into a checked safetensors file beside it.

    The file is opened by `torch.load(weights_only=True)` in a process of its own, and nowhere else.

    Parameters
    ----------
    source : str or Path
        `.pth` or `.pt` file.
    target : str or Path, optional
        Default: the same name with `.safetensors`; an existing file is not overwritten.

    Returns
    -------
    Path
        The file written.
    """
    source = Path(source)
    target = Path(target) if target is not None else source.with_suffix(".safetensors")
    if not source.is_file():
        raise _missing(source)
    if target.exists():
        raise InputError("E_WEIGHTS_EXISTS", target, "the file exists already", "move it, or name another target")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / "weights.safetensors"
        _unpickle(source, draft)
        _read(draft, name=source.name)
        draft.replace(target)
    return target


def _unpickle(source: Path, target: Path) -> None:
    command = [sys.executable, "-P", "-m", "ovfrad.deep.unpickle", str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        fault = f"not read within {CONVERT_SECONDS:.0f} s"
        raise InputError("E_WEIGHTS_FILE", source, fault, "check the file") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["the process ended without a word"])[-1]
        raise InputError(
            "E_WEIGHTS_FILE", source, f"not a readable PyTorch state dict ({last})", "download the file again"
        )


@dataclass(frozen=True)
class _Found:
    state: dict[str, Tensor]  # complete, torchvision names
    layout: str
    unused: tuple[str, ...]
    dtype: str
    metadata: dict[str, str]


def _read(path: Path, name: str | None = None) -> _Found:
    """Read and check a safetensors file; `name` stands for it in messages."""
    shown = name or path.name
    _require_safetensors(path)
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            layout, places, unused = recognise(shapes, shown)
            state = {ours: file.get_tensor(theirs) for ours, theirs in places.items()}
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        fault = f"not a complete safetensors file ({error}; {path.stat().st_size} bytes)"
        raise InputError("E_WEIGHTS_FILE", shown, fault, "download or convert it again") from error
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values() if tensor.ndim})
    state = {key: _checked(key, tensor, shown) for key, tensor in state.items()}
    for key in expected_shapes(layout == KERAS).keys() - state.keys():
        state[key] = torch.zeros((), dtype=torch.int64)  # num_batches_tracked, absent from older files, unused here
    return _Found(state, layout, unused, ", ".join(dtypes), metadata)


def _require_safetensors(path: Path) -> None:
    if not path.is_file():
        raise _missing(path)
    if path.suffix.lower() in (".pth", ".pt", ".pkl", ".ckpt", ".bin"):
        fault = "a pickled PyTorch file can run code when it is opened"
        raise InputError("E_WEIGHTS_PICKLE", path, fault, f"run `ovfrad weights convert {path.name}` once")
    if path.suffix.lower() != ".safetensors":
        fault = f"{path.suffix or 'no'} suffix"
        raise InputError("E_WEIGHTS_FILE", path, fault, "give a .safetensors file, or the word random")


def _missing(path: Path) -> InputError:
    return InputError("E_WEIGHTS_MISSING", path, "no such file", "see `ovfrad weights where`, or use weights: random")


def _checked(key: str, tensor: Tensor, shown: str) -> Tensor:
    """Return a tensor as the network stores it, or refuse its type or its values."""
    if key.endswith("num_batches_tracked"):
        return tensor.to(torch.int64)
    if tensor.dtype not in FLOATS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise InputError("E_WEIGHTS_VALUES", shown, f"tensor {key} is {kind}", "give floating-point weights")
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        fault = f"tensor {key} holds {bad} NaN or infinite values of {tensor.numel()}"
        raise InputError("E_WEIGHTS_VALUES", shown, fault, "download the file again")
    if key.endswith("running_var") and bool((tensor < 0).any()):
        raise InputError("E_WEIGHTS_VALUES", shown, f"tensor {key} holds a negative variance", "download it again")
    return tensor.to(torch.float32)


def _network(state: Mapping[str, Tensor]) -> ResNet50:
    network = empty_network("conv1.bias" in state)
    network.load_state_dict(dict(state), strict=True, assign=True)
    network.requires_grad_(False).eval()
    return network.to(memory_format=torch.channels_last)


def tensors_sha256(state: Mapping[str, Tensor]) -> str:
    """Digest of names, shapes and numbers of tensors, independent of their order."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
