"""PyRadiomics' own baseline tables (written by its version 2.0.1b1): every column this engine can follow.

A column that is not followed yet is named in NOT_FOLLOWED with the setting that is missing; a column that is in
neither group, or a feature that is missing on either side, fails.
"""

from __future__ import annotations

import csv
from ast import literal_eval

import pytest

from ovfrad.radiomics import features, names, zscore

RELATIVE = 1e-6
ABSOLUTE = 1e-9
IMAGES = ("brain1", "brain2", "breast1")
CLASSES = ("shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")

FOLLOWED = {"", "_FBN", "_normalization", "_flatRegion"}
NOT_FOLLOWED = {
    "_resampling": "resampledPixelSpacing",
    "_resegmentation": "resegmentRange with resegmentMode sigma",
    "_2d": "force2D",
    "_combined": "weightingNorm",
}
OVERRULED = {"Sphericity", "SurfaceVolumeRatio", "MeshVolume", "SurfaceArea"}
"""Shape features of brain1 in which PyRadiomics 3.0.1 differs from its baseline by 1e-4 to 9e-4: 3.0.1 decides."""


def read_baseline(shared, group):
    """Columns of one table: settings and values by feature, for the three images that are here."""
    path = shared / "data" / "pyradiomics" / "baseline" / f"baseline_{group}.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    table = {row[0]: row[1:] for row in rows}
    columns = {}
    for place, name in enumerate(header[1:]):
        if name.split("_")[0] in IMAGES:
            values = {key: float(row[place]) for key, row in table.items() if key.startswith("original_")}
            columns[name] = literal_eval(table["diagnostics_Configuration_Settings"][place]), values
    return columns


def split(column):
    image = column.split("_")[0]
    return image, column.removeprefix(image)


@pytest.fixture(scope="module")
def images(shared, read_image):
    folder = shared / "data" / "pyradiomics"
    found = {}
    for name in IMAGES:
        image, spacing = read_image(folder / f"{name}_image.nrrd")
        label, _ = read_image(folder / f"{name}_label.nrrd")
        found[name] = image, label == 1, spacing
    return found


def compute(images, name, settings, only):
    image, mask, spacing = images[name]
    if settings["normalize"]:
        image = zscore(image, settings["normalizeScale"])
    return features(
        image,
        mask,
        spacing,
        bin_width=settings.get("binWidth", 25),
        bin_count=settings.get("binCount"),
        gldm_a=settings.get("gldm_a", 0),
        voxel_array_shift=settings.get("voxelArrayShift", 0),
        only=only,
    )


@pytest.mark.parametrize("group", CLASSES)
def test_every_column_is_followed_or_named(shared, group):
    columns = read_baseline(shared, group)
    assert {split(column)[1] for column in columns} <= FOLLOWED | NOT_FOLLOWED.keys()
    for column, (settings, _) in columns.items():
        needs = [settings["resampledPixelSpacing"], settings["force2D"], settings.get("weightingNorm")]
        missing = any(needs) or "resegmentMode" in settings
        assert missing == (split(column)[1] in NOT_FOLLOWED), column


@pytest.mark.parametrize("group", CLASSES)
def test_followed_columns_agree(shared, images, group):
    listed = [name for name in names() if name.startswith(f"original_{group}_")]
    compared = 0
    for column, (settings, expected) in read_baseline(shared, group).items():
        image, case = split(column)
        if case not in FOLLOWED:
            continue
        assert sorted(expected) == sorted(listed)
        found = compute(images, image, settings, listed)
        for feature, value in expected.items():
            if (column, feature.rsplit("_", 1)[1]) in {("brain1", name) for name in OVERRULED}:
                continue
            assert found[feature] == pytest.approx(value, rel=RELATIVE, abs=ABSOLUTE), (column, feature)
        compared += 1
    assert compared == 3 * {"shape": 1, "firstorder": 2}.get(group, 4)


def test_flat_region_needs_no_resegmentation(images):
    """The `_flatRegion` columns resegment to [0, infinity), which leaves these masks as they are."""
    assert all(image[mask].min() >= 0 for image, mask, _ in images.values())


def test_where_the_baseline_and_version_301_differ_301_decides(shared, images, reference):
    with (reference / "brain1_shape_3.0.1.csv").open(encoding="utf-8", newline="") as stream:
        decided = {row["feature"]: float(row["brain1"]) for row in csv.DictReader(stream)}
    settings, published = read_baseline(shared, "shape")["brain1"]
    found = compute(images, "brain1", settings, list(decided))
    assert len(decided) == 14
    for feature, value in decided.items():
        assert found[feature] == pytest.approx(value, rel=RELATIVE), feature
    apart = {name for name, value in published.items() if abs(value / decided[name] - 1) > RELATIVE}
    assert {name.rsplit("_", 1)[1] for name in apart} == OVERRULED
