"""Wavelets of a box against PyWavelets on the whole image, beyond what is stored."""

from __future__ import annotations

import numpy as np
import pytest
import pywt

from ovfrad.errors import InputError
from ovfrad.radiomics.filters.wavelet import filters, known_wavelets, wavelets


def whole(image, wavelet, passes, axes):
    """Smooth image after `passes` levels, with PyRadiomics' padding of odd sides."""
    data = np.pad(image, [(0, size % 2) for size in image.shape], "wrap")
    for _ in range(passes):
        data = pywt.swtn(data, wavelet, level=1, axes=axes)[0]["a" * len(axes)]
    return data[tuple(map(slice, image.shape))]


@pytest.mark.parametrize("wavelet", ["coif1", "sym4", "rbio3.1", "db20"])
@pytest.mark.parametrize("shape", [(1, 3, 40), (17, 16, 5)])
@pytest.mark.parametrize("flat_axis", [None, 0, 2])
def test_the_box_can_lie_anywhere(wavelet, shape, flat_axis):
    image = np.random.default_rng(3).integers(-1000, 2000, shape).astype(np.int16)
    axes = tuple(axis for axis in (2, 1, 0) if axis != flat_axis)
    expected = whole(image, wavelet, 2, axes)
    for part in (slice(0, 2), slice(1, None), slice(None)):
        box = (part if shape[0] > 1 else slice(0, 1), part, part)
        *_, (name, smooth) = wavelets(image, box, wavelet=wavelet, level=2, flat_axis=flat_axis)
        assert name == f"wavelet2-{'L' * len(axes)}"
        np.testing.assert_array_equal(smooth, expected[box])


def test_names_say_the_axes_from_i_to_k():
    along_k = np.zeros((8, 8, 8)) + 100 * (np.arange(8)[:, None, None] % 2)
    energy = {name: np.abs(values).sum() for name, values in wavelets(along_k, (slice(2, 6),) * 3)}
    assert {name for name, value in energy.items() if value > 1e-6} == {"wavelet-LLH", "wavelet-LLL"}


def test_a_constant_is_multiplied_by_the_square_root_of_8():
    (name, smooth), *_ = reversed(list(wavelets(np.full((8, 6, 10), 50, np.int16), (slice(2, 4),) * 3)))
    assert name == "wavelet-LLL"
    np.testing.assert_allclose(smooth, 50 * np.sqrt(8), rtol=1e-12)


def test_filters_are_the_coefficients_of_pywavelets():
    for name in known_wavelets():
        bank = pywt.Wavelet(name)
        np.testing.assert_array_equal(filters(name), [bank.dec_lo, bank.dec_hi])
        np.testing.assert_allclose(filters(name, "float32"), [bank.dec_lo, bank.dec_hi], atol=6e-8)


def test_an_unknown_wavelet_is_refused():
    with pytest.raises(InputError, match="E_SETTING_VALUE wavelet: 'mexh' is no wavelet; give one of "):
        filters("mexh")


def test_the_image_is_left_alone_and_may_be_read_only():
    image = np.random.default_rng(1).normal(size=(6, 6, 6))
    image.setflags(write=False)
    before = image.copy()
    for _, values in wavelets(image, (slice(None),) * 3):
        values += 1
    np.testing.assert_array_equal(image, before)
