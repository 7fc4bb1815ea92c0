"""Writes pyradiomics_3.0.1.csv: what PyRadiomics gives for the regions of regions.py.

Run in an environment of its own (Python 3.11):

    pip install "numpy<2" setuptools wheel versioneer
    pip install --no-build-isolation pyradiomics==3.0.1 SimpleITK==2.5.7
    python tests/reference/radiomics/make_reference.py [FOLDER]

With FOLDER, PyRadiomics' test data (brain1_image.nrrd, ...), it also writes brain1_shape_3.0.1.csv: the shape
features of brain1, of which four differ from the published baseline tables, which version 2.0.1b1 wrote.
"""

from __future__ import annotations

import csv
import logging
import platform
import sys
from pathlib import Path

import numpy
import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor
from regions import REGIONS

import radiomics

SETTING = {"bin_width": "binWidth", "bin_count": "binCount", "voxel_array_shift": "voxelArrayShift"}


def reference(image, mask, spacing, settings):
    """Every feature of the original image, by PyRadiomics' names and in its order."""
    extractor = RadiomicsFeatureExtractor(**{SETTING.get(key, key): value for key, value in settings.items()})
    volumes = [SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask.astype("uint8"))]
    for volume in volumes:
        volume.SetSpacing(spacing[::-1])
    return {name: float(v) for name, v in extractor.execute(*volumes).items() if name.startswith("original_")}


if __name__ == "__main__":
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    columns = {name: reference(*build()) for name, build in REGIONS.items()}
    target = Path(__file__).with_name("pyradiomics_3.0.1.csv")
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["feature", *columns])
        for feature in next(iter(columns.values())):
            writer.writerow([feature, *(repr(column[feature]) for column in columns.values())])
    if len(sys.argv) > 1:
        extractor = RadiomicsFeatureExtractor()
        extractor.disableAllFeatures()
        extractor.enableFeatureClassByName("shape")
        found = extractor.execute(*(f"{sys.argv[1]}/brain1_{kind}.nrrd" for kind in ("image", "label")))
        lines = [f"{name},{float(v)!r}\n" for name, v in found.items() if name.startswith("original_")]
        target.with_name("brain1_shape_3.0.1.csv").write_text("feature,brain1\n" + "".join(lines), encoding="utf-8")
    versions = {
        "PyRadiomics": radiomics.__version__,
        "numpy": numpy.__version__,
        "SimpleITK": SimpleITK.Version_VersionString(),
        "Python": platform.python_version(),
    }
    text = "".join(f"{name} {version}\n" for name, version in versions.items())
    target.with_suffix(".txt").write_text(text, encoding="utf-8")
