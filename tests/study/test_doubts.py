"""Tables as spreadsheets and people write them: what is set aside with a word, and what is refused in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.study import Study, load

GRADE = "outcome: {column: grade}\n"


def table(n: int = 30, **columns: object) -> pd.DataFrame:
    """`n` patients, classes 0, 1, 2 in turn, two features, all in training."""
    names = [f"P{k:03d}" for k in range(n)]
    first = {"patient_id": names, "grade": np.arange(n) % 3, "cohort": "train"}
    return pd.DataFrame(first | {"f0": np.arange(n) / 7, "f1": np.arange(n)[::-1] * 1.5} | columns)


def write(folder: Path, rows: pd.DataFrame, settings: str = GRADE) -> Path:
    """A feature-table study of `rows` in `folder`."""
    rows.to_csv(folder / "table.csv", index=False)
    (folder / "study.yaml").write_text(f"features: table.csv\n{settings}", encoding="utf-8")
    return folder / "study.yaml"


def refusal(path: Path) -> str:
    """The one line with which a study is refused."""
    with warnings.catch_warnings(), pytest.raises(InputError) as caught:
        warnings.simplefilter("ignore", InputWarning)
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(study: Study) -> list[str]:
    """Names of a study's features."""
    assert study.features is not None
    return list(study.features.columns)


def separators(folder: Path, header: str, cells: str, before: bool = False) -> Path:
    """A study whose lines carry more cells: before or behind the others, `{k}` is the number of the row."""
    path = write(folder, table())
    head, *lines = (folder / "table.csv").read_text().splitlines()
    texts = [(header, head), *((cells.format(k=k), line) for k, line in enumerate(lines))]
    (folder / "table.csv").write_text("\n".join("".join(t if before else t[::-1]) for t in texts))
    return path


def test_separators_behind_the_last_column_are_no_columns(tmp_path: Path) -> None:
    assert names(load(separators(tmp_path, ",,", ",,"))) == ["f0", "f1"]


def test_cells_without_a_header_are_refused(tmp_path: Path) -> None:
    assert refusal(separators(tmp_path, ",,", ",,7")) == (
        "E_COLUMN_NAME table.csv:2: column 7 has no name in the header, and 30 cells (first: '7'); name the column, or "
        "remove it"
    )


@pytest.mark.parametrize("header", ["", "Unnamed: 0"])
def test_numbers_of_rows_are_set_aside(tmp_path: Path, header: str) -> None:
    path = separators(tmp_path, f"{header},", "{k},", before=True)
    with pytest.warns(InputWarning, match=r"W_COLUMN_NAME table.csv: the first column has no name and holds 0, 1, 2"):
        assert names(load(path)) == ["f0", "f1"]


def test_only_the_bookkeeping_of_pyradiomics_is_set_aside(tmp_path: Path) -> None:
    more = {"Image": "a.nrrd", "Label": "1", "diagnostics_Versions": "v3", "ImageEntropy": range(30), "LabelX": 1.0}
    assert names(load(write(tmp_path, table(**more)))) == ["f0", "f1", "ImageEntropy", "LabelX"]


@pytest.mark.parametrize(("classes", "order"), [("²13", "13²"), (["--1", "1", "3"], ["1", "3", "--1"])])
@pytest.mark.filterwarnings("ignore:W_CLASS_ORDER")
def test_classes_that_only_look_like_numbers(tmp_path: Path, classes: str, order: str) -> None:
    assert load(write(tmp_path, table(grade=[classes[k % 3] for k in range(30)]))).classes == tuple(order)


@pytest.mark.parametrize("number", [0, -3])
def test_at_least_one_permutation(tmp_path: Path, number: int) -> None:
    assert refusal(write(tmp_path, table(), f"{GRADE}honesty: {{permutations: {number}}}\n")) == (
        "E_SETTING_VALUE study.yaml: honesty.permutations: at least 1; `leave_out: [permutation]` runs none, and the "
        f"report says so (found {number}); see `ovfrad study schema`"
    )


def test_a_column_without_a_number_in_training_cannot_be_filled(tmp_path: Path) -> None:
    rows = table(cohort=["train"] * 20 + ["external"] * 10)
    rows["f1"] = rows["f1"].where(rows["cohort"] == "external")
    assert refusal(write(tmp_path, rows, GRADE + "selection: {missing: impute}\n")).startswith(
        "E_FEATURE_CELL table.csv: feature 'f1' is empty in all 20 training cases; take it out, "
    )


def test_a_spread_that_underflows_is_a_constant(tmp_path: Path) -> None:
    path = write(tmp_path, table(f1=np.arange(30) * 1e-200))
    with pytest.warns(InputWarning, match=r"W_FEATURE_TINY table.csv: values of 'f1' differ by 3e-199 at most"):
        features = load(path).features
    assert features is not None
    assert features.nunique().to_dict() == {"f0": 30, "f1": 1}


