"""Radiomics tables of known truth, from random regions of real images; benchmarks/tables.py judges models on them.

    python benchmarks/regions.py DATA FOLDER [--tables N] [--seed S]

DATA holds CT and MR images (spine, sarcoma, brain, breast). A region is a rough ellipsoid of 4 to 13 voxels at a
random place; noise, blur and gain are drawn for each, so that features vary as between scanners. An outcome is a noisy
function of one to three of: place in the image, noise, blur, roughness, elongation, size, mean intensity. Each table
is of one image, or of two pooled; 41 to 234 of its regions are `train`, the others `internal`, far more than a study
ever has, so that differences between models are seen beyond the noise of few cases.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK
from scipy import ndimage
from scipy.stats import norm

from ovfrad.radiomics.extraction import features
from ovfrad.radiomics.settings import Settings

IMAGES = (
    "spine_ct/torso/ct.nii.gz",
    "spine_ct/dicom/series",
    "spine_ct/l3_crop/sub-ct_label-22_ct.nii.gz",
    "spine_ct/mr/sub-mri_label-6_T2w.nii.gz",
    "sarcoma_ct/dicom_003/image",
    "sarcoma_ct/nifti_019/CT_image.nii.gz",
    "sarcoma_ct/nifti_025/CT_image.nii.gz",
    "pyradiomics/brain1_image.nrrd",
    "pyradiomics/breast1_image.nrrd",
)
REGIONS = 500
HALF = 16
"""Half the side of the box around a region, voxels."""
FINEST = 1.5
"""Voxels finer than this (mm) are made coarser, and all are made cubes, so that regions are of one size."""
LEAST_VOXELS = 60
TRUTHS = {"z": 2, "y": 2, "x": 2, "elongation": 1, "noise": 1, "blur": 1, "roughness": 1, "radius": 0.5, "mean": 0.5}
"""Attributes that outcomes are made of, with their odds of being drawn."""
KINDS = {
    "all": lambda name: True,
    "original": lambda name: name.startswith("original"),
    "log": lambda name: not name.startswith("wavelet"),
    "wavelet": lambda name: not name.startswith("log"),
}


def read(path: Path) -> tuple[np.ndarray, float]:
    """Image as (k, j, i) with cubic voxels, and their side in mm."""
    if path.is_dir():
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        image = reader.Execute()
    else:
        image = SimpleITK.ReadImage(str(path))
    spacing = np.array(image.GetSpacing()[::-1])
    side = max(float(spacing.min()), FINEST)
    return ndimage.zoom(SimpleITK.GetArrayFromImage(image).astype(float), spacing / side, order=1), side


def ellipsoid(
    shape: tuple[int, ...], centre: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, float]]:
    """A turned ellipsoid with a rough surface, its largest piece, and what it was drawn with."""
    radius, axes, roughness = rng.uniform(3.5, 6.5), rng.uniform(0.6, 1.0, 2), rng.uniform(0, 0.25)
    grid = np.stack(np.meshgrid(*[np.arange(n) - c for n, c in zip(shape, centre, strict=True)], indexing="ij"))
    turned = np.tensordot(np.linalg.qr(rng.normal(size=(3, 3)))[0], grid, 1)
    bumps = ndimage.gaussian_filter(rng.normal(size=shape), 2.5)
    distance = np.sqrt(turned[0] ** 2 + (turned[1] / axes[0]) ** 2 + (turned[2] / axes[1]) ** 2)
    pieces, n = ndimage.label(distance < radius * (1 + roughness * bumps / bumps.std()))
    mask = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]) if n else pieces > 0
    return mask, {"radius": radius, "elongation": axes.min(), "roughness": roughness}


def regions(path: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Features of random regions of one image, and in columns `truth_..` what they were drawn with."""
    image, side = read(path)
    ct = image.min() < -500
    body = ndimage.gaussian_filter(image, 2) > (-150 if ct else np.percentile(image, 40))
    inside = ndimage.binary_erosion(body, iterations=3)
    places, spread = np.argwhere(inside), image[inside].std()
    bin_width = 25.0 if ct else float(np.ptp(np.percentile(image, [1, 99])) / 40)
    types: dict = {"Original": {}, "LoG": {"sigma": [1.0, 2.0, 3.0]}, "Wavelet": {}}
    settings, rows = Settings(image_types=types, bin_width=bin_width), []
    while len(rows) < REGIONS:
        place = places[rng.integers(len(places))]
        low = np.maximum(place - HALF, 0)
        box = image[tuple(slice(a, b + HALF) for a, b in zip(low, place, strict=True))]
        mask, truth = ellipsoid(box.shape, place - low, rng)
        noise, blur, gain = rng.uniform(), rng.uniform(), rng.normal(1, 0.05)
        if mask.sum() < LEAST_VOXELS:
            continue
        box = gain * ndimage.gaussian_filter(box, 0.3 + 0.5 * blur)
        box = box + rng.normal(0, (0.02 + 0.1 * noise) * spread, box.shape)
        truth |= {"z": place[0], "y": place[1], "x": place[2], "noise": noise, "blur": blur, "mean": box[mask].mean()}
        rows.append(
            {f"truth_{name}": value for name, value in truth.items()} | features(box, mask, (side,) * 3, settings)
        )
    return pd.DataFrame(rows)


def outcome(truth: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Two classes, the second a quarter to a half of the regions, by one to three attributes and noise."""
    odds = np.array(list(TRUTHS.values()))
    names = rng.choice(list(TRUTHS), rng.integers(1, 4), replace=False, p=odds / odds.sum())
    total = np.zeros(len(truth))
    for name in names:
        ranks = truth[f"truth_{name}"].rank().to_numpy()
        score = norm.ppf((ranks - 0.5) / len(ranks))
        shapes = (score, score, np.sign(score - 0.3), 1.5 * (np.abs(score) - 0.8))
        total += rng.choice([-1, 1]) * shapes[rng.integers(4)]
    total = total / total.std() + rng.choice([0.2, 0.5, 0.9, 1.4]) * rng.normal(size=len(total))
    return (total > np.quantile(total, rng.uniform(0.5, 0.75))).astype(int)


def main() -> None:
    """Draw the regions of every image, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    pools = [regions(options.data / image, rng) for image in IMAGES]
    options.folder.mkdir(parents=True, exist_ok=True)
    for k in range(options.tables):
        chosen = rng.choice(len(pools), 1 + (rng.random() < 0.3), replace=False)
        pool = pd.concat([pools[i] for i in chosen], ignore_index=True).sample(frac=1, random_state=rng.integers(2**31))
        train = int(np.exp(rng.uniform(np.log(41), np.log(234))))
        kind = rng.choice(list(KINDS), p=[0.4, 0.2, 0.2, 0.2])
        names = [name for name in pool if not name.startswith("truth_") and KINDS[kind](name)]
        table = pool[names].assign(
            outcome=outcome(pool, rng), cohort=np.where(np.arange(len(pool)) < train, "train", "internal")
        )
        table.to_csv(options.folder / f"regions{k:02d}.csv", index=False)


if __name__ == "__main__":
    main()
