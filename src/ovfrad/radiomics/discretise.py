"""Grey levels from intensities: PyRadiomics' fixed bin width (IBSI Q3RU) and fixed bin count (IBSI K15C)."""

from __future__ import annotations

import numpy as np

from ovfrad.errors import InputError

MOST_BINS = 1_000_000
"""Most bins that intensities are divided into, occupied or not."""

MOST_LEVELS = 2048
"""Most grey levels a region may have: the 13 co-occurrence matrices then take 0.4 GB."""


def bin_edges(
    values: np.ndarray, bin_width: float = 25.0, bin_count: int | None = None, start: float | None = None
) -> np.ndarray:
    """Lower edges of the bins and one upper edge, in the unit of `values`.

    With a fixed width the edges are multiples of the width, from the largest one not above the minimum; with `start`
    they begin there instead, as IBSI has it (the lower bound of the resegmentation range, or the minimum). With a
    fixed count the range of the values is divided evenly and the last edge is moved up by 1 to hold the maximum.

    >>> bin_edges(np.array([-3.0, 60.0]), bin_width=25)
    array([-25.,   0.,  25.,  50.,  75., 100.])
    >>> bin_edges(np.array([-3.0, 60.0]), bin_width=25, start=-10)
    array([-10.,  15.,  40.,  65.,  90.])
    >>> bin_edges(np.array([0.0, 8.0]), bin_count=4)
    array([0., 2., 4., 6., 9.])
    """
    low, high = float(values.min()), float(values.max())
    if bin_count is not None:
        edges = np.histogram_bin_edges(values, bin_count)
        edges[-1] += 1
        return edges
    first = low - low % bin_width if start is None else start
    if (high - first) / bin_width > MOST_BINS:
        fault = f"more than 1e6 bins of {bin_width:g} from {first:g} to {high:g}"
        raise InputError("E_BINS", "binWidth", fault, "use wider bins")
    edges = np.arange(first, high + 2 * bin_width, bin_width)
    return edges if edges.size > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])


def grey_levels(
    values: np.ndarray, bin_width: float = 25.0, bin_count: int | None = None, start: float | None = None
) -> np.ndarray:
    """Grey level of each value, 1, 2, ...: the number of the bin it falls in, lower edge included.

    With a fixed count and a `start` the levels are those of IBSI's formula (K15C) to the last bit, since an edge that
    is a whole number on paper may be the next larger one in floating point; every value of a flat region has the last.

    >>> grey_levels(np.array([-3.0, 0.0, 24.9, 25.0, 60.0]), bin_width=25)
    array([1, 2, 2, 3, 4], dtype=int32)
    >>> grey_levels(np.array([0.0, 25.0, 100.0]), bin_count=48, start=0)
    array([ 1, 13, 48], dtype=int32)
    """
    if bin_count is not None and bin_count > MOST_BINS:
        raise InputError("E_BINS", "binCount", f"{bin_count} bins", "ask for fewer than 1e6")
    if bin_count is not None and start is not None:
        low, high = values.min(), values.max()
        part = bin_count * (values - low) / (high - low) if high > low else np.full(values.shape, bin_count)
        return np.minimum(np.floor(part) + 1, bin_count).astype(np.int32)
    edges = bin_edges(values, bin_width, bin_count, start)
    step = bin_width if bin_count is None else edges[1] - edges[0]
    from ovfrad.radiomics.discretise_kernels import assign

    rounding = 1e-6 + 8 * float(np.spacing(np.abs(edges).max())) / step
    return assign(values.astype(np.float64), edges.astype(np.float64), float(step), rounding)
