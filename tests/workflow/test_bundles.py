"""Bundles of real runs: falsified ones are refused, whole vertebrae noticed, and the run's own numbers found again."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ovfrad.bundle import load, manifest

from .conftest import LEAN, ovfrad, write_table  # type: ignore[import-not-found]

pytestmark = pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")

ADJUSTED = """\
harmonisation: {batch: scanner, covariates: [age, sex]}
radiomics: {image_types: [original]}
deep: {arms: {none: {weights: none}}}
"""


@pytest.fixture(scope="module")
def image_run(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of phantoms with ComBat's covariates, in which two training cases have metal."""
    folder = tmp_path_factory.mktemp("images") / "cohort"
    shutil.copytree(phantom_cohort, folder)
    cases = pd.read_csv(folder / "cases.csv", dtype=str)
    chosen = cases[(cases["cohort"] == "train") & cases["ct"].str.endswith(".gz")].iloc[:2]
    for ct, mask in zip(chosen["ct"], chosen["mask"], strict=True):
        add_metal(folder / ct, folder / mask)
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    text = text[: text.index("harmonisation:")] + ADJUSTED + LEAN
    (folder / "adjusted.yaml").write_text(text, encoding="utf-8")
    assert ovfrad("fit", folder / "adjusted.yaml", "--out", folder / "run") == 0
    return folder


