"""The classes of features, in PyRadiomics' order."""

from __future__ import annotations

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.firstorder import firstorder
from ovfrad.radiomics.glcm import glcm
from ovfrad.radiomics.gldm import gldm
from ovfrad.radiomics.glrlm import glrlm
from ovfrad.radiomics.glszm import glszm
from ovfrad.radiomics.ngtdm import ngtdm
from ovfrad.radiomics.settings import Settings
from ovfrad.radiomics.shape import shape
from ovfrad.radiomics.shape2d import shape2d

OF_MASK: tuple[FeatureClass, ...] = (shape, shape2d)
"""Computed from the mask alone, once."""
OF_IMAGE: tuple[FeatureClass, ...] = (firstorder, glcm, gldm, glrlm, glszm, ngtdm)
"""Computed from every image type."""
BY_NAME = {group.name: group for group in (*OF_MASK, *OF_IMAGE)}


def chosen(settings: Settings) -> dict[str, list[str]]:
    """Names (`glcm_Contrast`) that settings ask for, by class, in PyRadiomics' order: a file's where it names them.

    Without a choice: every class but shape2D; under the profile `ibsi` with the features that IBSI defines and
    PyRadiomics has dropped.
    """
    if settings.features is None:
        dropped = settings.profile == "ibsi"
        return {group.name: group.all_names if dropped else group.names for group in (shape, *OF_IMAGE)}
    return {
        name: BY_NAME[name].names if not asked else [f"{name}_{feature}" for feature in dict.fromkeys(asked)]
        for name, asked in settings.features.items()
    }
