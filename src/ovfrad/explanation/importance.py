"""SHAP values as the tables that the figures draw: global bar, beeswarm, decision plot, waterfall (Fig 7, 8)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ovfrad.explanation.shap import ShapTable


def global_bar(table: ShapTable) -> pd.DataFrame:
    """Mean |SHAP| of each feature and class.

    Returns
    -------
    DataFrame
        Rows: features, most important first; columns: the classes, `all` (their sum), `error` (standard error of
        `all`'s terms, root of the summed squares).
    """
    bars = pd.DataFrame(np.abs(table.values).mean(axis=0), index=list(table.feature_names), columns=list(table.classes))
    bars.index.name = "feature"
    bars["all"] = bars.sum(axis=1)
    bars["error"] = np.sqrt((table.error**2).sum(axis=1))
    return bars.sort_values("all", ascending=False, kind="stable")


def beeswarm(table: ShapTable, most: int = 20) -> pd.DataFrame:
    """Long table of the most important features of each class.

    Returns
    -------
    DataFrame
        class, feature, case (position), value (of the feature), share (its rank among the cases, 0..1, for the
        colour), shap; features by mean |SHAP| within the class, most important first.
    """
    n = len(table.X)
    share = (pd.DataFrame(table.X).rank(method="average").to_numpy() - 1) / max(n - 1, 1)
    parts = []
    for k, name in enumerate(table.classes):
        for j in _order(np.abs(table.values[:, :, k]).mean(axis=0))[:most]:
            column = {"value": table.X[:, j], "share": share[:, j], "shap": table.values[:, j, k]}
            cases = {"class": name, "feature": table.feature_names[j], "case": np.arange(n)}
            parts.append(pd.DataFrame({**cases, **column}))
    return pd.concat(parts, ignore_index=True)


def waterfall(table: ShapTable, case: int, k: int, most: int = 10) -> pd.DataFrame:
    """Steps from the base to the output of one case and class.

    Returns
    -------
    DataFrame
        feature, value, shap, start, end; smallest first, so that the last step ends at the output. Features beyond
        the `most` largest are one first row, `other features`, without a value.
    """
    shap = table.values[case, :, k]
    top = _order(np.abs(shap))[:most][::-1]
    rest = np.setdiff1d(np.arange(shap.size), top)
    rows = [(table.feature_names[j], table.X[case, j], shap[j]) for j in top]
    if rest.size:
        rows.insert(0, (f"{rest.size} other features", np.nan, shap[rest].sum()))
    steps = pd.DataFrame(rows, columns=["feature", "value", "shap"])
    steps["end"] = table.base[k] + steps["shap"].cumsum()
    steps.insert(3, "start", steps["end"] - steps["shap"])
    return steps


def decision(table: ShapTable, k: int, most: int = 20) -> pd.DataFrame:
    """Paths of all cases to their output of class `k`, features in the order of their mean |SHAP|.

    Returns
    -------
    DataFrame
        case, step (0: the base), feature (empty at step 0), output; least important feature first. Features beyond
        the `most` largest are one first step.
    """
    values = table.values[:, :, k]
    order = _order(np.abs(values).mean(axis=0))
    top, rest = order[:most][::-1], order[most:]
    steps = [values[:, j] for j in top]
    names = [table.feature_names[j] for j in top]
    if rest.size:
        steps.insert(0, values[:, rest].sum(axis=1))
        names.insert(0, f"{rest.size} other features")
    paths = table.base[k] + np.cumsum(np.stack([np.zeros(len(values)), *steps], axis=1), axis=1)
    cases, positions = np.indices(paths.shape)
    feature = np.array(["", *names], dtype=object)[positions.ravel()]
    return pd.DataFrame({"case": cases.ravel(), "step": positions.ravel(), "feature": feature, "output": paths.ravel()})


def _order(size: np.ndarray) -> np.ndarray:
    """Positions from the largest to the smallest, ties in their order."""
    return np.argsort(-size, kind="stable")
