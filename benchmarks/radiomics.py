"""What the radiomics engine costs, against PyRadiomics 3.0.1 where that is installed: one thread, one run.

    python benchmarks/radiomics.py [PART ...] [--pyradiomics PYTHON] [--rounds N] [--json PATH] [--markdown PATH]

Parts, all by default:

    features    CPU time of 107 (original) and 1,316 features (LoG 1 to 5 mm and wavelet too), the engines in turns
    start       import, first extraction with an empty cache of compiled kernels, and in a later process
    ct          one vertebra in a CT of 512 x 512 x 300: time and memory beyond reading the files
    scaling     CPU time by voxels of the region and by number of regions
    processes   throughput of two processes against one

PyRadiomics needs an environment of its own (tests/reference/radiomics/make_reference.py says how); PYTHON is its
interpreter. The region is the synthetic vertebra of tests/reference/radiomics/regions.py, 34,064 voxels at 1 mm, in
an image of 70 x 90 x 90 voxels. Both engines run in processes of their own, kept to one thread, in turns, so that a
busy machine slows both; medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "reference" / "radiomics"))
from regions import vertebra  # noqa: E402

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
CLASSES_NAMED = dict.fromkeys(CLASSES)
FEATURES = {
    107: {"imageType": {"Original": {}}, "featureClass": CLASSES_NAMED},
    1316: {
        "imageType": {"Original": {}, "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]}, "Wavelet": {}},
        "featureClass": CLASSES_NAMED,
    },
}
"""Parameter files by the number of features they give."""

FIRST = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
def clocks():
    return time.perf_counter(), time.process_time()
begun = clocks()
import ovfrad.radiomics
imported = clocks()
import numpy
stored = numpy.load(sys.argv[1])
arrays = stored["image"], stored["mask"], json.loads(sys.argv[2])
loaded = clocks()
ovfrad.radiomics.extract(*arrays, spacing=tuple(stored["spacing"]))
done = clocks()
names = ("", "_cpu")
spent = {"import" + name: b - a for name, a, b in zip(names, begun, imported)}
print(json.dumps(spent | {"first" + name: b - a for name, a, b in zip(names, loaded, done)}))
"""
"""A new process: wall and CPU seconds of the import and of the first extraction."""

CT = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import SimpleITK
from ovfrad import radiomics
image, mask, parameters, mode = sys.argv[1:]
spent = {}
def timed(name, task):
    begun = time.perf_counter(), time.process_time()
    found = task()
    spent[name], spent[name + "_cpu"] = time.perf_counter() - begun[0], time.process_time() - begun[1]
    return found
if mode != "paths":
    image, mask = timed("read", lambda: [SimpleITK.ReadImage(path) for path in (image, mask)])
