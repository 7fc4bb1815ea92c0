"""Small images, boxes in them, and the filters for which make_filters.py writes PyRadiomics' results."""

from __future__ import annotations

import numpy as np

SPACING = (3.0, 0.8, 0.7)
"""Voxel size along (k, j, i), mm."""

SHAPE = (9, 14, 11)
"""One even and two odd sides."""


def _ct():
    """Integers as in a CT, with a block of one value, where filters give zero or rounding."""
    image = np.random.default_rng(7).integers(-300, 900, SHAPE).astype(np.int16)
    image[2:8, 3:12, 2:9] = 40
    image[4:6, 6:9, 5:8] += np.random.default_rng(8).integers(0, 3, (2, 3, 3)).astype(np.int16)
    return image


def _noise(dtype, shape=SHAPE):
    return np.random.default_rng(9).normal(20, 150, shape).astype(dtype)


IMAGES = {
    "ct": _ct,
    "ct_corner": _ct,
    "single": lambda: _noise(np.float32),
    "double": lambda: _noise(np.float64),
    "flat": lambda: _noise(np.float64, (1, 5, 4)),
}

BOXES = {
    "ct": (slice(3, 6), slice(4, 9), slice(3, 8)),
    "ct_corner": (slice(6, 9), slice(0, 4), slice(7, 11)),
    "single": (slice(3, 5), slice(4, 8), slice(4, 7)),
    "double": (slice(0, 3), slice(10, 14), slice(4, 8)),
    "flat": (slice(0, 1), slice(0, 5), slice(0, 4)),
}
"""Image -> box: inside, in a corner, at two borders, and all of an image smaller than most filters."""

POINTWISE = {"Square": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}}

CASES = {
    # case: (image, image types, settings)
    **{f"coif1_{image}": (image, {"Wavelet": {}}, {}) for image in IMAGES},
    **{f"pointwise_{image}": (image, POINTWISE, {}) for image in ("ct", "single", "double")},
    **{f"gradient_{image}": (image, {"Gradient": {}}, {}) for image in IMAGES},
    "gradient_voxels": ("ct", {"Gradient": {"gradientUseSpacing": False}}, {}),
    **{
        f"{wavelet.replace('.', '_')}_{image}": (image, {"Wavelet": {"wavelet": wavelet}}, {})
        for wavelet in ("haar", "db3", "bior1.3", "dmey")
        for image in ("ct", "double")
    },
    "level_2": ("ct_corner", {"Wavelet": {"level": 2}}, {}),
    "level_3": ("flat", {"Wavelet": {"level": 3, "wavelet": "db2"}}, {}),
    "start_level_1": ("double", {"Wavelet": {"start_level": 1}}, {}),
    "start_level_1_level_2": ("single", {"Wavelet": {"start_level": 1, "level": 2, "wavelet": "haar"}}, {}),
    **{
        f"wavelet_2d_{axis}": ("ct_corner", {"Wavelet": {"level": 2}}, {"force2D": True, "force2Ddimension": axis})
        for axis in range(3)
    },
    **{
        f"lbp_{method}_{axis}": (
            "ct" if axis else "ct_corner",
            {"LBP2D": {"lbp2DMethod": method}},
            {"force2D": True, "force2Ddimension": axis},
        )
        for method in ("uniform", "default", "ror", "nri_uniform")
        for axis in range(3)
    },
    "lbp_in_space": ("ct", {"LBP2D": {}}, {}),
    "lbp_wide": ("double", {"LBP2D": {"lbp2DRadius": 2.3, "lbp2DSamples": 12}}, {"force2D": True}),
    "lbp_rotations": ("single", {"LBP2D": {"lbp2DMethod": "ror", "lbp2DSamples": 11}}, {"force2D": True}),
    "lbp_variance": ("double", {"LBP2D": {"lbp2DMethod": "var", "lbp2DRadius": 1.5}}, {"force2D": True}),
    "lbp_small": ("flat", {"LBP2D": {"lbp2DRadius": 3, "lbp2DMethod": "nri_uniform"}}, {"force2D": True}),
}
