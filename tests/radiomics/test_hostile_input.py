"""Input that nobody should give, and somebody will: each is computed rightly or refused in one line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ovfrad.errors import InputError
from ovfrad.radiomics import Settings, extract, extract_many, features, read_parameters

SPACING = (2.0, 0.75, 1.25)
MEAN = {"featureClass": {"firstorder": ["Mean", "Variance"]}}


@pytest.fixture
def case():
    """A noisy image of whole numbers (k, j, i) and a mask of bool."""
    image = np.random.default_rng(3).integers(-120, 120, (6, 7, 8)).astype(float)
    mask = np.zeros(image.shape, bool)
    mask[1:5, 1:6, 2:7] = True
    return image, mask


def refusal(call, *given, **named):
    with pytest.raises(InputError) as refused:
        call(*given, **named)
    return str(refused.value)


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i2", "float16", "longdouble"])
@pytest.mark.parametrize("setting", [{}, {"normalize": True, "binWidth": 0.1}, {"resampledPixelSpacing": [1, 1, 1]}])
def test_every_type_of_number_gives_the_same(case, dtype, setting):
    image, mask = case
    asked = {"imageType": {"Original": {}, "Gradient": {}, "Square": {}}, "setting": setting}
    like = {">i2": np.int16, "float16": np.float32, ">f4": np.float32}.get(dtype, np.float64)
    expected = extract(image.astype(like), mask, asked, spacing=SPACING)
    assert extract(image.astype(dtype), mask, asked, spacing=SPACING).equals(expected)


def test_the_bins_of_another_byte_order_are_the_same(case):
    image, mask = case
    single = (image / 7).astype(np.float32)
    expected = extract(single, mask, Settings(bin_count=48))
    assert extract(single.astype(">f4"), mask, Settings(bin_count=48)).equals(expected)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_large_whole_numbers_are_normalised_as_their_doubles_are(case, dtype):
    image, mask = case
    large = image * 1e7 + 2e9
    asked = {**MEAN, "setting": {"normalize": True}}
    large = np.clip(large, 0, 2**31 - 1)
    expected = extract(large, mask, asked)
    np.testing.assert_allclose(extract(large.astype(dtype), mask, asked), expected, rtol=1e-9)


def test_an_infinity_far_away_does_not_turn_a_filter_into_zeros(case):
    image, mask = case
    image[0, 0, 0] = np.inf
    assert refusal(extract, image, mask, {"imageType": {"Square": {}}}) == (
        "E_NOT_FINITE mask: it holds NaN or infinity, and square scales by the largest magnitude of the whole image; "
        "repair the image, or set preCrop"
    )
    near = extract(image, mask, {"imageType": {"Square": {}}, "setting": {"preCrop": True, "padDistance": 0}})
    assert near["square_firstorder_Maximum"] > 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("kind", "own"), [("LoG", {"sigma": [1.0]}), ("Wavelet", {})])
def test_a_filter_that_spreads_nan_is_named(case, kind, own, value):
    image, mask = case
    image[1, 1, 1] = value
    found = refusal(extract, image, mask, {"imageType": {kind: own}})
    assert found.startswith("E_NOT_FINITE mask: ") and found.endswith(
        " inside the mask are not finite; the filter spreads NaN and infinity from other places: repair the image, "
        "or set preCrop"
    )
    assert f" voxels of {kind.lower()}-" in found


def test_intensities_whose_powers_overflow_are_refused(case):
    image, mask = case
    assert refusal(extract, image * 1e150, mask, Settings(bin_count=8)).startswith("E_INTENSITY mask: ")
    assert np.isfinite(extract(image * 1e57, mask, Settings(bin_count=8))).all()
    assert refusal(Settings, voxel_array_shift=1e200).startswith("E_SETTING_VALUE voxelArrayShift: ")
    assert Settings(voxel_array_shift=-300).voxel_array_shift == -300


@pytest.mark.parametrize("profile", ["pyradiomics", "ibsi"])
def test_more_new_voxels_than_memory_holds_are_refused(case, profile):
    asked = {"setting": {"profile": profile, "resampledPixelSpacing": [1e-4, 1e-4, 1e-4], "interpolator": "sitkLinear"}}
    assert refusal(extract, *case, asked).startswith("E_RESAMPLE_SIZE mask: resampled to 0.0001 x 0.0001 x 0.0001 mm ")
    asked["setting"] |= {"resampledPixelSpacing": [0, 0, 1], "padDistance": 10**9}
    assert np.isfinite(extract(*case, asked)).all()


@pytest.mark.parametrize("aggregation", ["2D_avg", "2_5D_comb", "3D_avg"])
def test_tones_of_lone_voxels_are_refused_under_ibsi(case, aggregation):
    image, mask = case
    mask[:] = False
    mask[1, 1, 1] = mask[4, 4, 4] = True
    asked = Settings(profile="ibsi", aggregation=aggregation, features={"ngtdm": None})
    assert refusal(extract, image, mask, asked) == (
        "E_ROI_SCATTERED mask: no two of the mask's 2 voxels are neighbours; textures need a connected region"
    )


@pytest.mark.parametrize(
    "setting",
    [{"profile": "ibsi", "outlierSigma": 1}, {"resegmentRange": [-1, 1], "resegmentMode": "sigma"}],
)
def test_outliers_of_a_region_with_nan_are_refused(case, setting):
    image, mask = case
    image[2, 3, 4] = np.nan
    assert refusal(extract, image, mask, {"setting": setting}).startswith("E_NOT_FINITE mask: 1 voxels inside the mask")


def test_a_range_takes_nan_out_of_the_region(case):
    image, mask = case
    image[2, 3, 4] = np.nan
    without = mask & np.isfinite(image)
    asked = {**MEAN, "setting": {"resegmentRange": [-200, 200]}}
    assert extract(image, mask, asked).equals(extract(image, without, MEAN))


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "ibsi", "bin_count": 10**12},  # levels beyond 32 bits
        {"bin_count": 10**12},
        {"profile": "ibsi", "resegment_range": (-1e12, 1e4)},  # bins begin far below the intensities
        {"bin_width": 1e-12},
    ],
)
def test_bins_without_number_are_refused(case, changes):
    assert refusal(features, *case, SPACING, **changes).startswith("E_BINS ")


@pytest.mark.parametrize("label", [0, -1, 2.5, " ", True])
def test_what_is_no_label_is_refused(case, label):
    image, mask = case
    found = refusal(extract, image, mask * 3, label=label)
    assert found == f"E_MASK_LABEL label: {label!r} is no label; give a whole number from 1 up"


def test_labels_of_an_array_of_bool_are_refused(case):
    assert refusal(extract_many, *case, [1, 2]) == (
        "E_MASK_LABEL mask: 2 labels of an array of bool; give an array of labels"
    )


@pytest.mark.parametrize("labels", [3, "3"])
def test_labels_that_are_no_list_are_refused(case, labels):
    image, mask = case
    assert refusal(extract_many, image, mask * 3, labels).startswith("E_USAGE extract_many: labels are ")


def test_a_masked_array_is_refused(case):
    image, mask = case
    assert refusal(extract, np.ma.masked_less(image, 0), mask).startswith("E_IMAGE_KIND extract: a masked array; ")


@pytest.mark.parametrize("spacing", ["abc", 5, (1, 1), (1, 1, None)])
def test_a_spacing_that_is_none_is_refused(case, spacing):
    assert refusal(extract, *case, spacing=spacing) == (
        f"E_SPACING spacing: {spacing!r} is not three numbers; give three, mm, in the order (k, j, i)"
    )


@pytest.mark.parametrize("given", [5, ["binWidth"], b"x"])
def test_what_can_be_no_settings_is_refused(case, given):
    assert refusal(extract, *case, given) == (
        f"E_USAGE settings: {type(given).__name__} is no settings; give a mapping, path or Settings"
    )


def test_numbers_of_numpy_are_numbers():
    found = Settings(bin_width=np.int64(5), bin_count=np.uint8(7), image_types={"LoG": {"sigma": [np.float32(2)]}})
    assert (found.bin_width, found.bin_count) == (5.0, 7)


def write(folder, text):
    path = folder / "Ä ö.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", ["setting: {binWidth: 5, label: 1, binWidth: 50}", "setting: {}\nsetting: {label: 2}"])
def test_a_key_that_stands_twice_is_refused(tmp_path, text):
    assert " stands twice" in refusal(read_parameters, write(tmp_path, text))


@pytest.mark.parametrize(("text", "width"), [("1e-3", 0.001), ("2E1", 20.0), ("1.5e+1", 15.0), ("25", 25.0)])
def test_numbers_are_read_as_pyradiomics_reads_them(tmp_path, text, width):
    assert read_parameters(write(tmp_path, f"setting: {{binWidth: {text}}}")).bin_width == width


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_of_many_digits_is_refused(tmp_path, digits):
    assert refusal(read_parameters, write(tmp_path, f"setting: {{binWidth: {'9' * digits}}}")).startswith("E_")


def test_aliases_that_stand_for_millions_of_items_are_shown_short(tmp_path):
    lines = ["setting:", "  distances:", "    - &a0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"    - &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 7)]
    found = refusal(read_parameters, write(tmp_path, "\n".join(lines)))
    assert found.startswith("E_SETTING_VALUE ") and len(found) < 1000


KERNEL = """
from ovfrad.evaluation.compiled import compiled

@compiled
def double(x):
    return 2 * x

print(double(21), sum(double.stats.cache_hits.values()))
"""


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [b"", b"no pickle"])
def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch, kind, damage):
    script, cache = tmp_path / "doubles.py", tmp_path / "cache"
    script.write_text(KERNEL, encoding="utf-8")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))

    def run():
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, encoding="utf-8", check=False)
        return done.stdout.split() or done.stderr

    assert run() == ["42", "0"]
    assert run() == ["42", "1"]
    (kept,) = cache.rglob(f"*.{kind}")
    kept.write_bytes(damage)
    assert run() == ["42", "0"]
    assert run() == ["42", "1"]