if mode != "read":
    timed("first", lambda: radiomics.extract(image, mask, json.loads(parameters)))
    spent["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    timed("second", lambda: radiomics.extract(image, mask, json.loads(parameters)))
spent.setdefault("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
spent["peak"] /= 2**20 if sys.platform == "darwin" else 2**10
print(json.dumps(spent))
"""
"""A new process: reads (`read`), reads and extracts (`images`), or extracts from the paths (`paths`), twice; wall and
CPU seconds, and MiB up to the end of the first."""


class Worker:
    """An engine in a process of its own (worker.py)."""

    def __init__(self, python: str, engine: str, region: Path) -> None:
        command = [python, "-P", str(HERE / "worker.py"), engine, str(region)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD
        )

    def ask(self, parameters: dict, repeats: int = 1) -> None:
        """Start extractions."""
        print(json.dumps({"parameters": parameters, "repeats": repeats}), file=self.process.stdin, flush=True)

    def answer(self) -> dict:
        """Wait for what was asked."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} {self.process.args[3]} stopped: see its message above")
        return json.loads(line)

    def run(self, parameters: dict, repeats: int = 1) -> dict:
        """Extract, and wait for it."""
        self.ask(parameters, repeats)
        return self.answer()


@contextmanager
def workers(*wanted: tuple[str, str, Path]) -> Iterator[list[Worker]]:
    """Engines at work, ended afterwards."""
    started = [Worker(*one) for one in wanted]
    try:
        yield started
    finally:
        for worker in started:
            worker.process.stdin.close()
            worker.process.wait()


def save_region(
    folder: Path, shape: tuple[int, int, int] = (70, 90, 90), copies: int = 1, labels: bool = False
) -> Path:
    """The synthetic vertebra in an image of `shape`; several of them side by side along k."""
    image, mask, spacing = vertebra()
    parts = np.concatenate([mask.astype(np.uint8) * (place + 1 if labels else 1) for place in range(copies)])
    image = np.concatenate([image] * copies)
    room = [
        (max(0, total - size) // 2, max(0, total - size + 1) // 2)
        for total, size in zip(shape, image.shape, strict=True)
    ]
    path = folder / f"region_{'x'.join(map(str, shape))}_{copies}_{labels}.npz"
    np.savez(path, image=np.pad(image, room, constant_values=40), mask=np.pad(parts, room), spacing=spacing)
    return path


def script(text: str, *arguments: str, **environment: str) -> dict:
    """What a script prints in a new process of this interpreter."""
    command = [sys.executable, "-P", "-c", text, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | ONE_THREAD | environment, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def features(folder: Path, theirs: str | None, rounds: int) -> dict:
    """CPU milliseconds of both engines in turns, and how far their values are apart."""
    region = save_region(folder)
    engines = [("ovfrad", sys.executable)] + ([("pyradiomics", theirs)] if theirs else [])
    result = {}
    with workers(*((python, engine, region) for engine, python in engines)) as started:
        for count, parameters in FEATURES.items():
            last = [worker.run(parameters) for worker in started]
            spent: list[list[float]] = [[] for _ in started]
            for _ in range(rounds):
                for place, worker in enumerate(started):
                    last[place] = worker.run(parameters, 1 if place else 3)
                    spent[place] += last[place]["cpu"]
            row = {f"{engine}_ms": 1000 * median(cpu) for (engine, _), cpu in zip(engines, spent, strict=True)}
            if theirs:
                ours, reference = (item["values"] for item in last)
                assert ours.keys() == reference.keys(), set(ours) ^ set(reference)
                row["ratio"] = row["pyradiomics_ms"] / row["ovfrad_ms"]
                row["apart"] = max(abs(ours[name] - value) / max(abs(value), 1e-6) for name, value in reference.items())
            result[str(count)] = row
    return result


def start(folder: Path, theirs: str | None, rounds: int) -> dict:
    """Seconds of the import and of first extractions: kernels compiled, and kernels from the cache."""
    region, parameters, cache = str(save_region(folder)), json.dumps(FEATURES[1316]), str(folder / "cache")
    cold = script(FIRST, region, parameters, NUMBA_CACHE_DIR=cache)
    warm = [script(FIRST, region, parameters, NUMBA_CACHE_DIR=cache) for _ in range(max(3, rounds // 4))]
    later = {key: median(run[key] for run in warm) for key in cold}
    return {
        "import_s": later["import"],
        "import_cpu_s": later["import_cpu"],
        "first_compiling_s": cold["first"],
        "first_compiling_cpu_s": cold["first_cpu"],
        "first_of_a_later_process_s": later["first"],
        "first_of_a_later_process_cpu_s": later["first_cpu"],
    }


def ct(folder: Path, theirs: str | None, rounds: int) -> dict:
    """Seconds and MiB of 1,316 features of one vertebra in a large CT, beyond reading image and mask.

    `first` includes what a process does once: loading pandas and the compiled kernels.
    """
    import SimpleITK

    image, mask, _ = vertebra()
    large, region = np.full((300, 512, 512), -1000, np.int16), np.zeros((300, 512, 512), np.uint8)
    place = tuple(slice(corner, corner + n) for corner, n in zip((120, 260, 230), image.shape, strict=True))
    large[place], region[place] = image, mask
    paths = [str(folder / name) for name in ("ct.nii", "mask.nii")]
    for array, path in zip((large, region), paths, strict=True):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), path)
    del large, region
    runs = {
        mode: [script(CT, *paths, json.dumps(FEATURES[1316]), mode) for _ in range(3)]
        for mode in ("read", "images", "paths")
    }
    of = {mode: {key: median(run[key] for run in some) for key in some[0]} for mode, some in runs.items()}
    result = {"read_s": of["read"]["read"]}
    for mode, spare in ("images", 0), ("paths", 1):
        for turn in ("first", "second"):
            for clock in ("", "_cpu"):
                spent = of[mode][turn + clock] - spare * of["read"]["read" + clock]
                result[f"from_{mode}_{turn}{clock}_s"] = spent
        result[f"from_{mode}_MiB"] = of[mode]["peak"] - of["read"]["peak"]
    return result


def scaling(folder: Path, theirs: str | None, rounds: int) -> dict:
    """CPU milliseconds by size of the region (vertebrae joined into one), and by number of regions (one by one)."""
    result: dict[str, dict] = {"voxels": {}, "regions": {}}
    for copies in (1, 2, 4, 8):
        region = save_region(folder, (44 * copies + 26, 90, 90), copies)
        voxels = int(np.count_nonzero(np.load(region)["mask"]))
        with workers((sys.executable, "ovfrad", region)) as (worker,):
            row = {}
            for count, parameters in FEATURES.items():
                worker.run(parameters)
                row[str(count)] = 1000 * median(worker.run(parameters, max(3, rounds // 2))["cpu"])
        result["voxels"][str(voxels)] = row
    region = save_region(folder, (44 * 8 + 26, 256, 256), 8, labels=True)
    with workers((sys.executable, "ovfrad", region)) as (worker,):
        for count in (1, 2, 4, 8):
            runs = [
                [sum(worker.run(FEATURES[1316] | {"setting": {"label": n + 1}})["cpu"]) for n in range(count)]
                for _ in range(3 + (count == 1))
            ]
            result["regions"][str(count)] = 1000 * median(sum(run) for run in runs)
    sizes = np.log([float(voxels) for voxels in result["voxels"]])
    result["exponent"] = {
        str(count): float(np.polyfit(sizes, np.log([row[str(count)] for row in result["voxels"].values()]), 1)[0])
        for count in FEATURES
    }
    return result


def processes(folder: Path, theirs: str | None, rounds: int) -> dict:
    """Throughput of two processes against one, in turns: by the clock, which wants two idle cores, and by CPU time.

    By CPU time the ratio says what the two cost each other (caches, memory), on a busy machine too.
    """
    region, work = save_region(folder), max(10, rounds)
    clock: dict[int, list[float]] = {1: [], 2: []}
    cpu: dict[int, list[float]] = {1: [], 2: []}
    with workers(*[(sys.executable, "ovfrad", region)] * 2) as pair:
        for worker in pair:
            worker.run(FEATURES[1316], 2)
        for _ in range(5):
            for count in (1, 2):
                begun = perf_counter()
                for worker in pair[:count]:
                    worker.ask(FEATURES[1316], work)
                cpu[count] += [sum(worker.answer()["cpu"]) for worker in pair[:count]]
                clock[count].append(perf_counter() - begun)
    return {
        "throughput_ratio": 2 * median(clock[1]) / median(clock[2]),
        "throughput_ratio_by_cpu": 2 * median(cpu[1]) / median(cpu[2]),
        "load_average": os.getloadavg()[0],
    }


PARTS = {part.__name__: part for part in (features, start, ct, scaling, processes)}


def as_markdown(results: dict, path: tuple[str, ...] = ()) -> list[str]:
    """Rows `what | value` of a nested result."""
    lines: list[str] = []
    for key, value in results.items():
        if isinstance(value, dict):
            lines += as_markdown(value, (*path, key))
        else:
            lines.append(f"| {' '.join((*path, key)).replace('_', ' ')} | {value:.3g} |")
    return lines


def main() -> None:
    """Run the parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--pyradiomics", metavar="PYTHON", help="interpreter that has PyRadiomics 3.0.1")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    results = {}
    print("| what | value |\n| --- | --- |")
    for name in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = PARTS[name](Path(folder), arguments.pyradiomics, arguments.rounds)
        print("\n".join(as_markdown({name: results[name]})), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.markdown:
        rows = ["| what | value |", "| --- | --- |", *as_markdown(results)]
        arguments.markdown.write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
