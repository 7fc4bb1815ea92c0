"""Which label of a mask a row of the case table means; one that contradicts its vertebra is refused (METHODS B1)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ovfrad.astlof import VERTEBRAE, label_of, vertebra_of
from ovfrad.errors import InputError


def with_labels(cases: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`mask_label` and `mask_label_reader2` as scheme and vertebra where a scheme is given and no label."""
    out = cases.astype({"mask_label": object, "mask_label_reader2": object})
    for (_, vertebra), row in cases.iterrows():
        scheme = None if pd.isna(row["mask_scheme"]) else row["mask_scheme"]
        for name in ("mask_label", "mask_label_reader2"):
            try:
                found = _label(row[name], vertebra, scheme)
            except ValueError as error:
                remedy = f"correct vertebra, {name} or mask_scheme; a mask with numbers of its own has no scheme"
                raise InputError("E_CELL", f"{path.name}:{row['row']}", str(error).rstrip("."), remedy) from None
            out.loc[out["row"] == row["row"], name] = found
    return out


def _label(label: str | None, vertebra: str, scheme: str | None) -> str | None:
    """The label, or scheme and vertebra in its place; ValueError where it contradicts them.

    >>> _label(None, "T12", "verse"), _label("19", "T12", "verse"), _label("20", "T12", None)
    ('verse:T12', '19', '20')
    >>> _label("20", "T12", "verse")
    Traceback (most recent call last):
    ValueError: label 20 is L1 in scheme verse, and the case is T12, which is 19
    """
    named = str(label).rpartition(":")[2].upper()
    if {named, vertebra} <= set(VERTEBRAE) and named != vertebra:
        raise ValueError(f"label {label} names another vertebra than the case, which is {vertebra}")
    if scheme is None:
        return label
    number = label_of(vertebra, scheme)
    if label is None or pd.isna(label):
        return f"{scheme}:{vertebra}"
    if label.isdigit() and int(label) != number:
        there = vertebra_of(int(label), scheme) or "no vertebra"
        raise ValueError(f"label {label} is {there} in scheme {scheme}, and the case is {vertebra}, which is {number}")
    return label
