"""Names of filtered images without filtering: what `image_types.filtered` will yield."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from ovfrad.radiomics.filters.options import read_options

PLAIN = {
    "Original": "original",
    "Square": "square",
    "SquareRoot": "squareroot",
    "Logarithm": "logarithm",
    "Exponential": "exponential",
    "Gradient": "gradient",
    "LBP2D": "lbp-2D",
}


def prefixes(image_types: Mapping[str, Mapping[str, Any]], *, force2d: bool = False) -> list[str]:
    """Prefixes of the features' names, in the order of the images.

    >>> prefixes({"Original": {}, "LoG": {"sigma": [1, 2.5]}})
    ['original', 'log-sigma-1-mm-3D', 'log-sigma-2-5-mm-3D']
    >>> prefixes({"Wavelet": {"level": 2}}, force2d=True)
    ['wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet2-LH', 'wavelet2-HL', 'wavelet2-HH', 'wavelet2-LL']
    """
    found = []
    for kind, options in image_types.items():
        used, left = read_options(kind, options)
        if kind == "LoG":
            found += [f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in used["sigma"]]
        elif kind == "Wavelet":
            found += _bands(used["level"], axes=2 if left.get("force2D", force2d) else 3)
        else:
            found.append(PLAIN[kind])
    return found


def _bands(level: int, axes: int) -> list[str]:
    """Detail images of each level, and the smooth one of the last."""
    smooth, *details = ("".join(letters) for letters in product("LH", repeat=axes))
    levels = ["wavelet" if number == 1 else f"wavelet{number}" for number in range(1, level + 1)]
    return [f"{name}-{band}" for name in levels for band in details] + [f"{levels[-1]}-{smooth}"]
