"""Whether the training rows have what ComBat was asked for: its reference, its covariates, batches of more than one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ovfrad.errors import InputError
from ovfrad.study.settings import Harmonisation


def check_batches(cases: pd.DataFrame, column: str | None, settings: Harmonisation, path: Path) -> None:
    """Refuse before the run what the fit could not do.

    Parameters
    ----------
    cases : DataFrame
        Cases analysed, with `cohort`.
    column : str or None
        Column of the batches; None: there are none.
    settings : Harmonisation
    path : Path
        The table, for the message.
    """
    if column is None:
        return
    batches = cases[column][cases["cohort"] == "train"].astype(str)
    sizes = batches.value_counts()
    if len(sizes) > 1 and sizes.max() == 1:
        fault = f"each of the {len(sizes)} training cases has a {column} of its own, and ComBat learns from several"
        remedy = f"give {column} as one name for all cases of a device, or set harmonisation: {{batch: none}}"
        raise InputError("E_BATCH_SINGLE", path, fault, remedy)
    if settings.reference not in (None, "largest", *sizes.index):
        fault = f"harmonisation.reference is {settings.reference!r}, no {column} of a training case"
        raise InputError("E_BATCH_REFERENCE", path, fault, f"name one of {', '.join(sorted(sizes.index)[:12])}")
    for name in settings.covariates:
        gaps = int(cases[name].isna().sum())
        if gaps:
            fault = f"ComBat covariate {name} is empty in {gaps} of {len(cases)} cases"
            raise InputError("E_CLINICAL_GAP", path, fault, "fill it, or take it out of harmonisation.covariates")
