"""A real target for the deep branch: AdrenalMNIST3D at 64x64x64 (MedMNIST v2, CC BY 4.0), official split.

    python benchmarks/adrenal.py FOLDER_WITH_adrenalmnist3d_64.npz [--weights FILE.safetensors]

1188 / 98 / 298 shape masks in two classes. Everything is chosen on train and val; the test part is predicted once.
Deep features: the frozen ResNet-50 on three planes, either the middle slices or the thickness of the mask along each
axis, 2048 numbers a plane, principal components of each plane, L2 logistic regression. Shape radiomics: the 14 shape
features of each mask. Printed beside the numbers published for the data set at 28x28x28.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad import radiomics
from ovfrad.deep import weights
from ovfrad.deep.features import features
from ovfrad.evaluation.auc import class_auc
from ovfrad.models.dense import DenseLogistic
from ovfrad.selection.pca import DeepPca

PARTS = ("train", "val", "test")
PUBLISHED = "3-D ResNet-18 at 28x28x28 (MedMNIST v2), published: AUC about .83"
SHAPE = {"imageType": {"Original": {}}, "featureClass": {"shape": None}}


def pictures(masks, kind):
    """Patches of the three planes, each (n, 3, 64, 64) with equal channels, values 0..1."""
    for axis in (1, 2, 3):
        if kind == "middle slice":
            flat = masks.take(masks.shape[axis] // 2, axis=axis).astype(np.float32)
        else:
            flat = masks.sum(axis=axis, dtype=np.float32) / masks.shape[axis]
        yield np.broadcast_to(flat[:, None], (len(flat), 3, *flat.shape[1:]))


def shape_features(masks):
    """The 14 shape features of each mask, voxels of 1 mm."""
    rows = [radiomics.extract(mask.astype(np.float32), mask, SHAPE, spacing=(1.0, 1.0, 1.0)) for mask in masks]
    return pd.DataFrame([dict(row) for row in rows]).to_numpy(float)


def deep_features(data, kind, backbone):
    """Principal components of each plane, learned on train: part -> (n, d)."""
    columns = {part: [] for part in PARTS}
    planes = {part: list(pictures(data[part], kind)) for part in PARTS}
    for plane in range(3):
        found = {part: features(planes[part][plane], backbone, "zscore", precision="bfloat16") for part in PARTS}
        pca = DeepPca().fit(found["train"])
        for part in PARTS:
            columns[part].append(pca.transform(found[part]))
    return {part: np.hstack(columns[part]) for part in PARTS}


def judged(X, y, fitted):
    """AUC with interval and accuracy on val and test of a model fitted to train."""
    out = {}
    for part in ("val", "test"):
        p = fitted.predict_proba(X[part])[:, 1]
        auc = class_auc(y[part] == 1, p, np.arange(len(p)).astype(str))
        out[part] = auc, float(((p > 0.5) == (y[part] == 1)).mean())
    return out


def main():
    """Extract, choose on val, report test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="random")
    arguments = parser.parse_args()
    with np.load(arguments.folder / "adrenalmnist3d_64.npz") as stored:
        data = {part: (stored[f"{part}_images"] > 0).astype(np.uint8) for part in PARTS}
        y = {part: stored[f"{part}_labels"].ravel().astype(int) for part in PARTS}
    backbone = weights.load(arguments.weights)
    inputs = {f"deep, {kind}": deep_features(data, kind, backbone) for kind in ("middle slice", "thickness")}
    shape = {part: shape_features(data[part]) for part in PARTS}
    inputs["shape radiomics"] = shape
    for name in [name for name in inputs if name.startswith("deep")]:
        inputs[f"{name}, and shape"] = {part: np.hstack([inputs[name][part], shape[part]]) for part in PARTS}
    print(f"network: {backbone.description}; training {len(y['train'])}, val {len(y['val'])}, test {len(y['test'])}")
    print(f"{'':42s}{'val AUC':>9s}{'test AUC (95 % interval)':>28s}{'test accuracy':>15s}")
    found = {}
    for name, X in inputs.items():
        model = DenseLogistic(random_state=0).fit(X["train"], y["train"])
        found[name] = judged(X, y, model)
        (val, _), (test, accuracy) = found[name]["val"], found[name]["test"]
        interval = f"{test.estimate:.3f} ({test.low:.3f} to {test.high:.3f})"
        print(f"{name:42s}{val.estimate:9.3f}{interval:>28s}{accuracy:15.3f}", flush=True)
    print(PUBLISHED)
    for kind, suffix in (("without", False), ("with", True)):
        deep = {n: f for n, f in found.items() if n.startswith("deep") and n.endswith("and shape") is suffix}
        best = max(deep, key=lambda name: deep[name]["val"][0].estimate)
        print(f"chosen on val, {kind} shape radiomics: {best}")
    print(f"accuracy of always naming the larger class: {max(np.bincount(y['test'])) / len(y['test']):.3f}")


if __name__ == "__main__":
    main()
