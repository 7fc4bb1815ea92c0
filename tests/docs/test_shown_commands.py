"""Every command that README and docs show is run, in their order, in a folder that holds what they name."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.phantom.write import write_cohort

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LEAN = "models: {classifiers: [LR], outer_folds: 2, inner_folds: 2}\nevaluation: {resamples: 100}\n"


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(page: Path) -> list[str]:
    """`ovfrad` lines of a page: in blocks, and inline with more than one word."""
    text = page.read_text(encoding="utf-8")
    lines = [line.split("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    inline = re.findall(r"`(ovfrad [^`\n]+)`", text)
    shown = [line.removeprefix(".venv/bin/") for line in lines] + inline
    return [line for line in shown if line.startswith("ovfrad ") and "FILE" not in line]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with images in pairs, one CT with VerSe labels, a feature table, predictions, a transcription."""
    folder = tmp_path_factory.mktemp("docs")
    cohort = write_cohort(folder / "phantom", 40, 11).parent
    cases = pd.read_csv(cohort / "cases.csv", dtype=str)
    cases = cases[cases["ct"].str.endswith(".gz") & (cases["mask_scheme"] == "verse")]
    chosen = pd.concat([cases[cases["astlof_class"] == k].head(n) for k, n in (("0", 4), ("1", 3), ("2", 3))])
    (folder / "images").mkdir()
    for n, case in enumerate(chosen.itertuples()):
        shutil.copy(cohort / case.ct, folder / "images" / f"P{n:02d}_ct.nii.gz")
        shutil.copy(cohort / case.mask, folder / "images" / f"P{n:02d}_mask.nii.gz")
    chosen["astlof_class"].to_csv(folder / "classes.txt", index=False, header=False)
    _one_case(folder, cohort, cases.iloc[0])
    _tables(folder)
    return folder


def _one_case(folder: Path, cohort: Path, case: pd.Series) -> None:
    shutil.copy(cohort / case["ct"], folder / "ct.nii.gz")
    mask = nib.load(cohort / case["mask"])
    labels = np.where(np.asarray(mask.dataobj) > 0, 20, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(labels, mask.affine), folder / "vertebrae.nii.gz")


def _tables(folder: Path) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    (folder / "table-study").mkdir()
    table = pd.DataFrame({"patient_id": [f"P{k}" for k in range(60)], "relapse": y, "a": y + rng.normal(size=60)})
    table.assign(b=rng.normal(size=60)).to_csv(folder / "table-study" / "table.csv", index=False)
    settings = "features: table.csv\noutcome: {column: relapse}\n" + LEAN
    (folder / "table-study" / "study.yaml").write_text(settings)
    p = np.round(np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 60), 0.01, 0.99), 3)
    predictions = pd.DataFrame({"patient_id": table["patient_id"], "y_true": y, "p_0": (1 - p).round(3), "p_1": p})
    predictions.to_csv(folder / "predictions.csv", index=False)
    (transcription,) = blocks(ROOT / "docs" / "audit.md", "csv")
    (folder / "paper.csv").write_text(transcription)


def _fill(study: Path, classes: Path) -> None:
    """What the user does after `init`: fill the outcome; and here, fewer models."""
    cases = pd.read_csv(study / "cases.csv", dtype=str)
    cases["astlof_class"] = classes.read_text(encoding="utf-8").split()
    cases.to_csv(study / "cases.csv", index=False)
    text = (study / "study.yaml").read_text(encoding="utf-8")
    head, models = text.split("models:\n")
    (study / "study.yaml").write_text(f"{head}models:\n  classifiers: [LR, DT]\n{models}")


def test_pages_show_commands() -> None:
    found = [command for page in PAGES for command in commands(page)]
    names = {command.split()[1] for command in found}
    assert names >= {"demo", "init", "check", "run", "inspect", "radiomics", "predict", "astlof", "evaluate",
                     "audit-table", "verify", "study", "weights"}  # fmt: skip


def test_every_shown_command_works(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace)
    done = set[str]()
    for command in (command for page in PAGES for command in commands(page)):
        if command in done:
            continue
        done.add(command)
        arguments = shlex.split(command)[1:]
        if arguments == ["demo", "--out", "demo"]:
            continue  # the next test
        if arguments[:2] == ["run", "study"] and "--recipe" not in arguments:
            arguments += ["--out", "run"]
        assert guarded(app, arguments) == 0, f"{command}: {capsys.readouterr().err}"
        if arguments[0] == "init":
            _fill(workspace / "study", workspace / "classes.txt")
    assert (workspace / "run" / "report.html").is_file()


def test_the_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert guarded(app, ["demo", "--out", str(out), "--vertebrae", "45"]) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path == out / "run" / "report.html"
    page = path.read_text(encoding="utf-8")
    for words in ("What was done", "With which weights", "How well", "What not to conclude"):
        assert words in page


def test_make_targets_and_the_table_of_another_study(shared: Path, tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for block in blocks(ROOT / "README.md", "sh"):
        for target in re.findall(r"^make (\S+)", block, flags=re.MULTILINE):
            assert f"\n{target}:" in makefile
    (line,) = (block for block in blocks(ROOT / "docs" / "study.md", "sh") if block.startswith("awk"))
    shutil.copy(shared / "data" / "vertebral_column" / "column_3C.dat", tmp_path)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    settings = next(block for block in blocks(ROOT / "docs" / "study.md", "yaml") if "column.csv" in block)
    (tmp_path / "study.yaml").write_text(settings)
    from ovfrad.study import load

    study = load(tmp_path)
    assert len(study.cases) == 310
    assert study.classes == ("DH", "NO", "SL")


def test_example_study_file_is_valid() -> None:
    import yaml

    from ovfrad.study.file import resolve

    shown = [resolve(yaml.safe_load(block), "docs/study.md") for block in blocks(ROOT / "docs" / "study.md", "yaml")]
    assert [settings.name for settings in shown] == ["my study", "column"]
