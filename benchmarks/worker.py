"""One engine in one process, told by lines of JSON on stdin what to extract; `benchmarks/radiomics.py` runs it.

    PYTHON -P benchmarks/worker.py ovfrad|pyradiomics REGION.npz

Run under the interpreter of the engine, with numpy and SimpleITK alone beside it. REGION.npz holds `image`, `mask`
(k, j, i) and `spacing` (k, j, i) mm. A line {"parameters": ..., "repeats": n} is answered by {"cpu": [...],
"wall": [...], "values": {...}}, seconds of each extraction and the values of the last.
"""

from __future__ import annotations

import json
import sys
import warnings
from time import perf_counter, process_time

import numpy as np


def pyradiomics(image, mask, spacing):
    """An extraction by PyRadiomics, without its diagnostics."""
    import logging

    import SimpleITK
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    volumes = [SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask.astype(np.uint8))]
    for volume in volumes:
        volume.SetSpacing(tuple(float(step) for step in spacing[::-1]))

    def extract(parameters):
        extractor = RadiomicsFeatureExtractor(parameters)
        extractor.settings["additionalInfo"] = False
        return extractor.execute(*volumes)

    return extract


def ovfrad(image, mask, spacing):
    """An extraction by ours."""
    from ovfrad import radiomics

    return lambda parameters: radiomics.extract(image, mask, parameters, spacing=tuple(spacing))


def answer(extract, parameters, repeats):
    """Seconds of each extraction and the values of the last."""
    cpu, wall = [], []
    for _ in range(repeats):
        begun = perf_counter(), process_time()
        found = extract(parameters)
        cpu.append(process_time() - begun[1])
        wall.append(perf_counter() - begun[0])
    return {"cpu": cpu, "wall": wall, "values": {name: float(value) for name, value in found.items()}}


def main():
    """Answer each line until stdin ends."""
    warnings.simplefilter("ignore")
    engine, path = sys.argv[1:]
    stored = np.load(path)
    extract = {"pyradiomics": pyradiomics, "ovfrad": ovfrad}[engine](stored["image"], stored["mask"], stored["spacing"])
    for line in sys.stdin:
        print(json.dumps(answer(extract, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
