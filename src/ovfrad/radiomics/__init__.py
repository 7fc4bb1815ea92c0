"""Radiomics: PyRadiomics' and IBSI's features of one region of interest, from our own engine.

>>> import numpy as np
>>> image = np.arange(64.0).reshape(4, 4, 4)
>>> round(features(image, image > 20, (1.0, 1.0, 1.0), bin_width=8)["original_firstorder_Mean"], 6)
42.0
"""

from __future__ import annotations

from ovfrad.radiomics.extraction import extract, extract_many, features, names
from ovfrad.radiomics.listing import describe
from ovfrad.radiomics.parameters import read_parameters, settings_from
from ovfrad.radiomics.perturbation import perturb
from ovfrad.radiomics.robustness import robustness
from ovfrad.radiomics.settings import Settings

__all__ = [
    "Settings",
    "describe",
    "extract",
    "extract_many",
    "features",
    "names",
    "perturb",
    "read_parameters",
    "robustness",
    "settings_from",
]
