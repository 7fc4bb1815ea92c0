"""ComBat: remove the location and scale of each scanner or centre from the features (METHODS E1).

Model (Johnson 2007, Biostatistics 8:118, with the reference batch of Zhang 2018 and the imaging use of Fortin 2018):
feature g of row j in batch i is  alpha_g + x_j beta_g + gamma_ig + delta_ig eps_ijg.  gamma and delta are shrunk
towards their mean over all features of the batch (empirical Bayes) and removed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from ovfrad.errors import InputError, warn
from ovfrad.selection.columns import aligned
from ovfrad.selection.shrinkage import shrink

ADAPT_LEAST, ADAPT_ENOUGH = 10, 30  # unlabelled cases of a new centre (METHODS E1)
_FLAT = 1e-10  # a pooled SD below this share of the feature's largest value is rounding: the feature is constant


class ComBat(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Harmonise features across batches; what is learned comes from the rows of `fit` alone, never from the outcome.

    Parameters
    ----------
    parametric : bool
        Normal and inverse gamma priors; False: the empirical distribution over the other features.
    empirical_bayes : bool
        False: each feature's own location and scale, not shrunk.
    mean_only : bool
        Correct the location and leave the scale.
    reference : str or None
        Batch that stays as it is; "largest": that with the most rows (ties: first by name); None: the grand mean.
    unseen : {"none", "adapt"}
        Policy for a batch absent in training. Its rows are left as they are; "adapt" allows `adapt` to learn it first.

    Attributes
    ----------
    batches_, batch_sizes_ : ndarray of shape (n_batches,)
        Names, sorted, and rows in training (of `adapt` for an adapted batch).
    n_batches_ : int
        With 1 there is nothing to learn and `transform` returns its input.
    reference_ : str or None
    grand_mean_, sd_ : ndarray of shape (n_features,)
        Location and pooled SD, in the feature's unit. A feature without pooled variance gets only its location moved,
        a constant one is left as it is.
    gamma_, delta_ : ndarray of shape (n_batches, n_features)
        Location and variance ratio of each batch, in units of `sd_`.
    beta_ : ndarray of shape (n_covariates, n_features)
    adapted_ : list of str
        Batches learned by `adapt`, without outcome.

    Notes
    -----
    A batch of one row gets only its location moved. Rows of an unseen batch are found by `harmonised`.

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [2.0, 7.0], [3.0, 9.0], [11.0, 25.0], [12.0, 27.0], [13.0, 29.0]])
    >>> combat = ComBat(empirical_bayes=False, reference="A").fit(X, batch=["A", "A", "A", "B", "B", "B"])
    >>> combat.transform([[12.0, 27.0]], batch=["B"]).round(3).tolist()
    [[2.0, 7.0]]
    >>> combat.harmonised(["A", "C"]).tolist()
    [True, False]
    """

    def __init__(
        self,
        parametric: bool = True,
        empirical_bayes: bool = True,
        mean_only: bool = False,
        reference: str | None = "largest",
        unseen: str = "none",
    ) -> None:
        self.parametric = parametric
        self.empirical_bayes = empirical_bayes
        self.mean_only = mean_only
        self.reference = reference
        self.unseen = unseen

    def fit(self, X: Any, y: Any = None, *, batch: Any = None, covariates: Any = None) -> ComBat:
        """Learn location and scale of each batch.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
        y : ignored
            Present for scikit-learn; the outcome is never used.
        batch : array of str of shape (n_rows,), optional
            Scanner or centre of each row; None: all rows are of one batch.
        covariates : DataFrame or array of shape (n_rows, n_covariates), optional
            What the correction must keep, such as age and sex; text is taken as a category.
        """
        values = validate_data(self, X, dtype=np.float64)
        names = self._training_batches(X if isinstance(X, pd.DataFrame) else values, batch)
        self.batches_, codes, self.batch_sizes_ = np.unique(names, return_inverse=True, return_counts=True)
        self.n_batches_ = len(self.batches_)
        self.adapted_: list[str] = []
        self.reference_ = self._reference()
        self._learn_covariates(X, covariates)
        self._learn_location(values, codes, self._encode(X, covariates))
        return self

    def _training_batches(self, X: Any, batch: Any) -> np.ndarray:
        names = _names(X, batch)
        if (names == "").any():
            fault = f"{(names == '').sum()} of {len(names)} training rows name no batch"
            raise InputError("E_BATCH_MISSING", "batch", fault, "fill the column or set harmonisation: {batch: none}")
        return names

    def _reference(self) -> str | None:
        if self.reference is None:
            return None
        if self.reference == "largest":
            return str(self.batches_[np.argmax(self.batch_sizes_)])
        if self.reference not in self.batches_:
            found = ", ".join(self.batches_)
            raise InputError(
                "E_BATCH_REFERENCE", "batch", f"no training row of {self.reference!r}", f"name one of {found}"
            )
        return self.reference

    def _learn_covariates(self, X: Any, covariates: Any) -> None:
        """Names and, for text, the categories of the covariates (the first by name is the base)."""
        frame = None if covariates is None else pd.DataFrame(aligned(covariates, X, "covariates"))
        self.covariates_: list[str] = [] if frame is None else [str(name) for name in frame.columns]
        self.categories_: dict[str, list[str]] = {}
        for name in [] if frame is None else frame.columns:
            if frame is not None and not pd.api.types.is_numeric_dtype(frame[name]):
                self.categories_[str(name)] = sorted(frame[name].dropna().astype(str).unique())

    def _encode(self, X: Any, covariates: Any) -> np.ndarray | None:
        """Covariates as numbers, shape (n_rows, n_columns): text as indicator columns without the base."""
        if covariates is None or not self.covariates_:
            return None
        frame = pd.DataFrame(aligned(covariates, X, "covariates"))
        if [str(name) for name in frame.columns] != self.covariates_:
            fault = f"columns {list(frame.columns)}, in training {self.covariates_}"
            raise InputError("E_COVARIATES", "covariates", fault, "give the same columns")
        columns = []
        for name in frame.columns:
            levels = self.categories_.get(str(name))
            if levels is None:
                columns.append(frame[name].to_numpy(dtype=float))
            else:
                columns += [(frame[name].astype(str) == level).to_numpy(dtype=float) for level in levels[1:]]
        encoded = np.column_stack(columns) if columns else np.empty((len(frame), 0))
        if not np.isfinite(encoded).all() or frame.isna().to_numpy().any():
            raise InputError("E_COVARIATES", "covariates", "a value is missing", "fill it or leave the covariate out")
        return encoded

    def _learn_location(self, values: np.ndarray, codes: np.ndarray, covariates: np.ndarray | None) -> None:
        """Least squares of the features on batch and covariates, then the shrunk effects of each batch."""
        indicator = (codes[:, None] == np.arange(self.n_batches_)).astype(float)
        extra = np.empty((len(values), 0)) if covariates is None else covariates
        used = np.ptp(extra, axis=0) > 0 if extra.size else np.zeros(extra.shape[1], dtype=bool)
        design = np.hstack([indicator, extra[:, used]])
        if self.n_batches_ > 1 and np.linalg.matrix_rank(design) < design.shape[1]:
            fault = f"{self.covariates_} cannot be told from the batch in the training rows"
            raise InputError("E_BATCH_CONFOUNDED", "covariates", fault, "leave them out of harmonisation: {covariates}")
        effects = np.linalg.lstsq(design, values, rcond=None)[0]
        self.beta_ = np.zeros((extra.shape[1], values.shape[1]))
        self.beta_[used] = effects[self.n_batches_ :]
        squares = (values - design @ effects) ** 2
        if self.reference_ is None:
            self.grand_mean_ = self.batch_sizes_ @ effects[: self.n_batches_] / len(values)
            sd = np.sqrt(squares.mean(axis=0))
        else:
            r = int(np.searchsorted(self.batches_, self.reference_))
            self.grand_mean_ = effects[r]
            sd = np.sqrt(squares[codes == r].mean(axis=0))
        self.scaled_ = sd > _FLAT * np.abs(values).max(axis=0)
        self.sd_ = np.where(self.scaled_, sd, 1.0)
        self.constant_ = np.ptp(values, axis=0) == 0
        self.covariate_shift_ = (extra @ self.beta_).mean(axis=0)
        standard = (values - self.grand_mean_ - extra @ self.beta_) / self.sd_
        effects_of = [self._effects(standard[codes == i], name) for i, name in enumerate(self.batches_)]
        self.gamma_ = np.array([gamma for gamma, _ in effects_of])
        self.delta_ = np.array([delta for _, delta in effects_of])

    def _effects(self, standard: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Location and variance ratio of one batch from its standardised rows, each of shape (n_features,)."""
        if name == self.reference_ or (self.n_batches_ == 1 and not self.adapted_):
            return np.zeros(standard.shape[1]), np.ones(standard.shape[1])
        return shrink(standard, self.scaled_, self.parametric, self.empirical_bayes, self.mean_only)

    def transform(self, X: Any, *, batch: Any = None, covariates: Any = None) -> Any:
        """Features with the effect of each known batch removed, in X's type; rows of other batches as they are.

        Without covariates the correction is centred on their mean in training, as in neuroCombatFromTraining.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        out = values.copy()
        if self.n_batches_ > 1:
            encoded = self._encode(X, covariates)
            shift = np.tile(self.covariate_shift_, (len(out), 1)) if encoded is None else encoded @ self.beta_
            names = self._stated(X, batch)
            for i, name in enumerate(self.batches_):
                rows = names == name
                if rows.any() and name != self.reference_:
                    centre = self.grand_mean_ + shift[rows]
                    residual = values[rows] - centre - self.gamma_[i] * self.sd_
                    out[rows] = residual / np.sqrt(self.delta_[i]) + centre
            out[:, self.constant_] = values[:, self.constant_]
        return pd.DataFrame(out, index=X.index, columns=X.columns) if isinstance(X, pd.DataFrame) else out

    def _stated(self, X: Any, batch: Any) -> np.ndarray:
        if batch is None:
            fault = f"the features were harmonised over {', '.join(self.batches_)}, and these rows name no batch"
            raise InputError("E_BATCH_NONE", "batch", fault, "name it, or None for each row where it is unknown")
        return _names(X, batch)

    def harmonised(self, batch: Any) -> np.ndarray:
        """Per row, whether its batch is known: bool of shape (n_rows,). With one batch in training always False."""
        check_is_fitted(self)
        known = np.isin(_names(batch, batch), self.batches_)
        return known & (self.n_batches_ > 1)

    def not_seen(self, batch: Any) -> list[str]:
        """Names in `batch` that were not learned, sorted; a row that names none counts as "not stated"."""
        check_is_fitted(self)
        names = np.unique(_names(batch, batch))
        return [str(name) or "not stated" for name in names if name not in self.batches_]

    def adapt(self, X: Any, batch: Any, covariates: Any = None) -> ComBat:
        """Learn batches absent in training from unlabelled cases; a new ComBat, this one stays as it is.

        Location, scale and covariate effects of training are kept; only the new batch's own effects are estimated.

        Parameters
        ----------
        X, batch, covariates
            As in `fit`; rows of batches already known are not used. At least 10 rows a batch; below 30 a warning.

        Raises
        ------
        InputError
            `E_BATCH_ADAPT` where the policy is not "adapt", or a new batch has fewer than 10 rows.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        names = self._stated(X, batch)
        new = [str(name) for name in np.unique(names) if name and name not in self.batches_]
        self._check_adaptable(names, new)
        adapted = clone(self)
        vars(adapted).update({key: value for key, value in vars(self).items() if key.endswith("_")})
        adapted.adapted_ = [*self.adapted_, *new]
        encoded = self._encode(X, covariates)
        standard = (
            values - self.grand_mean_ - (self.covariate_shift_ if encoded is None else encoded @ self.beta_)
        ) / self.sd_
        effects = [adapted._effects(standard[names == name], name) for name in new]
        order = np.argsort([*self.batches_, *new])
        adapted.batches_ = np.array([*self.batches_, *new])[order]
        adapted.batch_sizes_ = np.array([*self.batch_sizes_, *((names == name).sum() for name in new)])[order]
        adapted.gamma_ = np.array([*self.gamma_, *(gamma for gamma, _ in effects)])[order]
        adapted.delta_ = np.array([*self.delta_, *(delta for _, delta in effects)])[order]
        adapted.n_batches_ = len(adapted.batches_)
        return adapted

    def _check_adaptable(self, names: np.ndarray, new: list[str]) -> None:
        if self.unseen != "adapt":
            fault = "an unseen batch is left as it is under `unseen: none`"
            raise InputError("E_BATCH_ADAPT", "batch", fault, "set harmonisation: {unseen: adapt}")
        for name in new:
            rows = int((names == name).sum())
            if rows < ADAPT_LEAST:
                fault = f"{rows} cases of {name!r}, too few to learn its location and scale"
                raise InputError(
                    "E_BATCH_ADAPT", "batch", fault, f"{ADAPT_LEAST} are needed, {ADAPT_ENOUGH} are enough"
                )
            if rows < ADAPT_ENOUGH:
                fault = f"only {rows} cases of {name!r} to learn its location and scale"
                warn("W_BATCH_ADAPT", "batch", fault, f"the correction is rough below {ADAPT_ENOUGH}")


def _names(X: Any, batch: Any) -> np.ndarray:
    """Batch of each row as str, shape (n_rows,); "" where it is missing; one unnamed batch where `batch` is None."""
    if batch is None:
        return np.full(len(X), "all")
    values = np.asarray(aligned(batch, X, "batch"), dtype=object)
    return np.array(["" if pd.isna(name) else str(name) for name in values], dtype=str)
