"""The second half of the methods paragraph: models, evaluation, honesty checks, explanation, software."""

from __future__ import annotations

from collections.abc import Mapping

from ovfrad.report.inputs import ReportInput
from ovfrad.report.references import Cited
from ovfrad.report.words import plural


def models_words(data: ReportInput, cite: Cited) -> str:
    """Headline model, classifiers, tuning and recalibration."""
    models = data.settings["models"]
    names = ", ".join(models["classifiers"])
    weights = "without class weights"
    if models["class_weights"]:
        weights = "with classes weighted inversely to their frequency"
    elif models["smote"]:
        weights = f"with rare classes filled by SMOTE {cite('chawla2002')} inside each fold"
    sources = [f"scikit-learn {cite('pedregosa2011')}"]
    sources += [f"XGBoost {cite('chen2016')}"] if "XGBoost" in models["classifiers"] else []
    sources += [f"LightGBM {cite('ke2017')}"] if "LightGBM" in models["classifiers"] else []
    count = len(models["classifiers"])
    return (
        f"{_headline(data)} Beside it, {plural(count, 'classifier')} ({names}; {', '.join(sources)}) "
        f"{'was' if count == 1 else 'were'} fitted to the selected set {weights}{_inner(data, count)}"
    )


def _inner(data: ReportInput, classifiers: int) -> str:
    """What the inner folds chose, as many as there were."""
    inner = _folds(data, "inner")
    if not inner:
        return (
            ", at the first point of each grid: too few patients for inner folds. Probabilities were not recalibrated."
        )
    recalibrated = (
        " Probabilities were recalibrated by a temperature and class offsets, with a prior at no correction, fitted "
        "to cross-fitted training predictions."
        if data.settings["models"]["recalibrate"]
        else ""
    )
    return (
        f", {'its grid' if classifiers == 1 else 'their grids'} chosen by log-loss in {inner}-fold cross-validation "
        f"grouped by patient and stratified by class.{recalibrated}"
    )


def _folds(data: ReportInput, kind: str) -> int:
    """Outer or inner folds as they were used, which scarce classes make fewer than asked for."""
    return int((data.run.get("folds") or {}).get(kind, data.settings["models"][f"{kind}_folds"]))


def _headline(data: ReportInput) -> str:
    if data.headline is None:
        return ""
    what = {
        "auto": "the mean of the probabilities of an L2 logistic regression on z-scores, one on ranks with families of "
        "features balanced, the same with singular values replaced by their square roots, extremely randomised trees "
        "and a random forest, all on every radiomics feature left by the ICC and every deep component",
        "best_of_nine": "the best of the nine classifiers by inner cross-validation on training data",
    }.get(data.headline[2], data.headline[2])
    fixed = data.run.get("prespecified") or {}
    parts = " (the study file, its cases, images or masks were changed after an earlier run)"
    changed = parts if fixed.get("changed") else ""
    return f"The headline model, named in the study file before the run{changed}, was {what} (arm {data.headline[1]})."


def evaluation_words(data: ReportInput, cite: Cited) -> str:
    """Folds, measures, intervals, comparisons, calibration, sets."""
    resamples = data.settings["evaluation"]["resamples"]
    level = data.settings["evaluation"]["level"]
    ordered = " for P(class ≥ k) and the highest class" if data.ordered and len(data.classes) > 2 else ""
    return (
        f"Training patients were evaluated out of fold in {_folds(data, 'outer')} outer folds that repeat the whole "
        "chain; validation cohorts were predicted once, by the model of all training patients. One-vs-rest AUCs have "
        f"logit-DeLong intervals {cite('delong1988')} robust to several rows of one patient "
        f"{cite('obuchowski1997')}, and Newcombe's method 5 {cite('newcombe2006')} where a class or its rest has fewer "
        "than 20; below 3 there is no interval. The macro AUC is the mean of the class AUCs, with a cluster-robust "
        "interval on the logit scale. Other measures have percentile intervals of the patient bootstrap "
        f"({resamples:,} resamples), small counts Wilson's {cite('wilson1927')} with patients as trials. Thresholds "
        "were fixed on out-of-fold training predictions (Youden). Models were compared on the same rows, with Holm's "
        f"correction {cite('holm1979')}. Calibration was judged by reliability curves, Brier score and log-loss, use "
        f"by decision curves {cite('vickers2006')}{ordered}. Conformal sets {cite('vovk2005')} aim at "
        f"{100 * level:g}% coverage of each class; calibrated on cross-fitted predictions, they promise less than "
        "with a calibration cohort."
    )


def honesty_words(data: ReportInput) -> str:
    """Checks that ran and how they ended."""
    audit = (data.results or {}).get("audit") or {}
    rows = audit.get("rows", [])
    if not rows:
        return "No honesty check was run."
    counts = {
        status: sum(str(r.get("status", "")).upper() == status for r in rows) for status in ("PASS", "WARN", "FAIL")
    }
    told = ", ".join(f"{n} {status}" for status, n in counts.items() if n)
    permuted = next((str(r.get("text", "")) for r in rows if str(r.get("check", "")).startswith("permutation")), "")
    words = f"{plural(len(rows), 'automatic check')} of leakage and of artefacts ran ({told})."
    return f"{words} Label permutation of the whole procedure: {permuted.rstrip('.')}." if permuted else words


def explanation_words(data: ReportInput, cite: Cited) -> str:
    """SHAP and nomogram, as far as the run has them."""
    words = ""
    if data.shap is not None:
        words = (
            f"SHAP values {cite('lundberg2017', 'lundberg2020')} of {len(data.shap.case_ids)} {data.unit} were "
            f"computed "
            f"before recalibration ({data.shap.table.method}), against k-means centres of the training rows."
        )
    if data.nomogram is not None:
        kind = "one proportional-odds model" if data.nomogram.proportional else "one logistic model for each threshold"
        words += (
            f" The nomogram is that of {kind} {cite('mccullagh1980')} of the cross-fitted rad-score and baseline "
            f"characteristics with P < .05 alone; proportional odds were tested by Brant {cite('brant1990')}."
        )
    return words


def software_words(data: ReportInput, cite: Cited) -> str:
    """Versions, hashes, and what was fixed beforehand."""
    run = data.run
    packages = run.get("packages") or run.get("software") or {}
    named = ", ".join(f"{name} {number}" for name, number in packages.items()) if isinstance(packages, Mapping) else ""
    python = f"Python {run['python']}" if run.get("python") else "Python"
    hashed = f" The resolved study file has SHA-256 {run['study_sha256']}." if run.get("study_sha256") else ""
    fixed = run.get("prespecified") or {}
    listed = (
        f" The case list without outcomes (SHA-256 {fixed['case_list_sha256']}) and the headline model were fixed at "
        f"{fixed['at']}."
        if fixed.get("case_list_sha256") and fixed.get("at")
        else ""
    )
    return (
        f"The method is that of Liu et al. {cite('liu2025')} under recipe {data.settings.get('recipe', 'sound')}, in "
        f"ovfrad "
        f"{run.get('version', '')} ({python}{'; ' + named if named else ''}).{hashed}{listed}"
    )
