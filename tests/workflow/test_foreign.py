"""`ovfrad evaluate` on tables of other tools: what it leaves, and what it refuses or warns of in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.errors import InputWarning
from ovfrad.evaluation.auc import class_auc
from ovfrad.evaluation.compare import compare
from ovfrad.workflow.foreign import closer, read_foreign
from ovfrad.workflow.foreign import evaluated as blocks_of
from ovfrad.workflow.foreign_files import Results, report_input

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "evaluation"


def ovfrad(*arguments: object) -> int:
    return guarded(app, [str(argument) for argument in arguments])


def table(models: tuple[str, ...] = ("LR", "RF"), K: int = 3, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for cohort, n in (("train", 120), ("internal", 60), ("Lyon", 45)):
        y = rng.permutation(np.arange(n) % K)
        shared, facts = rng.normal(size=(n, K)), {"sex": rng.choice(["F", "M"], n), "center": cohort[0]}
        for model in models:
            scores = shared + rng.normal(size=(n, K)) + 1.5 * np.eye(K)[y]
            p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            names = {"patient_id": [f"{cohort}{i // 2}" for i in range(n)], "vertebra": [f"L{i % 2}" for i in range(n)]}
            columns = {f"p_{k}": p[:, k] for k in range(K)}
            parts.append(pd.DataFrame(names | {"cohort": cohort, "model": model, "y_true": y} | facts | columns))
    return pd.concat(parts, ignore_index=True)


def written(frame: pd.DataFrame, folder: Path, name: str = "predictions.csv") -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a folder with spaces")
    assert ovfrad("evaluate", written(table(), folder), "--out", folder / "out") == 0
    return folder / "out"


def test_every_model_and_cohort_has_its_numbers_tables_and_figures(evaluated: Path) -> None:
    results = json.loads((evaluated / "results.json").read_text(encoding="utf-8"))
    assert list(results["tables"])[:2] == ["cohort train, model LR", "cohort internal, model LR"]
    assert len(results["tables"]) == 6
    assert results["tables"]["cohort Lyon, model RF"]["operating_point"].keys() == {"0", "1", "2"}
    assert results["tables"]["cohort train, model LR"]["operating_point"] == "largest probability"
    for name in results["files"]:
        assert (evaluated / name).stat().st_size > 0, name
    kinds = ("roc", "reliability", "decision_curves", "confusion", "subgroup_forest")
    figures = {f"figures/{kind}_{model}.{end}" for kind in kinds for model in ("lr", "rf") for end in ("svg", "png")}
    assert figures | {"figures/all_models.svg", "figures/all_models.png"} <= set(results["files"])
    tables = {"estimates", "table3", "comparisons", "operating_points", "calibration", "confusion", "subgroups"}
    tables |= {"within_center", "conformal_sets", "sample_size"}
    assert {f"tables/{name}.csv" for name in tables} <= set(results["files"])


def test_comparisons_name_their_family_and_conformal_sets_their_calibration(evaluated: Path) -> None:
    results = json.loads((evaluated / "results.json").read_text(encoding="utf-8"))
    pairs = pd.DataFrame(results["comparisons"])
    assert pairs["family"].unique().tolist() == ["all pairs, train", "all pairs, internal", "all pairs, Lyon"]
    assert (pairs["p_holm"] >= pairs["p"]).all()
    assert pairs["p"].between(0, 1).all()
    sets = results["details"]["LR"]["conformal"]
    assert (sets["calibration_rows"], list(sets["cohorts"])) == ("train", ["internal", "Lyon"])
    assert [row["n"] for row in sets["promise"]] == [40, 40, 40]


def test_tables_agree_with_the_results(evaluated: Path) -> None:
    results = json.loads((evaluated / "results.json").read_text(encoding="utf-8"))
    estimates = pd.read_csv(evaluated / "tables" / "estimates.csv")
    row = estimates.query("cohort == 'Lyon' and model == 'RF' and metric == 'macro_auc'").iloc[0]
    stored = results["tables"]["cohort Lyon, model RF"]["macro_auc"]
    assert row[["estimate", "low", "high", "n"]].tolist() == pytest.approx(
        [stored[key] for key in ("estimate", "low", "high", "n")]
    )
    three = pd.read_csv(evaluated / "tables" / "table3.csv")
    assert list(three.columns[:4]) == ["Cohort", "Model", "n", "AUC class 0"]
    assert three["Cohort"].tolist() == ["Internal validation"] * 2 + ["training rows"] * 2 + ["Lyon"] * 2
    assert f"{stored['estimate']:.2f} ({stored['low']:.2f} to {stored['high']:.2f})" in three["AUC macro"].tolist()


def test_a_second_evaluation_leaves_nothing_of_the_first_and_spares_other_files(tmp_path: Path) -> None:
    out, one = tmp_path / "out", table(("LR",)).query("cohort == 'Lyon'")
    assert ovfrad("evaluate", written(one, tmp_path), "--out", out) == 0
    (out / "figures" / "mine.png").write_bytes(b"x")
    assert ovfrad("evaluate", written(one, tmp_path), "--ranking-only", "--out", out) == 0
    figures = {path.name for path in (out / "figures").iterdir()}
    assert {"mine.png", "roc.png"} <= figures
    assert not {"reliability.png", "confusion.svg"} & figures
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_published_data_set_by_ranks_gives_the_numbers_of_proc(tmp_path: Path) -> None:
    """The aSAH markers of 113 patients: AUC and paired tests from the command equal R's."""
    rows = pd.read_csv(REFERENCE / "delong_rows.csv")
    expected = pd.read_csv(REFERENCE / "delong_results.csv").set_index("name")
    one, two = rows[rows["dataset"] == 7], rows[rows["dataset"] == 9]
    markers = {"s100b": one["a"], "ndka": one["b"], "wfns": two["b"]}
    who = [f"P{i:03d}" for i in range(113)]
    parts = [
        pd.DataFrame({"patient_id": who, "model": name, "y_true": one["y"].to_numpy(), "p_1": rank.to_numpy()})
        for name, rank in markers.items()
    ]
    out = tmp_path / "out"
    assert ovfrad("evaluate", written(pd.concat(parts), tmp_path), "--ranking-only", "--out", out) == 0
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    aucs = {name: results["tables"][f"model {name}"]["class_auc"]["1"]["estimate"] for name in markers}
    assert aucs["s100b"] == pytest.approx(0.73136856368563685, abs=1e-12)
    assert aucs["wfns"] == pytest.approx(expected.loc["aSAH ndka wfns", "auc_b"], abs=1e-12)
    for row in results["comparisons"]:
        proc = expected.loc[f"aSAH {row['a']} {row['b']}"]
        assert (row["statistic"], row["p"]) == pytest.approx((proc["z"], proc["p"]), abs=1e-10)
    assert not {"brier", "accuracy"} & set(results["tables"]["model wfns"])


