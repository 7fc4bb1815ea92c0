"""The parts of a `ReportInput`: where networks came from, how features were chosen, explanations, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ovfrad.explanation.shap import ShapTable
from ovfrad.selection.fused import FusedFeatures

#: Steps of the learned chain, in the words of the report.
STEPS = {
    "radiomics": "radiomics features",
    "icc": "after the ICC of repeated outlines",
    "spearman": "after the Spearman filter",
    "lasso": "after the LASSO",
    "prune": "after pruning correlated features",
    "deep": "deep features",
    "pca": "principal components of the deep features",
    "fusion": "radiomics and deep together",
    "fused": "fused set, after the second LASSO",
}
#: Steps that exist only where an arm has radiomics, and only where it has deep features.
_OF_RADIOMICS, _OF_DEEP = ("radiomics", "icc", "spearman", "lasso", "prune"), ("deep", "pca", "fusion")


def step_counts(trace: Mapping[str, Any], *, prune: bool) -> list[tuple[str, int]]:
    """Steps that took place, in words, and the features left after each; a step that left none says 0.

    Parameters
    ----------
    trace : mapping
        `FusedFeatures.trace_`: `counts` after each step, `icc_pairs`, `alpha_fusion`.
    prune : bool
        Whether the recipe drops correlated features.

    Examples
    --------
    >>> counts = {"radiomics": 107, "icc": 107, "spearman": 31, "lasso": 0, "prune": 0, "deep": 0, "fused": 0}
    >>> step_counts({"counts": counts, "icc_pairs": 0, "alpha_fusion": None}, prune=False)[1:]
    [('after the Spearman filter', 31), ('after the LASSO', 0)]
    """
    found = trace["counts"]
    left_out = {"icc": not trace.get("icc_pairs"), "prune": not prune, "fused": trace.get("alpha_fusion") is None}
    left_out |= dict.fromkeys(_OF_DEEP, not found.get("deep"))
    left_out |= {} if found.get("radiomics") else dict.fromkeys(_OF_RADIOMICS, True)
    return [(words, found[step]) for step, words in STEPS.items() if step in found and not left_out.get(step)]


@dataclass(frozen=True)
class Weights:
    """Where the network of one deep arm came from (METHODS D2).

    Attributes
    ----------
    kind : {"file", "random", "none"}
        A weights file of the user, a seeded random network, or no deep features at all.
    description : str
        One line, for example the file's name and layout.
    sha256 : str
        Hash of the file or of the random parameters; empty for `none`.
    """

    kind: Literal["file", "random", "none"]
    description: str = ""
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class SelectionTrace:
    """How the features of one arm were chosen on the whole training cohort (E2 to E8).

    Attributes
    ----------
    counts : sequence of (str, int)
        Name of each step and the number of features left after it.
    coefficients : mapping of str to float
        Rad-score coefficient per z-scored feature.
    path : DataFrame, optional
        Coefficients (columns: features) at each penalty (index), as `RadScore.path` gives it.
    cv_curve : DataFrame, optional
        Columns `mean`, `se`, `chosen` at each penalty (index), as `RadScore.cv_curve` gives it.
    rule, kind : str
        Rule that chose the penalty, `1se` or `min`, and kind of the LASSO, as in `LassoSelector`.
    frequency : mapping of str to float, optional
        Share of outer folds (0 to 1) in which each feature was kept.
    """

    counts: Sequence[tuple[str, int]] = ()
    coefficients: Mapping[str, float] = field(default_factory=dict)
    path: pd.DataFrame | None = None
    cv_curve: pd.DataFrame | None = None
    rule: str = "1se"
    kind: str = "codes"
    frequency: Mapping[str, float] | None = None

    @classmethod
    def of(cls, chain: FusedFeatures, frequency: Mapping[str, float] | None = None) -> SelectionTrace:
        """Return the trace of a fitted chain; a LASSO with a vector per class has no rad-score, and so no path."""
        counts = step_counts(chain.trace_, prune=chain.prune_above is not None)
        score = chain.rad_score_
        if score is None:
            return cls(counts, frequency=frequency)
        table = score.coefficients()
        coefficients = dict(zip(table["feature"], table["coefficient"], strict=True))
        return cls(counts, coefficients, score.path(), score.cv_curve(), score.rule, score.kind, frequency)

    @property
    def chosen(self) -> float | None:
        """Chosen penalty."""
        if self.cv_curve is None or not self.cv_curve["chosen"].any():
            return None
        return float(self.cv_curve.index[self.cv_curve["chosen"].to_numpy(bool)][0])


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the filters did to the radiomics of every arm, and what the features mean in these data.

    Attributes
    ----------
    reproducibility : DataFrame, optional
        feature, icc, lower, kept; as `explanation.chosen.reproducibility` gives it.
    redundancy : DataFrame, optional
        feature, stands_in, rho; as in `explanation.chosen.Redundancy.members`.
    order : sequence of str
        Features of the matrix `rho`, side by side.
    rho : ndarray of uint8, optional
        |Spearman rho| in that order, 0..255.
    directions : DataFrame, optional
        feature, rho, mean_<class>, sd; as `explanation.chosen.directions` gives it.
    facts : mapping
        `icc_pairs`, `icc_patients`, `icc_min`, `icc_bound`, `spearman_max`, `spearman_rule`.
    """

    reproducibility: pd.DataFrame | None = None
    redundancy: pd.DataFrame | None = None
    order: Sequence[str] = ()
    rho: np.ndarray | None = None
    directions: pd.DataFrame | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Shap:
    """SHAP values of one model, and whose they are (H1).

    Attributes
    ----------
    table : ShapTable
        Additive values of n cases, p features, K classes.
    case_ids : sequence of str, length n
        Cases.
    y_true : ndarray of shape (n,), optional
        Class codes, for choosing one case per class.
    model, cohort : str
        What was explained, on which rows.
    """

    table: ShapTable
    case_ids: Sequence[str]
    y_true: np.ndarray | None = None
    model: str = ""
    cohort: str = ""


