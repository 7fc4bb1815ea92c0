"""Figures of the results: ROC, all models, confusion, reliability and decision curves (METHODS F)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.evaluation.estimate import wilson
from ovfrad.report.inputs import ReportInput
from ovfrad.report.style import GREY, INK, PALE, colour, drawable, grid, line, new_figure, panels
from ovfrad.report.table_results import models, validated
from ovfrad.report.words import class_name, cohort_name, estimate, known, model_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COHORT_MARKS = {"train": ("o", GREY), "internal": ("s", "#0072B2"), "external": ("D", "#882255")}
_COHORT_MARKS |= {"prospective": ("^", "#009E73")}


def probabilities(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Class codes of shape (n,) and probabilities of shape (n, K) of a prediction table."""
    columns = sorted((c for c in rows if str(c).startswith("p_")), key=lambda c: int(str(c)[2:]))
    kept = rows[rows["y_true"].notna()]
    return kept["y_true"].to_numpy(int), kept[columns].to_numpy(float)


def roc(data: ReportInput) -> Figure | None:
    """ROC curve of each class against the rest and their vertical mean, one panel per cohort (paper Fig 5)."""
    cohorts = [c for c in validated(data) if len(data.headline_predictions(c))]
    if not cohorts:
        return None
    rows, columns = panels(len(cohorts), 2)
    figure = new_figure(3.5 * rows, 7.0 if columns == 2 else 4.2)
    for panel, cohort in zip(figure.subplots(rows, columns, squeeze=False).ravel(), cohorts, strict=False):
        _roc_panel(panel, data, cohort)
    _hide_empty(figure, len(cohorts))
    return figure


def _roc_panel(axes: Axes, data: ReportInput, cohort: str) -> None:
    from sklearn.metrics import roc_curve

    y, p = probabilities(data.headline_predictions(cohort))
    block = data.headline_block(cohort) or {}
    at = np.linspace(0, 1, 201)
    heights = []
    axes.plot([0, 1], [0, 1], color=PALE, lw=1, zorder=1)
    for k in range(p.shape[1]):
        if 0 < (y == k).sum() < len(y):
            fpr, tpr, _ = roc_curve(y == k, p[:, k])
            label = f"{_short(data, k)}: {estimate(block.get('class_auc', {}).get(str(k)))}"
            axes.plot(fpr, tpr, color=colour(k), ls=line(k), label=drawable(label))
            heights.append(np.interp(at, fpr, tpr))
    if len(heights) > 1 and p.shape[1] > 2:
        mean = np.r_[0, np.mean(heights, axis=0)]
        axes.plot(np.r_[0, at], mean, color=INK, lw=1.9, label=f"macro: {estimate(block.get('macro_auc'))}", alpha=0.85)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=f"{cohort_name(cohort)}, n = {len(y)}")
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
    grid(axes)
    axes.legend(loc="lower right", title="AUC (95% CI)", alignment="left", title_fontsize=7.5)


def _short(data: ReportInput, code: int) -> str:
    return class_name(code, data.classes, "")


def _hide_empty(figure: Figure, used: int) -> None:
    for axes in figure.axes[used:]:
        axes.set_visible(False)


