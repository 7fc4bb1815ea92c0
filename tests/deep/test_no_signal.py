"""Images that know nothing of the labels: a network tuned inside the folds finds nothing, one tuned before finds all.

Phantom with signal 0, 200 vertebrae, three outer folds, last stage tuned for a few epochs, ten seeds. Labels of each
seed are dealt anew to the patients of one cohort, which is what another cohort without signal would be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.deep import weights
from ovfrad.deep.patch import patch
from ovfrad.imaging import Volume, prepare
from ovfrad.imaging.volume import Roi
from ovfrad.models import engine
from ovfrad.models.fitting import fit_models
from ovfrad.models.honesty.permutation import permute_by_patient
from ovfrad.models.network import NETWORK, TunedArm
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs, macro_auc
from ovfrad.phantom.cohort import sample_cohort
from ovfrad.phantom.render import render
from ovfrad.study.settings import Deep, Imaging, Models, Tune

SEEDS, VERTEBRAE = 10, 200
TUNE = Tune(epochs=12, frozen_share=0.92, augment=False, stop_share=0.0, folds=2, head_rate=1e-2)


def phantom_patches(vertebrae: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patches (n, 3, 64, 64), class codes and patients of a phantom cohort without signal."""
    cases, found = sample_cohort(vertebrae, seed=seed, signal=0.0), []
    for case in cases:
        drawn = render(case)
        ct, mask = drawn.image.astype(np.float32), drawn.mask.astype(bool)
        roi = Roi(Volume(ct, drawn.affine), Volume(mask, drawn.affine), case.patient_id)
        found.append(patch(prepare(roi, Imaging()), Deep(), Imaging().window_hu))
    codes = np.array([case.treatment_class for case in cases])
    return np.stack(found), codes, np.array([case.patient_id for case in cases], object)


def one_seed(patches: np.ndarray, codes: np.ndarray, patients: np.ndarray, seed: int) -> dict[str, np.ndarray | float]:
    """Per-fold macro AUC in `sound`, and apparent macro AUC of `paper`, on labels dealt anew."""
    rng = np.random.default_rng(seed)
    y = permute_by_patient(codes, patients, rng)
    order = pd.Series(patients).groupby(patients).cumcount().astype(str)
    index = pd.MultiIndex.from_arrays([patients, order], names=["patient_id", "vertebra"])
    noise = pd.DataFrame({"original_glcm_noise": rng.normal(size=len(y))}, index=index)
    rows = Rows(noise, pd.Series(y, index=index), patients, patches=patches)
    network = TunedArm("net", "random", weights.load("random").sha256, 0, "zscore", "sagittal", TUNE, 3, seed)
    models = Models(classifiers=("LR",), outer_folds=3, inner_folds=2, baselines=False)
    sound = Procedure(
        ("0", "1", "2"), models, arm="net", names=("auto",), n_trees=50, random_state=seed, network=network
    )
    table = engine.nested(rows, sound.only("auto", recalibrate=False), baselines=False)
    found: dict[str, np.ndarray | float] = {}
    for name in ("auto", NETWORK):
        own = table[table["model"] == name]
        p = own[["p_0", "p_1", "p_2"]].to_numpy()
        found[name] = fold_aucs(own["y_true"].to_numpy(), p, own["fold"].to_numpy())
    tune = TUNE.model_copy(update={"training_features": "in_sample", "gives": "features"})
    paper = replace(sound, recipe="paper", names=("LR",), network=replace(network, tune=tune))
    apparent = fit_models(rows, paper, inner=False).table(rows, "train_apparent")
    own = apparent[apparent["model"] == NETWORK]
    found["paper, apparent"] = macro_auc(own["y_true"].to_numpy(), own[["p_0", "p_1", "p_2"]].to_numpy())
    return found


@pytest.mark.slow
def test_tuning_finds_no_signal_where_there_is_none() -> None:
    patches, codes, patients = phantom_patches(VERTEBRAE)
    found = [one_seed(patches, codes, patients, seed) for seed in range(SEEDS)]
    for name in ("auto", NETWORK):
        means = np.array([np.mean(seed[name]) for seed in found])
        error = means.std(ddof=1) / np.sqrt(SEEDS)
        assert means.mean() <= 0.5 + max(3 * error, 0.01)
    assert np.mean([seed["paper, apparent"] for seed in found]) > 0.8
