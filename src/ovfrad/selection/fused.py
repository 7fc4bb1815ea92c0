"""The learned chain from the feature table to the fused set, fitted inside every fold (METHODS E1 to E8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ovfrad.errors import InputError
from ovfrad.evaluation.agreement import IccKind
from ovfrad.selection.columns import aligned, deep_columns, require_finite, require_names, second_reader, varies
from ovfrad.selection.combat import ComBat
from ovfrad.selection.icc import IccFilter
from ovfrad.selection.lasso import LassoSelector
from ovfrad.selection.pca import DeepPca
from ovfrad.selection.prune import CorrelationPrune
from ovfrad.selection.radscore import RadScore
from ovfrad.selection.spearman import SpearmanFilter
from ovfrad.selection.trace import trace

if TYPE_CHECKING:
    from ovfrad.study.settings import Harmonisation, Selection


_OF_COMBAT = ("parametric", "empirical_bayes", "mean_only", "reference", "unseen")
_OF_SELECTION = (
    "missing", "icc_min", "icc_kind", "icc_bound", "spearman_max", "spearman_rule", "lasso_kind", "lasso_rule",
    "prune_above", "pca_variance", "pca_max",
)  # fmt: skip


class FusedFeatures(TransformerMixin, BaseEstimator):
    """Radiomics: ComBat, ICC, Spearman, LASSO (and pruning); deep: PCA; together: z-score and LASSO again.

    Without deep columns the first LASSO's set is the fused set (unless pruning changed it: then LASSO again).

    Parameters
    ----------
    arm : str or None
        Uses the columns `deep_<arm>_0000..`; None, or an arm without such columns: radiomics alone. Columns of other
        arms are left out. All columns that are not deep are radiomics.
    harmonise : bool
        False: no ComBat, whatever `batch` says.
    parametric, empirical_bayes, mean_only, reference, unseen
        As in `ComBat`.
    missing : {"refuse", "impute"}
        Missing values: refused, or filled with the median of the training rows (0 where these have none).
    icc_min, icc_kind, icc_bound
        As in `IccFilter`.
    spearman_max, spearman_rule
        As in `SpearmanFilter`. Under "degree" the columns are sorted by name first, so that their order is without
        any effect on the chain.
    lasso_kind, lasso_rule
        As in `LassoSelector`.
    prune_above : float or None
        Threshold of `CorrelationPrune`, strength being |LASSO coefficient|; None: no pruning.
    pca_variance, pca_max
        As in `DeepPca`.
    ordered : bool
        False: classes without an order; kind "codes" then means "ovr", and "ordinal" and "cox" are refused.
    random_state : int

    Attributes
    ----------
    combat_, icc_, spearman_, lasso_, prune_, pca_, fusion_
        The fitted steps; None for a step without input (no radiomics left, no deep columns, no pruning, no second
        LASSO).
    medians_ : dict of str to float
        What fills gaps; empty where these are refused.
    fused_ : list of str
        Columns of `transform`; may be empty.
    rad_score_ : RadScore or None
        The last LASSO as a score (`rad_score` applies it); None where it has one coefficient vector per class.
    trace_ : dict
        `counts` and `names` after each step (radiomics, icc, spearman, lasso, prune, deep, pca, fusion, fused),
        rows, patients, batches, readers and penalties, for the report.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> X = pd.DataFrame({"volume": y + rng.normal(size=120), "noise": rng.normal(size=120)})
    >>> chain = FusedFeatures().fit(X, y)
    >>> chain.trace_["counts"]["radiomics"], chain.transform(X).columns.tolist()
    (2, ['volume'])
    """

    def __init__(
        self,
        arm: str | None = None,
        harmonise: bool = True,
        parametric: bool = True,
        empirical_bayes: bool = True,
        mean_only: bool = False,
        reference: str | None = "largest",
        unseen: str = "none",
        missing: str = "refuse",
        icc_min: float = 0.8,
        icc_kind: IccKind = "2,1",
        icc_bound: str = "estimate",
        spearman_max: float = 0.9,
        spearman_rule: str = "degree",
        lasso_kind: str = "codes",
        lasso_rule: str = "1se",
        prune_above: float | None = None,
        pca_variance: float = 0.95,
        pca_max: int = 64,
        ordered: bool = True,
        random_state: int = 0,
    ) -> None:
        self.arm = arm
        self.harmonise = harmonise
        self.parametric = parametric
        self.empirical_bayes = empirical_bayes
        self.mean_only = mean_only
        self.reference = reference
        self.unseen = unseen
        self.missing = missing
        self.icc_min = icc_min
        self.icc_kind = icc_kind
        self.icc_bound = icc_bound
        self.spearman_max = spearman_max
        self.spearman_rule = spearman_rule
        self.lasso_kind = lasso_kind
        self.lasso_rule = lasso_rule
        self.prune_above = prune_above
        self.pca_variance = pca_variance
        self.pca_max = pca_max
        self.ordered = ordered
        self.random_state = random_state

    @classmethod
    def from_settings(
        cls,
        harmonisation: Harmonisation,
        selection: Selection,
        arm: str | None = None,
        random_state: int = 0,
        ordered: bool = True,
    ) -> FusedFeatures:
        """Build the chain as the sections `harmonisation` and `selection` of study.yaml say."""
        return cls(
            arm=arm,
            harmonise=harmonisation.batch != "none",
            **{name: getattr(harmonisation, name) for name in _OF_COMBAT},
            **{name: getattr(selection, name) for name in _OF_SELECTION},
            ordered=ordered,
            random_state=random_state,
        )

    def fit(
        self,
        X: pd.DataFrame,
        y: Any,
        *,
        groups: Any = None,
        batch: Any = None,
        covariates: pd.DataFrame | None = None,
        reader2: pd.DataFrame | None = None,
        survival: pd.DataFrame | None = None,
    ) -> FusedFeatures:
        """Learn the chain from training rows.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_features)
            Index (patient_id, vertebra).
        y : array of int of shape (n_rows,)
            Class codes.
        groups, batch : array of str of shape (n_rows,), optional
            Patient and scanner or centre of each row; None: every row its own patient, one batch.
        covariates : DataFrame of n_rows, optional
            Kept by ComBat.
        reader2 : DataFrame, optional
            Radiomics of the second reader; rows that are not in X are not used.
        survival : DataFrame of n_rows, optional
            Columns time and event for `lasso_kind` "cox", as in `LassoSelector.fit`.
        """
        codes = np.asarray(aligned(y, X, "outcome"))
        patients = None if groups is None else np.asarray(aligned(groups, X, "groups"))
        batch = np.asarray(aligned(batch, X, "batch"), dtype=object) if self.harmonise and batch is not None else None
        self._learn_columns(X)
        X = self._whole(X)
        harmonised = self._fit_harmonised(X, batch, covariates, reader2)
        learn = self._learner(X, codes, patients, survival)
        chosen = self._fit_radiomics(harmonised, learn)
        self.pca_ = DeepPca(self.pca_variance, self.pca_max).fit(X[self.deep_]) if self.deep_ else None
        components = pd.DataFrame(index=X.index) if self.pca_ is None else self.pca_.transform(X[self.deep_])
        fusion = pd.concat([harmonised[chosen], components], axis=1)
        self._fit_fusion(fusion, learn)
        self.trace_ = trace(self, len(X), patients)
        return self

    def _learn_columns(self, X: pd.DataFrame) -> None:
        require_names(X)
        deep = set(deep_columns(X.columns))
        self.deep_: list[str] = deep_columns(X.columns, self.arm) if self.arm is not None else []
        self.radiomics_: list[str] = [name for name in X.columns if name not in deep]
        if self.spearman_rule == "degree":
            self.radiomics_, self.deep_ = sorted(self.radiomics_), sorted(self.deep_)
        self.feature_names_in_ = np.array([*self.radiomics_, *self.deep_], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        known = X[list(self.feature_names_in_)]
        self.medians_: dict[str, float] = known.median().fillna(0.0).to_dict() if self.missing == "impute" else {}

    def _whole(self, X: pd.DataFrame, where: str = "features") -> pd.DataFrame:
        """Columns in use without gaps, filled where the settings say so and refused otherwise."""
        used = X[[name for name in self.feature_names_in_ if name in X.columns]]
        used = used.fillna(self.medians_) if self.medians_ else used
        require_finite(used, where)
        return used

    def _fit_harmonised(
        self, X: pd.DataFrame, batch: Any, covariates: pd.DataFrame | None, reader2: pd.DataFrame | None
    ) -> pd.DataFrame:
        """Radiomics of the training rows after ComBat and ICC."""
        self.combat_ = self.icc_ = None
        if not self.radiomics_:
            return pd.DataFrame(index=X.index)
        combat = ComBat(**{name: getattr(self, name) for name in _OF_COMBAT})
        radiomics = X[self.radiomics_]
        self.combat_ = combat.fit(radiomics, batch=batch, covariates=covariates)
        harmonised = self.combat_.transform(radiomics, batch=batch, covariates=covariates)
        second = self._harmonised_reader(X, batch, covariates, reader2)
        self.icc_ = IccFilter(self.icc_min, self.icc_bound, self.icc_kind).fit(harmonised, reader2=second)
        return harmonised.loc[:, self.icc_.support_]

    def _harmonised_reader(
        self, X: pd.DataFrame, batch: Any, covariates: pd.DataFrame | None, reader2: pd.DataFrame | None
    ) -> pd.DataFrame | None:
        """Second reader's rows of the training patients, corrected as the same scans of the first."""
        if reader2 is None or self.combat_ is None:
            return None
        at, second = second_reader(X, reader2, self.radiomics_)
        second = self._whole(second, "second reader")
        if not len(at):
            return second
        kept = None if covariates is None else pd.DataFrame(aligned(covariates, X, "covariates")).iloc[at]
        return self.combat_.transform(second, batch=None if batch is None else batch[at], covariates=kept)

    def _fit_radiomics(self, harmonised: pd.DataFrame, learn: Callable[[pd.DataFrame], LassoSelector]) -> list[str]:
        """Names of the radiomics that enter the fusion."""
        self.spearman_ = self.lasso_ = self.prune_ = None
        if not varies(harmonised.to_numpy()).any():
            return []
        self.spearman_ = SpearmanFilter(self.spearman_max, self.spearman_rule).fit(harmonised)
        distinct = harmonised.loc[:, self.spearman_.support_]
        self.lasso_ = learn(distinct)
        chosen = list(distinct.columns[self.lasso_.support_])
        if self.prune_above is None or not chosen:
            return chosen
        strength = np.abs(np.atleast_2d(self.lasso_.coef_)).max(axis=0)[self.lasso_.support_]
        self.prune_ = CorrelationPrune(self.prune_above).fit(distinct[chosen], strength=strength)
        return [name for name, kept in zip(chosen, self.prune_.support_, strict=True) if kept]

    def _fit_fusion(self, fusion: pd.DataFrame, learn: Callable[[pd.DataFrame], LassoSelector]) -> None:
        """The last LASSO; what it keeps, z-scored, is the fused set."""
        self.fusion_columns_: list[str] = list(fusion.columns)
        self.fusion_ = None
        last, columns = self.lasso_, [] if self.spearman_ is None else list(self.spearman_.get_feature_names_out())
        if self.pca_ is not None or self.prune_ is not None:
            columns = self.fusion_columns_
            if columns:
                last = self.fusion_ = learn(fusion)
        if last is None:
            remedy = "lower icc_min, or look at the feature table"
            raise InputError("E_NO_FEATURES", "features", "no feature is left after the filters", remedy)
        kept = last.support_
        self.fused_ = [name for name, used in zip(columns, kept, strict=True) if used]
        self.fused_mean_, self.fused_scale_ = last.mean_[kept], last.scale_[kept]
        self.rad_score_ = None if last.coef_.ndim > 1 else RadScore.of(last)

    def _learner(
        self, X: pd.DataFrame, codes: np.ndarray, patients: np.ndarray | None, survival: pd.DataFrame | None
    ) -> Callable[[pd.DataFrame], LassoSelector]:
        """Fit of the LASSO to columns of the training rows."""
        kind = "ovr" if self.lasso_kind == "codes" and not self.ordered else self.lasso_kind
        if kind in ("ordinal", "cox") and not self.ordered:
            raise ValueError(f"lasso_kind {kind!r} needs classes with an order.")
        outcome: dict[str, Any] = {}
        if survival is not None:
            told = pd.DataFrame(aligned(survival, X, "survival"))
            outcome = {name: told[name].to_numpy() for name in ("time", "event")}
        lasso = LassoSelector(self.lasso_rule, kind=kind, random_state=self.random_state)
        return lambda columns: clone(lasso).fit(columns, codes, patients, **outcome)

    def transform(self, X: pd.DataFrame, *, batch: Any = None, covariates: pd.DataFrame | None = None) -> pd.DataFrame:
        """Fused features, z-scored by training mean and SD: DataFrame of shape (n_rows, n_fused), n_fused from 0."""
        dense = self.transform_dense(X, batch=batch, covariates=covariates)
        return (dense[self.fused_] - self.fused_mean_) / self.fused_scale_

    def transform_dense(
        self, X: pd.DataFrame, *, batch: Any = None, covariates: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """All radiomics after ComBat and ICC, in their units, and the components pc_00, pc_01, ... of the arm."""
        check_is_fitted(self, "fused_")
        absent = [name for name in self.feature_names_in_ if name not in X.columns]
        if absent:
            fault = f"{len(absent)} of {self.n_features_in_} features are absent, the first {absent[0]!r}"
            raise InputError("E_FEATURES_ABSENT", "features", fault, "extract them with the settings of the study")
        X = self._whole(X)
        parts = [pd.DataFrame(index=X.index)]
        if self.combat_ is not None and self.icc_ is not None:
            stated = batch if self.harmonise else None
            radiomics = self.combat_.transform(X[self.radiomics_], batch=stated, covariates=covariates)
            parts.append(radiomics.loc[:, self.icc_.support_])
        if self.pca_ is not None:
            parts.append(self.pca_.transform(X[self.deep_]))
        return pd.concat(parts, axis=1)

    def rad_score(self, X: pd.DataFrame, *, batch: Any = None, covariates: pd.DataFrame | None = None) -> pd.Series:
        """Rad-score of each row, in the unit of the LASSO (`RadScore`)."""
        check_is_fitted(self, "fused_")
        if self.rad_score_ is None:
            raise ValueError("a LASSO with one coefficient vector per class gives no rad-score.")
        dense = self.transform_dense(X, batch=batch, covariates=covariates)
        score = self.rad_score_.predict(dense[list(self.rad_score_.lasso_.feature_names_in_)])
        return pd.Series(score, index=X.index, name="rad_score")

    def harmonised(self, batch: Any) -> np.ndarray:
        """Per row, whether ComBat knows its batch: bool of shape (n_rows,); the report labels the others."""
        check_is_fitted(self, "fused_")
        if self.combat_ is None or not self.harmonise:
            return np.zeros(len(batch), dtype=bool)
        return self.combat_.harmonised(batch)

    def adapt(self, X: pd.DataFrame, *, batch: Any, covariates: pd.DataFrame | None = None) -> FusedFeatures:
        """Learn unseen batches from unlabelled cases (`ComBat.adapt`); a new chain, this one stays as it is."""
        check_is_fitted(self, "fused_")
        adapted = clone(self)
        vars(adapted).update({key: value for key, value in vars(self).items() if key.endswith("_")})
        if self.combat_ is not None:
            adapted.combat_ = self.combat_.adapt(X[self.radiomics_], batch, covariates)
        return adapted

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the fused set."""
        check_is_fitted(self, "fused_")
        return np.array(self.fused_, dtype=object)
