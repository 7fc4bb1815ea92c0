"""The unlearned line of one case: read, prepare, radiomics, patch; a pure function of its files and settings."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ovfrad.errors import InputError, InputWarning
from ovfrad.sources import code_of
from ovfrad.study.settings import Deep, Imaging, Radiomics

#: "Reader" of the features whose voxels were shuffled inside the mask.
SHUFFLED = "shuffled"
#: "Reader" of the features of a perturbed mask and image, where training has no second reader.
PERTURBED = "perturbed"
#: Tissue round the mask in the slices that are kept for the report, and the distance from slice to slice, mm.
STACK_MARGIN_MM, STACK_STEP_MM = 8.0, 2.0
#: Subpackages that make what is kept of a case.
MADE_BY = ("imaging", "radiomics", "deep", "workflow")


@dataclass(frozen=True)
class CaseTask:
    """What one worker needs to know of a case."""

    patient_id: str
    vertebra: str
    ct: Path
    mask: Path
    label: str | None
    mask2: Path | None
    label2: str | None
    imaging: Imaging
    radiomics: tuple[Radiomics, ...]
    deep: Deep
    crop_mm: float
    perturb: int | None = None
    """Seed of the perturbation, where one is wanted."""

    @property
    def case_id(self) -> str:
        """Name of the case in messages."""
        return f"{self.patient_id} {self.vertebra}"

    def key(self) -> str:
        """Content hash of the files and of every setting that the result depends on."""
        settings = [self.imaging, *self.radiomics, self.deep]
        shown = [s.model_dump(mode="json", exclude={"arms", "precision", "tune"}) for s in settings]
        sha = hashlib.sha256(
            json.dumps([code_of(*MADE_BY), self.label, self.label2, self.crop_mm, self.perturb, shown]).encode()
        )
        for path in (self.ct, self.mask, self.mask2):
            sha.update(b"\0")
            for file in _files(path):
                sha.update(os.fsencode(file.name))
                with file.open("rb") as opened:
                    sha.update(hashlib.file_digest(opened, "sha256").digest())
        return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class CaseFeatures:
    """What one case gives; `error` is set, and the rest empty, where it was refused.

    Attributes
    ----------
    rows : dict
        Recipe intensities ("hu", "zscore") -> reader ("1", "2") -> features by name.
    patch : ndarray or None
        float32 (3, size, size), bone window 0..1.
    pictures : dict of ndarray
        Slices of largest mask area (uint8 grey) with the mask there, for the montage; the whole `mask` (k, j, i);
        `stack` of sagittal slices through the mask with `stack_mask`.
    voxels : str
        Hash of the region's HU after preparation: equal for the same voxels stored another way.
    facts : dict
        Acquisition facts and flags.
    warnings : list of str
    """

    case: tuple[str, str]
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    patch: np.ndarray | None = None
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    voxels: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


def _files(path: Path | None) -> list[Path]:
    """Regular files only: a pipe or a device has no content to know again, and reading refuses it by name."""
    if path is None:
        return []
    return [p for p in sorted(path.iterdir() if path.is_dir() else [path]) if p.is_file()]


def run_case(task: CaseTask) -> CaseFeatures:
    """All unlearned results of a case; a fault of its files is returned, not raised, and warnings travel along."""
    case = (task.patient_id, task.vertebra)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        try:
            result = _extract(task)
        except InputError as error:
            return CaseFeatures(case, error=str(error))
    told = [str(w.message) for w in caught if issubclass(w.category, InputWarning)]
    result.warnings.extend(dict.fromkeys(told))
    return result


def _extract(task: CaseTask) -> CaseFeatures:
    from ovfrad import imaging
    from ovfrad.deep.patch import patch

    roi, facts = _first(task)
    prepared = imaging.prepare(roi, task.imaging)
    rows = _radiomics(prepared, task, "1")
    first = task.radiomics[0]
    rows[first.intensities] |= _radiomics(_shuffled(prepared), replace(task, radiomics=(first,)), SHUFFLED)[
        first.intensities
    ]
    for second, reader in _seconds(task, prepared):
        for name, readers in _radiomics(second, task, reader).items():
            rows[name].update(readers)
    inside = np.rint(prepared.ct.array[prepared.mask.array]).astype(np.int16)
    return CaseFeatures(
        (task.patient_id, task.vertebra),
        rows=rows,
        patch=patch(prepared, task.deep, task.imaging.window_hu),
        pictures=_pictures(prepared, task.imaging),
        voxels=hashlib.sha256(inside.tobytes()).hexdigest(),
        facts=facts,
    )


def _seconds(task: CaseTask, prepared: Any) -> Iterator[tuple[Any, str]]:
    """The region again, with its reader: as the second one outlined it, and perturbed where that is wanted."""
    from ovfrad import imaging, radiomics

    if task.mask2 is not None:
        yield imaging.prepare(_read(task, task.mask2, task.label2), task.imaging), "2"
    if task.perturb is not None:
        yield radiomics.perturb(prepared, np.random.default_rng(task.perturb)), PERTURBED


def _read(task: CaseTask, mask: Path, label: str | None) -> Any:
    from ovfrad import imaging

    return imaging.read_roi(
        task.ct, mask, label=label, vertebra=task.vertebra if label is None else None, case_id=task.case_id,
        margin_mm=task.crop_mm, settings=task.imaging,
    )  # fmt: skip


def _first(task: CaseTask) -> tuple[Any, dict[str, Any]]:
    """The region as the first reader outlined it, its facts and flags; metal and contrast refused if asked (B6)."""
    from ovfrad import imaging

    roi = _read(task, task.mask, task.label)
    facts = {**roi.acquisition, **imaging.flags(roi, task.imaging)}
    if facts.get("metal") and task.imaging.metal == "exclude":
        limit = f"{task.imaging.metal_hu:g} HU"
        raise InputError(
            "E_METAL", task.ct, f"voxels above {limit} in or next to the mask", "imaging.metal: keep keeps it"
        )
    if facts.get("contrast") and task.imaging.contrast == "exclude":
        raise InputError("E_CONTRAST", task.ct, "the header names a contrast agent", "imaging.contrast: keep keeps it")
    return roi, facts


def check_case(task: CaseTask) -> None:
    """Raise what sets a case aside as far as reading shows it: files, both masks, metal, a mask lost on the grid."""
    from ovfrad import imaging

    imaging.prepare_mask(_first(task)[0], task.imaging)
    if task.mask2 is not None:
        imaging.prepare_mask(_read(task, task.mask2, task.label2), task.imaging)


def _radiomics(roi: Any, task: CaseTask, reader: str) -> dict[str, dict[str, dict[str, float]]]:
    from ovfrad import radiomics

    return {s.intensities: {reader: radiomics.extract(roi, settings=s.parameters()).to_dict()} for s in task.radiomics}


def _shuffled(roi: Any) -> Any:
    """The region with the HU inside the mask dealt out anew: shape and histogram stay, texture goes (G3)."""
    array, inside = roi.ct.array.copy(), roi.mask.array
    array[inside] = np.random.default_rng(int(inside.sum())).permutation(array[inside])
    return replace(roi, ct=replace(roi.ct, array=array))


def _pictures(roi: Any, settings: Imaging) -> dict[str, np.ndarray]:
    """Slices of largest mask area in three planes, head up, and the mask's outline on them."""
    from ovfrad import imaging

    grey = (255 * imaging.bone_window(roi.ct.array, settings.window_hu)).astype(np.uint8)
    pictures: dict[str, np.ndarray] = {"mask": roi.mask.array}
    for axis, plane in enumerate(("axial", "coronal", "sagittal")):
        at = int(np.argmax(roi.mask.array.sum(axis=tuple(a for a in range(3) if a != axis))))
        image, mask = (np.take(array, at, axis=axis) for array in (grey, roi.mask.array))
        if plane != "axial":  # rows run from foot to head in LPS
            image, mask = image[::-1], mask[::-1]
        pictures[plane], pictures[f"{plane}_mask"] = image, mask
    return pictures | _stack(grey, roi.mask.array, settings.spacing_mm)


