"""Studies that start from a feature table, clean and with one leak planted in the table."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputWarning
from ovfrad.models.honesty import Check
from ovfrad.workflow.features import extract_study
from ovfrad.workflow.fit import fit_study, load_recipes
from ovfrad.workflow.folder import RunFolder, silent
from ovfrad.workflow.honesty import audit_study, data_checks
from ovfrad.workflow.rows import make_rows

FEATURES = [
    *(f"original_shape_{name}" for name in ("MeshVolume", "VoxelVolume", "Sphericity", "Flatness", "LeastAxisLength")),
    *(f"original_firstorder_{name}" for name in ("Mean", "Entropy", "Skewness", "Kurtosis", "Range")),
    *(f"original_glcm_{name}" for name in ("Contrast", "Correlation", "Imc1", "Id", "JointEnergy")),
    *(f"original_glrlm_{name}" for name in ("RunEntropy", "GrayLevelVariance", "RunVariance", "ShortRunEmphasis")),
]
SETTINGS = """\
models: {classifiers: [LR], outer_folds: 3, inner_folds: 3, headline: {model: LR}}
evaluation: {resamples: 100}
honesty: {permutations: 2}
"""
SIZES = {"train": 90, "internal": 30, "external": 30}


def clean(seed: int = 0, signal: float = 1.0) -> pd.DataFrame:
    """A table as an honest study has it: siblings, two scanners, skewed and correlated features, some with signal."""
    rng = np.random.default_rng(seed)
    n, patients = sum(SIZES.values()), 130
    patient = np.sort(np.r_[np.arange(patients), rng.choice(patients, n - patients, replace=False)])
    severity = rng.normal(size=n)
    hidden = rng.normal(size=(n, 8)) + 0.5 * rng.normal(size=(patients, 8))[patient]
    X = hidden @ rng.normal(size=(8, len(FEATURES))) / 3 + 0.5 * rng.normal(size=(n, len(FEATURES)))
    X[:, [2, 6, 11, 16]] += signal * severity[:, None]
    table = pd.DataFrame(np.exp(X / 2) * 10.0 ** np.arange(len(FEATURES)).clip(0, 4), columns=FEATURES)
    items = {"morphology": severity + 0.5 * rng.normal(size=n), "mri": severity + rng.normal(size=n), "pain": severity}
    points = {name: np.digitize(value, (-0.4, 0.8)) for name, value in items.items()}
    t_score = np.round(-2.6 - 0.5 * severity - 0.6 * rng.normal(size=n), 2).clip(-5.5, 1)
    total = sum(points.values()) + np.digitize(-t_score, (2.5, 3.5))
    return pd.DataFrame(
        {
            "patient_id": [f"P{p:03d}" for p in rng.permutation(patients)[patient]],
            "vertebra": [f"T{5 + v}" for v in pd.Series(patient).groupby(patient).cumcount()],
            "cohort": np.repeat(list(SIZES), list(SIZES.values()))[np.searchsorted(np.sort(patient), patient)],
            "center": "A",
            "scanner": np.array(["A1", "A2"])[patient % 2],
            "age": rng.integers(50, 90, patients)[patient],
            "sex": rng.choice(["F", "M"], patients)[patient],
            "t_score": t_score,
            **points,
            "astlof_class": np.where(total <= 3, 0, np.where(total == 4, 1, 2)),
            **table,
        }
    )


def write(folder: Path, table: pd.DataFrame, settings: str = SETTINGS) -> Path:
    """study.yaml and its table."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    (folder / "study.yaml").write_text(f"name: planted\nfeatures: table.csv\n{settings}", encoding="utf-8")
    return folder / "study.yaml"


def looked_at(path: Path) -> dict[str, Check]:
    """Checks of the table alone, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        study = next(iter(load_recipes(path, None).values()))
        features = extract_study(study, RunFolder(path.parent / "run"), (study.settings.radiomics,), silent)
        cohorts = [name for name in SIZES if (features.cases["cohort"] == name).any()]
        table = features.of(study.settings)
        rows = {name: make_rows(study.settings, features.cases, table, name) for name in cohorts}
        return {check.check: check for check in data_checks(study.settings, features.cases, rows)}


def audited(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of the audit of a fitted study, by name."""
    folder = RunFolder(path.parent / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        fitted = fit_study(load_recipes(path, None), folder, silent, jobs=1)
        audit = audit_study(fitted, silent)
    return {row["check"]: row for row in audit["rows"]}