@dataclass(frozen=True, eq=False)
class MontageCase:
    """Three sections through one vertebra, bone window.

    Attributes
    ----------
    case_id, cohort, label : str
        What is shown.
    images : mapping of {"sagittal", "axial", "coronal"} to ndarray (rows, columns)
        Window level 0..1; row 0 is drawn on top.
    contours : mapping of the same keys to bool ndarray of the same shape
        The mask in that section.
    spacing_mm : float
        Pixel side, mm.
    """

    case_id: str
    cohort: str
    label: str
    images: Mapping[str, np.ndarray]
    contours: Mapping[str, np.ndarray]
    spacing_mm: float = 1.0


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Parallel sagittal slices through one vertebra, bone window.

    Attributes
    ----------
    label : str
        What is shown.
    images : ndarray of uint8, shape (slices, rows, columns)
        Grey; row 0 is drawn on top.
    masks : ndarray of bool of the same shape
    pixel_mm, step_mm : float
        Pixel side, and distance from slice to slice, mm.
    """

    label: str
    images: np.ndarray
    masks: np.ndarray
    pixel_mm: float
    step_mm: float


@dataclass(frozen=True, eq=False)
class Mesh:
    """Surface of one mask.

    Attributes
    ----------
    vertices : ndarray of shape (n, 3)
        x, y, z in LPS, mm.
    faces : ndarray of shape (m, 3)
        Vertex numbers of each triangle.
    case_id : str
        Whose mask.
    """

    vertices: np.ndarray
    faces: np.ndarray
    case_id: str = ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Cases on which two models disagree and one is right, or the surest errors of one model (H3).

    Attributes
    ----------
    cases : DataFrame
        As `report.gallery.choose_cases` gives it; index (patient_id, vertebra).
    rule : str
        How the cases were chosen, in words.
    ours, theirs : str
        Names of the two models; `theirs` is empty where there is one.
    pictures : mapping of (patient_id, vertebra) to MontageCase
        Of the cases that have one.
    """

    cases: pd.DataFrame
    rule: str
    ours: str
    theirs: str = ""
    pictures: Mapping[tuple[str, str], MontageCase] = field(default_factory=dict)
