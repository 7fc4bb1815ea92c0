"""Writes laplacian_itk.csv: what ITK's LaplacianRecursiveGaussianImageFilter gives for a small image of a formula.

pip install SimpleITK==2.5.7
python tests/reference/radiomics/make_laplacian_reference.py
"""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK

SPACINGS = ((1.0, 1.0, 1.0), (2.5, 0.7, 0.9))
SIGMAS = (0.8, 1.0, 2.5, 5.0)
PLACES = ((0, 5, 13), (0, 8, 14), (0, 7, 17))


def image() -> np.ndarray:
    """Whole numbers from -1000 to 1500 HU that look like noise: (14, 15, 18), int16."""
    k, j, i = np.indices((14, 15, 18))
    return ((k * 7919 + j * 104729 + i * 1299709 + k * j * i * 31) % 2501 - 1000).astype(np.int16)


def filtered(image: np.ndarray, spacing: tuple[float, float, float], sigma: float) -> np.ndarray:
    """ITK's Laplacian of Gaussian of the whole image (k, j, i), float32; spacing (k, j, i) and sigma in mm."""
    volume = SimpleITK.GetImageFromArray(image)
    volume.SetSpacing(spacing[::-1])
    laplacian = SimpleITK.LaplacianRecursiveGaussianImageFilter()
    laplacian.SetNormalizeAcrossScale(True)
    laplacian.SetSigma(sigma)
    return SimpleITK.GetArrayFromImage(laplacian.Execute(volume))


if __name__ == "__main__":
    with Path(__file__).with_name("laplacian_itk.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["spacing_k", "spacing_j", "spacing_i", "sigma", "k", "j", "i", "value"])
        for spacing, sigma in product(SPACINGS, SIGMAS):
            values = filtered(image(), spacing, sigma)
            for place in product(*PLACES):
                writer.writerow([*spacing, sigma, *place, repr(float(values[place]))])
    version = f"SimpleITK {SimpleITK.Version_VersionString()}\nITK {SimpleITK.Version.ITKVersionString()}\n"
    Path(__file__).with_name("laplacian_itk.txt").write_text(version, encoding="utf-8")
