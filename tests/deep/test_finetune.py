"""Fine-tuning: what learns and when, the same twice, and going on where it was interrupted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ovfrad.deep import checkpoint, weights
from ovfrad.deep.augment import augmented
from ovfrad.deep.axes import Turn
from ovfrad.deep.cost import seconds_a_network
from ovfrad.deep.features import features, outputs
from ovfrad.deep.finetune import tune, watch_split
from ovfrad.deep.plan import Plan
from ovfrad.deep.trainer import Trainer
from ovfrad.deep.tuned import DeepFeatures
from ovfrad.evaluation.mean_auc import macro_auc
from ovfrad.study.settings import Deep, Tune

SIZE = 32
QUICK = {"epochs": 2, "batch": 12, "precision": "float32", "stop_share": 0.0}


@pytest.fixture(scope="module")
def backbone():
    return weights.load("random")


@pytest.fixture(scope="module")
def rows():
    """24 patches of 24 patients in two classes, of which the second is brighter on the left."""
    rng = np.random.default_rng(0)
    patches = rng.random((24, 3, SIZE, SIZE), dtype=np.float32)
    codes = np.arange(24) % 2
    patches[codes == 1, :, :, : SIZE // 2] *= 0.5
    return patches, codes, np.array([f"P{n:02d}" for n in range(24)], object)


def _state(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _changed(network, before):
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


def test_rates_are_cosines_and_the_backbone_rests_first():
    plan = Plan(Tune(epochs=10, head_rate=1.0, backbone_rate=0.1), 2)
    assert plan.rest == 5
    assert plan.rates(0, 0.0) == (1.0, 0.0) and plan.rates(4, 0.99)[1] == 0.0
    assert plan.rates(5, 0.0) == pytest.approx((0.5, 0.1))
    assert plan.rates(7, 0.5)[1] == pytest.approx(0.05) and plan.rates(9, 1.0) == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize(("stages", "learning"), [("last", {"layer4"}), ("all", {"conv1", "bn1", "layer1", "layer4"})])
def test_the_backbone_follows_after_its_rest_and_only_where_asked(backbone, rows, stages, learning):
    patches, codes, _ = rows
    trainer = Trainer(patches[:6], codes[:6], backbone.network, Plan(Tune(**QUICK, stages=stages), 2))
    before = _state(trainer.network)
    trainer.one_epoch()
    assert _changed(trainer.network, before) == set()
    trainer.one_epoch()
    changed = {name.split(".")[0] for name in _changed(trainer.network, before)}
    assert learning <= changed and (stages == "all" or changed == learning)
    assert not any("running" in name for name in _changed(trainer.network, before))
    assert [epoch["backbone_rate"] for epoch in trainer.curves] == [0.0, 1e-5]


def test_tuning_is_the_same_twice_and_leaves_its_start_alone(backbone, rows):
    before = _state(backbone.network)
    first, again = (tune(*rows, backbone.network, Plan(Tune(**QUICK), 2)) for _ in range(2))
    assert _changed(first.network, _state(again.network)) == set()
    assert first.curves == again.curves
    assert _changed(backbone.network, before) == set()
    other = tune(*rows, backbone.network, Plan(Tune(**QUICK), 2, seed=1))
    assert first.curves != other.curves


def test_an_interrupted_run_goes_on_to_the_same_network(backbone, rows, tmp_path, monkeypatch):
    plan = Plan(Tune(**QUICK | {"epochs": 3, "stop_share": 0.3}), 2)
    whole = tune(*rows, backbone.network, plan)
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    real = Trainer.one_epoch

    def breaking(self):
        if self.epoch == 2:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Trainer, "one_epoch", breaking)
    with pytest.raises(KeyboardInterrupt):
        tune(*rows, backbone.network, plan, tmp_path / "net")
    assert [path.name for path in (tmp_path / "net").iterdir()] == ["state.safetensors"]
    monkeypatch.setattr(Trainer, "one_epoch", real)
    resumed = tune(*rows, backbone.network, plan, tmp_path / "net")
    assert resumed.curves == whole.curves and resumed.best_epoch == whole.best_epoch
    assert _changed(resumed.network, _state(whole.network)) == set()
    (tmp_path / "net" / "state.safetensors").write_bytes(b"cut")
    assert checkpoint.Checkpoint(tmp_path / "net").read() is None


def test_watched_rows_are_whole_patients_and_stop_the_training(backbone, rows):
    patches, codes, _ = rows
    groups = np.repeat([f"P{n:02d}" for n in range(12)], 2).astype(object)
    plan = Plan(Tune(**QUICK | {"epochs": 9, "stop_share": 0.25, "patience": 1, "head_rate": 1e-9}), 2)
    learning, watched = watch_split(codes, groups, plan)
    assert len(watched) == 6 and not set(groups[learning]) & set(groups[watched])
    found = tune(patches, codes, groups, backbone.network, Plan(plan.tune.model_copy(update={"backbone_rate": 1.0}), 2))
    assert len(found.curves) < 9 and found.best_epoch <= 4
    few = tune(patches[:6], codes[:6], groups[:6], backbone.network, Plan(Tune(**QUICK | {"stop_share": 0.15}), 2))
    assert few.notes == ("too few patients of a class to watch some for stopping early: all epochs were done",)


def test_patches_are_changed_a_little_and_never_upside_down():
    ramp = np.linspace(0.2, 0.8, SIZE, dtype=np.float32)
    down = np.broadcast_to(ramp[:, None], (40, 3, SIZE, SIZE)).copy()
    right = np.broadcast_to(ramp, (40, 3, SIZE, SIZE)).copy()

    def slope(images, axis):
        return np.gradient(images, axis=axis).mean(axis=(1, 2, 3))

    for plane in ("sagittal", "axial", "coronal"):
        assert (slope(augmented(down, plane, np.random.default_rng(1)), 2) > 0).all()
    assert (slope(augmented(right, "sagittal", np.random.default_rng(1)), 3) > 0).all()
    mirrored = slope(augmented(right, "axial", np.random.default_rng(1)), 3) < 0
    assert 5 < mirrored.sum() < 35
    found = augmented(right, "sagittal", np.random.default_rng(2))
    assert found.shape == right.shape and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert 0 < np.abs(found - right).max() < 0.25
    assert np.array_equal(found, augmented(right, "sagittal", np.random.default_rng(2)))


def test_features_of_training_rows_are_out_of_fold_where_in_sample_ones_flatter(backbone):
    """The signature of METHODS D5 on labels that are noise: in sample near perfect, out of fold near chance."""
    rng = np.random.default_rng(3)
    patches, codes = rng.random((60, 3, SIZE, SIZE), dtype=np.float32), rng.integers(0, 2, 60)
    groups = np.arange(60).astype(str).astype(object)
    settings = {**QUICK, "epochs": 12, "frozen_share": 1.0, "augment": False, "head_rate": 1e-2}
    found = {}
    for how in ("in_sample", "out_of_fold"):
        step = DeepFeatures(backbone, Plan(Tune(**settings, training_features=how), 2)).fit(patches, codes, groups)
        assert step.training_.shape == (60, 2) and step.transform(patches[:5]).shape == (5, 2)
        scores = np.exp(step.training_) / np.exp(step.training_).sum(1, keepdims=True)
        found[how] = macro_auc(codes, scores, groups).estimate
    assert found["in_sample"] > 0.95 and 0.3 < found["out_of_fold"] < 0.7
    assert np.array_equal(step.training_.argmax(1), step.held_out_.argmax(1))
    assert set(step.curves_) == {"all rows", "fold 0", "fold 1", "fold 2"}


def test_a_network_is_kept_until_the_fit_is_through(backbone, rows, tmp_path, monkeypatch):
    plan = Plan(Tune(**QUICK | {"epochs": 1, "frozen_share": 1.0, "folds": 2}), 2)
    expected = DeepFeatures(backbone, plan).fit(*rows).training_
    import ovfrad.deep.tuned as module

    real, done = module.tune, []

    def counting(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(module, "tune", counting)
    with pytest.raises(KeyboardInterrupt):
        DeepFeatures(backbone, plan, tmp_path).fit(*rows)
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(module, "tune", real)
    assert np.array_equal(DeepFeatures(backbone, plan, tmp_path).fit(*rows).training_, expected)
    assert list(tmp_path.iterdir()) == []


def test_a_tuned_network_is_saved_with_its_head(backbone, rows, tmp_path):
    tuned = tune(*rows, backbone.network, Plan(Tune(**QUICK), 2)).as_backbone(backbone, 24)
    assert tuned.description == "random (seed 0), tuned on 24 rows"
    weights.save(tuned, tmp_path / "backbone.safetensors")
    again = weights.load_tuned(tmp_path / "backbone.safetensors")
    assert again.layout == "random"
    for ours, theirs in zip(outputs(rows[0], tuned, "own"), outputs(rows[0], again, "own"), strict=True):
        assert np.array_equal(ours, theirs)
    with pytest.raises(ValueError, match="without a tuned head"):
        outputs(rows[0], backbone, "own")
    assert not np.array_equal(features(rows[0], again), features(rows[0], backbone))


def test_turn_finds_a_rotation_and_a_shift():
    rng = np.random.default_rng(0)
    ours = rng.normal(size=(40, 12)).astype(np.float32)
    rotation, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    theirs = (ours @ rotation + 3).astype(np.float32)
    turn = Turn.learn(theirs[:30], ours[:30])
    assert turn.apply(theirs[30:]) == pytest.approx(ours[30:], abs=1e-4)


def test_cost_of_a_network_grows_with_rows_and_epochs():
    seconds = seconds_a_network(Deep(size=SIZE, tune=Tune(epochs=2, batch=4)), 4)
    assert 0 < seconds < 60
