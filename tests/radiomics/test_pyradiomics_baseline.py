"""PyRadiomics' own baseline tables: every column of every class for the three images that are here.

The tables were written by version 2.0.1b1; where they and version 3.0.1 differ, 3.0.1 decides, and `OVERRULED` is the
whole list of such values.
"""

from __future__ import annotations

import csv
import warnings
from ast import literal_eval

import pytest
from comparison import RELATIVE, disagreements, numbers, read_table

from ovfrad.errors import InputWarning
from ovfrad.radiomics import extract

IMAGES = ("brain1", "brain2", "breast1")
CASES = {
    "shape": ("", "_resampling"),
    "firstorder": ("", "_normalization", "_resampling", "_resegmentation"),
    "glcm": ("", "_2d", "_FBN", "_combined", "_flatRegion", "_normalization", "_resampling", "_resegmentation"),
    "glrlm": ("", "_2d", "_FBN", "_combined", "_flatRegion", "_normalization", "_resampling", "_resegmentation"),
    "glszm": ("", "_2d", "_FBN", "_flatRegion", "_normalization", "_resampling", "_resegmentation"),
    "gldm": ("", "_2d", "_FBN", "_flatRegion", "_normalization", "_resampling", "_resegmentation"),
    "ngtdm": ("", "_2d", "_FBN", "_flatRegion", "_normalization", "_resampling", "_resegmentation"),
    "shape2D": ("_shape2D",),
}
FEATURES = {"shape": 14, "firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5, "shape2D": 9}
COLUMNS = [(group, image + case) for group, listed in CASES.items() for case in listed for image in IMAGES]
OVERRULED = {
    ("brain1", f"original_shape_{name}") for name in ("MeshVolume", "Sphericity", "SurfaceArea", "SurfaceVolumeRatio")
}
"""Values in which 3.0.1 differs from its baseline, by 1e-4 to 9e-4."""
SLICES = {"brain1": 16, "brain2": 8, "breast1": 9}
"""Slice k of the label that the shape2D columns were made from: their mask's SHA-1 is that of this slice."""


def read_baseline(shared, group):
    """Columns of one table for the images that are here: column -> row -> text."""
    path = shared / "data" / "pyradiomics" / "baseline" / f"baseline_{group}.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    return {
        name: {row[0]: row[place] for row in rows} for place, name in enumerate(header) if name.split("_")[0] in IMAGES
    }


@pytest.fixture(scope="module")
def baseline(shared):
    return {group: read_baseline(shared, group) for group in CASES}


@pytest.fixture(scope="module")
def decided(reference):
    """What version 3.0.1 gives, column -> feature -> value."""
    return {column: numbers(texts) for column, texts in read_table(reference / "baseline_3.0.1.csv").items()}


@pytest.fixture(scope="module")
def volumes(shared):
    """Image and label of each case, as SimpleITK reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
        import SimpleITK

    folder = shared / "data" / "pyradiomics"
    return {
        name: tuple(SimpleITK.ReadImage(str(folder / f"{name}_{kind}.nrrd")) for kind in ("image", "label"))
        for name in IMAGES
    }


def one_slice(label, place):
    """The label with one slice k alone, and the SHA-1 of that slice."""
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(label)
    array[:place] = array[place + 1 :] = 0
    kept = SimpleITK.GetImageFromArray(array)
    kept.CopyInformation(label)
    return kept, SimpleITK.Hash(SimpleITK.Cast(kept[:, :, place : place + 1], SimpleITK.sitkUInt32))


def values(rows):
    return {name: float(text) for name, text in rows.items() if name.startswith("original_")}


def test_the_columns_are_those_of_the_tables(baseline, decided):
    assert [(group, column) for group, column in COLUMNS if column not in baseline[group]] == []
    assert sum(len(columns) for columns in baseline.values()) == len(COLUMNS)
    assert decided.keys() == {column for _, column in COLUMNS}


@pytest.mark.parametrize(("group", "column"), COLUMNS)
def test_every_feature_of_every_column(baseline, decided, volumes, group, column):
    rows = baseline[group][column]
    expected = {name: value for name, value in decided[column].items() if name.startswith(f"original_{group}_")}
    assert len(expected) == FEATURES[group]
    assert expected.keys() == values(rows).keys()
    settings = literal_eval(rows["diagnostics_Configuration_Settings"])
    image, label = volumes[column.split("_")[0]]
    if group == "shape2D":
        label, digest = one_slice(label, SLICES[column.split("_")[0]])
        assert digest == rows["diagnostics_Mask-original_Hash"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # of settings that have no effect here, as additionalInfo
        found = extract(image, label, {"featureClass": {group: None}, "setting": settings})
    assert disagreements(dict(found), expected) == []


def test_version_301_differs_from_the_tables_in_the_overruled_values_alone(baseline, decided):
    apart = {
        (column, name)
        for group, column in COLUMNS
        for name, value in values(baseline[group][column]).items()
        if abs(value - decided[column][name]) > RELATIVE * abs(value)
    }
    assert apart == OVERRULED
