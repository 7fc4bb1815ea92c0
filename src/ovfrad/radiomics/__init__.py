"""Radiomics: PyRadiomics' features of one region of interest, from our own engine.

>>> import numpy as np
>>> image = np.arange(64.0).reshape(4, 4, 4)
>>> round(features(image, image > 20, (1.0, 1.0, 1.0), bin_width=8)["original_firstorder_Mean"], 6)
42.0
"""

from __future__ import annotations

from ovfrad.radiomics.extraction import describe, extract, features, names, zscore
from ovfrad.radiomics.parameters import Parameters, read_parameters
from ovfrad.radiomics.perturbation import perturb

__all__ = ["Parameters", "describe", "extract", "features", "names", "perturb", "read_parameters", "zscore"]
