"""Checks that the numbers are honest (METHODS G1 to G4, E12): each is one row PASS, WARN or FAIL with its numbers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ovfrad.errors import InputWarning
from ovfrad.evaluation.auc import macro_auc
from ovfrad.evaluation.estimate import Estimate
from ovfrad.evaluation.folds import CHANCE, MARGIN
from ovfrad.models.baselines import BASELINES
from ovfrad.models.engine import Progress, nested
from ovfrad.models.procedure import BEST, Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs
from ovfrad.study.settings import NINE

Status = Literal["PASS", "WARN", "FAIL"]
MOST, LEAST = 20, 2
"""Permutations of an audit sized by time: not more, not fewer."""
ENOUGH = 8
"""From so many permutations on, the standard error is that of their means; before, that of all their folds."""
GAP = 0.05
"""Excess of inner over nested macro AUC from which the ledger warns that choosing has flattered."""
LEVEL_WITH = 0.02
"""A sentinel within this distance of the headline's macro AUC does as well."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the audit.

    Attributes
    ----------
    check : str
    status : {"PASS", "WARN", "FAIL"}
    value, limit : float or None
        What was measured, and the bound it was held against.
    text : str
        One sentence for the report.
    """

    check: str
    status: Status
    value: float | None
    limit: float | None
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def worst(checks: Iterable[Check]) -> Status:
    """Return FAIL if a check failed, else WARN if one warns, else PASS."""
    found = {check.status for check in checks}
    return "FAIL" if "FAIL" in found else "WARN" if "WARN" in found else "PASS"


def permute_by_patient(codes: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels in which only chance ties a patient to a class: label lists dealt to the patients in another order.

    Labels of one patient mostly stay together, so rows of a patient resemble each other as before, and every
    class keeps its number of rows.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
    groups : ndarray of str of shape (n_rows,)
    rng : numpy Generator

    Examples
    --------
    >>> permute_by_patient(np.array([0, 0, 1, 2]), np.array(["A", "A", "B", "C"]), np.random.default_rng(3))
    array([2, 1, 0, 0])
    """
    names, patient = np.unique(groups, return_inverse=True)
    table_order = np.argsort(patient, kind="stable")
    by_patient = np.split(codes[table_order], np.cumsum(np.bincount(patient))[:-1])
    dealt = np.concatenate([by_patient[p] for p in rng.permutation(len(names))])
    shuffled = np.empty_like(codes)
    shuffled[table_order] = dealt
    return shuffled


