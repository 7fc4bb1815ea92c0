"""SHAP values of a fitted model: what each feature adds to each class's output of each case (METHODS H1).

Lundberg SM, Lee S-I. A unified approach to interpreting model predictions. NeurIPS 2017. The value of a feature is its
Shapley value in the game v(S) = mean over background rows of f(x on S, background elsewhere).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from ovfrad.explanation.sampling import Additive, Sampled, Tell, enumerated, sampled, sampled_additive

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]
ADDITIVITY = 1e-5
"""Largest |base + sum - output|, relative to the largest |output|: boosters and their explainer compute in float32."""
PROBABILITY, LOG_ODDS = "probability", "log-odds"
EVALUATIONS = 900_000
"""Model rows that may be evaluated by sampling: about 20 s at 20 ms per 1000 rows."""
STEPS_PER_EVALUATION = 20
"""Steps of an additive model's walk that cost about as much as one prediction."""

MOST_BACKGROUND = 100
"""TreeSHAP of the shap package samples larger backgrounds."""


@dataclass(frozen=True, eq=False)
class ShapTable:
    """SHAP values of some cases; an object that exists is additive.

    Parameters
    ----------
    values : ndarray of shape (n, p, K)
        Case, feature, class; in units of `output_name`.
    base : ndarray of shape (K,)
        Mean output over the background.
    output : ndarray of shape (n, K)
        The model's output of each case: base + sum of the values over features.
    output_name : str
        `probability` or `log-odds`, for the axis.
    error : ndarray of shape (p, K)
        Standard error of the values from the spread between seeds, root mean square over cases; 0 where exact.
    X : ndarray of shape (n, p)
        Feature values of the cases, as the model saw them.
    feature_names, classes : tuple of str
    method : str
        Which explainer, for the caption.
    evaluations : int
        Rows the model was asked for.

    Raises
    ------
    ValueError
        Where base + sum of the values is not the output.
    """

    values: Floats
    base: Floats
    output: Floats
    output_name: str
    error: Floats
    X: Floats
    feature_names: tuple[str, ...]
    classes: tuple[str, ...]
    method: str
    evaluations: int

    def __post_init__(self) -> None:
        n, p, K = self.values.shape
        shapes = (self.base.shape, self.output.shape, self.error.shape, self.X.shape)
        if shapes != ((K,), (n, K), (p, K), (n, p)) or (len(self.feature_names), len(self.classes)) != (p, K):
            raise ValueError(f"the parts of a ShapTable disagree: values {self.values.shape}, others {shapes}")
        if not all(np.isfinite(part).all() for part in (self.values, self.base, self.output)):
            raise ValueError("SHAP values, base and output must be finite")
        gap = float(np.abs(self.base + self.values.sum(axis=1) - self.output).max(initial=0.0))
        allowed = ADDITIVITY * float(np.abs(self.output).max(initial=0.0))
        if gap > allowed:
            raise ValueError(f"SHAP values do not add up: |base + sum - output| = {gap:.3g}, at most {allowed:.3g}")

    @property
    def error_share(self) -> float:
        """Root mean square standard error over root mean square value: 0 where exact."""
        size = float(np.sqrt(np.mean(self.values**2))) if self.values.size else 0.0
        return float(np.sqrt(np.mean(self.error**2))) / size if size > 0 else 0.0


def shap_values(
    predict_proba: Predict,
    X: Floats,
    background: Floats,
    feature_names: Sequence[str],
    *,
    model: Any = None,
    classes: Sequence[str] | None = None,
    evaluations: int = EVALUATIONS,
    random_state: int = 0,
    tell: Tell | None = None,
) -> ShapTable:
    """Explain the probabilities (boosters and logistic regression: the log-odds) of cases.

    Parameters
    ----------
    predict_proba : callable
        (n, p) -> (n, K), before recalibration.
    X : ndarray of shape (n, p)
        Cases to explain, as the model sees them; about 60 at most where there is no exact explainer.
    background : ndarray of shape (m, p)
        Rows that stand for "not known", see `ovfrad.explanation.background.kmeans_background`.
    feature_names : sequence of str
    model : fitted estimator, optional
        The owner of `predict_proba`: logistic regression and trees are then explained exactly, boosters on their
        log-odds; the trees of `auto` exactly and its other members by sampling.
    classes : sequence of str, optional
        Names of the K classes; default 0 .. K-1.
    evaluations : int
        Model rows that sampling may ask for. With few features all coalitions are enumerated instead.
    random_state : int
    tell : callable, optional
        Called with cases done and cases in all, over all seeds, where values are sampled.

    Returns
    -------
    ShapTable

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3, 2))
    >>> table = shap_values(lambda X: np.c_[1 - expit(X[:, 0]), expit(X[:, 0])], X, np.zeros((1, 2)), ["a", "b"])
    >>> bool(np.abs(table.values[:, 1]).max() == 0), table.method
    (True, 'all 4 coalitions')
    """
    X, background = np.asarray(X, dtype=np.float64), np.asarray(background, dtype=np.float64)
    _check_input(X, background, feature_names)
    probabilities = np.asarray(predict_proba(X), dtype=np.float64)
    exact = _exact(_unwrapped(model), X, background)
    if exact is None:
        base = np.asarray(predict_proba(background), dtype=np.float64).mean(axis=0)
        values, error, method, asked = _general(predict_proba, model, X, background, evaluations, random_state, tell)
        output, name = probabilities, PROBABILITY
    else:
        values, base, output, name, method = exact
        _check_owner(output, name, probabilities)
        error, asked = np.zeros(values.shape[1:]), 0
    names = tuple(str(k) for k in range(probabilities.shape[1])) if classes is None else tuple(classes)
    return ShapTable(values, base, output, name, error, X, tuple(feature_names), names, method, asked)