@pytest.fixture(scope="module")
def adjusted_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of a feature table with three scanners and the covariates age and sex."""
    folder = tmp_path_factory.mktemp("adjusted")
    path = write_table(folder, settings=LEAN + "harmonisation: {batch: scanner, covariates: [age, sex]}\n")
    table, rng = pd.read_csv(folder / "table.csv"), np.random.default_rng(2)
    table["scanner"], table["sex"] = rng.choice(["A", "B", "C"], len(table)), rng.choice(["F", "M"], len(table))
    shift = table["scanner"].map({"A": 0.0, "B": 1.0, "C": -1.0})
    for name in [f"f{j}" for j in range(8)]:
        table[name] += shift + 0.05 * (table["age"] - 70) + (table["sex"] == "F")
    table.to_csv(folder / "table.csv", index=False)
    assert ovfrad("fit", path, "--out", folder / "run") == 0
    return folder


def add_metal(ct: Path, mask: Path) -> None:
    """A screw of 3000 HU beside the region."""
    import nibabel as nib

    image, inside = nib.load(ct), np.asarray(nib.load(mask).dataobj) > 0
    array = np.asarray(image.dataobj).copy()
    at = np.argwhere(inside).max(axis=0) - 1
    array[tuple(slice(n, n + 2) for n in at)] = 3000
    nib.save(nib.Nifti1Image(array, image.affine, image.header), ct)


def changed(bundle: Path, to: Path, change: Callable[[dict[str, Any]], object], *, hashed: bool) -> Path:
    """Copy of a bundle with a changed manifest, its digest as it was or written anew."""
    shutil.copytree(bundle, to)
    content = json.loads((to / manifest.NAME).read_text(encoding="utf-8"))
    change(content)
    if hashed:
        content["digest"] = manifest.digest(content)
    (to / manifest.NAME).write_text(json.dumps(content), encoding="utf-8")
    return to


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert ovfrad(*arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("E_")]
    assert len(lines) == 1
    return lines[0]


def own_probabilities(run: Path, cohort: str) -> pd.DataFrame:
    """The run's own probabilities of a cohort by its headline model."""
    table = pd.read_parquet(run / "predictions.parquet")
    kept = table[(table["cohort"] == cohort) & (table["model"] == "auto")]
    return kept.set_index(["patient_id", "vertebra"])[["p_0", "p_1", "p_2"]].sort_index()


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["training"].update(summary="9000 cases; nested macro AUC 0.99"),
        lambda m: m["training"].update(synthetic=False, rows=9000),
        lambda m: m["model"].update(temperature=0.1),
        lambda m: m["not_seen"].append("nothing"),
        lambda m: m.pop("digest"),
    ],
)
def test_an_edited_manifest_is_refused(
    change: Callable[[dict[str, Any]], object], table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = changed(table_run / "bundle", tmp_path / "edited", change, hashed=False)
    line = "E_BUNDLE_HASH edited: manifest.json was changed; take the bundle from its source again"
    assert refusal(capsys, "verify", bundle) == line
    assert refusal(capsys, "predict", bundle, table_run.parent / "table.csv", "--out", tmp_path / "p.csv") == line


def test_layout_and_order_of_a_manifest_do_not_count(table_run: Path, tmp_path: Path) -> None:
    bundle = changed(table_run / "bundle", tmp_path / "b", lambda m: m.update(files=m.pop("files")), hashed=False)
    assert ovfrad("verify", bundle) == 0


def test_a_file_that_no_manifest_lists_is_refused(
    table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(table_run / "bundle", bundle)
    (bundle / "check" / ".DS_Store").write_bytes(b"left by a file manager")
    assert ovfrad("verify", bundle) == 0
    told = refusal(capsys, "predict", bundle, tmp_path / "table.csv", "--out", bundle / "p.csv")
    assert told.startswith("E_WRITE p.csv: lies inside the bundle")
    (bundle / "check" / "ct.nii.gz").write_bytes(b"")
    assert refusal(capsys, "verify", bundle).startswith(
        "E_BUNDLE_FILE bundle: holds check/ct.nii.gz, which its manifest does not list; remove it, or "
    )


def test_a_bundle_of_the_first_format_is_refused(
    table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = changed(table_run / "bundle", tmp_path / "old", lambda m: m.update(format=1), hashed=True)
    assert refusal(capsys, "verify", bundle) == (
        "E_BUNDLE_FORMAT old: has format 1, whose manifest could be changed unnoticed; this version reads format 2; "
        "write it anew with `ovfrad fit`"
    )


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no files": lambda m: m.update(files={}),
    "other classes": lambda m: m.update(classes=m["classes"][::-1]),
    "a class twice": lambda m: m.update(classes=[m["classes"][0]] * 3),
    "no arm": lambda m: m.update(arm=None, training={}),
    "another arm": lambda m: m.update(arm="none" if m["arm"] != "none" else "random"),
    "outside": lambda m: m["files"].update({"../study.yaml": "0"}),
    "no batch column": lambda m: m["training"].pop("batch_column"),
    "a batch column of no table": lambda m: m["training"].update(batch_column="age"),
    "no input": lambda m: m.update(input={}),
    "another input": lambda m: m.update(input={"kind": "features", "columns": ["nothing"]}),
    "a column less": lambda m: m["model"]["columns"].pop(),
    "columns turned": lambda m: m["model"]["columns"].reverse(),
    "another view": lambda m: m["model"].update(view="score"),
    "offsets of two": lambda m: m["model"].update(offsets=[0.0, 0.0]),
    "an unknown key": lambda m: m.update(author="nobody"),
    "text for a number": lambda m: m["training"].update(rows="many"),
    "a network": lambda m: m.update(backbone={"description": "", "layout": None, "sha256": None}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_manifest_that_does_not_fit_is_refused_in_one_line(
    name: str, table_run: Path, image_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run, cases in ((table_run, "table.csv"), (image_run / "run", "cases.csv")):
        bundle = changed(run / "bundle", tmp_path / run.parent.name, DAMAGE[name], hashed=True)
        for command in (("verify", bundle), ("predict", bundle, run.parent / cases, "--out", tmp_path / "p.csv")):
            assert refusal(capsys, *command).startswith(f"E_BUNDLE_FORMAT {bundle.name}: ")


def test_the_input_contract_tells_what_training_held(image_run: Path) -> None:
    stated = load(image_run / "run" / "bundle").manifest.input
    assert stated.kind == "CT and mask"
    n = load(image_run / "run" / "bundle").manifest.training.rows
    assert stated.metal == f"kept: 2 of the {n} training cases have voxels above 2000 HU"
    told = f"named by the header of 0 of 3 training cases; {n - 3} have no DICOM header that would tell"
    assert stated.contrast == told
    assert stated.mask.startswith("as in training")
    assert stated.features == "profile pyradiomics; HU, bin width 25; images: original"
    card = (image_run / "run" / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in (stated.metal, stated.contrast, stated.features, "no signature"):
        assert words in card


def predicted(image_run: Path, cases: pd.DataFrame, name: str) -> pd.DataFrame:
    """Table of predictions of some cases."""
    cases.to_csv(image_run / f"{name}.csv", index=False)
    out = image_run / f"{name}_out.csv"
    assert ovfrad("predict", image_run / "run" / "bundle", image_run / f"{name}.csv", "--out", out) == 0
    return pd.read_csv(out, keep_default_na=False, dtype={"class": str}).set_index(["patient_id", "vertebra"])


def test_images_of_known_scanners_get_the_runs_own_probabilities(image_run: Path) -> None:
    cases = pd.read_csv(image_run / "cases.csv", dtype=str)
    own = own_probabilities(image_run / "run", "internal")
    told = predicted(image_run, cases[cases["cohort"] == "internal"], "internal").loc[own.index]
    assert np.abs(told[own.columns].astype(float).to_numpy() - own.to_numpy()).max() < 1e-9
    assert not told["flags"].str.contains("harmonised").any()


def test_metal_is_judged_by_the_studys_policy(image_run: Path, tmp_path: Path) -> None:
    run = pd.read_parquet(image_run / "run" / "cases.parquet")
    with_metal = run[run["metal"]].index
    assert len(with_metal) == 2
    cases = pd.read_csv(image_run / "cases.csv", dtype=str).set_index(["patient_id", "vertebra"])
    told = predicted(image_run, cases.loc[with_metal].reset_index(), "metal")
    n = int((run["cohort"] == "train").sum())
    assert told["flags"].str.startswith(f"metal, as 2 of the {n} training cases").all()
    assert told["warnings"].str.startswith("W_METAL ").all()


def test_a_case_tables_exclusions_are_left_out_and_its_warnings_told(
    image_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import nibabel as nib

    cases = pd.read_csv(image_run / "cases.csv", dtype=str)
    cases = cases[(cases["cohort"] == "internal") & cases["ct"].str.endswith(".gz")].iloc[:2].copy()
    cases.loc[cases.index[0], "exclusion"] = "tumour"
    mask = nib.load(image_run / cases["mask"].iloc[1])
    array = np.asarray(mask.dataobj).copy()
    label = np.unique(array)[-1] if pd.isna(cases["mask_label"].iloc[1]) else int(cases["mask_label"].iloc[1])
    array[1:12, 1:12, 1:12] = label
    nib.save(nib.Nifti1Image(array, mask.affine, mask.header), image_run / "pieces.nii.gz")
    cases.loc[cases.index[1], "mask"] = "pieces.nii.gz"
    told = predicted(image_run, cases, "some")
    left_out, pieces = told.iloc[0], told.iloc[1]
    assert (left_out["exclusion"], left_out["class"], left_out["p_0"], left_out["error"]) == ("tumour", "", "", "")
    assert "W_MASK_PIECES pieces.nii.gz: " in pieces["warnings"]
    assert "scattered" in pieces["flags"]

    cases["exclusion"] = "no"
    cases.to_csv(image_run / "no.csv", index=False)
    bundle = image_run / "run" / "bundle"
    line = refusal(capsys, "predict", bundle, image_run / "no.csv", "--out", image_run / "no_out.csv")
    assert line.startswith("E_CELL no.csv:2: exclusion is 'no'")


def test_a_whole_small_vertebra_is_noticed(image_run: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torso = shared / "data" / "spine_ct" / "torso"
    ct = next(path for path in sorted(torso.glob("*.nii.gz")) if "vertebra" not in path.name)
    words = "mask larger than the vertebral bodies of training"
    for masks, scheme, whole in (("totalsegmentator", "totalsegmentator", True), ("verse", "verse", False)):
        where = (ct, torso / f"vertebrae_{masks}.nii.gz", "--vertebra", "T12", "--scheme", scheme, "--json")
        capsys.readouterr()
        assert ovfrad("predict", image_run / "run" / "bundle", *where) == 0
        told = json.loads(capsys.readouterr().out)
        assert (words in told["flags"]) is whole


def test_a_single_mask_can_be_told_its_level(image_run: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import nibabel as nib

    torso = shared / "data" / "spine_ct" / "torso"
    ct = next(path for path in sorted(torso.glob("*.nii.gz")) if "vertebra" not in path.name)
    whole = nib.load(torso / "vertebrae_totalsegmentator.nii.gz")
    mask = image_run / "binary.nii.gz"
    nib.save(nib.Nifti1Image((np.asarray(whole.dataobj) == 32).astype(np.uint8), whole.affine, whole.header), mask)
    bundle = image_run / "run" / "bundle"
    words = "mask larger than the vertebral bodies of training"
    for where in (("--label", "1", "--vertebra", "T12"), ("--vertebra", "th12"), ("--vertebra", "T12")):
        capsys.readouterr()
        assert ovfrad("predict", bundle, ct, mask, *where, "--json") == 0
        assert words in json.loads(capsys.readouterr().out)["flags"]
    several = torso / "vertebrae_totalsegmentator.nii.gz"
    for file, where, line in (
        (several, ("--vertebra", "T12"), "E_MASK_LABEL vertebrae_totalsegmentator.nii.gz: holds the labels "),
        (several, ("--label", "99", "--vertebra", "T12"), "E_MASK_LABEL vertebrae_totalsegmentator.nii.gz: label 99 "),
        (mask, ("--label", "1", "--scheme", "verse"), "E_MASK_SCHEME binary.nii.gz: --scheme verse is given beside"),
        (mask, ("--label", "1", "--vertebra", "T12", "--scheme", "verse"), "E_MASK_LABEL binary.nii.gz: label 1 was"),
        (mask, ("--vertebra", "S1"), "E_MASK_LABEL binary.nii.gz: --vertebra is 'S1'; write a name like T12 or L1;"),
    ):
        assert refusal(capsys, "predict", bundle, ct, file, *where).startswith(line)


def test_a_bad_label_is_its_rows_error(image_run: Path) -> None:
    cases = pd.read_csv(image_run / "cases.csv", dtype=str)
    cases = cases[(cases["cohort"] == "internal") & cases["ct"].str.endswith(".gz")].iloc[:2].copy()
    cases[["mask_scheme", "mask_label"]] = None
    cases.loc[cases.index[0], ["mask_scheme", "mask_label"]] = ["verse", "1"]
    cases.to_csv(image_run / "bad_label.csv", index=False)
    out = image_run / "bad_label_out.csv"
    assert ovfrad("predict", image_run / "run" / "bundle", image_run / "bad_label.csv", "--out", out) == 3
    told = pd.read_csv(out, keep_default_na=False)
    assert told["error"][0].startswith("E_CELL bad_label.csv:2: label 1 is C1 in scheme verse, and the case is ")
    assert "E_CELL" not in told["error"][1]


def test_table_rows_of_known_scanners_get_the_runs_own_probabilities(adjusted_run: Path, tmp_path: Path) -> None:
    table = pd.read_csv(adjusted_run / "table.csv")
    table["sex"] = table["sex"].astype(object)
    own = own_probabilities(adjusted_run / "run", "internal").droplevel("vertebra")
    assert ovfrad("predict", adjusted_run / "run" / "bundle", adjusted_run / "table.csv", "--out", tmp_path / "p") == 0
    told = pd.read_csv(tmp_path / "p.csv", keep_default_na=False).set_index("patient_id").loc[own.index]
    assert np.abs(told[own.columns].to_numpy(float) - own.to_numpy()).max() < 1e-9
    assert not told["flags"].str.contains("harmonised").any()


def test_what_combat_could_not_do_is_told_once_and_truly(adjusted_run: Path, tmp_path: Path) -> None:
    bundle = load(adjusted_run / "run" / "bundle")
    assert bundle.chain.combat_ is not None
    reference = bundle.chain.combat_.reference_
    other = next(name for name in ("A", "B", "C") if name != reference)
    table = pd.read_csv(adjusted_run / "table.csv").iloc[:5].copy()
    table["scanner"] = [other, other, "Z", None, reference]
    table.loc[[1, 2, 4], "sex"] = None
    table.to_csv(tmp_path / "five.csv", index=False)
    assert ovfrad("predict", adjusted_run / "run" / "bundle", tmp_path / "five.csv", "--out", tmp_path / "p.csv") == 0
    told = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)["flags"].str.findall("(?:not )?harmonised[^;]*")
    without = ["harmonised without age and sex, which the study had as covariates"]
    unknown = ["not harmonised: its scanner is not one of the training data"]
    assert told.tolist() == [[], without, unknown, unknown, []]


def test_exclusions_of_a_feature_table_are_left_out(
    adjusted_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(adjusted_run / "table.csv").iloc[:4].copy()
    table["exclusion"] = [None, "no consent", None, None]
    table.to_csv(tmp_path / "four.csv", index=False)
    bundle = adjusted_run / "run" / "bundle"
    assert ovfrad("predict", bundle, tmp_path / "four.csv", "--out", tmp_path / "p.csv") == 0
    told = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert told["exclusion"].tolist() == ["", "no consent", "", ""]
    assert told["p_0"].eq("").tolist() == [False, True, False, False]
    assert ovfrad("predict", bundle, adjusted_run / "table.csv", "--out", tmp_path / "all.csv") == 0
    every = pd.read_csv(tmp_path / "all.csv", keep_default_na=False)
    assert told["p_0"].iloc[2:].astype(float).tolist() == pytest.approx(every["p_0"].iloc[2:4].tolist(), abs=1e-12)

    table["exclusion"] = "no consent"
    table.to_csv(tmp_path / "four.csv", index=False)
    line = refusal(capsys, "predict", bundle, tmp_path / "four.csv", "--out", tmp_path / "p.csv")
    assert line.startswith("E_TABLE_EMPTY four.csv: each of the 4 cases has text in `exclusion`")


@pytest.mark.parametrize(
    "options", [("--batch", "A"), ("--label", "3"), ("--vertebra", "L1"), ("--scheme", "verse"), ("--json",)]
)
def test_options_of_one_case_with_a_table_are_refused(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "predict", "bundle", "cases.csv", "--out", "p.csv", *options)
    assert line == (
        f"E_USAGE ovfrad predict: {options[0]} with CASES.csv; leave it out: the columns of the table name label, "
        "level and scanner of each case"
    )


def test_a_table_of_one_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "predict", "bundle", "ct.nii.gz", "mask.nii.gz", "--out", "p.csv")
    assert line.startswith("E_USAGE ovfrad predict: --out with IMAGE and MASK; ")


def test_digest_heeds_every_value() -> None:
    content = {"a": {"b": [1, 2.5, None]}, "digest": "x"}
    other = copy.deepcopy(content)
    other["a"]["b"][1] = 2.6  # type: ignore[index]
    assert manifest.digest(content) != manifest.digest(other)


def test_the_report_says_why_there_is_no_bundle(tmp_path: Path) -> None:
    settings = LEAN.replace("models: {classifiers: [LR, DT]", "models: {headline: {model: KNN}, classifiers: [KNN]")
    study = write_table(tmp_path, settings=settings)
    assert ovfrad("run", study, "--out", tmp_path / "run") == 0
    assert not (tmp_path / "run" / "bundle").exists()
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["warnings"]
    assert [line.split(" ", 1)[0] for line in told].count("W_BUNDLE_ROWS") == 1
    assert "KNN holds the training patients" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
