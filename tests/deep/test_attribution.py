"""Attribution: maps point at what matters, and relevance adds up to what is explained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ovfrad.deep import weights
from ovfrad.deep.features import features
from ovfrad.deep.gradcam import SHRINKS, gradcam
from ovfrad.deep.relevance import handed_back, relevance
from ovfrad.deep.weights import _network


@pytest.fixture(scope="module")
def backbone():
    return weights.load("random")


@pytest.fixture(scope="module")
def patches():
    return np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def direction():
    return np.random.default_rng(1).normal(size=2048)


def test_relevance_adds_up_to_the_value_explained(backbone, patches, direction):
    """A random network has no bias: the pixels have all of it."""
    found = relevance(patches, backbone, direction)
    assert found.pixels.shape == (2, 64, 64)
    assert found.value == pytest.approx(features(patches, backbone) @ direction, rel=1e-3)
    assert found.pixels.sum(axis=(1, 2)) == pytest.approx(found.value, rel=1e-3)


def test_biases_get_their_own_part(backbone, patches, direction):
    state = {name: tensor.clone() for name, tensor in backbone.network.state_dict().items()}
    state["layer4.2.bn3.bias"] += 50.0
    shifted = replace(backbone, network=_network(state))
    found = relevance(patches, shifted, np.abs(direction))
    assert found.value == pytest.approx(features(patches, shifted) @ np.abs(direction), rel=1e-3)
    assert (found.biases > 0.01 * found.value).all()
    assert found.pixels.sum(axis=(1, 2)) + found.biases == pytest.approx(found.value)


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_a_convolution_hands_back_what_it_got(gamma):
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False).double()
    x = torch.rand((2, 3, 8, 8), generator=generator, dtype=torch.float64)
    parts = torch.rand((2, 5, 8, 8), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    back = handed_back(layer.requires_grad_(False), x, parts, gamma)
    assert back.sum(dim=(1, 2, 3)).numpy() == pytest.approx(parts.sum(dim=(1, 2, 3)).numpy(), rel=1e-3)


def test_relevance_of_a_linear_layer_is_weight_times_input():
    layer = torch.nn.Conv2d(1, 1, 1, bias=False).double().requires_grad_(False)
    layer.weight.fill_(2.0)
    x = torch.tensor([[[[1.0, 3.0]]]], dtype=torch.float64)
    assert handed_back(layer, x, layer(x), 0.0).flatten().tolist() == pytest.approx([2.0, 6.0], rel=1e-4)


@pytest.mark.parametrize(("layer", "size"), [("layer2", None), ("layer4", 128)])
def test_gradcam_has_the_pixels_of_its_layer_and_asks_for_one_number(backbone, patches, layer, size):
    direction = features(patches, backbone).mean(axis=0)
    found = gradcam(patches, backbone, direction, layer=layer, size=size)
    assert found.shape == (2, 64, 64) and found.min() >= 0 and found.max() == pytest.approx(1.0, abs=0.1)
    pixels = (size or 64) // SHRINKS[layer]
    assert pixels == {"layer2": 8, "layer4": 4}[layer]
    assert np.array_equal(found, gradcam(patches, backbone, direction, layer=layer, size=size))
    assert not np.allclose(found, gradcam(patches, backbone, -direction, layer=layer, size=size))


def test_gradcam_against_a_reference_forgets_what_patches_share(backbone, patches):
    same = np.concatenate([patches[:1], patches[:1]])
    direction = features(patches, backbone).mean(axis=0)
    assert not gradcam(same, backbone, direction, reference=patches[0]).any()
    assert gradcam(patches[1:], backbone, direction, reference=patches[0]).any()


def test_gradcam_finds_where_the_difference_is(backbone):
    """Of two patches that differ in one corner, the map for their difference points at that corner."""
    base = np.full((1, 3, 64, 64), 0.5, np.float32)
    marked = base.copy()
    marked[:, :, 4:20, 4:20] = np.random.default_rng(0).random((16, 16), dtype=np.float32)
    difference = (features(marked, backbone, "radimagenet") - features(base, backbone, "radimagenet"))[0]
    found = gradcam(marked, backbone, difference, "radimagenet", layer="layer1")[0]
    assert found[:32, :32].mean() > 3 * found[32:, 32:].mean()
    parts = relevance(marked, backbone, difference, "radimagenet").pixels[0]
    assert np.abs(parts[:32, :32]).sum() > 0.9 * np.abs(parts).sum()
