"""Leaks that stand in a user's table or study file: each is refused in one line or flagged by a row of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError
from ovfrad.workflow.fit import load_recipes

from .pipelines import smote  # type: ignore[import-not-found]
from .studies import FEATURES, SETTINGS, clean, looked_at, write  # type: ignore[import-not-found]

Plant = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
WHERE = ["patient_id", "vertebra", "cohort"]
CODES = {0: "0", 1: "1", 2: "2"}


def with_column(name: str, of: Callable[[pd.DataFrame, np.random.Generator], object]) -> Plant:
    return lambda table, rng: table.assign(**{name: of(table, rng)})


def further(table: pd.DataFrame, rows: pd.DataFrame, cohort: str, letter: str = "Z") -> pd.DataFrame:
    """The table with these rows once more, as other patients of a cohort."""
    new = rows.assign(patient_id=[f"{letter}{900 + k}" for k in range(len(rows))], vertebra="L1", cohort=cohort)
    return pd.concat([table, new], ignore_index=True)


def training(table: pd.DataFrame, n: int) -> pd.DataFrame:
    return table[table["cohort"] == "train"].head(n).copy()


def rescaled_images(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Six training cases come again at another centre, grey levels in another unit: shape stays as it was."""
    again = training(table, 6)
    grey = [name for name in FEATURES if "shape" not in name]
    again[grey] *= 1.37
    return further(table, again, "external")


