"""Closer looks in the report: subgroups, gallery, conformal sets, sizes, recipes, waterfall, surface."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ovfrad.report import Gallery, ReportInput, write_report
from ovfrad.report.figures_detail import gallery, subgroup_forest
from ovfrad.report.figures_explain import decision_cases, shap_waterfall, waterfall_cases
from ovfrad.report.gallery import choose_cases, names, rival_of, rule_words
from ovfrad.report.opening import headline_sentence
from ovfrad.report.parts import step_counts
from ovfrad.report.sections_detail import conformal, detail, recipes
from ovfrad.report.style import few_ticks, house_style, new_figure
from ovfrad.report.surface import smooth, surface, weld
from ovfrad.report.table_detail import (
    conformal_table,
    conformal_words,
    gallery_table,
    recipe_table,
    sample_size_table,
    sample_size_words,
    subgroup_table,
    within_center_table,
)
from ovfrad.workflow import detail as closer

HEADLINE = ("sound", "a", "auto")


def two_arms() -> pd.DataFrame:
    """Six internal cases of two classes; P1, P2, P6: only arm a right; P3: only b; P4: both; P5: neither."""
    truth = {"P1": 0, "P2": 1, "P3": 0, "P4": 1, "P5": 0, "P6": 0}
    first = {"P1": 0.6, "P2": 0.3, "P3": 0.4, "P4": 0.2, "P5": 0.1, "P6": 0.9}
    second = {"P1": 0.4, "P2": 0.6, "P3": 0.8, "P4": 0.1, "P5": 0.3, "P6": 0.1}
    rows = [
        (patient, "L1", "internal", "sound", arm, "auto", -1, truth[patient], p, 1 - p)
        for arm, told in (("a", first), ("b", second))
        for patient, p in told.items()
    ]
    columns = ["patient_id", "vertebra", "cohort", "recipe", "arm", "model", "fold", "y_true", "p_0", "p_1"]
    return pd.DataFrame(rows, columns=columns)


def nested(arm: str, flip: bool) -> pd.DataFrame:
    p = [0.1, 0.9] if flip else [0.9, 0.1]
    frame = pd.DataFrame({"patient_id": ["T1", "T2"], "vertebra": "L1", "cohort": "train", "recipe": "sound"})
    return frame.assign(arm=arm, model="auto", fold=0, y_true=[0, 1], p_0=p, p_1=1 - np.array(p))


@pytest.fixture(scope="session")
def detailed(full: ReportInput) -> ReportInput:
    """The invented study with the results of the closer looks, as the workflow makes them."""
    assert full.predictions is not None
    headline = dict(zip(("recipe", "arm", "model"), ("sound", "random", "auto"), strict=True))
    own = full.predictions[(full.predictions[list(headline)] == pd.Series(headline)).all(axis=1)]
    own = pd.concat([own, own[own["cohort"] == "train"].assign(cohort="train_inner", fold=-1)])
    cases = full.cases.set_index(["patient_id", "vertebra"])
    counts = {"radiomics": 107, "deep": 2048, "icc": 80, "pca": 50, "fused": 33}
    more: dict[str, Any] = {
        "subgroups": closer.subgroup_blocks(own, cases, 0.95),
        "within_center": closer.within_center_blocks(own, cases, 0.95),
        "conformal": closer.conformal_block(own, 0.95, ordered=True),
        "sample_size": closer.sample_size_block(own, counts, 0.95),
    }
    chosen = choose_cases(full.predictions, ("sound", "random", "auto"), "none")
    pictures = dict(zip(chosen.index, full.montage, strict=False))
    shown = Gallery(chosen, rule_words(full.predictions, "none"), "arm random, auto", "arm none, auto", pictures)
    return replace(full, results={**(full.results or {}), **more}, gallery=shown)


def test_discordant_cases_are_chosen_by_rule_both_ways() -> None:
    chosen = choose_cases(two_arms(), HEADLINE, "b", most=2)
    # Gaps of the true class' probability: P6 0.8, P2 0.7 - 0.4 = 0.3, P1 0.6 - 0.4 = 0.2; P3 the other way.
    assert [i[0] for i in chosen.index] == ["P6", "P2", "P3"]
    assert chosen["direction"].tolist() == ["ours", "ours", "theirs"]
    assert chosen.loc[("P3", "L1"), ["y_true", "ours", "theirs"]].tolist() == [0, 1, 0]
    assert chosen.loc[("P3", "L1"), "p_theirs"] == pytest.approx((0.8, 0.2))


def test_one_arm_shows_its_surest_errors_and_says_so() -> None:
    chosen = choose_cases(two_arms(), HEADLINE, None)
    # Wrong: P3 (0.6 for class 1), P5 (0.9 for class 1).
    assert [i[0] for i in chosen.index] == ["P5", "P3"]
    assert set(chosen["direction"]) == {"error"}
    assert rule_words(two_arms(), None).startswith("Rule: the study has one arm")
    assert names(HEADLINE, None)[1] == ""


def test_the_other_arm_is_chosen_on_nested_training_rows_only() -> None:
    others = pd.concat([nested("b", flip=True), nested("c", flip=False), two_arms()])
    assert rival_of(others, HEADLINE) == "c"
    assert rival_of(two_arms().query("arm == 'a'"), HEADLINE) is None


def test_gallery_has_a_picture_and_a_row_for_each_case(detailed: ReportInput) -> None:
    table = gallery_table(detailed)
    assert table is not None and detailed.gallery is not None
    assert len(table) == 6
    assert table["Right"].tolist() == ["first"] * 3 + ["second"] * 3
    with house_style():
        drawn = gallery(detailed)
    assert drawn is not None
    # Sagittal and axial of every case.
    assert len([axes for axes in drawn.axes if axes.get_visible()]) == 12


def test_no_case_is_said_in_words(detailed: ReportInput) -> None:
    assert detailed.gallery is not None
    cases = detailed.gallery.cases
    one = replace(detailed, gallery=replace(detailed.gallery, cases=cases[cases["direction"] == "ours"]))
    texts = [b.text for b in detail(one, frozenset()).blocks]
    assert "No case in which arm none, auto alone is right." in texts
    none = replace(detailed, gallery=replace(detailed.gallery, cases=cases[:0]))
    assert "Nothing to show: there is no such case." in [b.text for b in detail(none, frozenset()).blocks]


def test_subgroups_show_sizes_and_never_mix_training_with_validation(detailed: ReportInput) -> None:
    table = subgroup_table(detailed)
    assert table is not None
    cohort, training = detailed.cases["cohort"], "Training (nested)"
    women = table[(table["Subgroup"] == "Sex: female") & (table["Rows"] == training)].iloc[0]
    own = detailed.cases[(cohort == "train") & (detailed.cases["sex"] == "F")]
    assert women["n (patients)"] == f"{len(own)} ({own['patient_id'].nunique()})"
    assert women["n by class"] == " / ".join(str((own["y"] == k).sum()) for k in range(3))
    # Training has one centre, and a subgroup of one level is left out.
    assert not ((table["Rows"] == training) & table["Subgroup"].str.startswith("Centre")).any()
    assert (table["Subgroup"] == "Centre: B").sum() == 1
    with house_style():
        figure = subgroup_forest(detailed)
    assert figure is not None
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()][:4] == ["All rows", "Sex", "female", "male"]


def test_within_centres_says_what_one_centre_means(detailed: ReportInput) -> None:
    table = within_center_table(detailed)
    assert table is not None
    assert table.iloc[0]["Macro AUC within centres"] == "–"
    assert table.iloc[0]["How"] == "one centre: the macro AUC is within it already"
    assert table.iloc[1]["Centres"] == "3"


def test_conformal_table_and_words(detailed: ReportInput) -> None:
    table = conformal_table(detailed)
    assert table is not None
    assert set(table["Cohort"]) == {"Internal validation", "External validation", "Prospective validation"}
    assert len(table) == 3 * 4
    words = conformal_words(detailed)
    assert words.startswith("Cross-conformal per class, without the split-conformal promise.")
    assert "cannot be ruled out at 95% coverage" in words and "training rows" in words
    few = {**(detailed.results or {})}
    few["conformal"] = few["conformal"] | {"calibration_counts": [100, 19, 18]}
    told = conformal_words(replace(detailed, results=few))
    assert told.endswith("Too few calibration rows ever to rule out: class 2 (surgical) (that takes 19 rows).")
    assert conformal(replace(detailed, results={}))[0].kind == "absent"


def test_sizes_in_words(detailed: ReportInput) -> None:
    words, table = sample_size_words(detailed), sample_size_table(detailed)
    assert table is not None and len(table) == 4
    rarest = (detailed.cases.query("cohort == 'train'")["y"] == 2).sum()
    assert f"rarest class ({rarest}) over the number of features" in words
    assert f"{rarest / 33:.2f} for the fused set (33)" in words


def test_recipes_stand_side_by_side_each_with_its_own_model(full: ReportInput) -> None:
    assert recipe_table(full) is None and recipes(full) == []
    results = dict(full.results or {})

    def block(value: float) -> dict[str, Any]:
        return {"macro_auc": {"estimate": value, "low": value - 0.1, "high": value + 0.1}}

    def cohorts(model: str, apparent: float, train: float) -> dict[str, Any]:
        told = {"train_apparent": apparent, "train": train}
        return {"cohorts": {c: {"random": {model: block(v), "LR": block(0.6)}} for c, v in told.items()}}

    results["recipes"] = {"sound": cohorts("auto", 0.8, 0.75), "paper": cohorts("best_of_nine", 0.89, 0.7)}
    table = recipe_table(replace(full, results=results))
    assert table is not None
    assert table.columns.tolist() == ["Cohort", "Recipe sound: auto (mean of five)",
                                      "Recipe paper: best of nine by inner CV"]  # fmt: skip
    assert table.iloc[:, 0].tolist() == ["Training (apparent)", "Training (nested)", "Apparent minus nested"]
    assert table.iloc[2, 1:].tolist() == ["0.05", "0.19"]
    assert table.iloc[1, 2] == "0.70 (0.60 to 0.80)"


def test_waterfall_is_of_a_decision_plot_and_ends_at_the_output(full: ReportInput) -> None:
    assert full.shap is not None
    row, k = waterfall_cases(full.shap)[-1]
    assert row == decision_cases(full.shap)[-1] and k == 2
    with house_style():
        figure = shap_waterfall(full)
    assert figure is not None
    (axes,) = figure.axes
    bars = [(b.get_x(), b.get_width()) for b in axes.patches]
    assert bars[0][0] == pytest.approx(full.shap.table.base[k])
    assert bars[-1][0] + bars[-1][1] == pytest.approx(full.shap.table.output[row, k])
    assert len(bars) == 11


@pytest.mark.parametrize("scale", [3e-5, 0.0007, 0.06, 1.3, 900.0])
@pytest.mark.parametrize("low", [-1.0, -0.3])
def test_ticks_do_not_overlap_in_a_narrow_panel(scale: float, low: float) -> None:
    with house_style():
        figure = new_figure(1.5, 1.5)
        axes = figure.subplots()
        axes.set_xlim(low * scale, scale)
        few_ticks(axes)
        figure.canvas.draw()
        boxes = [t.get_window_extent() for t in axes.get_xticklabels()]
    assert len(boxes) in (2, 3)
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def ball(radius: float = 12.0) -> np.ndarray:
    z, y, x = np.mgrid[-15:16, -15:16, -15:16]
    return np.asarray(x**2 + y**2 + z**2 <= radius**2)


def test_surface_is_closed_outward_smooth_and_to_scale() -> None:
    vertices, faces = surface(ball(), 0.5)
    triangles = vertices[faces] - vertices.mean(axis=0)
    volumes = np.einsum("ij,ij->i", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) / 6
    assert (volumes > 0).all()
    # 4/3 pi r^3 with r = 12 voxels of 0.5 mm: 905 mm3; the mask itself has 7153 voxels.
    assert volumes.sum() == pytest.approx(ball().sum() * 0.5**3, rel=0.03)
    radii = np.linalg.norm(vertices - vertices.mean(axis=0), axis=1)
    assert radii.std() < 0.08
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_smoothing_leaves_a_plane_alone() -> None:
    square = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[1, 0, 0], [1, 1, 0], [0, 1, 0]]], float)
    vertices, faces = weld(square)
    assert len(vertices) == 4
    assert np.allclose(smooth(vertices, faces)[:, 2], 0)


def test_steps_that_did_not_take_place_are_not_counted() -> None:
    counts = {"radiomics": 107, "icc": 79, "spearman": 31, "lasso": 3, "prune": 3, "pca": 0, "fusion": 3, "fused": 3}
    alone = step_counts({"counts": counts | {"deep": 0}, "icc_pairs": 30, "alpha_fusion": None}, prune=False)
    assert [words for words, _ in alone] == [
        "radiomics features", "after the ICC of repeated outlines", "after the Spearman filter", "after the LASSO"
    ]  # fmt: skip
    both = step_counts({"counts": counts | {"deep": 2048, "pca": 0}, "icc_pairs": 0, "alpha_fusion": 0.1}, prune=True)
    assert [n for _, n in both] == [107, 31, 3, 3, 2048, 0, 3, 3]


def test_no_interval_is_said_once(full: ReportInput) -> None:
    results = dict(full.results or {})
    block = full.headline_block("external")
    assert block is not None
    none = block["macro_auc"] | {"low": None, "high": None, "method": "no interval: 2 patients among the cases"}
    results["recipes"] = {"sound": {"cohorts": {"external": {"random": {"auto": {"macro_auc": none}}}}}}
    assert headline_sentence(replace(full, results=results)).count("no interval") == 1


def test_the_closer_looks_stand_in_the_page(detailed: ReportInput, tmp_path: Path) -> None:
    text = write_report(replace(detailed, shap=None, nomogram=None, mesh=None, selection={}), tmp_path).read_text(
        encoding="utf-8"
    )
    for name in ("subgroups", "within_center", "conformal_sets", "gallery", "sample_size"):
        assert f'id="table-{name}"' in text
        assert (tmp_path / "tables" / f"{name}.csv").is_file()
    for name in ("subgroup_forest", "gallery"):
        assert f'id="figure-{name}"' in text


@pytest.mark.parametrize(("p_theirs", "cases"), [(0.9, ["P0", "P1", "P2"]), (0.1, [])])
def test_gallery_with_one_direction_or_none(p_theirs: float, cases: list[str]) -> None:
    """Ours is never right; the other arm always, or never either."""
    keys = {"vertebra": "L1", "cohort": "internal", "recipe": "sound", "model": "auto", "fold": -1, "y_true": 0}
    ours = [{"patient_id": f"P{k}", "arm": "a", "p_0": 0.2 + 0.1 * k, "p_1": 0.8 - 0.1 * k} | keys for k in range(3)]
    theirs = [row | {"arm": "b", "p_0": p_theirs, "p_1": 1 - p_theirs} for row in ours]
    found = choose_cases(pd.DataFrame([*ours, *theirs]), ("sound", "a", "auto"), "b")
    assert found["direction"].tolist() == ["theirs"] * len(cases)
    assert found["cohort"].tolist() == ["internal"] * len(cases)
    assert found.index.get_level_values("patient_id").tolist() == cases
