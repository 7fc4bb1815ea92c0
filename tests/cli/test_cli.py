"""Commands as a user types them: what is printed where, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded


def ovfrad(*arguments: str | Path) -> int:
    """Run a command in this process; its exit code."""
    return guarded(app, [str(argument) for argument in arguments])


def one_line(captured: pytest.CaptureFixture[str]) -> str:
    """The single line on stderr; nothing may stand on stdout."""
    out, err = captured.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err.strip()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ovfrad.cli import app\nfrom ovfrad.cli.console import guarded\n"
        "assert guarded(app, ['--help']) == 0\n"
        "heavy = ('numpy', 'pandas', 'torch', 'sklearn', 'scipy', 'matplotlib', 'numba')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for word in ("Not there yet", "DICOM SEG", "Research use only"):
        assert word in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ovfrad("--version") == 0
    assert capsys.readouterr().out.startswith("ovfrad 0.")


def test_astlof(capsys: pytest.CaptureFixture[str]) -> None:
    assert ovfrad("astlof", "--morphology", "1", "--mri", "1", "--t-score", "-3.1", "--pain", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "morphology": 1, "mri": 1, "bone_density": 1, "pain": 1, "total": 4, "class": 1,
        "treatment": "conservative or surgical",
    }  # fmt: skip
    assert ovfrad("astlof", "--morphology", "3", "--mri", "1", "--t-score", "-3.1", "--pain", "1") == 2
    assert one_line(capsys) == (
        "E_ASTLOF ovfrad astlof: morphology must be 0, 1 or 2 points; got 3; see `ovfrad astlof --help`"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "E_USAGE ovfrad: No such command 'frobnicate'"),
        (["fit"], "E_USAGE ovfrad fit: Missing argument 'study'"),
        (["fit", "study.yaml", "--folds", "3"], "E_USAGE ovfrad fit: No such option"),
        (["fit", "nowhere.yaml"], "E_FILE_MISSING nowhere.yaml: there is no such file"),
        (["report", "nowhere"], "E_RUN_INCOMPLETE nowhere: has no predictions.parquet"),
        (["verify", "nowhere"], "E_BUNDLE_MISSING nowhere: is no bundle"),
        (["inspect", "a.nii.gz", "b.nii.gz"], "E_FILE_MISSING a.nii.gz"),
        (["radiomics", "a.nii.gz", "b.nii.gz", "--profile", "ibsi"], "E_FILE_MISSING a.nii.gz"),
        (["evaluate", "nowhere.csv"], "E_FILE_MISSING nowhere.csv"),
        (["audit-table", "nowhere.csv"], "E_FILE_MISSING nowhere.csv"),
        (["demo", "--weights", "radimagenet"], "E_USAGE ovfrad demo: --weights 'radimagenet'; write ARM=FILE"),
        (["weights", "show", "nowhere.safetensors"], "E_WEIGHTS_MISSING nowhere.safetensors"),
    ],
)
def test_refusals_are_one_line_and_exit_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ovfrad(*arguments) == 2
    assert words in one_line(capsys)
    assert [p.name for p in tmp_path.iterdir() if p.name != "nowhere"] == []


def test_a_bug_is_one_line_and_exit_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of\ncheese")

    monkeypatch.setattr("ovfrad.astlof.bone_density_points", broken)
    arguments = ("astlof", "--morphology", "1", "--mri", "1", "--t-score", "-3.1", "--pain", "1")
    assert ovfrad(*arguments) == 1
    assert one_line(capsys).startswith("E_BUG ovfrad: RuntimeError: out of cheese; this is a fault of the program")
    assert ovfrad(*arguments, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_study_schema_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ovfrad("study", "schema") == 0
    assert "outer_folds" in json.loads(capsys.readouterr().out)["$defs"]["Models"]["properties"]
    (tmp_path / "study.yaml").write_text("cases: cases.csv\nmodels: {recalibrate: true}\n")
    assert ovfrad("study", "show", tmp_path, "--recipe", "both") == 0
    shown = capsys.readouterr().out
    assert shown.count("# recipe ") == 2
    assert "lasso_rule: 1se" in shown
    assert "lasso_rule: min" in shown
    assert "# selection.lasso_rule: sound 1se, paper min" in shown
    assert "#   why: the minimum keeps features that the next sample does not confirm" in shown
    assert "# models.recalibrate: True in both, as the study file says" in shown


def test_audit_of_printed_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "paper.csv"
    table.write_text("where,quantity,value,count,n\ntext,p,2.34,,\nTable 1,percentage,56.3,62,110\n")
    assert ovfrad("audit-table", table) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAIL  text, probability: 2.34 is no probability")
    assert lines[-1] == "2 of 2 checks failed"


def test_evaluate_a_table_of_another_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["patient_id,y_true,p_0,p_1"]
    rows += [
        f"P{k},{k % 2},{0.9 - 0.01 * k - 0.3 * (k % 2):.3f},{0.1 + 0.01 * k + 0.3 * (k % 2):.3f}" for k in range(50)
    ]
    table = tmp_path / "predictions.csv"
    table.write_text("\n".join(rows) + "\n")
    assert ovfrad("evaluate", table, "--out", tmp_path / "out") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1].endswith("results.json")
    assert any(line.strip().startswith("macro AUC 0.") and "n = 50 of 50 patients" in line for line in out)
    stored = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert set(stored["tables"]["predictions.csv"]["macro_auc"]) >= {"estimate", "low", "high", "method", "n"}
    table.write_text("patient_id,y_true,p_0,p_1\nP1,0,0.9,x\n")
    assert ovfrad("evaluate", table) == 2
    assert one_line(capsys) == "E_CELL predictions.csv:2: p_1 is 'x'; write a number in every row"
    table.write_text("patient_id,y_true,p_0,p_1\nP1,0,0.9,0.9\nP2,1,0.1,0.9\n")
    assert ovfrad("evaluate", table) == 2
    assert one_line(capsys).startswith("E_PREDICTIONS predictions.csv: ")


def test_names_that_a_terminal_cannot_show_are_written_in_escapes(tmp_path: Path) -> None:
    """An ASCII terminal, and a file whose name is no text at all."""
    code = (
        "import sys\nfrom ovfrad.cli import app\nfrom ovfrad.cli.console import guarded\n"
        "print('Wirbelk\\u00f6rper', '\\udcff') if guarded(app, ['--version']) == 0 else None"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == r"Wirbelk\xf6rper \udcff"
