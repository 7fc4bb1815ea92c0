"""PyRadiomics' parameter files: what is followed, what is refused by name, what is ignored aloud."""

from __future__ import annotations

import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.radiomics import Parameters, names, read_parameters
from ovfrad.study.settings import Radiomics


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
    assert read_parameters(write("")) == Parameters(Radiomics(bin_width=25, gldm_a=0), 1, tuple(names()))


def test_settings_and_features_are_followed(write):
    text = """
imageType:
  Original: {}
featureClass:
  glcm: [Contrast, Id]
  firstorder:
  shape: []
setting: {binWidth: 10, label: 22, normalize: true, normalizeScale: 100, gldm_a: 1, force2D: false, distances: [1]}
"""
    found = read_parameters(write(text))
    assert found.settings == Radiomics(bin_width=10, intensities="zscore", z_scale=100, gldm_a=1)
    assert found.label == 22
    assert [name for name in found.only if "glcm" in name] == ["original_glcm_Contrast", "original_glcm_Id"]
    assert len(found.only) == 14 + 18 + 2


def test_without_normalisation_the_scale_means_nothing(write):
    assert read_parameters(write("setting: {normalizeScale: 100}")).settings == Radiomics()


def test_keys_without_effect_are_ignored_aloud(write):
    with pytest.warns(InputWarning) as caught:
        read_parameters(write("setting: {additionalInfo: true, geometryTolerance: 0.001, correctMask: true}"))
    assert [str(item.message) for item in caught] == [
        "W_SETTING_NO_EFFECT params.yaml: additionalInfo, geometryTolerance, correctMask have no effect here; "
        "no diagnostics are written; grids are compared in voxels"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "setting: {binwidth: 10}",
            "E_SETTING_UNKNOWN params.yaml: setting binwidth is not known; known: additionalInfo, binCount, binWidth,",
        ),
        (
            "setting: {resampledPixelSpacing: [1, 1, 1]}",
            "E_SETTING_UNSUPPORTED params.yaml: setting resampledPixelSpacing: [1, 1, 1] is not supported; "
            "only PyRadiomics' default (null) is",
        ),
        (
            "setting: {force2D: true}",
            "E_SETTING_UNSUPPORTED params.yaml: setting force2D: True is not supported; "
            "only PyRadiomics' default (false) is",
        ),
        (
            "setting: {distances: [1, 2]}",
            "E_SETTING_UNSUPPORTED params.yaml: setting distances: [1, 2] is not supported; "
            "only PyRadiomics' default ([1]) is",
        ),
        (
            "imageType: {LoG: {sigma: [1, 2]}}",
            "E_SETTING_UNSUPPORTED params.yaml: imageType LoG is not supported; only Original is computed",
        ),
        (
            "imageType: {Wavlet: {}}",
            "E_SETTING_UNKNOWN params.yaml: imageType Wavlet is not known; known: Original,",
        ),
        (
            "featureClass: {shape2D: }",
            "E_SETTING_UNSUPPORTED params.yaml: featureClass shape2D is not supported; it needs force2D",
        ),
        ("featureClass: {GLCM: }", "E_SETTING_UNKNOWN params.yaml: featureClass GLCM is not known; known: shape,"),
        (
            "featureClass: {shape: [Compactness1]}",
            "E_SETTING_UNKNOWN params.yaml: feature Compactness1 of shape is not known; "
            "known: those of `ovfrad radiomics --list`",
        ),
        ("voxelSetting: {kernelRadius: 1}", "E_SETTING_UNSUPPORTED params.yaml: voxelSetting is not supported"),
        ("settings: {binWidth: 10}", "E_SETTING_UNKNOWN params.yaml: section settings is not known; known: imageType,"),
        (
            "setting: {binWidth: -1}",
            "E_SETTING_VALUE params.yaml: binWidth: -1; Input should be greater than 0",
        ),
        ("setting: {label: L1}", "E_SETTING_VALUE params.yaml: label: 'L1'; give a positive integer"),
        ("setting: {normalize: 3}", "E_SETTING_VALUE params.yaml: normalize: 3; give true or false"),
        ("setting: 3", "E_SETTING_VALUE params.yaml: setting is 3; it must be a mapping of names to values"),
        ("setting: [", "E_YAML params.yaml: not YAML: while parsing a flow node"),
    ],
)
def test_every_other_key_is_refused_by_name_in_one_line(write, text, line):
    refused = refusal(write(text))
    assert refused.startswith(line)
    assert "\n" not in refused


def test_a_missing_file(tmp_path):
    assert refusal(tmp_path / "none.yaml") == (
        "E_FILE none.yaml: No such file or directory; give a PyRadiomics parameter file"
    )
