"""From an image and settings to a row of features, and the table that describes it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ovfrad
from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.radiomics import Settings, describe, extract, extract_many, features, names
from ovfrad.radiomics.classes import BY_NAME
from ovfrad.study.settings import Radiomics


@pytest.fixture
def roi(blob):
    image, mask, (k, j, i) = blob
    affine = np.diag([i, j, k, 1.0])
    return Roi(Volume(image.astype(np.float32), affine), Volume(mask, affine), "P0001 L1")


def test_extract_is_features_under_the_settings(roi, blob):
    image, mask, spacing = blob
    found = extract(roi, settings={"setting": {"binWidth": 20, "gldm_a": 1}})
    assert isinstance(found, pd.Series)
    assert found.dtype == np.float64
    assert found.name == "P0001 L1"
    assert list(found.index) == names()
    assert found.to_dict() == features(image, mask, spacing, bin_width=20, gldm_a=1)
    assert found.to_dict() == features(image, mask, spacing, Settings(bin_width=20), gldm_a=1)


def test_a_study_asks_for_1316_features(roi, recwarn):
    asked = Radiomics()
    found = extract(roi, settings=asked.parameters())
    assert list(found.index) == names(asked.parameters())
    assert len(found) == 107 + 13 * 93 == 1316
    assert np.isfinite(found).all()
    assert found.index.is_unique
    assert {name.rsplit("_", 2)[0] for name in found.index} == {
        "original",
        *(f"log-sigma-{mm}-0-mm-3D" for mm in range(1, 6)),
        *(f"wavelet-{band}" for band in ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL")),
    }


def test_single_names_equal_those_among_all(blob):
    image, mask, spacing = blob
    asked = Settings(image_types={"Original": {}, "LoG": {"sigma": [2.0]}, "Square": {}})
    some = ["square_gldm_DependenceEntropy", "log-sigma-2-0-mm-3D_glcm_Id", "original_shape_Sphericity"]
    everything = extract(image, mask, asked, spacing=spacing)
    found = extract(image, mask, asked, spacing=spacing, only=some)
    assert set(found.index) == set(some)
    assert found.to_dict() == everything[found.index].to_dict()
    assert list(extract(image, mask, asked, spacing=spacing, only=some[0]).index) == some[:1]


@pytest.mark.parametrize("name", ["original_glcm_Entropy", "log-sigma-3-0-mm-3D_glcm_Id", "square_shape_Flatness", "x"])
def test_a_name_that_is_not_among_all_is_refused(blob, name):
    image, mask, spacing = blob
    asked = Settings(image_types={"Original": {}, "LoG": {"sigma": [2.0]}, "Square": {}})
    with pytest.raises(InputError) as refused:
        extract(image, mask, asked, spacing=spacing, only=["original_glcm_Id", name])
    assert str(refused.value) == (
        f"E_FEATURE {name}: the settings do not ask for this feature; `ovfrad.radiomics.names` lists those they ask for"
    )


def test_shape2d_is_named_where_it_is_computed(blob):
    image, mask, spacing = blob
    mask = np.zeros_like(mask)
    mask[6, 3:12, 4:11] = True
    asked = {"featureClass": {"shape2D": None, "firstorder": ["Mean"]}, "setting": {"force2D": True}}
    assert list(extract(image, mask, asked, spacing=spacing).index) == names(asked)
    assert len(names(asked)) == 10
    asked["setting"]["force2D"] = False
    with pytest.warns(InputWarning, match="W_SHAPE2D mask: shape2D is left out; "):
        found = extract(image, mask, asked, spacing=spacing)
    assert list(found.index) == names(asked) == ["original_firstorder_Mean"]


def test_several_labels_are_rows_of_one_table(blob):
    image, mask, spacing = blob
    labels = np.where(mask, 20, 0)
    labels[:, :8][mask[:, :8]] = 21
    table = extract_many(image, labels, [21, 20], spacing=spacing)
    assert table.index.name == "label"
    assert list(table.index) == [21, 20]
    assert list(table.columns) == names()
    for label in (20, 21):
        assert table.loc[label].to_dict() == extract(image, labels, label=label, spacing=spacing).to_dict()
    assert not table.loc[20].equals(table.loc[21])


def test_choices_of_classes_and_names(blob):
    image, mask, spacing = blob
    asked = {"featureClass": {"glcm": ["Id", "Contrast"], "ngtdm": None, "shape": ["Compactness1"]}}
    found = extract(image, mask, asked, spacing=spacing)
    assert list(found.index) == names(asked)
    assert found.index[0] == "original_shape_Compactness1"
    assert list(found.index[1:3]) == ["original_glcm_Id", "original_glcm_Contrast"]
    assert len(found) == 1 + 2 + 5


def test_an_image_type_may_have_settings_of_its_own(blob):
    image, mask, spacing = blob
    square = {"binWidth": 500, "distances": [1, 2], "gldm_a": 2}
    mixed = extract(image, mask, {"imageType": {"Original": {}, "Square": square}}, spacing=spacing)
    alone = extract(image, mask, {"imageType": {"Square": {}}, "setting": square}, spacing=spacing)
    plain = extract(image, mask, spacing=spacing)
    for name, value in mixed.items():
        assert value == (plain if name.startswith("original") else alone)[name], name


def test_ibsi_tags_go_with_the_series(blob):
    image, mask, spacing = blob
    ibsi = {"setting": {"profile": "ibsi", "aggregation": "2.5D_comb"}, "imageType": {"Original": {}, "Square": {}}}
    tags = extract(image, mask, ibsi, spacing=spacing).attrs["ibsi_tags"]
    assert list(tags) == names(ibsi)
    assert tags["original_glcm_Contrast"] == "cm_contrast_2_5D_comb"
    assert tags["square_glcm_Contrast"] == ""
    assert "ibsi_tags" not in extract(image, mask, spacing=spacing).attrs


def test_zscored_intensities(roi, blob):
    image, mask, spacing = blob
    found = extract(roi, settings=Radiomics(image_types=("original",), intensities="zscore").parameters())
    scores = 100 * (image - image.mean()) / image.std(ddof=1)
    assert found.to_dict() == pytest.approx(features(scores, mask, spacing, bin_width=25), rel=1e-9)


def test_zscored_with_the_usual_bin_width_leaves_one_bin_and_says_so(roi):
    study = Radiomics(image_types=("original",), intensities="zscore", z_scale=1, bin_width=25)
    with pytest.warns(InputWarning) as caught:
        extract(roi, settings=study.parameters())
    (line,) = [str(item.message) for item in caught]
    assert line.startswith("W_BINS P0001 L1: 2 grey-level bins inside the mask; textures need 16 to 128: change ")
    assert line.endswith(" (now 25)")


@pytest.mark.parametrize(("bin_width", "bins"), [(100, 7), (2, 283)])
def test_too_few_and_too_many_bins_are_said(roi, bin_width, bins):
    with pytest.warns(InputWarning, match=f"W_BINS P0001 L1: {bins} grey-level bins inside the mask"):
        extract(roi, settings=Settings(bin_width=bin_width, bins=(16, 128)))


def test_the_table_describes_every_feature():
    table = describe()
    columns = ["name", "class", "definition", "ibsi_tag", "ibsi_code", "unit", "note", "computed"]
    assert list(table.columns) == columns
    assert table["name"].is_unique
    assert len(table) == sum(len(group.features) for group in BY_NAME.values())
    assert list(table[table["computed"] == "always"]["name"]) == names()
    extra = table[(table["computed"] == "ibsi") | (table["computed"] == "always")]["name"]
    assert list(extra) == names(Settings(profile="ibsi"))
    assert set(table[table["computed"] == "by name"]["class"]) == {"shape2D"}
    assert (table["definition"].str.len() > 5).all()
    assert table["definition"].str.endswith(".").all()
    assert (table["unit"] != "").all()


def test_tags_and_codes_of_the_table():
    table = describe()
    tagged = table[table["ibsi_tag"] != ""]
    assert len(tagged) == 105
    assert tagged["ibsi_tag"].is_unique
    assert tagged["ibsi_code"].str.fullmatch("[0-9A-Z]{4}").all()
    assert tagged["ibsi_code"].is_unique
    untagged = table[(table["ibsi_tag"] == "") & (table["class"] != "shape2D")]
    assert (untagged["ibsi_code"] == "").all()
    assert set(untagged["name"].str.removeprefix("original_")) == {
        "shape_Maximum2DDiameterColumn",
        "shape_Maximum2DDiameterRow",
        "shape_Maximum2DDiameterSlice",
        "firstorder_StandardDeviation",
        "firstorder_TotalEnergy",
        "glcm_MCC",
    }
    assert (untagged["note"] != "").all()


def test_tags_follow_the_aggregation():
    table = describe("2D_comb").set_index("name")["ibsi_tag"]
    assert table["original_glcm_Contrast"] == "cm_contrast_2D_comb"
    assert table["original_glszm_ZonePercentage"] == "szm_z_perc_2D"
    assert table["original_firstorder_Mean"] == "stat_mean"


def test_threads_give_equal_numbers(blob):
    image, mask, spacing = blob
    alone = features(image, mask, spacing)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: features(image, mask, spacing), range(16)))
    assert all(found == alone for found in together)


def run_python(code, **environment):
    source = str(Path(ovfrad.__file__).parents[1])
    command = [sys.executable, "-W", "error", "-c", code]
    env = os.environ | {"PYTHONPATH": source} | environment
    return subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout.strip()


def test_import_loads_nothing_heavy():
    heavy = ("numba", "scipy", "pandas", "SimpleITK", "ovfrad.study", "ovfrad.imaging", "nibabel", "pywt", "yaml")
    code = f"import sys, ovfrad.radiomics; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_without_a_folder_for_the_cache_kernels_still_run():
    """As in a read-only installation: numba finds no place where it could keep compiled code."""
    code = """
from numba.core import caching
caching.CacheImpl._locator_classes = []
import numpy as np
from ovfrad.radiomics.shape_kernels import largest_distance
points = np.array([[0.0, 0.0], [3.0, 4.0]])
print(largest_distance(points, np.array([5.0, 5.0]), 0.0))
"""
    assert run_python(code) == "5.0"
