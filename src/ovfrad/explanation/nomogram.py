"""The nomogram: a proportional-odds model as points that can be added by hand (METHODS H2).

Every variable has a scale of points, the longest reaches 100; the total stands for P(class >= k), for every k. Points
and total keep the model exactly: reading them back gives its probabilities. If proportional odds fails, there is one
nomogram for each P(class >= k).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from ovfrad.explanation.proportional_odds import (
    BrantTest,
    Floats,
    ProportionalOdds,
    brant_test,
    class_probabilities,
    fit_proportional_odds,
)

LONGEST = 100.0
"""Points of the variable with the largest effect over its range."""
PROBABILITY_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
NUMERIC_TICKS = 8
"""About this many steps on the scale of a number."""


@dataclass(frozen=True)
class Scale:
    """One variable of a nomogram.

    Parameters
    ----------
    variable : str
    levels : tuple of str
        Of a category, the reference first; empty for a number.
    columns : tuple of int
        Its columns in the model: one for a number, one for each level but the first for a category.
    ticks : tuple of (str, float)
        Label and points; for a number in rising order of its values.
    slope : float
        Points per unit of a number; 0 for a category.
    zero : float
        Points of a number at value 0.
    """

    variable: str
    levels: tuple[str, ...]
    columns: tuple[int, ...]
    ticks: tuple[tuple[str, float], ...]
    slope: float
    zero: float

    def points(self, values: pd.Series) -> Floats:
        """Points of values, shape (n,); a number beyond the scale goes on in a straight line."""
        if not self.levels:
            return self.zero + self.slope * values.to_numpy(dtype=np.float64)
        labels = _labels(values)
        unknown = sorted(set(labels) - set(self.levels))
        if unknown:
            raise ValueError(f"{self.variable} has no level {unknown[0]}; the nomogram knows {', '.join(self.levels)}")
        table = dict(self.ticks)
        return np.array([table[label] for label in labels])


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Points of each variable and what their total stands for.

    Parameters
    ----------
    model : ProportionalOdds
    scales : tuple of Scale
    points_per_logit : float
        Points per unit of the linear predictor.
    zero : float
        Linear predictor at 0 points.
    events : tuple of str
        Names of the probability axes, as `P(class >= 1)`, `P(class = 2)`; one per threshold.
    """

    model: ProportionalOdds
    scales: tuple[Scale, ...]
    points_per_logit: float
    zero: float
    events: tuple[str, ...]

    def points(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Points of every variable of each row."""
        return pd.DataFrame({s.variable: s.points(frame[s.variable]) for s in self.scales}, index=frame.index)

    def cumulative(self, total: ArrayLike) -> Floats:
        """P(event) at total points: shape (n,) -> (n, number of events)."""
        return self.model.cumulative(np.asarray(total, dtype=np.float64) / self.points_per_logit + self.zero)

    def predict_proba(self, frame: pd.DataFrame) -> Floats:
        """Probability of each class by way of the points, shape (n, K)."""
        return class_probabilities(self.cumulative(self.points(frame).sum(axis=1)))

    @property
    def most_points(self) -> float:
        """Total of the highest ticks."""
        return sum(max(points for _, points in scale.ticks) for scale in self.scales)

    def points_table(self) -> pd.DataFrame:
        """Columns variable, value, points: one row per tick."""
        rows = [(s.variable, label, points) for s in self.scales for label, points in s.ticks]
        return pd.DataFrame(rows, columns=["variable", "value", "points"])

    def total_table(self, step: float = 10.0) -> pd.DataFrame:
        """Return the total points in steps and the probability of each event."""
        total = np.arange(0.0, self.most_points + step, step)
        return pd.DataFrame(self.cumulative(total), columns=list(self.events)).assign(total=total).set_index("total")

    def probability_ticks(self) -> pd.DataFrame:
        """Columns event, probability, total: where the ticks of the probability axes lie on the total's axis."""
        rows = []
        for event, threshold in zip(self.events, self.model.thresholds, strict=True):
            for probability in PROBABILITY_TICKS:
                total = (float(logit(probability)) + float(threshold) - self.zero) * self.points_per_logit
                if 0 <= total <= self.most_points:
                    rows.append((event, probability, total))
        return pd.DataFrame(rows, columns=["event", "probability", "total"])


@dataclass(frozen=True, eq=False)
class Nomograms:
    """What is drawn: one nomogram, or one for each P(class >= k).

    Parameters
    ----------
    nomograms : tuple of Nomogram
    test : BrantTest or None
        Of proportional odds; None for two classes.
    proportional : bool
        True: one nomogram serves all classes.
    notes : tuple of str
        Sentences for the legend: variables left out, penalty, what the test says.
    """

    nomograms: tuple[Nomogram, ...]
    test: BrantTest | None
    proportional: bool
    notes: tuple[str, ...]


def build_nomograms(
    frame: pd.DataFrame, y: ArrayLike, classes: Sequence[str], *, alpha: float = 0.05, outcome: str = "class"
) -> Nomograms:
    """Fit the model, test proportional odds, and lay out the points.

    Parameters
    ----------
    frame : DataFrame of shape (n, variables)
        Training rows without gaps. Numbers of more than two values are scales, all else are categories.
    y : array of shape (n,)
        Codes 0 .. K-1 in the order of `classes`.
    classes : sequence of str
        K >= 2 names, in order.
    alpha : float
        Level of Brant's test below which there is one nomogram for each P(class >= k).
    outcome : str
        Name in the titles of the probability axes.

    Returns
    -------
    Nomograms

    Raises
    ------
    ValueError
        No variable varies, a gap, a class without rows.
    """
    y = np.asarray(y).astype(int)
    K = len(classes)
    varying, notes = _varying(frame)
    design, parts = _design(varying)
    names = list(design.columns)
    model = fit_proportional_odds(design, y, names, K)
    test = brant_test(design, y, names) if K > 2 else None
    proportional = test is None or not test.p_value < alpha
    titles = [f"P({outcome} >= {name})" for name in classes[1:-1]] + [f"P({outcome} = {classes[-1]})"]
    models = [model] if proportional else [fit_proportional_odds(design, y >= k, names, 2) for k in range(1, K)]
    events = [tuple(titles)] if proportional else [(title,) for title in titles]
    if test is not None:
        notes.append(_verdict(test, proportional))
    if any(one.penalty for one in models):
        notes.append("a variable separates the classes in training; its slope was held finite by a penalty")
    drawn = tuple(_lay_out(varying, parts, one, titles_) for one, titles_ in zip(models, events, strict=True))
    return Nomograms(drawn, test, proportional, tuple(notes))


def _verdict(test: BrantTest, proportional: bool) -> str:
    if test.note:
        return f"proportional odds: {test.note}"
    figures = f"Brant chi-square {test.statistic:.1f}, df {test.df}, p = {test.p_value:.3f}"
    if proportional:
        return f"proportional odds not rejected ({figures}): one scale of points for all classes"
    return f"proportional odds rejected ({figures}): one nomogram for each threshold"


def _varying(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns with at least two values; those left out are named."""
    gaps = [str(name) for name in frame.columns if frame[name].isna().any()]
    if gaps:
        raise ValueError(f"a nomogram needs complete rows; {', '.join(gaps)} has gaps")
    single = [str(name) for name in frame.columns if frame[name].nunique() < 2]
    if len(single) == frame.shape[1]:
        raise ValueError("no variable of the nomogram varies in training")
    return frame.drop(columns=single), [f"{name} left out: one value in training" for name in single]


def _labels(values: pd.Series) -> list[str]:
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in values.tolist()]


def is_number(values: pd.Series) -> bool:
    """Whether a variable is a scale: numeric, with more than two values."""
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return bool(numeric and values.nunique() > 2)


def _design(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, tuple[tuple[str, ...], tuple[int, ...]]]]:
    """Model columns, and for each variable its levels (most frequent first) and the places of its columns."""
    columns: dict[str, NDArray[np.float64]] = {}
    parts = {}
    for name in map(str, frame.columns):
        values, first = frame[name], len(columns)
        levels: tuple[str, ...] = ()
        if is_number(values):
            columns[name] = values.to_numpy(dtype=np.float64)
        else:
            labels = pd.Series(_labels(values))
            counts = labels.value_counts()
            levels = tuple(sorted(counts.index, key=lambda level: (-counts[level], level)))
            columns.update({f"{name} {level}": (labels == level).to_numpy(dtype=np.float64) for level in levels[1:]})
        parts[name] = (levels, tuple(range(first, len(columns))))
    return pd.DataFrame(columns), parts


def design_matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of the ordinal model: numbers as they are, categories as indicators against the most frequent level.

    >>> design_matrix(pd.DataFrame({"age": [60, 70, 80], "sex": ["F", "F", "M"]})).to_dict("list")
    {'age': [60.0, 70.0, 80.0], 'sex M': [0.0, 0.0, 1.0]}
    """
    return _design(frame)[0]


def nice_ticks(low: float, high: float, steps: int = NUMERIC_TICKS) -> Floats:
    """Round numbers that cover [low, high], with a step of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(52.3, 91.0).tolist()
    [50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0]
    """
    raw = (high - low) / steps
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((m * power for m in (1.0, 2.0, 5.0, 10.0)), key=lambda candidate: abs(np.log(candidate / raw)))
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return np.round(np.arange(first, last + 1) * step, 12) + 0.0


def _lay_out(
    frame: pd.DataFrame,
    parts: dict[str, tuple[tuple[str, ...], tuple[int, ...]]],
    model: ProportionalOdds,
    events: tuple[str, ...],
) -> Nomogram:
    """Give 100 points to the widest effect and 0 points to the lowest end of every scale."""
    effects: dict[str, tuple[list[str], Floats]] = {}
    for name, (levels, places) in parts.items():
        slopes = model.coefficients[list(places)]
        if levels:
            effects[name] = (list(levels), np.r_[0.0, slopes])
        else:
            ticks = nice_ticks(float(frame[name].min()), float(frame[name].max()))
            effects[name] = ([f"{tick:g}" for tick in ticks], slopes[0] * ticks)
    widest = max(float(np.ptp(effect)) for _, effect in effects.values())
    if widest == 0:
        raise ValueError("no variable of the nomogram has an effect")
    per_logit = LONGEST / widest
    scales = []
    for name, (levels, places) in parts.items():
        labels, effect = effects[name]
        points = (effect - effect.min()) * per_logit
        slope = 0.0 if levels else float(model.coefficients[places[0]]) * per_logit
        zero = 0.0 if levels else float(-effect.min() * per_logit)
        ticks_ = tuple(zip(labels, points.tolist(), strict=True))
        scales.append(Scale(name, levels, places, ticks_, slope, zero))
    floor = sum(float(effect.min()) for _, effect in effects.values())
    return Nomogram(model, tuple(scales), per_logit, floor, events)
