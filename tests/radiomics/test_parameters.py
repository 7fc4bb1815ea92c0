"""PyRadiomics' parameter files: what is followed, what is refused by name, what is ignored aloud."""

from __future__ import annotations

import json
import re

import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.radiomics import Settings, names, read_parameters, settings_from
from ovfrad.radiomics.classes import BY_NAME
from ovfrad.radiomics.settings import DROPPED


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "params.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def refusal(path):
    with pytest.raises(InputError) as refused:
        read_parameters(path)
    return str(refused.value)


def test_an_empty_file_asks_for_pyradiomics_defaults(write):
    assert read_parameters(write("")) == Settings(label=1)


def test_settings_and_features_are_followed(write):
    text = """
imageType:
  Original: {}
  LoG: {sigma: [1, 2.5], binWidth: 5}
featureClass:
  glcm: [Contrast, Id]
  firstorder:
  shape: []
setting:
  binWidth: 10
  label: 22
  normalize: true
  normalizeScale: 100
  removeOutliers: 3
  gldm_a: 1
  force2D: true
  force2Ddimension: 1
  distances: [1, 2]
  weightingNorm: euclidean
  symmetricalGLCM: false
  resampledPixelSpacing: [2, 2, 0]
  interpolator: sitkLinear
  padDistance: 10
  resegmentRange: [-3, 3]
  resegmentMode: sigma
  resegmentShape: true
  preCrop: true
  minimumROISize: 50
  minimumROIDimensions: 1
  voxelArrayShift: 1000
"""
    found = read_parameters(write(text))
    assert found == Settings(
        image_types={"Original": {}, "LoG": {"sigma": [1, 2.5], "binWidth": 5}},
        features={"glcm": ["Contrast", "Id"], "firstorder": None, "shape": None},
        bin_width=10,
        label=22,
        normalize=True,
        normalize_scale=100,
        remove_outliers=3,
        gldm_a=1,
        force2d=True,
        force2d_dimension=1,
        distances=(1, 2),
        weighting_norm="euclidean",
        symmetrical_glcm=False,
        resampled_pixel_spacing=(2, 2, 0),
        interpolator="sitkLinear",
        pad_distance=10,
        resegment_range=(-3, 3),
        resegment_mode="sigma",
        resegment_shape=True,
        pre_crop=True,
        minimum_roi_size=50,
        minimum_roi_dimensions=1,
        voxel_array_shift=1000,
    )
    assert len(names(found)) == 14 + 3 * (18 + 2)


def test_settings_of_filters_may_stand_under_setting(write):
    text = "{imageType: {LoG: {}, Wavelet: {wavelet: haar}}, setting: {sigma: [3], wavelet: db2, level: 2}}"
    assert read_parameters(write(text)).image_types == {
        "LoG": {"sigma": [3]},
        "Wavelet": {"wavelet": "haar", "level": 2},
    }


def test_our_own_keys(write):
    text = "setting: {profile: ibsi, aggregation: 2.5D_comb, outlierSigma: 3, roundIntensities: false, bins: [8, 64]}"
    assert read_parameters(write(text)) == Settings(
        label=1, profile="ibsi", aggregation="2_5D_comb", outlier_sigma=3, round_intensities=False, bins=(8, 64)
    )


def test_json_and_a_mapping_are_read_alike(tmp_path):
    content = {"setting": {"binCount": 32}, "imageType": {"Square": {}}}
    path = tmp_path / "params.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_parameters(path) == settings_from(content) == settings_from(str(path))
    assert settings_from(None) == Settings()


def test_an_empty_key_is_a_setting_left_off(write):
    found = read_parameters(write("setting:\n  resampledPixelSpacing:\n  weightingNorm:\n  binCount:\n"))
    assert found == Settings(label=1)


def test_keys_without_effect_are_ignored_aloud(write):
    with pytest.warns(InputWarning) as caught:
        read_parameters(write("setting: {additionalInfo: true, geometryTolerance: 0.001, correctMask: true}"))
    assert [str(item.message) for item in caught] == [
        "W_SETTING_NO_EFFECT params.yaml: additionalInfo, geometryTolerance, correctMask have no effect here; "
        "no diagnostics are written; grids are compared in voxels; a mask on another grid is refused"
    ]


