"""Two invented studies for the report: three ordered classes with images, and two unordered classes from a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ovfrad.evaluation.summary import evaluate
from ovfrad.explanation.chosen import directions, redundancy, reproducibility
from ovfrad.explanation.nomogram import Nomograms, build_nomograms
from ovfrad.explanation.shap import ShapTable
from ovfrad.report import (
    Chosen,
    Mesh,
    MontageCase,
    ReportInput,
    SelectionTrace,
    Shap,
    SliceStack,
    Weights,
    write_report,
)

SIZES = {"train": 300, "internal": 187, "external": 110, "prospective": 51}
MODELS = ("auto", "sparse", "rad_score", "LR", "SVM", "KNN", "DT", "RF", "ExtraTrees", "XGBoost", "LightGBM", "MLP")


def case_table(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for number, cohort in enumerate(np.repeat(list(SIZES), [int(n * 0.9) for n in SIZES.values()])):
        woman, age, t_score = rng.random() < 0.7, rng.normal(69.6, 9.9), rng.normal(-2.8, 0.8)
        for vertebra in rng.permutation(["T11", "T12", "L1", "L2", "L3"])[
            : rng.choice([1, 2, 3], p=[0.89, 0.09, 0.02])
        ]:
            y = int(rng.choice(3, p=[0.46, 0.44, 0.10]))
            rows.append((f"P{number:04d}", vertebra, cohort, "F" if woman else "M", age, t_score, y))
    cases = pd.DataFrame(rows, columns=["patient_id", "vertebra", "cohort", "sex", "age", "t_score", "y"])
    cases["center"] = cases["cohort"].map({"external": "B", "prospective": "C"}).fillna("A")
    cases["astlof_score"] = [rng.integers(*[(1, 4), (4, 5), (5, 9)][y]) for y in cases["y"]]
    cases["location"] = np.where(cases["vertebra"].str[0] == "T", "Thoracic", "Lumbar")
    cases["fracture_stage"] = rng.choice(["acute", "chronic", None], len(cases), p=[0.62, 0.33, 0.05])
    chances = ([0.8, 0.15, 0.05], [0.35, 0.6, 0.05], [0.5, 0.3, 0.2])
    cases["treatment"] = [rng.choice(["conservative", "PVA", "open surgery"], p=chances[y]) for y in cases["y"]]
    return cases


def prediction_table(
    cases: pd.DataFrame, arms: tuple[str, ...], models: tuple[str, ...], rng: np.random.Generator
) -> pd.DataFrame:
    K = int(cases["y"].max()) + 1
    parts = []
    for a, arm in enumerate(arms):
        for m, model in enumerate(models):
            logits = rng.normal(size=(len(cases), K)) + (1.3 - 0.25 * a - 0.05 * m) * np.eye(K)[cases["y"]]
            logits[:, K - 1] -= 0.9
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            part = cases[["patient_id", "vertebra", "cohort"]].assign(
                recipe="sound", arm=arm, model=model, fold=-1, y_true=cases["y"]
            )
            parts.append(part.assign(**{f"p_{k}": p[:, k] for k in range(K)}))
    table = pd.concat(parts, ignore_index=True)
    table.loc[table["cohort"] == "train", "fold"] = rng.integers(0, 5, (table["cohort"] == "train").sum())
    return table


def estimate(value: float, rows: pd.DataFrame, width: float, method: str) -> dict[str, Any]:
    sizes = {"n": len(rows), "n_patients": rows["patient_id"].nunique()}
    return {"estimate": value, "low": value - width, "high": value + width, "method": method, **sizes}


def result_dict(predictions: pd.DataFrame, K: int, headline: tuple[str, str]) -> dict[str, Any]:
    cohorts: dict[str, Any] = {}
    for (cohort, arm, model), rows in predictions.groupby(["cohort", "arm", "model"], sort=False):
        cohorts.setdefault(cohort, {}).setdefault(arm, {})[model] = evaluate(rows, resamples=100, ordered=K > 2)
    best = cohorts["train"][headline[0]][headline[1]]
    apparent = estimate(0.96, predictions.iloc[:300], 0.02, "DeLong, logit")
    cohorts["train_apparent"] = {headline[0]: {headline[1]: best | {"macro_auc": apparent}}}
    text = "20 label permutations by patient: per-fold macro AUC averages 0.502, limit 0.517"
    return {
        "recipes": {"sound": {"cohorts": cohorts}},
        "headline": {"recipe": "sound", "arm": headline[0], "model": headline[1]},
        "audit": {
            "status": "pass",
            "rows": [
                {"check": "permutation", "status": "pass", "value": 0.502, "limit": 0.517, "text": text},
                {"check": "siblings", "status": "pass", "value": 0, "limit": 0, "text": "no patient in two cohorts"},
            ],
        },
        "ledger": [
            {"view": "apparent", "model": headline[1], "macro_auc": apparent},
            {"view": "nested", "model": headline[1], "macro_auc": best["macro_auc"]},
        ],
    }


def trace(rng: np.random.Generator, count: int = 33) -> SelectionTrace:
    names = ["original_glcm_ClusterShade", "original_firstorder_Mean", "original_glszm_LargeAreaLowGrayLevelEmphasis"]
    names += [f"original_gldm_Feature{j:02d}" for j in range(14)] + [f"pc_{j:02d}" for j in range(count - 17)]
    ends = rng.normal(size=count) * 0.2 * np.exp(-np.arange(count) / 10)
    alphas = pd.Index(np.logspace(0, -3, 50), name="alpha")
    at = alphas.to_numpy()
    path = np.sign(ends) * np.maximum(np.abs(ends)[None] - 0.3 * at[:, None], 0)
    curve = {"mean": 0.43 - 0.1 / (1 + 20 * at) + 0.00001 / at, "se": 0.02, "chosen": np.arange(50) == 25}
    counts = [("all features", 2155), ("ICC ≥ 0.8", 2117), ("Spearman ≤ 0.9", 61), ("LASSO", 33), ("fused LASSO", 33)]
    shares = {n: float(s) for n, s in zip(names, rng.integers(1, 6, count) / 5, strict=True)}
    paths = pd.DataFrame(path, index=alphas, columns=names)
    coefficients = dict(zip(names, ends, strict=True))
    return SelectionTrace(counts, coefficients, paths, pd.DataFrame(curve, index=alphas), "1se", frequency=shares)


def shap_of(rng: np.random.Generator, classes: tuple[str, ...], p: int = 33) -> Shap:
    n, K = 160, len(classes)
    X = rng.normal(size=(n, p))
    weights = rng.normal(size=(p, K)) * np.exp(-np.arange(p) / 6)[:, None] * 0.12
    weights -= weights.mean(axis=1, keepdims=True)
    values, base = X[:, :, None] * weights, np.full(K, 1 / K)
    names = ["original_glcm_ClusterShade", "original_glszm_LargeAreaLowGrayLevelEmphasis", "original_firstorder_Mean"]
    names += [f"original_glrlm_Feature{j:02d}" for j in range(p - 3)]
    output = base + values.sum(axis=1)
    error = np.full((p, K), 0.001)
    table = ShapTable(values, base, output, "probability", error, X, tuple(names), classes, "permutations", 1000)
    return Shap(table, [f"P{i:04d} L{1 + i % 5}" for i in range(n)], output.argmax(axis=1), "auto", "external")


def chosen(rng: np.random.Generator) -> Chosen:
    """Twenty features in two groups, of which the filters kept some."""
    base = rng.normal(size=(60, 2))
    frame = pd.DataFrame(
        {f"original_glcm_Feature{j:02d}": base[:, j % 2] + 0.1 * j * rng.normal(size=60) for j in range(20)}
    )
    values = np.linspace(0.99, 0.4, 20)
    same = redundancy(frame, ["original_glcm_Feature00", "original_glcm_Feature01", "original_glcm_Feature19"])
    facts = {"icc_pairs": 33, "icc_patients": 30, "icc_min": 0.8, "spearman_max": 0.9}
    return Chosen(
        reproducibility(frame.columns.to_numpy(), values, values - 0.1, values >= 0.8),
        same.members, same.order, same.rho,
        directions(frame, np.arange(60) % 3, ("0", "1", "2")), facts,
    )  # fmt: skip


def nomogram(cases: pd.DataFrame, rng: np.random.Generator) -> Nomograms:
    frame = cases[["age", "sex"]].assign(rad_score=cases["y"] * 0.8 + rng.normal(size=len(cases)))
    return build_nomograms(frame[["rad_score", "age", "sex"]], cases["y"], ("0", "1", "2"))


def montage() -> list[MontageCase]:
    rng = np.random.default_rng(5)
    cases = []
    for number in range(6):
        y, x = np.mgrid[:70, :76]
        body = (np.abs(y - 35) < 14 + number) & (np.abs(x - 38) < 20)
        image = np.clip(0.2 + 0.25 * body + 0.05 * rng.normal(size=body.shape), 0, 1)
        planes = dict.fromkeys(("sagittal", "axial", "coronal"))
        label = f"class {number % 3} ({('conservative', 'either', 'surgical')[number % 3]})"
        cases.append(
            MontageCase(
                f"P{number:04d} L1", "train", label, planes | dict.fromkeys(planes, image), dict.fromkeys(planes, body)
            )
        )
    return cases


def mesh() -> Mesh:
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 40), np.linspace(0, np.pi, 20))
    points = np.stack([20 * np.cos(u) * np.sin(v), 15 * np.sin(u) * np.sin(v), 13 * np.cos(v)], axis=-1).reshape(-1, 3)
    i = (np.arange(19)[:, None] * 40 + np.arange(39)).ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 40], 1), np.stack([i + 1, i + 41, i + 40], 1)])
    return Mesh(points, faces, "P0000 L1")


def full_study(models: tuple[str, ...] = MODELS) -> ReportInput:
    rng = np.random.default_rng(1)
    cases = case_table(rng)
    arms = ("random", "none")
    predictions = prediction_table(cases, arms, models, rng)
    results = result_dict(predictions, 3, ("random", "auto"))
    results["comparisons"] = [
        {"recipe": "sound", "cohort": c, "a": "random auto", "b": "none auto", "metric": "macro_auc",
         "difference": 0.031,
         "low": -0.012, "high": 0.074, "p": 0.157, "p_holm": 0.471, "method": "cluster-robust DeLong"} for c in SIZES
    ]  # fmt: skip
    differences = pd.DataFrame(
        [
            {
                "setting": "selection.lasso_rule",
                "paper_says": "minimum",
                "we_do": "1-SE rule",
                "why": "the minimum keeps noise",
            }
        ]
    )
    items = {
        "item": ["morphology", "class"],
        "kappa": [estimate(k, cases, 0.05, "weighted kappa") for k in (0.81, 0.78)],
    }
    return ReportInput(
        study="Phantom of three centres",
        classes=("0", "1", "2"),
        cases=cases,
        settings={"name": "phantom", "outcome": {"column": "astlof_class"}},
        run={"version": "0.1.0", "started": "2025-03-01 10:00", "seconds": 190, "software": {"numpy": "2.3"}},
        warnings=["W_ICC_FEW cases.csv: 8 patients have two readers; the ICC filter is uncertain"],
        synthetic=True,
        weights={"random": Weights("random", "ResNet-50, seed 0", "ab" * 32), "none": Weights("none")},
        predictions=predictions,
        results=results,
        quarantine=pd.DataFrame({"patient_id": ["P0999"], "vertebra": ["L1"], "reason": ["mask is empty"]}),
        excluded=pd.DataFrame({"patient_id": ["P0998"], "vertebra": ["L2"], "exclusion": ["pathological fracture"]}),
        recipe_differences=differences,
        selection={"random": trace(rng), "none": trace(rng, 17)},
        shap=shap_of(rng, ("0", "1", "2")),
        shap_models={"LR": shap_of(rng, ("0", "1", "2")), "DT": shap_of(rng, ("0", "1", "2"))},
        chosen=chosen(rng),
        nomogram=nomogram(cases, rng),
        montage=montage(),
        mesh=mesh(),
        acquisition=pd.DataFrame({"center": ["A", "B"],
                                  "scanner": ["Somatom", "Optima"], "kvp": [120.0, 130.0], "vertebrae": [487, 110]}),
        agreement=pd.DataFrame(items),
        not_yet=["DICOM SEG and RTSTRUCT", "Grad-CAM"],
    )  # fmt: skip


def table_study() -> ReportInput:
    rng = np.random.default_rng(2)
    cases = pd.DataFrame({"patient_id": [f"R{i:03d}" for i in range(210)], "vertebra": "", "cohort": "train"})
    cases["y"] = rng.choice(2, len(cases), p=[0.4, 0.6])
    predictions = prediction_table(cases, ("none",), ("auto", "LR"), rng)
    return ReportInput(
        study="Wirbelsäule <b>& 脊椎</b> $x_1$",
        classes=("normal", "<script>alert(1)</script>"),
        cases=cases,
        outcome="diagnosis",
        ordered=False,
        unit="cases",
        source="features",
        run={"version": "0.1.0"},
        predictions=predictions,
        results=result_dict(predictions, 2, ("none", "auto")),
        shap=shap_of(rng, ("normal", "ill"), 6),
    )


@pytest.fixture(scope="session")
def full() -> ReportInput:
    return full_study(("auto", "LR", "MLP"))


@pytest.fixture(scope="session")
def plain() -> ReportInput:
    return table_study()


@pytest.fixture(scope="session")
def written_full(full: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report of the full study, with slices to scroll through; its path has a blank."""
    z, y, x = np.mgrid[:9, :30, :36]
    image = (40 + 20 * ((x + y + z) % 5)).astype(np.uint8)
    stack = SliceStack("P0001 L1, class 0", image, (y - 15) ** 2 + (x - 18) ** 2 < 80, 1.0, 2.0)
    stacks = [stack, replace(stack, label="=cmd <b>x</b>")]
    return write_report(replace(full, slices=stacks), tmp_path_factory.mktemp("a b"))
