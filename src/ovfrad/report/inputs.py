"""What the report is made of: plain tables and arrays, so that drawing needs no run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ovfrad.explanation.nomogram import Nomograms
from ovfrad.explanation.shap import ShapTable
from ovfrad.selection.fused import FusedFeatures

#: Steps of the learned chain, in the words of the report.
STEPS = {
    "radiomics": "radiomics features",
    "icc": "after the ICC of two readers",
    "spearman": "after the Spearman filter",
    "lasso": "after the LASSO",
    "prune": "after pruning correlated features",
    "deep": "deep features",
    "pca": "principal components of the deep features",
    "fusion": "radiomics and deep together",
    "fused": "fused set, after the second LASSO",
}
#: Cohorts in the order of the paper; `train` is the nested, out-of-fold estimate.
COHORTS = ("train", "internal", "external", "prospective")


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
    rule : str
        Rule that chose the penalty: `1se` or `min`.
    frequency : mapping of str to float, optional
        Share of outer folds (0 to 1) in which each feature was kept.
    """

    counts: Sequence[tuple[str, int]] = ()
    coefficients: Mapping[str, float] = field(default_factory=dict)
    path: pd.DataFrame | None = None
    cv_curve: pd.DataFrame | None = None
    rule: str = "1se"
    frequency: Mapping[str, float] | None = None

    @classmethod
    def of(cls, chain: FusedFeatures, frequency: Mapping[str, float] | None = None) -> SelectionTrace:
        """Return the trace of a fitted chain; an unordered outcome has no rad-score, and so no path."""
        found = chain.trace_["counts"]
        counts = [(words, found[step]) for step, words in STEPS.items() if found.get(step)]
        score = chain.rad_score_
        if score is None:
            return cls(counts, frequency=frequency)
        table = score.coefficients()
        coefficients = dict(zip(table["feature"], table["coefficient"], strict=True))
        return cls(counts, coefficients, score.path(), score.cv_curve(), score.rule, frequency)

    @property
    def chosen(self) -> float | None:
        """Chosen penalty."""
        if self.cv_curve is None or not self.cv_curve["chosen"].any():
            return None
        return float(self.cv_curve.index[self.cv_curve["chosen"].to_numpy(bool)][0])


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
class ReportInput:
    """Everything the report says. A part that is None is left out, and the report says why in one sentence.

    Attributes
    ----------
    study : str
        Name of the study.
    classes : sequence of str
        Class values in code order 0..K-1.
    cases : DataFrame
        Case table with columns `patient_id`, `vertebra`, `cohort`, `y` (class code) and those of DESIGN.md that exist.
    settings : mapping
        The resolved study file.
    run : mapping
        Facts of the run: `version`, `started`, `seconds`, hashes, software; nested mappings are shown flat.
    warnings : sequence of str
        Lines `W_CODE file: fault; consequence` of the run.
    outcome : str
        Column of the case table that is predicted.
    ordered : bool
        Whether the classes have an order (A7).
    unit : str
        Plural word for the rows: `vertebrae`, or `cases` of a feature table.
    synthetic : bool
        True for phantom images.
    source : {"images", "features"}
        Whether the study started from images or from a feature table.
    weights : mapping of arm to Weights
        Deep arms.
    allowed_components : sequence of str
        Label components used as predictors by the user's leave (A6); shown in red.
    predictions : DataFrame, optional
        Prediction table of DESIGN.md.
    results : mapping, optional
        results.json: `recipes`, `headline`, `audit`, `ledger`, `comparisons`.
    quarantine : DataFrame, optional
        Cases set aside, with the reason.
    excluded : DataFrame, optional
        Cases excluded by the case table: `patient_id`, `vertebra`, `exclusion`.
    recipe_differences : DataFrame, optional
        Columns `setting`, `paper` (what it says), `sound` (what we do), `why`, all in words.
    selection : mapping of arm to SelectionTrace
        Feature selection.
    shap, nomogram, mesh : optional
        Explanations and the picture of one mask.
    montage : sequence of MontageCase
        Pictures of a few vertebrae.
    acquisition, agreement : DataFrame, optional
        Scanners and parameters by centre; agreement of the two readers per item.
    absent : mapping of part to sentence
        Why a part is missing, where the report cannot know (`shap`, `nomogram`, `montage`, ...).
    not_yet : sequence of str
        What this version does not do.
    """

    study: str
    classes: Sequence[str]
    cases: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    outcome: str = "astlof_class"
    ordered: bool = True
    unit: str = "vertebrae"
    synthetic: bool = False
    source: Literal["images", "features"] = "images"
    weights: Mapping[str, Weights] = field(default_factory=dict)
    allowed_components: Sequence[str] = ()
    predictions: pd.DataFrame | None = None
    results: Mapping[str, Any] | None = None
    quarantine: pd.DataFrame | None = None
    excluded: pd.DataFrame | None = None
    recipe_differences: pd.DataFrame | None = None
    selection: Mapping[str, SelectionTrace] = field(default_factory=dict)
    shap: Shap | None = None
    nomogram: Nomograms | None = None
    montage: Sequence[MontageCase] = ()
    mesh: Mesh | None = None
    acquisition: pd.DataFrame | None = None
    agreement: pd.DataFrame | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    not_yet: Sequence[str] = ()

    @property
    def cohorts(self) -> list[str]:
        """Cohorts that have rows, in the order of the paper, then any other."""
        found = list(dict.fromkeys(self.cases["cohort"].dropna()))
        return [c for c in COHORTS if c in found] + sorted(c for c in found if c not in COHORTS)

    @property
    def headline(self) -> tuple[str, str, str] | None:
        """Recipe, arm and model the study stands for."""
        named = (self.results or {}).get("headline")
        return (named["recipe"], named["arm"], named["model"]) if named else None

    def block(self, recipe: str, cohort: str, arm: str, model: str) -> Mapping[str, Any] | None:
        """Results of one model in one cohort, or None."""
        found: Any = (self.results or {}).get("recipes", {}).get(recipe, {}).get("cohorts", {})
        for key in (cohort, arm, model):
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
        return found or None

    def headline_block(self, cohort: str) -> Mapping[str, Any] | None:
        """Results of the headline model in one cohort, or None."""
        return self.block(self.headline[0], cohort, *self.headline[1:]) if self.headline else None

    def headline_predictions(self, cohort: str) -> pd.DataFrame:
        """Rows of the headline model in one cohort (possibly none)."""
        if self.predictions is None or self.headline is None:
            return pd.DataFrame()
        rows = self.predictions
        recipe, arm, model = self.headline
        found = rows["cohort"].eq(cohort) & rows["recipe"].eq(recipe) & rows["arm"].eq(arm) & rows["model"].eq(model)
        return rows[found]