def outlined_anew(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Six training cases come again, outlined by another reader (ICC about .99)."""
    again = training(table, 6)
    spread = np.log(table[FEATURES]).std().to_numpy()
    again[FEATURES] *= np.exp(0.07 * spread * rng.normal(size=(6, len(FEATURES))))
    return further(table, again, "internal")


def other_unit(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The external cohort is the training cohort's first thirty rows, each feature in a unit of its own."""
    again = training(table, 30)
    again[FEATURES] = again[FEATURES] * np.exp(rng.normal(size=len(FEATURES))) + 0.5
    return further(table[table["cohort"] != "external"], again, "external")


def copies_within(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Five training cases stand twice, under another patient, with a new age and volume."""
    again = training(table, 5)
    again["age"] += 1
    again["original_shape_MeshVolume"] *= 1.01
    return further(table, again, "train")


def oversampled(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """SMOTE rows of class 2, as new patients."""
    rare = table[(table["cohort"] == "train") & (table["astlof_class"] == 2)]
    common = table[(table["cohort"] == "train") & (table["astlof_class"] == 0)]
    codes = np.r_[np.ones(len(rare), dtype=int), np.zeros(len(common), dtype=int)]
    X, _y = smote(np.vstack([rare[FEATURES], common[FEATURES]]), codes)
    new = X[len(codes) :]
    like = rare.iloc[np.arange(len(new)) % len(rare)].copy()
    like[FEATURES] = new
    like[["t_score", "morphology", "mri", "pain"]] = np.nan
    return further(table, like, "train")


def unexamined(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A laboratory value, -999 where it was not measured, which was hardly ever in severe cases."""
    value = rng.normal(size=len(table))
    missing = rng.random(len(table)) < np.where(table["astlof_class"] == 2, 0.8, 0.1)
    return table.assign(crp=np.where(missing, -999.0, value))


def filled_in(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same, with the mean in place of a gap."""
    missing = rng.random(len(table)) < np.where(table["astlof_class"] == 2, 0.8, 0.1)
    value = rng.normal(size=len(table))
    return table.assign(crp=np.where(missing, value[~missing].mean(), value))


def cases_and_controls(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Patients of a surgical ward are called S..., others C..."""
    letter = np.where(table.groupby("patient_id")["astlof_class"].transform("max") > 0, "S", "C")
    return table.assign(patient_id=letter + table["patient_id"].str[1:].to_numpy(dtype=object))


def numbered(table: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    """Sorted by class, with the case number left among the features."""
    table = table.sort_values("astlof_class", kind="stable").reset_index(drop=True)
    return table.assign(case_no=np.arange(1, len(table) + 1))


def by_date(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Severe cases were scanned in later years, and a feature drifted with the years."""
    late = np.argsort(table["astlof_class"].to_numpy() + 0.6 * rng.normal(size=len(table)))
    days = np.empty(len(table), dtype=int)
    days[late] = np.arange(len(table)) * 9
    dates = pd.Timestamp("2019-01-01") + pd.to_timedelta(days, unit="D")
    return table.assign(date=dates.strftime("%Y-%m-%d"), dose=days + 30 * rng.normal(size=len(table)))


FLAGGED: dict[str, tuple[Plant, str, str, str]] = {
    "the outcome under another name": (
        with_column("group", lambda t, r: t["astlof_class"] * 10), "label proxy", "FAIL", "group tells every class"),
    "the outcome with noise": (
        with_column("index7", lambda t, r: t["astlof_class"] + 0.05 * r.normal(size=len(t))), "label proxy", "FAIL",
        "index7 tells every class without error: it is the outcome"),
    "a perfect sign of one class": (
        with_column("screws", lambda t, r: (t["astlof_class"] == 2) * (1 + r.random(len(t)))), "label proxy", "WARN",
        "screws, reads AUC 1.000 for class 2"),
    "the T-score renamed and rescaled": (
        with_column("density", lambda t, r: 100 + 12 * t["t_score"]), "label parts", "FAIL", "density follows t_score"),
    "the T-score in points": (
        with_column("bone", lambda t, r: np.digitize(-t["t_score"], (2.5, 3.5))), "label parts", "FAIL",
        "bone follows t_score"),
    "an MRI item renamed": (
        with_column("signal7", lambda t, r: 2 - t["mri"]), "label parts", "FAIL", "signal7 follows mri"),
    "a DXA column that the cases do not hold": (
        with_column("hip DXA", lambda t, r: r.normal(size=len(t))), "label parts", "WARN", "hip DXA is named as if"),
    "the case number of a sorted table": (numbered, "order and names", "FAIL", "case_no follows the row of the table"),
    "the number of the patient": (
        with_column("number", lambda t, r: t["patient_id"].str[1:].astype(int)), "order and names", "WARN",
        "number follows the number in the patient's name"),
    "a value that drifts with the date": (by_date, "order and names", "WARN", "dose follows the date and tells"),
    "wards in the patients' names": (cases_and_controls, "order and names", "WARN", "The letters in the patients'"),
    "who was examined": (unexamined, "gaps", "WARN", "crp in"),
    "who was examined, gaps filled": (filled_in, "gaps", "WARN", "crp in"),
    "rescaled copies in another cohort": (rescaled_images, "copies", "FAIL", "6 pairs of rows across cohorts"),
    "changed copies within a cohort": (copies_within, "copies", "WARN", "5 pairs of rows within a cohort"),
    "copies outlined anew": (outlined_anew, "near copies", "WARN", "6 of them across cohorts"),
    "a cohort in other units": (other_unit, "near copies", "WARN", "of them across cohorts, the nearest"),
    "oversampled before the study": (oversampled, "synthetic rows", "FAIL", "as SMOTE makes them"),
}  # fmt: skip


@pytest.mark.parametrize("leak", FLAGGED)
def test_a_leak_in_the_table_is_flagged(leak: str, tmp_path: Path) -> None:
    plant, row, status, words = FLAGGED[leak]
    found = looked_at(write(tmp_path, plant(clean(1), np.random.default_rng(0))))[row]
    print(f"{leak}: {found}")
    assert found.status == status
    assert words in found.text


@pytest.mark.parametrize("seed", range(6))
def test_a_clean_table_is_not(seed: int, tmp_path: Path) -> None:
    found = looked_at(write(tmp_path, clean(seed)))
    assert {name: check.text for name, check in found.items() if check.status != "PASS"} == {}


REFUSED = {
    "a patient in two cohorts": (
        lambda t: t.assign(cohort=np.where(np.arange(len(t)) % 2, "train", "external")), "", "E_COHORT_PATIENT"),
    "T-score as feature": (lambda t: t.assign(**{"T-Score": t["t_score"]}), "", "E_LABEL_COMPONENT"),
    "the outcome as feature": (lambda t: t.assign(**{"ASTLOF class": t["astlof_class"]}), "", "E_LABEL_COMPONENT"),
    "MRI as clinical column": (lambda t: t, "clinical: {columns: [age, mri]}", "E_LABEL_COMPONENT"),
    "ComBat with the outcome": (lambda t: t, "harmonisation: {covariates: [astlof_class]}", "E_SETTING"),
    "a cell without a number": (lambda t: t.assign(crp="not done"), "", "E_FEATURE_CELL"),
}  # fmt: skip


@pytest.mark.parametrize("leak", REFUSED)
def test_a_leak_in_the_study_is_refused(leak: str, tmp_path: Path) -> None:
    plant, settings, code = REFUSED[leak]
    path = write(tmp_path, plant(clean(1)), SETTINGS + settings + "\n")
    with pytest.raises(InputError, match=code):
        load_recipes(path, None)


def test_a_part_of_the_label_that_the_user_wants_is_told(tmp_path: Path) -> None:
    settings = SETTINGS + "clinical: {columns: [age, t_score], allow_label_components: true}\n"
    with pytest.warns(UserWarning, match="W_LABEL_COMPONENT"):
        load_recipes(write(tmp_path, clean(1), settings), None)
    found = looked_at(tmp_path / "study.yaml")["label parts"]
    assert (found.status, found.value) == ("WARN", 1)
    assert "t_score is part of the label or follows from it" in found.text


def test_what_is_left_out_is_not_looked_for(tmp_path: Path) -> None:
    settings = SETTINGS.replace("permutations: 2", "permutations: 2, leave_out: [columns, copies, siblings]")
    assert looked_at(write(tmp_path, clean(1), settings)) == {}
