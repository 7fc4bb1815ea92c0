"""Tables of the cases: Table 1 by cohort, Table 2 class by treatment (METHODS A5; paper Tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from ovfrad.report.inputs import ReportInput
from ovfrad.report.words import MISSING, class_name, number, p_value, percent

#: Skewness beyond which a column is summarised by its median and ranks.
SKEWED = 1.0
#: Monte Carlo draws of Fisher's exact test beyond 2 x 2.
FISHER_DRAWS = 4999
_PATIENT_ROWS = (("sex", "Sex"), ("age", "Age, years"), ("t_score", "DXA T-score, SD"))
_VERTEBRA_ROWS = (
    ("location", "Fracture location"),
    ("fracture_stage", "Fracture stage"),
    ("astlof_score", "ASTLOF score, points"),
    ("treatment", "Treatment"),
)
#: Levels in the order of the paper; others follow by name.
_ORDER = ("F", "M", "thoracic", "lumbar", "acute", "chronic", "conservative", "pva", "open surgery")
_WORDS = {"F": "Female", "M": "Male", "f": "Female", "m": "Male"}


def table_one(data: ReportInput) -> pd.DataFrame:
    """Baseline characteristics by cohort.

    Sex, age and T-score are of patients (each once, at the first of the rows); all others are of vertebrae.

    Returns
    -------
    DataFrame of str, columns Characteristic, Counted, one per cohort, All, p, Test, SMD.
    """
    cases = data.cases[data.cases["cohort"].notna()]
    patients = cases.drop_duplicates(["cohort", "patient_id"])
    columns = [c.capitalize() for c in data.cohorts]
    rows = [
        _sizes("Patients, n", "patients", patients, data.cohorts),
        _sizes(f"{data.unit.capitalize()}, n", data.unit, cases, data.cohorts),
    ]
    for column, label in _PATIENT_ROWS:
        rows += _variable(patients, column, label, "patients", data.cohorts)
    several = patients.assign(several=patients["patient_id"].map(cases["patient_id"].value_counts()))
    if data.unit == "vertebrae":
        rows += _variable(
            several.astype({"several": str}), "several", "Vertebrae per patient", "patients", data.cohorts
        )
    for column, label in _VERTEBRA_ROWS:
        if column == "astlof_score" and data.outcome == "astlof_class":
            continue
        rows += _variable(_grouped(cases), column, label, data.unit, data.cohorts)
    outcome = cases.assign(outcome=[class_name(int(y), data.classes, data.outcome) for y in cases["y"]])
    rows += _variable(outcome, "outcome", "Outcome", data.unit, data.cohorts)
    order = ["Characteristic", "Counted", *columns, "All", "p", "Test", "SMD"]
    return pd.DataFrame(rows).reindex(columns=order).fillna("")


def _grouped(cases: pd.DataFrame) -> pd.DataFrame:
    """ASTLOF totals in the groups of the paper's Table 1."""
    if "astlof_score" not in cases:
        return cases
    points = pd.to_numeric(cases["astlof_score"], errors="coerce")
    group = np.select([points <= 3, points == 4, points >= 5], ["0 to 3", "4", "5 to 8"], default="")
    return cases.assign(astlof_score=pd.Series(group, index=cases.index).replace("", None))


def _sizes(label: str, counted: str, rows: pd.DataFrame, cohorts: Sequence[str]) -> dict[str, str]:
    sizes = {c.capitalize(): str(int((rows["cohort"] == c).sum())) for c in cohorts}
    every = rows["patient_id"].nunique() if counted == "patients" else len(rows)
    return {"Characteristic": label, "Counted": counted, **sizes, "All": str(every)}


def _variable(
    rows: pd.DataFrame, column: str, label: str, counted: str, cohorts: Sequence[str]
) -> list[dict[str, str]]:
    """Rows of one characteristic; none when the column is absent or empty."""
    if column not in rows or not rows[column].notna().any():
        return []
    values = rows[column]
    groups = [values[rows["cohort"] == c] for c in cohorts]
    every = values if counted != "patients" else values[~rows["patient_id"].duplicated()]
    if column in ("age", "t_score"):
        block = _continuous(label, groups, every, cohorts)
    else:
        block = _categorical(label, groups, every, cohorts)
    missing = [g.isna().sum() for g in groups]
    if sum(missing):
        counts = {c.capitalize(): percent(m, len(g)) for c, m, g in zip(cohorts, missing, groups, strict=True)}
        block.append({"Characteristic": "  Missing, n (%)", **counts, "All": percent(every.isna().sum(), len(every))})
    return [{"Counted": counted, **block[0]}, *block[1:]]


