"""Centres that training never saw: left alone, or harmonised on their own unlabelled cases."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.errors import InputWarning
from ovfrad.workflow.fit import fit_study, load_recipes
from ovfrad.workflow.folder import RunFolder, silent

SETTINGS = """\
features: table.csv
outcome: {column: grade}
models: {classifiers: [LR], outer_folds: 2, inner_folds: 2}
"""


def ovfrad(*arguments: object) -> int:
    return guarded(app, [str(argument) for argument in arguments])


def study(folder: Path, external: int, unseen: str) -> Path:
    """Training on scanners S1 and S2; an external scanner S3 whose features are shifted by three SD."""
    rng = np.random.default_rng(2)
    n = 90 + external
    y = np.arange(n) % 3
    X = rng.normal(size=(n, 6)) + np.outer(y, [1.5, 1, 0, 0, 0, 0])
    scanner = np.array(["S1", "S2"])[rng.integers(0, 2, n)].astype(object)
    scanner[90:] = "S3"
    X[90:] += 3.0
    table = pd.DataFrame(X, columns=[f"f{j}" for j in range(6)])
    table = table.assign(patient_id=[f"P{k}" for k in range(n)], grade=y, scanner=scanner)
    table["cohort"] = np.where(np.arange(n) < 90, "train", "external")
    table.to_csv(folder / "table.csv", index=False)
    (folder / "study.yaml").write_text(f"{SETTINGS}harmonisation: {{batch: scanner, unseen: {unseen}}}\n")
    return folder / "study.yaml"


def accuracy(folder: Path, external: int, unseen: str) -> tuple[float, list[str]]:
    """External accuracy of the headline model and the codes of what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        fitted = fit_study(load_recipes(study(folder, external, unseen), None), RunFolder(folder / "run"), silent, 1)
    table = fitted.outcomes["sound", "table"].predictions.query("cohort == 'external' and model == 'auto'")
    right = table[["p_0", "p_1", "p_2"]].to_numpy().argmax(axis=1) == table["y_true"]
    return float(right.mean()), [str(w.message).split()[0] for w in caught]


@pytest.mark.parametrize(("external", "code"), [(60, "W_ADAPTED"), (6, "W_NOT_ADAPTED")])
def test_adapting_needs_cases_and_helps(tmp_path: Path, external: int, code: str) -> None:
    left, told = accuracy(tmp_path, external, "none")
    assert not [c for c in told if "ADAPTED" in c]
    mended, told = accuracy(tmp_path, external, "adapt")
    assert code in told
    if external == 60:
        assert mended > left + 0.15
    else:
        assert mended == left


def test_what_is_explained_are_the_probabilities_that_were_evaluated(tmp_path: Path) -> None:
    folder, path = tmp_path / "run", study(tmp_path, 60, "adapt")
    path.write_text(path.read_text().replace("inner_folds: 2", "inner_folds: 2, recalibrate: false"))
    assert ovfrad("run", path, "--out", folder) == 0
    with np.load(folder / "explanation" / "shap.npz") as found:
        explained = pd.DataFrame(found["output"], index=found["cases"])
    table = pd.read_parquet(folder / "predictions.parquet").query("cohort == 'external' and model == 'auto'")
    named = table["patient_id"] + " " + table["vertebra"].astype(str)
    told = table.set_index(named)[["p_0", "p_1", "p_2"]].loc[explained.index]
    np.testing.assert_allclose(explained.to_numpy(), told.to_numpy(), atol=1e-9)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "but for the scale of its features, which was learned from these cases without outcomes" in page
