"""What the filters did and what the features mean in these data, written for the report (METHODS E2, E3, E8, H1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.explanation.chosen import directions, redundancy, reproducibility
from ovfrad.models.fitted import Views
from ovfrad.models.rows import Rows
from ovfrad.selection import FusedFeatures
from ovfrad.workflow.folder import RunFolder


def write_chosen(folder: RunFolder, chain: FusedFeatures, training: Rows, classes: tuple[str, ...]) -> dict[str, Any]:
    """Write reproducibility, redundancy and direction of the features of the headline's chain.

    The radiomics side of the chain is the same for every arm of a recipe: deep features come in after it.

    Returns
    -------
    dict
        `icc_pairs`, `icc_patients`, `icc_min`, `icc_bound`, `spearman_max`, `spearman_rule`, for captions.
    """
    dense = Views.of(chain, training).dense
    if chain.icc_ is not None and chain.icc_.n_pairs_ > 1:
        found = chain.icc_
        table = reproducibility(np.asarray(found.feature_names_in_), found.icc_, found.lower_, found.support_)
        folder.write_table("explanation/reproducibility.csv", table)
    if chain.spearman_ is not None:
        seen = dense[[str(name) for name in chain.spearman_.feature_names_in_]]
        same = redundancy(seen, [str(name) for name in chain.spearman_.get_feature_names_out()])
        folder.write_table("explanation/redundancy.csv", same.members)
        _write_matrix(folder, same.order, same.rho)
    folder.write_table("explanation/directions.csv", directions(dense, training.codes, classes))
    pairs, patients = (0, 0) if chain.icc_ is None else (chain.icc_.n_pairs_, chain.icc_.n_patients_)
    return {
        "icc_pairs": pairs,
        "icc_patients": patients,
        "icc_min": chain.icc_min,
        "icc_bound": chain.icc_bound,
        "spearman_max": chain.spearman_max,
        "spearman_rule": chain.spearman_rule,
    }


def _write_matrix(folder: RunFolder, order: tuple[str, ...], rho: np.ndarray) -> None:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, order=np.array(order), rho=rho)

    folder.replace("explanation/redundancy.npz", write)


def read_chosen(folder: RunFolder) -> dict[str, Any]:
    """What `write_chosen` wrote, those parts that are there."""
    found: dict[str, Any] = {}
    for name in ("reproducibility", "redundancy", "directions"):
        path = folder / "explanation" / f"{name}.csv"
        if path.is_file():
            found[name] = pd.read_csv(path)
    path = folder / "explanation" / "redundancy.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            found["order"], found["rho"] = tuple(map(str, stored["order"])), stored["rho"]
    return found
