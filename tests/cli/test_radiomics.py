"""`ovfrad radiomics`: rows and objects of features, the list of features, the settings, refusals in one line."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest

from ovfrad import radiomics
from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.radiomics.classes import BY_NAME
from ovfrad.radiomics.filters.options import OPTIONS
from ovfrad.radiomics.parameters import NO_EFFECT
from ovfrad.radiomics.rules import AGGREGATIONS
from ovfrad.radiomics.settings import OURS

Run = pytest.CaptureFixture[str]
Files = tuple[Path, Path]


def ovfrad(*arguments: str | Path) -> int:
    """Run a command in this process; its exit code."""
    return guarded(app, ["radiomics", *(str(argument) for argument in arguments)])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A CT of noise with fat and bone round two bodies, VerSe's L1 and L2."""
    rng = np.random.default_rng(4)
    image = np.round(rng.normal(30, 40, (30, 28, 26))).astype(np.int16)
    labels = np.zeros(image.shape, np.uint8)
    labels[4:14, 6:20, 6:20] = 20
    labels[16:26, 6:20, 6:20] = 21
    image[labels > 0] += 150
    image[:, :4] = -100
    image[labels == 20] += rng.integers(0, 300, np.count_nonzero(labels == 20)).astype(np.int16)
    paths = tmp_path / "ct.nii.gz", tmp_path / "labels.nii.gz"
    for path, array in zip(paths, (image, labels), strict=True):
        nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return paths


def test_a_row_for_one_label(files: Files, capsys: Run) -> None:
    assert ovfrad(*files, "--label", "20") == 0
    out, err = capsys.readouterr()
    assert err == ""
    (row,) = rows(out)
    expected = radiomics.extract(*files, label=20)
    assert list(row) == list(expected.index) == radiomics.names()
    assert [float(value) for value in row.values()] == expected.tolist()


def test_a_row_for_each_label(files: Files, capsys: Run) -> None:
    assert ovfrad(*files, "--label", "21", "--label", "20") == 0
    found = rows(capsys.readouterr().out)
    assert [row.pop("label") for row in found] == ["21", "20"]
    for row, label in zip(found, (21, 20), strict=True):
        assert [float(value) for value in row.values()] == radiomics.extract(*files, label=label).tolist()


def test_objects(files: Files, capsys: Run) -> None:
    assert ovfrad(*files, "--vertebra", "L1", "--scheme", "verse", "--format", "json") == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone == radiomics.extract(*files, label=20).to_dict()
    assert ovfrad(*files, "--label", "20", "--label", "21", "--format", "json") == 0
    both = json.loads(capsys.readouterr().out)
    assert list(both) == ["20", "21"]
    assert both["20"] == alone