def _continuous(label: str, groups: list[pd.Series], every: pd.Series, cohorts: Sequence[str]) -> list[dict[str, str]]:
    numbers = [pd.to_numeric(g, errors="coerce").dropna().to_numpy(float) for g in groups]
    skewed = any(len(x) > 2 and np.ptp(x) > 0 and abs(stats.skew(x)) > SKEWED for x in numbers)
    kind = "median (quartiles)" if skewed else "mean (SD)"
    p, test = compare_numbers(numbers, ranks=skewed)
    cells = {c.capitalize(): _centre(x, skewed) for c, x in zip(cohorts, numbers, strict=True)}
    total = _centre(pd.to_numeric(every, errors="coerce").dropna().to_numpy(float), skewed)
    smd = max((abs(smd_numbers(a, b)) for a, b in _against_first(numbers)), default=np.nan)
    tail = {"All": total, "p": p_value(p), "Test": test, "SMD": number(smd)}
    return [{"Characteristic": f"{label}, {kind}", **cells, **tail}]


def _centre(x: np.ndarray, skewed: bool) -> str:
    if not len(x):
        return MISSING
    if skewed:
        low, middle, high = np.percentile(x, [25, 50, 75])
        return f"{middle:.1f} ({low:.1f} to {high:.1f})"
    spread = f"{x.std(ddof=1):.1f}" if len(x) > 1 else MISSING
    return f"{number(x.mean(), 1)} ({spread})"


def _categorical(label: str, groups: list[pd.Series], every: pd.Series, cohorts: Sequence[str]) -> list[dict[str, str]]:
    levels = sorted(every.dropna().unique(), key=_place)
    table = np.array([[(g == level).sum() for level in levels] for g in groups])
    p, test = compare_counts(table)
    smd = max((smd_counts(a, b) for a, b in _against_first(list(table))), default=np.nan)
    head = {"Characteristic": f"{label}, n (%)", "p": p_value(p), "Test": test, "SMD": number(smd)}
    rows = [head]
    for j, level in enumerate(levels):
        cells = {c.capitalize(): percent(r[j], r.sum()) for c, r in zip(cohorts, table, strict=True)}
        total = percent((every == level).sum(), every.notna().sum())
        rows.append({"Characteristic": f"  {_WORDS.get(str(level), str(level))}", **cells, "All": total})
    return rows


def _place(level: object) -> tuple[int, str]:
    """Sorting key of a level: the paper's order, then by name."""
    name = str(level)
    order = [o.lower() for o in _ORDER]
    return (order.index(name.lower()) if name.lower() in order else len(order), name)


def _against_first(groups: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(groups[0], other) for other in groups[1:]]


def compare_numbers(groups: Sequence[np.ndarray], ranks: bool = False) -> tuple[float, str]:
    """Test of one number between cohorts: Welch's t or Mann-Whitney for two, ANOVA or Kruskal-Wallis for more.

    >>> p, test = compare_numbers([np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), np.array([5.0, 6, 7])])
    >>> round(p, 4), test
    (0.0066, 'ANOVA')
    """
    groups = [g for g in groups if len(g) > 1]
    if len(groups) < 2 or np.ptp(np.concatenate(groups)) == 0 or not any(np.ptp(g) > 0 for g in groups):
        return np.nan, MISSING
    if ranks:
        two = len(groups) == 2
        result = stats.mannwhitneyu(*groups) if two else stats.kruskal(*groups)
        return float(result.pvalue), "Mann-Whitney" if two else "Kruskal-Wallis"
    if len(groups) == 2:
        return float(stats.ttest_ind(*groups, equal_var=False).pvalue), "Welch t"
    return float(stats.f_oneway(*groups).pvalue), "ANOVA"


