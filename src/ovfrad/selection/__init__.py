"""What is learned before a classifier sees the features, fitted on training rows only (METHODS E1 to E8)."""

from __future__ import annotations

from ovfrad.selection.columns import deep_columns, families
from ovfrad.selection.combat import ComBat
from ovfrad.selection.fused import FusedFeatures
from ovfrad.selection.icc import IccFilter
from ovfrad.selection.lasso import LassoSelector
from ovfrad.selection.pca import DeepPca
from ovfrad.selection.prune import CorrelationPrune
from ovfrad.selection.radscore import RadScore
from ovfrad.selection.spearman import SpearmanFilter

__all__ = [
    "ComBat",
    "CorrelationPrune",
    "DeepPca",
    "FusedFeatures",
    "IccFilter",
    "LassoSelector",
    "RadScore",
    "SpearmanFilter",
    "deep_columns",
    "families",
]
