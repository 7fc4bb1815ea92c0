"""What the page's own script draws: a ROC reader that shows every threshold, and slices to scroll through.

Without scripts the static figures of the same content stand there alone.
"""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import numpy as np

from ovfrad.report.blocks import Block
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import SliceStack
from ovfrad.report.style import CONTOUR, colour
from ovfrad.report.table_results import validated
from ovfrad.report.words import class_name, cohort_name, known

#: Most points of one curve: finer than a screen can show.
MOST_POINTS = 400
#: Slices in a row of the picture that holds them all.
ACROSS = 6


def roc_reader(data: ReportInput) -> Block | None:
    """Curves of the headline model with the threshold of each point; None without predictions."""
    curves = [
        {"cohort": cohort_name(cohort), "class": class_name(k, data.classes, data.outcome), "colour": colour(k)} | curve
        for cohort in validated(data)
        for k in ([1] if len(data.classes) == 2 else range(len(data.classes)))
        if (curve := _curve(data, cohort, k))
    ]
    if not curves:
        return None
    return Block(
        "roc",
        title="Read any threshold",
        text="Point at the curve, or move the slider: who is found and who is wrongly named when the class is called "
        "from that probability on. Choosing a threshold here, on validation rows, makes its numbers optimistic.",
        data=curves,
    )


def _curve(data: ReportInput, cohort: str, k: int) -> dict[str, Any]:
    """Counts above each threshold, at most `MOST_POINTS` of them; empty where the class or its rest is absent."""
    rows = data.headline_predictions(cohort)
    kept = rows[rows["y_true"].notna()] if len(rows) else rows
    if not len(kept):
        return {}
    p, positive = kept[f"p_{k}"].to_numpy(float), kept["y_true"].to_numpy(int) == k
    if not 0 < positive.sum() < len(positive):
        return {}
    levels = np.unique(p)[::-1]
    hits = [int((positive & (p >= level)).sum()) for level in levels]
    wrong = [int((~positive & (p >= level)).sum()) for level in levels]
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), MOST_POINTS)).round().astype(int))
    points = [[round(float(levels[j]), 4), hits[j], wrong[j]] for j in chosen]
    fixed = (data.headline_block(cohort) or {}).get("class", {}).get(str(k), {}).get("threshold")
    sizes = {"cases": int(positive.sum()), "others": int((~positive).sum())}
    return {**sizes, "fixed": fixed if known(fixed) else None, "points": points}


def slice_viewer(data: ReportInput) -> Block | None:
    """Sagittal slices of the pictured vertebrae, outlined; None where the run kept none."""
    stacks = [_stack(stack) for stack in data.slices]
    if not stacks:
        return None
    return Block(
        "slices",
        title="Scroll through the slices",
        text="Sagittal slices from one side of the vertebra to the other, bone window, the mask outlined in red.",
        data=stacks,
    )


def _stack(stack: SliceStack) -> dict[str, Any]:
    """All slices of one case in one picture, and how to cut it up."""
    count, height, width = stack.images.shape
    rows = -(-count // ACROSS)
    sheet = np.zeros((rows * height, ACROSS * width), np.uint8)
    for place in range(count):
        row, column = divmod(place, ACROSS)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = _outlined(
            stack.images[place], stack.masks[place]
        )
    return {
        "label": stack.label, "uri": _png(sheet), "count": count, "width": width, "height": height, "across": ACROSS,
        "pixel_mm": stack.pixel_mm, "step_mm": stack.step_mm,
    }  # fmt: skip


def _outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Grey levels 0..254, the mask's border 255 (the palette's red)."""
    from scipy.ndimage import binary_erosion

    grey = np.minimum(image, 254)
    return np.where(mask & ~binary_erosion(mask, border_value=1), 255, grey).astype(np.uint8)


def _png(sheet: np.ndarray) -> str:
    """Data URI of a picture in grey and one red."""
    from PIL import Image

    picture = Image.fromarray(sheet, "P")
    red = [int(CONTOUR[place : place + 2], 16) for place in (1, 3, 5)]
    picture.putpalette([level for grey in range(255) for level in (grey, grey, grey)] + red)
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
