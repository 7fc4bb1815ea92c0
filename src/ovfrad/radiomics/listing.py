"""The table of all features: what each is, its unit, its IBSI tag and code, and where the profiles differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovfrad.radiomics.catalogue import Feature, FeatureClass
from ovfrad.radiomics.classes import BY_NAME, OF_IMAGE, shape, shape2d
from ovfrad.radiomics.rules import AGGREGATIONS, RULES, refusal

if TYPE_CHECKING:
    import pandas as pd

TEXTURE_TAGS = ("cm_", "rlm_", "szm_", "ngt_", "ngl_")

BINS = (
    "Bins of binWidth have edges at multiples of it; profile ibsi: they begin at the lower bound of resegmentRange, "
    "or at the minimum of the region."
)
SIZES = "N = sum P(i, j), p = P / N, P(i) and P(j) the margins."
ABOUT = {
    "shape": "V, A: volume and area of the mesh. l1 >= l2 >= l3: eigenvalues of the covariance of the voxel centres.",
    "firstorder": f"x: the N intensities. p(i): share of the voxels with grey level i. {BINS}",
    "glcm": "p(i, j): share of the pairs of neighbours with levels i and j; px(i), py(j): its margins, with means mu_x "
    "and mu_y; p+(k): share with i + j = k; p-(k): share with |i - j| = k; Ng: the highest level; HXY: JointEntropy. "
    "Mean over directions, or with weightingNorm of their weighted sum; profile ibsi: as `aggregation` says.",
    "gldm": f"P(i, j): voxels of level i with j dependent voxels, itself included. {SIZES} "
    "Profile ibsi: as `aggregation` says.",
    "glrlm": f"P(i, j): runs of level i and length j. {SIZES} Mean over the directions in which a line crosses two "
    "voxels, or with weightingNorm of their weighted sum; profile ibsi: over all, as `aggregation` says.",
    "glszm": f"P(i, j): zones of level i and size j. {SIZES} Profile ibsi: as `aggregation` says.",
    "ngtdm": "p(i): share of the N voxels with level i; s(i): sum over them of |i - mean level of the neighbours|; "
    "Ngp: number of levels that occur. A voxel without neighbours adds 0 to s; profile ibsi: it is not counted, and "
    "the matrix is made as `aggregation` says.",
    "shape2D": "P, S: length and surface of the outline. l1 >= l2: eigenvalues of the covariance of the pixel centres. "
    "Only where featureClass names it and force2D is set.",
}
"""What the symbols of each class mean, and how the profiles differ in all its features."""


def tag_of(tag: str, aggregation: str = "3D_avg") -> str:
    """IBSI tag under an aggregation; the catalogue holds those in space, averaged over directions.

    >>> tag_of("cm_contrast_3D_avg", "2_5D_comb"), tag_of("szm_z_perc_3D", "2D_avg"), tag_of("stat_mean", "2D_avg")
    ('cm_contrast_2_5D_comb', 'szm_z_perc_2D', 'stat_mean')
    """
    if aggregation not in AGGREGATIONS:
        raise refusal("aggregation", aggregation, RULES["aggregation"].meaning)
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
    the profiles differ, and what a flat region gives; for what holds for a whole class see `ABOUT`) and computed:
    `always`, `ibsi` (by default under that profile alone, else by name), `by name`.
    """
    import pandas as pd

    rows = [
        {
            "name": f"original_{name}",
            "class": group.name,
            "definition": feature.definition,
            "ibsi_tag": tag_of(feature.ibsi_tag, aggregation),
            "ibsi_code": feature.ibsi_code,
            "unit": feature.unit,
            "note": feature.note,
            "computed": _computed(group, feature),
        }
        for group in (shape, *OF_IMAGE, shape2d)
        for name in group.all_names
        for feature in [BY_NAME[group.name].features[name]]
    ]
    return pd.DataFrame(rows)


def _computed(group: FeatureClass, feature: Feature) -> str:
    return "by name" if group is shape2d else "ibsi" if feature.optional else "always"


def as_text(aggregation: str = "3D_avg", width: int = 100) -> str:
    """The same for reading: by class, with what its symbols mean, in lines of at most `width` characters."""
    from textwrap import fill

    lines = [f"{'feature':<41}{'IBSI':<6}{'unit':<19}IBSI tag under aggregation {aggregation}"]
    for group in (shape, *OF_IMAGE, shape2d):
        lines += ["", f"{group.name}: {group.title}", fill(ABOUT[group.name], width), ""]
        for full in group.all_names:
            feature = group.features[full]
            name, code = full.removeprefix(f"{group.name}_"), feature.ibsi_code or "-"
            tag = tag_of(feature.ibsi_tag, aggregation) or "-"
            lines.append(f"  {name:<39}{code:<6}{feature.unit:<19}{tag}")
            on_demand = "only by name, or under profile ibsi" if feature.optional and group is not shape2d else ""
            notes = "; ".join(filter(None, [feature.note, on_demand]))
            told = feature.definition + (f" [{notes}]" if notes else "")
            lines.append(fill(told, width, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(lines)
