"""Writes what PyRadiomics gives for the cases of cases.py and for those of its own baseline tables.

Run in an environment of its own (Python 3.11):

    pip install "numpy<2" setuptools wheel versioneer
    pip install --no-build-isolation pyradiomics==3.0.1 SimpleITK==2.5.7 "scikit-image<0.26"
    python tests/reference/radiomics/make_reference.py SHARED [--only TABLE] [--unseen N] [--out FOLDER]

SHARED is the folder of real test data (with `data/spine_ct` and so on inside). A table is a CSV file with one column a
case; the row `error` has the text of the exception where PyRadiomics raises one, and a cell is empty where it gives
no such feature.
"""

from __future__ import annotations

import argparse
import csv
import logging
import platform
import warnings
from ast import literal_eval
from importlib.metadata import version
from pathlib import Path

import cases
import numpy as np
import SimpleITK
from radiomics.featureextractor import RadiomicsFeatureExtractor
from regions import build

BASELINE_CLASSES = ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape2D")
BASELINE_IMAGES = ("brain1", "brain2", "breast1")
SLICE_2D = {"brain1": 16, "brain2": 8, "breast1": 9}
"""Slice k of each label that the shape2D rows were made from; the SHA-1 of the tables says that it is this one."""


def volumes(region, shared):
    """Image and mask of a region, as SimpleITK has them."""
    if cases.is_real(region):
        return tuple(SimpleITK.ReadImage(str(path)) for path in cases.real_files(region, shared))
    image, mask, spacing = build(region)
    found = SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask.astype("uint8"))
    for volume in found:
        volume.SetSpacing(spacing[::-1])
    return found


def run(image, mask, parameters):
    """Feature to value, or the text of the error under `error`."""
    try:
        extractor = RadiomicsFeatureExtractor(parameters)
        extractor.settings["additionalInfo"] = False
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            given = extractor.execute(image, mask)
    except Exception as fault:
        return {"error": f"{type(fault).__name__}: {fault}".replace("\n", " ")}
    return {name: repr(float(v)) for name, v in given.items() if not name.startswith("diagnostics")}


def read_baseline(shared, group):
    """Columns of one baseline table for the images that are here: (class, column) -> settings."""
    path = shared / "data" / "pyradiomics" / "baseline" / f"baseline_{group}.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    settings = next(row[1:] for row in rows if row[0] == "diagnostics_Configuration_Settings")
    columns = dict(zip(header[1:], settings, strict=True))
    return {name: literal_eval(text) for name, text in columns.items() if name.split("_")[0] in BASELINE_IMAGES}


def run_baseline(shared):
    """Every column of PyRadiomics' baseline tables, under the settings of that column."""
    folder = shared / "data" / "pyradiomics"
    found = {}
    for group in BASELINE_CLASSES:
        for column, settings in read_baseline(shared, group).items():
            name = column.split("_")[0]
            image, mask = (SimpleITK.ReadImage(str(folder / f"{name}_{kind}.nrrd")) for kind in ("image", "label"))
            if group == "shape2D":
                array = SimpleITK.GetArrayFromImage(mask)
                array[np.arange(len(array)) != SLICE_2D[name]] = 0
                mask = SimpleITK.GetImageFromArray(array)
                mask.CopyInformation(image)
            extractor = RadiomicsFeatureExtractor(**settings)
            extractor.disableAllFeatures()
            extractor.enableFeatureClassByName(group)
            given = extractor.execute(image, mask)
            values = {key: repr(float(v)) for key, v in given.items() if not key.startswith("diagnostics")}
            found.setdefault(column, {}).update(values)
    return found


def write(path, columns):
    """One column a case, one row a feature in the order of first appearance."""
    features = list(dict.fromkeys(name for column in columns.values() for name in column))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["feature", *columns])
        for feature in features:
            writer.writerow([feature, *(column.get(feature, "") for column in columns.values())])


def versions():
    """What the numbers were made with."""
    packages = {name: version(name) for name in ("pyradiomics", "numpy", "SimpleITK", "PyWavelets", "scikit-image")}
    return packages | {"Python": platform.python_version()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--only", choices=[*cases.TABLES, "baseline", "unseen"])
    parser.add_argument("--unseen", type=int, default=0, help="add a table of this number of other random cases")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    tables = cases.TABLES | ({"unseen": cases.unseen_cases(arguments.unseen)} if arguments.unseen else {})
    for table, listed in tables.items():
        if arguments.only in (None, table):
            columns = {
                name: run(*volumes(case.region, arguments.shared), case.parameters) for name, case in listed.items()
            }
            write(arguments.out / f"{table}_3.0.1.csv", columns)
    if arguments.only in (None, "baseline"):
        write(arguments.out / "baseline_3.0.1.csv", run_baseline(arguments.shared))
    text = "".join(f"{name} {number}\n" for name, number in versions().items())
    (arguments.out / "pyradiomics_3.0.1.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
