"""From a `Roi` and a study's settings to a row of features, and the table that describes it."""

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
from ovfrad.errors import InputWarning
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.radiomics import describe, extract, features, names, zscore
from ovfrad.study.settings import Radiomics


@pytest.fixture
def roi(blob):
    image, mask, (k, j, i) = blob
    affine = np.diag([i, j, k, 1.0])
    return Roi(Volume(image.astype(np.float32), affine), Volume(mask, affine), "P0001 L1")


def test_extract_is_features_under_the_settings(roi, blob):
    image, mask, spacing = blob
    found = extract(roi, Radiomics(bin_width=20, gldm_a=1))
    assert isinstance(found, pd.Series)
    assert found.dtype == np.float64
    assert found.name == "P0001 L1"
    assert list(found.index) == names()
    assert found.to_dict() == features(image, mask, spacing, bin_width=20, gldm_a=1)


def test_zscored_intensities(roi, blob):
    image, mask, spacing = blob
    settings = Radiomics(intensities="zscore", z_scale=100, bin_width=25)
    found = extract(roi, settings)
    assert found.to_dict() == features(zscore(image, 100), mask, spacing, bin_width=25)


def test_zscored_with_the_usual_bin_width_leaves_one_bin_and_says_so(roi):
    with pytest.warns(InputWarning) as caught:
        extract(roi, Radiomics(intensities="zscore", z_scale=1, bin_width=25))
    assert [str(item.message) for item in caught] == [
        "W_BINS P0001 L1: 2 grey-level bins inside the mask; "
        "textures need 16 to 128: change radiomics.bin_width (now 25)"
    ]


@pytest.mark.parametrize(("bin_width", "bins"), [(100, 7), (2, 283)])
def test_too_few_and_too_many_bins_are_said(roi, bin_width, bins):
    with pytest.warns(InputWarning, match=f"W_BINS P0001 L1: {bins} grey-level bins inside the mask"):
        extract(roi, Radiomics(bin_width=bin_width))


def test_the_table_describes_every_feature():
    table = describe()
    assert list(table["name"]) == names()
    assert list(table.columns) == ["name", "class", "definition", "ibsi_tag", "ibsi_code", "unit", "note"]
    assert (table["definition"].str.len() > 5).all()
    assert table["definition"].str.endswith(".").all()
    assert (table["unit"] != "").all()
    tagged = table[table["ibsi_tag"] != ""]
    assert len(tagged) == 102
    assert tagged["ibsi_code"].str.fullmatch("[0-9A-Z]{4}").all()
    assert tagged["ibsi_code"].is_unique
    assert set(table[table["ibsi_tag"] == ""]["name"].str.removeprefix("original_")) == {
        "shape_Maximum2DDiameterColumn",
        "shape_Maximum2DDiameterRow",
        "shape_Maximum2DDiameterSlice",
        "firstorder_TotalEnergy",
        "glcm_MCC",
    }


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


def test_import_loads_neither_numba_nor_scipy():
    code = "import sys, ovfrad.radiomics; print([name for name in ('numba', 'scipy', 'torch') if name in sys.modules])"
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