def test_a_parameter_file_and_options_beside_it(files: Files, tmp_path: Path, capsys: Run) -> None:
    (tmp_path / "p.yaml").write_text("featureClass: {glcm: [Contrast]}\nsetting: {binWidth: 10, label: 21}\n")
    assert ovfrad(*files, "--settings", tmp_path / "p.yaml", "--format", "json") == 0
    of_file = json.loads(capsys.readouterr().out)
    assert of_file == radiomics.extract(*files, tmp_path / "p.yaml").to_dict()
    assert list(of_file) == ["original_glcm_Contrast"]
    assert ovfrad(*files, "--settings", tmp_path / "p.yaml", "--label", "20", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == radiomics.extract(*files, tmp_path / "p.yaml", label=20).to_dict()


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_ibsi_values_stand_under_their_tags_too(files: Files, capsys: Run, aggregation: str) -> None:
    assert ovfrad(*files, "--label", "20", "--profile", "ibsi", "--aggregation", aggregation, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    settings = radiomics.Settings(profile="ibsi", aggregation=aggregation)
    expected = radiomics.extract(*files, settings, label=20)
    tags = {name: tag for name, tag in expected.attrs["ibsi_tags"].items() if tag}
    assert len(tags) == 105
    assert found == expected.to_dict() | {tag: expected[name] for name, tag in tags.items()}


def test_too_few_bins_are_said(files: Files, tmp_path: Path, capsys: Run) -> None:
    (tmp_path / "p.yaml").write_text("setting: {binWidth: 100, label: 21}\n")
    assert ovfrad(*files, "--settings", tmp_path / "p.yaml") == 0
    assert re.fullmatch(
        r"W_BINS labels.nii.gz label 21: \d grey-level bins inside the mask; "
        r"textures need 16 to 128: change the bin width \(now 100\)\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "E_MASK_LABEL labels.nii.gz: holds the labels 20, 21 and none was chosen; name one by its number or name"),
        (
            ("--label", "22"),
            "E_MASK_LABEL labels.nii.gz: label 22 has no voxel (labels present: 20, 21); name one that",
        ),
        (
            ("--label", "20", "--vertebra", "L1"),
            "E_MASK_LABEL labels.nii.gz: --label and --vertebra are both given; give one of them",
        ),
        (
            ("--label", "20", "--scheme", "totalsegmentator"),
            "E_MASK_SCHEME labels.nii.gz: --scheme totalsegmentator is given beside --label 20, which needs none;",
        ),
        (
            ("--label", "20", "--scheme", "nonsense"),
            "E_MASK_SCHEME labels.nii.gz: unknown label scheme 'nonsense'; name one of verse, totalsegmentator, ",
        ),
        (
            ("--scheme", "verse"),
            "E_MASK_SCHEME labels.nii.gz: --scheme verse is given without --vertebra; leave it out",
        ),
        (("--vertebra", "L1"), "E_MASK_SCHEME labels.nii.gz: vertebra L1 has no number without a scheme ("),
        (
            ("--label", "20", "--aggregation", "2D_avg"),
            "E_SETTING_PROFILE aggregation: belongs to the profile ibsi, and the profile is pyradiomics; leave ",
        ),
        (
            ("--label", "20", "--profile", "ibsi", "--aggregation", "4D"),
            "E_SETTING_VALUE aggregation: '4D' is not one of 2D_avg, 2D_comb, 2_5D_avg, 2_5D_comb, 3D_avg, 3D_comb; "
            "see `ovfrad radiomics --settings-help`",
        ),
        (("--settings", "none.yaml"), "E_FILE none.yaml: No such file or directory; give a PyRadiomics parameter file"),
        (("--format", "xml"), "E_USAGE ovfrad radiomics: Invalid value for '--format': "),
    ],
)
def test_refusals_are_one_line(files: Files, capsys: Run, options: tuple[str, ...], line: str) -> None:
    assert ovfrad(*files, *options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--label", "20", "--scheme", "nonsense"), "unknown label scheme 'nonsense'; name one of verse, "),
        (("--scheme", "nonsense"), "unknown label scheme 'nonsense'; name one of verse, "),
        (
            ("--label", "20", "--scheme", "totalsegmentator"),
            "is given beside --label 20, which needs none; leave it out",
        ),
    ],
)
def test_inspect_passes_no_scheme_over(files: Files, capsys: Run, options: tuple[str, ...], words: str) -> None:
    assert guarded(app, ["inspect", *map(str, files), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("E_MASK_SCHEME labels.nii.gz: ")
    assert words in err
    assert err.count("\n") == 1


def test_image_or_mask_is_missing(files: Files, capsys: Run) -> None:
    assert ovfrad(files[0]) == 2
    assert capsys.readouterr().err == (
        "E_USAGE ovfrad radiomics: IMAGE and MASK are needed; or --list, or --settings-help\n"
    )


def test_the_list_for_reading(capsys: Run) -> None:
    assert ovfrad("--list", "--aggregation", "2D_comb") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    first = {line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")}
    assert first == {full.split("_", 1)[1] for group in BY_NAME.values() for full in group.features}
    assert "  Contrast                               ACUI  level^2            cm_contrast_2D_comb" in lines
    assert "      sum_ij (i - j)^2 p(i, j)." in lines
    for group in BY_NAME.values():
        assert any(line.startswith(f"{group.name}: ") for line in lines)
    assert "N - 1" in " ".join(lines)


def test_the_list_as_a_table(capsys: Run) -> None:
    assert ovfrad("--list", "--format", "csv") == 0
    found = rows(capsys.readouterr().out)
    assert [row["name"] for row in found] == radiomics.describe()["name"].tolist()
    assert ovfrad("--list", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == found
    assert ovfrad("--list", "--aggregation", "4D") == 2
    assert capsys.readouterr().err.startswith("E_SETTING_VALUE aggregation: '4D' is not one of 2D_avg, ")


def test_the_settings_for_reading(capsys: Run) -> None:
    assert ovfrad("--settings-help") == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    keys = [line.split()[0] for line in lines if re.match(r" {2,4}\w", line)]
    for key in [*OURS, *NO_EFFECT, *OPTIONS, *(key for options in OPTIONS.values() for key in options)]:
        assert keys.count(key) in (1, 2), key  # imageType's example names two again, and that of setting binWidth
    for key in OURS:
        (line,) = [line for line in lines if re.match(rf"  {key} ", line)]
        assert re.match(r"  \S+ +\S+ +\S", line), f"{key} has neither default nor explanation"
    defaults = {line.split()[0]: line.split()[1] for line in lines if re.match(r"  \w+ +\S", line)}
    assert (defaults["binWidth"], defaults["binCount"], defaults["distances"]) == ("25", "-", "[1]")
    assert (defaults["interpolator"], defaults["symmetricalGLCM"]) == ("sitkBSpline", "true")
    assert "None of " not in text


def test_the_example_of_the_settings_is_a_parameter_file(tmp_path: Path, capsys: Run) -> None:
    assert ovfrad("--settings-help") == 0
    example = re.search(r"\n\n(  imageType:.*?)\n\n", capsys.readouterr().out, re.DOTALL)
    assert example is not None
    (tmp_path / "p.yaml").write_text(example[1])
    found = radiomics.names(radiomics.read_parameters(tmp_path / "p.yaml"))
    assert len(found) == 3 * (18 + 2)
