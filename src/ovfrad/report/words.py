"""Numbers and names as a clinical journal prints them: two decimals, p without a leading zero."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from ovfrad.astlof import TREATMENT
from ovfrad.evaluation.estimate import Estimate, PValue

COHORT_WORDS = {
    "train": "Training (nested)",
    "train_apparent": "Training (apparent)",
    "train_inner": "Training (inner CV)",
    "internal": "Internal validation",
    "external": "External validation",
    "prospective": "Prospective validation",
}
MODEL_WORDS = {
    "auto": "auto (mean of five)",
    "best_of_nine": "best of nine by inner CV",
    "sparse": "sparse score (at most 10 features)",
    "rad_score": "rad-score",
    "L2_all": "baseline: L2 logistic, all features",
    "RF_all": "baseline: random forest, all features",
    "deep_only": "baseline: deep features only",
    "network": "the tuned network alone",
    "volume": "baseline: volume only",
    "height": "baseline: height loss only",
    "center": "baseline: centre only",
    "clinical": "baseline: clinical only",
}
RESEARCH_ONLY = "Research use only, not a medical device"
MISSING = "–"


def cohort_name(cohort: str) -> str:
    """Cohort as a heading; unknown cohorts keep their own name."""
    return COHORT_WORDS.get(cohort, cohort)


def model_name(model: str) -> str:
    """Model as a reader knows it.

    >>> model_name("auto"), model_name("XGBoost")
    ('auto (mean of five)', 'XGBoost')
    """
    return MODEL_WORDS.get(model, model)


def class_name(code: int, classes: Any, outcome: str = "") -> str:
    """Class with its treatment when the outcome is ASTLOF.

    >>> class_name(2, ["0", "1", "2"], "astlof_class"), class_name(0, ["DH", "SL"], "diagnosis")
    ('class 2 (surgical)', 'DH')
    """
    text = str(classes[code])
    if outcome == "astlof_class" and text == str(code) and code in TREATMENT:
        short = {0: "conservative", 1: "either", 2: "surgical"}[code]
        return f"class {code} ({short})"
    return f"class {text}" if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def feature_name(name: str) -> str:
    """Feature short enough for an axis, and still findable in the table.

    >>> feature_name("original_glcm_ClusterShade"), feature_name("deep_random_0012"), feature_name("pc_03")
    ('glcm ClusterShade', 'deep random 0012', 'deep component 03')
    >>> feature_name("log-sigma-3-0-mm-3D_ngtdm_Contrast"), feature_name("wavelet-LLH_glcm_Idn")
    ('LoG 3 mm ngtdm Contrast', 'wavelet-LLH glcm Idn')
    """
    name = re.sub(r"^pc_", "deep component ", name)
    plain = re.sub(r"^log-sigma-(\d+)-(\d+)-mm-3D_", _scale, name.removeprefix("original_"))
    return plain.replace("_", " ")


def _scale(found: re.Match[str]) -> str:
    whole, part = found.groups()
    return f"LoG {whole}{'' if part == '0' else '.' + part} mm_"


def known(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number."""
    return (isinstance(value, (int, float)) and math.isfinite(value)) or (
        hasattr(value, "item") and known(value.item())
    )


