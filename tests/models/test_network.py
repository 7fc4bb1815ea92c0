"""A tuned network as a step of the fold engine: features out of fold, its own predictions, no leak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ovfrad.deep import weights
from ovfrad.errors import InputError
from ovfrad.models import engine, honesty
from ovfrad.models.network import NETWORK, TunedArm, own_rows
from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.study.settings import Models, Tune

N, SIZE = 40, 32
TUNE = Tune(epochs=3, frozen_share=1.0, augment=False, stop_share=0.0, folds=2, head_rate=1e-2, precision="float32")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    names = [f"P{n:02d}" for n in range(N)]
    index = pd.MultiIndex.from_tuples([(name, "L1") for name in names], names=["patient_id", "vertebra"])
    X = pd.DataFrame(rng.normal(size=(N, 4)), index=index, columns=[f"original_glcm_f{j}" for j in range(4)])
    y = pd.Series(np.arange(N) % 2, index=index)
    patches = rng.random((N, 3, SIZE, SIZE), dtype=np.float32)
    return Rows(X, y, np.array(names, object), patches=patches)


@pytest.fixture(scope="module")
def procedure():
    sha256 = weights.load("random").sha256
    network = TunedArm("net", "random", sha256, 0, "zscore", "sagittal", TUNE, 2)
    models = Models(classifiers=("LR",), outer_folds=2, inner_folds=2, baselines=False)
    return Procedure(("a", "b"), models, arm="net", names=("LR", "auto"), n_trees=10, network=network)


@pytest.fixture(scope="module")
def outcome(rows, procedure):
    return engine.run(rows, procedure, {"internal": rows.take(np.arange(6))})


def test_models_are_fitted_to_out_of_fold_features_and_judged_on_the_final_network(outcome, rows):
    fitted = outcome.fitted
    trained = fitted.trained_on(rows).X
    assert [name for name in trained if name.startswith("deep_")] == ["deep_net_0000", "deep_net_0001"]
    assert "pc_00" in fitted.views(rows).dense
    in_sample = fitted.network.seen(rows).X
    assert not np.allclose(trained["deep_net_0000"], in_sample["deep_net_0000"])
    assert np.array_equal(trained.to_numpy(), fitted.trained_on(rows.take(np.arange(N))).X.to_numpy())


def test_the_network_stands_in_the_prediction_table_with_every_way_of_counting(outcome):
    own = outcome.predictions[outcome.predictions["model"] == NETWORK]
    assert set(own["cohort"]) == {"train", "train_apparent", "train_inner", "internal"}
    told = honesty.ledger(outcome.predictions, "sound", "net", "auto")
    auc = told[told["model"] == NETWORK].set_index("cohort")["macro_auc"]
    assert auc["train_apparent"] > 0.9 > auc["train_inner"]
    assert auc["train_apparent"] > 0.9 > auc["train"]


def test_recipe_paper_takes_features_in_sample(rows, procedure):
    network = replace(procedure.network, tune=TUNE.model_copy(update={"training_features": "in_sample"}))
    fitted = engine.run(rows, replace(procedure, network=network)).fitted
    assert np.allclose(fitted.network.training, fitted.network.seen(rows).X[fitted.network.training.columns])
    assert NETWORK not in set(fitted.inner["model"])


def test_a_spoilt_test_patch_moves_no_other_prediction(rows, procedure):
    assert honesty.isolation(rows, procedure, "auto").status == "PASS"


def test_patches_and_network_are_part_of_what_names_a_fold(rows, procedure):
    other = replace(rows, patches=rows.patches[::-1].copy())
    assert rows.digest() != other.digest()
    assert own_rows(rows, "net", None).patches is None
    seed = replace(procedure, network=replace(procedure.network, random_state=1))
    assert procedure.describe() != seed.describe() != replace(procedure, network=None).describe()
    elsewhere = replace(procedure, network=replace(procedure.network, store="folder"))
    assert procedure.describe() == elsewhere.describe()


def test_weights_that_changed_during_the_run_are_refused(procedure):
    with pytest.raises(InputError, match="E_WEIGHTS_CHANGED random: changed during the run; run again"):
        replace(procedure.network, sha256="other").estimator()
