"""From study.yaml to a `Study`: a study that exists is valid."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from ovfrad.astlof import LABEL_COMPONENTS
from ovfrad.errors import InputError, heard, warn
from ovfrad.study import file
from ovfrad.study.batches import batch_column, check_batches
from ovfrad.study.cases import check_filled, outcome, read_cases, read_features, survival
from ovfrad.study.cohorts import COHORTS, assign
from ovfrad.study.doubts import check_number_of_classes, check_patients, check_reasons, check_same_outcome, tell_unused
from ovfrad.study.settings import Clinical, StudySettings
from ovfrad.study.table import as_number, deep_arms


@dataclass(frozen=True, eq=False)
class Study:
    """A checked study.

    Attributes
    ----------
    settings : StudySettings
        Resolved under one recipe.
    path, table : Path
        study.yaml and the table its cases come from.
    cases : DataFrame
        Cases analysed, index (patient_id, vertebra), with `cohort` and the codes of the outcome in `y`.
    excluded : DataFrame
        Rows with a reason in `exclusion`.
    features : DataFrame or None
        The feature table of a study that starts from one, index as `cases`.
    classes : tuple of str
        Class values; their position is the code 0 .. K-1.
    case_list_sha256 : str
        Hash of the cases without outcome or anything that is part of it (A8).
    case_list_at : str
        When it was taken, before any outcome was looked at; ISO 8601, UTC.
    warnings : tuple of str
        What reading it warned of, for the run folder and the report.
    """

    settings: StudySettings
    path: Path
    table: Path
    cases: pd.DataFrame
    excluded: pd.DataFrame
    features: pd.DataFrame | None
    classes: tuple[str, ...]
    case_list_sha256: str
    case_list_at: str
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the resolved settings."""
        return file.sha256(self.settings)

    @property
    def clinical_columns(self) -> list[str]:
        """Columns of `clinical:` that the cases have."""
        return clinical_columns(self.settings, self.cases)

    @property
    def batch_column(self) -> str | None:
        """Column whose values are ComBat's batches."""
        return batch_column(self.settings.harmonisation, self.cases)

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms, the headline's first: those of `deep:`, or those whose columns a feature table has, else `table`."""
        if self.features is None:
            names = list(self.settings.deep.arms)
        else:
            names = deep_arms(self.features.columns) or ["table"]
        first = self.settings.models.headline.arm or names[0]
        return first, *(name for name in names if name != first)


def clinical_columns(settings: StudySettings, cases: pd.DataFrame) -> list[str]:
    """Columns of `clinical:` that the cases have."""
    return [c for c in settings.clinical.columns if c in cases and cases[c].notna().any()]


def load(path: Path, recipe: str | None = None, *, labels: bool = True) -> Study:
    """Read and check a study under `recipe` (default: the one its file names).

    Without `labels` the outcome is neither read nor asked for, and cases have neither `cohort` by rule nor `y`: enough
    to extract features.
    """
    with heard() as told:
        study = _load(path, recipe, labels)
    return replace(study, warnings=tuple(told))


def _load(path: Path, recipe: str | None, labels: bool) -> Study:
    path = path / "study.yaml" if path.is_dir() else path
    settings = file.resolve(file.read_yaml(path), path, recipe)
    _check_settings(settings, path)
    cases, features, table = _read(settings, path)
    if features is not None and settings.feature_columns is None:
        _check_predictors(features.columns, settings, table)
    check_reasons(cases, table)
    left_out = cases["exclusion"].notna()
    excluded, cases = cases[left_out], cases[~left_out].copy()
    if cases.empty:
        fault = f"each of the {len(excluded)} cases has text in `exclusion`, which leaves it out"
        raise InputError("E_TABLE_EMPTY", table, fault, "empty the cells of cases to keep")
    check_patients(cases, table)
    case_list = _hash_without_outcome(cases, settings.outcome_columns)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    if not labels:
        return Study(settings, path.resolve(), table.resolve(), cases, excluded, features, (), case_list, at)
    values = outcome(cases, table, settings)
    classes = _classes(values, settings, table)
    settings = _in_order(classes, settings, table)
    codes = values.map({name: code for code, name in enumerate(classes)})
    cases["cohort"] = assign(cases, codes, settings.cohorts, settings.seed, table)
    cases["y"] = codes.astype(int)
    cases = cases.assign(**survival(cases, table, settings))
    _check_training(cases, classes, table)
    _check_clinical(cases, [*cases.columns, *([] if features is None else features.columns)], settings, table)
    check_batches(cases, settings.harmonisation, table)
    if features is not None:
        features = features.loc[cases.index]
        check_filled(features, cases["cohort"] == "train", table)
        _check_arm(features, settings, table)
    return Study(settings, path.resolve(), table.resolve(), cases, excluded, features, classes, case_list, at)