def test_what_comes_before_filters_cannot_be_one_image_types_own(write):
    with pytest.warns(InputWarning) as caught:
        found = read_parameters(write("imageType: {Square: {normalize: true, binWidth: 5}}"))
    assert [str(item.message) for item in caught] == [
        "W_SETTING_NO_EFFECT params.yaml: normalize under imageType Square has no effect; "
        "give what comes before filters under `setting`"
    ]
    assert found == Settings(label=1, image_types={"Square": {"binWidth": 5}})


EXAMPLES = {
    "CT": ("Original LoG Wavelet", "shape firstorder glcm glrlm glszm gldm", 14 + 14 * (18 + 22 + 16 + 16 + 14)),
    "MR 2-D": ("Original LoG Wavelet", "shape2D firstorder glcm glrlm glszm gldm", 14 * (18 + 22 + 16 + 16 + 14)),
    "all shapes": ("Original", "shape", 17),
}
"""PyRadiomics' example files, whose GLCM lists all names but SumAverage and MCC: image types, classes, features.
Without force2D, shape2D is left out."""
SHAPE = [name.removeprefix("shape_") for name in BY_NAME["shape"].all_names]
GLCM = [name.removeprefix("glcm_") for name in BY_NAME["glcm"].names]
GLCM = [name for name in GLCM if name not in ("SumAverage", "MCC")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_files_as_pyradiomics_examples_are_read(write, example):
    types, classes, count = EXAMPLES[example]
    own = {"LoG": "{sigma: [1.0, 2.0, 3.0, 4.0, 5.0]}"}
    lists = {"glcm": GLCM, "shape": SHAPE if example == "all shapes" else "", "firstorder": []}
    text = [
        "imageType:",
        *(f"  {kind}: {own.get(kind, '{}')}" for kind in types.split()),
        "featureClass:",
        *(f"  {group}: {lists.get(group, '') or ''}" for group in classes.split()),
        "setting:",
        "  interpolator: 'sitkBSpline'  # a comment",
        "  resampledPixelSpacing: [2, 2, 0]",
        "  padDistance: 10",
        "  preCrop: true",
        "  force2Ddimension: 0",
        "  binWidth: 5",
        "  normalize: true",
        "  normalizeScale: 100",
        "  voxelArrayShift: 300",
        "  weightingNorm:",
        "  label: 1",
    ]
    assert len(names(read_parameters(write("\n".join(text))))) == count


UNKNOWN = "E_SETTING_UNKNOWN params.yaml: "
VALUE = "E_SETTING_VALUE params.yaml: "
UNSUPPORTED = "E_SETTING_UNSUPPORTED params.yaml: "
HELP = "see `ovfrad radiomics --settings-help`"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("setting: {binwidth: 10}", f"{UNKNOWN}setting binwidth is not known; did you mean binWidth? {HELP}"),
        (
            "setting: {force2DDimension: 0}",
            f"{UNKNOWN}setting force2DDimension is not known; did you mean force2Ddimension? {HELP}",
        ),
        ("setting: {colour: 10}", f"{UNKNOWN}setting colour is not known; {HELP}"),
        ("setting: {1: 10}", f"{UNKNOWN}setting 1 is not known; {HELP}"),
        ("setting: {lbp3DLevels: 2}", f"{UNSUPPORTED}setting lbp3DLevels is not supported; use LBP2D"),
        ("imageType: {LBP3D: {}}", f"{UNSUPPORTED}imageType LBP3D is not supported; use LBP2D"),
        (
            "imageType: {Wavlet: {}}",
            f"{UNKNOWN}imageType Wavlet is not known; did you mean Wavelet? known: Original, LoG, Wavelet, Square, "
            "SquareRoot, Logarithm, Exponential, Gradient, LBP2D",
        ),
        (
            "imageType: {Square: {bin_width: 3}}",
            f"{UNKNOWN}setting bin_width is not known; did you mean binWidth? {HELP}",
        ),
        ("imageType: {Square: {binWidth: 0}}", f"{VALUE}imageType Square: binWidth: 0 is not a number above 0; {HELP}"),
        ("imageType: {LoG: {}}", f"{VALUE}imageType LoG: sigma is missing; give a list of widths above 0, mm"),
        ("imageType: {LoG: {sigma: 1}}", f"{VALUE}imageType LoG: sigma: 1; give a list of widths above 0, mm"),
        ("imageType: {LoG: 3}", f"{VALUE}imageType LoG is 3; it must be a mapping of names to values"),
        ("imageType: {Wavelet: {wavelet: morlet}}", f"{VALUE}imageType Wavelet: wavelet: 'morlet'; give one of pywt."),
        (
            "featureClass: {GLCM: }",
            f"{UNKNOWN}featureClass: GLCM is not known; did you mean glcm? "
            "known: shape, shape2D, firstorder, glcm, gldm, glrlm, glszm, ngtdm",
        ),
        (
            "featureClass: {shape: [MajorAxis]}",
            f"{UNKNOWN}featureClass shape: MajorAxis is not known; did you mean MajorAxisLength? "
            "see `ovfrad radiomics --list`",
        ),
        (
            "featureClass: {glcm: [Homogeneity1]}",
            f"{UNSUPPORTED}featureClass glcm: Homogeneity1 is a feature that PyRadiomics 3 has dropped; "
            "ask for Id, which is equal",
        ),
        ("featureClass: {glcm: Id}", f"{VALUE}featureClass glcm: 'Id'; give a list of names"),
        ("featureClass: {glcm: [1]}", f"{VALUE}featureClass glcm: [1]; give a list of names"),
        (
            "voxelSetting: {kernelRadius: 1}",
            f"{UNSUPPORTED}voxelSetting is not supported; features are computed for the region, not a voxel at a time",
        ),
        (
            "settings: {binWidth: 10}",
            f"{UNKNOWN}section settings is not known; did you mean setting? known: imageType, featureClass, setting",
        ),
        ("inputImage: {Original: {}}", f"{UNKNOWN[:-2]}: inputImage is a name of PyRadiomics 1; write imageType"),
        ("setting: {binWidth: -1}", f"{VALUE}binWidth: -1 is not a number above 0; {HELP}"),
        ("setting: {label: L1}", f"{VALUE}label: 'L1' is not a whole number from 1 up; {HELP}"),
        ("setting: {normalize: 3}", f"{VALUE}normalize: 3 is not true or false; {HELP}"),
        (
            "setting: {aggregation: 2D_avg}",
            "E_SETTING_PROFILE params.yaml: aggregation: belongs to the profile ibsi, and the profile is pyradiomics; "
            "leave it out, or choose ibsi",
        ),
        ("setting: 3", f"{VALUE}setting is 3; it must be a mapping of names to values"),
        ("- 3", f"{VALUE}the file is [3]; it must be a mapping of names to values"),
        ("setting: [", "E_YAML params.yaml: not YAML: while parsing a flow node"),
    ],
)
def test_every_other_key_is_refused_by_name_in_one_line(write, text, line):
    refused = refusal(write(text))
    assert refused.startswith(line)
    assert "\n" not in refused


@pytest.mark.parametrize("dropped", DROPPED)
def test_dropped_features_equal_what_is_named_instead(dropped):
    """The names that the remedies give exist; that they are equal is PyRadiomics' own statement."""
    for word in re.findall(r"ask for (\w+)(?: of (\w+))?", DROPPED[dropped]):
        feature, group = word[0], word[1] or dropped.split("_")[0]
        assert f"original_{group}_{feature}" in names()
    with pytest.raises(InputError, match="has dropped"):
        settings_from({"featureClass": {dropped.split("_")[0]: [dropped.split("_")[1]]}})


def test_a_missing_file(tmp_path):
    assert refusal(tmp_path / "none.yaml") == (
        "E_FILE none.yaml: No such file or directory; give a PyRadiomics parameter file"
    )
