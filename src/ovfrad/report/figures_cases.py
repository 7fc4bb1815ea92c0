"""Figures of the cases: flow chart, ROI montage with contours, surface of one mask (paper Fig 1, 3, 4)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.report.inputs import MontageCase, ReportInput
from ovfrad.report.style import CONTOUR, GREY, INK, drawable, new_figure
from ovfrad.report.table_one import flow_numbers
from ovfrad.report.words import cohort_name, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLANES = ("sagittal", "axial", "coronal")
_ROW_WORD = {"vertebrae": "vertebra"}


def flow_chart(data: ReportInput) -> Figure:
    """Patients and rows from eligibility to cohorts, with what was excluded or set aside."""
    boxes = flow_numbers(data)
    trunk = [b for b in boxes if b[0] in ("Assessed for eligibility", "Analysed")]
    side = [b for b in boxes if b[0] in ("Excluded", "Set aside (quarantine)")]
    cohorts = boxes[len(trunk) + len(side) :]
    figure = new_figure(2.6 + 0.75 * len(side))
    axes = figure.subplots()
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.axis("off")
    _box(axes, 50, 92, 42, trunk[0], data)
    levels = np.linspace(92, 48, len(side) + 2)[1:-1] if side else []
    for y, box in zip(levels, side, strict=True):
        _arrow(axes, (50, y), (63, y))
        _box(axes, 81, y, 36, box, data)
    _arrow(axes, (50, 84), (50, 56))
    _box(axes, 50, 48, 42, trunk[1], data)
    width = min(24, 96 / max(len(cohorts), 1) - 1.5)
    centres = (np.arange(len(cohorts)) + 0.5) * 100 / max(len(cohorts), 1)
    for x, box in zip(centres, cohorts, strict=True):
        axes.plot([50, 50, x, x], [40, 30, 30, 26], color=GREY, lw=0.9, zorder=0)
        _arrow(axes, (x, 27), (x, 20))
        _box(axes, x, 10, width, (cohort_name(box[0]).replace(" (nested)", ""), *box[1:]), data)
    return figure


def _box(axes: Axes, x: float, y: float, width: float, box: tuple[str, int, int, str], data: ReportInput) -> None:
    name, patients, rows, reasons = box
    word = _ROW_WORD.get(data.unit, data.unit.removesuffix("s"))
    lines = [drawable(name, 40), f"{plural(patients, 'patient')}, {plural(rows, word)}"]
    if width < 30:
        lines = [*textwrap.wrap(lines[0], 18), plural(patients, "patient"), plural(rows, word)]
    lines += textwrap.wrap(drawable(reasons, 130), 44)
    style: dict[str, Any] = {"boxstyle": "round,pad=0.5", "facecolor": "#F4F6F9", "edgecolor": GREY, "linewidth": 0.8}
    axes.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=7.8, bbox=style, linespacing=1.35)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    )


def montage(data: ReportInput, most: int = 6) -> Figure | None:
    """Sagittal, axial and coronal section of a few vertebrae, bone window, mask outlined (paper Fig 3)."""
    cases = list(data.montage)[:most]
    if not cases:
        return None
    across = 2 if len(cases) > 1 else 1
    rows = int(np.ceil(len(cases) / across))
    figure = new_figure(1.32 * rows * (2 if across == 1 else 1))
    outer = figure.subfigures(rows, across, squeeze=False, wspace=0.01, hspace=0.01)
    for part, case in zip(outer.ravel(), cases, strict=False):
        title = f"{drawable(case.case_id, 24)} · {cohort_name(case.cohort).split(' ')[0].lower()} · {drawable(case.label, 26)}"
        part.suptitle(title, fontsize=7, x=0.02, ha="left")
        for axes, plane in zip(part.subplots(1, 3), PLANES, strict=True):
            _section(axes, case, plane)
    return figure


def _section(axes: Axes, case: MontageCase, plane: str) -> None:
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if plane not in case.images:
        axes.set_visible(False)
        return
    image, mask = np.asarray(case.images[plane], float), np.asarray(case.contours[plane], bool)
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="bilinear", rasterized=True)
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), [0.5], colors=[CONTOUR], linewidths=0.7)
    height, width = image.shape
    bar = 20 / case.spacing_mm
    axes.plot([width * 0.05, width * 0.05 + bar], [height * 0.94] * 2, color="white", lw=1.4, solid_capstyle="butt")
    axes.text(width * 0.05, height * 0.91, "20 mm", color="white", fontsize=4.8, va="bottom")
    axes.text(width * 0.04, height * 0.04, plane, color="white", fontsize=5.2, va="top")


def mesh(data: ReportInput) -> Figure | None:
    """Shaded surface of one mask seen from the front and from the side, axes in mm."""
    if data.mesh is None or len(data.mesh.faces) == 0:
        return None
    vertices = np.asarray(data.mesh.vertices, float)
    vertices = vertices - vertices.mean(axis=0)
    triangles = vertices[np.asarray(data.mesh.faces, int)]
    figure = new_figure(2.9, 6.2)
    for place, (name, elevation, azimuth) in enumerate(
        (("oblique from the front", 18, -65), ("from the left", 8, 5)), 1
    ):
        axes: Any = figure.add_subplot(1, 2, place, projection="3d")
        _surface(axes, triangles, vertices, elevation, azimuth)
        axes.set_title(f"{drawable(data.mesh.case_id, 24)}, {name}", fontsize=8)
    return figure


def _surface(axes: Any, triangles: np.ndarray, vertices: np.ndarray, elevation: float, azimuth: float) -> None:
    from matplotlib.colors import LightSource
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    light = LightSource(azdeg=225, altdeg=45)
    body = Poly3DCollection(triangles, facecolors="#D9C7A3", shade=True, lightsource=light, linewidths=0)
    body.set_rasterized(True)
    axes.add_collection3d(body)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(np.maximum(high - low, 1e-6), zoom=0.92)
    axes.view_init(elevation, azimuth)
    for name, letter in (("x", "right to left"), ("y", "front to back"), ("z", "height")):
        getattr(axes, f"set_{name}label")(f"{letter}, mm", fontsize=6, labelpad=-6)
        axis = getattr(axes, f"{name}axis")
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#E4E7EC")
        axis.line.set_color(INK)
    axes.tick_params(labelsize=5.5, pad=-3)
    axes.locator_params(nbins=4)