def all_models(data: ReportInput) -> Figure | None:
    """Macro AUC with interval of every model and cohort, one panel per arm, the headline's name in bold."""
    found = [m for m in models(data) if m[1] in data.cohorts and known((m[4].get("macro_auc") or {}).get("estimate"))]
    if not found or data.headline is None:
        return None
    recipe = data.headline[0]
    found = [m for m in found if m[0] == recipe]
    arms = list(dict.fromkeys(m[2] for m in found))
    names = list(dict.fromkeys(m[3] for m in found))
    figure = new_figure(1.1 + 0.34 * len(names))
    grid_of_axes = figure.subplots(1, len(arms), sharey=True, sharex=True, squeeze=False)[0]
    for axes, arm in zip(grid_of_axes, arms, strict=True):
        for cohort in data.cohorts:
            _forest(
                axes, {m[3]: m[4]["macro_auc"] for m in found if m[1] == cohort and m[2] == arm}, names, data, cohort
            )
        axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
        axes.set(title=f"arm {drawable(arm, 30)}", xlabel="Macro AUC (95% CI)")
        grid(axes, "x")
    grid_of_axes[0].set_yticks(range(len(names)), [drawable(model_name(n)) for n in names])
    grid_of_axes[0].invert_yaxis()
    for text, name in zip(grid_of_axes[0].get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if name == data.headline[2] else "normal")
    handles, labels = grid_of_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def _forest(axes: Axes, values: dict, names: list[str], data: ReportInput, cohort: str) -> None:
    place = data.cohorts.index(cohort)
    shift = 0.18 * (place - (len(data.cohorts) - 1) / 2)
    mark, shade = _COHORT_MARKS.get(cohort, ("v", INK))
    here = [n for n in names if n in values]
    at = np.array([names.index(n) + shift for n in here])
    middle = np.array([values[n]["estimate"] for n in here], float)
    ends = np.array([[values[n].get(e, np.nan) for e in ("low", "high")] for n in here], float).reshape(-1, 2)
    axes.hlines(at, ends[:, 0], ends[:, 1], color=shade, lw=1)
    axes.plot(middle, at, mark, color=shade, ms=3.4, label=cohort_name(cohort))


def confusion(data: ReportInput) -> Figure | None:
    """Confusion matrices of the headline model: counts, and shares of the true class as shade."""
    blocks = {c: (data.headline_block(c) or {}).get("confusion") for c in validated(data)}
    blocks = {c: np.asarray(m, float) for c, m in blocks.items() if m is not None}
    if not blocks:
        return None
    rows, columns = panels(len(blocks), 4)
    figure = new_figure(2.35 * rows, max(1.9 * columns, 3.2))
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    names = [str(c) for c in data.classes]
    for axes, (cohort, counts) in zip(every, blocks.items(), strict=False):
        _matrix(axes, counts, [drawable(n, 12) for n in names])
        axes.set_title(cohort_name(cohort).replace(" ", "\n", 1), fontsize=8.5)
        axes.set_xlabel("Predicted class")
    every[0].set_ylabel("True class")
    _hide_empty(figure, len(blocks))
    return figure


def _matrix(axes: Axes, counts: np.ndarray, names: list[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), n in np.ndenumerate(counts):
        shade = "white" if shares[i, j] > 0.55 else INK
        axes.text(j, i, f"{n:.0f}\n{100 * shares[i, j]:.0f}%", ha="center", va="center", color=shade, fontsize=7.5)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def reliability(data: ReportInput, bins: int = 8) -> Figure | None:
    """Observed share against mean predicted probability, groups of equal size, one panel per cohort."""
    cohorts = [c for c in validated(data) if len(data.headline_predictions(c)) >= 2 * bins]
    if not cohorts:
        return None
    rows, columns = panels(len(cohorts), 4)
    figure = new_figure(2.3 * rows + 0.4, 1.75 * max(columns, 2))
    every = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, cohort in zip(every, cohorts, strict=False):
        y, p = probabilities(data.headline_predictions(cohort))
        axes.plot([0, 1], [0, 1], color=PALE, lw=1)
        for k in range(p.shape[1]):
            x, share, low, high = reliability_points(p[:, k], y == k, bins)
            axes.vlines(x, low, high, color=colour(k), lw=0.7, alpha=0.6)
            axes.plot(x, share, "o", ls=line(k), color=colour(k), ms=2.8, lw=1, label=drawable(_short(data, k)))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xlabel="Predicted probability")
        axes.set_title(f"{cohort_name(cohort)}".replace(" ", "\n", 1) + f", n = {len(y)}", fontsize=8)
        grid(axes)
    every[0].set_ylabel("Observed share")
    _hide_empty(figure, len(cohorts))
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure


