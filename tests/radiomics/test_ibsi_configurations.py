"""All features with an IBSI tag under IBSI's configurations A to E, against MIRP on real and on awkward regions.

The published values of these configurations belong to a CT that is not here; MIRP is software its authors validated
against them. It computes statistics in float32, and differs in two definitions that the manual leaves open, see below.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import yaml
from ibsi_cases import AGGREGATIONS, CONFIGURATIONS, Case, cases

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.radiomics import extract

NAMES = ("nifti_019", "nifti_025", "torso_l1", "l3_corpus", "border", "scattered")
TOLERANCE = 1e-6
FLOAT32 = 2e-5
"""Of MIRP's statistics, which sum in single precision."""
MESH = 0.004
"""Of meshes. Where two voxels touch at an edge alone, the surface may join or part them: our table is PyRadiomics',
after Lorensen and Cline, MIRP's is Lewiner's, and the manual leaves the choice open (`Mesh-based representation`)."""
MESHED = {f"morph_{name}" for name in ["volume", "area_mesh", "av", "comp_1", "comp_2", "sph_dispr", "sphericity"]}
AMBIGUOUS = {"torso_l1", "l3_corpus", "scattered"}
"""Regions with such voxels."""
FLAT = ("cm_info_corr1", "cm_inv_var")
"""Features of a co-occurrence matrix of one level, which MIRP gives the correlation 1 (ours is 0, the manual's 0 / 0)
and no inverse variance (ours is 0, the manual's empty sum), so that means over slices differ where a slice is flat."""


@pytest.fixture(scope="module")
def expected(reference) -> dict[tuple[str, str], dict[str, float]]:
    """MIRP's values by case and configuration, and by IBSI tag."""
    with (reference / "ibsi_mirp_2.7.0.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = [column for column in rows[0] if column != "tag"]
    return {
        (case, name): {row["tag"]: float(row[column]) for row in rows if row[column]}
        for column in columns
        for case, name in [column.split()]
    }


@pytest.fixture(scope="module")
def regions(shared, read_image) -> dict[str, Case]:
    return cases(shared, read_image)


def settings(name: str, aggregation: str) -> dict[str, object]:
    return {"setting": CONFIGURATIONS[name]["setting"] | {"profile": "ibsi", "aggregation": aggregation}}


def by_tag(found: pd.Series) -> dict[str, float]:
    return {tag: float(found[name]) for name, tag in found.attrs["ibsi_tags"].items() if tag}


def measured(region: Case, name: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Ours by IBSI tag, for each aggregation of a configuration."""
    image, mask, spacing = region
    for aggregation in AGGREGATIONS[name]:
        yield aggregation, by_tag(extract(image, mask, settings(name, aggregation), spacing=spacing))


def tolerance(case: str, tag: str) -> float:
    if tag.startswith("stat_"):
        return FLOAT32
    return MESH if case in AMBIGUOUS and tag in MESHED else TOLERANCE


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("case", NAMES)
def test_every_tagged_feature_equals_mirps(regions, expected, case, name):
    theirs = expected[case, name]
    reached = set()
    for aggregation, ours in measured(regions[case], name):
        assert len(ours) == 105
        for tag, value in ours.items():
            if tag not in {f"{stem}_{aggregation}" for stem in FLAT} or aggregation not in ("2D_avg", "2D_comb"):
                assert value == pytest.approx(theirs[tag], rel=tolerance(case, tag)), tag
        if aggregation in ("2D_avg", "2D_comb"):
            _same_but_for_flat_slices(ours, theirs, aggregation)
        reached |= ours.keys()
    assert reached == theirs.keys()


def _same_but_for_flat_slices(ours: dict[str, float], theirs: dict[str, float], aggregation: str) -> None:
    """Each flat matrix adds 1 to MIRP's sum of the correlation, and is not counted in the mean of the other."""
    correlation, variance = (f"{stem}_{aggregation}" for stem in FLAT)
    share = theirs[correlation] - ours[correlation]
    assert -TOLERANCE < share < 1
    assert ours[variance] == pytest.approx(theirs[variance] * (1 - share), rel=TOLERANCE)


def test_the_departures_are_there_and_have_their_cause(regions, expected):
    _, ours = next(pair for pair in measured(regions["nifti_019"], "A") if pair[0] == "2D_comb")
    share = expected["nifti_019", "A"]["cm_info_corr1_2D_comb"] - ours["cm_info_corr1_2D_comb"]
    assert share == pytest.approx(1 / 15, abs=1e-8)  # one of the 15 slices of the region
    for case in NAMES:
        _, ours = next(measured(regions[case], "A"))
        apart = abs(ours["morph_volume"] / expected[case, "A"]["morph_volume"] - 1)
        assert (apart > 5e-4) == (_touching_diagonally(regions[case][1]) > 0) == (case in AMBIGUOUS)
        assert ours["morph_vol_approx"] == pytest.approx(expected[case, "A"]["morph_vol_approx"], rel=1e-8)


def _touching_diagonally(mask: np.ndarray) -> int:
    """Number of squares of 2 x 2 voxels of which two opposite ones are in the mask."""
    padded = np.pad(mask, 1)
    found = 0
    for axis in range(3):
        plane = np.moveaxis(padded, axis, 0)
        one, two, three, four = plane[:, :-1, :-1], plane[:, :-1, 1:], plane[:, 1:, :-1], plane[:, 1:, 1:]
        found += int(((one == four) & (two == three) & (one != two)).sum())
    return found


def test_awkward_regions_are_awkward(regions):
    _, mask, _ = regions["border"]
    for axis in range(3):
        across = mask.any(axis=tuple(other for other in range(3) if other != axis))
        assert across[0]
        assert across[-1]
    _, mask, _ = regions["scattered"]
    in_slice = mask.sum(axis=(1, 2))
    assert in_slice[1] == 1
    assert in_slice[3] == 2
    assert np.ptp(np.argwhere(mask[3]), axis=0).min() > 1  # no neighbours
    assert in_slice[5] == 0 < in_slice[4]


def test_a_range_without_a_lower_bound_begins_at_the_minimum(regions):
    image, mask, spacing = regions["scattered"]
    chosen = {"profile": "ibsi", "binWidth": 25}
    low = float(image[mask].min())
    first, second = (
        extract(image, mask, {"setting": chosen | {"resegmentRange": [bound, 400]}}, spacing=spacing)
        for bound in (-np.inf, low)
    )
    pd.testing.assert_series_equal(first, second, check_exact=True)
    assert low % 25 != 0  # where PyRadiomics would begin


@pytest.mark.parametrize(("name", "aggregation"), [("A", "2D_avg"), ("B", "2_5D_comb"), ("E", "3D_comb")])
def test_the_command_prints_what_the_library_gives(shared, expected, tmp_path, capsys, name, aggregation):
    """From the files as they are stored, the profile and the aggregation given as options."""
    folder = shared / "data" / "sarcoma_ct" / "nifti_025"
    files = folder / "CT_image.nii.gz", folder / "CT_mask.nii.gz"
    chosen = tmp_path / "settings.yaml"
    chosen.write_text(yaml.safe_dump(CONFIGURATIONS[name]), encoding="utf-8")
    options = ["--settings", str(chosen), "--profile", "ibsi", "--aggregation", aggregation, "--format", "json"]
    assert guarded(app, ["radiomics", *map(str, files), *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = extract(*files, settings(name, aggregation))
    assert printed == found.to_dict() | by_tag(found)
    for tag, value in by_tag(found).items():
        assert value == pytest.approx(expected["nifti_025", name][tag], rel=tolerance("nifti_025", tag)), tag
