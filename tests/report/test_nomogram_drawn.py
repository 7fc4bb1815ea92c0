"""The nomogram read by ruler: only ticks and labels of the drawn axes, no number of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ovfrad.explanation.nomogram import Nomogram, build_nomograms
from ovfrad.report.figures_nomogram import FINE, nomogram
from ovfrad.report.style import house_style


class Ruler:
    """Lines of one drawn panel by name: places of labelled ticks, and of fine ones."""

    def __init__(self, axes: Any) -> None:
        labels = [text.get_text() for text in axes.get_yticklabels()]
        self.ticks: dict[str, list[tuple[str, float]]] = {name: [] for name in labels}
        self.fine: dict[str, np.ndarray] = {}
        lines = [np.array([line.get_xdata(), line.get_ydata()], float) for line in axes.lines]
        upright = [line for line in lines if line.shape[1] == 2 and line[0, 0] == line[0, 1]]
        at = {(round(line[0, 0], 9), round(line[1, 0])) for line in upright}
        for text in axes.texts:
            x, y = text.get_position()
            row = round(y - 0.17) if text.get_va() == "top" else round(y + 0.07)
            assert (round(float(x), 9), row) in at, f"label {text.get_text()} stands at no tick"
            self.ticks[labels[row]].append((text.get_text(), float(x)))
        for bundle in axes.collections:
            places = np.array([segment[0, 0] for segment in bundle.get_segments()])
            self.fine[labels[round(float(bundle.get_segments()[0][0, 1]))]] = np.sort(places)

    def place(self, name: str, value: Any) -> float:
        """Place of a value on the line of a variable: a label, or a number between two labelled ticks."""
        named = dict(self.ticks[name])
        if isinstance(value, str):
            return named[value]
        known = sorted((float(text), x) for text, x in named.items())
        (low, left), (high, right) = known[0], known[-1]
        return left + (right - left) * (value - low) / (high - low)

    def value(self, name: str, x: float) -> float:
        """Number at a place of a straight ruler."""
        known = sorted((float(text), place) for text, place in self.ticks[name])
        (low, left), (high, right) = known[0], known[-1]
        return low + (high - low) * (x - left) / (right - left)

    def probability(self, name: str, x: float) -> float:
        """Probability at a place: between the two fine ticks beside it, counted from a labelled one."""
        places = self.fine[name]
        text, labelled = self.ticks[name][0]
        first = int(np.abs(FINE - float(text)).argmin()) - int(np.abs(places - labelled).argmin())
        return float(np.interp(x, places, FINE[first : first + len(places)]))


def read(chart: Nomogram, rows: pd.DataFrame) -> np.ndarray:
    """Probabilities of the rows as a reader with a ruler finds them, points to one decimal, (n, events)."""
    with house_style():
        figure = nomogram(chart)
    top, bottom = (Ruler(axes) for axes in figure.axes)
    found = []
    for row in rows.to_dict("records"):
        points = [round(top.value("Points", top.place(name.replace("_", " "), row[name])), 1) for name in rows]
        x = bottom.place("Total points", sum(points))
        found.append([bottom.probability(event.replace(">=", "≥"), x) for event in chart.events])
    return np.array(found)


def cohort(seed: int, proportional: bool) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = 700
    frame = pd.DataFrame(
        {
            "rad_score": rng.normal(size=n),
            "age": rng.normal(70, 10, n).round(),
            "location": rng.choice(["thoracic", "lumbar", "sacral"], n, p=[0.4, 0.4, 0.2]),
        }
    )
    pull = 1.3 * frame["rad_score"] + 0.04 * (frame["age"] - 70) + 0.7 * (frame["location"] == "lumbar")
    latent = (pull + rng.logistic(size=n)).to_numpy()
    y = np.searchsorted(np.quantile(latent, [0.46, 0.9]), latent)
    if not proportional:
        high = -1.5 * frame["rad_score"].to_numpy() + rng.logistic(size=n)
        y = np.where(y > 0, 1 + (high > np.quantile(high, 0.8)), 0)
    return frame, y


@pytest.mark.parametrize("proportional", [True, False])
def test_read_by_hand_it_gives_the_model_s_probability_to_a_hundredth(proportional: bool) -> None:
    frame, y = cohort(3, proportional)
    found = build_nomograms(frame, y, ("0", "1", "2"))
    assert found.proportional is proportional and len(found.nomograms) == (1 if proportional else 2)
    rows = frame.sample(100, random_state=1)
    for chart in found.nomograms:
        model = chart.cumulative(chart.points(rows).sum(axis=1))
        by_hand = read(chart, rows)
        readable = (model >= FINE[0]) & (model <= FINE[-1])
        assert readable.mean() > 0.8
        assert np.abs(by_hand - model)[readable].max() <= 0.01
        assert np.abs(by_hand - model).max() <= 0.011  # beyond the last tick a reader says "below .01", "above .99"


def test_a_stretched_axis_is_noticed() -> None:
    frame, y = cohort(3, True)
    (chart,) = build_nomograms(frame, y, ("0", "1", "2")).nomograms
    rows = frame.sample(100, random_state=1)
    stretched = Nomogram(chart.model, chart.scales, chart.points_per_logit * 1.1, chart.zero, chart.events)
    model = chart.cumulative(chart.points(rows).sum(axis=1))
    assert np.abs(read(stretched, rows) - model).max() > 0.02


def test_the_points_table_is_the_drawing_to_one_decimal() -> None:
    frame, y = cohort(4, True)
    (chart,) = build_nomograms(frame, y, ("0", "1", "2")).nomograms
    with house_style():
        top = Ruler(nomogram(chart).axes[0])
    for name, label, points in chart.points_table().itertuples(index=False):
        placed = dict(top.ticks[str(name).replace("_", " ")])
        if label in placed:
            assert round(top.value("Points", placed[label]), 1) == pytest.approx(round(points, 1), abs=0.051)
    assert sum(len(places) for places in top.ticks.values()) > 20