def compare_counts(table: np.ndarray) -> tuple[float, str]:
    """Test of a contingency table: chi-square, or Fisher's exact test when a fifth of the expected counts is below 5.

    Beyond 2 x 2 the exact test (Freeman-Halton) is a Monte Carlo one with a fixed seed.

    >>> p, test = compare_counts(np.array([[20, 30], [30, 20]]))
    >>> round(p, 4), test
    (0.0455, 'chi-square')
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return np.nan, MISSING
    chi = stats.chi2_contingency(table, correction=False)
    if np.mean(chi.expected_freq < 5) <= 0.2 and chi.expected_freq.min() >= 1:
        return float(chi.pvalue), "chi-square"
    if table.shape == (2, 2):
        return float(stats.fisher_exact(table).pvalue), "Fisher"
    method = stats.PermutationMethod(n_resamples=FISHER_DRAWS, rng=np.random.default_rng(0))
    return float(stats.fisher_exact(table, method=method).pvalue), "Fisher, Monte Carlo"


def smd_numbers(a: np.ndarray, b: np.ndarray) -> float:
    """Standardised mean difference: difference of means over the root of the mean variance.

    >>> round(smd_numbers(np.array([1.0, 2, 3]), np.array([2.0, 3, 4])), 3)
    -1.0
    """
    if min(len(a), len(b)) < 2 or not (spread := np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)):
        return float("nan")
    return float((a.mean() - b.mean()) / spread)


def smd_counts(a: np.ndarray, b: np.ndarray) -> float:
    """Standardised difference of two multinomial samples (Yang and Dalton 2012), from counts per level.

    >>> round(smd_counts(np.array([50, 50]), np.array([60, 40])), 3)
    0.202
    """
    if not (a.sum() and b.sum()):
        return float("nan")
    p, q = (a / a.sum())[1:], (b / b.sum())[1:]
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    return float(np.sqrt(max((p - q) @ np.linalg.pinv(covariance) @ (p - q), 0)))


def table_two(data: ReportInput) -> pd.DataFrame | None:
    """Class by treatment: count and percentage within the class; None without a treatment column."""
    cases = data.cases
    if "treatment" not in cases or not cases["treatment"].notna().any():
        return None
    counts = pd.crosstab(cases["y"].astype(int), cases["treatment"].fillna("missing"))
    totals = counts.sum(axis=1)
    rows = []
    for code, row in counts.iterrows():
        cells = {f"{t} (n={counts[t].sum()})": percent(row[t], totals[code]) for t in sorted(counts, key=_place)}
        rows.append(
            {"Classification": class_name(int(code), data.classes, data.outcome), "n": str(totals[code]), **cells}
        )
    return pd.DataFrame(rows)


def flow_numbers(data: ReportInput) -> list[tuple[str, int, int, str]]:
    """Boxes of the flow chart: name, patients, vertebrae, and the reasons of what left."""
    left = [frame for frame in (data.excluded, data.quarantine) if frame is not None and len(frame)]
    everyone = pd.concat([data.cases[["patient_id"]], *[f[["patient_id"]].astype(str) for f in left]])
    boxes = [("Assessed for eligibility", everyone["patient_id"].nunique(), len(everyone), "")]
    for frame, name in ((data.excluded, "Excluded"), (data.quarantine, "Set aside (quarantine)")):
        if frame is not None and len(frame):
            boxes.append((name, frame["patient_id"].nunique(), len(frame), _reasons(frame)))
    boxes.append(("Analysed", data.cases["patient_id"].nunique(), len(data.cases), ""))
    for cohort in data.cohorts:
        rows = data.cases[data.cases["cohort"] == cohort]
        boxes.append((cohort, rows["patient_id"].nunique(), len(rows), ""))
    return boxes


def _reasons(frame: pd.DataFrame) -> str:
    column = next((c for c in ("exclusion", "reason", "code", "fault") if c in frame), None)
    if column is None:
        return ""
    counts = frame[column].fillna("no reason given").astype(str).value_counts()
    shown = [f"{reason}: {n}" for reason, n in counts.head(4).items()]
    return "; ".join(shown + ([f"other: {counts.iloc[4:].sum()}"] if len(counts) > 4 else []))