def test_the_outcome_is_no_clinical_column_of_the_defaults(tmp_path: Path) -> None:
    rows = table(sex=np.array(["F", "M"])[np.arange(30) % 2], age=70)
    study = load(write(tmp_path, rows, "outcome: {column: sex}\n"))
    assert study.clinical_columns == ["age"]
    assert study.classes == ("F", "M")
    asked = write(tmp_path, rows, "outcome: {column: sex}\nclinical: {columns: [age, sex]}\n")
    assert refusal(asked).startswith("E_LABEL_COMPONENT study.yaml: 'sex' is part of the label")


@pytest.mark.parametrize("keep", ["0", "no", "False"])
def test_a_reason_that_is_none(tmp_path: Path, keep: str) -> None:
    assert refusal(write(tmp_path, table(exclusion=[keep] * 29 + ["yes"]))) == (
        f"E_CELL table.csv:2: exclusion is {keep!r} (29 such cells), and any text there leaves its case out; leave the "
        "cell empty to keep the case, or write the reason"
    )


def test_every_case_excluded(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, table(exclusion="metal"))) == (
        "E_TABLE_EMPTY table.csv: each of the 30 cases has text in `exclusion`, which leaves it out; empty the cells "
        "of cases to keep"
    )


def test_a_scanner_for_every_case(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, table(scanner=[f"S{k}" for k in range(30)]))) == (
        "E_BATCH_SINGLE table.csv: each of the 30 training cases has a scanner of its own, and ComBat learns from "
        "several; give scanner as one name for all cases of a device, or set harmonisation: {batch: none}"
    )


def test_reference_and_covariates_that_are_not_there(tmp_path: Path) -> None:
    rows = table(scanner=["A"] * 15 + ["B"] * 15)
    assert refusal(write(tmp_path, rows, GRADE + "harmonisation: {reference: Z}\n")) == (
        "E_BATCH_REFERENCE table.csv: harmonisation.reference is 'Z', no scanner of a training case; name one of A, B"
    )
    assert refusal(write(tmp_path, table(), GRADE + "harmonisation: {reference: Z}\n")).endswith(
        "is 'Z', and no column names the batch of every case; fill scanner or center"
    )
    assert refusal(write(tmp_path, rows, GRADE + "harmonisation: {covariates: [age]}\n")) == (
        "E_CLINICAL_GAP table.csv: ComBat covariate age is empty in 30 of 30 cases; fill it, or take it out of "
        "harmonisation.covariates"
    )


def test_the_column_of_cohorts_is_no_feature(tmp_path: Path) -> None:
    rows = table(split=["train"] * 21 + ["external"] * 9).drop(columns="cohort")
    study = load(write(tmp_path, rows, GRADE + "cohorts: {column: split}\n"))
    assert names(study) == ["f0", "f1"]
    assert study.cases["cohort"].value_counts().to_dict() == {"train": 21, "external": 9}


def test_whole_numbers_of_yaml_name_classes_and_batches(tmp_path: Path) -> None:
    rows = table(scanner=[1] * 15 + [2] * 15)
    study = load(write(tmp_path, rows, "outcome: {column: grade, classes: [2, 1, 0]}\nharmonisation: {reference: 1}\n"))
    assert study.classes == ("2", "1", "0")
    assert study.settings.harmonisation.reference == "1"
    assert refusal(write(tmp_path, rows, "outcome: {column: grade, classes: [no, yes]}\n")) == (
        "E_SETTING_VALUE study.yaml: outcome.classes.0: YAML reads yes, no, on and off as true and false: write it in "
        "quotes (found False); see `ovfrad study schema`"
    )


def test_numbers_are_no_classes(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, table(grade=np.arange(30) / 4 + 0.1))) == (
        "E_CLASS_MANY table.csv: grade has 30 distinct values in 30 cases (first: 0.1); cut numbers into classes "
        "before, or list the classes that are meant in outcome.classes"
    )


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    path = write(tmp_path, table(age=[None, *range(50, 79)], f1=np.arange(30) / 3), GRADE + "clinical: {columns: []}\n")
    first = load(path)
    pd.read_csv(tmp_path / "table.csv").set_index("patient_id").to_parquet(tmp_path / "table.parquet")
    path.write_text(path.read_text().replace("table.csv", "table.parquet"))
    second = load(path)
    assert first.features is not None
    pd.testing.assert_frame_equal(first.features, second.features)
    pd.testing.assert_frame_equal(first.cases, second.cases)
    (tmp_path / "table.parquet").write_bytes(b"no parquet")
    assert refusal(path).startswith("E_TABLE_READ table.parquet: not readable as parquet (")


