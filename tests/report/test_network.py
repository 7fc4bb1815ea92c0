"""The section on the network: what it flatters, what it adds, and its pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.report import figures_deep
from ovfrad.report.inputs import ReportInput
from ovfrad.report.network import NetworkLook
from ovfrad.report.parts import Weights
from ovfrad.report.sections_deep import added_words, flattery_table, network
from ovfrad.report.style import house_style

SIDE = 16


def _predictions() -> pd.DataFrame:
    """A network that knows its own rows and nothing else."""
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    parts = []
    for cohort, known in (("train_apparent", True), ("train_inner", False), ("train", False)):
        p = np.eye(3)[y] if known else rng.dirichlet(np.ones(3), len(y))
        part = pd.DataFrame(p, columns=["p_0", "p_1", "p_2"])
        where = {"cohort": cohort, "recipe": "sound", "arm": "net", "model": "network", "y_true": y, "fold": -1}
        parts.append(part.assign(patient_id=[f"P{n}" for n in range(60)], **where))
    return pd.concat(parts)


def _comparison(family: str, other: str, difference: float, p: float) -> dict[str, object]:
    return {"family": family, "b": other, "difference": difference, "p": p, "metric": "macro_auc", "cohort": "train"}


@pytest.fixture(scope="module")
def data() -> ReportInput:
    rng = np.random.default_rng(1)
    cases = [f"P{n} L1" for n in range(3)]
    arrays = {
        "patches": rng.random((3, SIDE, SIDE)), "cam": rng.random((3, SIDE, SIDE)),
        "relevance": rng.normal(size=(3, SIDE, SIDE)), "cases": np.array(cases),
        "components": np.array(["pc_00", "pc_07"]), "excited": rng.random((2, 4, SIDE, SIDE)),
        "excited_scores": rng.normal(size=(2, 4)),
    }  # fmt: skip
    epochs = [{"epoch": float(n), "train_loss": 1 / (n + 1), "watched_loss": 1.0} for n in range(4)]
    tuning = {"sound/net": {"curves": {"all rows": epochs, "fold 0": epochs}, "rest": 2, "precision": "bfloat16",
                            "device": "cpu", "notes": ["few patients"]}}  # fmt: skip
    told = {"what": "the score", "layer": "layer3", "input": 256, "map": 16}
    look = NetworkLook([(c, "class 0", arrays["patches"][n]) for n, c in enumerate(cases)], attribution=told,
                       arrays=arrays, tuning=tuning)  # fmt: skip
    comparisons = [
        _comparison("arms", "none", 0.04, 0.01), _comparison("arms", "other", -0.5, 0.0),
        _comparison("baselines", "network", -0.06, 0.02), _comparison("baselines", "deep_only", 0.01, 0.4),
    ]  # fmt: skip
    return ReportInput(
        "s", ["0", "1", "2"], pd.DataFrame({"cohort": ["train"]}), network=look, predictions=_predictions(),
        results={"headline": {"recipe": "sound", "arm": "net", "model": "auto"}, "comparisons": comparisons},
        weights={"net": Weights("random", "random"), "other": Weights("random", "random"), "none": Weights("none", "")},
    )  # fmt: skip


def test_what_tuning_flatters_stands_beside_what_it_gives(data: ReportInput) -> None:
    table = flattery_table(data)
    assert table is not None and list(table["Arm"]) == ["net"]
    row = table.iloc[0]
    assert row["Rows it was tuned on"] == "1.000" and float(row["Held out (nested)"]) < 0.7
    assert row["External validation"] == "–"
    assert flattery_table(replace(data, predictions=None)) is None


def test_what_deep_features_add_is_said_also_where_they_harm(data: ReportInput) -> None:
    assert added_words(data) == [
        "Training (nested): radiomics and deep features together are better than radiomics alone (+0.040 macro AUC, "
        "p = .01).",
        "Training (nested): radiomics and deep features together are WORSE than the tuned network alone (-0.060 macro "
        "AUC, p = .02).",
        "Training (nested): radiomics and deep features together show no difference from deep features alone (+0.010 "
        "macro AUC, p = .40).",
    ]
    alone = replace(data, results={**data.results, "headline": {"recipe": "sound", "arm": "none", "model": "auto"}})
    assert added_words(alone) == []


def test_every_figure_is_drawn_and_the_section_says_what_it_shows(data: ReportInput) -> None:
    names = ("patches", "learning_curves", "attribution", "excited")
    with house_style():
        assert all(getattr(figures_deep, name)(data) is not None for name in names)
        empty = replace(data, network=NetworkLook())
        assert [getattr(figures_deep, name)(empty) for name in names] == [None] * 4
        assert [getattr(figures_deep, name)(replace(data, network=None)) for name in names] == [None] * 4
    section = network(data, frozenset(names))
    assert section is not None
    words = " ".join(block.text + " ".join(block.items) for block in section.blocks)
    for part in (
        "sagittal slice",
        "layer3 with an input of 256 pixels: a map of 16x16, against the mean",
        "bfloat16 on cpu",
    ):
        assert part in words
    assert network(replace(data, network=None), frozenset()) is None
