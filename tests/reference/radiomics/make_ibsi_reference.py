"""Writes ibsi_mirp_2.7.0.csv: every feature with an IBSI tag by MIRP, under IBSI's configurations A to E.

MIRP is software that its authors validated against the IBSI reference values. Run in an environment of its own, with
the folder of real test data (`shared`):

    pip install mirp==2.7.0
    python tests/reference/radiomics/make_ibsi_reference.py FOLDER

The outermost voxels of the new grid may have their centres beyond those of the old one. The manual (026Q) recommends
to repeat the old ones there; MIRP does so for the image, but lets the mask end at the centres, so that a region at the
rim loses a layer of voxels. Here it repeats both, which changes the case `border` alone.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import itk
import numpy as np
from ibsi_cases import AGGREGATIONS, CONFIGURATIONS, IN_PLANE, cases
from mirp import extract_features
from mirp._images.generic_image import GenericImage

METHODS = {
    "2D_avg": ("2d_average", "2d_avg"),
    "2D_comb": ("2d_slice_merge", "2d_s_mrg"),
    "2_5D_avg": ("2.5d_direction_merge", "2.5d_d_mrg"),
    "2_5D_comb": ("2.5d_volume_merge", "2.5d_v_mrg"),
    "3D_avg": ("3d_average", "3d_avg"),
    "3D_comb": ("3d_volume_merge", "3d_v_mrg"),
}
"""Aggregation -> MIRP's setting, and how its columns say it."""
DIGITS = 9

_register = GenericImage._register


def _repeating(self: GenericImage, *given: object, **named: object) -> None:
    """Bring a mask to the grid of the image, its outermost voxels repeated beyond it."""
    _register(self, *given, **(named | {"mode": "nearest"}))


GenericImage._register = _repeating


def read(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    """Array (k, j, i) and spacing (k, j, i), mm."""
    image = itk.imread(str(path))
    return itk.array_from_image(image), tuple(float(step) for step in reversed(itk.spacing(image)))


def write(path: Path, values: np.ndarray, spacing: tuple[float, ...]) -> str:
    """A NIfTI file with the axes as they are stored."""
    image = itk.image_from_array(np.ascontiguousarray(values))
    image.SetSpacing(list(reversed(spacing)))
    itk.imwrite(image, str(path))
    return str(path)


def keywords(name: str) -> dict[str, object]:
    """MIRP's arguments of one configuration."""
    setting = CONFIGURATIONS[name]["setting"]
    flat = AGGREGATIONS[name] == IN_PLANE
    methods = [METHODS[aggregation][0] for aggregation in AGGREGATIONS[name]]
    found: dict[str, object] = {"by_slice": flat and "resampledPixelSpacing" in setting, "resegmentation_method": []}
    found |= {f"{family}_spatial_method": methods for family in ("glcm", "glrlm")}
    planes = ["2d", "2.5d"] if flat else ["3d"]
    found |= {f"{family}_spatial_method": planes for family in ("glszm", "ngtdm", "ngldm")}
    if "resegmentRange" in setting:
        found["resegmentation_method"] += ["range"]
        found["resegmentation_intensity_range"] = [float(bound) for bound in setting["resegmentRange"]]
    if "outlierSigma" in setting:
        found["resegmentation_method"] += ["outlier"]
        found["resegmentation_sigma"] = float(setting["outlierSigma"])
    if "resampledPixelSpacing" in setting:
        order = {"sitkLinear": 1, "sitkBSpline": 3}[setting["interpolator"]]
        found |= {"new_spacing": 2.0, "spline_order": order, "roi_spline_order": 1, "anti_aliasing": False}
    if "binCount" in setting:
        found |= {"base_discretisation_method": "fixed_bin_number", "base_discretisation_n_bins": setting["binCount"]}
    else:
        width = float(setting["binWidth"])
        found |= {"base_discretisation_method": "fixed_bin_size", "base_discretisation_bin_width": width}
    return found


def tag(column: str) -> str:
    """IBSI tag of MIRP's column."""
    for part in ("_fbs_w25.0", "_fbs_w25", "_fbn_n32", "_d1", "_a0.0"):
        column = column.replace(part, "")
    for aggregation, (_, method) in METHODS.items():
        if column.endswith(f"_{method}"):
            return f"{column.removesuffix(method)}{aggregation}"
    for plane in ("2.5d", "2d", "3d"):
        if column.endswith(f"_{plane}"):
            return column.removesuffix(plane) + plane.upper().replace(".", "_")
    return column


def measured(image: str, mask: str, name: str) -> dict[str, float]:
    """MIRP's features of one region under one configuration, by IBSI tag."""
    (table,) = extract_features(
        image=image,
        mask=mask,
        image_modality="CT",
        base_feature_families=["morph", "stat", "ih", "cm", "rlm", "szm", "tdm", "ldm"],
        **keywords(name),
    )
    row = table.iloc[0]
    families = ("morph_", "stat_", "ih_", "cm_", "rlm_", "szm_", "ngt_", "ngl_")
    return {tag(column): float(row[column]) for column in table.columns if column.startswith(families)}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with (folder / "reference" / "ibsi_tags.csv").open(encoding="utf-8", newline="") as stream:
        stems = [row["ibsi_tag"].removesuffix("_3D_avg").removesuffix("_3D") for row in csv.DictReader(stream)]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for case, (image, mask, spacing) in cases(folder, read).items():
        with tempfile.TemporaryDirectory() as place:
            files = (
                write(Path(place) / "image.nii.gz", image.astype(np.float32), spacing),
                write(Path(place) / "mask.nii.gz", mask.astype(np.uint8), spacing),
            )
            for name in CONFIGURATIONS:
                found[case, name] = measured(*files, name)
                print(case, name, len(found[case, name]), file=sys.stderr)
    tags = dict.fromkeys(tag for values in found.values() for tag in values)
    suffixes = ("", "_2D", "_2_5D", "_3D", *(f"_{aggregation}" for aggregation in METHODS))
    wanted = {stem + suffix for stem in stems for suffix in suffixes}
    target = Path(__file__).with_name("ibsi_mirp_2.7.0.csv")
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["tag", *(f"{case} {name}" for case, name in found)])
        for one in tags:
            if one in wanted:
                values = (values.get(one) for values in found.values())
                writer.writerow([one, *("" if value is None else f"{value:.{DIGITS}g}" for value in values)])
