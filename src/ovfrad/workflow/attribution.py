"""Where the network of the headline's arm looks, written as arrays that the report draws (METHODS D7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError
from ovfrad.explanation.background import choose_cases
from ovfrad.models.rows import Rows
from ovfrad.report.network import NetworkLook
from ovfrad.report.words import class_name
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import StudySettings
from ovfrad.workflow import case as one
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.tuned import CURVES

NETWORK = ".cache/models/network.safetensors"
"""The headline's network in the run folder, tuned or as it came."""
CASES, EXCITED, COMPONENTS = 6, 6, 6
"""Cases explained, patches shown of each component, and components shown."""
LAYER, INPUT = "layer3", 256
"""Grad-CAM by default: 16x16 pixels. At the 64x64 of a patch the map of this layer would have 4x4."""
USUAL = 200
"""Training patches whose mean Grad-CAM compares with."""
LAYERS = ("layer1", "layer2", "layer3", "layer4")


def attribute(
    folder: RunFolder,
    settings: StudySettings,
    chain: FusedFeatures,
    training: Rows,
    rows: Rows,
    cases: pd.DataFrame,
    progress: Progress,
    layer: str = LAYER,
    size: int = INPUT,
) -> dict[str, Any] | None:
    """Write `explanation/network.npz`: patches, Grad-CAM and relevance of a few cases, patches of each component.

    Returns
    -------
    dict or None
        What was explained, by which layer and input; None where the arm has no network.
    """
    for name in ("network.npz", "relevance.csv"):
        (folder / "explanation" / name).unlink(missing_ok=True)
    if not (folder / NETWORK).is_file() or chain.pca_ is None:
        return None
    _require(layer, size, folder.path)
    from ovfrad.deep import weights
    from ovfrad.deep.features import outputs
    from ovfrad.deep.gradcam import SHRINKS, gradcam
    from ovfrad.deep.relevance import relevance

    arm = settings.deep.arms[str(chain.arm)]
    backbone = weights.load_tuned(folder / NETWORK) if arm.tuned else weights.load(folder / NETWORK)
    chosen = np.flatnonzero(choose_cases(rows.codes, CASES, settings.seed))[:CASES]
    index = rows.X.index[chosen]
    patches = _patches(folder, cases, index)
    progress("attribution", 0, 3)
    if backbone.head is not None:
        scores = outputs(patches, backbone, arm.normalise)[1]
        weight = backbone.head[0].numpy()
        direction = (weight - weight.mean(axis=0))[scores.argmax(axis=1)]
        what = "the tuned network's score of the class that it prefers, without the constant of its head"
    else:
        name, loadings = _strongest(chain)
        direction = np.broadcast_to(loadings, (len(index), len(loadings)))
        what = f"deep component {name.removeprefix('pc_')}, the sum of features that the rad-score weighs most"
    usual = _patches(folder, cases, training.X.index[:USUAL]).mean(axis=0)
    asked: dict[str, Any] = {"layer": layer, "size": size, "reference": usual}
    cam = gradcam(patches, backbone, direction, arm.normalise, **asked)
    progress("attribution", 1, 3)
    parts = relevance(patches, backbone, direction, arm.normalise)
    progress("attribution", 2, 3)
    excited = _excited(folder, chain, training, cases)
    names = np.array([" ".join(case) for case in index])
    arrays = {"patches": patches[:, 1], "cam": cam, "relevance": parts.pixels, "cases": names, **excited}

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    folder.replace("explanation/network.npz", write)
    shares = {"case": names, "value": parts.value, "pixels": parts.pixels.sum(axis=(1, 2)), "biases": parts.biases}
    folder.write_table("explanation/relevance.csv", pd.DataFrame(shares))
    progress("attribution", 3, 3)
    told = {"what": what, "layer": layer, "input": size, "map": size // SHRINKS[layer]}
    return {**told, "arm": chain.arm, "weights": backbone.description}


def _require(layer: str, size: int, path: Path) -> None:
    if layer not in LAYERS:
        raise InputError("E_LAYER", path, f"the network has no {layer!r}", f"choose one of {', '.join(LAYERS)}")
    if not 32 <= size <= 1024:
        raise InputError("E_INPUT_SIZE", path, f"an input of {size} pixels", "choose 32 to 1024")


def _patches(folder: RunFolder, cases: pd.DataFrame, index: pd.Index) -> np.ndarray:
    """Patches of cases from the cache, float32 (n, 3, size, size)."""
    keys = cases.loc[index, "cache_key"]
    return np.stack([one.load_patch(folder.need(f".cache/cases/{key}.npz")) for key in keys])


def _strongest(chain: FusedFeatures) -> tuple[str, np.ndarray]:
    """Component with the largest coefficient in the rad-score, else the first, and its loadings (2048,)."""
    assert chain.pca_ is not None
    names = list(chain.pca_.get_feature_names_out())
    kept = [name for name in chain.fused_ if name in names]
    if kept and chain.rad_score_ is not None:
        table = chain.rad_score_.coefficients().set_index("feature")["coefficient"].abs()
        kept = [str(table.reindex(kept).idxmax())]
    name = kept[0] if kept else names[0]
    return name, chain.pca_.components_[names.index(name)]


def _excited(folder: RunFolder, chain: FusedFeatures, rows: Rows, cases: pd.DataFrame) -> dict[str, np.ndarray]:
    """Training patches with the largest and the smallest value of each kept component."""
    assert chain.pca_ is not None
    names = list(chain.pca_.get_feature_names_out())
    kept = [name for name in chain.fused_ if name in names][:COMPONENTS] or names[:1]
    scores = chain.pca_.transform(rows.X[chain.deep_])
    half = EXCITED // 2
    order = [scores[name].to_numpy().argsort(kind="stable")[::-1] for name in kept]
    shown = np.stack([np.r_[by[:half], by[-half:]] for by in order])
    pictures = _patches(folder, cases, rows.X.index[shown.ravel()])[:, 1]
    side = pictures.shape[-1]
    return {
        "components": np.array(kept),
        "excited": pictures.reshape(*shown.shape, side, side),
        "excited_cases": np.array([" ".join(case) for case in rows.X.index[shown.ravel()]]).reshape(shown.shape),
        "excited_scores": np.take_along_axis(scores[kept].to_numpy().T, shown, axis=1),
    }


def network_look(
    folder: RunFolder,
    pictures: dict[tuple[str, str], one.CaseFeatures],
    cases: pd.DataFrame,
    settings: StudySettings,
    explained: dict[str, Any],
) -> NetworkLook | None:
    """What the report shows of networks; None where no arm has one."""
    deep = settings.deep
    if all(arm.weights == "none" for arm in deep.arms.values()):
        return None
    classes = [str(name) for name in folder.read_json("run.json")["classes"]]
    shown = []
    for index, stored in pictures.items():
        if stored.patch is not None:
            label = class_name(int(cases.loc[index, "y"]), classes, settings.outcome.column)
            shown.append((" ".join(index), label, stored.patch[1]))
    arrays, path = {}, folder / "explanation" / "network.npz"
    if "network" in explained and path.is_file():
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    tuning = folder.read_json(CURVES) if (folder / CURVES).is_file() else {}
    looked = explained.get("network") or {}
    return NetworkLook(shown, deep.plane, deep.size, deep.margin, deep.channels, looked, arrays, tuning)
