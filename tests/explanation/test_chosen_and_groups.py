"""What the filters did and SHAP by kind of feature, against sums made by hand; progress of sampling."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import spearmanr

from ovfrad.explanation.chosen import directions, redundancy, reproducibility
from ovfrad.explanation.groups import by_group, family_of, group_of
from ovfrad.explanation.sampling import sampled
from ovfrad.explanation.shap import shap_values
from ovfrad.selection import SpearmanFilter

NAMES = ["original_glcm_Idn", "wavelet-LLH_shape_Flatness", "log-sigma-1-0-mm-3D_glcm_Id", "pc_00", "pc_01", "age"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(80, 4))
    table = {f"f{j:02d}": base[:, j % 4] + 0.05 * (j // 4) * rng.normal(size=80) for j in range(24)}
    return pd.DataFrame(table).assign(constant=1.0)


def test_every_dropped_feature_has_a_kept_one_that_says_the_same(frame: pd.DataFrame) -> None:
    kept = [str(n) for n in SpearmanFilter(0.9).fit(frame).get_feature_names_out()]
    found = redundancy(frame, kept)
    assert set(found.members["stands_in"]) == set(kept) and "constant" not in set(found.members["feature"])
    for feature, stands_in, rho in found.members.itertuples(index=False):
        assert rho == pytest.approx(abs(spearmanr(frame[feature], frame[stands_in]).statistic))
        assert rho > 0.9 or feature == stands_in
        assert rho >= max(abs(spearmanr(frame[feature], frame[name]).statistic) for name in kept) - 1e-9
    sizes = found.clusters()
    assert sizes["size"].sum() == 24 and sizes["size"].is_monotonic_decreasing
    assert sorted(found.order) == sorted(found.members["feature"])
    assert found.rho.shape == (24, 24) and (np.diag(found.rho) == 255).all() and np.array_equal(found.rho, found.rho.T)


def test_likes_stand_side_by_side(frame: pd.DataFrame) -> None:
    found = redundancy(frame, ["f00", "f01", "f02", "f03"])
    group = [int(name[1:]) % 4 for name in found.order]
    assert sum(a != b for a, b in pairwise(group)) == 3


def test_reproducibility_leaves_out_what_was_not_judged() -> None:
    table = reproducibility(
        np.array(["a", "b", "deep_x_0000"]), np.array([0.7, 0.9, np.nan]), np.array([0.5, 0.8, np.nan]),
        np.array([False, True, True]),
    )  # fmt: skip
    assert table.values.tolist() == [["b", 0.9, 0.8, True], ["a", 0.7, 0.5, False]]


def test_direction_is_spearman_s_rho_with_the_class(frame: pd.DataFrame) -> None:
    codes = np.arange(80) % 3
    table = directions(frame, codes, ("0", "1", "2")).set_index("feature")
    assert table.loc["f05", "rho"] == pytest.approx(spearmanr(frame["f05"], codes).statistic)
    assert table.loc["f05", "mean_1"] == pytest.approx(frame["f05"][codes == 1].mean())
    assert np.isnan(table.loc["constant", "rho"])


def test_kinds_and_families() -> None:
    assert [group_of(n) for n in NAMES] == ["radiomics"] * 3 + ["deep"] * 2 + ["other"]
    assert [family_of(n) for n in NAMES] == ["glcm", "shape", "glcm", "deep", "deep", "other"]
    assert group_of("any_other_name") == "other" and group_of("rad_score") == "rad-score"


def test_a_kind_is_the_sum_of_its_features_case_by_case() -> None:
    rng = np.random.default_rng(0)
    X, slopes = rng.normal(size=(30, 6)), rng.normal(size=(6, 3))
    table = shap_values(lambda x: softmax(x @ slopes, axis=1), X[:12], X[12:16], NAMES, classes=("0", "1", "2"))
    bars = by_group(table)
    assert bars.loc["deep", "2"] == pytest.approx(np.abs(table.values[:, 3:5, 2].sum(axis=1)).mean())
    assert bars["features"].to_dict() == {"radiomics": 3, "deep": 2, "other": 1}
    assert bars["share"].sum() == pytest.approx(1) and bars["all"].is_monotonic_decreasing
    assert by_group(table, families=True).loc["glcm", "features"] == 2


def test_sampling_tells_how_far_it_is() -> None:
    rng = np.random.default_rng(0)
    X, heard = rng.normal(size=(7, 5)), list[tuple[int, int]]()
    sampled(lambda x: softmax(x[:, :2], axis=1), X, X[:2], 1, 0, lambda done, total: heard.append((done, total)))
    assert heard[-1] == (14, 14) and [done for done, _ in heard] == sorted(done for done, _ in heard)
