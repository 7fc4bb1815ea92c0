"""Image processing of the profile `pyradiomics` against PyRadiomics 3.0.1, stored and live."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from ast import literal_eval
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics.processing import prepare
from ovfrad.radiomics.processing import resample as resample_module
from ovfrad.radiomics.processing.source import Place
from ovfrad.radiomics.settings import Settings

PYTHON = os.environ.get("OVFRAD_PYRADIOMICS")
REFERENCE = Path(__file__).parents[1] / "reference" / "radiomics"
ULP = 1e-12
"""Relative: what another order of summation makes of float64 intensities."""


def load(name):
    spec = spec_from_file_location(name, REFERENCE / f"{name}.py")
    module = sys.modules.setdefault(name, module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


CASES = load("processing_cases").cases()
OURS = {
    "resampledPixelSpacing": "resampled_pixel_spacing",
    "interpolator": "interpolator",
    "padDistance": "pad_distance",
    "preCrop": "pre_crop",
    "normalize": "normalize",
    "normalizeScale": "normalize_scale",
    "removeOutliers": "remove_outliers",
    "resegmentRange": "resegment_range",
    "resegmentMode": "resegment_mode",
    "resegmentShape": "resegment_shape",
}


def run(case, settings=None):
    settings = settings or Settings(**{OURS[key]: value for key, value in case.settings.items()})
    return prepare(case.image, case.mask, case.spacing, settings, "case", Place(case.origin, case.direction))


def test_every_case_is_stored_and_every_stored_case_is_run():
    with np.load(REFERENCE / "processing_3.0.1.npz") as stored:
        assert {name.split("/")[0] for name in stored} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_equals_pyradiomics(name):
    found = run(CASES[name])
    with np.load(REFERENCE / "processing_3.0.1.npz") as stored:
        expected = {key: stored[f"{name}/{key}"] for key in ("image", "mask", "shape_mask", "spacing")}
    image = expected["image"]
    assert found.image.dtype == image.dtype
    if image.dtype == np.float64:
        np.testing.assert_allclose(found.image, image, rtol=ULP, atol=ULP * np.ptp(image))
    else:
        np.testing.assert_array_equal(found.image, image)
    np.testing.assert_array_equal(found.mask, expected["mask"])
    np.testing.assert_array_equal(found.shape_mask, expected["shape_mask"])
    np.testing.assert_allclose(found.spacing, expected["spacing"], rtol=0, atol=1e-12)


def test_where_a_centre_falls_between_two_voxels_the_origin_decides():
    """PyRadiomics gives 120 voxels or 98 to one region, by the origin alone: so the origin can be given."""
    here, elsewhere = CASES["ties"], CASES["ties_elsewhere"]
    np.testing.assert_array_equal(here.mask, elsewhere.mask)
    assert run(here).mask.sum() == 120
    assert run(elsewhere).mask.sum() == 98


@pytest.fixture
def large():
    """A float64 image of 100 x 64 x 64 voxels and two regions: in the middle, and at a corner."""
    rng = np.random.default_rng(2)
    image = rng.normal(100, 300, (100, 64, 64))
    middle, corner = np.zeros((2, *image.shape), bool)
    middle[46:54, 28:38, 30:35] = True
    corner[:3, 58:, 60:] = True
    return image, middle, corner


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("interpolator", ["sitkBSpline", "sitkLinear", "sitkGaussian", "sitkLanczosWindowedSinc"])
def test_a_crop_changes_nothing(large, which, interpolator, monkeypatch):
    image, *masks = large
    settings = Settings(resampled_pixel_spacing=(0.8, 1.3, 1.1), interpolator=interpolator)
    monkeypatch.setattr(resample_module, "WHOLE", image.size)
    whole = prepare(image, masks[which], (1.7, 0.9, 0.9), settings, "case")
    monkeypatch.setattr(resample_module, "WHOLE", 0)
    sizes = []
    monkeypatch.setattr(resample_module, "require_finite", lambda part, where: sizes.append(part.size))
    cropped = prepare(image, masks[which], (1.7, 0.9, 0.9), settings, "case")
    assert all(size < 0.85 * image.size for size in sizes)
    assert len(sizes) == (interpolator == "sitkBSpline")
    assert np.abs(cropped.image - whole.image).max() < 1e-11 * np.ptp(image)
    np.testing.assert_array_equal(cropped.mask, whole.mask)


def test_margin_is_needed(large, monkeypatch):
    """The comparison above can fail: with two voxels of margin a spline differs by more than 1e-4 of the range."""
    image, mask, _ = large
    settings = Settings(resampled_pixel_spacing=(0.8, 1.3, 1.1))
    monkeypatch.setattr(resample_module, "WHOLE", image.size)
    whole = prepare(image, mask, (1.7, 0.9, 0.9), settings, "case")
    monkeypatch.setattr(resample_module, "WHOLE", 0)
    monkeypatch.setattr(resample_module, "MARGIN", 2)
    cropped = prepare(image, mask, (1.7, 0.9, 0.9), settings, "case")
    assert np.abs(cropped.image - whole.image).max() > 1e-4 * np.ptp(image)


def test_by_default_nothing_is_copied():
    case = CASES["nothing"]
    found = run(case, Settings())
    assert np.shares_memory(found.image, case.image)
    assert found.mask is case.mask
    assert found.shape_mask is case.mask


def test_normalisation_knows_the_whole_image_when_only_a_part_is_used():
    case = CASES["normalised"]
    whole = run(case, Settings(normalize=True)).image
    part = run(case, Settings(normalize=True, pre_crop=True, pad_distance=0)).image
    assert whole.mean() == pytest.approx(0, abs=1e-12)
    assert whole.std(ddof=1) == pytest.approx(1, rel=1e-12)
    np.testing.assert_array_equal(part, whole[2:7, 2:11, 3:12])


@pytest.mark.parametrize("dtype", [bool, np.float16, ">i2", ">f4"])
def test_pixel_types_that_simpleitk_lacks(dtype):
    case = CASES["down"]
    image = (case.image > 200) if dtype is bool else case.image.astype(dtype)
    native = image.astype({bool: np.uint8, np.float16: np.float32}.get(dtype, image.dtype.newbyteorder("=")))
    settings = Settings(resampled_pixel_spacing=(1, 1, 2), interpolator="sitkLinear")
    found = prepare(image, case.mask, case.spacing, settings, "case").image
    np.testing.assert_array_equal(found, prepare(native, case.mask, case.spacing, settings, "case").image)


REFUSED = {
    "line": ({}, np.s_[4, 6, 3:9], "E_ROI_TOO_SMALL", "the mask is 1 x 1 x 6 voxels (k x j x i), a line; 2 of"),
    "point": (
        {"minimum_roi_dimensions": 1},
        np.s_[4, 6, 3],
        "E_ROI_TOO_SMALL",
        "1 x 1 x 1 voxels (k x j x i), a point",
    ),
    "flat": (
        {"minimum_roi_dimensions": 3},
        np.s_[4, 4:8, 3:9],
        "E_ROI_TOO_SMALL",
        "4 x 6 voxels (k x j x i), flat",
    ),
    "few": (
        {"minimum_roi_size": 24},
        np.s_[4, 4:8, 3:9],
        "E_ROI_TOO_SMALL",
        "the mask has 24 voxels; more than 24 are required (minimumROISize)",
    ),
    "nothing": ({}, np.s_[:0], "E_MASK_EMPTY", "the mask has no voxel; give a mask with the region in it"),
    "lost": (
        {"resampled_pixel_spacing": (2.8, 3.6, 7.5), "pad_distance": 0},
        np.s_[4:6, 3:5, 3:5],
        "E_MASK_EMPTY",
        "the mask has no voxel after resampling to 2.8 x 3.6 x 7.5 mm (x, y, z); use smaller voxels",
    ),
    "thinned": (
        {"resampled_pixel_spacing": (1.4, 1.8, 0), "minimum_roi_dimensions": 3},
        np.s_[4:6, 3:5, 3:9],
        "E_ROI_TOO_SMALL",
        "after resampling to 1.4 x 1.8 x 2.5 mm (x, y, z), flat; 3 of",
    ),
    "out of range": (
        {"resegment_range": (2000, 3000)},
        np.s_[2:6, 3:6, 3:6],
        "E_MASK_EMPTY",
        "resegmentation to [2000, 3000] leaves none; widen resegmentRange",
    ),
    "one in range": (
        {"resegment_range": (1.0,), "resegment_mode": "relative"},
        np.s_[2:6, 3:6, 3:6],
        "E_ROI_TOO_SMALL",
        "leaves 1; widen resegmentRange",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_regions_that_are_refused(name):
    settings, where, code, text = REFUSED[name]
    case = CASES["nothing"]
    mask = np.zeros_like(case.mask)
    mask[where] = True
    with pytest.raises(InputError) as refused:
        prepare(case.image, mask, case.spacing, Settings(**settings), "case P1 L1")
    assert refused.value.code == code
    assert str(refused.value).startswith(f"{code} case P1 L1: ")
    assert text in str(refused.value)


def test_a_region_one_voxel_above_the_least_is_accepted():
    case = CASES["nothing"]
    size = int(case.mask.sum())
    assert run(case, Settings(minimum_roi_size=size - 1)).mask.sum() == size


def test_images_that_are_refused():
    case = CASES["down"]
    image = case.image.astype(np.float32)
    for settings, text in (
        (Settings(normalize=True), "E_NOT_FINITE case: the image has voxels that are not finite"),
        (Settings(resampled_pixel_spacing=(1, 1, 1)), "E_NOT_FINITE case: 1 voxels round the mask are not finite"),
    ):
        image[0, 0, 0] = np.nan
        with pytest.raises(InputError) as refused:
            prepare(image, case.mask, case.spacing, settings, "case")
        assert str(refused.value).startswith(text)
    with pytest.raises(InputError, match="E_IMAGE_CONSTANT case: SD of the image is 0; a z-score needs"):
        prepare(np.ones_like(image), case.mask, case.spacing, Settings(normalize=True), "case")
    with pytest.raises(InputError, match="E_GRID"):
        prepare(image[1:], case.mask, case.spacing, Settings(), "case")
    with pytest.raises(InputError, match="E_SPACING"):
        prepare(image, case.mask, (1.0, 0.0, 1.0), Settings(), "case")


VOXELS = {"brain1_resampling": 1915, "brain2_resampling": 207, "breast1_resampling": 23, "brain2_resegmentation": 448}
"""Voxels of the regions whose number a setting changes, as PyRadiomics 3.0.1 reports them."""


@pytest.mark.parametrize("name", ["brain1", "brain2", "breast1"])
def test_baseline_settings_on_pyradiomics_images(name, shared, read_image):
    """Normalised, resampled (2 mm) and resegmented (3 sigma) first-order values of PyRadiomics' own table."""
    folder = shared / "data" / "pyradiomics"
    with (folder / "baseline" / "baseline_firstorder.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *rows = csv.reader(stream)
    image, spacing = read_image(folder / f"{name}_image.nrrd")
    label, _ = read_image(folder / f"{name}_label.nrrd")
    for case in ("normalization", "resampling", "resegmentation"):
        table = {row[0].removeprefix("original_firstorder_"): row[header.index(f"{name}_{case}")] for row in rows}
        theirs = literal_eval(table["diagnostics_Configuration_Settings"])
        given = {OURS[key]: value for key, value in theirs.items() if key in OURS}
        found = prepare(image, label == 1, spacing, Settings(**given), name)
        values = found.image[found.mask].astype(np.float64)
        assert values.size == VOXELS.get(f"{name}_{case}", np.count_nonzero(label == 1))
        ours = {"Mean": values.mean(), "Variance": values.var(), "Minimum": values.min(), "Maximum": values.max()}
        for feature, value in ours.items():
            assert value == pytest.approx(float(table[feature]), rel=1e-9), (case, feature)


@pytest.mark.skipif(not PYTHON, reason="OVFRAD_PYRADIOMICS names no Python with PyRadiomics 3.0.1")
def test_stored_arrays_are_what_pyradiomics_gives_here(tmp_path):
    subprocess.run([PYTHON, REFERENCE / "make_processing_reference.py", tmp_path / "live.npz"], check=True)
    with np.load(tmp_path / "live.npz") as live, np.load(REFERENCE / "processing_3.0.1.npz") as stored:
        assert live.files == stored.files
        for name in stored.files:
            np.testing.assert_allclose(live[name], stored[name], rtol=ULP, atol=1e-12, err_msg=name)
