"""Studies small enough for tests: a feature table, and a few phantom vertebrae."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded

LEAN = """\
models: {classifiers: [LR, DT], outer_folds: 3, inner_folds: 3}
evaluation: {resamples: 100}
honesty: {permutations: 2}
"""


def ovfrad(*arguments: object) -> int:
    """Run a command in this process; its exit code."""
    return guarded(app, [str(argument) for argument in arguments])


def write_table(folder: Path, signal: float = 1.5, n: int = 90, K: int = 3, settings: str = LEAN) -> Path:
    """A feature-table study of `n` patients, K classes, eight features, one of them with signal."""
    rng = np.random.default_rng(5)
    y = np.arange(n) % K
    table = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"f{j}" for j in range(8)])
    table["f0"] += signal * y
    table.insert(0, "patient_id", [f"P{k:03d}" for k in range(n)])
    table.insert(1, "grade", np.array(["mild", "moderate", "severe"])[y])
    table["age"] = rng.integers(50, 90, n)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    classes = ["mild", "moderate", "severe"][:K]
    text = f"name: grades\nfeatures: table.csv\noutcome: {{column: grade, classes: [{', '.join(classes)}]}}\n{settings}"
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml"


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a feature-table study, both recipes."""
    folder = tmp_path_factory.mktemp("table")
    assert ovfrad("run", write_table(folder), "--out", folder / "run", "--recipe", "both") == 0
    return folder / "run"


@pytest.fixture(scope="session")
def phantom_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of forty phantom vertebrae."""
    folder = tmp_path_factory.mktemp("phantom") / "cohort with a space"
    assert ovfrad("phantom", folder, "--vertebrae", 40, "--seed", 3) == 0
    return folder


@pytest.fixture(scope="session")
def phantom_run(phantom_cohort: Path) -> Path:
    """Run of the phantom cohort in which three files are bad."""
    cases = pd.read_csv(phantom_cohort / "cases.csv", dtype=str)
    train = cases[(cases["cohort"] == "train") & (cases["astlof_class"] == "0") & cases["ct"].str.endswith(".gz")]
    missing, empty, moved = (train.iloc[k] for k in range(3))
    bad = phantom_cohort / "bad"
    bad.mkdir()
    table = cases.set_index(["patient_id", "vertebra"])
    for row, name in ((missing, "missing"), (empty, "empty"), (moved, "moved")):
        file = bad / f"{name}.nii.gz"
        if name != "missing":
            shutil.copy(phantom_cohort / row["mask"], file)
            spoil(file, name)
        table.loc[(row["patient_id"], row["vertebra"]), "mask"] = f"bad/{name}.nii.gz"
    table.reset_index().to_csv(phantom_cohort / "bad.csv", index=False)
    study = (phantom_cohort / "study.yaml").read_text(encoding="utf-8").replace(
        "cases: cases.csv", "cases: bad.csv"
    ) + LEAN
    (phantom_cohort / "bad.yaml").write_text(study)
    out = phantom_cohort.parent / "run"
    assert ovfrad("run", phantom_cohort / "bad.yaml", "--out", out) == 3
    return out


def spoil(mask: Path, how: str) -> None:
    """Empty a mask, or move it off its grid."""
    import nibabel as nib

    image = nib.load(mask)
    array, affine = np.asarray(image.dataobj), image.affine.copy()
    if how == "empty":
        array = np.zeros_like(array)
    else:
        affine[2, 3] += 3.0
    nib.save(nib.Nifti1Image(array, affine), mask)
