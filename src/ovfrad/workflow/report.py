"""Gather what a run folder holds and have the report written from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad import report
from ovfrad.errors import InputError
from ovfrad.explanation.nomogram import Nomograms, build_nomograms
from ovfrad.explanation.shap import ShapTable
from ovfrad.report import gallery as choice
from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import (
    Chosen,
    Gallery,
    Mesh,
    MontageCase,
    SelectionTrace,
    Shap,
    SliceStack,
    Weights,
    step_counts,
)
from ovfrad.report.pdf import write_pdf
from ovfrad.report.surface import surface
from ovfrad.report.words import class_name
from ovfrad.study.recipes import DIFFERENCES
from ovfrad.study.settings import NINE, StudySettings
from ovfrad.workflow import case as one
from ovfrad.workflow.agreement import reader_agreement
from ovfrad.workflow.attribution import network_look
from ovfrad.workflow.evaluate import settings_of
from ovfrad.workflow.explain_chosen import read_chosen
from ovfrad.workflow.folder import Progress, RunFolder

#: What this version does not do, in the words of the method (METHODS.md).
NOT_YET = (
    "Web page with viewer (I3), DICOM SEG and SR as output, PACS round trip (I4)",
    "Validation of a bundle at another centre (I5)",
    "The effect of one step at a time (--effects)",
    "More than one machine (Dask)",
)
PICTURES_PER_CLASS = 2
#: Entries of run.json that have their own place in the report.
_TOLD_ELSEWHERE = ("warnings", "case_warnings", "weights", "excluded")


def report_run(folder: RunFolder, progress: Progress) -> Path:
    """Write tables, figures, Word files and report.html; a PDF of an earlier report is taken away."""
    data = gather(folder)
    try:
        (folder / "report.pdf").unlink(missing_ok=True)
        return report.write_report(data, folder.path, lambda done, total: progress("figures", done, total))
    except OSError as error:
        raise _unwritable(folder.path, error) from None


def pdf_of(page: Path, progress: Progress) -> Path:
    """The page as PDF, beside it."""
    progress("PDF", 0, 1)
    try:
        path = write_pdf(page)
    except OSError as error:
        raise _unwritable(page.parent, error) from None
    progress("PDF", 1, 1)
    return path


def _unwritable(path: Path, error: OSError) -> InputError:
    fault = f"cannot be written ({error.strerror or error})"
    return InputError("E_WRITE", path, fault, "free space, or choose a folder you can write to")


def gather(folder: RunFolder) -> ReportInput:
    """Everything the report says, from the files of a run."""
    settings, run = settings_of(folder), folder.read_json("run.json")
    cases, results = folder.read_table("cases.parquet"), folder.read_json("results.json")
    explained = folder.read_json("explanation/explanation.json")
    images = settings.features is None
    pictures = _pictures(folder, cases) if images else {}
    absent = dict(explained.get("absent", {}))
    if not images:
        absent |= dict.fromkeys(("montage", "mesh", "acquisition"), "The study started from a feature table.")
    return ReportInput(
        study=settings.name,
        classes=run["classes"],
        cases=cases.reset_index(),
        settings=settings.model_dump(mode="json"),
        run={**{k: v for k, v in run.items() if k not in _TOLD_ELSEWHERE}, "version": run["ovfrad"]},
        warnings=run["warnings"],
        outcome=settings.outcome.column,
        ordered=settings.outcome.ordered,
        unit="vertebrae" if images else "cases",
        synthetic=run["synthetic"],
        source="images" if images else "features",
        weights=_weights(run["weights"], settings),
        allowed_components=_allowed(settings),
        predictions=folder.read_table("predictions.parquet"),
        results=results,
        quarantine=pd.read_csv(folder / "quarantine.csv"),
        excluded=pd.DataFrame(run["excluded"], columns=["patient_id", "vertebra", "exclusion"]),
        recipe_differences=_differences(),
        selection=_selection(folder, run["prespecified"]["headline"]["recipe"], settings),
        chosen=_chosen(folder, explained),
        shap_models=_shap_models(folder),
        shap=_shap(folder / "explanation", explained),
        nomogram=_nomogram(folder, explained),
        montage=_montage(cases, pictures, settings, run["classes"]),
        slices=_slices(pictures, cases, settings, run["classes"]),
        gallery=_gallery(folder, cases, settings, run),
        mesh=_mesh(pictures, cases, settings.imaging.spacing_mm),
        network=network_look(folder, pictures, cases, settings, explained) if images else None,
        acquisition=_acquisition(cases),
        agreement=reader_agreement(cases),
        absent=absent,
        not_yet=NOT_YET,
    )


def _weights(told: dict[str, Any], settings: StudySettings) -> dict[str, Weights]:
    kinds = {
        name: arm.weights if arm.weights in ("random", "none") else "file" for name, arm in settings.deep.arms.items()
    }
    return {
        name: Weights(kinds[name], facts["description"], facts["sha256"] or "")  # type: ignore[arg-type]
        for name, facts in told.items()
    }


def _allowed(settings: StudySettings) -> list[str]:
    from ovfrad.astlof import LABEL_COMPONENTS

    used = [*settings.clinical.columns, *(settings.feature_columns or ())]
    return [name for name in used if name in LABEL_COMPONENTS]


def _differences() -> pd.DataFrame:
    rows = [(d.setting, d.paper_says, d.we_do, d.why) for d in DIFFERENCES]
    return pd.DataFrame(rows, columns=["setting", "paper", "sound", "why"])


def _selection(folder: RunFolder, recipe: str, settings: StudySettings) -> dict[str, SelectionTrace]:
    """Selection of every arm of the headline's recipe."""
    traces = {}
    for key, stored in folder.read_json("selection.json").items():
        of, arm = key.split("/", 1)
        if of != recipe:
            continue
        counts = step_counts(stored, prune=settings.selection.prune_above is not None)
        score = stored.get("rad_score")
        if score is None:
            traces[arm] = SelectionTrace(counts, frequency=stored["frequency"])
            continue
        kept = score["coefficients"]
        traces[arm] = SelectionTrace(
            counts,
            dict(zip(kept["feature"], kept["coefficient"], strict=True)),
            pd.DataFrame(score["path"]).set_index("alpha"),
            pd.DataFrame(score["cv_curve"]).set_index("alpha"),
            score["rule"],
            score.get("kind", "codes"),
            stored["frequency"],
        )
    return traces


