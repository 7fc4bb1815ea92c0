"""Numbers and names of study.yaml that no run can use are refused where the file is read, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics import discretise
from ovfrad.radiomics.filters import laplacian
from ovfrad.study import file, images
from ovfrad.study.section import _numeric
from ovfrad.study.settings import StudySettings

INFINITE, NONE = float("inf"), float("nan")


def refusal(given: dict[str, Any]) -> str:
    """The one line with which settings are refused."""
    with pytest.raises(InputError) as caught:
        file.resolve({"cases": "cases.csv"} | given, "study.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("imaging", "window_hu", [1250, -250], "the lower end comes first, and the upper end is larger"),
        ("imaging", "window_hu", [100, 100], "the lower end comes first, and the upper end is larger"),
        ("imaging", "window_hu", [NONE, 1], "finite number"),
        ("imaging", "window_hu", [True, 1250], "true and false (yes, no, on, off) are no numbers"),
        ("imaging", "margin_mm", INFINITE, "finite number"),
        ("imaging", "margin_mm", 1e6, "less than or equal to 100"),
        ("imaging", "spacing_mm", 0.01, "greater than or equal to 0.25"),
        ("imaging", "spacing_mm", True, "true and false (yes, no, on, off) are no numbers"),
        ("imaging", "metal_hu", NONE, "finite number"),
        ("imaging", "metal_hu", 1e7, "less than or equal to 1000000"),
        ("imaging", "metal_hu", -5, "greater than 0"),
        ("imaging", "max_slice_mm", INFINITE, "finite number"),
        ("imaging", "max_slice_mm", 5000, "less than or equal to 1000"),
        ("radiomics", "wavelet", "foo", "no discrete wavelet of PyWavelets"),
        ("radiomics", "bins", [128, 16], "the fewest bins come first, then the most"),
        ("radiomics", "bins", [0, 16], "greater than or equal to 1"),
        ("radiomics", "image_types", [], "at least 1 item"),
        ("radiomics", "image_types", ["original", "original"], "original stands twice"),
        ("radiomics", "log_sigma_mm", [], "log_sigma_mm is empty, and image_types has log"),
        ("radiomics", "log_sigma_mm", [1, 2, 1], "1.0 stands twice"),
        ("radiomics", "bin_width", INFINITE, "finite number"),
        ("radiomics", "bin_width", 1e9, "less than or equal to 1000"),
        ("radiomics", "z_scale", INFINITE, "finite number"),
        ("radiomics", "gldm_a", 10**30, "less than or equal to 2048"),
        ("selection", "pca_max", 10**30, "less than or equal to 2048"),
        ("models", "outer_folds", True, "true and false (yes, no, on, off) are no numbers"),
        ("honesty", "permutations", 10**9, "at most 10,000"),
        ("honesty", "permutations", True, "true and false (yes, no, on, off) are no numbers"),
    ],
)
def test_a_value_that_no_run_can_use(section: str, key: str, value: Any, words: str) -> None:
    line = refusal({section: {key: value}})
    assert line.startswith(f"E_SETTING_VALUE study.yaml: {section}")
    assert words in line


@pytest.mark.parametrize(
    ("place", "value"),
    [("arm", 10**30), ("head_rate", INFINITE), ("backbone_rate", 2), ("weight_decay", INFINITE), ("batch", 10**9),
     ("patience", 10**9), ("epochs", True)],
)  # fmt: skip
def test_numbers_of_networks(place: str, value: Any) -> None:
    deep = {"arms": {"random": {"seed": value}}} if place == "arm" else {"tune": {place: value}}
    assert refusal({"deep": deep}).startswith("E_SETTING_VALUE study.yaml: deep.")


def test_no_number_of_any_section_may_be_infinite() -> None:
    """Every setting that takes a number, found in the schema, so that a new one is asked too."""
    asked = 0
    for name, part in StudySettings.model_fields.items():
        fields = getattr(part.annotation, "model_fields", {})
        for key, field in fields.items():
            if _numeric(field.annotation):
                asked += 1
                several = isinstance(field.default, tuple)
                line = refusal({name: {key: [INFINITE, INFINITE] if several else INFINITE}})
                assert line.startswith(f"E_SETTING_VALUE study.yaml: {name}.{key}")
    assert asked > 20


def test_settings_that_do_not_fit_each_other() -> None:
    line = refusal({"imaging": {"spacing_mm": 5}, "radiomics": {"log_sigma_mm": [0.2, 1]}})
    assert "radiomics.log_sigma_mm 0.2 is too narrow for imaging.spacing_mm 5: from 0.25 mm up" in line
    line = refusal({"imaging": {"spacing_mm": 0.25, "margin_mm": 100}})
    assert "make 1,125 million voxels, more than 400" in line


def test_what_can_be_used_stays_accepted() -> None:
    given: dict[str, Any] = {
        "cases": "cases.csv",
        "imaging": {"spacing_mm": 0.5, "window_hu": [-160, 240], "metal_hu": 900, "max_slice_mm": 10},
        "radiomics": {"wavelet": "haar", "bins": [32, 32], "image_types": ["original"], "log_sigma_mm": []},
    }
    assert file.resolve(given, "study.yaml").radiomics.wavelet == "haar"
    for name in ("coif17", "db2", "sym4", "bior1.3"):  # named in the refusal
        file.resolve({"cases": "c.csv", "radiomics": {"wavelet": name}}, "study.yaml")


def test_limits_are_those_of_the_features() -> None:
    assert images.MOST_LEVELS == discretise.MOST_LEVELS
    assert images.NARROWEST == laplacian.NARROWEST
