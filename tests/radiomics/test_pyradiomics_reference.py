"""Against PyRadiomics 3.0.1: numbers of tests/reference/radiomics, and live where it is installed."""

from __future__ import annotations

import csv
import warnings

import numpy as np
import pytest

from ovfrad.radiomics import features, names

RELATIVE = 1e-6
"""The agreement that is promised; 3e-11 is reached. Values of which one is exactly 0 must agree to 1e-9."""
ABSOLUTE = 1e-9


def read(path):
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["feature"] for row in rows], {
        column: {row["feature"]: float(row[column]) for row in rows} for column in rows[0] if column != "feature"
    }


def test_names_and_their_order_are_those_of_pyradiomics(reference):
    listed, _ = read(reference / "pyradiomics_3.0.1.csv")
    assert names() == listed
    assert len(listed) == 107


@pytest.mark.parametrize("name", ["vertebra", "anisotropic", "border", "one_slice", "two_slices_apart", "flat"])
def test_every_feature_equals_pyradiomics(name, reference, regions):
    _, columns = read(reference / "pyradiomics_3.0.1.csv")
    assert columns.keys() == regions.keys()
    image, mask, spacing, settings = regions[name]()
    found = features(image, mask, spacing, **settings)
    assert found.keys() == columns[name].keys()
    for feature, expected in columns[name].items():
        assert found[feature] == pytest.approx(expected, rel=RELATIVE, abs=ABSOLUTE), feature


def test_stored_numbers_are_what_pyradiomics_gives_here(regions):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of PyRadiomics and its dependencies
        reason = "PyRadiomics 3.0.1 is not installed beside ovfrad"
        extractor = pytest.importorskip("radiomics.featureextractor", reason=reason, exc_type=ImportError)
        import SimpleITK

        image, mask, spacing, _ = regions["vertebra"]()
        volumes = [SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask.astype(np.uint8))]
        for volume in volumes:
            volume.SetSpacing(spacing[::-1])
        given = extractor.RadiomicsFeatureExtractor().execute(*volumes)
    for feature, value in features(image, mask, spacing).items():
        assert value == pytest.approx(float(given[feature]), rel=RELATIVE, abs=ABSOLUTE), feature
