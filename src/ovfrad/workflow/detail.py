"""Closer looks at the headline model: subgroups and within centres, conformal sets, what the sizes allow (F6 to F8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ovfrad.evaluation.auc import FEWEST
from ovfrad.evaluation.conformal import ConformalSets, coverage
from ovfrad.evaluation.consistency import TRAINING, is_training
from ovfrad.evaluation.estimate import Estimate, wilson
from ovfrad.evaluation.sample_size import events_per_feature, interval_widths
from ovfrad.evaluation.subgroups import subgroups, within_auc

Block = dict[str, Any]
PAPER = ("internal", "external", "prospective")
#: Years at which age is cut: near the mean age of patients with such fractures (69.6 in the published cohort).
AGE_CUT = 70
#: Columns of the case table that make subgroups.
VARIABLES = ("sex", "age", "center", "scanner", "location", "fracture_stage")
KEYS = ["patient_id", "vertebra"]


def validation(rows: pd.DataFrame) -> list[str]:
    """Cohorts of rows that no model was trained on: those of the paper in its order, then others in the table's.

    >>> validation(pd.DataFrame({"cohort": ["train", "train_inner", "Lyon", "external", "internal", "Lyon"]}))
    ['internal', 'external', 'Lyon']
    """
    found = [str(name) for name in rows["cohort"].unique() if not is_training(str(name))]
    return [name for name in PAPER if name in found] + [name for name in found if name not in PAPER]


def row_sets(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of one model that are looked at together: `train` (nested, out of fold) and `validation`.

    The validation cohorts are predicted by one model and are too small to be cut one by one, so they are pooled;
    training rows, predicted by the models of the folds, are never mixed with them.
    """
    sets = {"train": rows[rows["cohort"] == TRAINING], "validation": rows[rows["cohort"].isin(validation(rows))]}
    return {name: part.assign(cohort=name) for name, part in sets.items() if len(part)}


def grouping(cases: pd.DataFrame) -> pd.DataFrame:
    """Grouping variables of a case table, those that it has, as text; age is cut at `AGE_CUT` years.

    >>> grouping(pd.DataFrame({"age": [69.9, 70.0, None], "sex": ["F", "M", "F"]})).to_numpy().tolist()
    [['F', '< 70 years'], ['M', '>= 70 years'], ['F', None]]
    """
    found = {}
    for name in VARIABLES:
        if name not in cases or not cases[name].notna().any():
            continue
        values = cases[name]
        if name == "age":
            years = pd.to_numeric(values, errors="coerce")
            words = np.where(years < AGE_CUT, f"< {AGE_CUT} years", f">= {AGE_CUT} years")
            values = pd.Series(words, index=cases.index, dtype=object).where(years.notna(), None)
        found[name] = values.astype(object).where(values.notna(), None)
    return pd.DataFrame(found, index=cases.index)


def subgroup_blocks(
    rows: pd.DataFrame, cases: pd.DataFrame, level: float, *, ranking_only: bool = False
) -> list[Block]:
    """One block for each set of rows, variable and level.

    Keys: `rows, variable, level, n, n_patients, counts` (rows of each class), `macro_auc`, `class_auc.<k>`.
    A variable with one level in a set says nothing beyond the set and is left out there. Of each set the first block
    is `all`.

    Parameters
    ----------
    rows : DataFrame
        Predictions of the headline model, all cohorts.
    cases : DataFrame
        Case table, index (patient_id, vertebra).
    level : float
        Of the intervals.
    """
    groups, found = grouping(cases), []
    for name, part in row_sets(rows).items():
        own = groups.loc[pd.MultiIndex.from_frame(part[KEYS])].reset_index(drop=True)
        cut = own.loc[:, own.nunique(dropna=False) > 1]
        together = pd.DataFrame({"all": "all"}, index=own.index).join(cut)
        table = subgroups(part.reset_index(drop=True), together, level, ranking_only=ranking_only)
        for (variable, value), lines in table.groupby(["variable", "level"], sort=False):
            found.append({"rows": name, "variable": variable, "level": value, **_block(lines)})
    return found


def _block(lines: pd.DataFrame) -> Block:
    """Sizes and AUCs of one subgroup from its lines, one a metric."""
    first = lines.iloc[0]
    sizes = {"n": int(first["n"]), "n_patients": int(first["n_patients"])}
    block: Block = {**sizes, "counts": [int(n) for n in first["counts"].split("/")], "class_auc": {}}
    for _, line in lines.iterrows():
        numbers = {key: None if pd.isna(line[key]) else float(line[key]) for key in ("estimate", "low", "high")}
        told = numbers | {"method": line["method"]}
        if line["metric"] == "macro_auc":
            block["macro_auc"] = told | sizes
        else:
            block["class_auc"][line["metric"].split(".")[1]] = told | sizes
    return block


def within_center_blocks(
    rows: pd.DataFrame, cases: pd.DataFrame, level: float, *, ranking_only: bool = False
) -> Block | None:
    """Macro AUC of pairs within one centre, for each set of rows; None without centres."""
    if "center" not in cases or not cases["center"].notna().any():
        return None
    found = {}
    for name, part in row_sets(rows).items():
        own = cases["center"].loc[pd.MultiIndex.from_frame(part[KEYS])].to_numpy(dtype=object)
        told = _within(part, own, level, ranking_only).as_dict()
        found[name] = {"centers": len(pd.unique(own[~pd.isna(own)])), "macro_auc": told}
    return found


