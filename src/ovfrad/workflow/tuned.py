"""Arms whose network is tuned inside every fold: their patches, their procedure, and what a run keeps of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.models.honesty.permutation import LEAST
from ovfrad.models.network import FittedNetwork, TunedArm
from ovfrad.models.rows import Rows
from ovfrad.study import Study, StudySettings
from ovfrad.workflow import case as one
from ovfrad.workflow.fitted import FittedStudy
from ovfrad.workflow.folder import RunFolder

FEATURES = "network.parquet"
"""Features of the headline's tuned network in the run folder; those of training rows as the models were fitted to."""
CURVES = "tuning.json"


def tuned_arms(settings: StudySettings) -> list[str]:
    """Names of the arms whose network is tuned."""
    return [] if settings.features is not None else [name for name, arm in settings.deep.arms.items() if arm.tuned]


def tuned_arm(study: Study, arm: str, weights: dict[str, dict[str, Any]], folder: RunFolder) -> TunedArm | None:
    """What the engine is told of an arm's network; None where it is frozen, or there is none."""
    if arm not in tuned_arms(study.settings):
        return None
    deep, settings = study.settings.deep, study.settings.deep.arms[arm]
    source = "random" if settings.weights == "random" else str((study.path.parent / settings.weights).resolve())
    return TunedArm(
        arm=arm, weights=source, sha256=weights[arm]["sha256"], weights_seed=settings.seed,
        normalise=settings.normalise, plane=deep.plane, tune=deep.tune, n_classes=len(study.classes),
        random_state=study.settings.seed, store=str((folder.cache / "networks").resolve()),
    )  # fmt: skip


def with_patches(rows: Rows, cases: pd.DataFrame, folder: RunFolder, settings: StudySettings) -> Rows:
    """Return rows with the patches that the cache holds, if some arm tunes its network."""
    if not tuned_arms(settings):
        return rows
    paths = [folder.cache / "cases" / f"{key}.npz" for key in cases.loc[rows.X.index, "cache_key"]]
    return replace(rows, patches=np.stack([one.load_patch(path) for path in paths]))


def keep(fitted: FittedStudy) -> None:
    """Write the features of the headline's tuned network, and the learning curves of all tuned arms."""
    networks = {key: outcome.fitted.network for key, outcome in fitted.outcomes.items()}
    tuned = {key: network for key, network in networks.items() if network is not None}
    for name in (FEATURES, CURVES):
        (fitted.folder / name).unlink(missing_ok=True)
    if tuned:
        told = {f"{recipe}/{arm}": _told(network) for (recipe, arm), network in tuned.items()}
        fitted.folder.write_json(CURVES, told)
    recipe, arm, _ = fitted.headline
    network = tuned.get((recipe, arm))
    if network is None:
        return
    parts = [network.training]
    for (of, cohort), rows in fitted.rows.items():
        if of == recipe and cohort != "train":
            parts.append(network.seen(rows).X[network.training.columns])
    fitted.folder.write_table(FEATURES, pd.concat(parts))


def _told(network: FittedNetwork) -> dict[str, Any]:
    step = network.features
    return {
        "curves": {name: list(epochs) for name, epochs in step.curves_.items()},
        "rest": step.plan.rest,
        "tune": step.plan.tune.model_dump(mode="json"),
        "precision": step.precision_,
        "device": step.plan.device,
        "columns": network.training.shape[1],
        "notes": list(step.notes_),
    }


def with_network(table: pd.DataFrame, folder: RunFolder) -> pd.DataFrame:
    """Feature table (patient_id, vertebra, reader) with the features of the headline's tuned network, if it has one."""
    if not (folder / FEATURES).is_file():
        return table
    features = folder.read_table(FEATURES)
    index = pd.MultiIndex.from_tuples([(*case, "1") for case in features.index], names=table.index.names)
    return table.join(features.set_axis(index))


def networks_to_tune(settings: StudySettings, recipes: int = 1) -> int:
    """Number of networks that one tuned arm costs a run at least.

    In every outer fold and for all rows, one on everything and those of the out-of-fold features; the same again in
    the checks of the headline's arm, two label permutations and two fits of one fold.

    >>> networks_to_tune(StudySettings(cases="cases.csv"))
    72
    """
    outer, cross = settings.models.outer_folds, 1 + settings.deep.tune.folds
    fits = outer + 1
    checks = 0
    if "permutation" not in settings.honesty.leave_out:
        asked = settings.honesty.permutations
        checks += outer * (LEAST if asked == "auto" else asked)
    if "isolation" not in settings.honesty.leave_out:
        checks += 2
    return fits * (1 if settings.recipe == "paper" else cross) + (fits if recipes > 1 else 0) + checks * cross
