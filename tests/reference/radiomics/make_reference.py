"""Writes pyradiomics_3.0.1.csv: what PyRadiomics gives for the regions of regions.py.

Run in an environment of its own (Python 3.11):

    pip install "numpy<2" setuptools wheel versioneer
    pip install --no-build-isolation pyradiomics==3.0.1 SimpleITK==2.5.7
    python tests/reference/radiomics/make_reference.py
"""

from __future__ import annotations

import csv
import logging
import platform
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
    versions = (
        f"PyRadiomics {radiomics.__version__}, numpy {numpy.__version__}, SimpleITK {SimpleITK.Version_VersionString()}"
    )
    target.with_suffix(".txt").write_text(f"{versions}, Python {platform.python_version()}\n", encoding="utf-8")
