"""The canary: images that know nothing of their labels must read chance through everything (METHODS G1)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ovfrad.evaluation.folds import per_fold_macro_auc
from ovfrad.models import engine
from ovfrad.phantom.write import write_cohort
from ovfrad.workflow.features import extract_study
from ovfrad.workflow.fit import load_recipes
from ovfrad.workflow.folder import RunFolder, silent
from ovfrad.workflow.rows import make_rows, procedure_of

SEEDS, VERTEBRAE = int(os.environ.get("OVFRAD_SEEDS", "20")), 130


def nested_aucs(folder: Path, seed: int, signal: float, recipe: str = "both") -> dict[str, float]:
    """Per-fold nested macro AUC of each recipe's headline model on the training cohort of a phantom drawn for this."""
    path = write_cohort(folder / f"{seed}-{signal}", VERTEBRAE, seed, signal)
    studies = load_recipes(path, recipe)
    radiomics = tuple(study.settings.radiomics for study in studies.values())
    features = extract_study(next(iter(studies.values())), RunFolder(path.parent / "run"), radiomics, silent)
    found = {}
    for name, study in studies.items():
        rows = make_rows(study.settings, features.cases, features.of(study.settings), "train")
        model = study.settings.models.headline.model
        procedure = procedure_of(study, study.arms[0]).only(model)
        table = engine.nested(rows, procedure, baselines=False, jobs=os.cpu_count() or 1)
        own = per_fold_macro_auc(table[table["model"] == model])
        assert own.mean is not None
        found[name] = own.mean
    return found


def told(what: str, found: np.ndarray) -> tuple[float, float]:
    """Mean and standard error over seeds, printed."""
    mean, se = float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))
    print(f"{what}, {len(found)} seeds: mean {mean:.3f}, SE {se:.3f}", found.round(3))
    return mean, se


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_images_without_signal_read_chance_under_both_recipes(tmp_path: Path) -> None:
    found = [nested_aucs(tmp_path, seed, 0.0) for seed in range(SEEDS)]
    for recipe in ("sound", "paper"):
        mean, se = told(f"{recipe}, without signal", np.array([one[recipe] for one in found]))
        assert mean <= 0.5 + max(3 * se, 0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_images_with_signal_read_more(tmp_path: Path) -> None:
    mean, se = told(
        "sound, with signal",
        np.array([nested_aucs(tmp_path, seed, 1.0, "sound")["sound"] for seed in range(SEEDS // 2)]),
    )
    assert mean - 5 * se > 0.5
    assert mean > 0.65
