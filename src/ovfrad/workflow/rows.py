"""Rows and procedure of a study as the fold engine takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ovfrad.models.network import TunedArm
from ovfrad.models.procedure import OWN, Procedure
from ovfrad.models.rows import Rows
from ovfrad.study import Study, StudySettings
from ovfrad.study.batches import batch_column
from ovfrad.study.load import clinical_columns
from ovfrad.workflow.case import PERTURBED


def make_rows(settings: StudySettings, cases: pd.DataFrame, table: pd.DataFrame, cohort: str) -> Rows:
    """Rows of one cohort, sorted by patient and vertebra.

    Parameters
    ----------
    settings : StudySettings
    cases : DataFrame
        All cases, index (patient_id, vertebra), columns of the case table with `cohort` and `y`.
    table : DataFrame
        Features, index (patient_id, vertebra, reader).
    cohort : str
    """
    part = cases[
        cases["cohort"] == cohort
    ].sort_index()  # forests draw rows by position: the table's order must not tell
    X, second = of_reader(table, "1").loc[part.index], of_reader(table, PERTURBED)
    second = second if len(second) else of_reader(table, "2")  # perturbed are those whom too few second readers saw
    second = second.loc[second.index.isin(part.index)]
    radiomics = [name for name in X.columns if not str(name).startswith("deep_")]
    column, clinical = batch_column(settings.harmonisation, cases), clinical_columns(settings, cases)
    adjusted = () if column is None else settings.harmonisation.covariates
    return Rows(
        X,
        part["y"],
        groups_of(part),
        batch=None if column is None else part[column].to_numpy(dtype=object),
        covariates=covariates_of(part, adjusted),
        reader2=second[radiomics] if len(second) else None,
        clinical=part[clinical] if clinical else None,
        center=part["center"].to_numpy(dtype=object) if cases["center"].notna().all() else None,
        survival=_survival(part, settings) if cohort == "train" else None,
    )


def _survival(cases: pd.DataFrame, settings: StudySettings) -> pd.DataFrame | None:
    """Columns time and event of a LASSO of kind cox."""
    time, event = settings.selection.time_column, settings.selection.event_column
    if time is None or event is None:
        return None
    return cases[[time, event]].astype(float).set_axis(["time", "event"], axis=1)


def groups_of(cases: pd.DataFrame) -> np.ndarray:
    """Patient of each case; patients who share a case's very voxels count as one, so that no copy crosses a fold."""
    patients = cases.index.get_level_values("patient_id").to_numpy(dtype=object)
    if "voxels" not in cases:
        return patients
    owner = {name: name for name in patients}
    for _, same in pd.Series(patients).groupby(cases["voxels"].to_numpy()):
        if same.nunique() > 1:
            owners = {owner[name] for name in same}
            owner = {name: min(owners) if of in owners else of for name, of in owner.items()}
    return np.array([owner[name] for name in patients], dtype=object)


def of_reader(table: pd.DataFrame, reader: str) -> pd.DataFrame:
    """Features of one reader, index (patient_id, vertebra)."""
    return table[table.index.get_level_values("reader") == reader].droplevel("reader")


def covariates_of(cases: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame | None:
    """ComBat's covariates as numbers, NaN where a cell is empty; `study.batches` has refused gaps in a study."""
    if not names:
        return None
    female = (cases["sex"] == "F").astype(float).where(cases["sex"].notna())
    columns = {name: cases[name] if name == "age" else female for name in names}
    return pd.DataFrame(columns, index=cases.index).astype(float)


def procedure_of(study: Study, arm: str, network: TunedArm | None = None) -> Procedure:
    """What the engine is told about one arm of a study, and of its network where that is tuned."""
    settings = study.settings
    scored = settings.selection.scored(settings.outcome.ordered, len(study.classes))
    own = [name for name in OWN if name != "rad_score" or scored]
    return Procedure(
        classes=study.classes,
        names=(*settings.models.classifiers, *own),
        models=settings.models,
        harmonisation=settings.harmonisation,
        selection=settings.selection,
        ordered=settings.outcome.ordered,
        arm=arm,
        recipe=settings.recipe,
        random_state=settings.seed,
        network=network,
    )
