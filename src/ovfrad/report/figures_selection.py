"""Figures of the feature selection: rad-score, LASSO path and its cross-validation (paper appendix 4-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.report.parts import SelectionTrace
from ovfrad.report.style import GREY, INK, drawable, grid, new_figure
from ovfrad.report.words import feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UP, _DOWN = "#882255", "#0072B2"
#: Colours of the strongest paths (Okabe and Ito), solid for the first four, dashed for the others.
PATHS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#882255", "#44464B")
PATH_LINES = ("-", (0, (4, 1.5)))
#: Unit of the rad-score, and what its cross-validation shows, by the kind of the LASSO.
_UNITS = {"multinomial": "log-odds", "ordinal": "log-odds of a higher class", "cox": "log hazard"}
_LOSSES = {
    "multinomial": "CV deviance",
    "ordinal": "CV deviance\n(proportional odds)",
    "cox": "CV partial-likelihood\ndeviance per event",
}
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
    unit = _UNITS.get(trace.kind, "class codes")
    positive = "the higher class or earlier event" if trace.kind == "cox" else "the higher class"
    axes.set_xlabel(f"Coefficient, {unit} per SD of the feature (positive: towards {positive})")
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
    if trace.path is None or trace.path.shape[1] < 2:
        return None
    curve = trace.cv_curve is not None
    figure = new_figure(4.6 if curve else 2.8)
    every = figure.subplots(2 if curve else 1, 1, sharex=True, squeeze=False)[:, 0]
    if curve:
        _loss(every[0], trace)
    _paths(every[-1], trace.path)
    for axes in every:
        if trace.chosen is not None:
            axes.axvline(trace.chosen, color=INK, lw=0.9, ls="--")
        grid(axes)
    if trace.chosen is not None:
        rule = "one-standard-error rule" if trace.rule == "1se" else "minimum"
        every[0].set_title(f"λ = {trace.chosen:.2g} ({rule}), dashed")
    return figure


def _paths(axes: Axes, path: pd.DataFrame) -> None:
    """Coefficients over the penalty; the eight strongest in colour, with a legend outside."""
    strength = path.abs().max().to_numpy()
    strongest = np.argsort(-strength, kind="stable")[:8]
    others = np.setdiff1d(np.arange(path.shape[1]), strongest)
    at = path.index.to_numpy(float)
    for place, j in enumerate(strongest):
        label = drawable(feature_name(str(path.columns[j])), 34)
        axes.plot(at, path.iloc[:, j], color=PATHS[place], ls=PATH_LINES[place // 4], lw=1.2, label=label, zorder=3)
    for j in others[strength[others] > 0]:
        axes.plot(at, path.iloc[:, j], color="#B8BEC9", lw=0.6, zorder=2)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=6.2, title="Strongest", title_fontsize=6.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="Penalty λ (log scale)", ylabel="Coefficient per SD")


def _loss(axes: Axes, trace: SelectionTrace) -> None:
    curve = trace.cv_curve
    if curve is None:
        return
    at = curve.index.to_numpy(float)
    axes.errorbar(at, curve["mean"], curve["se"], color="#B8BEC9", lw=0, elinewidth=0.8)
    axes.plot(at, curve["mean"], "o", color=_UP, ms=2.5)
    axes.set_ylabel(_LOSSES.get(trace.kind, "CV mean squared error\nof the class code"))
