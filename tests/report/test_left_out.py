"""What a study does not have is left out in a sentence: no empty figure, no heading over nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from matplotlib.axes import Axes

from ovfrad.report import Chosen, ReportInput, Weights
from ovfrad.report.sections import sections
from ovfrad.report.style import house_style
from ovfrad.report.write import drawings

Change = Callable[[ReportInput], ReportInput]


def small(data: ReportInput) -> ReportInput:
    """The same study with few figures, so that each variant is quick."""
    arms = {"none": data.selection["none"]}
    return replace(data, montage=(), mesh=None, shap_models={}, selection=arms, gallery=None)


def without_deep(data: ReportInput) -> ReportInput:
    assert data.predictions is not None and data.results is not None
    results = dict(data.results)
    cohorts = {c: {"none": a["none"]} for c, a in results["recipes"]["sound"]["cohorts"].items() if "none" in a}
    results |= {"recipes": {"sound": {"cohorts": cohorts}}, "comparisons": []}
    results["headline"] = {"recipe": "sound", "arm": "none", "model": "auto"}
    predictions = data.predictions[data.predictions["arm"] == "none"]
    return replace(data, weights={"none": Weights("none")}, results=results, predictions=predictions)


def without_second_reader(data: ReportInput) -> ReportInput:
    assert data.chosen is not None
    return replace(data, agreement=None, chosen=replace(data.chosen, reproducibility=None))


def without_external(data: ReportInput) -> ReportInput:
    assert data.predictions is not None and data.results is not None
    cohorts = {c: a for c, a in data.results["recipes"]["sound"]["cohorts"].items() if c != "external"}
    results = {**data.results, "recipes": {"sound": {"cohorts": cohorts}}, "comparisons": []}
    return replace(
        data,
        cases=data.cases[data.cases["cohort"] != "external"],
        predictions=data.predictions[data.predictions["cohort"] != "external"],
        results=results,
    )


def one_centre(data: ReportInput) -> ReportInput:
    return replace(without_external(data), cases=data.cases[data.cases["cohort"] != "external"].assign(center="A"))


VARIANTS: dict[str, tuple[Change, list[str]]] = {
    "no deep arm": (without_deep, ["Arm none: no network; radiomics alone."]),
    "no second reader": (
        without_second_reader,
        [
            "Agreement of readers is absent: the case table has one reader's items only.",
            "Reproducibility is absent: no training row was outlined twice, so it filtered no feature.",
        ],
    ),
    "no external cohort": (
        without_external,
        [
            "This study cannot say: it has no external cohort in which the class occurs.",
            "Nothing about other centres: there is no external cohort.",
        ],
    ),
    "one centre": (one_centre, ["from 1 centre;", "This study cannot say: it has no external cohort"]),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_part_that_is_not_there_is_a_sentence(full: ReportInput, name: str) -> None:
    change, sentences = VARIANTS[name]
    words = said(change(small(full)))
    for sentence in sentences:
        assert sentence in words


def test_two_classes_without_order_are_whole(plain: ReportInput) -> None:
    assert "The nomogram of one scale is absent" in said(plain)


def test_no_filter_no_figure(full: ReportInput) -> None:
    words = said(replace(small(full), chosen=Chosen(), predictions=None, results=None, shap=None))
    assert "Redundancy is absent: no radiomics feature reached the Spearman filter." in words
    assert "Performance is absent" in words and "SHAP values are absent" in words


def said(data: ReportInput) -> str:
    """All words of the report; no figure is empty, no heading stands over nothing, no table has a hole."""
    drawn = set()
    with house_style():
        for name, draw in drawings(data):
            figure = draw()
            if figure is not None:
                drawn.add(name)
                assert all(filled(axes) for axes in figure.findobj(Axes) if axes.get_visible()), name
    words = []
    for section in sections(data, frozenset(drawn)):
        assert section.blocks and section.blocks[-1].kind != "heading", section.key
        for block, after in zip(section.blocks, [*section.blocks[1:], None], strict=True):
            assert block.kind != "heading" or (after and after.kind != "heading"), section.key
            assert block.kind != "absent" or (len(block.text) > 20 and block.text.endswith((".", ";"))), section.key
            if block.kind == "figure":
                assert block.name in drawn
            if block.table is not None:
                assert len(block.table) and not block.table.isin(["nan", "None"]).to_numpy().any(), block.name
            words += [block.title, block.text, *block.items]
    return " ".join(words)


def filled(axes: Axes) -> bool:
    """Whether something is drawn inside."""
    return bool(axes.lines or axes.collections or axes.patches or axes.images or axes.texts)
