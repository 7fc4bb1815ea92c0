"""Figures of the network: its patches, its learning curves, where it looks, what excites it (METHODS D1, D3, D7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.report.inputs import ReportInput
from ovfrad.report.style import GREY, INK, drawable, grid, new_figure, panels
from ovfrad.report.words import feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most learning curves in one figure.
MOST_CURVES = 6
_WATCHED = "#D55E00"


def patches(data: ReportInput) -> Figure | None:
    """What the network sees of a few vertebrae."""
    look = data.network
    if look is None or not look.patches:
        return None
    rows, across = panels(len(look.patches), 6)
    figure = new_figure(1.45 * rows)
    for axes, (case, label, image) in _cells(figure, rows, across, look.patches):
        _grey(axes, image)
        axes.set_title(f"{drawable(case, 18)}\n{drawable(label, 22)}", fontsize=6.5)
    return figure


def learning_curves(data: ReportInput) -> Figure | None:
    """Loss over epochs of every network of the tuned arms; shaded: the backbone rests."""
    look = data.network
    if look is None or not look.tuning:
        return None
    tuned = list(look.tuning.items())[:MOST_CURVES]
    rows, across = panels(len(tuned), 2)
    figure = new_figure(2.1 * rows)
    for axes, (name, told) in _cells(figure, rows, across, tuned):
        for which, epochs in told["curves"].items():
            at = [epoch["epoch"] + 1 for epoch in epochs]
            final = which == "all rows"
            style: dict[str, Any] = {"lw": 1.6 if final else 0.8, "alpha": 1.0 if final else 0.55}
            axes.plot(at, [epoch["train_loss"] for epoch in epochs], color=INK, **style)
            if all("watched_loss" in epoch for epoch in epochs):
                axes.plot(at, [epoch["watched_loss"] for epoch in epochs], color=_WATCHED, ls="--", **style)
        axes.axvspan(0.5, told["rest"] + 0.5, color="#EEEEEE", zorder=0, lw=0)
        axes.set_title(drawable(name, 40), fontsize=8.5)
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        grid(axes)
    return figure


def attribution(data: ReportInput) -> Figure | None:
    """Patch, Grad-CAM and relevance of a few cases, one column each."""
    look = data.network
    if look is None or "cam" not in look.arrays:
        return None
    shown, arrays = len(look.arrays["cases"]), look.arrays
    figure = new_figure(3.9)
    every = figure.subplots(3, shown, squeeze=False)
    for column in range(shown):
        image, parts = arrays["patches"][column], arrays["relevance"][column]
        for row in range(3):
            _grey(every[row, column], image if row < 2 else np.full_like(image, 1.0))
        every[1, column].imshow(arrays["cam"][column], cmap="inferno", alpha=0.5, vmin=0, vmax=1)
        top = float(np.quantile(np.abs(parts), 0.995)) or 1.0
        every[2, column].imshow(parts, cmap="RdBu_r", vmin=-top, vmax=top)
        every[0, column].set_title(drawable(str(arrays["cases"][column]), 16), fontsize=6.5)
    for row, name in enumerate(("patch", "Grad-CAM", "relevance")):
        every[row, 0].set_ylabel(name, fontsize=7.5)
    return figure


def excited(data: ReportInput) -> Figure | None:
    """Training patches with the largest and the smallest value of each kept component, one row each."""
    look = data.network
    if look is None or "excited" not in look.arrays:
        return None
    pictures, names = look.arrays["excited"], look.arrays["components"]
    count, across = pictures.shape[:2]
    figure = new_figure(0.35 + 1.12 * count)
    every = figure.subplots(count, across, squeeze=False)
    for row in range(count):
        for column in range(across):
            _grey(every[row, column], pictures[row, column])
            score = f"{look.arrays['excited_scores'][row, column]:+.3g}"
            every[row, column].set_title(score, fontsize=6, pad=1.5, color=GREY)
        every[row, 0].set_ylabel(drawable(feature_name(str(names[row])), 20), fontsize=6.5)
    return figure


def _cells(figure: Figure, rows: int, across: int, items: Any) -> Any:
    """Axes with an item each; those left over are not drawn."""
    every = figure.subplots(rows, across, squeeze=False).ravel()
    for axes in every[len(items) :]:
        axes.set_visible(False)
    return zip(every, items, strict=False)


def _grey(axes: Axes, image: np.ndarray) -> None:
    """A patch without axes."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
