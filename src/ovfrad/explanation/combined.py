"""Variables of the combined model: rad-score and the baseline characteristics that matter (METHODS H2, A6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ovfrad.astlof import LABEL_COMPONENTS
from ovfrad.explanation.nomogram import design_matrix, is_number
from ovfrad.explanation.proportional_odds import fit_proportional_odds

BASELINE = ("age", "sex", "location", "fracture_stage")
"""Characteristics of the case table known before the images are scored."""
MOST_LEVELS = 10
"""A category with more levels is a name, not a characteristic."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Variables of the combined nomogram.

    Parameters
    ----------
    frame : DataFrame
        rad_score and the characteristics kept.
    tests : DataFrame
        Index: characteristic; `statistic`, `df`, `p_value` of the univariable likelihood-ratio test on training
        rows, `kept`, `reason`.
    """

    frame: pd.DataFrame
    tests: pd.DataFrame


def combined_variables(
    rad_score: pd.Series,
    clinical: pd.DataFrame,
    y: ArrayLike,
    n_classes: int,
    *,
    columns: tuple[str, ...] = BASELINE,
    alpha: float = 0.05,
) -> Combined:
    """Keep the characteristics whose univariable proportional-odds model differs from none at all.

    Parameters
    ----------
    rad_score : Series of shape (n,)
        Training rows.
    clinical : DataFrame of shape (n, characteristics)
        Same rows; a column that is the label or follows from it (`ovfrad.astlof.LABEL_COMPONENTS`) is never kept.
    y : array of shape (n,)
        Codes 0 .. K-1.
    n_classes : int
    columns : tuple of str
        Characteristics to try, where `clinical` has them.
    alpha : float
        Largest p value, exclusive.

    Returns
    -------
    Combined

    Examples
    --------
    >>> y = [0, 0, 1, 1, 2, 2] * 10
    >>> clinical = pd.DataFrame({"age": [60, 64, 66, 71, 75, 70] * 10, "t_score": [-3.0, -2.0] * 30})
    >>> found = combined_variables(pd.Series([0.1] * 60), clinical, y, 3, columns=("age", "t_score"))
    >>> list(found.frame.columns), found.tests.loc["t_score", "reason"]
    (['rad_score', 'age'], 'is the label or follows from it')
    """
    frame = pd.DataFrame({"rad_score": np.asarray(rad_score, dtype=np.float64)}, index=clinical.index)
    rows = {name: _test(clinical[name], y, n_classes, alpha) for name in columns if name in clinical.columns}
    fields = ["statistic", "df", "p_value", "kept", "reason"]
    tests = pd.DataFrame.from_dict(rows, orient="index", columns=fields)
    kept = [name for name, row in rows.items() if row[3]]
    return Combined(frame.join(clinical[kept]), tests)


def _test(values: pd.Series, y: ArrayLike, K: int, alpha: float) -> tuple[float, float, float, bool, str]:
    """Likelihood-ratio statistic, df, p, whether it is kept, and why not."""
    reason = ""
    if values.name in LABEL_COMPONENTS:
        reason = "is the label or follows from it"
    elif values.isna().any():
        reason = f"{int(values.isna().sum())} of {len(values)} values are missing"
    elif values.nunique() < 2:
        reason = "one value in training"
    elif not is_number(values) and values.nunique() > MOST_LEVELS:
        reason = f"{values.nunique()} levels, more than {MOST_LEVELS}"
    if reason:
        return np.nan, np.nan, np.nan, False, reason
    design = design_matrix(values.to_frame())
    statistic, df, p = fit_proportional_odds(design, y, list(design.columns), K).likelihood_ratio()
    kept = p < alpha
    return statistic, float(df), p, kept, "" if kept else f"p = {p:.3f}"
