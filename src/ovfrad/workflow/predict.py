"""`ovfrad predict`: one vertebra, or a case table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad import bundle as bundles
from ovfrad.astlof import TREATMENT
from ovfrad.bundle import Bundle, Prediction
from ovfrad.errors import InputError, heard
from ovfrad.study.cases import read_cases, read_features
from ovfrad.study.doubts import check_reasons
from ovfrad.study.labels import Faults
from ovfrad.workflow.folder import RunFolder, plain
from ovfrad.workflow.rows import covariates_of

_TOP = 5


def predict_case(
    folder: Path,
    image: Path,
    mask: Path,
    label: int | str | None,
    batch: str | None,
    vertebra: str | None = None,
    scheme: str | None = None,
) -> tuple[Prediction, tuple[str, ...]]:
    """Prediction of one vertebra, and the classes.

    `vertebra` is its level, where it is known; without a label it chooses by `scheme` or by the names of the file, or
    tells the level of a mask's only region.
    """
    from ovfrad import imaging

    bundle = bundles.load(folder)
    chosen, margin = bundle.settings.imaging, bundle.settings.crop_mm
    with heard() as told:
        roi = imaging.read_roi(
            image,
            mask,
            label=label,
            vertebra=vertebra,
            scheme=scheme,
            case_id=mask.name,
            margin_mm=margin,
            settings=chosen,
        )
        prediction = bundles.predict_roi(bundle, roi, vertebra=vertebra, batch=batch)
    return replace(prediction, warnings=tuple(told)), bundle.classes


def as_json(prediction: Prediction, classes: tuple[str, ...]) -> dict[str, Any]:
    """One object with the keys that DESIGN.md promises, and the rest beside them."""
    shap = prediction.shap
    content = plain(
        {
            "class": prediction.label,
            "probabilities": dict(zip(classes, prediction.probabilities, strict=True)),
            "set": list(prediction.set),
            "in_scope": prediction.in_scope,
            "flags": list(prediction.flags),
            "not_seen": list(prediction.not_seen),
            "warnings": list(prediction.warnings),
            "model": prediction.model,
            "distance": prediction.distance,
            "nearer_training_cases": prediction.nearer,
            "shap": None if shap is None else {c: shap[c].to_dict() for c in shap.columns},
            "notice": "Research use only, not a medical device.",
        }
    )
    told: dict[str, Any] = _rounded(content)
    return told | {"probabilities": content["probabilities"]}  # as they are, so that they sum to 1


def as_rows(prediction: Prediction, classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Lines for people."""
    shares = ", ".join(f"{c}: {p:.2f}" for c, p in zip(classes, prediction.probabilities, strict=True))
    meant = TREATMENT.get(int(prediction.label), "") if classes == ("0", "1", "2") else ""
    rows = [
        *([] if prediction.in_scope else [("out of scope", "DO NOT USE this prediction; the flags below say why")]),
        ("class", f"{prediction.label}{f' ({meant})' if meant else ''}"),
        ("probabilities", shares),
        ("cannot be ruled out", ", ".join(prediction.set) or "not calibrated"),
        ("in scope", "yes" if prediction.in_scope else "no"),
        (
            "distance",
            f"{prediction.distance:.1f} (training cases: about 1; {_share(prediction.nearer)} of them lie nearer)",
        ),
        *[("flag", flag) for flag in prediction.flags],
        ("model", prediction.model),
        ("not seen", ", ".join(prediction.not_seen) or "nothing known"),
    ]
    if prediction.shap is not None:
        own = prediction.shap[prediction.label]
        top = own.reindex(own.abs().sort_values(ascending=False).index)[:_TOP]
        rows += [(f"for class {prediction.label}", f"{name} {value:+.3f}") for name, value in top.items()]
    return [*rows, ("", "Research use only, not a medical device.")]


def _share(value: float) -> str:
    return ">99 %" if value > 0.99 else f"{100 * value:.0f} %"


def _rounded(value: Any) -> Any:
    """Six decimals: what a probability or a contribution can mean, and a few more."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def predict_table(folder: Path, cases: Path, out: Path) -> int:
    """Write one row per case; cases that cannot be read get their error instead. Returns their number.

    A row with a reason in `exclusion` is left out, as in a study, and keeps that reason.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        remedy = "choose another place: a bundle with a file of another kind is refused"
        raise InputError("E_WRITE", out, "lies inside the bundle", remedy)
    bundle = bundles.load(folder)
    rows = _from_images(bundle, cases) if bundle.from_images else _from_features(bundle, cases)
    RunFolder(out.resolve().parent).write_table(out.name if out.suffix else f"{out.name}.csv", pd.DataFrame(rows))
    return sum(row["error"] != "" for row in rows)


