"""Which cases the gallery shows: two models disagree and one is right, both ways; or one model's surest errors (H3)."""

from __future__ import annotations

import pandas as pd

from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.report.words import cohort_name, model_name

#: Most cases in each direction, and cohorts they come from, as long as one exists.
MOST = 3
VALIDATION = ("internal", "external", "prospective")
KEYS = ["patient_id", "vertebra"]


def rival_of(predictions: pd.DataFrame, headline: tuple[str, str, str]) -> str | None:
    """Arm to compare the headline's with: of the others the best by the nested macro AUC of the same model.

    Validation rows do not choose it, so that the gallery is not picked from the rows it shows.
    """
    recipe, arm, model = headline
    same = predictions["recipe"].eq(recipe) & predictions["model"].eq(model) & predictions["cohort"].eq("train")
    rows = predictions[same & predictions["arm"].ne(arm)]
    scores = {name: _macro(part) for name, part in rows.groupby("arm", sort=True)}
    return max(scores, key=lambda name: scores[name]) if scores else None


def _macro(rows: pd.DataFrame) -> float:
    p = rows[_columns(rows)].to_numpy(float)
    value = macro_auc(rows["y_true"].to_numpy(int), p, rows["patient_id"].to_numpy()).estimate
    return -1.0 if value is None else value


def _columns(rows: pd.DataFrame) -> list[str]:
    return sorted((c for c in rows if str(c).startswith("p_")), key=lambda c: int(str(c)[2:]))


def _of(predictions: pd.DataFrame, headline: tuple[str, str, str], arm: str, cohorts: list[str]) -> pd.DataFrame:
    """Cohort, true and predicted code and probabilities (tuples) of the headline's model in one arm."""
    recipe, _, model = headline
    same = predictions["recipe"].eq(recipe) & predictions["arm"].eq(arm) & predictions["model"].eq(model)
    rows = predictions[same & predictions["cohort"].isin(cohorts)].set_index(KEYS).sort_index()
    p = rows[_columns(rows)].to_numpy(float)
    told = pd.DataFrame({"cohort": rows["cohort"], "y_true": rows["y_true"].astype(int)})
    told["predicted"] = p.argmax(axis=1)
    told["p"] = pd.Series(list(map(tuple, p.tolist())), index=rows.index, dtype=object)
    return told


def gallery_cohorts(predictions: pd.DataFrame) -> list[str]:
    """Validation cohorts, or nested training rows where there is none."""
    return [c for c in VALIDATION if predictions["cohort"].eq(c).any()] or ["train"]


def choose_cases(
    predictions: pd.DataFrame, headline: tuple[str, str, str], rival: str | None, most: int = MOST
) -> pd.DataFrame:
    """Cases of the gallery.

    Parameters
    ----------
    predictions : DataFrame
        Prediction table of a run.
    headline : (recipe, arm, model)
    rival : str or None
        Other arm, under the same recipe and model; None: the headline's surest errors.
    most : int
        Cases in each direction; twice as many errors where there is no rival.

    Returns
    -------
    DataFrame
        Index (patient_id, vertebra); `direction` ("ours", "theirs" right, or "error"), `cohort`, `y_true`, `ours`,
        `theirs` (predicted codes; -1 without a rival), `p_ours`, `p_theirs` (tuples of K probabilities). Largest gap of
        the two probabilities of the true class first (errors: largest probability of the wrong class), ties by key.
    """
    cohorts = gallery_cohorts(predictions)
    table = _of(predictions, headline, headline[1], cohorts).rename(columns={"predicted": "ours", "p": "p_ours"})
    right = table["ours"] == table["y_true"]
    if rival is None:
        wrong = table[~right].assign(theirs=-1, p_theirs=None, direction="error")
        return _first(wrong.assign(gap=[max(p) for p in wrong["p_ours"]]), 2 * most)
    second = _of(predictions, headline, rival, cohorts).loc[table.index]
    table["theirs"], table["p_theirs"] = second["predicted"], second["p"]
    both = zip(table["p_ours"], table["p_theirs"], table["y_true"], strict=True)
    table["gap"] = [ours[y] - theirs[y] for ours, theirs, y in both]
    other = table["theirs"] == table["y_true"]
    first = _first(table[right & ~other].assign(direction="ours"), most)
    # columns before rows: a Series assigned to a table without rows would give it the rows of the Series
    turned = table.assign(direction="theirs", gap=-table["gap"])[~right & other]
    return pd.concat([first, _first(turned, most)])


def _first(table: pd.DataFrame, most: int) -> pd.DataFrame:
    return table.sort_values("gap", ascending=False, kind="stable").head(most).drop(columns="gap")


def rule_words(predictions: pd.DataFrame, rival: str | None) -> str:
    """How the cases were chosen, in one or two sentences."""
    cohorts = gallery_cohorts(predictions)
    where = ", ".join(cohort_name(c).lower() for c in cohorts)
    if rival is None:
        return (
            f"Rule: the study has one arm, so there is no second opinion to set against it; shown are the at most "
            f"{2 * MOST} errors in which the probability of the wrong class was largest ({where})."
        )
    return (
        f"Rule: cases in which the two arms name different classes and one is right ({where}); of each direction the "
        f"at most {MOST} with the largest gap between the two probabilities of the true class. The other arm is the "
        "one with the best nested macro AUC on training rows."
    )


def names(headline: tuple[str, str, str], rival: str | None) -> tuple[str, str]:
    """Names of the two models; the second is empty where there is one.

    >>> names(("sound", "random", "auto"), "none")
    ('arm random, auto (mean of five)', 'arm none, auto (mean of five)')
    """
    model = model_name(headline[2])
    return f"arm {headline[1]}, {model}", f"arm {rival}, {model}" if rival else ""
