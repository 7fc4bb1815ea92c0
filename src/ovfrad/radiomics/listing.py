"""The table of all features: what each is, its unit, its IBSI tag and code, and where the profiles differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovfrad.radiomics.classes import BY_NAME, OF_IMAGE, shape, shape2d
from ovfrad.radiomics.rules import AGGREGATIONS

if TYPE_CHECKING:
    import pandas as pd

TEXTURE_TAGS = ("cm_", "rlm_", "szm_", "ngt_", "ngl_")


def tag_of(tag: str, aggregation: str = "3D_avg") -> str:
    """IBSI tag under an aggregation; the catalogue holds those in space, averaged over directions.

    >>> tag_of("cm_contrast_3D_avg", "2_5D_comb"), tag_of("szm_z_perc_3D", "2D_avg"), tag_of("stat_mean", "2D_avg")
    ('cm_contrast_2_5D_comb', 'szm_z_perc_2D', 'stat_mean')
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"aggregation is one of {', '.join(AGGREGATIONS)}")
    where = aggregation.rsplit("_", 1)[0]
    if not tag.startswith(TEXTURE_TAGS):
        return tag
    return tag.replace("_3D_avg", f"_{aggregation}") if tag.endswith("_avg") else tag.replace("_3D", f"_{where}")


def ibsi_tag(name: str, aggregation: str = "3D_avg") -> str:
    """IBSI tag of a feature's full name; empty for filtered images, and where IBSI has no such feature.

    >>> ibsi_tag("original_glcm_Contrast"), ibsi_tag("wavelet-LLH_glcm_Contrast")
    ('cm_contrast_3D_avg', '')
    """
    prefix, group, feature = name.rsplit("_", 2)
    return tag_of(BY_NAME[group].features[f"{group}_{feature}"].ibsi_tag, aggregation) if prefix == "original" else ""


def describe(aggregation: str = "3D_avg") -> pd.DataFrame:
    """One row a feature of the original image.

    Columns: name, class, definition, ibsi_tag and ibsi_code (empty where IBSI has no such feature), unit, note (where
    the profiles differ, and what a flat region gives) and computed: `always`, `ibsi` (by default under that profile
    alone, else by name), `by name`.
    """
    import pandas as pd

    groups = [shape, *OF_IMAGE, shape2d]
    rows = [
        {
            "name": f"original_{name}",
            "class": group.name,
            "definition": feature.definition,
            "ibsi_tag": tag_of(feature.ibsi_tag, aggregation),
            "ibsi_code": feature.ibsi_code,
            "unit": feature.unit,
            "note": feature.note,
            "computed": "by name" if group is shape2d else "ibsi" if name not in group.names else "always",
        }
        for group in groups
        for name in group.all_names
        for feature in [BY_NAME[group.name].features[name]]
    ]
    return pd.DataFrame(rows)
