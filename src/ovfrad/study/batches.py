"""Which column names ComBat's batches, and whether the training rows have what ComBat was asked for (METHODS E1)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ovfrad.errors import InputError, warn
from ovfrad.study.settings import BATCHES, Harmonisation


def batch_column(settings: Harmonisation, cases: pd.DataFrame) -> str | None:
    """Column whose values are ComBat's batches; None where there is none that every case has a value of."""
    return next((name for name in _candidates(settings) if name in cases and cases[name].notna().all()), None)


def _candidates(settings: Harmonisation) -> tuple[str, ...]:
    if settings.batch == "none":
        return ()
    return BATCHES if settings.batch == "auto" else (settings.batch,)


def check_batches(cases: pd.DataFrame, settings: Harmonisation, path: Path) -> None:
    """Refuse before the run what the fit could not do, and tell of a batch column that is passed over.

    Parameters
    ----------
    cases : DataFrame
        Cases analysed, with `cohort`.
    settings : Harmonisation
    path : Path
        The table, for the message.
    """
    column = batch_column(settings, cases)
    _check_gaps(cases, column, settings, path)
    if column is None and settings.batch != "none" and settings.reference not in (None, "largest"):
        fault = f"harmonisation.reference is {settings.reference!r}, and no column names the batch of every case"
        raise InputError("E_BATCH_REFERENCE", path, fault, f"fill {' or '.join(_candidates(settings))}")
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


def _check_gaps(cases: pd.DataFrame, taken: str | None, settings: Harmonisation, path: Path) -> None:
    """Refuse gaps in a column that is named; say where `auto` passes over one for its gaps."""
    for name in _candidates(settings):
        if name == taken:
            return
        gaps = int(cases[name].isna().sum())
        found = f"{name} is empty in {gaps} of {len(cases)} cases"
        if settings.batch == name:
            raise InputError(
                "E_BATCH_MISSING", path, found, f"fill column {name}, or set harmonisation.batch to auto or none"
            )
        if gaps < len(cases):
            warn("W_BATCH_GAPS", path, found, f"ComBat takes {taken} instead" if taken else "ComBat corrects nothing")
