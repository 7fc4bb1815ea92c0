"""Every command that README and docs show is run, in their order, in a folder that holds what they name."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.models.classifiers import make
from ovfrad.phantom.write import write_cohort
from ovfrad.study.settings import NINE

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
    for block in blocks(ROOT / "docs" / "radiomics.md", "yaml"):
        (folder / block.split()[1]).write_text(block, encoding="utf-8")
    return folder


def _one_case(folder: Path, cohort: Path, case: pd.Series) -> None:
    shutil.copy(cohort / case["ct"], folder / "ct.nii.gz")
    mask = nib.load(cohort / case["mask"])
    drawn = np.asarray(mask.dataobj) > 0
    labels = np.where(drawn, 20, 0).astype(np.uint8)
    top = int(np.flatnonzero(drawn.any(axis=(0, 1)))[-1])
    labels[:, :, top - 3 :][drawn[:, :, top - 3 :]] = 21  # a second label, for the commands that show two
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
    shutil.copy(ROOT / "docs" / "paper_tables.csv", folder)


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


def test_python_of_the_radiomics_page_runs(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks in one namespace, in their order, as a reader would paste them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
        import SimpleITK  # noqa: F401
    monkeypatch.chdir(workspace)
    names: dict[str, Any] = {}
    shown = blocks(ROOT / "docs" / "radiomics.md", "python")
    for number, block in enumerate(shown):
        exec(compile(block, f"docs/radiomics.md, block {number + 1}", "exec"), names)
    assert len(shown) == 7
    assert list(names["table"].index) == [20, 21]


def test_configurations_of_the_radiomics_page() -> None:
    """Those of the manual's table of configurations A to E, each different, under the profile ibsi."""
    from ovfrad.radiomics import settings_from

    found = {}
    for block in blocks(ROOT / "docs" / "radiomics.md", "yaml"):
        found[block.split()[1]] = settings_from(yaml.safe_load(block))
    assert found.pop("ct.yaml").profile == "pyradiomics"
    assert list(found) == [f"ibsi-{letter}.yaml" for letter in "ABCDE"]
    told = {
        name[5]: (
            s.aggregation[:2], s.resampled_pixel_spacing, s.interpolator, s.resegment_range, s.outlier_sigma,
            s.bin_count or s.bin_width,
        )
        for name, s in found.items() if s.profile == "ibsi"
    }  # fmt: skip
    cube, slices = (2.0, 2.0, 2.0), (2.0, 2.0, 0.0)
    assert told == {
        "A": ("2D", None, "sitkBSpline", (-500.0, 400.0), None, 25.0),
        "B": ("2D", slices, "sitkLinear", (-500.0, 400.0), None, 32),
        "C": ("3D", cube, "sitkLinear", (-1000.0, 400.0), None, 25.0),
        "D": ("3D", cube, "sitkLinear", None, 3.0, 32),
        "E": ("3D", cube, "sitkBSpline", (-1000.0, 400.0), 3.0, 32),
    }


def test_settings_of_the_radiomics_page_are_all_there_are() -> None:
    from ovfrad.radiomics.parameters import NO_EFFECT
    from ovfrad.radiomics.rules import theirs
    from ovfrad.radiomics.settings import OURS

    text = (ROOT / "docs" / "radiomics.md").read_text(encoding="utf-8")
    pairs = []
    for keys, fields in re.findall(r"^\| (`.*?) \| (`.*?) \| ", text.split("## Settings")[1], flags=re.MULTILINE):
        pairs += zip(re.findall(r"`(\w+)`", keys), re.findall(r"`(\w+)`", fields), strict=True)
    assert dict(pairs) == OURS
    assert all(theirs(name) == key for key, name in pairs)
    assert all(f"`{key}`" in text for key in NO_EFFECT)


def test_the_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert guarded(app, ["demo", "--out", str(out), "--vertebrae", "45"]) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path == out / "run" / "report.html"
    page = path.read_text(encoding="utf-8")
    for words in ("What was done, on what", "What to conclude", "What not to conclude", "How much of it is optimism"):
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
    from ovfrad.study.file import resolve
    from ovfrad.study.settings import Harmonisation, Models, Radiomics, Selection

    shown = [yaml.safe_load(block) for block in blocks(ROOT / "docs" / "study.md", "yaml")]
    whole = [resolve(content, "docs/study.md") for content in shown if "name" in content]
    assert [settings.name for settings in whole] == ["my study", "column"]
    parts = [(name, part) for content in shown if "name" not in content for name, part in content.items()]
    assert [name for name, _ in parts] == ["radiomics", "harmonisation", "selection", "selection"]
    assert parts[0][1].keys() == Radiomics.model_fields.keys()
    assert Radiomics(**parts[0][1]) == Radiomics()  # what is shown are the defaults
    assert parts[1][1].keys() == Harmonisation.model_fields.keys()
    assert Harmonisation(**parts[1][1]) == Harmonisation()
    assert Selection(**parts[2][1]) == Selection()
    assert Selection(**parts[3][1]).event_column == "refracture"
    (models,) = (yaml.safe_load(block)["models"] for block in blocks(ROOT / "docs" / "models.md", "yaml"))
    assert Models(**models | {"classifiers": NINE}) == Models()


def test_the_page_of_models_tells_every_grid() -> None:
    """Numbers of the table are those of the grids."""
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for name in NINE:
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
        shown = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+", line.split("|")[3])}
        _, grid = make(name)
        assert {float(value) for point in grid for value in point.values()} <= shown, name
