"""SHAP values by kind of feature, and of the nine classifiers side by side (METHODS H1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.explanation.groups import by_group
from ovfrad.report.figures_explain import output_words
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Shap
from ovfrad.report.style import INK, colour, drawable, grid, new_figure
from ovfrad.report.words import class_name, feature_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Features in the rows of the comparison of models; the table has all.
MOST = 30


def shap_groups(data: ReportInput) -> Figure | None:
    """Mean absolute SHAP value of all features of a kind together, by class; radiomics by family below."""
    shap = data.shap
    if shap is None:
        return None
    kinds, families = by_group(shap.table), by_group(shap.table, families=True)
    if len(families) < 2:
        return None
    figure = new_figure(1.5 + 0.24 * (len(kinds) + len(families)))
    ratios = [len(kinds) + 0.6, len(families) + 0.6]
    every = figure.subplots(2, 1, height_ratios=ratios, sharex=True)
    for axes, bars, title in zip(every, (kinds, families), ("By kind", "By family"), strict=True):
        _stacked(axes, bars, shap, data)
        axes.set_title(title)
    every[1].set_xlabel(f"Mean |sum of the kind's SHAP values|, {output_words(shap)}")
    every[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.1)
    return figure


def _stacked(axes: Axes, bars: pd.DataFrame, shap: Shap, data: ReportInput) -> None:
    left = np.zeros(len(bars))
    K = len(shap.table.classes)
    for k in [1] if K == 2 else range(K):
        size = bars[shap.table.classes[k]].to_numpy(float)
        axes.barh(range(len(bars)), size, left=left, color=colour(k), height=0.68,
                  label=drawable(class_name(k, data.classes, data.outcome), 26))  # fmt: skip
        left += size
    for row, (end, share) in enumerate(zip(left, bars["share"], strict=True)):
        axes.text(end, row, f" {100 * share:.0f}%", va="center", fontsize=7)
    names = [f"{name} ({n:,})" for name, n in zip(bars.index, bars["features"], strict=True)]
    axes.set_yticks(range(len(bars)), [drawable(name, 30) for name in names])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, max(1.1 * float(left.max()), axes.get_xlim()[1]))
    grid(axes, "x")


def model_shares(data: ReportInput) -> pd.DataFrame | None:
    """Share of each feature in a model's total mean |SHAP|, features in rows by their mean share, models in columns.

    Shares can be set side by side where the outputs (probability, log-odds) cannot.
    """
    if not data.shap_models:
        return None
    columns = {}
    for model, shap in data.shap_models.items():
        size = np.abs(shap.table.values).mean(axis=0).sum(axis=1)
        total = size.sum()
        columns[model] = pd.Series(size / total if total > 0 else size, index=list(shap.table.feature_names))
    table = pd.DataFrame(columns)
    return table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]


def shap_models(data: ReportInput) -> Figure | None:
    """Shares of the features in each of the nine, as shades with percentages."""
    table = model_shares(data)
    if table is None or len(table) < 2 or table.shape[1] < 2:
        return None
    table = table.head(MOST)
    figure = new_figure(1.3 + 0.19 * len(table))
    axes = figure.subplots()
    shown = 100 * table.to_numpy(float)
    most = max(float(np.nanmax(shown)), 1.0)
    axes.imshow(np.sqrt(shown), cmap="Blues", vmin=0, vmax=np.sqrt(most), aspect="auto")  # roots: small shares are seen
    for (row, column), share in np.ndenumerate(shown):
        if np.isfinite(share):
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=6.3,
                      color="white" if share > 0.6 * most else INK)  # fmt: skip
    axes.set_yticks(range(len(table)), [drawable(feature_name(name), 40) for name in table.index], fontsize=6.8)
    axes.set_xticks(range(table.shape[1]), table.columns, fontsize=7.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Share of the model's mean |SHAP|, %")
    return figure
