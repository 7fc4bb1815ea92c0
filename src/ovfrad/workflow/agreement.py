"""How well the two readers agree on the ASTLOF items and on the class that follows from them (A3)."""

from __future__ import annotations

import pandas as pd

from ovfrad.astlof import bone_density_points, class_of_total
from ovfrad.evaluation.agreement import weighted_kappa

ITEMS = ("morphology", "mri", "pain")


def reader_agreement(cases: pd.DataFrame) -> pd.DataFrame | None:
    """Quadratic-weighted kappa of each item, and of the class by each reader's items; None without a second reader.

    The class takes the bone density of both readers from the one T-score, so its disagreement is that of the items.

    Parameters
    ----------
    cases : DataFrame
        Case table, index (patient_id, vertebra); patients are the clusters of the interval.

    Returns
    -------
    DataFrame or None
        Columns `item`, `weighted kappa` (an estimate as a mapping); an item that two readers scored less than twice is
        left out.
    """
    readings = {item: cases.reindex(columns=[item, f"{item}_reader2"]).dropna() for item in ITEMS}
    readings["class, by the items"] = _classes(cases)
    rows = []
    for item, both in readings.items():
        if len(both) < 2:
            continue
        first, second = (both.iloc[:, reader].astype(int).to_numpy() for reader in (0, 1))
        kappa = weighted_kappa(first, second, patients=both.index.get_level_values("patient_id"))
        rows.append({"item": item, "weighted kappa": kappa.as_dict()})
    return pd.DataFrame(rows) if rows else None


def _classes(cases: pd.DataFrame) -> pd.DataFrame:
    """Class by the first and by the second reader's items, of the cases that both scored in full."""
    needed = ["t_score", *ITEMS, *(f"{item}_reader2" for item in ITEMS)]
    whole = cases.reindex(columns=needed).dropna().astype(float)
    density = whole["t_score"].map(bone_density_points)
    names = {"first": list(ITEMS), "second": [f"{item}_reader2" for item in ITEMS]}
    totals = {reader: (whole[items].sum(axis=1) + density).astype(int) for reader, items in names.items()}
    return pd.DataFrame({reader: total.map(lambda t: int(class_of_total(t))) for reader, total in totals.items()})
