"""From the prediction table to results.json: every model in every cohort, comparisons, ledger (F, G2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ovfrad.evaluation import auc, mean_auc
from ovfrad.evaluation.audit import audit_table, rows_of_evaluation
from ovfrad.evaluation.compare import compare_all
from ovfrad.evaluation.folds import per_fold_macro_auc
from ovfrad.evaluation.summary import evaluate, thresholds
from ovfrad.models.baselines import BASELINES
from ovfrad.models.honesty import ledger
from ovfrad.models.network import NETWORK
from ovfrad.models.procedure import BEST
from ovfrad.study.file import read_yaml, resolve
from ovfrad.study.settings import NINE, StudySettings
from ovfrad.workflow import detail
from ovfrad.workflow.folder import Progress, RunFolder

#: Of every interval.
LEVEL = 0.95
VALIDATED = ("train", "internal", "external", "prospective")
Block = dict[str, Any]


def evaluate_run(folder: RunFolder, progress: Progress) -> Path:
    """Write results.json."""
    settings = settings_of(folder)
    run = folder.read_json("run.json")
    predictions = folder.read_table("predictions.parquet")
    headline = run["prespecified"]["headline"]
    recipes = _recipes(predictions, settings, progress)
    results = {
        "notice": "Research use only, not a medical device.",
        "study": settings.name,
        "study_sha256": run["study_sha256"],
        "synthetic": run["synthetic"],
        "headline": headline,
        "recipes": recipes,
        "comparisons": comparisons(predictions, headline, settings),
        "ledger": ledger(predictions, **headline).to_dict("records"),
        "audit": _audit(folder, recipes, headline, settings),
        **_details(folder, predictions, headline, settings),
    }
    return folder.write_json("results.json", results)


def settings_of(folder: RunFolder) -> StudySettings:
    """Settings a run was made with."""
    return resolve(read_yaml(folder.need("study.yaml")), folder / "study.yaml")


def _details(folder: RunFolder, predictions: pd.DataFrame, headline: dict[str, str], settings: StudySettings) -> Block:
    """Closer looks at the headline model (F6 to F8)."""
    own = predictions[(predictions[list(headline)] == pd.Series(headline)).all(axis=1)]
    cases, level = folder.read_table("cases.parquet"), settings.evaluation.level
    counts = folder.read_json("selection.json")[f"{headline['recipe']}/{headline['arm']}"]["counts"]
    return {
        "subgroups": detail.subgroup_blocks(own, cases, LEVEL),
        "within_center": detail.within_center_blocks(own, cases, LEVEL),
        "conformal": detail.conformal_block(own, level, settings.outcome.ordered),
        "sample_size": detail.sample_size_block(own, counts, LEVEL),
    }


def _audit(folder: RunFolder, recipes: Block, headline: Block, settings: StudySettings) -> Block | None:
    """Honesty checks of the run, and the arithmetic of our own headline numbers (G5)."""
    if not (folder / "audit.json").is_file():
        return None
    audit: Block = folder.read_json("audit.json")
    if "tables" in settings.honesty.leave_out:
        return audit
    blocks = {c: arms[headline["arm"]][headline["model"]] for c, arms in recipes[headline["recipe"]]["cohorts"].items()}
    rows = [row for cohort in VALIDATED if cohort in blocks for row in rows_of_evaluation(blocks[cohort], cohort)]
    found = audit_table(rows)
    wrong = found[found["result"] == "FAIL"]
    first = f", first: {wrong['where'].iloc[0]}, {wrong['reason'].iloc[0]}" if len(wrong) else ""
    text = f"{len(wrong)} of {len(found)} arithmetic checks of the headline's own numbers failed{first}."
    check = {
        "check": "tables",
        "status": "FAIL" if len(wrong) else "PASS",
        "value": len(wrong),
        "limit": 0,
        "text": text,
    }
    return {"status": "FAIL" if len(wrong) else audit["status"], "rows": [*audit["rows"], check]}


def _recipes(predictions: pd.DataFrame, settings: StudySettings, progress: Progress) -> Block:
    """`<recipe>.cohorts.<cohort>.<arm>.<model>` -> block of estimates."""
    found: Block = {}
    groups = list(predictions.groupby(["recipe", "arm", "model"], sort=False))
    for done, ((recipe, arm, model), rows) in enumerate(groups):
        progress("evaluate", done, len(groups))
        for cohort, block in _cohorts(rows, settings):
            cohorts = found.setdefault(recipe, {"cohorts": {}})["cohorts"]
            cohorts.setdefault(cohort, {}).setdefault(arm, {})[model] = block
    progress("evaluate", len(groups), len(groups))
    return found


def _cohorts(rows: pd.DataFrame, settings: StudySettings) -> Iterator[tuple[str, Block]]:
    """Blocks of one model: thresholds are fixed on its out-of-fold training predictions and judged on other rows.

    A threshold is not judged on the rows that chose it: in training the largest probability decides.
    """
    by_cohort = dict(list(rows.groupby("cohort")))
    fixed = thresholds(by_cohort["train"])
    chosen = settings.evaluation
    for cohort in VALIDATED:
        if cohort not in by_cohort:
            continue
        part = by_cohort[cohort]
        chosen_here = None if cohort == "train" else fixed
        ordered = settings.outcome.ordered
        block = evaluate(part, chosen_here, chosen.resamples, LEVEL, settings.seed, ordered=ordered)
        if cohort == "train":
            block["per_fold_macro_auc"] = _per_fold(part)
        yield cohort, block
    if "train_apparent" in by_cohort:
        yield "train_apparent", _ranking(by_cohort["train_apparent"], LEVEL)


def _per_fold(part: pd.DataFrame) -> Block:
    return per_fold_macro_auc(part).as_dict()


def _ranking(part: pd.DataFrame, level: float) -> Block:
    """Apparent AUCs only: everything else about training rows is flattery."""
    y, patients = part["y_true"].to_numpy(), part["patient_id"].to_numpy()
    p = part[[c for c in part.columns if c.startswith("p_")]].to_numpy()
    classes = {str(k): auc.class_auc(y == k, p[:, k], patients, level).as_dict() for k in range(p.shape[1])}
    macro, micro = (f(y, p, patients, level).as_dict() for f in (mean_auc.macro_auc, mean_auc.micro_auc))
    return {"class_auc": classes, "macro_auc": macro, "micro_auc": micro}


def comparisons(predictions: pd.DataFrame, headline: dict[str, str], settings: StudySettings) -> list[Block]:
    """Headline model against other arms, models, baselines and the other recipe, on the same rows.

    A family of tests that Holm adjusts together is one of these four in one cohort, macro and class tests apart.
    """
    recipe, arm, model = headline["recipe"], headline["arm"], headline["model"]
    keys = ["recipe", "arm", "model", "cohort"]
    tables = dict(list(predictions.groupby(keys)))
    rows: list[Block] = []
    for cohort in VALIDATED:
        first = tables.get((recipe, arm, model, cohort))
        if first is None:
            continue
        here = [key for key in tables if key[3] == cohort]
        rivals = {
            "arms": [key for key in here if key[0] == recipe and key[2] == model and key[1] != arm],
            "models": [key for key in here if key[:2] == (recipe, arm) and key[2] in NINE and key[2] != model],
            "baselines": [key for key in here if key[:2] == (recipe, arm) and key[2] in (*BASELINES, NETWORK)],
            "recipes": [key for key in here if key[0] != recipe and key[1] == arm and key[2] in (model, BEST)],
        }
        for family, others in rivals.items():
            rows += _family(family, cohort, (recipe, arm, model), first, {key: tables[key] for key in others}, settings)
    return rows


def _family(
    family: str,
    cohort: str,
    ours: tuple[str, str, str],
    first: pd.DataFrame,
    others: dict[tuple[str, str, str, str], pd.DataFrame],
    settings: StudySettings,
) -> list[Block]:
    """Rows of one family in one cohort; only arms are also compared class by class."""
    names = {"arms": 1, "models": 2, "baselines": 2}
    named = {_rival(family, key): table for key, table in others.items()}
    mine = ours[names[family]] if family in names else f"{ours[0]} {ours[2]}"
    found = compare_all({mine: first} | named, settings.evaluation.resamples, LEVEL, settings.seed, against=mine)
    kept = [row for row in found if family == "arms" or row["metric"] == "macro_auc"]
    return [{"family": family, "recipe": ours[0], "cohort": cohort, **row} for row in kept]


def _rival(family: str, key: tuple[str, str, str, str]) -> str:
    recipe, arm, model, _ = key
    return {"arms": arm, "models": model, "baselines": model}.get(family, f"{recipe} {model}")
