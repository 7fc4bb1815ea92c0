"""The nomogram as a drawing that can be read with a ruler (METHODS H2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit

from ovfrad.explanation.nomogram import Nomogram
from ovfrad.report.style import INK, PALE, drawable, new_figure
from ovfrad.report.words import feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Where a label stands against its line, in rows, and which side of it.
_LANES = {"below": (0.17, "top"), "above": (-0.07, "bottom"), "lower": (0.38, "top")}
#: Probabilities with a fine tick between the labelled ones: every .01 at the ends, every .02 in the middle.
FINE = np.round(np.r_[np.arange(0.01, 0.1, 0.01), np.arange(0.1, 0.9, 0.02), np.arange(0.9, 0.995, 0.01)], 2)


def nomogram(chart: Nomogram) -> Figure:
    """Points per predictor, total points, and the probability axes below (H2)."""
    ruler = [(f"{p}", float(p)) for p in range(0, 101, 10)]
    lines = [("Points", ruler), *((s.variable, s.ticks) for s in chart.scales)]
    high = chart.most_points
    total = [(f"{t:g}", float(t)) for t in _round_ticks(0.0, high)]
    ticks = chart.probability_ticks()
    axes = [("Total points", total)]
    fine: dict[int, np.ndarray] = {}
    for event in chart.events:
        fine[len(axes)] = fine_ticks(chart, chart.events.index(event))
        here = ticks[ticks["event"] == event]
        places = [(f"{p:g}", t) for p, t in zip(here["probability"], here["total"], strict=True)]
        axes.append((event.replace(">=", "≥"), places))
    figure = new_figure(0.35 + 0.47 * (len(lines) + len(axes)))
    top, bottom = figure.subplots(2, 1, height_ratios=[len(lines), len(axes)])
    _scales(top, lines, (0, 100))
    _scales(bottom, axes, (0, high))
    for row, at in fine.items():
        bottom.vlines(at, row, row + 0.06, color=INK, lw=0.4)
        bottom.plot(at[[0, -1]] if len(at) else [], [row, row] if len(at) else [], color=INK, lw=1)
    return figure


def fine_ticks(chart: Nomogram, event: int) -> np.ndarray:
    """Total points at the fine ticks of a probability axis, those on the paper."""
    total = (logit(FINE) + float(chart.model.thresholds[event]) - chart.zero) * chart.points_per_logit
    return total[(total >= 0) & (total <= chart.most_points)]


def _round_ticks(low: float, high: float) -> np.ndarray:
    from matplotlib.ticker import MaxNLocator

    ticks = np.array(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]).tick_values(low, high), dtype=float)
    return ticks[(ticks >= low - 1e-9) & (ticks <= high + 1e-9)]


def _scales(axes: Axes, lines: Sequence[tuple[str, Sequence[tuple[str, float]]]], limits: tuple[float, float]) -> None:
    """Ruled lines with ticks; the first line is a ruler, with fine ticks and verticals through all lines."""
    axes.set(xlim=limits, ylim=(len(lines) - 0.35, -0.75))
    axes.set_yticks(range(len(lines)), [drawable(feature_name(name), 34) for name, _ in lines])
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    ruler = np.array([x for _, x in lines[0][1]])
    for x in ruler:
        axes.axvline(x, color=PALE, lw=0.5, zorder=0)
    fine = np.arange(ruler[0], limits[1] + 1e-9, (ruler[1] - ruler[0]) / 10)
    axes.plot([ruler[0], fine[-1]], [0, 0], color=INK, lw=1)
    axes.vlines(fine, 0, 0.06, color=INK, lw=0.4)
    for row, (_, ticks) in enumerate(lines):
        if ticks:
            places = [x for _, x in ticks]
            axes.plot([min(places), max(places)], [row, row], color=INK, lw=1)
            _ticks(axes, row, ticks, limits[1] - limits[0])


def _ticks(axes: Axes, row: int, ticks: Sequence[tuple[str, float]], span: float) -> None:
    """Ticks with texts below, above or further below, where there is room.

    A number without room is left out, since the ruler goes on; a category without room is told behind the line.
    """
    ends = dict.fromkeys(_LANES, -np.inf)
    homeless = []
    for text, x in sorted(ticks, key=lambda tick: tick[1]):
        axes.plot([x, x], [row, row + 0.13], color=INK, lw=0.8)
        words = drawable(text, 16)
        half = 0.0058 * len(words) * span
        lanes = [name for name in _LANES if name != "lower" or not _is_number(text)]
        lane = next((name for name in lanes if x - half > ends[name] + 0.012 * span), None)
        if lane is not None:
            shift, va = _LANES[lane]
            axes.text(x, row + shift, words, ha="center", va=va, fontsize=6.8)
            ends[lane] = x + half
        elif not _is_number(text):
            homeless.append(f"{words} {x:.1f}")
    if homeless:
        x = max(place for _, place in ticks) + 0.012 * span
        axes.text(x, row, "; ".join(homeless), ha="left", va="center", fontsize=6.5, style="italic")


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).replace("e-", "").isdigit()