def _within(rows: pd.DataFrame, centers: np.ndarray, level: float, ranking_only: bool) -> Estimate:
    """Macro AUC within centres; its interval goes where a class has fewer patients in a centre than F2 asks for."""
    told = within_auc(rows, centers, level, ranking_only=ranking_only)
    if pd.isna(centers).all():
        return Estimate.without("no centre is known", told.n, told.patients)
    if len(pd.unique(centers)) == 1:
        return Estimate.without("one centre: the macro AUC is within it already", told.n, told.patients)
    patients = pd.crosstab(centers, rows["y_true"].to_numpy(), rows["patient_id"].to_numpy(), aggfunc="nunique")
    whole = patients[patients.notna().all(axis=1)]
    if told.has_interval and (whole < FEWEST).any(axis=None):
        method = (
            f"{told.method.split(', cluster')[0]}; no interval: a class has fewer than {FEWEST} patients in a centre"
        )
        return Estimate(told.estimate, None, None, method, told.n, told.patients)
    return told


def conformal_block(rows: pd.DataFrame, level: float, ordered: bool, calibration: str = "train_inner") -> Block | None:
    """Coverage and size of conformal sets in the validation cohorts; None without inner predictions.

    The sets are those of the bundle: calibrated on the inner out-of-fold predictions of the training rows
    (`train_inner`), at most 100 knots a class. Training rows are the calibration rows and are not evaluated.

    Parameters
    ----------
    rows : DataFrame
        Predictions of the headline model, all cohorts.
    level : float
        Coverage asked for, of each class.
    ordered : bool
        Fill gaps of the sets.
    calibration : str
        Cohort of the rows that calibrate.
    """
    inner = rows[rows["cohort"] == calibration]
    if inner.empty:
        return None
    columns = [c for c in rows.columns if c.startswith("p_")]
    sets = ConformalSets.fit(inner[columns].to_numpy(), inner["y_true"].to_numpy(), "cross").compress()
    found: Block = {"method": sets.method, "level": level, "calibration_rows": calibration}
    promised = sets.promise(1 - level).to_dict("records")
    found |= {"calibration_counts": list(sets.counts), "promise": promised, "cohorts": {}}
    for cohort in validation(rows):
        part = rows[rows["cohort"] == cohort]
        if len(part):
            inside = sets.predict(part[columns].to_numpy(), 1 - level, contiguous=ordered)
            found["cohorts"][cohort] = set_block(inside, part["y_true"].to_numpy(int), part["patient_id"])
    return found


def set_block(inside: np.ndarray, y: np.ndarray, patients: pd.Series) -> Block:
    """Coverage (Wilson, 95 %, patients as trials) and mean size of sets, shape (n, K), for all rows and each class."""
    everyone, ids = np.ones(len(y), dtype=bool), patients.to_numpy()
    by_class = {str(k): _covered(inside, y, ids, y == k) for k in range(inside.shape[1])}
    sizes = np.bincount(inside.sum(axis=1), minlength=inside.shape[1] + 1).tolist()
    return {**_covered(inside, y, ids, everyone), "sizes": sizes, "class": by_class}


def _covered(inside: np.ndarray, y: np.ndarray, patients: np.ndarray, chosen: np.ndarray) -> Block:
    n, known = int(chosen.sum()), len(set(patients[chosen]))
    if n == 0:
        return {"n": 0, "coverage": Estimate.without("no rows", 0, 0).as_dict(), "mean_size": None}
    shares, counts = coverage(inside[chosen], y[chosen]), np.bincount(y[chosen], minlength=inside.shape[1])
    value = float(np.nansum(shares * counts) / n)
    told = Estimate(value, *wilson(value * known, known), "Wilson, patients as trials", n, known)
    return {"n": n, "coverage": told.as_dict(), "mean_size": float(inside[chosen].sum(axis=1).mean())}


def sample_size_block(rows: pd.DataFrame, counts: Block, level: float) -> Block:
    """Events per feature in training, and the interval that each class could get in each cohort at an AUC of 0.80.

    Parameters
    ----------
    rows : DataFrame
        Predictions of the headline model, all cohorts.
    counts : dict
        Features after each step of the headline's arm (selection.json).
    level : float
    """
    classes = sum(c.startswith("p_") for c in rows.columns)
    parts = {cohort: rows[rows["cohort"] == cohort] for cohort in (TRAINING, *validation(rows))}
    patients = {
        cohort: [part.loc[part["y_true"] == k, "patient_id"].nunique() for k in range(classes)]
        for cohort, part in parts.items()
        if len(part)
    }
    events = int(np.bincount(parts["train"]["y_true"].to_numpy(int), minlength=classes).min())
    features = {
        "measured": counts["radiomics"] + counts["deep"],
        "dense": counts["icc"] + counts["pca"],
        "fused": counts["fused"],
    }
    return {
        "events": events,
        "features": features,
        "events_per_feature": {name: events_per_feature([events], n) for name, n in features.items()},
        "widths": {cohort: interval_widths(n, level=level).to_dict("records") for cohort, n in patients.items()},
    }
