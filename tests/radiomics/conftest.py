"""Regions of interest shared by the radiomics tests."""

from __future__ import annotations

import sys
import warnings
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

REFERENCE = Path(__file__).parents[1] / "reference" / "radiomics"
sys.path.insert(0, str(REFERENCE))  # for `cases`, `regions` and `comparison`, which the generators import too


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the PyRadiomics numbers, their generator and its regions."""
    return REFERENCE


@pytest.fixture(scope="session")
def regions():
    """The builders of tests/reference/radiomics/regions.py, by name."""
    spec = spec_from_file_location("radiomics_regions", REFERENCE / "regions.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.REGIONS


@pytest.fixture
def blob():
    """A ragged region of some 900 voxels: image, mask, spacing (k, j, i) mm."""
    rng = np.random.default_rng(5)
    k, j, i = np.indices((14, 16, 18)) - np.array([6.5, 7.5, 8.5])[:, None, None, None]
    mask = (k / 5) ** 2 + (j / 6) ** 2 + (i / 7) ** 2 < 1 + 0.3 * rng.standard_normal(k.shape)
    image = np.round(100 + 20 * k + 60 * rng.standard_normal(k.shape))
    return image, mask, (2.0, 0.8, 1.1)


@pytest.fixture(scope="session")
def read_image():
    """From a file to its array (k, j, i) and spacing (k, j, i) mm, as SimpleITK reads it."""

    def read(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
            import SimpleITK

            image = SimpleITK.ReadImage(str(path))
        return SimpleITK.GetArrayFromImage(image), image.GetSpacing()[::-1]

    return read
