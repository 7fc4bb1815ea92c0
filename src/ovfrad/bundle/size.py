"""How large a vertebral body may be at its level, so that a mask of the whole vertebra is noticed (METHODS B6)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ovfrad.astlof import VERTEBRAE


class Measure(NamedTuple):
    """A measure of a mask: feature, unit of the limits in that of the feature, and share above bodies.

    `whole` times as large as a body of its level is taken for a whole vertebra: bodies of people of another build are
    hardly larger, and the arch adds half to once the volume and a third to once the length.
    """

    name: str
    feature: str
    unit: float
    whole: float


#: The length tells a whole vertebra best: bodies of a level differ in it by less than a tenth.
MEASURES = (
    Measure("volume_ml", "original_shape_VoxelVolume", 1e-3, 1.3),
    Measure("diameter_mm", "original_shape_Maximum3DDiameter", 1.0, 1.15),
)
#: Share of the bodies of a level that should lie below its limit: each case meets two limits, and is rarely whole.
INSIDE = 0.999
#: Patients below which no trend over the levels is fitted.
FEWEST_PATIENTS = 10

_PLACE = {name: float(n) for n, name in enumerate(v for v in VERTEBRAE if v not in ("T13", "L6"))}
_PLACE |= {"T13": _PLACE["T12"] + 0.5, "L6": _PLACE["L5"] + 1.0}


def largest_by_level(
    sizes: np.ndarray, levels: np.ndarray, patients: np.ndarray, whole: float = MEASURES[0].whole
) -> dict[str, float]:
    """Limit of the size of a body at each level, from training bodies; empty where these are too few.

    Bodies grow from head to foot, so the logarithms of all sizes share one straight line over the levels and one
    spread about it: a level with two cases borrows from the others. The limit is the upper end of the 99.9 % prediction
    interval for one more body, at least `whole` times the line, and at most `whole` times the largest body of training.
    Levels above the training cases, where bodies are smaller, take the limit of the first; levels more than one below
    them have none.

    Parameters
    ----------
    sizes : ndarray of shape (n,)
        Volumes or lengths of the prepared masks.
    levels, patients : ndarray of str of shape (n,)
        Names such as T12; rows of other names are left out. Freedom is counted in patients.
    whole : float
        Of the measure.

    Returns
    -------
    dict
        Level -> limit in the unit of `sizes`, in the order of the spine.

    Examples
    --------
    >>> levels = np.repeat(["T11", "L1", "L3"], 20)
    >>> volumes = np.repeat([20.0, 25.0, 31.0], 20) * np.tile([0.8, 0.9, 1.1, 1.2], 15)
    >>> limits = largest_by_level(volumes, levels, np.arange(60))
    >>> {name: round(limits[name]) for name in ("T5", "T12", "L3")}, "L5" in limits
    ({'T5': 34, 'T12': 38, 'L3': 48}, False)
    >>> largest_by_level(volumes[:5], levels[:5], np.arange(5))
    {}
    """
    known = np.isin(levels, list(_PLACE))
    n = len(np.unique(patients[known]))
    if n < FEWEST_PATIENTS:
        return {}
    at, size = np.array([_PLACE[name] for name in levels[known]]), np.log(sizes[known])
    centre, apart = at.mean(), float(((at - at.mean()) ** 2).sum())
    slope = max(float((at - centre) @ size) / apart, 0.0) if apart else 0.0
    spread = float(np.sqrt(((size - size.mean() - slope * (at - centre)) ** 2).sum() / (len(at) - 2)))
    counted = apart * n / len(at)
    reach = {name: max(place, at.min()) for name, place in _PLACE.items() if place <= at.max() + bool(apart)}
    most = whole * float(sizes.max())
    return {
        name: round(min(float(np.exp(size.mean() + slope * off + _above(off, spread, counted, n, whole))), most), 1)
        for name, off in ((name, reach[name] - centre) for name in sorted(reach, key=_PLACE.__getitem__))
    }


def _above(off: float, spread: float, apart: float, n: int, whole: float) -> float:
    """Distance of the limit from the line, in logarithms, `off` levels from the centre of the training cases."""
    from scipy import stats

    unsure = 1 + 1 / n + (off**2 / apart if apart else 0.0)
    return max(float(stats.t.ppf(INSIDE, n - 2)) * spread * float(np.sqrt(unsure)), float(np.log(whole)))
