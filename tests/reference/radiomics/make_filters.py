"""Writes filters_3.0.1.npz: what PyRadiomics' filters make of the small images of filter_cases.py, inside a box.

Run in the environment of make_reference.py, with `pip install scikit-image` for LBP2D:

    python tests/reference/radiomics/make_filters.py
"""

from __future__ import annotations

import logging
import platform
from importlib.metadata import version
from pathlib import Path

import numpy
import SimpleITK
from filter_cases import BOXES, CASES, IMAGES, SPACING

from radiomics import imageoperations


def reference(image, types, settings):
    """Prefix -> filtered image, for PyRadiomics' image types and settings, in its order."""
    volume = SimpleITK.GetImageFromArray(image)
    volume.SetSpacing(SPACING[::-1])
    found = {}
    for name, own in types.items():
        make = getattr(imageoperations, f"get{name}Image")
        for filtered, prefix, _ in make(volume, None, **{**settings, **own}):
            found[prefix] = SimpleITK.GetArrayFromImage(filtered)
    return found


if __name__ == "__main__":
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    values = {}
    for case, (name, types, settings) in CASES.items():
        for prefix, filtered in reference(IMAGES[name](), types, settings).items():
            values[f"{case}/{prefix}"] = filtered[BOXES[name]]
    target = Path(__file__).with_name("filters_3.0.1.npz")
    numpy.savez_compressed(target, **values)
    packages = ("pyradiomics", "numpy", "SimpleITK", "PyWavelets", "scikit-image")
    lines = [f"{package} {version(package)}\n" for package in packages]
    target.with_suffix(".txt").write_text("".join(lines) + f"Python {platform.python_version()}\n", encoding="utf-8")