def number(value: Any, digits: int = 2) -> str:
    """A number with so many decimals; a dash where there is none.

    >>> number(0.8349), number(None), number(-0.001)
    ('0.83', '–', '0.00')
    """
    if not known(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def unit_share(value: Any, digits: int = 2) -> str:
    """A share of 1 (AUC, accuracy); what is not quite 0 or 1 is not rounded to it.

    >>> unit_share(0.793), unit_share(0.998), unit_share(1.0)
    ('0.79', '>0.99', '1.00')
    """
    text = number(value, digits)
    if text == number(1, digits) and value < 1:
        return f">{1 - 10**-digits:.{digits}f}"
    if text == number(0, digits) and value > 0:
        return f"<{10**-digits:.{digits}f}"
    return text


def percent(count: float, total: float) -> str:
    """Count and percentage of a total: `541 (72.1)`.

    >>> percent(541, 750), percent(0, 0)
    ('541 (72.1)', '0 (–)')
    """
    return f"{count:.0f} ({100 * count / total:.1f})" if total else f"{count:.0f} ({MISSING})"


def p_value(p: Any) -> str:
    """P value without a leading zero; three decimals below .01 and where two would hide the side of .05.

    >>> [p_value(p) for p in (0.0004, 0.0042, 0.034, 0.0478, 0.21, 0.999, None)]
    ['< .001', '.004', '.03', '.048', '.21', '> .99', '–']
    >>> p_value(2.34)
    Traceback (most recent call last):
    ValueError: a p value lies between 0 and 1; got 2.34.
    """
    if not known(p):
        return MISSING
    p = PValue(p)
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    digits = 3 if p < 0.01 or 0.045 <= p < 0.055 else 2
    return f"{p:.{digits}f}".lstrip("0")


def p_sentence(p: Any) -> str:
    """`p = .03`, `p < .001`, or a dash."""
    text = p_value(p)
    return text if text == MISSING else f"p {text}" if text[0] in "<>" else f"p = {text}"


def estimate(value: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Estimate with its interval, as a table cell.

    >>> estimate({"estimate": 0.7912, "low": 0.714, "high": 0.849})
    '0.79 (0.71 to 0.85)'
    >>> estimate({"estimate": 0.7912, "low": None, "high": None})
    '0.79 (no interval)'
    >>> estimate({"estimate": None, "low": 0.714, "high": 0.849})
    Traceback (most recent call last):
    ValueError: an interval needs its estimate; got limits without one.
    """
    if value is None or not known(Estimate.from_dict(value).estimate):
        return MISSING
    text = unit_share(value["estimate"], digits)
    low, high = value.get("low"), value.get("high")
    if not (known(low) and known(high)):
        return f"{text} (no interval)"
    return f"{text} ({unit_share(low, digits)} to {unit_share(high, digits)})"


def sentence(value: Mapping[str, Any] | None, name: str, unit: str = "vertebrae") -> str:
    """The house sentence of one estimate.

    >>> auc = {"estimate": 0.79, "low": 0.71, "high": 0.85, "method": "DeLong, logit", "n": 110, "n_patients": 97}
    >>> sentence(auc, "macro AUC")
    'macro AUC 0.79 (0.71 to 0.85; DeLong, logit; n = 110 vertebrae of 97 patients)'
    >>> sentence({"estimate": 0.8, "method": "no interval: 2 patients", "n": 13, "n_patients": 10}, "macro AUC")
    'macro AUC 0.80 (no interval: 2 patients; n = 13 vertebrae of 10 patients)'
    """
    if value is None or not known(value.get("estimate")):
        return f"{name} not estimated" + (f": {value['method']}" if value and value.get("method") else "")
    text, method = estimate(value).rstrip(")"), f"; {value['method']}" if value.get("method") else ""
    if text.endswith("(no interval"):
        text, method = text.removesuffix("no interval"), method.removeprefix("; ") or "no interval"
    n = f"; n = {value['n']} {unit}" if known(value.get("n")) else ""
    patients = value.get("n_patients")
    patients = f" of {patients} patients" if known(patients) and unit != "patients" else ""
    return f"{name} {text}{method}{n}{patients})"


def plural(count: int, word: str) -> str:
    """Count and noun.

    >>> plural(1, "patient"), plural(2, "vertebra")
    ('1 patient', '2 vertebrae')
    """
    if count == 1:
        return f"1 {word}"
    return f"{count:,} {'vertebrae' if word == 'vertebra' else word + 's'}"


def duration(seconds: Any) -> str:
    """Seconds in words.

    >>> duration(42), duration(190)
    ('42 s', '3 min 10 s')
    """
    if not known(seconds):
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