def _chosen(folder: RunFolder, explained: dict[str, Any]) -> Chosen | None:
    """What the filters did; None in a run that was explained before this was kept."""
    found = read_chosen(folder)
    return Chosen(**found, facts=explained["chosen"]) if found and "chosen" in explained else None


def _shap_models(folder: RunFolder) -> dict[str, Shap]:
    """SHAP values of those of the nine that have been explained."""
    found: dict[str, Shap] = {}
    for name in NINE:
        place = folder / "explanation" / name
        if (place / "explanation.json").is_file():
            shap = _shap(place, folder.read_json(f"explanation/{name}/explanation.json"))
            found |= {} if shap is None else {name: shap}
    return found


def _shap(place: Path, explained: dict[str, Any]) -> Shap | None:
    path = place / "shap.npz"
    if "method" not in explained or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        table = ShapTable(
            **{name: stored[name] for name in ("values", "base", "output", "error", "X")},
            output_name=str(stored["output_name"]),
            feature_names=tuple(map(str, stored["names"])),
            classes=tuple(explained["classes"]),
            method=explained["method"],
            evaluations=explained["evaluations"],
        )
        cases, y_true = [str(case) for case in stored["cases"]], stored["y_true"]
    return Shap(table, cases, y_true, explained["model"], explained["cohort"])


def _nomogram(folder: RunFolder, explained: dict[str, Any]) -> Nomograms | None:
    """The nomogram, laid out again from the rows it was fitted to."""
    if "nomogram" not in explained:
        return None
    rows = folder.read_table("explanation/nomogram_rows.parquet")
    drawn = build_nomograms(rows.drop(columns="y"), rows["y"], explained["classes"], outcome="class")
    return replace(drawn, notes=tuple(explained["nomogram"]["notes"]))


def _pictures(folder: RunFolder, cases: pd.DataFrame) -> dict[tuple[str, str], one.CaseFeatures]:
    """Stored results of the cases that the montage shows: the first of each class, validation cohorts first."""
    shown = []
    for _, part in cases.groupby("y"):
        ranked = part.sort_values(
            "cohort", key=lambda c: c.map({"internal": 0, "external": 1}).fillna(2), kind="stable"
        )
        shown += list(ranked.index[:PICTURES_PER_CLASS])
    return _stored(folder, cases, shown)


