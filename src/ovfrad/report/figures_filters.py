"""Figures of the filters: ICC of every feature, and the features that say the same (METHODS E2, E3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.explanation.groups import family_of
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Chosen
from ovfrad.report.style import GREY, INK, drawable, grid, new_figure
from ovfrad.report.words import feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Clusters drawn by name; the table has all.
MOST_CLUSTERS = 20
_KEPT, _DROPPED = "#0072B2", "#D55E00"


def reproducibility(data: ReportInput) -> Figure | None:
    """ICC of every feature by class of features, the limit dashed."""
    found = data.chosen
    if found is None or found.reproducibility is None or found.reproducibility.empty:
        return None
    table = found.reproducibility.assign(family=[family_of(name) for name in found.reproducibility["feature"]])
    families = sorted(table["family"].unique(), key=lambda name: -table.loc[table["family"] == name, "icc"].median())
    figure = new_figure(1.0 + 0.36 * len(families))
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    low = max(float(table["icc"].min()), -0.25)
    for row, family in enumerate(families):
        part = table[table["family"] == family]
        _strip(axes, row, part, rng, low)
        axes.text(1.02, row, f"{int(part['kept'].sum())} of {len(part)}", transform=axes.get_yaxis_transform(),
                  fontsize=7, va="center", color=GREY)  # fmt: skip
    axes.text(1.02, -0.85, "kept of all", transform=axes.get_yaxis_transform(), fontsize=7, va="center", color=GREY)
    limit = float(found.facts.get("icc_min", 0.8))
    axes.axvline(limit, color=INK, lw=0.9, ls="--")
    axes.set_yticks(range(len(families)), [drawable(name, 20) for name in families])
    axes.set(ylim=(len(families) - 0.5, -0.6), xlim=(low - 0.03, 1.02))
    axes.set_xlabel(f"ICC of two outlines; dashed: limit {limit:g}")
    _legend(axes)
    grid(axes, "x")
    return figure


def _strip(axes: Axes, row: int, part: pd.DataFrame, rng: np.random.Generator, low: float) -> None:
    """One point per feature, spread upwards and downwards; the median as a bar."""
    places = row + rng.uniform(-0.28, 0.28, len(part))
    shades = np.where(part["kept"], _KEPT, _DROPPED)
    axes.scatter(np.maximum(part["icc"], low), places, c=shades, s=4, alpha=0.6, linewidths=0, rasterized=True)
    axes.plot([part["icc"].median()] * 2, [row - 0.36, row + 0.36], color=INK, lw=1.6)


def _legend(axes: Axes) -> None:
    for shade, label in ((_KEPT, "kept"), (_DROPPED, "dropped")):
        axes.plot([], [], "o", color=shade, ms=3, label=label)
    axes.plot([], [], color=INK, lw=1.6, label="median")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)


def redundancy(data: ReportInput) -> Figure | None:
    """Matrix of |Spearman rho|, features side by side by likeness; sizes of the largest clusters beside it."""
    found = data.chosen
    if found is None or found.redundancy is None or found.rho is None or len(found.order) < 3:
        return None
    figure = new_figure(3.7)
    matrix, bars = figure.subplots(1, 2, width_ratios=[1.0, 0.62])
    _matrix(figure, matrix, found)
    _sizes(bars, found)
    return figure


def _matrix(figure: Figure, axes: Axes, found: Chosen) -> None:
    assert found.rho is not None
    picture = axes.imshow(found.rho / 255, cmap="cividis", vmin=0, vmax=1, interpolation="antialiased", rasterized=True)
    axes.set(xticks=[], ylabel=f"{len(found.order):,} features, like beside like")
    axes.set_yticks([])
    bar = figure.colorbar(picture, ax=axes, location="bottom", fraction=0.045, pad=0.03, aspect=30)
    bar.set_label("|Spearman ρ|")
    bar.outline.set_visible(False)


def _sizes(axes: Axes, found: Chosen) -> None:
    assert found.redundancy is not None
    sizes = found.redundancy["stands_in"].value_counts(sort=False)
    table = sizes.sort_index().sort_values(ascending=False, kind="stable").head(MOST_CLUSTERS)
    axes.barh(range(len(table)), table.to_numpy(), color="#8A94A6", height=0.7)
    axes.set_yticks(range(len(table)), [drawable(feature_name(name), 34) for name in table.index], fontsize=6)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlabel("Features in the group")
    axes.set_title(f"{len(sizes):,} kept; the largest groups", fontsize=8)
    grid(axes, "x")
