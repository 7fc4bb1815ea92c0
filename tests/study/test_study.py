"""study.yaml, case table and cohorts: what is accepted, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.study import file, load
from ovfrad.study.cases import read_cases
from ovfrad.study.labels import Faults
from ovfrad.study.recipes import DIFFERENCES
from ovfrad.study.settings import StudySettings


def write(folder: Path, rows: list[dict], settings: str = "", **changes: str) -> Path:
    """A study of `rows` in `folder`."""
    pd.DataFrame(rows).to_csv(folder / "cases.csv", index=False)
    (folder / "study.yaml").write_text(f"cases: cases.csv\n{settings}")
    return folder / "study.yaml"


def cases(n: int = 30, **columns: object) -> list[dict]:
    """`n` patients with one L1 each, classes 0, 1, 2 in turn."""
    return [
        {"patient_id": f"{k:03d}", "vertebra": "L1", "ct": "ct.nii.gz", "mask": "m.nii.gz", "astlof_class": k % 3}
        | {name: value(k) if callable(value) else value for name, value in columns.items()}
        for k in range(n)
    ]


def refusal(path: Path) -> str:
    """The one line with which a study is refused."""
    with pytest.raises(InputError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_split_is_by_patient_and_does_not_depend_on_row_order(tmp_path: Path) -> None:
    rows = [*cases(60), *[row | {"vertebra": "L2"} for row in cases(20)]]
    first = load(write(tmp_path, rows)).cases["cohort"]
    second = load(write(tmp_path, rows[::-1])).cases["cohort"]
    assert (first.groupby("patient_id").nunique() == 1).all()
    assert first.sort_index().equals(second.sort_index())
    by_patient = first.groupby("patient_id").first()
    assert (by_patient == "internal").mean() == pytest.approx(0.2, abs=0.01)


def test_leading_zeros_of_patient_names_survive(tmp_path: Path) -> None:
    assert load(write(tmp_path, cases())).cases.index[7] == ("007", "L1")


def test_unknown_setting_names_its_neighbour(tmp_path: Path) -> None:
    line = refusal(write(tmp_path, cases(), "imaging: {spacing: 2}\n"))
    assert line.startswith(
        "E_SETTING_UNKNOWN study.yaml: unknown setting 'imaging.spacing'; did you mean 'spacing_mm'?"
    )


def test_unknown_column_is_refused_unless_declared(tmp_path: Path) -> None:
    line = refusal(write(tmp_path, cases(t_scor=-2.0)))
    assert line == (
        "E_COLUMN_UNKNOWN cases.csv: unknown column 't_scor'; did you mean 't_score'? Else list it in "
        "`further_columns` of study.yaml"
    )
    assert "bmi" in load(write(tmp_path, cases(bmi=27), "further_columns: [bmi]\n")).cases


def test_patient_in_two_cohorts(tmp_path: Path) -> None:
    rows = cases(cohort="train")
    rows.append(rows[3] | {"vertebra": "L2", "cohort": "external"})
    assert refusal(write(tmp_path, rows)) == (
        "E_COHORT_PATIENT cases.csv: patient 003 is in two cohorts (external, train); put all vertebrae of a patient "
        "in one cohort"
    )


def test_class_missing_in_training(tmp_path: Path) -> None:
    rows = cases(cohort=lambda k: "external" if k % 3 == 2 else "train")
    assert refusal(write(tmp_path, rows)) == (
        "E_CLASS_TRAIN cases.csv: class 2 is missing in the training cohort "
        "(10 of class 0, 10 of class 1, 0 of class 2); training needs every class"
    )


def test_class_missing_in_a_validation_cohort_is_told(tmp_path: Path) -> None:
    rows = cases(cohort=lambda k: "external" if k in (0, 1) else "train")
    with pytest.warns(InputWarning, match="W_CLASS_COHORT cases.csv: class 2 is missing in the external cohort"):
        load(write(tmp_path, rows))


def test_class_from_items_and_disagreement(tmp_path: Path) -> None:
    items = {"morphology": 1, "mri": 1, "pain": 1}
    rows = [row | items | {"t_score": (-1.0, -3.0, -4.0)[k % 3], "astlof_class": None} for k, row in enumerate(cases())]
    assert load(write(tmp_path, rows)).cases["y"].tolist() == [0, 1, 2] * 10
    rows[4]["astlof_class"] = 2
    assert refusal(write(tmp_path, rows)).startswith(
        "E_ASTLOF_DISAGREE cases.csv:6: astlof_class is 2 but score or items give 1"
    )


def test_missing_outcome_counts_and_exclusion_mends_it(tmp_path: Path) -> None:
    rows = cases(astlof_class=lambda k: None if k == 5 else k % 3)
    assert "1 of 30 cases have no astlof_class (first: row 7)" in refusal(write(tmp_path, rows))
    rows[5]["exclusion"] = "artefact"
    study = load(write(tmp_path, rows))
    assert len(study.cases) == 29
    assert study.excluded["exclusion"].tolist() == ["artefact"]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("age", "seventy", "cases.csv:2: age is 'seventy'; write a number from 0 to 120"),
        ("sex", "x", "cases.csv:2: sex is 'x'; write F or M"),
        ("mri", "1.5", "cases.csv:2: mri is '1.5'; write a whole number from 0 to 2"),
        ("date", "31.12.2024", "cases.csv:2: date is '31.12.2024', no date; write dates as 2024-03-31"),
        ("mask_scheme", "vers", "cases.csv:2: mask_scheme is 'vers'; write verse, totalsegmentator"),
        ("ct", "../elsewhere/ct.nii.gz", "cases.csv:2: ct '../elsewhere/ct.nii.gz' leads outside"),
        ("cohort", "test", "cases.csv:2: cohort is 'test'; write one of train, internal, external, prospective"),
    ],
)
def test_bad_cells_name_their_row(tmp_path: Path, column: str, value: str, words: str) -> None:
    assert words in refusal(write(tmp_path, cases(**{column: value})))


def test_the_same_case_twice(tmp_path: Path) -> None:
    assert "cases.csv:32: case 000 L1 stands twice" in refusal(write(tmp_path, [*cases(), cases()[0]]))


def test_label_follows_from_vertebra_and_scheme(tmp_path: Path) -> None:
    study = load(write(tmp_path, cases(mask_scheme="verse")))
    assert (study.cases["mask_label"] == "verse:L1").all()


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"mask_label": 19}, "label 19 is T12 in scheme verse, and the case is L1, which is 20"),
        ({"mask_label": 31}, "label 31 is no vertebra in scheme verse, and the case is L1, which is 20"),
        (
            {"mask_label": 20, "mask_label_reader2": 21},
            "label 21 is L2 in scheme verse, and the case is L1, which is 20",
        ),
        ({"mask_label": "19.0"}, "label 19 is T12 in scheme verse, and the case is L1, which is 20"),
        (
            {"mask_label_reader2": 1, "mask_reader2": "mask.nii.gz"},
            "label 1 is C1 in scheme verse, and the case is L1, which is 20",
        ),
        (
            {"mask_label_reader2": 21, "mask_reader2": "other.nii.gz"},
            "label 21 is L2 in scheme verse, and the case is L1, which is 20",
        ),
        (
            {"mask_label_reader2": "Th12", "mask_reader2": "other.nii.gz"},
            "label Th12 names another vertebra than the case, which is L1",
        ),
        *[
            ({"mask_label": name, "mask_scheme": ""}, f"label {name} names another vertebra than the case, which is L1")
            for name in ("vertebrae_L2", "L2 vertebra", "Vertebra-L2", "Th11", "vertebrae_Th11")
        ],
        ({"mask_label": "L2", "mask_scheme": ""}, "label L2 names another vertebra than the case, which is L1"),
        ({"mask_label": "verse:T12"}, "label verse:T12 names another vertebra than the case, which is L1"),
    ],
)
def test_a_label_of_another_vertebra_is_refused(tmp_path: Path, columns: dict[str, object], fault: str) -> None:
    second = "mask_label_reader2" in columns
    own = "if only the second mask has numbers of its own, fill mask_label and leave mask_scheme empty"
    rows = [row | {"mask": "mask.nii.gz"} for row in cases(**({"mask_scheme": "verse"} | columns))]
    assert refusal(write(tmp_path, rows)) == (
        f"E_CELL cases.csv:2: {fault}; correct vertebra, {'mask_label_reader2' if second else 'mask_label'} or "
        f"mask_scheme; {own if second else 'a mask with numbers of its own has no scheme'}"
    )


def test_labels_that_do_not_contradict_are_kept(tmp_path: Path) -> None:
    own: list[dict[str, object]] = [{"mask_label": 20, "mask_scheme": "verse"}, {"mask_label": 7}]
    own += [
        {"mask_label": "corpus", "mask_scheme": "verse"},
        {"mask_label": "l1"},
        {"mask_label": "vertebrae_L1", "mask_scheme": "verse"},
        {"mask_label": "\u00b2", "mask_scheme": "verse"},
        {"mask_label": "L2", "vertebra": "-"},
    ]
    for columns in own:
        study = load(write(tmp_path, cases(**columns)))
        assert (study.cases["mask_label"] == str(columns["mask_label"])).all()


@pytest.mark.parametrize("second", [1, 255, 31])
def test_a_second_mask_may_have_numbers_of_its_own(tmp_path: Path, second: int) -> None:
    rows = cases(mask_scheme="verse", mask_reader2="binary.nii.gz", mask_label_reader2=second)
    study = load(write(tmp_path, rows))
    assert (study.cases["mask_label"] == "verse:L1").all()
    assert (study.cases["mask_label_reader2"] == str(second)).all()


def test_the_remedy_for_a_second_masks_own_numbers_can_be_done(tmp_path: Path) -> None:
    rows = cases(mask_label=20, mask_reader2="own.nii.gz", mask_label_reader2=21)
    assert (load(write(tmp_path, rows)).cases["mask_label_reader2"] == "21").all()


def test_faults_of_labels_are_kept_by_row_where_asked(tmp_path: Path) -> None:
    rows = cases(mask_scheme="verse", mask_label=lambda k: 19 if k == 3 else None)
    path = write(tmp_path, rows)
    settings = file.resolve({"cases": "cases.csv"}, "study.yaml", "sound")
    faults = Faults()
    labels = read_cases(path.parent / "cases.csv", settings, faults)["mask_label"]
    assert list(faults) == [5]
    assert faults[5].startswith("E_CELL cases.csv:5: label 19 is T12 in scheme verse, and the case is L1")
    assert (labels.drop(("003", "L1")) == "verse:L1").all()
    with pytest.raises(InputError, match="E_CELL"):
        read_cases(path.parent / "cases.csv", settings)


def test_label_components_are_no_predictors(tmp_path: Path) -> None:
    line = refusal(write(tmp_path, cases(t_score=-3.0), "clinical: {columns: [age, t_score]}\n"))
    assert line.startswith("E_LABEL_COMPONENT study.yaml: 't_score' is part of the label")
    allowed = "clinical: {columns: [age, t_score], allow_label_components: true}\n"
    rows = cases(age=70, t_score=lambda k: -1.0)
    with pytest.warns(InputWarning, match="W_LABEL_COMPONENT"):
        load(write(tmp_path, rows, allowed))


def test_clinical_gap_is_refused_or_imputed(tmp_path: Path) -> None:
    rows = cases(age=lambda k: None if k == 0 else 70, cohort="train")
    assert "age is empty in 1 of 30 cases" in refusal(write(tmp_path, rows))
    assert load(write(tmp_path, rows, "clinical: {missing: impute}\n")).clinical_columns == ["age", "location"]


def test_case_list_hash_is_blind_to_outcomes(tmp_path: Path) -> None:
    rows = cases(cohort="train")
    first = load(write(tmp_path, rows)).case_list_sha256
    swapped = [row | {"astlof_class": (row["astlof_class"] + 1) % 3} for row in rows]
    assert load(write(tmp_path, swapped)).case_list_sha256 == first
    assert load(write(tmp_path, rows[:-1])).case_list_sha256 != first


def test_recipes_differ_only_in_named_settings() -> None:
    sound = file.resolve({"cases": "c.csv"}, "study.yaml", "sound").model_dump()
    paper = file.resolve({"cases": "c.csv"}, "study.yaml", "paper").model_dump()
    differing = set()
    for section, values in sound.items():
        if section == "recipe" or not isinstance(values, dict):
            assert section == "recipe" or values == paper[section]
            continue
        differing |= {section for key in values if values[key] != paper[section][key]}
    assert differing == {d.setting.split(".")[0] for d in DIFFERENCES}
    for difference in DIFFERENCES:
        value = paper
        for key in difference.setting.split("."):
            value = value[key]
        assert value == difference.paper


def test_a_setting_given_wins_over_the_recipe() -> None:
    given = {"cases": "c.csv", "selection": {"lasso_rule": "1se"}}
    resolved = file.resolve(given, "study.yaml", "paper")
    assert resolved.selection.lasso_rule == "1se"
    assert resolved.selection.prune_above == 0.5


@pytest.mark.parametrize(
    "text", ["", "a: b: c", "- 1\n", "cases: c.csv\ncases: d.csv\n", "a: &x [1]\nb: *x\n", "\x00", "{" * 2000]
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yaml").write_text(text)
    assert refusal(tmp_path / "study.yaml").startswith("E_STUDY_YAML study.yaml: ")


def test_resolved_yaml_reads_back_to_the_same_hash(tmp_path: Path) -> None:
    settings = file.resolve({"cases": "cases.csv", "seed": 7}, "study.yaml", "paper")
    (tmp_path / "study.yaml").write_text(file.to_yaml(settings))
    again = file.resolve(file.read_yaml(tmp_path / "study.yaml"), "study.yaml")
    assert file.sha256(again) == file.sha256(settings)
    assert isinstance(again, StudySettings)


def test_feature_table_of_another_tool(tmp_path: Path) -> None:
    rows = [
        {"patient_id": f"P{k}", "Image": "x.nrrd", "diagnostics_Versions": "v3", "original_shape_MeshVolume": k + 0.5,
         "grade": "abc"[k % 3], "site": "north"}
        for k in range(30)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False, sep=";")
    path = tmp_path / "study.yaml"
    path.write_text("features: t.csv\noutcome: {column: grade, ordered: false}\nfurther_columns: [site]\n")
    study = load(path)
    assert study.classes == ("a", "b", "c")
    assert study.features is not None
    assert list(study.features) == ["original_shape_MeshVolume"]
    path.write_text("features: t.csv\noutcome: {column: grade, ordered: false}\n")
    assert "feature 'site' is 'north', no number that can be used" in refusal(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "E_TABLE_EMPTY"),
        (b"a,b\n1\n", "row 2 has 1 cells, the header 2"),
        (b"patient_id,patient_id\n1,2\n", "column 'patient_id' stands twice"),
        (b"\xff\xfe\x00", "E_TABLE_READ"),
        (b"patient_id,vertebra,ct\n1,L1,x\n", "column 'mask' is required and absent"),
    ],
)
def test_broken_tables_are_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "cases.csv").write_bytes(content)
    (tmp_path / "study.yaml").write_text("cases: cases.csv\n")
    assert words in refusal(tmp_path / "study.yaml")


def test_excel_and_utf8_names(tmp_path: Path) -> None:
    rows = cases(center="Köln")
    pd.DataFrame(rows).to_excel(tmp_path / "Fälle.xlsx", index=False)
    (tmp_path / "study.yaml").write_text("cases: Fälle.xlsx\n", encoding="utf-8")
    study = load(tmp_path / "study.yaml")
    assert study.cases["center"].unique().tolist() == ["Köln"]
    assert study.batch_column == "center"


def test_a_lasso_kind_that_needs_an_order_is_refused_without_one(tmp_path: Path) -> None:
    for kind in ("ordinal", "cox"):
        line = refusal(write(tmp_path, cases(), f"outcome: {{ordered: false}}\nselection: {{lasso_kind: {kind}}}\n"))
        assert line.startswith(
            f"E_SETTING_VALUE study.yaml: the file: selection.lasso_kind {kind} needs an order, and outcome.ordered is "
            "false: use ovr"
        )
    for kind in ("codes", "ovr", "multinomial"):
        load(write(tmp_path, cases(), f"outcome: {{ordered: false}}\nselection: {{lasso_kind: {kind}}}\n"))


def test_times_and_events_of_a_cox_lasso(tmp_path: Path) -> None:
    named = "selection: {lasso_kind: cox, time_column: months, event_column: refracture}\n"
    told = cases(months=lambda k: 1.5 * k, refracture=lambda k: k % 2, cohort="train")
    for row in told[3:6]:  # a class each; only training rows need a time
        row |= {"months": "", "cohort": "external"}
    study = load(write(tmp_path, told, named))
    assert study.cases["months"].dropna().tolist() == [1.5 * k for k in range(30) if k not in (3, 4, 5)]
    assert set(study.cases["refracture"]) == {0.0, 1.0}
    dearer = load(write(tmp_path, [row | {"refracture": 1} for row in told], named))
    assert dearer.case_list_sha256 == study.case_list_sha256  # times and events are outcome (A8)

    assert refusal(write(tmp_path, cases(), named)) == (
        "E_COLUMN_MISSING cases.csv: column 'months' of selection is absent; name the column of the case table that "
        "holds it, or leave out time_column and event_column"
    )
    for column, value, fault in (
        ("months", "", "months is empty; write a time of 0 or more"),
        ("months", "-1", "months is '-1', no number that can be used; write a time of 0 or more"),
        ("refracture", "2", "refracture is '2', no number that can be used; write 1 (the event came) or 0 (censored)"),
    ):
        spoiled = [row | {column: value} if k == 7 else row for k, row in enumerate(told)]
        assert refusal(write(tmp_path, spoiled, named)) == f"E_CELL cases.csv:9: {fault}"
    for events, came in (
        (0, "no training patients have"),
        (2, "1 training patient has"),
    ):
        spoiled = [row | {"refracture": int(k in range(2, 2 + events))} for k, row in enumerate(told)]
        assert refusal(write(tmp_path, spoiled, named)) == (
            f"E_EVENTS cases.csv: {came} the event in 'refracture', and 5 outer and 5 inner folds need at least 4; "
            "code the event as 1, add cases, or leave out time_column and event_column"
        )
    alone = refusal(write(tmp_path, told, "selection: {lasso_kind: cox, time_column: months}\n"))
    other = refusal(write(tmp_path, told, named.replace("cox", "ordinal")))
    for line in (alone, other):
        assert "time_column and event_column are two columns, named together, for lasso_kind cox" in line
    predictor = refusal(write(tmp_path, told, named + "clinical: {columns: [months]}\n"))
    assert predictor.startswith("E_LABEL_COMPONENT study.yaml: 'months' is part of the label")


def test_times_of_a_feature_table_are_no_features(tmp_path: Path) -> None:
    pd.DataFrame([row | {"months": k, "died": 1} for k, row in enumerate(cases(volume=lambda k: k / 7))]).drop(
        columns=["ct", "mask"]
    ).to_csv(tmp_path / "table.csv", index=False)
    text = "features: table.csv\nselection: {lasso_kind: cox, time_column: months, event_column: died}\n"
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    study = load(tmp_path / "study.yaml")
    assert study.features is not None
    assert list(study.features.columns) == ["volume"]


def test_empty_cells_of_features_are_refused_or_counted_in_a_warning(tmp_path: Path) -> None:
    rows = [
        {"patient_id": f"{k:03d}", "astlof_class": k % 3, "f0": 0.5 * k, "f1": "" if k in (3, 7) else k}
        for k in range(30)
    ]
    pd.DataFrame([*rows]).to_csv(tmp_path / "table.csv", index=False)
    path = tmp_path / "study.yaml"
    path.write_text("features: table.csv\n")
    assert refusal(path) == (
        "E_FEATURE_CELL table.csv:5: feature 'f1' is empty; fill it, drop the row, or list a column of text in "
        "`further_columns`; selection.missing: impute takes the median"
    )
    path.write_text("features: table.csv\nselection: {missing: impute}\n")
    with pytest.warns(InputWarning, match=r"W_FEATURE_GAPS table.csv: .* 1 of 2 .* in 'f1' \(2 of 30\)"):
        features = load(path).features
    assert features is not None
    assert features["f1"].isna().sum() == 2


@pytest.mark.parametrize("cell", ["inf", "-inf", "1e40", "high", "1,5"])
def test_no_other_cell_is_filled(tmp_path: Path, cell: str) -> None:
    rows = [{"patient_id": f"{k:03d}", "astlof_class": k % 3, "f0": cell if k == 4 else k} for k in range(30)]
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "study.yaml").write_text("features: table.csv\nselection: {missing: impute}\n")
    assert refusal(tmp_path / "study.yaml").startswith(
        f"E_FEATURE_CELL table.csv:6: feature 'f0' is {cell!r}, no number"
    )


def test_a_table_of_too_many_columns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovfrad.study.cases.MOST_FEATURES", 3)
    rows = [{"patient_id": f"{k:03d}", "astlof_class": k % 3, **{f"f{j}": j * k for j in range(4)}} for k in range(30)]
    pd.DataFrame(rows).to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "study.yaml").write_text("features: table.csv\n")
    assert refusal(tmp_path / "study.yaml") == (
        "E_TABLE_WIDE table.csv: 4 feature columns, more than 3; name those that are meant in feature_columns"
    )
    (tmp_path / "study.yaml").write_text("features: table.csv\nfeature_columns: [f1, f2]\n")
    assert load(tmp_path / "study.yaml").features is not None