def _stored(
    folder: RunFolder, cases: pd.DataFrame, wanted: list[tuple[str, str]]
) -> dict[tuple[str, str], one.CaseFeatures]:
    """Stored results of the wanted cases, those that the cache still has."""
    found = {}
    for index in wanted:
        path = folder.cache / "cases" / f"{cases.loc[index, 'cache_key']}.npz"
        if path.is_file():
            found[index] = one.load(path)
    return found


def _montage(
    cases: pd.DataFrame,
    pictures: dict[tuple[str, str], one.CaseFeatures],
    settings: StudySettings,
    classes: list[str],
) -> list[MontageCase]:
    shown = []
    for index, stored in pictures.items():
        planes = ("sagittal", "axial", "coronal")
        row = cases.loc[index]
        shown.append(
            MontageCase(
                case_id=" ".join(index),
                cohort=str(row["cohort"]),
                label=class_name(int(row["y"]), classes, settings.outcome.column),
                images={plane: stored.pictures[plane] / 255 for plane in planes},
                contours={plane: stored.pictures[f"{plane}_mask"].astype(bool) for plane in planes},
                spacing_mm=settings.imaging.spacing_mm,
            )
        )
    return shown


def _slices(
    pictures: dict[tuple[str, str], one.CaseFeatures], cases: pd.DataFrame, settings: StudySettings, classes: list[str]
) -> list[SliceStack]:
    """Sagittal slices of the montage's cases; results cached before slices were kept have none."""
    spacing = settings.imaging.spacing_mm
    step = max(1, round(one.STACK_STEP_MM / spacing)) * spacing
    return [
        SliceStack(
            f"{' '.join(index)}, {class_name(int(cases.loc[index, 'y']), classes, settings.outcome.column)}",
            stored.pictures["stack"],
            stored.pictures["stack_mask"].astype(bool),
            spacing,
            step,
        )
        for index, stored in pictures.items()
        if "stack" in stored.pictures
    ]


def _gallery(folder: RunFolder, cases: pd.DataFrame, settings: StudySettings, run: dict[str, Any]) -> Gallery:
    """Discordant cases of two arms, or the surest errors of one, with pictures where the cache has them (H3)."""
    predictions, told = folder.read_table("predictions.parquet"), run["prespecified"]["headline"]
    headline = (told["recipe"], told["arm"], told["model"])
    rival = choice.rival_of(predictions, headline)
    chosen = choice.choose_cases(predictions, headline, rival)
    stored = _stored(folder, cases, list(chosen.index)) if settings.features is None else {}
    pictures = dict(zip(stored, _montage(cases, stored, settings, run["classes"]), strict=True))
    return Gallery(chosen, choice.rule_words(predictions, rival), *choice.names(headline, rival), pictures)


def _mesh(pictures: dict[tuple[str, str], one.CaseFeatures], cases: pd.DataFrame, spacing_mm: float) -> Mesh | None:
    """Surface of the mask of the highest class shown."""
    if not pictures:
        return None
    index = max(pictures, key=lambda case: int(cases.loc[case, "y"]))
    mask = pictures[index].pictures["mask"].astype(bool)
    return Mesh(*surface(mask, spacing_mm), " ".join(index))


def _acquisition(cases: pd.DataFrame) -> pd.DataFrame | None:
    """Scanners and parameters by centre (paper, appendix 1)."""
    facts = [
        c for c in ("manufacturer", "model", "kvp", "ma", "kernel", "slice_thickness_mm", "pixel_mm") if c in cases
    ]
    if not facts:
        return None
    keys = [c for c in ("center", "scanner") if cases[c].notna().any()]
    rows = []
    for key, part in cases.groupby(keys) if keys else [((), cases)]:
        named = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        rows.append({**named, "vertebrae": len(part), **{fact: _range(part[fact]) for fact in facts}})
    return pd.DataFrame(rows)


def _range(values: pd.Series) -> str:
    known = values.dropna()
    if known.empty:
        return "not stored"
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.notna().all():
        low, high = f"{numbers.min():.3g}", f"{numbers.max():.3g}"
        return low if low == high else f"{low} to {high}"
    return ", ".join(sorted(set(map(str, known))))
