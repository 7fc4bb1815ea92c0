"""Small feature tables with known signal, as the fold engine takes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ovfrad.models.procedure import Procedure
from ovfrad.models.rows import Rows
from ovfrad.study.settings import Models

NAMES = (
    "original_shape_VoxelVolume",
    "original_shape_LeastAxisLength",
    "original_firstorder_Mean",
    "original_firstorder_Entropy",
    "original_glcm_Contrast",
    "original_glcm_Imc1",
    "original_glrlm_RunEntropy",
    "original_gldm_DependenceEntropy",
)


def build(n: int = 72, signal: float = 1.0, K: int = 3, seed: int = 0, noise: int = 4, deep: int = 0) -> Rows:
    """Rows of patients with one or two vertebrae; columns 2 to 5 carry the class, times `signal`."""
    rng = np.random.default_rng(seed)
    patient = np.sort(np.r_[np.arange(n - n // 6), rng.choice(n - n // 6, n // 6, replace=False)])
    latent = rng.normal(size=n)
    y = np.digitize(latent, np.quantile(latent, np.linspace(0, 1, K + 1)[1:-1]))
    X = rng.normal(size=(n, len(NAMES) + noise + deep))
    X[:, 2:6] += signal * latent[:, None]
    X[:, len(NAMES) + noise :] += 0.5 * signal * latent[:, None]
    columns = [*NAMES, *(f"other_{i}" for i in range(noise)), *(f"deep_random_{i:04d}" for i in range(deep))]
    patients = np.array([f"P{p:03d}" for p in patient])
    vertebra = [f"T{5 + i}" for i in pd.Series(patients).groupby(patients).cumcount()]
    index = pd.MultiIndex.from_arrays([patients, vertebra], names=["patient_id", "vertebra"])
    frame = pd.DataFrame(X, index=index, columns=columns)
    clinical = pd.DataFrame({"age": rng.normal(70, 9, n), "sex": rng.choice(["F", "M"], n)}, index=index)
    scanner = np.array(["A1", "A2"])[patient % 2]
    return Rows(frame, pd.Series(y, index=index), patients, scanner, clinical=clinical, center=scanner)


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., Rows]:
    return build


@pytest.fixture(scope="session")
def small() -> Callable[..., Procedure]:
    """Procedure with 3 x 3 folds and few trees: `small("LR", "auto", classes=3, recalibrate=False)`."""

    def procedure(
        *names: str, classes: int = 3, ordered: bool = True, arm: str = "none", **models: object
    ) -> Procedure:
        settings = Models(outer_folds=3, inner_folds=3, **models)
        labels = tuple(str(k) for k in range(classes))
        return Procedure(labels, settings, names=names, ordered=ordered, arm=arm, n_trees=20)

    return procedure
