"""Features of every case of a study: in parallel, cached by content, bad cases set aside by name."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad.errors import InputError
from ovfrad.study import Study, StudySettings
from ovfrad.study.settings import Radiomics
from ovfrad.workflow import case as one
from ovfrad.workflow.folder import Progress, RunFolder
from ovfrad.workflow.tasks import tasks

READERS = ["patient_id", "vertebra", "reader"]


@dataclass(frozen=True, eq=False)
class StudyFeatures:
    """Features of a study's cases.

    Attributes
    ----------
    tables : dict
        Intensities ("hu", "zscore", or "table") -> DataFrame with index (patient_id, vertebra, reader).
    cases : DataFrame
        `study.cases` without the quarantined, with `voxels`, `cache_key` and the facts and flags of the images.
    quarantine : DataFrame
        patient_id, vertebra, error.
    weights : dict
        Arm -> {description, layout, sha256}.
    warnings : list of (str, str)
        Case and line.
    """

    tables: dict[str, pd.DataFrame]
    cases: pd.DataFrame
    quarantine: pd.DataFrame
    weights: dict[str, dict[str, Any]]
    warnings: list[tuple[str, str]]

    def of(self, settings: StudySettings) -> pd.DataFrame:
        """Table of a recipe's settings."""
        return self.tables.get("table", self.tables.get(settings.radiomics.intensities, pd.DataFrame()))


def extract_study(
    study: Study, folder: RunFolder, radiomics: tuple[Radiomics, ...], progress: Progress, processes: int | None = None
) -> StudyFeatures:
    """Features of all cases; a feature-table study hands its own table on."""
    if study.features is not None:
        _check_varies(study)
        index = [(*case, "1") for case in study.features.index]
        table = study.features.set_axis(pd.MultiIndex.from_tuples(index, names=READERS))
        none = pd.DataFrame({"patient_id": [], "vertebra": [], "error": []})
        return StudyFeatures({"table": table}, study.cases.assign(voxels=_row_hashes(study.features)), none, {}, [])
    backbones = {name: backbone_of(name, study) for name in study.settings.deep.arms}
    results = list(_run(tasks(study, radiomics), folder, progress, processes))
    good = [result for result in results if result.error is None]
    if not good:
        fault = f"all {len(results)} cases were refused (first: {results[0].error})"
        raise InputError("E_CASES_NONE", study.table, fault, "correct the files; `ovfrad inspect` shows one case")
    paths = [folder.cache / "cases" / f"{result.facts['cache_key']}.npz" for result in good]
    deep, weights = _deep(good, paths, backbones, study, progress)
    return StudyFeatures(
        tables={s.intensities: _table(good, s.intensities, deep) for s in radiomics},
        cases=_cases(study.cases, good),
        quarantine=pd.DataFrame(
            [(*r.case, r.error) for r in results if r.error is not None], columns=["patient_id", "vertebra", "error"]
        ),
        weights=weights,
        warnings=[(" ".join(result.case), line) for result in good for line in result.warnings],
    )


def _check_varies(study: Study) -> None:
    """Refuse a table in which no feature differs between training cases."""
    training = study.features[study.cases["cohort"] == "train"] if study.features is not None else pd.DataFrame()
    if len(training) > 1 and (training.nunique() < 2).all():
        fault = f"each of the {training.shape[1]} features has one value in all {len(training)} training cases"
        raise InputError("E_NO_FEATURES", study.table, fault, "give features that vary")


def _row_hashes(features: pd.DataFrame) -> list[str]:
    """Hash of each row's numbers: copies of a case under another name are found by it, as by voxels."""
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in np.ascontiguousarray(features.to_numpy(float))]


def _run(
    tasks: list[one.CaseTask], folder: RunFolder, progress: Progress, processes: int | None
) -> Iterator[one.CaseFeatures]:
    """Results in the order of the tasks, from the cache or from one process per core."""
    processes = min(processes or os.cpu_count() or 1, len(tasks))
    cache = folder.cache / "cases"
    cache.mkdir(exist_ok=True)
    done: dict[int, one.CaseFeatures] = {}
    progress("features", 0, len(tasks))
    with _executor(processes) as pool:
        waiting = {pool.submit(_cached, task, cache): n for n, task in enumerate(tasks)}
        try:
            for future in as_completed(waiting):
                done[waiting[future]] = future.result()
                progress("features", len(done), len(tasks))
        except BrokenProcessPool:
            fault = f"a worker process was killed after {len(done)} of {len(tasks)} cases"
            remedy = "most likely memory ran out; run again, it goes on from there"
            raise InputError("E_WORKER", folder.path, fault, remedy) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return iter(done[n] for n in range(len(tasks)))


