"""Make sure that a bundle still gives the numbers it gave.

The hashes find damage and careless edits. They are no signature: whoever writes a bundle can write its hashes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ovfrad.bundle.load import load
from ovfrad.bundle.manifest import read_json
from ovfrad.bundle.parts import Bundle
from ovfrad.bundle.predict import predict_features, predict_roi
from ovfrad.errors import InputError

#: Largest difference of a probability that other processors and library builds may cause.
VERIFY_TOLERANCE = 1e-3


def check_probabilities(bundle: Bundle) -> np.ndarray:
    """Probabilities of the bundle's own synthetic case, shape (K,)."""
    check = bundle.folder / "check"
    if bundle.from_images:
        from ovfrad.imaging import read_roi

        paths = check / "ct.nii.gz", check / "mask.nii.gz"
        roi = read_roi(*paths, case_id="check", margin_mm=bundle.settings.crop_mm)
        return predict_roi(bundle, roi, explain=False).probabilities
    row = pd.DataFrame([read_json(check / "row.json")], index=pd.MultiIndex.from_tuples([("check", "-")]))
    return predict_features(bundle, row, explain=False)[0].probabilities


def verify(folder: Path) -> float:
    """Largest difference of the check case's probabilities from those stored; beyond the tolerance it is refused."""
    bundle = load(folder)
    expected = read_json(folder / "check" / "expected.json")
    difference = float(np.abs(check_probabilities(bundle) - np.asarray(list(expected.values()), float)).max())
    if not difference <= VERIFY_TOLERANCE:
        fault = f"its check case differs by {difference:.4f} in a probability (at most {VERIFY_TOLERANCE:g})"
        raise InputError("E_BUNDLE_VERIFY", folder, fault, "install the versions of constraints.txt")
    return difference
