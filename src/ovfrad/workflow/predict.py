"""`ovfrad predict`: one vertebra, or a case table."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ovfrad import bundle as bundles
from ovfrad.astlof import TREATMENT
from ovfrad.bundle import Bundle, Prediction
from ovfrad.errors import InputError, InputWarning
from ovfrad.study.cases import read_cases, read_features
from ovfrad.workflow.folder import RunFolder, plain

_TOP = 5


def predict_case(
    folder: Path, image: Path, mask: Path, label: int | str | None, batch: str | None
) -> tuple[Prediction, tuple[str, ...]]:
    """Prediction of one vertebra, and the classes."""
    from ovfrad import imaging

    bundle = bundles.load(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        chosen, margin = bundle.settings.imaging, bundle.settings.crop_mm
        roi = imaging.read_roi(image, mask, label=label, case_id=mask.name, margin_mm=margin, settings=chosen)
        prediction = bundles.predict_roi(bundle, roi, batch=batch)
    told = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, InputWarning)))
    for line in told:
        warnings.warn(line, InputWarning, stacklevel=2)
    return replace(prediction, warnings=told), bundle.classes


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
    """Write one row per case; cases that cannot be read get their error instead. Returns their number."""
    bundle = bundles.load(folder)
    rows = list(_from_images(bundle, cases) if bundle.from_images else _from_features(bundle, cases))
    RunFolder(out.resolve().parent).write_table(out.name if out.suffix else f"{out.name}.csv", pd.DataFrame(rows))
    return sum(row["error"] != "" for row in rows)


def _row(patient: str, vertebra: str, prediction: Prediction | None, classes: tuple[str, ...], error: str = "") -> dict:
    row: dict[str, Any] = {"patient_id": patient, "vertebra": vertebra}
    if prediction is not None:
        row |= {"class": prediction.label}
        row |= {f"p_{k}": float(p) for k, p in enumerate(prediction.probabilities)}
        row |= {"set": " ".join(prediction.set), "in_scope": prediction.in_scope, "distance": prediction.distance}
        row |= {"flags": "; ".join(prediction.flags), "warnings": "; ".join(prediction.warnings)}
    else:
        row |= {"class": "", **{f"p_{k}": np.nan for k in range(len(classes))}, "set": "", "in_scope": False}
    return {**row, "error": error}


def _from_images(bundle: Bundle, path: Path) -> list[dict[str, Any]]:
    from ovfrad import imaging

    settings = bundle.settings.model_copy(update={"features": None, "cases": path.name})
    cases = read_cases(path, settings)
    column = bundle.manifest["training"]["batch_column"]
    rows = []
    for (patient, vertebra), case in cases.iterrows():
        label = None if pd.isna(case["mask_label"]) else str(case["mask_label"])
        try:
            roi = imaging.read_roi(
                case["ct"],
                case["mask"],
                label=label,
                vertebra=vertebra if label is None else None,
                case_id=f"{patient} {vertebra}",
                margin_mm=settings.crop_mm,
                settings=settings.imaging,
            )
            batch = None if column is None or pd.isna(case[column]) else str(case[column])
            prediction = bundles.predict_roi(bundle, roi, batch=batch, explain=False)
        except InputError as error:
            rows.append(_row(patient, vertebra, None, bundle.classes, str(error)))
            continue
        rows.append(_row(patient, vertebra, prediction, bundle.classes))
    return rows


def _from_features(bundle: Bundle, path: Path) -> list[dict[str, Any]]:
    wanted = tuple(bundle.manifest["input"]["columns"])
    settings = bundle.settings.model_copy(update={"features": path.name, "cases": None, "feature_columns": wanted})
    cases, X = read_features(path, settings)
    column = bundle.manifest["training"]["batch_column"]
    known = None if column is None else cases[column].astype(object)
    batch = None if known is None else known.where(known.notna(), None).to_numpy(dtype=object)
    predictions = bundles.predict_features(bundle, X, batch=batch, explain=False)
    return [
        _row(patient, vertebra, prediction, bundle.classes)
        for (patient, vertebra), prediction in zip(X.index, predictions, strict=True)
    ]
