"""CPU time of the 107 features of the original image: ours against PyRadiomics 3.0.1, one thread, one run.

    python benchmarks/radiomics.py [--pyradiomics PYTHON] [--repeats N]

PyRadiomics needs an environment of its own (tests/reference/radiomics/make_reference.py says how); PYTHON is the
interpreter of that environment, by default the one that runs this file. The region is the synthetic vertebra of
tests/reference/radiomics/regions.py (34,064 voxels at 1 mm) in an image of 70 x 90 x 90 voxels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from threadpoolctl import threadpool_limits

REGIONS = Path(__file__).parents[1] / "tests" / "reference" / "radiomics"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

PYRADIOMICS = """
import json, logging, sys, time
import numpy, SimpleITK
try:
    from radiomics.featureextractor import RadiomicsFeatureExtractor
except ImportError:
    sys.exit(3)
logging.getLogger("radiomics").setLevel(logging.ERROR)
stored = numpy.load(sys.argv[1])
image, mask = (SimpleITK.GetImageFromArray(stored[name]) for name in ("image", "mask"))
extractor = RadiomicsFeatureExtractor(additionalInfo=False)
spent = []
for _ in range(int(sys.argv[2]) + 1):
    start = time.process_time()
    found = extractor.execute(image, mask)
    spent.append(time.process_time() - start)
values = {name: float(value) for name, value in found.items() if name.startswith("original_")}
print(json.dumps({"seconds": spent[1:], "values": values}))
"""


def build_region() -> tuple[np.ndarray, np.ndarray]:
    """The synthetic vertebra in the middle of a larger image."""
    sys.path.insert(0, str(REGIONS))
    from regions import vertebra

    image, mask, _, _ = vertebra()
    spare = [total - size for total, size in zip((70, 90, 90), image.shape, strict=True)]
    room = [(total // 2, total - total // 2) for total in spare]
    return np.pad(image, room, constant_values=40), np.pad(mask, room)


def time_ours(image: np.ndarray, mask: np.ndarray, repeats: int) -> tuple[list[float], dict[str, float], float]:
    """CPU seconds of each extraction, the values, and the seconds of the first extraction of the process."""
    from ovfrad.radiomics import features

    spent = []
    found: dict[str, float] = {}
    for _ in range(repeats + 1):
        start = process_time()
        found = features(image, mask, (1.0, 1.0, 1.0))
        spent.append(process_time() - start)
    return spent[1:], found, spent[0]


def time_pyradiomics(python: str, image: np.ndarray, mask: np.ndarray, repeats: int) -> dict | None:
    """The same in PyRadiomics' environment; None where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "region.npz"
        np.savez(stored, image=image, mask=mask.astype(np.uint8))
        command = [python, "-c", PYRADIOMICS, str(stored), str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD, check=False)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyradiomics", default=sys.executable, help="interpreter that has PyRadiomics 3.0.1")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    image, mask = build_region()
    spent, values, first = time_ours(image, mask, arguments.repeats)
    print(f"ovfrad: {1000 * median(spent):.1f} ms (first extraction of the process {first:.2f} s)")
    theirs = time_pyradiomics(arguments.pyradiomics, image, mask, max(3, arguments.repeats // 4))
    if theirs is None:
        print(f"PyRadiomics is not installed in {arguments.pyradiomics}: no comparison.")
        return
    print(f"PyRadiomics: {1000 * median(theirs['seconds']):.1f} ms")
    print(f"ratio: {median(theirs['seconds']) / median(spent):.1f}")
    worst = max(values, key=lambda name: abs(values[name] / theirs["values"][name] - 1))
    print(f"largest relative difference: {abs(values[worst] / theirs['values'][worst] - 1):.1e} ({worst})")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
