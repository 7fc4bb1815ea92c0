"""Which features survive another outline, another place on the grid and more noise: ICC over perturbed copies (C3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.extraction import extract
from ovfrad.radiomics.parameters import AnySettings
from ovfrad.radiomics.perturbation import perturb

if TYPE_CHECKING:
    import pandas as pd

    from ovfrad.imaging.volume import Roi


def robustness(
    rois: Iterable[Roi],
    settings: AnySettings = None,
    *,
    copies: int = 1,
    seed: int = 0,
    kind: Any = "2,1",
    **sizes: float,
) -> pd.DataFrame:
    """Compare features of regions with those of perturbed copies of them, as of a second reader.

    Parameters
    ----------
    rois : iterable of Roi
        Two regions or more, of different patients.
    settings
        As in `extract`.
    copies : int
        Perturbed copies of each region, beside the region itself.
    seed : int
        The same seed gives the same copies.
    kind : str
        Of the ICC, see `ovfrad.evaluation.agreement.icc`; "2,1" is absolute agreement of single readings.
    **sizes
        `contour_mm`, `translation_mm`, `rotation_deg`, `noise_hu` of `perturb`.

    Returns
    -------
    DataFrame
        A row a feature: `icc`, `lower`, `upper` (95 % interval), `regions`, `readings` (of each region). A feature
        that is the same everywhere has an ICC of 1.
    """
    import pandas as pd

    from ovfrad.evaluation.agreement import icc

    if copies < 1:
        raise InputError("E_PERTURB", "robustness", f"copies: {copies}", "ask for one copy or more")
    readings, names = [], None
    for number, roi in enumerate(rois):
        rng = np.random.default_rng([seed, number])
        rows = [
            extract(copy, settings=settings) for copy in [roi, *(perturb(roi, rng, **sizes) for _ in range(copies))]
        ]
        names = rows[0].index if names is None else names
        readings.append(np.array([row[names].to_numpy() for row in rows]))
    if names is None or len(readings) < 2:
        raise InputError("E_PERTURB", "robustness", f"{len(readings)} regions", "an ICC compares two or more")
    values = np.array(readings)
    found = icc(values, kind=kind)
    same = (values == values[:, :1]).all(axis=(0, 1))
    columns = {"icc": found.estimate, "lower": found.low, "upper": found.high}
    table = pd.DataFrame({name: np.where(same, 1.0, value) for name, value in columns.items()}, index=names)
    return table.assign(regions=len(readings), readings=copies + 1)
