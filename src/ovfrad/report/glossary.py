"""What each selected feature is, in the words of the radiomics engine and IBSI, and its direction here (H1)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.explanation.groups import DEEP, RADIOMICS, group_of
from ovfrad.radiomics.classes import BY_NAME
from ovfrad.report.inputs import ReportInput
from ovfrad.report.words import MISSING, class_name, known, number

#: Features of the headline model that are explained beside the selected ones: those with the largest SHAP values.
MOST_SHAP = 15
COLUMNS = ("Feature", "Used in", "What it is", "IBSI", "Unit", "Direction")
_IMAGES = {
    "original": "the image as it is",
    "square": "the squared image",
    "squareroot": "the square root of the image",
    "logarithm": "the logarithm of the image",
    "exponential": "the exponential of the image",
    "gradient": "the gradient magnitude",
}


def selected(data: ReportInput) -> dict[str, list[str]]:
    """Features with a coefficient in some arm and those with the largest SHAP values, and where each is used."""
    found: dict[str, list[str]] = {}
    for arm, trace in data.selection.items():
        for name, value in trace.coefficients.items():
            if value:
                found.setdefault(name, []).append(f"rad-score of arm {arm} ({'+' if value > 0 else '−'})")
    if data.shap is not None:
        size = np.abs(data.shap.table.values).mean(axis=0).sum(axis=1)
        for place, j in enumerate(np.argsort(-size, kind="stable")[:MOST_SHAP], start=1):
            if size[j] > 0:
                found.setdefault(data.shap.table.feature_names[j], []).append(f"SHAP rank {place}")
    return found


def glossary(data: ReportInput) -> pd.DataFrame | None:
    """One row a selected feature: where it is used, what it is, IBSI code, unit, direction; components in one."""
    used = selected(data)
    if not used:
        return None
    known_here = None if data.chosen is None else data.chosen.directions
    directions = {} if known_here is None else known_here.set_index("feature").to_dict("index")
    components = [name for name in used if group_of(name) == DEEP]
    rows = [_row(data, name, "; ".join(places), directions) for name, places in used.items() if name not in components]
    if components:
        what, code, unit = definition(components[0])
        rows.append(dict(zip(COLUMNS, (", ".join(components), MISSING, what, code, unit, MISSING), strict=True)))
    return pd.DataFrame(rows)


def _row(data: ReportInput, name: str, places: str, directions: dict[str, Any]) -> dict[str, str]:
    what, code, unit = definition(name)
    told = direction(data, directions.get(name))
    return dict(zip(COLUMNS, (name, places, what, code, unit, told), strict=True))


def definition(name: str) -> tuple[str, str, str]:
    """What a feature is, its IBSI code and its unit.

    >>> definition("wavelet-LLH_firstorder_Mean")[0][:54], definition("pc_03")[1]
    ('Of the wavelet band LLH (x, y low, z high frequencies)', '–')
    """
    kind = group_of(name)
    if kind == DEEP:
        words = "A weighted sum of the network's numbers; it has no definition outside this study."
        return words, MISSING, "1"
    if kind != RADIOMICS:
        return "A column of the table; see the study's own definition.", MISSING, MISSING
    image, group, feature = name.rsplit("_", 2)
    found = BY_NAME[group].features.get(f"{group}_{feature}")
    where = "" if group.startswith("shape") else f"Of {image_words(image)}: "
    if found is None:
        return f"{where}{feature} of class {group}.", MISSING, MISSING
    text = found.definition or f"{feature}."
    code = found.ibsi_code or MISSING
    unit = found.unit if image == "original" or found.unit == "1" else f"{found.unit}, filtered"
    return where + (text if not where else text[:1].lower() + text[1:]), code, unit


def image_words(prefix: str) -> str:
    """Image type of a feature in words.

    >>> image_words("log-sigma-3-0-mm-3D"), image_words("wavelet-HLL")
    ('the Laplacian of Gaussian of sigma 3 mm', 'the wavelet band HLL (x high, y, z low frequencies)')
    """
    if scale := re.fullmatch(r"log-sigma-(\d+)-(\d+)-mm-3D", prefix):
        return f"the Laplacian of Gaussian of sigma {float(f'{scale[1]}.{scale[2]}'):g} mm"
    if band := re.fullmatch(r"wavelet-([LH]{3})", prefix):
        groups = [
            (word, [axis for axis, letter in zip("xyz", band[1], strict=True) if letter == key])
            for key, word in (("L", "low"), ("H", "high"))
        ]
        told = sorted(((axes[0], f"{', '.join(axes)} {word}") for word, axes in groups if axes))
        return f"the wavelet band {band[1]} ({', '.join(words for _, words in told)} frequencies)"
    return _IMAGES.get(prefix, f"the filtered image {prefix}")


def direction(data: ReportInput, row: dict[str, float] | None) -> str:
    """Mean of each class, and whether the feature rises with the class."""
    if row is None:
        return MISSING
    means = [row.get(f"mean_{name}") for name in map(str, data.classes)]
    told = " / ".join(f"{value:.3g}" if known(value) else MISSING for value in means)
    if not data.ordered and len(data.classes) > 2:
        return f"means {told}"
    rho = row["rho"]
    last = class_name(len(data.classes) - 1, data.classes, "")
    words = "no trend" if not known(rho) or abs(rho) < 0.05 else f"{'higher' if rho > 0 else 'lower'} towards {last}"
    return f"{words} (rho {number(rho)}); means {told}"