def _read(settings: StudySettings, path: Path) -> tuple[pd.DataFrame, pd.DataFrame | None, Path]:
    """Case table, feature table (or None), and the file that errors about cases name."""
    if settings.features is None:
        table = path.parent / str(settings.cases)
        return read_cases(table, settings), None, table
    source = path.parent / settings.features
    from_features, features = read_features(source, settings)
    if settings.cases is None:
        return from_features, features, source
    table = path.parent / settings.cases
    cases = read_cases(table, settings)
    absent = cases.index.difference(features.index)
    if len(absent):
        fault = f"{len(absent)} of {len(cases)} cases have no row of features (first: {' '.join(absent[0])})"
        raise InputError("E_FEATURES_ABSENT", source, fault, "extract them, or take the cases out of the case table")
    check_same_outcome(cases, from_features, settings.outcome.column, (table, source))
    tell_unused(cases, from_features, (table, source))
    return cases, features, table


def _check_settings(settings: StudySettings, path: Path) -> None:
    """Faults between settings that no single section sees."""
    arm, arms = settings.models.headline.arm, settings.deep.arms
    if settings.features is None and not arms:
        raise InputError(
            "E_SETTING_VALUE", path, "deep.arms is empty", "name one; `none: {weights: none}` is radiomics alone"
        )
    if settings.features is None and arm is not None and arm not in arms:
        raise InputError("E_SETTING_VALUE", path, f"headline arm {arm!r} is no arm", f"name one of {', '.join(arms)}")
    bad = [name for name in arms if not name.isidentifier()]
    if bad:
        raise InputError("E_SETTING_VALUE", path, f"arm name {bad[0]!r}", "use letters, digits and _")
    _check_predictors([*settings.clinical.columns, *(settings.feature_columns or ())], settings, path)
    headline = settings.models.headline.model
    if headline not in ("auto", "best_of_nine") and headline not in settings.models.classifiers:
        raise InputError("E_SETTING_VALUE", path, f"headline model {headline} is not in models.classifiers", "add it")


def _check_predictors(names: Iterable[str], settings: StudySettings, path: Path) -> None:
    """Refuse parts of the label as predictors (A6), also under a name that differs in case and signs."""
    label = {_plain(name) for name in (*LABEL_COMPONENTS, *settings.outcome_columns)}
    forbidden = [name for name in names if _plain(name) in label]
    if forbidden and not settings.clinical.allow_label_components:
        fault = f"{forbidden[0]!r} is part of the label or follows from it and cannot predict it"
        raise InputError("E_LABEL_COMPONENT", path, fault, "remove it, or set clinical.allow_label_components: true")
    if forbidden:
        warn(
            "W_LABEL_COMPONENT",
            path,
            f"{', '.join(forbidden)} used as predictor",
            "results say little about new patients",
        )


