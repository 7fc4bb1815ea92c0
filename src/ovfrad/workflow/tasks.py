"""The tasks of a study, one a case, and which of them are perturbed for want of a second reader (METHODS C3, E2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import warn
from ovfrad.study import Study
from ovfrad.study.cohorts import training
from ovfrad.study.settings import Radiomics
from ovfrad.workflow.case import CaseTask

#: Patients whose regions are perturbed; the paper's number of patients with two readers.
PERTURBED_PATIENTS = 30
#: Fewest training patients with two readers from whom an ICC can be estimated.
FEWEST = 2


def tasks(study: Study, radiomics: tuple[Radiomics, ...]) -> list[CaseTask]:
    """One task per case of a study."""
    settings, perturbed = study.settings, _perturbed(study)
    return [
        CaseTask(
            patient_id, vertebra, row["ct"], row["mask"], _text(row["mask_label"]), _path(row["mask_reader2"]),
            _text(row["mask_label_reader2"]), settings.imaging, radiomics, settings.deep, settings.crop_mm,
            perturbed.get((patient_id, vertebra)),
        )
        for (patient_id, vertebra), row in study.cases.iterrows()
    ]  # fmt: skip


def _perturbed(study: Study) -> dict[tuple[str, str], int]:
    """Cases to perturb and their seeds: one vertebra of up to 30 training patients without a second reader.

    Only training masks are compared (E2), so those of other cohorts do not count as a second reader.
    """
    if study.settings.selection.one_reader == "off":
        return {}
    cases = study.cases
    learned = cases[cases["cohort"] == "train" if study.classes else training(cases, study.settings.cohorts)]
    if _outlined_twice(learned) >= FEWEST:
        return {}
    _tell_few(_outlined_twice(learned), _outlined_twice(cases), study.table)
    first = learned[~learned.index.get_level_values("patient_id").duplicated()].index.sort_values()
    rng = np.random.default_rng(study.settings.seed)
    chosen = rng.permutation(len(first))[:PERTURBED_PATIENTS]
    return {first[n]: int(rng.integers(2**31)) for n in sorted(chosen)}


def _outlined_twice(cases: pd.DataFrame) -> int:
    """Patients of whom a second reader's mask is there."""
    return cases.index[cases["mask_reader2"].notna()].get_level_values("patient_id").nunique()


def _tell_few(training: int, total: int, table: Path) -> None:
    """Warn of second readers' masks that are there and do not suffice."""
    if total:
        fault = f"mask_reader2 is filled for {training} patients of training and {total - training} of other cohorts"
        warn("W_READER2_FEW", table, fault, "too few to judge features by: seeded perturbations take their place")


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def _path(value: Any) -> Path | None:
    return None if value is None or (isinstance(value, float) and np.isnan(value)) else Path(value)
