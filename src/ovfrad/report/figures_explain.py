"""Figures of SHAP values: bar, beeswarm, decision plot, waterfall (METHODS H1; paper Fig 7, 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ovfrad.explanation.importance import waterfall
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Shap
from ovfrad.report.style import GREY, INK, colour, drawable, few_ticks, grid, line, new_figure, shared_xlabel
from ovfrad.report.words import class_name, feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Features drawn; the table has all of them.
MOST = 15
#: Largest vertical step between two points of a beeswarm, in rows.
STEP = 0.1
_LOW_TO_HIGH = ("#1E88E5", "#8E63C7", "#D81B60")


def output_words(shap: Shap) -> str:
    """Name of the output on the axes: the model's own, before recalibration (H1)."""
    return f"{drawable(shap.table.output_name)} before recalibration"


def importance_order(shap: Shap) -> np.ndarray:
    """Features by mean absolute SHAP value summed over classes, largest first, shape (p,)."""
    return np.argsort(-np.abs(shap.table.values).mean(axis=0).sum(axis=1), kind="stable")


def shap_bar(data: ReportInput) -> Figure | None:
    """Mean absolute SHAP value per feature, stacked over classes (paper Fig 7A)."""
    shap = data.shap
    if shap is None:
        return None
    order = importance_order(shap)[:MOST]
    size = np.abs(shap.table.values).mean(axis=0)
    figure = new_figure(1.0 + 0.2 * len(order))
    axes = figure.subplots()
    left = np.zeros(len(order))
    for k in _drawn_classes(shap):
        name = drawable(class_name(k, data.classes, data.outcome), 30)
        axes.barh(range(len(order)), size[order, k], left=left, color=colour(k), height=0.7, label=name)
        left += size[order, k]
    axes.set_yticks(range(len(order)), [drawable(feature_name(shap.table.feature_names[j]), 40) for j in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlabel(f"Mean |SHAP value|, {output_words(shap)}")
    axes.legend(loc="lower right")
    grid(axes, "x")
    return figure


def _drawn_classes(shap: Shap) -> list[int]:
    """Classes to draw: with two classes the values mirror each other, and the second says it all."""
    K = shap.table.values.shape[2]
    return [1] if K == 2 else list(range(K))


def shap_beeswarm(data: ReportInput) -> Figure | None:
    """SHAP value of every case, coloured by the feature's value, one panel per class (paper Fig 7B-D)."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap

    shap = data.shap
    if shap is None:
        return None
    colours = LinearSegmentedColormap.from_list("low_high", _LOW_TO_HIGH)
    shown = _drawn_classes(shap)
    order = importance_order(shap)[: MOST - 3 if len(shown) > 1 else MOST]
    figure = new_figure(1.0 + 0.26 * len(order), 7.0)
    every = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, k in zip(every, shown, strict=True):
        for row, j in enumerate(order):
            x = shap.table.values[:, j, k]
            shade = colours(_ranks(shap.table.X[:, j]))
            axes.scatter(x, row + swarm(x), c=shade, s=3.5, linewidths=0, rasterized=True)
        few_ticks(axes)
        axes.axvline(0, color=INK, lw=0.7)
        axes.set_title(drawable(class_name(k, data.classes, data.outcome), 26).replace(" (", "\n(", 1), fontsize=8.5)
        grid(axes, "x")
    names = [drawable(feature_name(shap.table.feature_names[j]), 36) for j in order]
    every[0].set_yticks(range(len(order)), names, fontsize=7)
    every[0].set_ylim(len(order) - 0.4, -0.6)
    shared_xlabel(figure, f"SHAP value, {output_words(shap)}")
    bar = figure.colorbar(ScalarMappable(cmap=colours), ax=list(every), fraction=0.02, pad=0.01, aspect=40)
    bar.set_ticks([0, 1], labels=["low", "high"])
    bar.set_label("Feature value (rank)", labelpad=-8)
    bar.outline.set_visible(False)
    return figure


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks scaled to 0..1, ties shared, missing values in the middle."""
    from scipy.stats import rankdata

    filled = np.where(np.isfinite(values), values, np.nanmedian(values) if np.isfinite(values).any() else 0)
    return (rankdata(filled) - 1) / max(len(values) - 1, 1)


def swarm(x: np.ndarray, bins: int = 60, width: float = 0.38) -> np.ndarray:
    """Vertical offsets, at most `width`, that spread points of like value, shape (n,).

    >>> swarm(np.array([0.0, 0.0, 0.0, 1.0])).round(2).tolist()
    [0.0, -0.1, 0.1, 0.0]
    """
    span = np.ptp(x) or 1.0
    places = np.floor((x - x.min()) / span * (bins - 1)).astype(int)
    offsets = np.zeros(len(x))
    most = max(np.bincount(places).max(), 2)
    for place in np.unique(places):
        here = np.flatnonzero(places == place)
        steps = (np.arange(len(here)) + 1) // 2 * np.where(np.arange(len(here)) % 2, -1, 1)
        offsets[here] = steps * min(2 * width / (most - 1), STEP)
    return np.clip(offsets, -width, width)


def decision_cases(shap: Shap) -> list[int]:
    """One row per class: the case of that class with the median output for it (any case without `y_true`)."""
    K = shap.table.output.shape[1]
    if shap.y_true is None:
        return [int(np.argmax(shap.table.output[:, k])) for k in range(K)]
    rows = []
    for k in range(K):
        here = np.flatnonzero(np.asarray(shap.y_true) == k)
        if len(here):
            rows.append(int(here[np.argsort(shap.table.output[here, k], kind="stable")[len(here) // 2]]))
    return rows


def shap_decision(data: ReportInput) -> Figure | None:
    """Decision plots: the output of each class summed up feature by feature, one case per class (paper Fig 8)."""
    shap = data.shap
    if shap is None or not (rows := decision_cases(shap)):
        return None
    order = importance_order(shap)[:MOST]
    figure = new_figure(1.3 + 0.2 * len(order))
    every = figure.subplots(1, len(rows), sharey=True, sharex=True, squeeze=False)[0]
    for axes, row in zip(every, rows, strict=True):
        _decision_panel(axes, shap, row, order, data)
    names = [drawable(feature_name(shap.table.feature_names[j]), 32) for j in order]
    every[0].set_yticks(np.arange(len(order) + 1), ["all other features", *names[::-1]], fontsize=6.8)
    shared_xlabel(figure, f"Output, {output_words(shap)}")
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def _decision_panel(axes: Axes, shap: Shap, row: int, order: np.ndarray, data: ReportInput) -> None:
    """Lines from the base (bottom) to the output (top); the features outside `order` come first, in one step."""
    steps = shap.table.values[row]
    rest = np.delete(steps, order, axis=0).sum(axis=0)
    climb = np.vstack([np.zeros(steps.shape[1]), rest[None], steps[order[::-1]]]).cumsum(axis=0) + shap.table.base
    height = np.r_[-0.5, np.arange(len(order) + 1) + 0.5]
    for k in _drawn_classes(shap):
        name = drawable(class_name(k, data.classes, data.outcome), 26)
        axes.plot(climb[:, k], height, color=colour(k), ls=line(k), label=name, marker="o", ms=1.8)
        axes.axvline(shap.table.base[k], color=colour(k), lw=0.6, alpha=0.4)
    true = "" if shap.y_true is None else f"\ntrue {class_name(int(shap.y_true[row]), data.classes, '')}"
    axes.set_title(f"{drawable(shap.case_ids[row], 22)}{true}", fontsize=8)
    axes.set_ylim(-0.6, len(order) + 0.7)
    grid(axes)


def waterfall_cases(shap: Shap) -> list[tuple[int, int]]:
    """Row and class of each waterfall: the cases of the decision plots, each with the output for its own class."""
    K = shap.table.output.shape[1]
    if K == 2:
        return [(row, 1) for row in decision_cases(shap)]
    own = np.argmax(shap.table.output, axis=1) if shap.y_true is None else np.asarray(shap.y_true)
    return [(row, int(own[row])) for row in decision_cases(shap)]


def shap_waterfall(data: ReportInput, place: int = -1) -> Figure | None:
    """Waterfall of one chosen case: from the base to the output for its class, the smallest steps first (H1)."""
    shap = data.shap
    if shap is None or not decision_cases(shap):
        return None
    row, k = waterfall_cases(shap)[place]
    steps = waterfall(shap.table, row, k, MOST - 5)
    figure = new_figure(1.2 + 0.24 * len(steps), 6.2)
    axes = figure.subplots()
    for place, (_, step) in enumerate(steps.iterrows()):
        _waterfall_step(axes, place, step["start"], step["end"])
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.15 * (high - low), high + 0.15 * (high - low))
    names = [drawable(feature_name(name), 40) for name in steps["feature"]]
    axes.set_yticks(range(len(steps)), names)
    _waterfall_end(axes, shap.table.base[k], "base", -0.95)
    _waterfall_end(axes, shap.table.output[row, k], "output", len(steps) - 0.05)
    axes.set_ylim(-1.3, len(steps) + 0.3)
    name = drawable(class_name(k, data.classes, data.outcome), 30)
    axes.set_title(f"{drawable(shap.case_ids[row], 24)}: output for {name}")
    axes.set_xlabel(f"{output_words(shap).capitalize()} for {name}")
    axes.tick_params(axis="y", length=0)
    grid(axes, "x")
    return figure


def _waterfall_end(axes: Axes, x: float, words: str, y: float) -> None:
    """Dotted line at the base or the output, its name on the side with more room."""
    left = x > np.mean(axes.get_xlim())
    axes.axvline(x, color=INK, lw=0.8, ls=":", zorder=0)
    axes.text(x, y, f" {words} {x:.3g} ", fontsize=7, va="center", ha="right" if left else "left")


def _waterfall_step(axes: Axes, place: int, start: float, end: float) -> None:
    """One bar from `start` to `end`, its size beside it; up magenta, down blue as in the beeswarm."""
    shade = _LOW_TO_HIGH[2] if end >= start else _LOW_TO_HIGH[0]
    axes.barh(place, end - start, left=start, height=0.62, color=shade)
    axes.plot([start, start], [place - 0.69, place + 0.31], color=GREY, lw=0.6)
    words = f"{end - start:+.2g}".replace("-", "−")
    right = end >= start
    offset = (3, 0) if right else (-3, 0)
    ha = "left" if right else "right"
    axes.annotate(words, (end, place), offset, textcoords="offset points", ha=ha, va="center", fontsize=6.8)