def _check_input(X: Floats, background: Floats, feature_names: Sequence[str]) -> None:
    if X.ndim != 2 or background.ndim != 2 or X.shape[1] != background.shape[1] or X.shape[1] != len(feature_names):
        shapes = f"X {X.shape}, background {background.shape}, {len(feature_names)} names"
        raise ValueError(f"X, background and feature_names must have the same columns: {shapes}")
    if len(background) > MOST_BACKGROUND:
        raise ValueError(f"{len(background)} background rows; give at most {MOST_BACKGROUND}, see kmeans_background")
    if not (len(X) and len(background) and len(feature_names)):
        raise ValueError("SHAP needs at least one case, one background row and one feature")


def _check_owner(output: Floats, name: str, probabilities: Floats) -> None:
    """Refuse a model whose output is not that of `predict_proba`."""
    own = output
    if name == LOG_ODDS:
        own = expit(output) if output.shape[1] == 2 else softmax(output, axis=1)
    if own.shape != probabilities.shape or np.abs(own - probabilities).max() > ADDITIVITY:
        raise ValueError("the model given to shap_values is not the owner of predict_proba")


Exact = tuple[Floats, Floats, Floats, str, str]  # values, base, output, output_name, method


def _unwrapped(model: Any) -> Any:
    """Return the classifier inside a grid search or inside a wrapper that weights classes."""
    for attribute in ("best_estimator_", "estimator_"):
        if hasattr(model, attribute) and not hasattr(model, "estimators_"):
            return _unwrapped(getattr(model, attribute))
    return model


def _exact(model: Any, X: Floats, background: Floats) -> Exact | None:
    kind = type(model).__name__
    if kind == "LogisticRegression":
        return _linear(model, X, background)
    if kind in ("DecisionTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier"):
        output, centre = (model.predict_proba(_as_fitted(model, rows)) for rows in (X, background))
        return _tree_values(model, X, background), centre.mean(axis=0), output, PROBABILITY, "exact (trees)"
    if kind in ("XGBClassifier", "LGBMClassifier"):
        raw = {"output_margin": True} if kind == "XGBClassifier" else {"raw_score": True}
        margins = (model.predict(_as_fitted(model, rows), **raw) for rows in (X, background))
        output, centre = (_both(np.asarray(margin, np.float64)) for margin in margins)
        values = _tree_values(model, X, background)
        return values, centre.mean(axis=0), output, LOG_ODDS, "exact (trees)"
    return None


def _as_fitted(model: Any, rows: Floats) -> Any:
    """Rows with the column names that the model was fitted with, if any."""
    import pandas as pd

    names = getattr(model, "feature_names_in_", None)
    return rows if names is None else pd.DataFrame(rows, columns=names)


def _linear(model: Any, X: Floats, background: Floats) -> Exact:
    """Slopes times the distance from the background's mean."""
    slopes, intercept = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if len(slopes) == 1:  # two classes: log-odds of the second, and of the first with the other sign
        slopes, intercept = np.vstack([-slopes, slopes]), np.r_[-intercept, intercept]
    centre = background.mean(axis=0)
    values = (X - centre)[:, :, None] * slopes.T[None]
    return values, slopes @ centre + intercept, X @ slopes.T + intercept, LOG_ODDS, "exact (linear)"


def _both(margin: Floats) -> Floats:
    """Margin of two classes (n,) -> (n, 2): log-odds of the first and of the second."""
    return np.stack([-margin, margin], axis=-1) if margin.ndim == 1 else margin


def _tree_values(model: Any, X: Floats, background: Floats) -> Floats:
    """Interventional TreeSHAP (Lundberg et al., Nature Machine Intelligence 2020;2:56-67), shape (n, p, K)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap 0.51 calls deprecated functions of matplotlib when imported
        from shap import TreeExplainer

        explainer = TreeExplainer(model, background, feature_perturbation="interventional")
        values = np.asarray(explainer.shap_values(X, check_additivity=False), dtype=np.float64)
    return np.stack([-values, values], axis=-1) if values.ndim == 2 else values


def _general(
    predict_proba: Predict,
    model: Any,
    X: Floats,
    background: Floats,
    evaluations: int,
    random_state: int,
    tell: Tell | None,
) -> tuple[Floats, Floats, str, int]:
    """Values, error, method and evaluations of any model; the trees inside `auto` are left to TreeSHAP."""
    n, p = X.shape
    if p < 64 and 2**p * len(background) * n <= evaluations:
        return (*enumerated(predict_proba, X, background, tell), f"all {2**p} coalitions", 2**p * len(background) * n)
    if type(model).__name__ != "AutoModel":
        found = sampled(predict_proba, X, background, evaluations, random_state, tell)
        return found.values, found.error, _sampling_name(found), found.evaluations
    share = 1.0 / len(model.members_)
    logistic = [member for member in model.members_ if hasattr(member, "contributions")]
    forests = [member for member in model.members_ if not hasattr(member, "contributions")]
    found = sampled_additive(
        [_additive(member, X, background) for member in logistic],
        STEPS_PER_EVALUATION * evaluations,
        random_state,
        tell,
    )
    values = share * (found.values + sum(_tree_values(forest, X, background) for forest in forests))
    return values, share * found.error, f"trees exact, logistic members by {_sampling_name(found)}", found.evaluations


def _sampling_name(found: Sampled) -> str:
    return f"antithetic permutations ({found.rounds} seeds)"


def _additive(member: Any, X: Floats, background: Floats) -> Additive:
    """Terms of a dense logistic member of `auto`."""
    parts = [member.contributions(_as_fitted(member, rows)) for rows in (X, background)]
    return Additive(parts[0], parts[1], np.asarray(member.intercept_, np.float64))
