"""What reading a CT costs, against SimpleITK's own read of the same files: one process, in turns, one run.

    python benchmarks/reading.py [--slices N] [--rounds N] [--json PATH]

A synthetic CT of 512 x 512 x 300 voxels (noise as of a real one, so that it compresses by half) and a label map are
written as .nii, .nii.gz (by gzip at its usual level 6, and by ITK), .nrrd, .mha and as a DICOM series. For each,
`volume` is the whole CT into an array, and `region` is one vertebra with its mask and all checks (`read_roi`) against
SimpleITK's read of both files. Of files the CPU time of this process counts, of the series, which a child process
parses, the wall time. Medians of the rounds are shown; the first, which fills the caches of the system, is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np
import SimpleITK

from ovfrad.imaging import Volume, read_roi, read_volume, write_dicom_series, write_nifti

BY_ITK = {"gz by ITK": "_itk.nii.gz", ".nrrd": ".nrrd", ".mha": ".mha"}
"""Formats that ITK writes, and how their files end."""


def body(slices: int) -> tuple[Volume, Volume]:
    """Air, fat, muscle and one vertebra with noise, whole HU; and its mask, label 20."""
    rng = np.random.default_rng(4)
    j, i = np.indices((512, 512)) - 256
    plane = np.where(i**2 + (1.4 * j) ** 2 < 230**2, 50.0, -1000.0)
    plane[(plane > 0) & (i**2 + (1.4 * j) ** 2 > 200**2)] = -100
    disc = i**2 + (j - 40) ** 2 < 28**2
    hu, labels = np.empty((slices, 512, 512), np.int16), np.zeros((slices, 512, 512), np.uint8)
    for k in range(slices):
        bone = disc & (abs(k - slices // 2) < 18)
        hu[k] = np.rint(rng.normal(np.where(bone, 220, plane), 18))
        labels[k][bone] = 20
    affine = np.diag([0.8, 0.8, 1.0, 1.0])
    affine[:3, 3] = -204, -204, -900
    return Volume(hu, affine), Volume(labels, affine)


def written(folder: Path, slices: int) -> tuple[dict[str, Path], dict[str, Path]]:
    """Files of the CT and of the mask that goes with each, by name of the format."""
    ct, mask = body(slices)
    cts = {
        ".nii": write_nifti(ct, folder / "ct.nii"),
        ".nii.gz": folder / "gzip.nii.gz",
    }  # ITK reads ct.nii for ct.nii.gz
    cts[".nii.gz"].write_bytes(gzip.compress(cts[".nii"].read_bytes(), 6))
    cts["DICOM"] = write_dicom_series(ct, folder / "series")
    masks = dict.fromkeys(cts, write_nifti(mask, folder / "mask.nii.gz"))
    for kind, path, out in (("ct", cts[".nii"], cts), ("mask", masks[".nii"], masks)):
        image = SimpleITK.ReadImage(str(path))
        for key in image.GetMetaDataKeys():  # of no use in other formats
            image.EraseMetaData(key)
        for name, end in BY_ITK.items():
            out[name] = folder / f"{kind}{end}"
            SimpleITK.WriteImage(image, str(out[name]), useCompression=name != ".mha")
    return cts, masks


def by_itk(path: Path) -> np.ndarray:
    """SimpleITK's own read."""
    if path.is_dir():
        return SimpleITK.GetArrayFromImage(
            SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
        )
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def seconds(task: Callable[[], object], clock: Callable[[], float]) -> float:
    """Time of a task."""
    begun = clock()
    task()
    return clock() - begun


def compared(
    ours: Callable[[], object], itks: Callable[[], object], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of both and their ratio; in turns, so that a busy machine slows both."""
    times = [(seconds(ours, clock), seconds(itks, clock)) for _ in range(rounds + 1)][1:]
    mine, others = (median(column) for column in zip(*times, strict=True))
    return {"ovfrad_s": mine, "simpleitk_s": others, "ratio": median(a / b for a, b in times)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        cts, masks = written(Path(folder), chosen.slices)
        for name, ct in cts.items():
            mask = masks[name]
            tasks = {
                "volume": (lambda ct=ct: read_volume(ct), lambda ct=ct: by_itk(ct)),
                "region": (
                    lambda ct=ct, mask=mask: read_roi(ct, mask, label=20),
                    lambda ct=ct, mask=mask: (by_itk(ct), by_itk(mask)),
                ),
            }
            for task, both in tasks.items():
                found = figures[f"{name} {task}"] = compared(
                    *both, chosen.rounds, perf_counter if ct.is_dir() else process_time
                )
                print(
                    f"{name:9s} {task:7s} ovfrad {found['ovfrad_s']:6.2f} s  SimpleITK {found['simpleitk_s']:6.2f} s  "
                    f"ratio {found['ratio']:.2f}",
                    flush=True,
                )
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
