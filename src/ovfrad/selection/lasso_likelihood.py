"""LASSO of classes and of event times by their likelihood, with the deviance of held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ovfrad.selection.lasso_cox import Cox
from ovfrad.selection.lasso_multinomial import Multinomial
from ovfrad.selection.lasso_ordinal import Ordinal
from ovfrad.selection.lasso_path import Path, fit_loss

#: Probabilities are cut off here before their logarithm is taken, as in glmnet: one row cannot decide the curve.
FLOOR = 1e-5


@dataclass(frozen=True, eq=False)
class ClassTarget:
    """Classes 0..K-1 of all rows; `ordered`: proportional odds, else multinomial (for two classes the same model)."""

    codes: np.ndarray
    ordered: bool

    def _loss(self, rows: np.ndarray) -> Multinomial | Ordinal:
        """Loss of some rows, over those classes that they have."""
        codes = np.unique(self.codes[rows], return_inverse=True)[1]
        single = self.ordered or self.codes.max() == 1
        return Ordinal(codes) if single else Multinomial(codes)

    def fit(self, values: np.ndarray, rows: np.ndarray, alphas: np.ndarray) -> Path:
        """Path on `rows`; a class that these do not have gets no coefficients."""
        loss = self._loss(rows)
        if isinstance(loss, Ordinal):
            return fit_loss(values[rows], loss, 1, alphas)
        path = fit_loss(values[rows], loss, loss.n_classes, alphas)
        return replace(path, free=path.free - path.free.mean(axis=1, keepdims=True))

    def error(self, path: Path, values: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Deviance, -2 log of the probability of the class found, mean over held-out rows: shape (n_alphas,)."""
        loss, known = self._loss(~held_out), np.unique(self.codes[~held_out])
        shares = np.zeros((len(path.w), int(held_out.sum()), int(self.codes.max()) + 1))
        shares[:, :, known] = loss.probabilities(path.predictors(values[held_out]), path.free)
        own = shares[:, np.arange(shares.shape[1]), self.codes[held_out]]
        return -2 * np.log(np.clip(own, FLOOR, 1 - FLOOR)).mean(axis=1)

    def weight(self, held_out: np.ndarray) -> float:
        """Every fold counts the same."""
        return 1.0


@dataclass(frozen=True, eq=False)
class EventTarget:
    """Time to an event of all rows, and whether it came (bool) or the row was censored then."""

    time: np.ndarray
    event: np.ndarray

    def fit(self, values: np.ndarray, rows: np.ndarray, alphas: np.ndarray) -> Path:
        """Path on `rows`."""
        return fit_loss(values[rows], Cox(self.time[rows], self.event[rows]), 1, alphas)

    def error(self, path: Path, values: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """Partial-likelihood deviance of all rows less that of the rows of the fit, per held-out event.

        Verweij PJM, van Houwelingen HC. Stat Med 1993;12:2305: the held-out rows alone have too few risk sets.
        """
        eta = path.predictors(values)
        every, fitted = Cox(self.time, self.event), Cox(self.time[~held_out], self.event[~held_out])
        more = [every.deviance(e) - fitted.deviance(e[~held_out]) for e in eta]
        return np.array(more) / max(self.weight(held_out), 1.0)

    def weight(self, held_out: np.ndarray) -> float:
        """Events held out."""
        return float(self.event[held_out].sum())
