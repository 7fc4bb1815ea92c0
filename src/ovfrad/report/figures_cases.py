"""Figures of the cases: flow chart, ROI montage with contours, surface of one mask (paper Fig 1, 3, 4)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import MontageCase
from ovfrad.report.style import CONTOUR, GREY, INK, WIDTH, drawable, new_figure
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
    side = [b for b in boxes if b[0] in ("Excluded", "Set aside (quarantine)")]
    top, analysed = (next(b for b in boxes if b[0] == name) for name in ("Assessed for eligibility", "Analysed"))
    cohorts = boxes[len(side) + 2 :]
    texts = [_lines(box, data, 46) for box in side]
    heights = [_height(text) for text in texts]
    gap, x = 0.18, (2.6 if side else WIDTH / 2)
    middle = sum(heights) + gap * (len(side) + 1) if side else 0.35
    height = 0.08 + 0.55 + middle + 0.55 + 0.5 + 0.95 + 0.22
    figure = new_figure(height, layout=None)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    y_top, y_analysed = height - 0.08 - 0.275, 0.22 + 0.95 + 0.5 + 0.275
    _box(axes, (x, y_top), (2.7, 0.55), _lines(top, data, 46))
    _arrow(axes, (x, y_top - 0.275), (x, y_analysed + 0.275))
    y = y_top - 0.275 - gap
    for text, tall in zip(texts, heights, strict=True):
        _arrow(axes, (x, y - tall / 2), (3.85, y - tall / 2))
        _box(axes, (5.35, y - tall / 2), (3.0, tall), text)
        y -= tall + gap
    _box(axes, (x, y_analysed), (2.7, 0.55), _lines(analysed, data, 46))
    _branches(axes, cohorts, data, (x, y_analysed - 0.275))
    return figure


def _branches(
    axes: Axes, cohorts: list[tuple[str, int, int, str]], data: ReportInput, top: tuple[float, float]
) -> None:
    """Cohort boxes in a row, joined to the box above at the point `top`, inches."""
    stem, start = top
    step = min((WIDTH - 0.2) / max(len(cohorts), 1), 1.7)
    first = max(stem - step * (len(cohorts) - 1) / 2, 0.1 + step / 2)
    for place, box in enumerate(cohorts):
        x = first + step * place
        axes.plot([stem, stem, x], [start, start - 0.2, start - 0.2], color=GREY, lw=0.9)
        _arrow(axes, (x, start - 0.2), (x, start - 0.48))
        _box(axes, (x, start - 0.48 - 0.45), (step - 0.16, 0.9), _lines(box, data, 19))


def _lines(box: tuple[str, int, int, str], data: ReportInput, wide: int) -> list[str]:
    name, patients, rows, reasons = box
    word = _ROW_WORD.get(data.unit, data.unit.removesuffix("s"))
    counts = [plural(patients, "patient"), plural(rows, word)]
    name = cohort_name(name).replace(" (nested)", "")
    lines = textwrap.wrap(drawable(name, 40), wide) + ([", ".join(counts)] if wide > 30 else counts)
    return lines + textwrap.wrap(drawable(reasons, 150), wide)


def _height(lines: list[str]) -> float:
    return 0.2 + 0.155 * len(lines)


def _box(axes: Axes, centre: tuple[float, float], size: tuple[float, float], lines: list[str]) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    shape = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, facecolor="#F4F6F9", edgecolor=GREY, linewidth=0.8))
    axes.text(*centre, "\n".join(lines), ha="center", va="center", fontsize=7.8, linespacing=1.35)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


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
        cohort = cohort_name(case.cohort).split(" ")[0].lower()
        title = f"{drawable(case.case_id, 24)} · {cohort} · {drawable(case.label, 26)}"
        part.suptitle(title, fontsize=7, x=0.02, ha="left")
        for axes, plane in zip(part.subplots(1, 3), PLANES, strict=True):
            plane_picture(axes, case, plane)
    return figure


def plane_picture(axes: Axes, case: MontageCase, plane: str) -> None:
    """One section in grey, the mask outlined, with a bar of 20 mm; nothing where the plane is absent."""
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
    figure = new_figure(2.6, 5.6)
    for place, (name, elevation, azimuth) in enumerate((("oblique", 22, -60), ("from the side", 0, 0)), 1):
        axes: Any = figure.add_subplot(1, 2, place, projection="3d")
        _surface(axes, triangles, vertices, elevation, azimuth)
        axes.set_title(f"{drawable(data.mesh.case_id, 24)}, {name}", fontsize=8)
        if elevation == 0:
            axes.set(xticks=[], xlabel="")
    return figure


def _outward(triangles: np.ndarray) -> np.ndarray:
    """Triangles (m, 3, 3) in the order that makes their normals point out of the body."""
    volume = np.einsum("ij,ij->", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2]))
    return triangles if volume > 0 else triangles[:, ::-1]


def _surface(axes: Any, triangles: np.ndarray, vertices: np.ndarray, elevation: float, azimuth: float) -> None:
    from matplotlib.colors import LightSource
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

    light = LightSource(azdeg=azimuth + 330, altdeg=50)
    body = Poly3DCollection(_outward(triangles), facecolors="#DCC9A0", shade=True, lightsource=light, linewidths=0)
    body.set_antialiased(False)
    body.set_rasterized(True)
    axes.add_collection3d(body)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(np.maximum(high - low, 1e-6), zoom=1.0)
    axes.view_init(elevation, azimuth)
    for name, letter in (("x", "right to left"), ("y", "front to back"), ("z", "height")):
        pad = -7 if elevation else -3
        getattr(axes, f"set_{name}label")(f"{letter}, mm", fontsize=6, labelpad=pad)
        axis = getattr(axes, f"{name}axis")
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#E4E7EC")
        axis.line.set_color(INK)
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=5.5, pad=-3)