def _plain(name: str) -> str:
    """A name without case, spaces and signs: T-score and t_score are one.

    >>> _plain("T-score") == _plain("t_score")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _hash_without_outcome(cases: pd.DataFrame, columns: tuple[str, ...]) -> str:
    kept = cases.drop(columns=[c for c in {*LABEL_COMPONENTS, *columns} if c in cases])
    kept = kept.drop(columns=["ct", "mask", "mask_reader2"])
    return hashlib.sha256(kept.sort_index().to_csv().encode()).hexdigest()


def _classes(values: pd.Series, settings: StudySettings, table: Path) -> tuple[str, ...]:
    """Class values in order: named in the study file, those of ASTLOF, or sorted as found, numbers by their size."""
    found = sorted(values.unique(), key=_by_size)
    named = settings.outcome.classes
    if named is None and settings.outcome.column == "astlof_class":
        named = ("0", "1", "2")
    if named is None:
        check_number_of_classes(values, settings.outcome.column, table)
    unknown = [value for value in found if named is not None and value not in named]
    if named is not None and unknown:
        fault = f"{settings.outcome.column} has the value {unknown[0]!r}"
        raise InputError("E_CLASS_UNKNOWN", table, fault, f"the classes are {', '.join(named)}")
    classes = tuple(named or found)
    if len(classes) < 2:
        raise InputError(
            "E_CLASS_ONE", table, f"{settings.outcome.column} has one class only", "two or more are needed"
        )
    return classes


def _by_size(value: str) -> tuple[bool, float, str]:
    number = as_number(value)
    return number is None, number or 0.0, value


def _in_order(classes: tuple[str, ...], settings: StudySettings, table: Path) -> StudySettings:
    """Settings in which classes have an order only where it is known: named, of numbers, or of two."""
    told = settings.outcome
    known = told.classes is not None or len(classes) == 2 or all(as_number(name) is not None for name in classes)
    if known or not told.ordered:
        return settings
    shown, remedy = ", ".join(classes), f"name outcome.classes from the lowest, as [{', '.join(classes)}] if that is it"
    if "ordered" in told.model_fields_set:
        fault = f"the order of {shown} is not known, and outcome.ordered is true"
        raise InputError("E_CLASS_ORDER", table, fault, remedy)
    warn("W_CLASS_ORDER", table, f"the classes {shown} are taken as without an order", f"if they have one, {remedy}")
    return settings.model_copy(update={"outcome": told.model_copy(update={"ordered": False})})


def _check_training(cases: pd.DataFrame, classes: tuple[str, ...], table: Path) -> None:
    training = cases[cases["cohort"] == "train"]
    counts = [int((training["y"] == k).sum()) for k in range(len(classes))]
    shown = ", ".join(f"{n} of class {name}" for name, n in zip(classes, counts, strict=True))
    if 0 in counts:
        fault = f"class {classes[counts.index(0)]} is missing in the training cohort ({shown})"
        raise InputError("E_CLASS_TRAIN", table, fault, "training needs every class")
    for cohort in COHORTS[1:]:
        part = cases[cases["cohort"] == cohort]
        absent = [name for k, name in enumerate(classes) if len(part) and not (part["y"] == k).any()]
        if absent:
            fault = f"class {', '.join(absent)} is missing in the {cohort} cohort"
            warn("W_CLASS_COHORT", table, fault, "its AUC and the macro AUC cannot be given there")


def _check_arm(features: pd.DataFrame, settings: StudySettings, table: Path) -> None:
    """Refuse a headline arm that a feature table has no columns of."""
    arm, known = settings.models.headline.arm, deep_arms(features.columns) or ["table"]
    if arm is not None and arm not in known:
        fault = f"headline arm {arm!r} has no column deep_{arm}_0000"
        raise InputError("E_SETTING_VALUE", table, fault, f"the arms of this table: {', '.join(known)}")


def _check_clinical(cases: pd.DataFrame, there: list[str], settings: StudySettings, table: Path) -> None:
    usual = Clinical().columns
    absent = [name for name in settings.clinical.columns if name not in cases and name not in usual]
    if absent:
        near = get_close_matches(absent[0], there, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "correct clinical.columns, or add the column"
        raise InputError("E_COLUMN_MISSING", table, f"clinical column {absent[0]!r} is absent", remedy)
    for name in clinical_columns(settings, cases):
        gaps = int(cases[name].isna().sum())
        if gaps and settings.clinical.missing == "refuse":
            fault = f"{name} is empty in {gaps} of {len(cases)} cases"
            remedy = "fill it, set clinical.missing: impute, or take it out of clinical.columns"
            raise InputError("E_CLINICAL_GAP", table, fault, remedy)