def _row(
    case: tuple[str, str],
    classes: tuple[str, ...],
    prediction: Prediction | None = None,
    *,
    warnings: Iterable[str] = (),
    exclusion: str = "",
    error: str = "",
) -> dict[str, Any]:
    """One row of the table; without a prediction its cells are empty."""
    row: dict[str, Any] = dict(zip(("patient_id", "vertebra"), case, strict=True))
    names = [f"p_{k}" for k in range(len(classes))]
    if prediction is not None:
        row |= {"class": prediction.label, **dict(zip(names, map(float, prediction.probabilities), strict=True))}
        row |= {"set": " ".join(prediction.set), "in_scope": prediction.in_scope, "distance": prediction.distance}
    else:
        row |= {"class": "", **dict.fromkeys(names, np.nan), "set": "", "in_scope": False, "distance": np.nan}
    flags = () if prediction is None else prediction.flags
    return row | {
        "flags": "; ".join(flags), "warnings": "; ".join(warnings), "exclusion": exclusion, "error": error
    }  # fmt: skip


def _from_images(bundle: Bundle, path: Path) -> list[dict[str, Any]]:
    settings = bundle.settings.model_copy(update={"features": None, "cases": path.name})
    faults = Faults()
    cases = read_cases(path, settings, faults)
    left_out, batch, covariates = _reasons(cases, path), _batches(bundle, cases), _covariates(bundle, cases)
    rows = []
    for n, (index, case) in enumerate(cases.iterrows()):
        if left_out[n]:
            rows.append(_row(index, bundle.classes, exclusion=left_out[n]))
            continue
        if case["row"] in faults:
            rows.append(_row(index, bundle.classes, error=faults[case["row"]]))
            continue
        own = None if covariates is None else covariates.iloc[[n]]
        rows.append(_of_case(bundle, index, case, None if batch is None else batch[n], own))
    return rows


def _of_case(
    bundle: Bundle, index: tuple[str, str], case: pd.Series, batch: str | None, covariates: pd.DataFrame | None
) -> dict[str, Any]:
    """Row of one case of images, with what reading it warned of."""
    from ovfrad import imaging

    patient, vertebra = index
    label = None if pd.isna(case["mask_label"]) else str(case["mask_label"])
    prediction, error = None, ""
    with heard() as told:
        try:
            roi = imaging.read_roi(
                case["ct"],
                case["mask"],
                label=label,
                vertebra=vertebra if label is None else None,
                case_id=f"{patient} {vertebra}",
                margin_mm=bundle.settings.crop_mm,
                settings=bundle.settings.imaging,
            )
            prediction = bundles.predict_roi(
                bundle, roi, vertebra=vertebra, batch=batch, covariates=covariates, explain=False
            )
        except InputError as fault:
            error = str(fault)
    return _row(index, bundle.classes, prediction, warnings=told, error=error)


def _from_features(bundle: Bundle, path: Path) -> list[dict[str, Any]]:
    stated = bundle.manifest.input
    wanted = tuple(stated.columns) if stated.kind == "features" else ()
    settings = bundle.settings.model_copy(update={"features": path.name, "cases": None, "feature_columns": wanted})
    cases, X = read_features(path, settings)
    left_out, batch, covariates = _reasons(cases, path), _batches(bundle, cases), _covariates(bundle, cases)
    kept = np.array([not reason for reason in left_out])
    predictions = iter(
        bundles.predict_features(
            bundle,
            X[kept],
            batch=None if batch is None else batch[kept],
            covariates=None if covariates is None else covariates[kept],
            explain=False,
        )
    )
    return [
        _row(index, bundle.classes, exclusion=reason) if reason else _row(index, bundle.classes, next(predictions))
        for index, reason in zip(X.index, left_out, strict=True)
    ]


def _reasons(cases: pd.DataFrame, path: Path) -> list[str]:
    """Why each case is left out, "" where it is not; a table of which nothing is left is refused."""
    check_reasons(cases, path)
    if cases["exclusion"].notna().all():
        fault = f"each of the {len(cases)} cases has text in `exclusion`, which leaves it out"
        raise InputError("E_TABLE_EMPTY", path, fault, "empty the cells of cases to predict")
    return ["" if pd.isna(reason) else str(reason) for reason in cases["exclusion"]]


def _batches(bundle: Bundle, cases: pd.DataFrame) -> np.ndarray | None:
    """Scanner or centre of each case, object of shape (n,), None where it is not told; None where none is used."""
    column = bundle.manifest.training.batch_column
    if column is None:
        return None
    known = cases[column].astype(object)
    return known.where(known.notna(), None).to_numpy(dtype=object)


def _covariates(bundle: Bundle, cases: pd.DataFrame) -> pd.DataFrame | None:
    """ComBat's covariates as in training, NaN where the table does not tell; None where it had none."""
    combat = bundle.chain.combat_
    return None if combat is None else covariates_of(cases, tuple(combat.covariates_))
