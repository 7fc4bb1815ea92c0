"""Whole studies: what stands in the run folder, what is set aside, what goes on after an interruption."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.errors import InputError
from ovfrad.workflow.folder import RunFolder

PROMISED = ("study.yaml", "run.json", "cases.parquet", "features.parquet", "predictions.parquet", "results.json",
            "quarantine.csv", "bundle", "tables", "figures", "report.html")  # fmt: skip
ESTIMATE = {"estimate", "low", "high", "method", "n"}


def ovfrad(*arguments: object) -> int:
    return guarded(app, [str(argument) for argument in arguments])


def test_run_folder_holds_what_is_promised(table_run: Path, phantom_run: Path) -> None:
    for run in (table_run, phantom_run):
        assert [name for name in PROMISED if not (run / name).exists()] == []
        assert [p for p in run.rglob("*") if p.name.endswith(".part")] == []


def test_results_have_the_promised_layout(table_run: Path) -> None:
    results = json.loads((table_run / "results.json").read_text(encoding="utf-8"))
    assert results["headline"] == {"recipe": "sound", "arm": "table", "model": "auto"}
    for recipe in ("sound", "paper"):
        for cohort in ("train", "internal"):
            block = results["recipes"][recipe]["cohorts"][cohort]["table"]["auto"]
            for name in ("macro_auc", "micro_auc", "accuracy"):
                assert set(block[name]) >= ESTIMATE
            assert set(block["class_auc"]) == {"0", "1", "2"}
    headline = results["recipes"]["sound"]["cohorts"]["train"]["table"]["auto"]["macro_auc"]
    assert headline["estimate"] > 0.75
    assert headline["low"] < headline["estimate"] < headline["high"]
    assert results["audit"]["status"] in ("PASS", "WARN")
    assert any(row["quantity"].startswith("apparent") for row in results["ledger"])


def test_predictions_are_nested_and_by_patient(table_run: Path) -> None:
    table = pd.read_parquet(table_run / "predictions.parquet")
    assert list(table.columns[:8]) == [
        "patient_id", "vertebra", "cohort", "recipe", "arm", "model", "fold", "y_true"
    ]  # fmt: skip
    nested = table[(table["cohort"] == "train") & (table["model"] == "auto") & (table["recipe"] == "sound")]
    assert (nested["fold"] >= 0).all()
    assert not nested["patient_id"].duplicated().any()
    p = table[["p_0", "p_1", "p_2"]].to_numpy()
    assert np.allclose(p.sum(axis=1), 1)


def test_bad_cases_are_set_aside_by_name(phantom_run: Path) -> None:
    aside = pd.read_csv(phantom_run / "quarantine.csv")
    assert sorted(error.split()[0] for error in aside["error"]) == ["E_FILE_MISSING", "E_MASK_EMPTY", "E_MASK_GRID"]
    moved = aside["error"][aside["error"].str.startswith("E_MASK_GRID")].iloc[0]
    assert "origin is 3.0 mm off the CT's along z" in moved
    cases = pd.read_parquet(phantom_run / "cases.parquet")
    assert len(cases) == 37
    page = (phantom_run / "report.html").read_text(encoding="utf-8")
    assert [error for error in aside["error"] if error.split()[0] not in page] == []


def test_report_of_a_phantom_says_what_it_is(phantom_run: Path) -> None:
    page = (phantom_run / "report.html").read_text(encoding="utf-8")
    for words in ("synthetic", "andom network", "Research use only", "not a medical device", "Grad-CAM"):
        assert words in page
    assert 'src="http' not in page


def test_a_bundle_verifies_and_predicts(
    phantom_run: Path, phantom_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = phantom_run / "bundle"
    assert ovfrad("verify", bundle) == 0
    case = pd.read_csv(phantom_cohort / "cases.csv").query("cohort == 'prospective'").iloc[0]
    files = (phantom_cohort / case["ct"], phantom_cohort / case["mask"])
    where = ("--vertebra", case["vertebra"], "--scheme", case["mask_scheme"])
    capsys.readouterr()
    assert ovfrad("predict", bundle, *files, *where, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) >= {"class", "probabilities", "set", "in_scope", "flags", "not_seen", "warnings"}
    assert sum(told["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    table = pd.read_parquet(phantom_run / "predictions.parquet")
    keys = {"cohort": "prospective", "arm": "random", "model": "auto", "patient_id": case["patient_id"],
            "vertebra": case["vertebra"]}  # fmt: skip
    own = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    assert list(told["probabilities"].values()) == pytest.approx(own[["p_0", "p_1", "p_2"]].iloc[0].tolist(), abs=1e-5)


def test_a_bundle_holds_no_pickle_and_no_patient(phantom_run: Path) -> None:
    cases = pd.read_parquet(phantom_run / "cases.parquet")
    patients = set(cases.index.get_level_values("patient_id"))
    for file in (phantom_run / "bundle").rglob("*"):
        assert file.suffix in ("", ".json", ".yaml", ".md", ".skops", ".gz")
        if file.suffix in (".json", ".yaml", ".md"):
            text = file.read_text(encoding="utf-8")
            assert [patient for patient in patients if patient in text] == []


def test_a_changed_bundle_is_refused(table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    bundle = tmp_path / "bundle"
    shutil.copytree(table_run / "bundle", bundle)
    with (bundle / "model.skops").open("ab") as file:
        file.write(b"x")
    assert ovfrad("verify", bundle) == 2
    assert "E_BUNDLE_HASH bundle: model.skops was changed" in capsys.readouterr().err
    (bundle / "scope.json").unlink()
    assert ovfrad("verify", bundle) == 2


def test_predict_a_table(table_run: Path, tmp_path: Path) -> None:
    source = table_run.parent / "table.csv"
    out = tmp_path / "new" / "predicted.csv"
    assert ovfrad("predict", table_run / "bundle", source, "--out", out) == 0
    table = pd.read_csv(out)
    assert len(table) == 90
    assert np.allclose(table[["p_0", "p_1", "p_2"]].sum(axis=1), 1)
    assert set(table["class"]) <= {"mild", "moderate", "severe"}


def test_steps_can_be_run_again_alone(table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((table_run / "results.json").read_text(encoding="utf-8"))
    assert ovfrad("evaluate", table_run) == 0
    assert json.loads((table_run / "results.json").read_text(encoding="utf-8")) == before
    assert ovfrad("explain", table_run, "--model", "DT") == 0
    assert ovfrad("explain", table_run, "--model", "RF") == 2
    assert "E_MODEL run: has no model 'RF'; choose one of LR, DT" in capsys.readouterr().err
    assert ovfrad("explain", table_run) == 0
    told = {f.relative_to(table_run / "explanation").as_posix() for f in (table_run / "explanation").rglob("*.*")}
    assert {"LR/shap.npz", "DT/shap.npz", "redundancy.csv", "redundancy.npz", "directions.csv"} <= told
    assert ovfrad("report", table_run) == 0
    page = (table_run / "report.html").read_text(encoding="utf-8")
    assert "Reproducibility is absent: no training row was outlined twice" in page
    assert 'id="figure-shap_lr"' in page and (table_run / "tables" / "manuscript.docx").is_file()
    assert capsys.readouterr().out.splitlines()[-1] == str(table_run / "report.html")


def test_the_same_study_gives_the_same_numbers(table_run: Path, tmp_path: Path) -> None:
    from .conftest import write_table  # type: ignore[import-not-found]

    assert ovfrad("fit", write_table(tmp_path), "--out", tmp_path / "run") == 0
    first, second = (pd.read_parquet(run / "predictions.parquet") for run in (table_run, tmp_path / "run"))
    first = first[first["recipe"] == "sound"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, second.reset_index(drop=True))


def test_two_runs_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    busy = pytest.raises(InputError, match="E_RUN_BUSY run: another run is writing here")
    with folder.owned(), busy, RunFolder(tmp_path / "run").owned():
        pass
    with folder.owned():
        pass


def test_nothing_is_half_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("a.json", {"n": 1})

    def broken(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"E_WRITE a\.json: cannot be written \(No space left on device\)"):
        folder.replace("a.json", broken)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert folder.read_json("a.json") == {"n": 1}


def test_a_new_fit_leaves_no_old_number(tmp_path: Path) -> None:
    from .conftest import write_table  # type: ignore[import-not-found]

    study, run = write_table(tmp_path), tmp_path / "run"
    assert ovfrad("run", study, "--out", run) == 0
    first = json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"]
    assert ovfrad("fit", study, "--out", run) == 0
    again = json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"]
    assert not (run / "results.json").exists()
    assert not (run / "report.html").exists()
    assert again == first
    study.write_text(study.read_text(encoding="utf-8") + "seed: 3\n", encoding="utf-8")
    assert ovfrad("fit", study, "--out", run) == 0
    changed = json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"]["changed"]
    assert [was["study_sha256"] for was in changed] == [first["study_sha256"]]
    assert ovfrad("report", run) == 0
    assert "this is no pre-specified analysis" in (run / "report.html").read_text(encoding="utf-8")


def test_redrawn_masks_are_no_prespecified_analysis(tmp_path: Path) -> None:
    """Rows of features stand for the regions they were measured in."""
    from .conftest import write_table  # type: ignore[import-not-found]

    study, run = write_table(tmp_path), tmp_path / "run"
    assert ovfrad("fit", study, "--out", run) == 0
    first = json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"]
    table = pd.read_csv(tmp_path / "table.csv")
    table["f0"] = table["f0"].where(np.arange(len(table)) > 3, 0.25)
    table.to_csv(tmp_path / "table.csv", index=False)
    assert ovfrad("fit", study, "--out", run) == 0
    again = json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"]
    assert [was["content_sha256"] for was in again["changed"]] == [first["content_sha256"]]
    assert again["at"] > first["at"]
    for same in ("study_sha256", "case_list_sha256", "headline"):
        assert again[same] == first[same]


def test_a_new_version_is_no_change_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another default, or the same files read otherwise, is nothing that a user changed."""
    from ovfrad.study import load
    from ovfrad.workflow import facts

    from .conftest import write_table  # type: ignore[import-not-found]

    study, voxels = load(write_table(tmp_path)), pd.Series({("P1", "-"): "a", ("P2", "-"): "b"})
    first = facts.prespecification(study, None, voxels)
    monkeypatch.setattr(facts, "code_of", lambda *parts: "newer")
    other = first | {"study_sha256": "with fewer defaults"}
    again = facts.prespecification(study, other, voxels + "x")
    assert (again["at"], again["changed"]) == (first["at"], [])
    assert facts.prespecification(study, again, voxels)["changed"]


