"""The canary: images that know nothing of their labels must read chance through everything (METHODS G1)."""

from __future__ import annotations

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

SEEDS, VERTEBRAE = 10, 130


def nested_auc(folder: Path, seed: int, signal: float, model: str = "auto", vertebrae: int = VERTEBRAE) -> float:
    """Per-fold nested macro AUC of one model on the training cohort of a phantom drawn for this."""
    path = write_cohort(folder / f"{seed}-{signal}", vertebrae, seed, signal)
    study = next(iter(load_recipes(path, None).values()))
    features = extract_study(study, RunFolder(path.parent / "run"), (study.settings.radiomics,), silent)
    rows = make_rows(study.settings, features.cases, features.of(study.settings), "train")
    procedure = procedure_of(study, study.settings.headline_arm).only(model)
    found = per_fold_macro_auc(engine.nested(rows, procedure, baselines=False, jobs=2).query("model == @model"))
    assert found.mean is not None
    return found.mean


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_images_without_signal_read_chance(tmp_path: Path) -> None:
    found = np.array([nested_auc(tmp_path, seed, 0.0) for seed in range(SEEDS)])
    print(
        f"without signal, {SEEDS} seeds: mean {found.mean():.3f}, SE {found.std(ddof=1) / SEEDS**0.5:.3f}",
        found.round(3),
    )
    se = found.std(ddof=1) / np.sqrt(SEEDS)
    assert found.mean() <= 0.5 + max(3 * se, 0.01)
    shown = np.array([nested_auc(tmp_path, seed, 1.0) for seed in range(SEEDS)])
    print(f"with signal: mean {shown.mean():.3f}, SE {shown.std(ddof=1) / SEEDS**0.5:.3f}", shown.round(3))
    assert shown.mean() > 0.65
    assert shown.mean() > found.mean() + 5 * np.hypot(se, shown.std(ddof=1) / np.sqrt(SEEDS))
