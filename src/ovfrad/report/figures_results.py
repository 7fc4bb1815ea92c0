"""Figures of the results: ROC, all models, confusion, reliability and decision curves (METHODS F)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ovfrad.report.inputs import ReportInput
from ovfrad.report.style import GREY, INK, PALE, colour, drawable, grid, line, new_figure, panels
from ovfrad.report.table_results import models, validated
from ovfrad.report.words import class_name, cohort_name, estimate, known, model_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Least rows of a cohort for a reliability curve.
LEAST = 30
#: Patient resamples behind the bands of curves.
BAND_RESAMPLES = 500
_COHORT_MARKS = {"train": ("o", GREY), "internal": ("s", "#0072B2"), "external": ("D", "#882255")}
_COHORT_MARKS |= {"prospective": ("^", "#009E73")}
_OTHER_MARKS = (
    ("v", INK), ("P", "#E69F00"), ("X", "#56B4E9"), ("<", "#CC79A7"), (">", "#999933"), ("h", "#44464B"),
    ("*", "#0072B2"), ("d", "#882255"), ("p", "#009E73"),
)  # fmt: skip
#: Name of the arm where a table names none.
NONE = "-"


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
    from ovfrad.evaluation.roc import GRID, roc_band, roc_points, sensitivity_at

    rows = data.headline_predictions(cohort)
    y, p = probabilities(rows)
    patients = rows.loc[rows["y_true"].notna(), "patient_id"].astype(str).to_numpy()
    block = data.headline_block(cohort) or {}
    heights, shade = [], 0.13 if p.shape[1] <= 3 else 0.07
    axes.plot([0, 1], [0, 1], color=PALE, lw=1, zorder=1)
    for k in _curves(p.shape[1]):
        cases = y == k
        if not 0 < cases.sum() < len(y):
            continue
        band = roc_band(cases, p[:, k], patients, BAND_RESAMPLES)
        axes.fill_between(GRID, band["low"], band["high"], color=colour(k), alpha=shade, lw=0, zorder=1.5)
        label = f"{drawable(_short(data, k), 14)}: {estimate(block.get('class_auc', {}).get(str(k)))}"
        axes.plot(*roc_points(cases, p[:, k])[:2], color=colour(k), ls=line(k), label=label)
        heights.append(sensitivity_at(cases, p[:, k], GRID)[:, 0])
    if len(heights) > 1 and p.shape[1] > 2:
        mean = np.r_[0, np.mean(heights, axis=0)]
        axes.plot(
            np.r_[0, GRID], mean, color=INK, lw=1.9, label=f"macro: {estimate(block.get('macro_auc'))}", alpha=0.85
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=f"{_cohort(cohort)}, n = {len(y)}")
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity")
    grid(axes)
    axes.legend(loc="lower right", title="AUC (95% CI)", alignment="left", title_fontsize=7.5)


def _curves(K: int) -> list[int]:
    """Classes to draw: of two classes the second, since the first is its mirror."""
    return [1] if K == 2 else list(range(K))


def _cohort(cohort: str) -> str:
    return drawable(cohort_name(cohort), 28)


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
    figure = new_figure(1.1 + max(0.34, 0.09 * len(data.cohorts)) * len(names))
    grid_of_axes = figure.subplots(1, len(arms), sharey=True, sharex=True, squeeze=False)[0]
    for axes, arm in zip(grid_of_axes, arms, strict=True):
        for cohort in data.cohorts:
            _forest(
                axes, {m[3]: m[4]["macro_auc"] for m in found if m[1] == cohort and m[2] == arm}, names, data, cohort
            )
        for row in range(1, len(names), 2):
            axes.axhspan(row - 0.5, row + 0.5, color="#F4F6F9", zorder=0)
        axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
        axes.set(title="" if arm == NONE else f"arm {drawable(arm, 30)}", xlabel="Macro AUC (95% CI)")
        grid(axes, "x")
    grid_of_axes[0].set_yticks(range(len(names)), [drawable(model_name(n), 36) for n in names])
    grid_of_axes[0].set_ylim(len(names) - 0.5, -0.5)
    for text, name in zip(grid_of_axes[0].get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if name == data.headline[2] else "normal")
    handles, labels = grid_of_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def _forest(axes: Axes, values: dict, names: list[str], data: ReportInput, cohort: str) -> None:
    place = data.cohorts.index(cohort)
    shift = min(0.18, 0.84 / len(data.cohorts)) * (place - (len(data.cohorts) - 1) / 2)
    others = [c for c in data.cohorts if c not in _COHORT_MARKS]
    mark, shade = _COHORT_MARKS.get(cohort) or _OTHER_MARKS[others.index(cohort) % len(_OTHER_MARKS)]
    here = [n for n in names if n in values]
    at = np.array([names.index(n) + shift for n in here])
    middle = np.array([values[n]["estimate"] for n in here], float)
    ends = np.array([[values[n].get(e, np.nan) for e in ("low", "high")] for n in here], float).reshape(-1, 2)
    axes.hlines(at, ends[:, 0], ends[:, 1], color=shade, lw=1)
    axes.plot(middle, at, mark, color=shade, ms=3.4, label=_cohort(cohort))


def confusion(data: ReportInput) -> Figure | None:
    """Confusion matrices of the headline model: counts, and shares of the true class as shade."""
    blocks = {c: (data.headline_block(c) or {}).get("confusion_matrix") for c in validated(data)}
    tables = {c: np.asarray(m, float) for c, m in blocks.items() if m is not None}
    if not tables:
        return None
    rows, columns = panels(len(tables), 4)
    figure = new_figure(2.75 * rows, max(1.9 * columns, 3.2))
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    names = [str(c) for c in data.classes]
    for axes, (cohort, counts) in zip(every, tables.items(), strict=False):
        _matrix(axes, counts, [drawable(n, 12) for n in names])
        axes.set_title(_cohort(cohort).replace(" ", "\n", 1), fontsize=8.5)
        axes.set_xlabel("Predicted class")
    for first in every[::columns]:
        first.set_ylabel("True class")
    _hide_empty(figure, len(tables))
    return figure


def _matrix(axes: Axes, counts: np.ndarray, names: list[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), n in np.ndenumerate(counts):
        shade = "white" if shares[i, j] > 0.55 else INK
        part = f"{100 * shares[i, j]:.0f}%" if n == 0 or shares[i, j] >= 0.005 else "<1%"
        axes.text(j, i, f"{n:.0f}\n{part}", ha="center", va="center", color=shade, fontsize=7.5)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def reliability(data: ReportInput, bins: int = 8) -> Figure | None:
    """Observed share against mean predicted probability, groups of equal size, one panel per cohort."""
    from ovfrad.evaluation.calibration import reliability as points_of

    cohorts = [c for c in validated(data) if len(data.headline_predictions(c)) >= LEAST]
    if not cohorts:
        return None
    rows, columns = panels(len(cohorts), 4)
    figure = new_figure(2.3 * rows + 0.4, 1.75 * max(columns, 2))
    every = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, cohort in zip(every, cohorts, strict=False):
        table = data.headline_predictions(cohort)
        points = points_of(table, int(np.clip(len(table) // 15, 3, bins)))
        axes.plot([0, 1], [0, 1], color=PALE, lw=1)
        for k in _curves(len(data.classes)):
            here = points[points["class"] == k]
            axes.vlines(here["predicted"], here["low"], here["high"], color=colour(k), lw=0.7, alpha=0.6)
            label = drawable(_short(data, k))
            axes.plot(here["predicted"], here["observed"], "o", ls=line(k), color=colour(k), ms=2.8, lw=1, label=label)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xlabel="Predicted probability")
        axes.set_title(_cohort(cohort).replace(" ", "\n", 1) + f", n = {len(table)}", fontsize=8)
        grid(axes)
        axes.tick_params(labelbottom=True)
    for first in every[::columns]:
        first.set_ylabel("Observed share")
    _hide_empty(figure, len(cohorts))
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure


def _decision_names(data: ReportInput) -> dict[str, str]:
    """Decisions of `evaluation.decision` to draw: their words."""
    K = len(data.classes)
    if data.ordered and K > 2:
        words = {f"P(class >= {k})": f"P(class ≥ {data.classes[k]})" for k in range(1, K - 1)}
        return words | {f"P(class = {K - 1})": f"P(class = {data.classes[-1]})"}
    return {f"P(class = {k})": f"P({_short(data, k)})" for k in _curves(K)}


def decision_curves(data: ReportInput) -> Figure | None:
    """Net benefit against threshold probability, rows = decisions, columns = cohorts (F5)."""
    from ovfrad.evaluation.decision import decision_curves as curves_of

    cohorts = [c for c in validated(data) if len(data.headline_predictions(c))]
    if not cohorts:
        return None
    wanted = _decision_names(data)
    figure = new_figure(1.9 * len(wanted) + 0.6, max(1.75 * len(cohorts), 3.5))
    every = figure.subplots(len(wanted), len(cohorts), squeeze=False, sharex=True, sharey="row")
    for column, cohort in zip(every.T, cohorts, strict=True):
        curves = curves_of(data.headline_predictions(cohort), resamples=BAND_RESAMPLES, ordered=data.ordered)
        for axes, name in zip(column, wanted, strict=True):
            _decision_panel(axes, curves[curves["decision"] == name])
        column[0].set_title(_cohort(cohort).replace(" ", "\n", 1), fontsize=8.5)
        column[-1].set_xlabel("Threshold probability")
    for axes, words in zip(every[:, 0], wanted.values(), strict=True):
        axes.set_ylabel(f"Net benefit\n{drawable(words, 24)}")
    handles, labels = every[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _decision_panel(axes: Axes, curves: pd.DataFrame) -> None:
    looks = {"all": {"color": GREY, "lw": 1, "ls": "--", "label": "act on all"}}
    looks |= {"none": {"color": INK, "lw": 0.8, "ls": ":", "label": "act on none"}}
    looks |= {"model": {"color": INK, "label": "model"}}
    for strategy, look in looks.items():
        here = curves[curves["strategy"] == strategy]
        axes.plot(here["threshold"], here["net_benefit"], **look)  # type: ignore[arg-type]
        if strategy == "model":
            axes.fill_between(here["threshold"], here["low"], here["high"], color=GREY, alpha=0.2, lw=0)
    top = 1.05 * max(curves[["net_benefit", "high"]].max().max(), 0.02)
    shared = 0.0 if axes.get_autoscaley_on() else axes.get_ylim()[1]
    axes.set(ylim=(-0.14 * max(top, shared), max(top, shared)), xlim=(0, 0.8))
    grid(axes)
