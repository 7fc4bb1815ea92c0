"""Writes shape_3.0.1.csv: what PyRadiomics' classes shape and shape2D give for the masks of shape_masks.py.

Run in the environment that make_reference.py describes:

    python tests/reference/radiomics/make_shape_reference.py

The classes are asked directly: PyRadiomics' extractor refuses a mask of one voxel, and of 3-D images it never
computes shape2D for a slice across j, since it looks up the extent of another axis. Deprecated features are asked
for by name.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import SimpleITK
from radiomics.shape import RadiomicsShape
from radiomics.shape2D import RadiomicsShape2D
from shape_masks import MASKS

CORRELATED = ("Compactness1", "Compactness2", "SphericalDisproportion")
DEPRECATED = {"shape": CORRELATED, "shape2D": CORRELATED[2:]}


def measure(mask, spacing, axis):
    """Feature with its class to value."""
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    group = "shape" if axis is None else "shape2D"
    settings = {"label": 1} if axis is None else {"label": 1, "force2D": True, "force2Ddimension": axis}
    made = (RadiomicsShape if axis is None else RadiomicsShape2D)(image, image, **settings)
    made.enableAllFeatures()
    for name in DEPRECATED[group]:
        made.enableFeatureByName(name)
    return {f"{group}_{name}": repr(float(value)) for name, value in made.execute().items()}


def main():
    columns = {name: measure(*given) for name, given in MASKS.items()}
    features = sorted({feature for found in columns.values() for feature in found})
    with (Path(__file__).parent / "shape_3.0.1.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["feature", *columns])
        for feature in features:
            writer.writerow([feature, *(found.get(feature, "") for found in columns.values())])


if __name__ == "__main__":
    main()
