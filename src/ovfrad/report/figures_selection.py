"""Figures of the feature selection: rad-score coefficients, LASSO path and its cross-validation (paper appendix 4-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ovfrad.report.inputs import SelectionTrace
from ovfrad.report.style import GREY, INK, drawable, grid, new_figure
from ovfrad.report.words import feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UP, _DOWN = "#882255", "#0072B2"
#: Most features drawn by name; the table has all of them.
MOST = 60


def rad_score(trace: SelectionTrace) -> Figure | None:
    """Rad-score coefficients as bars, largest first, with the share of folds that kept each feature."""
    kept = sorted(((n, b) for n, b in trace.coefficients.items() if b), key=lambda item: -abs(item[1]))
    if not kept:
        return None
    kept = kept[:MOST]
    figure = new_figure(0.9 + 0.165 * len(kept))
    axes = figure.subplots()
    names, values = [n for n, _ in kept], np.array([b for _, b in kept])
    axes.barh(range(len(kept)), values, color=[_UP if b > 0 else _DOWN for b in values], height=0.7)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(len(kept)), [drawable(feature_name(n), 44) for n in names], fontsize=7)
    axes.invert_yaxis()
    axes.set_ylim(len(kept) - 0.4, -0.6)
    axes.set_xlabel("Coefficient, class codes per SD of the feature (positive: towards the higher class)")
    if trace.frequency is not None:
        _frequencies(axes, [trace.frequency.get(n) for n in names])
    grid(axes, "x")
    return figure


def _frequencies(axes: Axes, shares: list[float | None]) -> None:
    """Share of outer folds in a column at the right."""
    axes.text(1.01, 1.0, "folds that\nkept it", transform=axes.transAxes, fontsize=6.5, color=GREY, va="bottom")
    place = axes.get_yaxis_transform()
    for row, share in enumerate(shares):
        text = "–" if share is None else f"{100 * share:.0f}%"
        axes.text(1.02, row, text, transform=place, fontsize=6.5, color=GREY, va="center")


def lasso(trace: SelectionTrace) -> Figure | None:
    """Cross-validated loss and coefficient paths over the penalty, with the chosen penalty marked."""
    if trace.lambdas is None or trace.path is None or not len(trace.lambdas):
        return None
    curve = trace.cv_mean is not None
    figure = new_figure(4.6 if curve else 2.8)
    every = figure.subplots(2 if curve else 1, 1, sharex=True, squeeze=False)[:, 0]
    order = np.argsort(trace.lambdas)
    at = np.asarray(trace.lambdas, float)[order]
    if curve:
        _loss(every[0], trace, at, order)
    path = np.asarray(trace.path, float)[order]
    strongest = np.argsort(-np.abs(path).max(axis=0))[:8]
    for j in range(path.shape[1]):
        top = j in strongest
        axes_colour = f"C{list(strongest).index(j)}" if top else "#B8BEC9"
        label = drawable(feature_name(trace.path_names[j]), 34) if top else None
        every[-1].plot(at, path[:, j], color=axes_colour, lw=1.2 if top else 0.6, label=label, zorder=2 if top else 1)
    every[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=6.2, title="Strongest", title_fontsize=6.8)
    every[-1].set(xscale="log", xlabel="Penalty λ (log scale)", ylabel="Coefficient per SD")
    for axes in every:
        if trace.chosen is not None:
            axes.axvline(trace.chosen, color=INK, lw=0.9, ls="--")
        grid(axes)
    if trace.chosen is not None:
        rule = "one-standard-error rule" if trace.rule == "1se" else "minimum"
        every[0].set_title(f"λ = {trace.chosen:.2g} ({rule}), dashed")
    return figure


def _loss(axes: Axes, trace: SelectionTrace, at: np.ndarray, order: np.ndarray) -> None:
    mean = np.asarray(trace.cv_mean, float)[order]
    if trace.cv_se is not None:
        axes.errorbar(at, mean, np.asarray(trace.cv_se, float)[order], color="#B8BEC9", lw=0, elinewidth=0.8)
    axes.plot(at, mean, "o", color=_UP, ms=2.5)
    loss = trace.cv_loss if len(trace.cv_loss) < 30 else trace.cv_loss.replace(" of ", "\nof ", 1)
    axes.set_ylabel(f"CV {drawable(loss.split(chr(10))[0], 40)}")