def reliability_points(
    p: np.ndarray, hit: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean prediction, observed share and Wilson's 95 % limits in groups of nearly equal size.

    >>> x, share, low, high = reliability_points(np.array([.1, .1, .9, .9]), np.array([False, False, True, True]), 2)
    >>> x.tolist(), share.tolist()
    ([0.1, 0.9], [0.0, 1.0])
    """
    groups = [g for g in np.array_split(np.argsort(p, kind="stable"), bins) if len(g)]
    x, share = np.array([p[g].mean() for g in groups]), np.array([hit[g].mean() for g in groups])
    limits = np.array([wilson(hit[g].sum(), len(g)) for g in groups])
    return x, share, limits[:, 0], limits[:, 1]


def decisions(data: ReportInput) -> list[tuple[str, list[int]]]:
    """Decisions of the decision curves: cumulative for an ordered outcome, else each class against the rest."""
    K = len(data.classes)
    if K == 2:
        return [(f"P({_short(data, 1)})", [1])]
    if not data.ordered:
        return [(f"P({_short(data, k)})", [k]) for k in range(K)]
    tails = [(f"P(class ≥ {data.classes[k]})", list(range(k, K))) for k in range(1, K - 1)]
    return [*tails, (f"P(class = {data.classes[K - 1]})", [K - 1])]


def net_benefit(p: np.ndarray, hit: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Net benefit per row, TP/n - FP/n x t/(1 - t) (Vickers and Elkin 2006), of acting where p >= t.

    >>> net_benefit(np.array([.2, .8]), np.array([False, True]), np.array([.1, .5])).round(3).tolist()
    [0.444, 0.5]
    """
    act = p[None, :] >= thresholds[:, None]
    odds = thresholds / (1 - thresholds)
    return (act & hit).mean(axis=1) - (act & ~hit).mean(axis=1) * odds


def decision_curves(data: ReportInput) -> Figure | None:
    """Net benefit against threshold probability, rows = decisions, columns = cohorts."""
    cohorts = [c for c in validated(data) if len(data.headline_predictions(c))]
    if not cohorts:
        return None
    wanted = decisions(data)
    figure = new_figure(1.9 * len(wanted) + 0.6, max(1.75 * len(cohorts), 3.5))
    every = figure.subplots(len(wanted), len(cohorts), squeeze=False, sharex=True, sharey="row")
    for row, (label, codes) in zip(every, wanted, strict=True):
        for axes, cohort in zip(row, cohorts, strict=True):
            _decision_panel(axes, *probabilities(data.headline_predictions(cohort)), codes)
        row[0].set_ylabel(f"Net benefit\n{drawable(label, 24)}")
    for axes, cohort in zip(every[0], cohorts, strict=True):
        axes.set_title(cohort_name(cohort).replace(" ", "\n", 1), fontsize=8.5)
    for axes in every[-1]:
        axes.set_xlabel("Threshold probability")
    handles, labels = every[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _decision_panel(axes: Axes, y: np.ndarray, p: np.ndarray, codes: list[int]) -> None:
    thresholds = np.linspace(0.01, 0.8, 80)
    hit = np.isin(y, codes)
    everyone = net_benefit(np.ones(len(y)), hit, thresholds)
    model = net_benefit(p[:, codes].sum(axis=1), hit, thresholds)
    axes.plot(thresholds, everyone, color=GREY, lw=1, ls="--", label="act on all")
    axes.axhline(0, color=INK, lw=0.8, ls=":", label="act on none")
    axes.plot(thresholds, model, color=colour(max(codes)), label="model")
    top = max(hit.mean(), 0.05)
    axes.set(ylim=(-0.15 * top, 1.1 * top), xlim=(0, 0.8))
    grid(axes)
