"""How good the default is on real tables, against the paper's chain and two plain models, in the same nested folds.

    python benchmarks/tables.py FOLDER [--repeats N] [--rows N] [--jobs N]

Every CSV of FOLDER is a table: a column `outcome`, perhaps `patient_id`, and features. With --rows a random part of
so many rows is used. Each is run in `repeats` deals of 5 x 5 patient folds; macro AUC and log-loss are those within
outer folds, averaged. A table with a column `cohort` is learned from its rows `train` and judged on the others, once.
At the end the paired differences over tables, with standard errors. benchmarks/tables.R writes public tables of R
packages into such a folder, benchmarks/regions.py radiomics of random regions.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from ovfrad.models import engine
from ovfrad.models.baselines import available, fit_baselines
from ovfrad.models.fitting import fit_models
from ovfrad.models.honesty import usable_signal
from ovfrad.models.procedure import BEST, Procedure
from ovfrad.models.rows import Rows
from ovfrad.models.scoring import fold_aucs, log_loss
from ovfrad.study.recipes import defaults
from ovfrad.study.settings import Models, Selection

NAMES = {"sound": "auto", "paper": BEST}


def read(path: Path, most: int | None) -> tuple[Rows, Rows | None]:
    """One table as rows of training and, where it has cohorts, rows to judge on."""
    table = pd.read_csv(path).dropna(axis=1)
    if "cohort" in table:
        train, rest = (table[table["cohort"].eq("train") == of].drop(columns="cohort") for of in (True, False))
        rows, judged = rows_of(train), rows_of(rest)
        return rows, Rows(judged.X[rows.X.columns], judged.y, judged.groups)
    if most is not None and len(table) > most:
        table = table.sample(most, random_state=0)
    return rows_of(table), None


def rows_of(table: pd.DataFrame) -> Rows:
    """Rows of a table; a patient per row unless the table says otherwise."""
    patients = table["patient_id"].astype(str) if "patient_id" in table else [f"P{k:05d}" for k in range(len(table))]
    index = pd.MultiIndex.from_arrays([list(patients), [f"V{k}" for k in range(len(table))]])
    index.names = ["patient_id", "vertebra"]
    features = table.drop(columns=["outcome", "patient_id"], errors="ignore").select_dtypes("number")
    codes = np.unique(table["outcome"], return_inverse=True)[1]
    X = features.loc[:, features.nunique() > 1].astype(float).set_axis(index)
    return Rows(X, pd.Series(codes, index=index), np.array(patients, dtype=object))


def procedure(rows: Rows, recipe: str, seed: int) -> Procedure:
    """The headline model of a recipe."""
    classes = tuple(str(k) for k in range(int(rows.codes.max()) + 1))
    given = defaults(recipe)
    models, selection = Models(**given.get("models", {})), Selection(**given.get("selection", {}))
    whole = Procedure(classes, models, selection=selection, ordered=False, recipe=recipe, random_state=seed)
    return whole.only(NAMES[recipe])


def scores(rows: Rows, judged: Rows | None, repeats: int, jobs: int) -> tuple[dict[str, float], str]:
    """AUC and log-loss of each model, mean over repeats, and what the signal check says in the first."""
    found: dict[str, list[float]] = {}
    verdict = "not asked"
    for seed in range(repeats if judged is None else 1):
        for recipe, model in NAMES.items():
            asked = procedure(rows, recipe, seed)
            if judged is not None:
                table = learned(rows, judged, asked)
            else:
                table = engine.nested(rows, asked, baselines=recipe == "sound", jobs=jobs)
            if judged is None and seed == 0 and recipe == "sound":
                verdict = usable_signal(table, "sound", "none", "auto").status
            for name in (model, "L2_all", "RF_all") if recipe == "sound" else (model,):
                own = table[table["model"] == name]
                y, p = own["y_true"].to_numpy(), own[[c for c in own if c.startswith("p_")]].to_numpy()
                key = recipe if name == model else name
                found.setdefault(f"auc {key}", []).append(float(fold_aucs(y, p, own["fold"].to_numpy()).mean()))
                found.setdefault(f"loss {key}", []).append(log_loss(y, p))
    return {key: float(np.mean(values)) for key, values in found.items()}, verdict


def learned(rows: Rows, judged: Rows, asked: Procedure) -> pd.DataFrame:
    """Predictions of the rows to judge on by models fitted to all training rows."""
    asked = engine.affordable(rows, asked)
    names, absent = available([rows, judged])
    table = pd.concat(
        [
            fit_models(rows, asked).table(judged, "internal"),
            fit_baselines(rows, asked, names, absent).table(judged, "internal"),
        ]
    )
    return table.assign(fold=0)


def main() -> None:
    """Run every table and print the paired differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = {}
    for path in sorted(options.folder.glob("*.csv")):
        start, (rows, judged) = perf_counter(), read(path, options.rows)
        lines[path.stem], verdict = scores(rows, judged, options.repeats, options.jobs)
        told = "  ".join(f"{key} {value:.3f}" for key, value in lines[path.stem].items())
        print(f"{path.stem:16s} {len(rows)} x {rows.X.shape[1]}  {told}  signal {verdict}  "
              f"{perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    table = pd.DataFrame(lines).T
    print(table.mean().round(3).to_string())
    for other in ("paper", "L2_all", "RF_all"):
        for kind, sign in (("auc", 1), ("loss", -1)):
            gain = sign * (table[f"{kind} sound"] - table[f"{kind} {other}"])
            print(f"sound better than {other} in {kind} by {gain.mean():.3f} (SE {gain.sem():.3f}, {len(gain)} tables)")


if __name__ == "__main__":
    main()