def _null_aucs(rows: Rows, procedure: Procedure, model: str, seed: int) -> np.ndarray:
    """Per-fold macro AUCs of the whole procedure on permuted labels; its reservations are those of the real run."""
    codes = permute_by_patient(rows.codes, rows.groups, np.random.default_rng([procedure.random_state, seed]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        table = nested(replace(rows, y=pd.Series(codes, index=rows.X.index)), procedure, baselines=False)
    table = table[table["model"] == model]
    return fold_aucs(table["y_true"].to_numpy(), _proba(table), table["fold"].to_numpy())


def permutation_audit(
    rows: Rows,
    procedure: Procedure,
    model: str = "auto",
    permutations: int | Literal["auto"] = "auto",
    *,
    seconds: float = 60.0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Check:
    """Run the whole nested procedure on labels permuted by patient and ask whether it finds what is not there (G1).

    The AUC is taken within folds and averaged, since the pooled one of an honest pipeline lies below .5; it may
    not lie above .5 + max(3 SE, .01). A leak (selection before the split, say) lifts it.

    Parameters
    ----------
    rows : Rows
        Training rows.
    procedure : Procedure
        As used for the real labels; only `model` is fitted, without recalibration.
    model : str
        The headline: "auto", "best_of_nine" or a classifier.
    permutations : int or "auto"
        Number; "auto": as many of 2 to 20 as fit into `seconds`.
    seconds : float
        Time for "auto".
    jobs : int
        Processes.
    progress : callable, optional
    """
    lean = procedure.only(model, recalibrate=False)
    total = permutations if isinstance(permutations, int) else min(MOST, max(jobs, LEAST))
    done: list[np.ndarray] = []
    start = time.monotonic()
    while len(done) < total:
        batch = range(len(done), min(total, len(done) + max(jobs, 1)))
        work = (delayed(_null_aucs)(rows, lean, model, seed) for seed in batch)
        done += Parallel(n_jobs=jobs, max_nbytes=None)(work)
        if permutations == "auto":
            affordable = int(seconds / max(time.monotonic() - start, 1e-9) * len(done))
            total = min(MOST, max(len(done), affordable, LEAST))
        if progress:
            progress("label permutations", len(done), total)
    return judge_permutations(done, model)


def judge_permutations(aucs: list[np.ndarray], model: str) -> Check:
    """Verdict on per-fold macro AUCs under permuted labels, one array per permutation.

    >>> judge_permutations([np.array([0.66, 0.70]), np.array([0.68, 0.64])], "auto").status
    'FAIL'
    """
    folds = np.concatenate(aucs)
    means = np.array([values.mean() for values in aucs if len(values)])
    if not len(folds):
        return Check("permutation", "WARN", None, None, "No fold has two classes, so permuted labels tell nothing.")
    spread = means if len(means) >= ENOUGH else folds
    se = float(spread.std(ddof=1) / np.sqrt(len(spread))) if len(spread) > 1 else 0.0
    mean, limit = float(means.mean()), CHANCE + max(3 * se, MARGIN)
    found = f"macro AUC {mean:.3f} within folds over {len(aucs)} permutations of the labels (limit {limit:.3f})"
    if mean <= limit:
        return Check("permutation", "PASS", mean, limit, f"Without signal {model} reads {found}: it finds nothing.")
    text = f"Without signal {model} still reads {found}: the procedure leaks, no number of this run can be trusted."
    return Check("permutation", "FAIL", mean, limit, text)


def _proba(table: pd.DataFrame) -> np.ndarray:
    return table[[name for name in table.columns if str(name).startswith("p_")]].to_numpy(dtype=float)


def _macro(table: pd.DataFrame, level: float = 0.95) -> Estimate:
    return macro_auc(table["y_true"].to_numpy(), _proba(table), table["patient_id"].to_numpy(), level)


def _pick(predictions: pd.DataFrame, **values: str) -> pd.DataFrame:
    chosen = np.ones(len(predictions), dtype=bool)
    for name, value in values.items():
        chosen &= (predictions[name] == value).to_numpy()
    return predictions[chosen]


def ledger(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> pd.DataFrame:
    """How much each way of counting flatters (G2): columns quantity, cohort, recipe, model, macro_auc, n.

    Apparent, inner cross-validation and nested macro AUC of the headline, then in each validation cohort the
    headline beside the best of the nine picked on that very cohort, and the `paper` recipe's own headline.

    Parameters
    ----------
    predictions : DataFrame
        Prediction table of the run.
    recipe, arm, model : str
        The headline.
    """
    validation = [c for c in ("internal", "external", "prospective") if (predictions["cohort"] == c).any()]
    rows = []

    def add(quantity: str, cohort: str, **where: str) -> None:
        table = _pick(predictions, cohort=cohort, arm=arm, **where)
        value = _macro(table).estimate if len(table) else None
        if value is not None:
            rows.append({"quantity": quantity, "cohort": cohort, **where, "macro_auc": value, "n": len(table)})

    add("apparent: on the rows it was fitted to", "train_apparent", recipe=recipe, model=model)
    add("inner cross-validation: on the folds that chose it", "train_inner", recipe=recipe, model=model)
    add("nested: on patients held out from every choice", "train", recipe=recipe, model=model)
    for cohort in validation:
        add("headline", cohort, recipe=recipe, model=model)
        own = _pick(predictions, cohort=cohort, arm=arm, recipe=recipe)
        found = {name: _macro(own[own["model"] == name]).estimate for name in NINE if (own["model"] == name).any()}
        scored = {name: value for name, value in found.items() if value is not None}
        if scored:
            best = max(scored, key=lambda name: scored[name])
            add("best of the nine, picked on this cohort", cohort, recipe=recipe, model=best)
    if recipe != "paper":
        for cohort in ("train", *validation):
            add("recipe of the paper", cohort, recipe="paper", model=BEST)
    return pd.DataFrame(rows, columns=["quantity", "cohort", "recipe", "model", "macro_auc", "n"])


def check_ledger(table: pd.DataFrame) -> Check:
    """Judge the ledger: what was chosen on inner folds must not lose much on patients that chose nothing."""
    value = {row.cohort: float(row.macro_auc) for row in table[table["quantity"].str.contains(":")].itertuples()}
    if "train_inner" not in value or "train" not in value:
        return Check(
            "ledger",
            "WARN",
            None,
            GAP,
            "Too few patients for inner folds: what choosing flatters is not known.",
        )
    gap = value["train_inner"] - value["train"]
    apparent = f"apparent {value['train_apparent']:.3f}, " if "train_apparent" in value else ""
    numbers = f"{apparent}inner cross-validation {value['train_inner']:.3f}, nested {value['train']:.3f}"
    verdict = "choosing has flattered the inner number" if gap > GAP else "choosing has cost nothing that shows"
    return Check("ledger", "WARN" if gap > GAP else "PASS", gap, GAP, f"Macro AUC: {numbers}; {verdict}.")


def sentinels(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> list[Check]:
    """Volume only, height only and centre only against the headline, on nested predictions (G3)."""
    own = _pick(predictions, cohort="train", recipe=recipe, arm=arm)
    headline = _macro(own[own["model"] == model]).estimate
    checks = []
    for name in ("volume", "height", "center"):
        table = own[own["model"] == name]
        if not len(table) or headline is None:
            continue
        checks.append(_sentinel(f"{name} only", _macro(table), headline, name == "center"))
    return checks


def _sentinel(name: str, estimate: Estimate, headline: float, confounder: bool = False) -> Check:
    """WARN where a sentinel does as well as the headline, or where it should know nothing and does."""
    value, limit = estimate.estimate, headline - LEVEL_WITH
    if value is None:
        return Check(name, "WARN", None, limit, f"{name}: {estimate.method}.")
    numbers = f"{name} reads macro AUC {value:.3f}, the headline {headline:.3f}"
    if value >= limit:
        return Check(name, "WARN", value, limit, f"{numbers}: the headline adds nothing to it.")
    if confounder and estimate.low is not None and estimate.low > CHANCE:
        return Check(name, "WARN", value, CHANCE, f"{numbers}: it alone foretells the class, so it may confound.")
    return Check(name, "PASS", value, limit, f"{numbers}.")


def shuffled_voxels(
    rows: Rows, features: pd.DataFrame, procedure: Procedure, model: str, headline: float, *, jobs: int = 1
) -> Check:
    """Nested macro AUC with features of images whose voxels were shuffled inside the mask, against the headline (G3).

    Shape and first-order features survive the shuffle, texture does not.

    Parameters
    ----------
    rows : Rows
        Training rows.
    features : DataFrame
        Their features from shuffled voxels, index as `rows.X` in any order.
    procedure : Procedure
    model : str
    headline : float
        Nested macro AUC with the real features.
    """
    shuffled = replace(rows, X=features.loc[rows.X.index], reader2=None)
    table = nested(shuffled, procedure.only(model, recalibrate=False), baselines=False, jobs=jobs)
    return _sentinel("shuffled voxels", _macro(table[table["model"] == model]), headline)


def siblings(cases: pd.DataFrame) -> list[Check]:
    """Patients, and images, that stand on both sides of a border between cohorts (G4, A4).

    Parameters
    ----------
    cases : DataFrame
        Column `cohort`, `patient_id` as column or index level, and `content_hash` of the voxels where known.
    """
    table = cases if "patient_id" in cases.columns else cases.reset_index()
    checks = [_across(table, "patient_id", "siblings", "patient")]
    if "content_hash" in table.columns:
        known = table[table["content_hash"].notna()]
        checks.append(_across(known, "content_hash", "duplicates", "image content"))
        twice = int(known.duplicated(["cohort", "content_hash"]).sum())
        if twice and checks[-1].status == "PASS":
            text = f"{twice} images occur twice within a cohort: they count as more cases than there are."
            checks[-1] = Check("duplicates", "WARN", twice, 0, text)
    return checks


def _across(table: pd.DataFrame, column: str, name: str, noun: str) -> Check:
    cohorts = table.groupby(column)["cohort"].nunique()
    shared = sorted(map(str, cohorts.index[cohorts > 1]))
    if not shared:
        return Check(name, "PASS", 0, 0, f"No {noun} is in two cohorts ({len(cohorts)} looked at).")
    text = f"{len(shared)} {noun}{'s are' if len(shared) > 1 else ' is'} in two cohorts, the first {shared[0][:16]}."
    return Check(name, "FAIL", len(shared), 0, text)


def usable_signal(predictions: pd.DataFrame, recipe: str, arm: str, model: str) -> Check:
    """Say "no usable signal" where neither the headline nor any baseline is above chance in nested predictions (E12).

    The headline is above chance if its 95 % interval is; of the m baselines, one must be at level 1 - .05 / m.
    """
    own = _pick(predictions, cohort="train", recipe=recipe, arm=arm)
    others = [name for name in BASELINES if (own["model"] == name).any()]
    headline = _macro(own[own["model"] == model])
    lows = {name: _low(_macro(own[own["model"] == name], 1 - 0.05 / len(others))) for name in others}
    above = [name for name, low in lows.items() if low > CHANCE]
    if _low(headline) > CHANCE:
        return Check("signal", "PASS", headline.estimate, CHANCE, f"{model} is above chance: {headline}.")
    if above:
        text = f"{model} is not above chance ({headline}), though {', '.join(above)} alone is."
    else:
        text = f"No usable signal: neither {model} ({headline}) nor any baseline is above chance; do not rank models."
    return Check("signal", "WARN", headline.estimate, CHANCE, text)


def _low(estimate: Estimate) -> float:
    """Lower limit; without one nothing is known to be above chance."""
    return CHANCE if estimate.low is None else estimate.low