def test_two_classes_and_no_other_column_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table(("LR",), K=2).query("cohort == 'internal' and vertebra == 'L0'")
    assert ovfrad("evaluate", written(frame[["patient_id", "y_true", "p_0", "p_1"]], tmp_path)) == 0
    told = capsys.readouterr()
    assert told.err == ""
    found = class_auc(frame["y_true"] == 1, frame["p_1"])
    assert f"AUC of class 1 against the rest {found.estimate:.2f} ({found.low:.2f} to" in told.out


def test_an_unordered_outcome_has_no_weighted_kappa(tmp_path: Path) -> None:
    one = table(("LR",)).query("cohort == 'Lyon'").drop(columns=["sex", "center"])
    assert ovfrad("evaluate", written(one, tmp_path), "--out", tmp_path / "out", "--unordered") == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert "quadratic_kappa" not in results["tables"]["cohort Lyon, model LR"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda t: t.assign(p_0=0.0), "E_PREDICTIONS t.csv: the probabilities of 443 rows do not sum to 1"),
        (lambda t: t.assign(p_2=t["p_2"].where(t.index != 3)), "E_CELL t.csv:5: p_2 is empty; write a number"),
        (lambda t: pd.concat([t, t.head(1)]), "E_PREDICTIONS t.csv: 1 rows repeat a key, the first is"),
        (lambda t: t.assign(y_true=t["y_true"] + 1), "150 rows are not, the first has 3; codes start at 0, sub"),
        (lambda t: t.assign(y_true=-1), "E_PREDICTIONS t.csv: y_true must be a code from 0 to 2"),
        (lambda t: t.assign(y_true="surgical"), "E_CELL t.csv:2: y_true is 'surgical'; write a number in every row"),
        (lambda t: t.drop(columns="p_1"), "E_PREDICTIONS t.csv: probability column p_1 is missing"),
        (lambda t: t.drop(columns=["p_0", "p_1", "p_2"]), "E_PREDICTIONS t.csv: probability column p_0 is missing"),
        (lambda t: t.rename(columns=lambda c: c.replace("p_", "p_0")), "probability column p_0 is missing; a table"),
        (lambda t: t.rename(columns=lambda c: c.replace("p_", "Prob")), "p_0 to p_(K-1); rename 'Prob0'"),
        (lambda t: t.drop(columns="patient_id"), "E_PREDICTIONS t.csv: column 'patient_id' is missing"),
        (lambda t: t.drop(columns="y_true"), "E_PREDICTIONS t.csv: column 'y_true' is missing"),
        (lambda t: t.drop(columns="vertebra"), "a table with several rows a patient needs a vertebra column"),
        (lambda t: t.head(1), "E_PREDICTIONS t.csv: no AUC exists: the table has 1 row, of class"),
        (lambda t: t.assign(y_true=1), "E_PREDICTIONS t.csv: no AUC exists: the table has 450 rows, of class 1"),
        (lambda t: t.head(0), "E_TABLE_EMPTY t.csv: has no rows"),
        (lambda t: t.assign(**{f"p_{k}": 100 * t[f"p_{k}"] for k in range(3)}), "percentages are to be divided by 100"),
        (lambda t: t.assign(**{f"p_{k}": np.log(t[f"p_{k}"]) for k in range(3)}), "scores that only rank need rank"),
        (lambda t: t.assign(p_0=np.inf), "E_PREDICTIONS t.csv: 450 rows have a missing or infinite prediction"),
        (lambda t: t.assign(p_1=t["p_1"].map(lambda v: f"{v:.3f}".replace(".", ","))), "write decimals with a point"),
        (lambda t: t.assign(patient_id=None), "E_PREDICTIONS t.csv: 450 rows have no patient_id"),
        (
            lambda t: t.assign(y_true=t["y_true"].where((t["model"] == "LR") | (t.index != 130), 2 - t["y_true"])),
            "E_PREDICTIONS t.csv: 1 rows have another y_true in another model, the first is train train5 L0",
        ),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_in_one_line(
    change, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ovfrad("evaluate", written(change(table()), tmp_path, "t.csv"), "--out", tmp_path / "out") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert line in told.err
    assert len([said for said in told.err.splitlines() if said.startswith("E_")]) == 1
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "E_TABLE_EMPTY t.csv: has no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "E_TABLE_READ t.csv: not readable as a table"),
        (b"patient_id,y_true,p_0,p_1\nA,0,.5\n", "E_TABLE_READ t.csv: row 2 has 3 cells, the header 4"),
        (b"patient_id,y_true,p_0,p_0\nA,0,.5,.5\n", "E_COLUMN_TWICE t.csv: column 'p_0' stands twice"),
        ("patient_id,y_true,p_0,p_1\n\u00c4,0,.5,.5\n".encode("latin-1"), "E_TABLE_READ t.csv: not readable"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused(
    content: bytes, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert ovfrad("evaluate", tmp_path / "t.csv") == 2
    assert capsys.readouterr().err.startswith(line)


def test_parquet_is_read_and_what_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table(("LR",)).query("cohort == 'internal'").drop(columns=["cohort", "model", "sex", "center"])
    frame.set_index(["patient_id", "vertebra"]).to_parquet(tmp_path / "t.parquet")
    assert ovfrad("evaluate", tmp_path / "t.parquet") == 0
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not")
    assert ovfrad("evaluate", tmp_path / "t.parquet") == 2
    assert capsys.readouterr().err.startswith("E_TABLE_READ t.parquet: not readable as parquet")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda t: t[(t["cohort"] != "Lyon") | (t["y_true"] != 2)],
            "W_CLASS_ABSENT t.csv: cohort Lyon has no row of class 2; it has no AUC there, nor has the macro AUC",
        ),
        (
            lambda t: t[(t["cohort"] != "Lyon") | (t.index % 45 == 0)],
            "W_CLASS_ABSENT t.csv: cohort Lyon has no row of class",
        ),
        (lambda t: t.iloc[:-5], "W_ROWS t.csv: the models of cohort Lyon predict 40 to 45 of 45 rows; each is"),
        (lambda t: t.assign(logit=1), "W_COLUMNS t.csv: not used: logit; the results do not depend on them"),
        (
            lambda t: t.assign(patient_id=t["patient_id"].str.replace("Lyon", "internal")),
            "W_PATIENT_COHORTS t.csv: 23 patients stand in two cohorts, the first is internal0; if they are the same",
        ),
    ],
)
def test_a_reservation_is_one_line_and_the_rest_is_evaluated(
    change, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ovfrad("evaluate", written(change(table()), tmp_path, "t.csv")) == 0
    told = capsys.readouterr()
    assert told.err.startswith(line), told.err
    assert len(told.err.splitlines()) == 1
    assert "cohort internal, model LR" in told.out


def test_one_score_for_all_rows_has_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table(("LR",), K=2).assign(p_0=0.4, p_1=0.6)
    assert ovfrad("evaluate", written(frame, tmp_path)) == 0
    assert "AUC of class 1 against the rest 0.50 (no interval: every row has the same score;" in capsys.readouterr().out


def test_out_is_for_tables_and_never_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    assert ovfrad("evaluate", written(table(("LR",)), tmp_path), "--out", tmp_path / "run") == 2
    assert capsys.readouterr().err.startswith("E_OUT run: is the folder of a run")
    assert ovfrad("evaluate", tmp_path / "run", "--out", tmp_path / "out") == 2
    assert capsys.readouterr().err.startswith("E_USAGE ovfrad evaluate: --out, --ranking-only and --unordered are for")
    blocked = tmp_path / "file"
    blocked.write_text("x")
    assert ovfrad("evaluate", written(table(("LR",)), tmp_path), "--out", blocked) == 2
    assert capsys.readouterr().err.startswith("E_WRITE file: cannot be written")


def test_the_tests_of_the_command_are_those_of_the_functions(evaluated: Path) -> None:
    frame = table()
    results = json.loads((evaluated / "results.json").read_text(encoding="utf-8"))
    one, two = (frame.query(f"cohort == 'Lyon' and model == '{m}'") for m in ("LR", "RF"))
    expected = compare(one, two)["class_auc"]["2"]
    (row,) = (r for r in results["comparisons"] if r["cohort"] == "Lyon" and r["metric"] == "class_auc.2")
    assert (row["p"], row["difference"]) == pytest.approx((expected["p"], expected["estimate"]))


@pytest.mark.parametrize("name", ["Training", "TRAIN"])
def test_training_rows_fix_the_thresholds_under_any_usual_name(name: str, tmp_path: Path) -> None:
    frame = table(("LR",)).replace({"cohort": {"train": name, "Lyon": "trainees"}})
    found = read_foreign(written(frame, tmp_path))
    blocks = {cohort: block for _, cohort, block in blocks_of(found, resamples=100)}
    assert list(blocks) == ["train", "internal", "trainees"]
    assert blocks["trainees"]["operating_point"].keys() == {"0", "1", "2"}


def same_ids(cohorts: tuple[str, str]) -> pd.DataFrame:
    """One model, two cohorts of the same patient ids whose sex and centre differ."""
    one = table(("LR",)).query("cohort == 'internal'")
    other = one.assign(y_true=one["y_true"].to_numpy()[::-1], sex=one["sex"].map({"F": "M", "M": "F"}), center="z")
    return pd.concat([one.assign(cohort=cohorts[0]), other.assign(cohort=cohorts[1])], ignore_index=True)


def subgroup_sizes(frame: pd.DataFrame, folder: Path) -> dict[tuple[str, str], tuple[int, list[int]]]:
    with pytest.warns(InputWarning, match="W_PATIENT_COHORTS"):
        found = read_foreign(written(frame, folder))
    blocks = closer(found, found.models[0])["subgroups"]
    return {(b["rows"], b["level"]): (b["n_patients"], b["counts"]) for b in blocks if b["variable"] in ("all", "sex")}


@pytest.mark.parametrize("cohorts", [("train", "internal"), ("internal", "Lyon")])
def test_subgroups_take_the_covariates_of_their_own_rows(cohorts: tuple[str, str], tmp_path: Path) -> None:
    frame = same_ids(cohorts)
    sizes = subgroup_sizes(frame, tmp_path)
    sets = frame["cohort"].where(frame["cohort"] == "train", "validation")
    for (name, sex), rows in frame.groupby([sets, "sex"]):
        counts = np.bincount(rows["y_true"], minlength=3).tolist()
        assert sizes[name, sex] == (rows["patient_id"].nunique(), counts)
    assert sizes["validation", "all"][0] == 30


def test_patients_of_two_validation_cohorts_are_pooled_as_one_cluster(tmp_path: Path) -> None:
    out, frame = tmp_path / "out", same_ids(("internal", "Lyon"))
    assert ovfrad("evaluate", written(frame, tmp_path), "--out", out) == 0
    details = json.loads((out / "results.json").read_text(encoding="utf-8"))["details"]["LR"]
    everyone = details["subgroups"][0]
    assert (everyone["rows"], everyone["n"], everyone["n_patients"]) == ("validation", 120, 30)
    assert details["within_center"]["validation"]["centers"] == 2


def test_two_models_of_one_joined_label_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table().assign(arm="all")
    frame["recipe"] = frame["model"].map({"LR": "a", "RF": "a all"})
    frame["model"] = frame["model"].map({"LR": "all b", "RF": "b"})
    assert ovfrad("evaluate", written(frame, tmp_path, "t.csv")) == 2
    named = "recipe 'a'/arm 'all'/model 'all b' and recipe 'a all'/arm 'all'/model 'b' are both called 'a all all b'"
    assert capsys.readouterr().err == f"E_MODEL_LABEL t.csv: {named}; rename one of them\n"


def test_a_cohort_called_training_rows_stands_beside_training(tmp_path: Path) -> None:
    frame = table(("LR",)).replace({"cohort": {"internal": "training rows"}}).query("cohort != 'Lyon'")
    found = read_foreign(written(frame, tmp_path))
    results = Results(list(blocks_of(found, resamples=50)), [])
    data = report_input(found, results)
    cohorts = data.results["recipes"]["-"]["cohorts"]
    assert {name: arms["-"]["LR"]["n"] for name, arms in cohorts.items()} == {
        "training rows (train)": 120,
        "training rows": 60,
    }
    assert data.predictions["cohort"].value_counts().to_dict() == {"training rows (train)": 120, "training rows": 60}


@pytest.mark.parametrize("K", [2, 3])
def test_scores_that_only_rank_have_no_micro_auc(K: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table(("LR",), K=K).query("cohort == 'Lyon'").drop(columns=["sex", "center"])
    frame["p_1"] = 100 * frame["p_1"]
    assert ovfrad("evaluate", written(frame, tmp_path), "--ranking-only", "--out", tmp_path / "out") == 0
    assert "micro AUC cannot be given: no micro AUC of scores that are not probabilities" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    block = results["tables"]["cohort Lyon, model LR"]
    assert block["micro_auc"] == block["bootstrap"]["micro_auc"]
    assert (block["micro_auc"]["estimate"], block["micro_auc"]["n"]) == (None, 45)
    assert block["macro_auc"]["estimate"] > 0.5
    assert "AUC micro" not in pd.read_csv(tmp_path / "out" / "tables" / "table3.csv")


@pytest.mark.parametrize("name", ["p_value", "p_01", "p_"])
def test_a_column_that_is_no_probability_is_not_a_class(name: str, tmp_path: Path) -> None:
    with pytest.warns(InputWarning) as told:
        read_foreign(written(table(("LR",)).assign(**{name: "n. s."}), tmp_path, "t.csv"))
    line = f"W_COLUMNS t.csv: not used: {name}; the results do not depend on them"
    assert [str(each.message) for each in told] == [line]
