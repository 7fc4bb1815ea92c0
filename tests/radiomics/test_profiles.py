"""Where the two profiles differ, and that the notes of the features say it: nowhere else do the values differ."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.radiomics import Settings, describe, features
from ovfrad.radiomics.listing import ABOUT

SPACING = (2.0, 1.0, 1.5)
BY_DEFINITION = {
    "firstorder_Kurtosis",
    "shape_LeastAxisLength",
    "shape_MajorAxisLength",
    "shape_MinorAxisLength",
}
TEXTURES = ("glcm", "gldm", "glrlm", "glszm", "ngtdm")


def differing(image, mask, **settings):
    """Names (without `original_`) whose values differ between the profiles."""
    ours, theirs = (features(image, mask, SPACING, profile=p, **settings) for p in ("ibsi", "pyradiomics"))
    return {
        name.removeprefix("original_")
        for name, value in theirs.items()
        if ours[name] != pytest.approx(value, rel=1e-9, abs=1e-12)
    }


def classes(names):
    return {name.split("_")[0] for name in names}


@pytest.fixture
def solid():
    """A box of 5 x 6 x 7 voxels of which the least intensity is 0, an edge of a bin under both profiles."""
    image = np.random.default_rng(8).integers(0, 400, (7, 8, 9)).astype(float)
    mask = np.zeros(image.shape, bool)
    mask[1:6, 1:7, 1:8] = True
    image[3, 3, 3] = 0
    return image, mask


def test_where_bins_and_neighbours_are_alike_four_definitions_differ(solid):
    assert differing(*solid) == BY_DEFINITION
    assert differing(*solid, bin_count=16) == BY_DEFINITION


def test_how_much_they_differ(solid):
    image, mask = solid
    ours, theirs = (features(image, mask, SPACING, profile=p) for p in ("ibsi", "pyradiomics"))
    n = int(mask.sum())
    assert ours["original_firstorder_Kurtosis"] == pytest.approx(theirs["original_firstorder_Kurtosis"] - 3)
    for axis in ("Least", "Major", "Minor"):
        name = f"original_shape_{axis}AxisLength"
        assert ours[name] == pytest.approx(theirs[name] * np.sqrt(n / (n - 1)))


def test_bins_begin_elsewhere(solid):
    image, mask = solid
    found = differing(image + 7, mask) - BY_DEFINITION
    assert classes(found) == {"firstorder", *TEXTURES}
    assert {name for name in found if name.startswith("firstorder")} == {"firstorder_Entropy", "firstorder_Uniformity"}
    assert differing(image, mask, resegment_range=(0, 1000)) == BY_DEFINITION
    assert classes(differing(image, mask, resegment_range=(-10, 1000)) - BY_DEFINITION) == {"firstorder", *TEXTURES}


def test_a_voxel_without_neighbours_counts_in_one_profiles_tone_differences(solid):
    image, mask = solid
    mask[:] = False
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 8] = True
    assert classes(differing(image, mask) - BY_DEFINITION) == {"ngtdm"}


def test_directions_without_a_line_of_two_voxels_leave_one_profiles_runs(solid):
    image, mask = solid
    mask[:] = False
    mask[3, 1:7, 1:8] = True
    image[3, 1, 1] = 0
    assert classes(differing(image, mask) - BY_DEFINITION) == {"glrlm"}


def test_what_the_profiles_differ_in_is_written_down():
    notes = describe().set_index("name")["note"]
    assert "ibsi: the excess, 3 less" in notes["original_firstorder_Kurtosis"]
    for axis in ("Least", "Major", "Minor"):
        assert "over N; profile ibsi: over N - 1" in notes[f"original_shape_{axis}AxisLength"]
    for name in ("Entropy", "Uniformity"):
        assert "bins differ between the profiles" in notes[f"original_firstorder_{name}"]
    assert "profile ibsi: it is not counted" in ABOUT["ngtdm"]
    assert "directions in which a line crosses two voxels" in ABOUT["glrlm"]
    assert "profile ibsi: they begin at the lower bound of resegmentRange, or at the minimum" in ABOUT["firstorder"]
    for group in TEXTURES:
        assert "ibsi" in ABOUT[group]


def test_what_ibsi_has_not_is_written_down():
    table = describe()
    for row in table[(table["ibsi_tag"] == "")].itertuples():
        assert "IBSI" in row.note, row.name


@pytest.mark.parametrize("profile", ["pyradiomics", "ibsi"])
def test_what_a_flat_region_gives_is_written_down(profile):
    """The value in each note that speaks of a flat region is the value there."""
    mask = np.zeros((6, 6, 6), bool)
    mask[1:5, 1:5, 1:5] = True
    found = features(np.full(mask.shape, 80.0), mask, SPACING, Settings(profile=profile))
    told = 0
    for row in describe().itertuples():
        if "for a flat region" in row.note:
            value = row.note.split(" for a flat region")[0].split()[-1]
            assert found[row.name] == float(value), row.name
            told += 1
    assert told == 12
