"""How a value of ours is held against PyRadiomics': the tolerances with their reasons, and our side of a case."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import cases
from regions import build

RELATIVE = 1e-6
"""The agreement that is promised."""
RELATIVE_LOG = 1e-4
"""For LoG: ITK's recursive filter keeps the image between its passes in single precision."""
ROUNDING = 1e-12
"""Largest error, relative to the terms that were added, of a sum of up to a million doubles."""
ROUNDING_LOG = 1e-6
"""The same where the terms are single-precision intensities."""

Values = Mapping[str, float]


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """Case -> feature -> text of the value; a feature that PyRadiomics does not give is absent."""
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return {case: {row[0]: row[place] for row in rows if row[place]} for place, case in enumerate(header) if place > 0}


def _largest(values: Values, image: str) -> float:
    return max(abs(values.get(f"{image}_firstorder_{name}", 0.0)) for name in ("Minimum", "Maximum"))


def _power(feature: str, power: float) -> Callable[[Values, str], float]:
    return lambda values, image: abs(values.get(f"{image}_{feature}", 0.0)) ** power


def _one(_values: Values, _image: str) -> float:
    return 1.0


TERMS: dict[str, Callable[[Values, str], float]] = {
    "firstorder_Mean": _largest,
    "firstorder_Median": _largest,
    "firstorder_10Percentile": _largest,
    "firstorder_90Percentile": _largest,
    "firstorder_Minimum": _largest,
    "firstorder_Maximum": _largest,
    "firstorder_Skewness": _one,
    "firstorder_Entropy": _one,
    "glcm_ClusterShade": _power("glcm_ClusterTendency", 1.5),
    "glcm_Correlation": _one,
    "glcm_Imc1": _one,
    "glcm_JointEntropy": _one,
    "glcm_SumEntropy": _one,
    "glcm_DifferenceEntropy": _one,
    "gldm_DependenceEntropy": _one,
    "gldm_DependenceVariance": _one,
    "gldm_GrayLevelVariance": _one,
    "glrlm_RunEntropy": _one,
    "glrlm_RunVariance": _one,
    "glrlm_GrayLevelVariance": _one,
    "glszm_ZoneEntropy": _one,
    "glszm_ZoneVariance": _one,
    "glszm_GrayLevelVariance": _one,
}
"""Features that are sums of terms of both signs, which cancel, and the size of the terms. An entropy is one, since
PyRadiomics adds 2e-16 inside the logarithm: one level gives -3e-16 instead of 0. So is a variance of levels or
sizes: the mean of a single level 1 may come out as 1 - 1e-16."""

ROOTS: dict[str, Callable[[Values, str], float]] = {
    "glcm_Imc2": _one,
    "glcm_MCC": _one,
    "shape_LeastAxisLength": _power("shape_MajorAxisLength", 1),
    "shape_MinorAxisLength": _power("shape_MajorAxisLength", 1),
    "shape_Flatness": _one,
    "shape_Elongation": _one,
    "shape2D_MinorAxisLength": _power("shape2D_MajorAxisLength", 1),
    "shape2D_Elongation": _one,
}
"""Square roots of what may cancel: the rounding comes under the root."""


def tolerance(feature: str, expected: Values) -> float:
    """Largest difference from `expected[feature]` that is agreement."""
    image, group, name = feature.rsplit("_", 2)
    log = image.startswith("log-sigma")
    rounding = ROUNDING_LOG if log and group == "firstorder" else ROUNDING
    short = f"{group}_{name}"
    floor = 0.0
    if short in TERMS:
        floor = rounding * TERMS[short](expected, image)
    elif short in ROOTS:
        floor = math.sqrt(rounding) * ROOTS[short](expected, image)
    return max((RELATIVE_LOG if log else RELATIVE) * abs(expected[feature]), floor)


def disagreements(found: Values, expected: Values) -> list[str]:
    """One line for each feature that is missing on either side or differs by more than its tolerance."""
    lines = [f"{name}: PyRadiomics alone has it ({expected[name]:.6g})" for name in expected if name not in found]
    lines += [f"{name}: ours alone ({found[name]:.6g})" for name in found if name not in expected]
    for name in expected:
        if name in found:
            ours, theirs = float(found[name]), expected[name]
            if math.isnan(theirs) and math.isnan(ours):
                continue
            if not abs(ours - theirs) <= tolerance(name, expected):
                lines.append(f"{name}: ours {ours!r}, PyRadiomics {theirs!r}, apart {abs(ours - theirs):.1e}")
    return lines


def numbers(column: Mapping[str, str]) -> dict[str, float]:
    """Values of a column that has no error."""
    assert "error" not in column, column["error"]
    return {name: float(text) for name, text in column.items()}


def extract_ours(case: cases.Case, shared: Path) -> tuple[dict[str, float], list[str]]:
    """Our features of a case, and the lines of the `InputWarning`s on the way; any other warning is an error."""
    from ovfrad.errors import InputWarning
    from ovfrad.radiomics import extract

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", InputWarning)
        if cases.is_real(case.region):
            series = extract(*_read(case.region, shared), case.parameters)
        else:
            image, mask, spacing = build(case.region)
            series = extract(image, mask, case.parameters, spacing=spacing)
    return dict(series), [str(item.message) for item in caught]


def _read(region: str, shared: Path) -> tuple:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
        import SimpleITK
    return tuple(SimpleITK.ReadImage(str(path)) for path in cases.real_files(region, shared))
