"""Weight files: both layouts load to the same network, everything else is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovfrad.deep import weights
from ovfrad.deep.features import features, normalised
from ovfrad.deep.layouts import RADIMAGENET_MODULES, expected_shapes, recognise
from ovfrad.deep.resnet import random_state
from ovfrad.deep.sources import WHERE
from ovfrad.errors import InputError

TO_RADIMAGENET = {ours: number for number, ours in RADIMAGENET_MODULES.items()}


def _as_radimagenet(key: str) -> str:
    head, _, rest = key.partition(".")
    return f"backbone.{TO_RADIMAGENET[head]}.{rest}"


@pytest.fixture(scope="module")
def state():
    state = random_state(5)
    generator = torch.Generator().manual_seed(1)
    for key, tensor in state.items():  # batch normalisations that do something
        if tensor.ndim == 1:
            state[key] = tensor + 0.3 * torch.rand(tensor.shape, generator=generator)
    return state


@pytest.fixture(scope="module")
def folder(state, tmp_path_factory):
    """One file of each layout with the same numbers."""
    folder = tmp_path_factory.mktemp("weights")
    head = {"fc.weight": torch.zeros(7, 2048), "fc.bias": torch.zeros(7)}
    save_file({**state, **head}, folder / "torchvision.safetensors")
    save_file({_as_radimagenet(key): value for key, value in state.items()}, folder / "radimagenet.safetensors")
    return folder


@pytest.fixture(scope="module")
def patches():
    return np.random.default_rng(0).random((5, 3, 64, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def backbone(folder):
    return weights.load(folder / "torchvision.safetensors")


def _shapes(state):
    return {key: tuple(value.shape) for key, value in state.items()}


def test_keys_and_shapes_are_those_of_torchvision_and_of_radimagenet(shared):
    ours = expected_shapes()
    for name, rename in (("torchvision", str), ("radimagenet_pytorch", _as_radimagenet)):
        listed = json.loads((shared / "reference" / f"resnet50_keys_{name}.json").read_text(encoding="utf-8"))
        listed = {key: tuple(shape) for key, shape in listed if not key.startswith("fc.")}
        assert listed == {rename(key): shape for key, shape in ours.items()}


def test_both_layouts_give_bit_identical_features(folder, backbone, patches):
    other = weights.load(folder / "radimagenet.safetensors")
    assert (backbone.layout, other.layout) == ("torchvision", "radimagenet-pytorch")
    ours = features(patches, backbone)
    assert ours.shape == (5, 2048) and ours.dtype == np.float32 and ours.std() > 0
    assert np.array_equal(ours, features(patches, other))


def test_features_do_not_depend_on_the_batch(backbone, patches):
    whole = features(patches, backbone)
    for size in (1, 2):
        assert np.abs(features(patches, backbone, batch_size=size) - whole).max() <= 1e-5 * np.abs(whole).max()
    assert np.array_equal(features(patches, backbone, threads=1), features(patches, backbone, threads=1))


def test_a_stream_of_patches_gives_the_same_features(backbone, patches):
    assert np.array_equal(features(iter(patches), backbone), features(patches, backbone))
    with pytest.raises(ValueError, match="NaN"):
        features(iter([*patches, np.full((3, 64, 64), np.nan)]), backbone)


def test_bfloat16_changes_features_by_little_and_repeats_itself(backbone, patches):
    exact = features(patches, backbone)
    rough = features(patches, backbone, precision="bfloat16")
    assert 0 < np.abs(rough - exact).max() < 0.03 * np.abs(exact).max()
    assert np.array_equal(rough, features(patches, backbone, precision="bfloat16"))


def test_features_follow_the_equations_of_the_network(backbone, patches, state):
    """The same forward pass written out with torch's functions from the state dict alone."""
    from torch.nn import functional as fn

    def norm(x, key):
        names = ("running_mean", "running_var", "weight", "bias")
        return fn.batch_norm(x, *(state[f"{key}.{name}"] for name in names), eps=1e-5)

    x = torch.from_numpy(normalised(patches[:2], "imagenet"))
    x = fn.max_pool2d(norm(fn.conv2d(x, state["conv1.weight"], stride=2, padding=3), "bn1").relu(), 3, 2, 1)
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            key, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = norm(fn.conv2d(x, state[f"{key}.conv1.weight"]), f"{key}.bn1").relu()
            y = norm(fn.conv2d(y, state[f"{key}.conv2.weight"], stride=stride, padding=1), f"{key}.bn2").relu()
            y = norm(fn.conv2d(y, state[f"{key}.conv3.weight"]), f"{key}.bn3")
            if block == 0:
                x = norm(fn.conv2d(x, state[f"{key}.downsample.0.weight"], stride=stride), f"{key}.downsample.1")
            x = (y + x).relu()
    expected = x.mean(dim=(2, 3)).numpy()
    assert features(patches[:2], backbone, "imagenet") == pytest.approx(
        expected, rel=1e-4, abs=float(1e-4 * expected.max())
    )


