"""Regions and settings on which the profile `ibsi` is held against MIRP: real ones, and edges cut from a real CT.

Read by make_ibsi_reference.py and by the tests, whose environments share numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

Case = tuple[np.ndarray, np.ndarray, tuple[float, ...]]
"""Image and mask (k, j, i), and spacing (k, j, i) in mm."""

IN_PLANE = ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb")
IN_SPACE = ("3D_avg", "3D_comb")
CONFIGURATIONS = {
    "A": {"setting": {"resegmentRange": [-500, 400], "binWidth": 25}},
    "B": {
        "setting": {
            "resampledPixelSpacing": [2, 2, 0],
            "interpolator": "sitkLinear",
            "resegmentRange": [-500, 400],
            "binCount": 32,
        }
    },
    "C": {
        "setting": {
            "resampledPixelSpacing": [2, 2, 2],
            "interpolator": "sitkLinear",
            "resegmentRange": [-1000, 400],
            "binWidth": 25,
        }
    },
    "D": {
        "setting": {
            "resampledPixelSpacing": [2, 2, 2],
            "interpolator": "sitkLinear",
            "outlierSigma": 3,
            "binCount": 32,
        }
    },
    "E": {
        "setting": {
            "resampledPixelSpacing": [2, 2, 2],
            "interpolator": "sitkBSpline",
            "resegmentRange": [-1000, 400],
            "outlierSigma": 3,
            "binCount": 32,
        }
    },
}
"""IBSI's image processing of its CT phantom, as a parameter file has it."""
AGGREGATIONS = {"A": IN_PLANE, "B": IN_PLANE, "C": IN_SPACE, "D": IN_SPACE, "E": IN_SPACE}

EDGES = {
    "border": "from the first to the last slice, row and column of the image, of which some are outside it",
    "scattered": "several components, slices of one voxel, of two that do not touch, and of a line",
}


def real(folder: Path, read: Callable) -> dict[str, Case]:
    """Real regions; `read` turns a path into an array (k, j, i) and its spacing (k, j, i), mm."""
    cases = {}
    for name in ("nifti_019", "nifti_025"):
        place = folder / "data" / "sarcoma_ct" / name
        image, spacing = read(place / "CT_image.nii.gz")
        cases[name] = image, read(place / "CT_mask.nii.gz")[0] > 0, spacing
    torso = folder / "data" / "spine_ct" / "torso"
    image, spacing = read(torso / "ct.nii.gz")
    cases["torso_l1"] = image, read(torso / "vertebrae_verse.nii.gz")[0] == 20, spacing
    crop = folder / "data" / "spine_ct" / "l3_crop"
    image, spacing = read(crop / "sub-ct_label-22_ct.nii.gz")
    labels, _ = read(crop / "sub-ct_seg-subreg_label-22_msk.nii.gz")
    levels, _ = read(crop / "sub-ct_seg-vert_label-22_msk.nii.gz")
    cases["l3_corpus"] = image, np.isin(labels, (49, 50)) & (levels == 22), spacing
    return cases


def edges(image: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> dict[str, Case]:
    """Regions at the edge of what the definitions foresee, from a real one."""
    k, j, i = (slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(mask))
    cases = {"border": (image[k, j, i][2:-2, 3:-3, 3:-3], mask[k, j, i][2:-2, 3:-3, 3:-3], spacing)}
    part = image[k, j, i]
    scattered = np.zeros(part.shape, bool)
    scattered[1, 10, 10] = True  # a slice of one voxel
    scattered[2, 8:14, 9:15] = mask[k, j, i][2, 8:14, 9:15]
    scattered[3, 5, 5] = scattered[3, 12, 20] = True  # of two that do not touch
    scattered[4, 12, 8:20] = True  # of a line
    scattered[6:11, 9:17, 12:22] = mask[k, j, i][6:11, 9:17, 12:22]  # slice 5 has none
    scattered[8, 12, 14:18] = False  # a hole
    scattered[12, 14:16, 14] = True
    return cases | {"scattered": (part, scattered, spacing)}


def cases(folder: Path, read: Callable) -> dict[str, Case]:
    """All of them, by name."""
    found = real(folder, read)
    return found | edges(*found["nifti_019"])