def _stack(grey: np.ndarray, mask: np.ndarray, spacing_mm: float) -> dict[str, np.ndarray]:
    """Sagittal slices through the mask and a margin round it, head up: `stack` and `stack_mask`, (slices, rows, cols).

    The report scrolls through them; in a tissue margin of 8 mm a reader sees where the outline lies.
    """
    margin, step = round(STACK_MARGIN_MM / spacing_mm), max(1, round(STACK_STEP_MM / spacing_mm))
    k, j, i = (slice(max(int(at.min()) - margin, 0), int(at.max()) + margin + 1) for at in np.nonzero(mask))
    cut = {"stack": grey[k, j, i], "stack_mask": mask[k, j, i]}
    return {name: np.ascontiguousarray(part[::-1, :, ::step].transpose(2, 0, 1)) for name, part in cut.items()}


def save(result: CaseFeatures, path: Path) -> None:
    """One .npz without pickled objects; arrays beside a JSON text."""
    text = json.dumps(
        {"case": result.case, "rows": result.rows, "voxels": result.voxels, "facts": result.facts,
         "warnings": result.warnings}
    )  # fmt: skip
    arrays = {f"picture_{name}": picture for name, picture in result.pictures.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, json=np.array(text), patch=np.asarray(result.patch), **arrays)


def load(path: Path) -> CaseFeatures:
    """What `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        content = json.loads(str(stored["json"]))
        pictures = {n.removeprefix("picture_"): stored[n] for n in stored.files if n.startswith("picture_")}
        patch = stored["patch"]
    return CaseFeatures(
        tuple(content["case"]),
        content["rows"],
        patch,
        pictures,
        content["voxels"],
        content["facts"],
        content["warnings"],
    )


def load_patch(path: Path) -> np.ndarray:
    """The patch alone of what `save` wrote, float32 (3, size, size)."""
    with np.load(path, allow_pickle=False) as stored:
        patch: np.ndarray = stored["patch"]
    return patch
