"""The images, regions and settings of processing_3.0.1.npz, for its generator and for the tests."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

SPACING = (2.5, 0.9, 0.7)
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
INTERPOLATORS = (
    "NearestNeighbor",
    "Linear",
    "Gaussian",
    "LabelGaussian",
    "HammingWindowedSinc",
    "CosineWindowedSinc",
    "WelchWindowedSinc",
    "LanczosWindowedSinc",
    "BlackmanWindowedSinc",
)


class Case(NamedTuple):
    """Image and mask (k, j, i), spacing (k, j, i) in mm, PyRadiomics' settings, SimpleITK's origin and direction."""

    image: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float, float]
    settings: dict[str, Any]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def _image(dtype: type) -> np.ndarray:
    rng = np.random.default_rng(41)
    k, j, i = np.indices((9, 13, 15))
    return (40 * k + 12 * j - 9 * i + rng.integers(-90, 90, k.shape) + (0.37 if dtype is np.float32 else 0)).astype(
        dtype
    )


def _ball(radius: float = 1.0) -> np.ndarray:
    k, j, i = np.indices((9, 13, 15)) - np.array([4.0, 6.0, 7.0])[:, None, None, None]
    return (k / 2.5) ** 2 + (j / 4.2) ** 2 + (i / 4.6) ** 2 < radius**2


def _border() -> np.ndarray:
    mask = np.zeros((9, 13, 15), bool)
    mask[:4, 8:, :6] = True
    mask[2:, 9:, 2:] = True
    return mask


def _slice() -> np.ndarray:
    mask = _ball()
    mask[:4] = mask[5:] = False
    return mask


def cases() -> dict[str, Case]:
    """Every case by name."""
    ct, mr = _image(np.int16), _image(np.float32)

    def resampled(spacing: list[float], name: str = "BSpline", pad: int = 2, **more: Any) -> dict[str, Any]:
        return {"resampledPixelSpacing": spacing, "interpolator": f"sitk{name}", "padDistance": pad, **more}

    def reseg(edges: list[float], mode: str = "absolute", **more: Any) -> dict[str, Any]:
        return {"resegmentRange": edges, "resegmentMode": mode, **more}

    found = {
        "nothing": Case(ct, _ball(), SPACING, {}),
        "precrop": Case(ct, _ball(), SPACING, {"preCrop": True, "padDistance": 3}),
        "same_spacing": Case(ct, _ball(), SPACING, resampled([0.7, 0.9, 2.5])),
        "down": Case(ct, _ball(), SPACING, resampled([1.3, 1.7, 3.1])),
        "up": Case(mr, _ball(), SPACING, resampled([0.61, 0.6, 1.3], pad=0)),
        "mixed": Case(mr, _ball(), SPACING, resampled([1.0, 1.0, 1.0], pad=0)),
        "in_plane": Case(ct, _ball(), SPACING, resampled([1.5, 1.1, 0.0])),
        "one_slice": Case(ct, _slice(), SPACING, resampled([1.2, 1.2, 1.2], pad=3)),
        "border_down": Case(ct, _border(), SPACING, resampled([1.2, 1.2, 3.2], pad=5)),
        "border_up": Case(ct, _border(), SPACING, resampled([0.6, 0.8, 2.2], pad=5)),
        "ties": Case(ct, _ball(), (2.0, 0.7, 0.7), resampled([1.4, 1.4, 1.0])),
        "ties_elsewhere": Case(
            ct, _ball(), (2.0, 0.7, 0.7), resampled([1.4, 1.4, 1.0]), (-123.4, 71.3, 901.7), OBLIQUE
        ),
        "thirds": Case(ct, _ball(), (3.0, 0.7, 0.7), resampled([0.7, 0.7, 1.0], pad=1), (-200.3, 31.7, 55.1)),
        "normalised": Case(ct, _ball(), SPACING, {"normalize": True, "preCrop": True, "padDistance": 0}),
        "clipped": Case(
            mr,
            _ball(),
            SPACING,
            {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5, "preCrop": True, "padDistance": 0},
        ),
        "all": Case(
            ct,
            _ball(),
            SPACING,
            resampled([1.1, 1.1, 2.2], "Linear", pad=0, normalize=True, removeOutliers=2, **reseg([-1, 1.5], "sigma")),
        ),
        "absolute": Case(ct, _ball(), SPACING, reseg([100, 200])),
        "absolute_reversed": Case(ct, _ball(), SPACING, reseg([200, 100])),
        "absolute_low": Case(ct, _ball(), SPACING, reseg([190])),
        "relative": Case(ct, _ball(), SPACING, reseg([0.2, 0.7], "relative")),
        "relative_low": Case(mr, _ball(), SPACING, reseg([0.6], "relative")),
        "sigma": Case(mr, _ball(), SPACING, reseg([-1, 1.5], "sigma")),
        "sigma_low": Case(ct, _ball(), SPACING, reseg([0.5], "sigma")),
        "reshaped": Case(ct, _ball(), SPACING, reseg([190], resegmentShape=True)),
        "cropped_then_absolute": Case(ct, _ball(), SPACING, reseg([190], preCrop=True, padDistance=1)),
    }
    for name in INTERPOLATORS:
        found[name] = Case(ct, _ball(0.8), SPACING, resampled([1.1, 1.2, 1.9], name, pad=0))
    return found
