"""What ComBat did in this run, in words: which batches it knew, and which cases it left as they are (METHODS E1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovfrad.report.inputs import ReportInput
from ovfrad.report.references import Cited
from ovfrad.report.words import cohort_name, plural


def corrected(data: ReportInput) -> bool:
    """Whether training had two batches or more, so that ComBat had something to learn."""
    return len(_found(data).get("batches", {})) > 1


def harmonisation_words(data: ReportInput, cite: Cited | None = None) -> str:
    """Sentences on the harmonisation of the radiomics; with citations where these are collected."""
    settings, found = data.settings["harmonisation"], _found(data)
    if "harmonisation" not in data.run:
        return "What ComBat corrected is not known: the run was made by an earlier version."
    batch = {"center": "centre"}.get(found.get("column") or "", found.get("column") or "")
    if settings["batch"] == "none":
        return "Features were not harmonised, as the study file says."
    if not batch:
        return "Features were not harmonised: no scanner or centre is known of every case."
    if not corrected(data):
        return f"Features were not harmonised: all training cases come from one {batch}."
    known = ", ".join(f"{name} with {n:,}" for name, n in found["batches"].items())
    kept = f", keeping {' and '.join(settings['covariates'])}" if settings["covariates"] else ""
    cited = f" {cite('johnson2007', 'fortin2018')}" if cite else ""
    words = [
        f"Radiomics were harmonised by ComBat{cited} ({_options(settings, found['reference'])}) with the {batch} as "
        f"batch{kept} ({known} training cases)."
    ]
    words += [_unseen(cohort, part, "and were adapted on these unlabelled cases")
              for cohort, part in found["adapted"].items()]  # fmt: skip
    words += [_unseen(cohort, part, "and were left as they are: not harmonised")
              for cohort, part in found["not_harmonised"].items()]  # fmt: skip
    return " ".join(words)


def _found(data: ReportInput) -> Mapping[str, Any]:
    found: Mapping[str, Any] = data.run.get("harmonisation") or {}
    return found


def _options(settings: Mapping[str, Any], reference: str | None) -> str:
    """What of ComBat's options is in force."""
    how = [
        *([] if settings["parametric"] else ["non-parametric priors"]),
        *([] if settings["empirical_bayes"] else ["no empirical Bayes"]),
        *(["location only"] if settings["mean_only"] else []),
        "towards the grand mean" if reference is None else f"towards {reference}",
    ]
    return ", ".join(how)


def _unseen(cohort: str, part: Mapping[str, int], fate: str) -> str:
    """One sentence on the cases of a cohort whose batches training did not have."""
    total, names = sum(part.values()), ", ".join(part)
    came = f"{plural(total, 'case')} of {cohort_name(cohort).lower()} came"
    return f"{came} from batches that training did not have ({names}), {fate}."