@contextlib.contextmanager
def _executor(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share nothing with this one (torch and BLAS threads do not survive a fork)."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as pool:
        yield pool


def _begin() -> None:
    """Begin a worker: one thread for each library, and no life beyond its parent's."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _single_threaded()


def _end_with_parent() -> None:
    """End this process when its parent is gone: killed, it tells no one, and workers would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _single_threaded() -> None:
    import SimpleITK
    from threadpoolctl import threadpool_limits

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    threadpool_limits(1)


def _cached(task: one.CaseTask, cache: Path) -> one.CaseFeatures:
    """One case from the cache, or computed and stored there."""
    key = task.key()
    path = cache / f"{key}.npz"
    if path.is_file():
        with contextlib.suppress(ValueError, KeyError, OSError, EOFError):  # a cache that cannot be read is made anew
            stored = one.load(path)
            if stored.case == (task.patient_id, task.vertebra):
                return _light(stored)
    result = one.run_case(task)
    if result.error is None:
        result.facts["cache_key"] = key
        beside = path.with_name(f".{os.getpid()}.{path.name}")
        one.save(result, beside)
        beside.replace(path)
    return _light(result)


def _light(result: one.CaseFeatures) -> one.CaseFeatures:
    """The result without patch and pictures, which stay in the cache: memory then hardly grows with the cases."""
    return replace(result, patch=None, pictures={})


def backbone_of(arm: str, study: Study) -> Any:
    """Network of an arm, read before the cases so that a bad weights file is refused at once; None without one."""
    settings = study.settings.deep.arms[arm]
    if settings.weights == "none":
        return None
    from ovfrad.deep import weights

    if settings.weights == "random":
        return weights.load("random", settings.seed)
    return weights.load(study.path.parent / settings.weights, settings.seed)


def _deep(
    good: list[one.CaseFeatures], paths: list[Path], backbones: dict[str, Any], study: Study, progress: Progress
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Deep features of all frozen arms side by side, index (patient_id, vertebra), and what their weights are."""
    index = pd.MultiIndex.from_tuples([result.case for result in good], names=READERS[:2])
    settings = study.settings.deep
    frames, weights = [pd.DataFrame(index=index)], {}
    for name, backbone in backbones.items():
        if backbone is None:
            weights[name] = {"description": "no network: radiomics alone", "layout": None, "sha256": None}
            continue
        arm = settings.arms[name]
        tuned = f", {settings.tune.stages} layers tuned" if arm.tuned else ""
        weights[name] = {
            "description": backbone.description + tuned, "layout": backbone.layout, "sha256": backbone.sha256
        }  # fmt: skip
        if not arm.tuned:
            from ovfrad.deep.features import features

            seen = _told(map(one.load_patch, paths), len(paths), progress, f"deep features of {name}")
            values = features(seen, backbone, arm.normalise, precision=settings.precision)
            columns = [f"deep_{name}_{j:04d}" for j in range(values.shape[1])]
            frames.append(pd.DataFrame(values.astype(float), index=index, columns=columns))
    return pd.concat(frames, axis=1), weights


def _told(items: Iterable[Any], total: int, progress: Progress, label: str) -> Iterator[Any]:
    """The items, with their number told on the way."""
    for done, item in enumerate(items):
        progress(label, done, total)
        yield item
    progress(label, total, total)


def _table(good: list[one.CaseFeatures], intensities: str, deep: pd.DataFrame) -> pd.DataFrame:
    """Radiomics of all readers with the deep features beside the first reader's."""
    keys, rows = [], []
    for result in good:
        for reader, features in result.rows[intensities].items():
            keys.append((*result.case, reader))
            rows.append(features)
    radiomics = pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(keys, names=READERS))
    first = deep.set_axis(pd.MultiIndex.from_tuples([(*case, "1") for case in deep.index], names=READERS))
    return radiomics.join(first)


def _cases(cases: pd.DataFrame, good: list[one.CaseFeatures]) -> pd.DataFrame:
    """Cases that were not refused, with the facts of their images."""
    facts = pd.DataFrame(
        [{**result.facts, "voxels": result.voxels} for result in good],
        index=pd.MultiIndex.from_tuples([result.case for result in good], names=READERS[:2]),
    )
    return cases.loc[facts.index].join(facts.rename(columns={c: f"{c}_image" for c in facts if c in cases}))


def in_short(warnings: list[tuple[str, str]]) -> list[str]:
    """Warnings of cases, those of one code in one line with their number and the first of them.

    >>> in_short([("P1 L1", "W_BINS P1 L1: 9 bins; few"), ("P2 L1", "W_BINS P2 L1: 8 bins; few")])
    ['W_BINS 2 cases, first P1 L1: 9 bins; few']
    """
    by_code: dict[str, list[tuple[str, str]]] = {}
    for case, line in warnings:
        by_code.setdefault(line.split(" ", 1)[0], []).append((case, line))
    lines = []
    for code, told in by_code.items():
        cases = list(dict.fromkeys(case for case, _ in told))
        _, _, rest = told[0][1].partition(": ")
        who = cases[0] if len(cases) == 1 else f"{len(cases)} cases, first {cases[0]}"
        lines.append(f"{code} {who}: {rest}")
    return lines


def without_shuffled(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the readers alone."""
    return table[table.index.get_level_values("reader") != one.SHUFFLED]


def same_of(study: Study) -> str:
    """What equal cases share."""
    return "voxels" if study.features is None else "features"


def check_duplicates(study: Study, cases: pd.DataFrame) -> list[dict[str, Any]]:
    """Pairs of cases with the same voxels; between two cohorts that is an error (A4)."""
    if "voxels" not in cases:
        return []
    pairs = []
    for _, same in cases.groupby("voxels"):
        if len(same) < 2:
            continue
        names, cohorts = [" ".join(case) for case in same.index], list(same["cohort"])
        other = next((n for n, cohort in enumerate(cohorts) if cohort != cohorts[0]), None)
        if other is not None:
            fault = f"{names[0]} ({cohorts[0]}) and {names[other]} ({cohorts[other]}) have the same {same_of(study)}"
            raise InputError("E_COHORT_VOXELS", study.table, fault, "one of them must go: a copy is no validation")
        pairs.append({"cases": names, "cohort": cohorts[0]})
    return pairs
