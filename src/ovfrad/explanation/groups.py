"""SHAP values by kind of feature: radiomics against deep against clinical, and radiomics by family (H1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ovfrad.explanation.shap import ShapTable
from ovfrad.radiomics.classes import BY_NAME

RADIOMICS, DEEP, SCORE, OTHER = "radiomics", "deep", "rad-score", "other"


def group_of(name: str) -> str:
    """Kind of a feature by its name; what no part of the system named is `other`, as a clinical column.

    >>> [group_of(n) for n in ("wavelet-LLH_glcm_Idn", "pc_03", "deep_random_0012", "rad_score", "age")]
    ['radiomics', 'deep', 'deep', 'rad-score', 'other']
    """
    if name == "rad_score":
        return SCORE
    if name.startswith(("pc_", "deep_")):
        return DEEP
    return RADIOMICS if len(name.split("_")) >= 3 and name.rsplit("_", 2)[1] in BY_NAME else OTHER


def family_of(name: str) -> str:
    """Class of a radiomics feature, else its kind.

    >>> family_of("original_shape_Sphericity"), family_of("pc_03")
    ('shape', 'deep')
    """
    kind = group_of(name)
    return name.rsplit("_", 2)[1] if kind == RADIOMICS else kind


def by_group(table: ShapTable, families: bool = False) -> pd.DataFrame:
    """Mean absolute SHAP value of each kind of feature: of the sum over its features, case by case.

    Features of one kind that pull against each other cancel, as they do in the model.

    Returns
    -------
    DataFrame
        Index: the kinds, largest first; `features` (their number), the classes, `all` (sum over classes), `share` of
        all kinds.
    """
    kinds = np.array([(family_of if families else group_of)(name) for name in table.feature_names])
    rows = {}
    for kind in dict.fromkeys(kinds):
        size = np.abs(table.values[:, kinds == kind].sum(axis=1)).mean(axis=0)
        rows[kind] = [int((kinds == kind).sum()), *size, size.sum()]
    bars = pd.DataFrame.from_dict(rows, orient="index", columns=["features", *table.classes, "all"])
    bars["features"] = bars["features"].astype(int)
    total = bars["all"].sum()
    bars["share"] = bars["all"] / total if total > 0 else np.nan
    bars.index.name = "kind"
    return bars.sort_values("all", ascending=False, kind="stable")
