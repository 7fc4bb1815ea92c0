"""The methods paragraph of a manuscript, written from the resolved study file and what the run found (METHODS H4).

Every sentence depends on a setting or on a number of this run; what only the authors know is left to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovfrad.report.blocks import Block, Section, absent, text
from ovfrad.report.harmonisation import harmonisation_words
from ovfrad.report.inputs import ReportInput
from ovfrad.report.methods_model import (
    evaluation_words,
    explanation_words,
    honesty_words,
    models_words,
    software_words,
)
from ovfrad.report.methods_network import network_words
from ovfrad.report.references import Cited
from ovfrad.report.table_one import flow_numbers
from ovfrad.report.words import class_name, cohort_name, plural

_IMAGES = {"original": "the image as it is", "log": "Laplacian of Gaussian", "wavelet": "wavelet bands"}
_LOSS = {
    "codes": "of the class codes by least squares",
    "ovr": "of each class against the rest",
    "multinomial": "of a multinomial model",
    "ordinal": "of a proportional-odds model",
    "cox": "of a Cox model",
}


def methods(data: ReportInput) -> tuple[list[tuple[str, str]], list[str]]:
    """Headed paragraphs, and the references they cite; both empty where the run kept no resolved study file."""
    if not isinstance(data.settings, Mapping) or "selection" not in data.settings:
        return [], []
    cite = Cited()
    made = [
        ("Patients and outcome", _patients(data, cite)),
        ("Images and radiomics", _images(data, cite)),
        ("Deep features", network_words(data, cite)),
        ("Harmonisation and feature selection", _selection(data, cite)),
        ("Models", models_words(data, cite)),
        ("Evaluation", evaluation_words(data, cite)),
        ("Honesty checks", honesty_words(data)),
        ("Explanation", explanation_words(data, cite)),
        ("Software", software_words(data, cite)),
    ]
    return [(head, " ".join(words.split())) for head, words in made if words], cite.listed


def methods_section(data: ReportInput) -> Section:
    """The section of the report."""
    paragraphs, references = methods(data)
    if not paragraphs:
        reason = "The methods paragraph is absent: the run kept no resolved study file."
        return Section("methods", "Methods, to be edited", [absent(reason)])
    head = text(
        "Written from the resolved study file and the numbers of this run, for the authors to edit: dates, centres, "
        "ethics, criteria and readers are theirs to add. tables/manuscript.docx has the same text and the main tables."
    )
    blocks = [Block("text", title=title, text=words) for title, words in paragraphs]
    return Section(
        "methods",
        "Methods, to be edited",
        [head, *blocks, Block("list", title="References", name="references", items=references)],
    )


def _patients(data: ReportInput, cite: Cited) -> str:
    boxes = flow_numbers(data)
    _, patients, rows, _ = boxes[0]
    word = "vertebra" if data.unit == "vertebrae" else data.unit.removesuffix("s")
    gone = [
        f"{plural(n, word)} {'were' if n > 1 else 'was'} {'excluded' if name == 'Excluded' else 'set aside'}"
        f"{f' ({reasons})' if reasons else ''}"
        for name, _, n, reasons in boxes
        if name.startswith(("Excluded", "Set aside"))
    ]
    classes = ", ".join(class_name(k, data.classes, data.outcome) for k in range(len(data.classes)))
    scored = (
        f" after the Assessment System of Thoracolumbar Osteoporotic Fractures, as in {cite('liu2025')}: morphology, "
        "MRI, bone density and pain give 0 to 8 points, with class 0 up to 3, class 1 at 4 and class 2 from 5"
        if data.outcome == "astlof_class"
        else ""
    )
    cohorts = ", ".join(
        f"{cohort_name(c).split(' (')[0].lower()} {int((data.cases['cohort'] == c).sum())}" for c in data.cohorts
    )
    return (
        f"{plural(rows, word)} of {plural(patients, 'patient')} were assessed. {'; '.join(gone) + '. ' if gone else ''}"
        f"The outcome was {data.outcome} ({classes}; {'ordered' if data.ordered else 'without order'}){scored}. "
        f"{_split(data)} Cohorts ({data.unit}): {cohorts}."
    )


def _split(data: ReportInput) -> str:
    told = data.settings["cohorts"]
    column, share = told.get("column"), told.get("internal_share")
    if column and column in data.cases:
        return f"Cohorts were those named in the column {column} of the case table; no patient was in two of them."
    return (
        f"Patients outside the validation cohorts by rule were split at random, by patient and balanced by class, with "
        f"{100 * share:.0f}% set aside for internal validation."
    )


def _images(data: ReportInput, cite: Cited) -> str:
    if data.source == "features":
        return "Features came from a table; no image was read."
    imaging, radiomics = data.settings["imaging"], data.settings["radiomics"]
    low, high = imaging["window_hu"]
    kinds = [_IMAGES.get(kind, kind) for kind in radiomics["image_types"]]
    if "log" in radiomics["image_types"]:
        sigmas = ", ".join(f"{s:g}" for s in radiomics["log_sigma_mm"])
        kinds[radiomics["image_types"].index("log")] += f" (sigma {sigmas} mm)"
    if "wavelet" in radiomics["image_types"]:
        kinds[radiomics["image_types"].index("wavelet")] += f" ({radiomics['wavelet']}, 8 bands)"
    scale = "Hounsfield units" if radiomics["intensities"] == "hu" else f"z-scores times {radiomics['z_scale']:g}"
    synthetic = " The images were synthetic phantoms." if data.synthetic else ""
    return (
        f"CT volumes were read in Hounsfield units, oriented to LPS and resampled to {imaging['spacing_mm']:g} mm "
        f"isotropic "
        f"voxels (B-spline; masks: nearest neighbour).{synthetic} From the masked vertebra, features of shape, "
        f"first-order statistics and texture (GLCM, GLRLM, GLSZM, GLDM, NGTDM) were computed on {', '.join(kinds)}, "
        f"from "
        f"{scale} with bins of {radiomics['bin_width']:g}, by the definitions of PyRadiomics 3.0.1 "
        f"{cite('griethuysen2017')}, "
        f"which follow the Image Biomarker Standardisation Initiative in most features {cite('ibsi2020')}. Pictures "
        f"use a "
        f"window of {low:g} to {high:g} HU."
    )


def _icc(data: ReportInput, cite: Cited) -> str:
    """What filtered by reproducibility: two readers, one against perturbations of itself, or nothing."""
    chosen, facts = data.settings["selection"], {} if data.chosen is None else data.chosen.facts
    pairs = facts.get("icc_pairs", 0)
    if not pairs:
        return "No case was outlined twice, so that no feature was dropped for lack of reproducibility. "
    perturbed = any(line.startswith("W_ONE_READER") for line in data.warnings)
    what = "an outline and its seeded perturbation" if perturbed else "two outlines"
    bound = "" if chosen["icc_bound"] == "estimate" else " at the lower 95% limit"
    kept = f"Features with an ICC({chosen['icc_kind']}) of {what} of at least {chosen['icc_min']:g}{bound}"
    return f"{kept} {cite('mcgraw1996')} were kept ({plural(pairs, 'case')}). "


def _spearman(chosen: Mapping[str, Any]) -> str:
    order = "the one with most such partners first" if chosen["spearman_rule"] == "degree" else "in column order"
    return f"Of pairs with |Spearman rho| above {chosen['spearman_max']:g} one was dropped, {order}."


def _selection(data: ReportInput, cite: Cited) -> str:
    chosen = data.settings["selection"]
    words = ["Everything learned was fitted to training patients only, and again inside every fold."]
    words.append(harmonisation_words(data, cite))
    words += ["Missing values took the median of the training rows."] if chosen["missing"] == "impute" else []
    words.append(_icc(data, cite) + _spearman(chosen))
    rule = "the one-standard-error rule" if chosen["lasso_rule"] == "1se" else "the minimum"
    loss = _LOSS["ovr" if chosen["lasso_kind"] == "codes" and not data.ordered else chosen["lasso_kind"]]
    words.append(
        f"A LASSO {loss} {cite('tibshirani1996')} with its penalty by {rule} of 10-fold cross-validation followed"
    )
    words[-1] += (
        f"; of features correlated above {chosen['prune_above']:g} the weaker was dropped"
        if chosen["prune_above"]
        else ""
    )
    if any(w.kind != "none" for w in data.weights.values()):
        words[-1] += "; the kept radiomics and the components were z-scored and selected by a second LASSO"
    return " ".join([*words[:-1], words[-1] + "."])
