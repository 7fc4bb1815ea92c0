"""Sections of study.yaml: one frozen class each, every field with its unit; an unknown key is an error.

The defaults are the recipe `sound`; `ovfrad.study.recipes` names every setting in which `paper` differs.

>>> Imaging().spacing_mm
1.0
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ovfrad.study.images import NARROWEST, Imaging, Radiomics
from ovfrad.study.section import Section, Seed, Share, Text

ClassifierName = Literal["LR", "SVM", "KNN", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM", "MLP"]
LassoKind = Literal["codes", "ovr", "multinomial", "ordinal", "cox"]
NINE: tuple[ClassifierName, ...] = ("LR", "SVM", "KNN", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM", "MLP")


class Outcome(Section):
    """`outcome:` what is predicted (METHODS A2, A7)."""

    column: str = Field("astlof_class", description="column of the case table that holds the class")
    classes: tuple[Text, ...] | None = Field(None, description="class values in order; default: sorted as found")
    ordered: bool = Field(True, description="false switches off every step that needs an order of the classes")


class CohortRule(Section):
    """One validation cohort chosen by centre, by date, or by both."""

    center: tuple[Text, ...] = Field((), description="centres; empty: any")
    date_from: date | None = Field(None, description="first CT date included")
    date_until: date | None = Field(None, description="last CT date included")


class Cohorts(Section):
    """`cohorts:` which patients train and which validate (A4)."""

    column: str | None = Field("cohort", description="column with train, internal, external, prospective; null: rules")
    rules: dict[Literal["external", "prospective", "internal"], CohortRule] = Field(
        default_factory=dict, description="cohorts by rule, where there is no column; the rest is train"
    )
    internal_share: Share = Field(0.2, description="share of the remaining patients set aside as internal")


class Arm(Section):
    """One deep-learning arm (D2, D6)."""

    weights: str = Field("random", description="path of a .safetensors file; `random`: seeded; `none`: radiomics alone")
    seed: Seed = Field(0, description="seed of random weights")
    normalise: Literal["zscore", "imagenet", "radimagenet", "own"] = Field(
        "zscore", description="the paper's: mean 0, SD 1; own: as the makers of the weights did"
    )
    tuned: bool = Field(False, description="tune the network to the classes, inside every fold, as `deep.tune` says")

    @model_validator(mode="after")
    def _a_network(self) -> Arm:
        if self.tuned and self.weights == "none":
            raise ValueError("tuned: true needs a network; weights: none has none")
        return self


class Tune(Section):
    """`deep.tune:` fine-tuning of the arms with `tuned: true` (D3 to D5)."""

    stages: Literal["last", "all"] = Field("last", description="what follows the head: layer4 alone, or all layers")
    epochs: int = Field(10, ge=1, le=500, description="passes over the training rows")
    frozen_share: float = Field(0.5, ge=0, le=1, description="share of the epochs in which only the head learns")
    head_rate: float = Field(1e-3, gt=0, le=1, description="learning rate of the head, annealed by a cosine to 0")
    backbone_rate: float = Field(
        1e-5, gt=0, le=1, description="learning rate of the backbone, annealed by a cosine to 0"
    )
    weight_decay: float = Field(1e-4, ge=0, le=1, description="weight decay of AdamW")
    batch: int = Field(32, ge=2, le=4096, description="patches in a step")
    class_weights: bool = Field(True, description="weigh classes inversely to their frequency in the loss")
    augment: bool = Field(True, description="small shifts, turns, scales and intensity changes, anew in every epoch")
    stop_share: float = Field(0.15, ge=0, lt=0.5, description="share of patients watched for stopping early; 0: none")
    patience: int = Field(5, ge=1, le=500, description="epochs without a lower watched loss after which training stops")
    folds: int = Field(3, ge=2, le=20, description="networks that give the training rows features out of fold")
    training_features: Literal["out_of_fold", "in_sample"] = Field(
        "out_of_fold", description="features of training rows: from networks that did not see the patient, or that did"
    )
    gives: Literal["scores", "features", "aligned"] = Field(
        "scores", description="class scores of the tuned head; 2048 features; or these turned onto common axes"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field("auto", description="bfloat16 where there are units")


class Deep(Section):
    """`deep:` patch, ResNet-50 and its features (D1 to D6)."""

    arms: dict[str, Arm] = Field(default_factory=lambda: {"random": Arm(), "none": Arm(weights="none")})
    plane: Literal["sagittal", "axial", "coronal"] = Field("sagittal", description="plane of the largest mask area")
    size: int = Field(64, ge=32, le=512, description="side of the patch, pixels")
    margin: float = Field(0.10, ge=0, le=1, description="margin of the square box, share of its side")
    channels: Literal["repeat", "adjacent"] = Field("repeat", description="one slice three times, or three neighbours")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="arithmetic of frozen features; bfloat16 is twice as fast and moves them by about 1 %"
    )
    tune: Tune = Field(default_factory=Tune, description="fine-tuning of the arms that ask for it")


BATCHES = ("scanner", "center")
"""Columns that `harmonisation.batch: auto` looks for, the first that is there."""


class Harmonisation(Section):
    """`harmonisation:` ComBat (E1)."""

    batch: Literal["auto", "scanner", "center", "none"] = Field("auto", description="auto: scanner, else center")
    covariates: tuple[Literal["age", "sex"], ...] = Field((), description="kept by ComBat; the outcome never")
    unseen: Literal["none", "adapt"] = Field("none", description="batch absent in training: leave, or adapt unlabelled")
    reference: Text | None = Field(
        "largest", min_length=1, description="batch that stays as it is; largest: of training; null: the grand mean"
    )
    parametric: bool = Field(True, description="parametric priors")
    empirical_bayes: bool = Field(True, description="shrink each batch's effects towards their mean over all features")
    mean_only: bool = Field(False, description="correct the location and leave the scale")


class Selection(Section):
    """`selection:` ICC, Spearman, LASSO, PCA, fusion (E2 to E8)."""

    missing: Literal["refuse", "impute"] = Field(
        "refuse", description="empty cells of a feature table: refused, or the median of the fold's training rows"
    )
    icc_min: float = Field(0.8, ge=0, le=1, description="least ICC between readers")
    one_reader: Literal["perturb", "off"] = Field(
        "perturb", description="without a second reader: seeded perturbations"
    )
    icc_kind: Literal["1,1", "2,1", "3,1"] = Field(
        "2,1", description="form of the ICC: 2,1 absolute agreement of random readers, 1,1 one-way, 3,1 consistency"
    )
    icc_bound: Literal["estimate", "lower"] = Field("estimate", description="which value must reach icc_min")
    spearman_max: float = Field(0.9, gt=0, le=1, description="largest |rho| of a kept pair")
    spearman_rule: Literal["degree", "order"] = Field("degree", description="most partners first, or column order")
    lasso_kind: LassoKind = Field("codes", description="loss of the LASSO; classes without an order: codes means ovr")
    time_column: str | None = Field(None, description="of kind cox: time to the event, a column of the case table")
    event_column: str | None = Field(None, description="of kind cox: 1 where the event came, 0 where censored")
    lasso_rule: Literal["1se", "min"] = Field("1se", description="penalty by the 1-SE rule or at the minimum")
    prune_above: float | None = Field(None, gt=0, le=1, description="drop features correlated more with a stronger one")
    pca_variance: Share = Field(0.95, description="variance of the deep features that their components keep")
    pca_max: int = Field(64, ge=1, le=2048, description="most components of the deep features")

    @model_validator(mode="after")
    def _times_of_cox(self) -> Selection:
        given = [name for name in (self.time_column, self.event_column) if name is not None]
        if given and (len(set(given)) < 2 or self.lasso_kind != "cox"):
            raise ValueError("time_column and event_column are two columns, named together, for lasso_kind cox")
        return self

    def scored(self, ordered: bool, n_classes: int) -> bool:
        """Whether the LASSO has one coefficient vector, which is the rad-score.

        >>> Selection().scored(True, 3), Selection().scored(False, 3), Selection(lasso_kind="ovr").scored(True, 2)
        (True, False, True)
        """
        return n_classes == 2 or (ordered and self.lasso_kind in ("codes", "ordinal", "cox"))


class Headline(Section):
    """The model that the study stands for, named before any result is seen (E12)."""

    arm: str | None = Field(None, description="an arm of `deep`; default: the first")
    model: Literal["auto", "best_of_nine"] | ClassifierName = Field("auto")


class Models(Section):
    """`models:` classifiers, folds and the headline (E9 to E12)."""

    classifiers: tuple[ClassifierName, ...] = Field(NINE, min_length=1)
    outer_folds: int = Field(5, ge=2, le=20, description="patient folds of the nested estimate")
    inner_folds: int = Field(5, ge=2, le=20, description="patient folds that choose grid points")
    class_weights: bool = Field(False, description="weight classes inversely to their frequency while fitting")
    smote: bool = Field(False, description="fill rare classes with synthetic rows (SMOTE), inside each fold")
    recalibrate: bool = Field(True, description="temperature and class offsets from cross-fitted training predictions")
    baselines: bool = Field(True, description="volume, centre, clinical and plain models beside the others")
    export_training_rows: bool = Field(False, description="write a bundle of KNN or SVM, which hold patients' features")
    headline: Headline = Field(default_factory=Headline, description="arm and model the study stands for")

    @model_validator(mode="after")
    def _one_balance(self) -> Models:
        if self.class_weights and self.smote:
            raise ValueError("class_weights and smote both balance the classes: set one of them to false")
        return self

    @property
    def balance(self) -> Literal["none", "weights", "smote"]:
        """How the nine classifiers are made to heed rare classes."""
        if self.class_weights:
            return "weights"
        return "smote" if self.smote else "none"


class Evaluation(Section):
    """`evaluation:` intervals and sets (F1 to F9)."""

    resamples: int = Field(1000, ge=100, le=100_000, description="patient bootstrap resamples")
    level: Share = Field(0.95, description="level of conformal sets; intervals are 95 %")


#: Label permutations, each of which fits the whole pipeline anew; 10,000 resolve a p value of 0.0001.
MOST_PERMUTATIONS = 10_000


class Honesty(Section):
    """`honesty:` the checks of section G; leaving one out is written in the report."""

    permutations: int | Literal["auto"] = Field(
        "auto", description="label permutations; auto: a fifth of the run's time"
    )
    leave_out: tuple[
        Literal["permutation", "isolation", "ledger", "voxels", "siblings", "copies", "columns", "tables"], ...
    ] = Field((), description="checks not to run (docs/honesty.md)")

    @field_validator("permutations")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("at least 1; `leave_out: [permutation]` runs none, and the report says so")
        if isinstance(value, int) and value > MOST_PERMUTATIONS:
            raise ValueError(f"at most {MOST_PERMUTATIONS:,}: each fits the whole pipeline anew")
        return value


class Clinical(Section):
    """`clinical:` baseline characteristics for the clinical baseline and the nomogram (A6, A8, H2)."""

    columns: tuple[str, ...] = Field(("age", "sex", "location", "fracture_stage"), description="those present are used")
    missing: Literal["refuse", "impute"] = Field("refuse", description="gaps: refuse, or median / mode of the fold")
    allow_label_components: bool = Field(False, description="accept columns that are the label; in red in the report")


#: Voxels of a prepared vertebra with its margin: 1.6 GB in single precision.
MOST_VOXELS = 400_000_000


class StudySettings(Section):
    """A whole study.yaml, resolved."""

    name: str = Field("study", pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$", description="names the run folder")
    recipe: Literal["sound", "paper"] = Field("sound", description="defaults of every setting not given")
    seed: Seed = Field(0, description="seed of everything random")
    synthetic: bool = Field(False, description="images of phantoms: every output says so")
    cases: str | None = Field(None, description="case table, CSV or Excel, relative to this file")
    features: str | None = Field(None, description="feature table to start from; images are not read")
    feature_columns: tuple[str, ...] | None = Field(
        None, description="default: every numeric column not known otherwise"
    )
    further_columns: tuple[str, ...] = Field((), description="columns of the case table that are kept but not used")
    allow_absolute_paths: bool = Field(False, description="accept image paths outside the table's folder tree")
    outcome: Outcome = Field(default_factory=Outcome)
    cohorts: Cohorts = Field(default_factory=Cohorts)
    imaging: Imaging = Field(default_factory=Imaging)
    radiomics: Radiomics = Field(default_factory=Radiomics)
    deep: Deep = Field(default_factory=Deep)
    harmonisation: Harmonisation = Field(default_factory=Harmonisation)
    selection: Selection = Field(default_factory=Selection)
    models: Models = Field(default_factory=Models)
    clinical: Clinical = Field(default_factory=Clinical)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    honesty: Honesty = Field(default_factory=Honesty)

    @model_validator(mode="after")
    def _a_source(self) -> StudySettings:
        if self.cases is None and self.features is None:
            raise ValueError("name `cases:` (a table of images) or `features:` (a feature table), or both")
        return self

    @model_validator(mode="after")
    def _scales_of_the_grid(self) -> StudySettings:
        least, used = NARROWEST * self.imaging.spacing_mm, "log" in self.radiomics.image_types
        narrow = [sigma for sigma in self.radiomics.log_sigma_mm if used and sigma < least]
        if narrow:
            spacing = f"imaging.spacing_mm {self.imaging.spacing_mm:g}"
            raise ValueError(f"radiomics.log_sigma_mm {narrow[0]:g} is too narrow for {spacing}: from {least:g} mm up")
        return self

    @model_validator(mode="after")
    def _fits_memory(self) -> StudySettings:
        """A vertebra of 6 cm with all tissue that is kept round it: filters need several copies of it."""
        voxels = ((60 + 2 * self.crop_mm) / self.imaging.spacing_mm) ** 3
        if voxels > MOST_VOXELS:
            kept = f"imaging.spacing_mm {self.imaging.spacing_mm:g} and {self.crop_mm:g} mm of tissue round a vertebra"
            raise ValueError(f"{kept} make {voxels / 1e6:,.0f} million voxels, more than {MOST_VOXELS / 1e6:,.0f}")
        return self

    @model_validator(mode="after")
    def _an_order(self) -> StudySettings:
        if not self.outcome.ordered and self.selection.lasso_kind in ("ordinal", "cox"):
            kind = self.selection.lasso_kind
            raise ValueError(f"selection.lasso_kind {kind} needs an order, and outcome.ordered is false: use ovr")
        return self

    @model_validator(mode="after")
    def _combat_without_the_label(self) -> StudySettings:
        column, batch = self.outcome.column, self.harmonisation.batch
        if column in self.harmonisation.covariates:
            raise ValueError(
                f"harmonisation.covariates: {column} is the outcome, which ComBat must not know: remove it"
            )
        if column == batch or (batch == "auto" and column in BATCHES):
            raise ValueError(f"{column} is the outcome and would be ComBat's batch: set harmonisation.batch: none")
        return self

    @property
    def outcome_columns(self) -> tuple[str, ...]:
        """Columns that hold the outcome: the class, and for a LASSO of kind cox perhaps time and event."""
        named = (self.outcome.column, self.selection.time_column, self.selection.event_column)
        return tuple(name for name in named if name is not None)

    @property
    def named_columns(self) -> tuple[str, ...]:
        """Columns of the table that a setting gives a meaning: those of the outcome, the cohort, clinical ones."""
        cohort = () if self.cohorts.column is None else (self.cohorts.column,)
        return (*self.outcome_columns, *cohort, *self.clinical.columns)

    @property
    def crop_mm(self) -> float:
        """Tissue kept round the mask's box when a CT is read, mm."""
        return max(self.imaging.margin_mm, self.radiomics.reach_mm)
