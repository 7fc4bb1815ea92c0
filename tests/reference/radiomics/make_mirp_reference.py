"""Writes mirp_2.7.0.csv: statistics of real regions after MIRP's image processing in IBSI's configurations A to E.

MIRP is software that its authors validated against the IBSI reference values. Run in an environment of its own, with
the folder of two CT and mask pairs of IBSI's validation set (nifti_019, nifti_025):

    pip install mirp==2.7.0
    python tests/reference/radiomics/make_mirp_reference.py FOLDER
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from mirp import extract_features

CONFIGURATIONS = {
    "A": {"by_slice": False, "range": (-500.0, 400.0)},
    "B": {"by_slice": True, "spline_order": 1, "range": (-500.0, 400.0)},
    "C": {"by_slice": False, "spline_order": 1, "range": (-1000.0, 400.0)},
    "D": {"by_slice": False, "spline_order": 1, "sigma": 3.0},
    "E": {"by_slice": False, "spline_order": 3, "range": (-1000.0, 400.0), "sigma": 3.0},
}
STATISTICS = ("stat_mean", "stat_var", "stat_min", "stat_max", "stat_energy")


def statistics(folder: Path, by_slice: bool, **wanted) -> list[str]:
    """Statistics of one region under one configuration."""
    settings = {"resegmentation_method": []}
    if "range" in wanted:
        settings["resegmentation_method"].append("range")
        settings["resegmentation_intensity_range"] = list(wanted["range"])
    if "sigma" in wanted:
        settings["resegmentation_method"].append("outlier")
        settings["resegmentation_sigma"] = wanted["sigma"]
    if "spline_order" in wanted:
        settings |= {"new_spacing": 2.0, "spline_order": wanted["spline_order"]}
        settings |= {"roi_spline_order": 1, "anti_aliasing": False}
    (table,) = extract_features(
        image=str(folder / "CT_image.nii.gz"),
        mask=str(folder / "CT_mask.nii.gz"),
        image_modality="CT",
        by_slice=by_slice,
        base_feature_families=["statistics"],
        base_discretisation_method="none",
        **settings,
    )
    return [repr(float(table.iloc[0][name])) for name in STATISTICS]


if __name__ == "__main__":
    target = Path(__file__).with_name("mirp_2.7.0.csv")
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "configuration", *STATISTICS])
        for case in ("nifti_019", "nifti_025"):
            for name, wanted in CONFIGURATIONS.items():
                writer.writerow([case, name, *statistics(Path(sys.argv[1]) / case, **wanted)])
