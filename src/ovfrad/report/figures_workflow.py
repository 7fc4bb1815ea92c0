"""The workflow of this run in one drawing: from CT and mask to a prediction, with the numbers of the headline's arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ovfrad.report.harmonisation import corrected
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import STEPS
from ovfrad.report.style import GREY, INK, WIDTH, drawable, new_figure
from ovfrad.report.words import model_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Box = list[str]
_GIVEN, _LEARNED, _OUT = "#F4F6F9", "#E9F3FA", "#FFF4D6"
#: Sides of a box, of one in the last row, gap and left margin, inches.
_WIDE, _LAST, _TALL, _GAP, _LEFT = 1.0, 1.55, 0.74, 0.16, 0.1


def workflow(data: ReportInput) -> Figure | None:
    """Lanes of radiomics and of the network, joined by the fusion; shaded by what learns from other rows."""
    counts = _counts(data)
    if not counts:
        return None
    lanes = [lane for lane in (_radiomics(data, counts), _deep(data, counts)) if lane]
    last = _last(data, counts)
    height = 1.02 * len(lanes) + 1.95
    figure = new_figure(height, layout=None)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    _legend(axes, height - 0.17)
    rows = [height - 0.82 - 1.02 * row for row in range(len(lanes))]
    for lane, y in zip(lanes, rows, strict=True):
        _lane(axes, lane, y, learned_from=2 if data.source == "images" else 1)
    _last_row(axes, last, rows[-1] - 1.22)
    _join(axes, lanes, rows)
    return figure


def _counts(data: ReportInput) -> dict[str, int]:
    """Features after each step of the headline's arm, by the key of the step."""
    arm = data.headline[1] if data.headline else next(iter(data.selection), "")
    trace = data.selection.get(arm)
    keys = {words: key for key, words in STEPS.items()}
    return {keys[words]: n for words, n in trace.counts if words in keys} if trace else {}


def _setting(data: ReportInput, section: str, key: str) -> Any:
    found = data.settings.get(section) if isinstance(data.settings, Mapping) else None
    return found.get(key) if isinstance(found, Mapping) else None


def _radiomics(data: ReportInput, counts: Mapping[str, int]) -> list[Box]:
    if not counts.get("radiomics"):
        return []
    limit, rho = _setting(data, "selection", "icc_min"), _setting(data, "selection", "spearman_max")
    head = ["CT and mask", "read in HU,", "1 mm voxels"] if data.source == "images" else ["Feature table"]
    made = ["Radiomics", f"{counts['radiomics']:,} features"]
    lane = [head, made] if data.source == "images" else [[*head, made[1]]]
    if corrected(data):
        lane.append(["ComBat", "batch effects", "taken out"])
    if "icc" in counts:
        lane.append(["ICC", f"≥ {limit:g}" if limit else "two outlines", f"{counts['icc']:,} left"])
    if "spearman" in counts:
        lane.append(["Spearman", f"|ρ| ≤ {rho:g}" if rho else "redundancy", f"{counts['spearman']:,} left"])
    if "lasso" in counts:
        lane.append(["LASSO", "10-fold CV", f"{counts['lasso']:,} left"])
    return lane


def _deep(data: ReportInput, counts: Mapping[str, int]) -> list[Box]:
    if not counts.get("deep"):
        return []
    size, plane = _setting(data, "deep", "size"), _setting(data, "deep", "plane")
    arm = data.headline[1] if data.headline else ""
    kind = {"random": "random weights", "file": "frozen weights"}.get(getattr(data.weights.get(arm), "kind", ""), "")
    lane = [
        ["Patch", f"{size} × {size}" if size else "", str(plane or "")],
        ["ResNet-50", kind, f"{counts['deep']:,} features"],
    ]
    return [*lane, ["PCA", "components", f"{counts['pca']:,} left"]] if "pca" in counts else lane


def _last(data: ReportInput, counts: Mapping[str, int]) -> list[Box]:
    model = model_name(data.headline[2]).split(" (")[0] if data.headline else "model"
    fused = counts.get("fused", counts.get("lasso", 0))
    return [
        ["Fused set", "z-scored, LASSO", f"{fused:,} features"],
        ["Models", "nine classifiers,", f"headline: {drawable(model, 16)}"],
        ["Probabilities", *(["recalibrated"] if _setting(data, "models", "recalibrate") else ["as given"])],
        ["Prediction", f"{len(data.classes)} classes,", "conformal set"],
    ]


def _legend(axes: Axes, y: float) -> None:
    """What the shades of the boxes mean."""
    from matplotlib.patches import Rectangle

    words = {
        _GIVEN: "of each case, without the others",
        _LEARNED: "learned from training rows only, and again inside every patient fold",
        _OUT: "for the next patient",
    }
    x = 0.1
    for shade, text in words.items():
        axes.add_patch(Rectangle((x, y - 0.06), 0.16, 0.12, facecolor=shade, edgecolor=GREY, lw=0.8))
        axes.text(x + 0.22, y, text, fontsize=6.8, color=GREY, va="center")
        x += 0.38 + 0.047 * len(text)


def _lane(axes: Axes, lane: Sequence[Box], y: float, learned_from: int) -> None:
    for place, lines in enumerate(lane):
        x = _LEFT + place * (_WIDE + _GAP)
        _box(axes, x, y, lines, _LEARNED if place >= learned_from else _GIVEN)
        if place:
            _arrow(axes, (x - _GAP, y), (x, y))


def _last_row(axes: Axes, last: Sequence[Box], y: float) -> None:
    """What the lanes flow into, from left to right."""
    for place, lines in enumerate(last):
        x = _LEFT + place * (_LAST + _GAP)
        _box(axes, x, y, lines, _LEARNED if place < 3 else _OUT, wide=_LAST)
        if place:
            _arrow(axes, (x - _GAP, y), (x, y))


def _join(axes: Axes, lanes: Sequence[list[Box]], rows: Sequence[float]) -> None:
    """Lines from the last box of every lane to the first of the last row."""
    level, target = rows[-1] - _TALL / 2 - 0.13, _LEFT + _LAST / 2
    for lane, y in zip(lanes, rows, strict=True):
        x = _LEFT + (len(lane) - 1) * (_WIDE + _GAP) + _WIDE / 2
        axes.plot([x, x, target], [y - _TALL / 2, level, level], color=GREY, lw=0.9, zorder=0)
    _arrow(axes, (target, level), (target, rows[-1] - 1.22 + _TALL / 2))


def _box(axes: Axes, x: float, y: float, lines: Box, shade: str, wide: float = _WIDE) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (x, y - _TALL / 2)
    shape = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch(corner, wide, _TALL, boxstyle=shape, facecolor=shade, edgecolor=GREY, lw=0.8))
    name, *rest = [line for line in lines if line]
    middle = x + wide / 2
    axes.text(middle, y + (0.19 if rest else 0), name, ha="center", va="center", fontsize=8, weight="bold", color=INK)
    axes.text(middle, y - 0.11, "\n".join(rest), ha="center", va="center", fontsize=6.8, linespacing=1.3)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8}
    axes.annotate("", end, start, arrowprops=style)