def test_features_leave_the_run_that_was_made_of_them_and_go_into_no_other(
    phantom_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "cohort"
    shutil.copytree(phantom_cohort, cohort)
    text = (cohort / "study.yaml").read_text(encoding="utf-8")
    lean = "radiomics: {image_types: [original]}\nmodels: {classifiers: [LR], outer_folds: 2, inner_folds: 2}\n"
    lean += "deep: {arms: {none: {weights: none}}}\n"
    kept = [line for line in text.splitlines() if line.split(":")[0] not in ("radiomics", "models", "deep")]
    (cohort / "study.yaml").write_text("\n".join(kept) + "\n" + lean, encoding="utf-8")
    run = tmp_path / "run"
    assert ovfrad("fit", cohort, "--out", run) == 0
    files = {path: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}
    for out in (run, run / "features.csv"):
        assert ovfrad("features", cohort, "--out", out) == 0
    assert {path: path.read_bytes() for path in files} == files
    assert len(pd.read_csv(run / "features.csv")) == len(pd.read_parquet(run / "features.parquet"))
    changed = lean.replace("[original]", "[original], bin_width: 10")
    (cohort / "study.yaml").write_text("\n".join(kept) + "\n" + changed, encoding="utf-8")
    capsys.readouterr()
    assert ovfrad("features", cohort, "--out", run) == 2
    assert "E_RUN_THERE run: holds a run that was made of other features; give another --out" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == files


@pytest.mark.parametrize("recipe", ["both", "paper"])
def test_an_audit_keeps_recipes_and_report(tmp_path: Path, recipe: str) -> None:
    from .conftest import write_table  # type: ignore[import-not-found]

    study, run = write_table(tmp_path), tmp_path / "run"
    assert ovfrad("run", study, "--out", run, "--recipe", recipe) == 0
    before = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert ovfrad("audit", study, "--out", run, "--permutations", 1) == 0
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert set(results["recipes"]) == ({"sound", "paper"} if recipe == "both" else {"paper"})
    assert (run / "report.html").is_file()
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["prespecified"] == before["prespecified"]
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["warnings"] == before["warnings"]


def test_copies_of_a_case_are_refused_across_and_merged_within_cohorts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ovfrad.study import load
    from ovfrad.workflow.features import extract_study
    from ovfrad.workflow.folder import silent
    from ovfrad.workflow.rows import make_rows

    from .conftest import write_table  # type: ignore[import-not-found]

    path = write_table(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    copy = table.iloc[[0]].assign(patient_id="COPY")
    pd.concat([table, copy]).assign(cohort="train").to_csv(tmp_path / "table.csv", index=False)
    study = load(path)
    features = extract_study(study, RunFolder(tmp_path / "run"), (), silent)
    rows = make_rows(study.settings, features.cases, features.of(study.settings), "train")
    assert len(set(rows.groups)) == 90
    cohorts = ["train"] * 90 + ["external"]
    pd.concat([table, copy]).assign(cohort=cohorts).to_csv(tmp_path / "table.csv", index=False)
    capsys.readouterr()
    assert ovfrad("fit", path, "--out", tmp_path / "other") == 2
    assert "P000 - (train) and COPY - (external) have the same features" in capsys.readouterr().err