def test_features_of_the_first_reader(tmp_path: Path) -> None:
    rows = pd.concat([table(reader="1"), table(reader="perturbed", f0=9.0)])
    with pytest.warns(InputWarning, match=r"W_READER table.csv: 30 of 60 rows are of other readers \(perturbed\)"):
        study = load(write(tmp_path, rows))
    assert names(study) == ["f0", "f1"]
    assert len(study.cases) == 30
    assert refusal(write(tmp_path, rows.replace({"reader": {"1": "A"}}))) == (
        "E_READER table.csv: rows of readers A, perturbed, none of reader 1; keep the rows of one reader, or name it 1"
    )


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([f"{'Pp'[k % 2]}{k // 2}" for k in range(30)], r"30 patient_ids, 15 but for .* \(P0, p0\)"),
        ([f"P {k // 2}{' ' * (k % 2)}x" for k in range(30)], r"30 patient_ids, 15 but for"),
        ([f"P{k // 3}_L{1 + k % 3}" for k in range(30)], r"30 patient_ids, 10 but for .* \(P0_L1, P0_L2, P0_L3\)"),
        ([f"P{k // 2}-{('T12', 'Th11')[k % 2]}" for k in range(30)], r"30 patient_ids, 15 but for"),
    ],
)
def test_one_patient_under_two_names(tmp_path: Path, ids: list[str], told: str) -> None:
    with pytest.warns(InputWarning, match=f"W_PATIENT_IDS table.csv: {told}"):
        load(write(tmp_path, table(patient_id=ids)))


def test_names_of_patients_that_differ(tmp_path: Path) -> None:
    for ids in ([f"P-{k}" for k in range(30)], [f"S1_C{k}" for k in range(30)][:1] + [f"L{k}" for k in range(29)]):
        assert load(write(tmp_path, table(patient_id=ids))).warnings == ()
    levels = table(patient_id=[f"P{k // 2}_L{k % 2}" for k in range(30)], vertebra=["L1", "L2"] * 15)
    assert load(write(tmp_path, levels)).warnings == ()


def test_a_rule_that_fits_no_case(tmp_path: Path) -> None:
    rows = table(center=["A"] * 18 + ["B"] * 12).drop(columns="cohort")
    rule = "outcome: {{column: grade}}\ncohorts: {{rules: {{external: {{{}}}}}}}\n"
    wanted = "E_COHORT_RULE table.csv: rule external of cohorts.rules fits none of 30 cases ({}); write centers as the "
    found = "centers found: A, B"
    for settings, told in (
        ("center: [b]", found),
        ("date_from: 2024-01-01", "the table has no date"),
        ("center: [b], date_from: 2024-01-01", f"{found}; the table has no date"),
    ):
        assert refusal(write(tmp_path, rows, rule.format(settings))).startswith(wanted.format(told))
    assert "(the table names no center)" in refusal(
        write(tmp_path, rows.drop(columns="center"), rule.format("center: [B]"))
    )
    with pytest.warns(
        InputWarning, match=r"W_COHORT_RULE table.csv: no case is of center c, which rule external names"
    ):
        study = load(write(tmp_path, rows, rule.format("center: [B, c]")))
    assert (study.cases["cohort"] == "external").sum() == 12


def test_cases_without_a_date_under_a_rule_by_date(tmp_path: Path) -> None:
    rows = table(date=["2023-05-01"] * 15 + [None] * 3 + ["2024-05-01"] * 12).drop(columns="cohort")
    rule = GRADE + "cohorts: {rules: {prospective: {date_from: 2024-01-01}}}\n"
    wanted = (
        "W_COHORT_DATE table.csv: 3 of 30 cases have no date, by which rule prospective decides; "
        "they go 3 to training and internal"
    )
    with pytest.warns(InputWarning, match=wanted):
        study = load(write(tmp_path, rows, rule))
    assert (study.cases["cohort"] == "prospective").sum() == 12


def test_two_tables_with_two_outcomes(tmp_path: Path) -> None:
    rows = table(grade=[1.0 if k == 3 else k % 3 for k in range(30)])
    path = write(tmp_path, rows, GRADE + "cases: cases.csv\n")
    table()[["patient_id", "grade", "cohort"]].to_csv(tmp_path / "cases.csv", index=False)
    assert refusal(path) == (
        "E_OUTCOME_DISAGREE cases.csv:5: grade of P003 - is 0, and 1 in table.csv:5 (1 of 30 cases differ); correct "
        "one of them"
    )
    table().sample(frac=1, random_state=0).to_csv(tmp_path / "table.csv", index=False)
    assert len(load(path).cases) == 30
