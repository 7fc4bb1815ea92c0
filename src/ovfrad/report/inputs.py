"""What the report is made of: plain tables and arrays, so that drawing needs no run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from ovfrad.explanation.nomogram import Nomograms
from ovfrad.report.network import NetworkLook
from ovfrad.report.parts import Chosen, Gallery, Mesh, MontageCase, SelectionTrace, Shap, SliceStack, Weights

#: Cohorts in the order of the paper; `train` is the nested, out-of-fold estimate.
COHORTS = ("train", "internal", "external", "prospective")


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
        results.json: `recipes`, `headline`, `audit`, `ledger`, `comparisons`, `subgroups`, `within_center`,
        `conformal`, `sample_size`.
    quarantine : DataFrame, optional
        Cases set aside, with the reason.
    excluded : DataFrame, optional
        Cases excluded by the case table: `patient_id`, `vertebra`, `exclusion`.
    recipe_differences : DataFrame, optional
        Columns `setting`, `paper` (what it says), `sound` (what we do), `why`, all in words.
    selection : mapping of arm to SelectionTrace
        Feature selection.
    chosen : Chosen, optional
        What the filters did, and what the features mean in these data.
    shap_models : mapping of model to Shap
        SHAP values of each of the nine.
    shap, nomogram, mesh : optional
        Explanations and the picture of one mask.
    montage : sequence of MontageCase
        Pictures of a few vertebrae.
    slices : sequence of SliceStack
        Slices of the same vertebrae, to scroll through.
    gallery : Gallery, optional
        Cases on which two models disagree, or the surest errors of one.
    network : NetworkLook, optional
        What the network sees, how it was tuned and where it looks.
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
    chosen: Chosen | None = None
    shap_models: Mapping[str, Shap] = field(default_factory=dict)
    shap: Shap | None = None
    nomogram: Nomograms | None = None
    montage: Sequence[MontageCase] = ()
    slices: Sequence[SliceStack] = ()
    gallery: Gallery | None = None
    mesh: Mesh | None = None
    network: NetworkLook | None = None
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
