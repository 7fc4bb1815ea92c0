"""Flags of a new case against what the study had among its training cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ovfrad.bundle import flags, manifest
from ovfrad.bundle.manifest import Images, Limits, Training
from ovfrad.bundle.size import MEASURES, largest_by_level
from ovfrad.errors import InputError
from ovfrad.selection import FusedFeatures

TRAINING = Training(batch_column=None, rows=80, patients=70, synthetic=False, audit=None, summary="80 cases")


def contract(**changes: Any) -> Images:
    stated: dict[str, Any] = {
        "kind": "CT and mask", "ct": "", "mask": "", "features": "", "spacing_mm": 1.0, "metal": "", "contrast": "",
        "volume_ml": Limits(range=[8.0, 40.9], levels={"T12": 40.0}),
        "diameter_mm": Limits(range=[30.0, 60.0], levels={"T12": 60.0}),
        "seen": {"metal": 0, "contrast": 0}, "vertebrae": ["T12"], "batches": [],
    }  # fmt: skip
    return Images.model_validate(stated | changes)


@pytest.mark.parametrize("name", ["metal", "contrast"])
def test_what_training_kept_is_a_note_and_what_it_did_not_bars(name: str) -> None:
    facts = {name: True, "thick_slices": False, "pixel_mm": 0.5}
    kept = flags.of_image(facts, contract(seen={"metal": 0, "contrast": 0} | {name: 3}), TRAINING)
    assert kept == [f"{name}, as 3 of the 80 training cases"]
    assert not set(kept) & set(flags.BARRING)
    assert flags.of_image(facts, contract(), TRAINING) == [name]
    assert name in flags.BARRING


def test_a_whole_vertebra_is_judged_by_its_level() -> None:
    body = {"original_shape_VoxelVolume": 34_700.0, "original_shape_Maximum3DDiameter": 54.0}
    whole = {"original_shape_VoxelVolume": 47_900.0, "original_shape_Maximum3DDiameter": 79.0}
    short = whole | {"original_shape_Maximum3DDiameter": 54.0}
    assert flags.of_size(body, "T12", contract()) == []
    assert flags.of_size(whole, "T12", contract()) == ["mask larger than the vertebral bodies of training"]
    assert flags.of_size(short, "T12", contract()) == ["mask larger than the vertebral bodies of training"]
    assert flags.of_size(short, None, contract()) == []  # 1.3 times the largest body of any level: 53.2 ml
    assert flags.of_size(whole, None, contract()) == ["mask larger than the vertebral bodies of training"]


def test_limits_follow_the_level_and_are_never_wider_than_the_largest_body() -> None:
    rng = np.random.default_rng(0)
    place = rng.integers(0, 8, 60)
    levels = np.array(["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"], dtype=object)[place]
    volumes = np.exp(np.log(17) + 0.1 * place + rng.normal(0, 0.15, 60))
    limits = largest_by_level(volumes, levels, np.arange(60))
    assert 17 * 1.3 < limits["T10"] < limits["T12"] < limits["L2"] <= 1.3 * volumes.max() + 0.05
    assert limits["T3"] == limits["T10"]
    assert max(limits.values()) <= 1.3 * volumes.max() + 0.05


@pytest.mark.parametrize("levels", [["-"] * 30, ["L1"] * 9 + ["-"] * 21])
def test_few_known_levels_have_no_limits(levels: list[str]) -> None:
    assert largest_by_level(np.full(30, 20.0), np.array(levels, dtype=object), np.arange(30)) == {}


def test_one_level_has_a_limit_for_itself_and_above() -> None:
    limits = largest_by_level(np.linspace(18, 22, 30), np.array(["L1"] * 30, dtype=object), np.arange(30))
    assert limits["L1"] == limits["T5"] == pytest.approx(26.0, abs=0.1)
    assert "L2" not in limits


def test_limits_hold_no_patients_number() -> None:
    rng = np.random.default_rng(1)
    volumes = rng.uniform(15, 25, 40).round(1)
    limits = largest_by_level(volumes, np.array(["T12", "L1"] * 20, dtype=object), np.arange(40), MEASURES[0].whole)
    assert not set(limits.values()) & set(volumes)


def test_a_row_is_harmonised_without_covariates_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    y, batch = np.tile([0, 1], 30), np.array(["A"] * 40 + ["B"] * 20, dtype=object)
    X = pd.DataFrame({"volume": y + rng.normal(0, 0.3, 60), "other": rng.normal(size=60)})
    age = pd.DataFrame({"age": rng.normal(70, 5, 60)})
    chain = FusedFeatures().fit(X, y, batch=batch, covariates=age)
    stated = np.array(["B", "B", "Z", None, "A"], dtype=object)
    told = flags.of_scanner(chain, stated, np.array([True, False, False, True, False]))
    without = "harmonised without age, which the study had as covariates"
    unknown = "not harmonised: its scanner is not one of the training data"
    assert told == [None, without, unknown, unknown, None]  # A, the reference, stays as it is


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2}', '{"format": 3}', "[" * 100_000])
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / manifest.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"^E_BUNDLE_(FILE|FORMAT|HASH) "):
        manifest.read(tmp_path)


def test_the_first_part_that_is_wrong_is_named(tmp_path: Path) -> None:
    content = {"format": 2, "notice": 5}
    (tmp_path / manifest.NAME).write_text(json.dumps(content | {"digest": manifest.digest(content)}))
    with pytest.raises(InputError, match=r"its manifest is not complete and sound \(notice: Input should be a valid"):
        manifest.read(tmp_path)