def test_random_network_is_a_function_of_its_seed(patches):
    first, again, other = weights.load("random"), weights.load("random", seed=0), weights.load("random", seed=1)
    assert first.description == "random (seed 0)" and first.layout == "random"
    assert first.sha256 == again.sha256 != other.sha256
    assert np.array_equal(features(patches, first), features(patches, again))
    assert not any(parameter.requires_grad for parameter in first.network.parameters())


def test_show_and_save(folder, backbone, tmp_path):
    shown = weights.show(folder / "torchvision.safetensors")
    assert shown["layout"] == "torchvision" and shown["tensors"] == 318 and shown["parameters"] == 23_508_032
    assert shown["unused"] == ["fc.weight", "fc.bias"] and shown["dtype"] == "float32"
    assert shown["sha256"] == backbone.sha256
    assert backbone.description == f"torchvision.safetensors (torchvision layout, sha256 {backbone.sha256[:12]})"
    weights.save(backbone, tmp_path / "backbone.safetensors")
    kept = weights.load(tmp_path / "backbone.safetensors")
    assert weights.tensors_sha256(kept.network.state_dict()) == weights.tensors_sha256(backbone.network.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["backbone.safetensors"]


def test_older_file_without_counters_and_a_parallel_prefix_are_accepted(state):
    shapes = _shapes({f"module.{key}": value for key, value in state.items() if "num_batches" not in key})
    layout, places, unused = recognise(shapes, "file")
    assert layout == "torchvision" and len(places) == 265 and unused == ()
    assert places["conv1.weight"] == "module.conv1.weight"


def _refusal(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _as_keras(state):
    """Numbers of the third layout: torchvision's names, a bias on every convolution, no counters."""
    generator = torch.Generator().manual_seed(2)
    biases = {
        key.removesuffix("weight") + "bias": 0.1 * torch.randn(len(value), generator=generator)
        for key, value in state.items()
        if value.ndim == 4
    }
    return {key: value for key, value in {**state, **biases}.items() if "num_batches" not in key}


def test_keras_converted_layout_is_the_network_of_keras(state, patches, tmp_path):
    """ResNet v1 written out with torch's functions: stride on the first 1x1 convolution, biases, epsilon 1.001e-5."""
    from torch.nn import functional as fn

    numbers = _as_keras(state)
    save_file(numbers, tmp_path / "keras.safetensors")
    backbone = weights.load(tmp_path / "keras.safetensors")
    assert backbone.layout == "keras-converted" and weights.show(tmp_path / "keras.safetensors")["tensors"] == 371

    def norm(x, key):
        names = ("running_mean", "running_var", "weight", "bias")
        return fn.batch_norm(x, *(numbers[f"{key}.{name}"] for name in names), eps=1.001e-5)

    def conv(x, key, stride=1, padding=0):
        return fn.conv2d(x, numbers[f"{key}.weight"], numbers[f"{key}.bias"], stride, padding)

    x = torch.from_numpy(normalised(patches[:2], "radimagenet"))
    x = norm(conv(fn.pad(x, (3, 3, 3, 3)), "conv1", 2), "bn1").relu()
    x = fn.max_pool2d(fn.pad(x, (1, 1, 1, 1)), 3, 2)
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            key, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = norm(conv(x, f"{key}.conv1", stride), f"{key}.bn1").relu()
            y = norm(conv(y, f"{key}.conv2", 1, 1), f"{key}.bn2").relu()
            y = norm(conv(y, f"{key}.conv3"), f"{key}.bn3")
            if block == 0:
                x = norm(conv(x, f"{key}.downsample.0", stride), f"{key}.downsample.1")
            x = (y + x).relu()
    expected = x.mean(dim=(2, 3)).numpy()
    assert features(patches[:2], backbone, "own") == pytest.approx(expected, rel=1e-4, abs=1e-4 * float(expected.max()))


def test_one_bias_too_few_is_no_known_layout(state):
    shapes = _shapes(_as_keras(state))
    del shapes["layer2.1.conv3.bias"]
    assert "1 of 371 absent (as layer2.1.conv3.bias)" in _refusal(recognise, shapes, "k.safetensors")


def test_own_preprocessing_follows_the_layout_also_through_a_bundle(folder, patches, tmp_path):
    means = {"torchvision": "imagenet", "radimagenet": "radimagenet"}
    for name, meant in means.items():
        backbone = weights.load(folder / f"{name}.safetensors")
        found = features(patches, backbone, "own")
        assert np.array_equal(found, features(patches, backbone, meant))
        weights.save(backbone, tmp_path / "backbone.safetensors")
        assert np.array_equal(found, features(patches, weights.load(tmp_path / "backbone.safetensors"), "own"))
    random = weights.load("random")
    assert np.array_equal(features(patches, random, "own"), features(patches, random, "zscore"))


def test_unknown_layout_is_refused_with_what_was_found(state):
    shapes = _shapes(state)
    del shapes["layer3.2.conv2.weight"]
    shapes["attention.q"] = (4, 4)
    assert _refusal(recognise, shapes, "w.safetensors") == (
        "E_WEIGHTS_LAYOUT w.safetensors: not a known ResNet-50 layout: 318 tensors (conv1.weight, bn1.weight, bn1.bias "
        "..), 1 of 318 absent (as layer3.2.conv2.weight), 1 without a place (as attention.q); accepted: torchvision, "
        "radimagenet-pytorch or keras-converted"
    )
    assert "0 tensors (none ..), 265 of 318 absent" in _refusal(recognise, {}, "w")


def test_misshaped_tensor_and_half_a_head_are_refused(state):
    shapes = _shapes(state) | {"conv1.weight": (64, 1, 7, 7)}
    assert _refusal(recognise, shapes, "w.safetensors") == (
        "E_WEIGHTS_SHAPE w.safetensors: 1 tensors have another shape: conv1.weight is [64, 1, 7, 7] instead of "
        "[64, 3, 7, 7]; give the weights of a ResNet-50"
    )
    assert "E_WEIGHTS_SHAPE" in _refusal(recognise, _shapes(state) | {"fc.weight": (10, 512), "fc.bias": (10,)}, "w")
    assert "E_WEIGHTS_LAYOUT" in _refusal(recognise, _shapes(state) | {"fc.weight": (10, 2048)}, "w")


def test_nan_integer_and_negative_variance_are_refused(state, tmp_path):
    path = tmp_path / "w.safetensors"
    bad = dict(state)
    bad["layer1.0.bn1.bias"] = torch.full((64,), float("nan"))
    save_file(bad, path)
    assert _refusal(weights.load, path) == (
        "E_WEIGHTS_VALUES w.safetensors: tensor layer1.0.bn1.bias holds 64 NaN or infinite values of 64; download the "
        "file again"
    )
    assert "is int32" in _refusal(weights._checked, "conv1.weight", torch.zeros(3, dtype=torch.int32), "w")
    assert "negative variance" in _refusal(weights._checked, "bn1.running_var", -torch.ones(3), "w")
    assert weights._checked("conv1.weight", torch.ones(2, dtype=torch.float16), "w").dtype == torch.float32


def test_truncated_missing_and_pickled_files_are_refused(folder, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((folder / "torchvision.safetensors").read_bytes()[:1_000_000])
    assert _refusal(weights.load, cut).startswith("E_WEIGHTS_FILE cut.safetensors: not a complete safetensors file")
    assert _refusal(weights.load, tmp_path / "no.safetensors") == (
        "E_WEIGHTS_MISSING no.safetensors: no such file; see `ovfrad weights where`, or use weights: random"
    )
    pickled = tmp_path / "ResNet50.pt"
    pickled.write_bytes(b"x")
    assert _refusal(weights.load, pickled) == (
        "E_WEIGHTS_PICKLE ResNet50.pt: a pickled PyTorch file can run code when it is opened; run `ovfrad weights "
        "convert ResNet50.pt` once"
    )
    assert "E_WEIGHTS_FILE ResNet50.pt: not a readable PyTorch state dict" in _refusal(weights.convert, pickled)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ResNet50.pt", "cut.safetensors"]


def test_convert_reads_a_state_dict_in_a_process_of_its_own(state, patches, backbone, tmp_path):
    source = tmp_path / "ResNet50.pt"
    torch.save({"state_dict": {_as_radimagenet(key): value for key, value in state.items()}}, source)
    written = weights.convert(source)
    assert written == tmp_path / "ResNet50.safetensors"
    shown = weights.show(written)
    assert shown["layout"] == "radimagenet-pytorch" and shown["metadata"]["source"] == "ResNet50.pt"
    assert np.array_equal(features(patches, weights.load(written)), features(patches, backbone))
    assert "E_WEIGHTS_EXISTS ResNet50.safetensors: the file exists already" in _refusal(weights.convert, source)


class _Payload:
    def __reduce__(self):
        return print, ("code ran",)


def test_convert_runs_no_code_of_the_file(tmp_path):
    source = tmp_path / "evil.pth"
    torch.save({"conv1.weight": _Payload()}, source)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ovfrad.deep.unpickle", str(source), str(tmp_path / "out.safetensors")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "code ran" not in done.stdout and not (tmp_path / "out.safetensors").exists()
    assert len(done.stderr.strip().splitlines()) == 1


def test_normalisations():
    rng = np.random.default_rng(3)
    batch = rng.random((4, 3, 8, 8), dtype=np.float32)
    batch[3] = 0.25
    scored = normalised(batch, "zscore")
    assert scored[:3].mean(axis=(1, 2, 3)) == pytest.approx(0, abs=1e-6)
    assert scored[:3].std(axis=(1, 2, 3)) == pytest.approx(1, abs=1e-6)
    assert not scored[3].any()
    assert normalised(batch, "radimagenet") == pytest.approx((batch * 255 - 127.5) * 2 / 255, abs=1e-6)
    assert normalised(batch, "imagenet")[0, 2, 0, 0] == pytest.approx((batch[0, 2, 0, 0] - 0.406) / 0.225)
    with pytest.raises(ValueError, match="normalise must be zscore, imagenet or radimagenet, not 'none'"):
        normalised(batch, "none")


def test_wrong_patches_are_refused(backbone):
    with pytest.raises(ValueError, match=r"patches must have shape \(n, 3, size, size\), not \(2, 64, 64\)"):
        features(np.zeros((2, 64, 64), np.float32), backbone)
    with pytest.raises(ValueError, match="patches hold NaN or infinite values"):
        features(np.full((1, 3, 64, 64), np.nan, np.float32), backbone)
    assert features(np.empty((0, 3, 64, 64), np.float32), backbone).shape == (0, 2048)


def test_text_on_where_weights_come_from_names_sources_and_terms():
    for word in ("RadImageNet", "torchvision", "BSD-3-Clause", "ovfrad weights convert", "MIT licence"):
        assert word in WHERE
