"""Closed contours of a slice to voxels, by the even-odd rule; pure numpy.

A voxel belongs to the region when its centre lies inside an odd number of contours (inner contours are holes,
keyholes close themselves), or on a contour. Centres on a contour need a rule of their own: left to rounding, they
would come and go with the direction of the axes, the first point and the sense of the contour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

EDGE = 2.0**-10
"""Distance from a contour up to which a centre lies on it, mm: above the rounding of any coordinate, far below what
can be drawn, and no decimal fraction, so that contours written to 0.001 mm never lie just at it."""

CHUNK = 1 << 20
"""Crossings of contours and rows that are held at a time: 40 MB."""


def rasterise(polygons: Sequence[Points], xs: Points, ys: Points) -> NDArray[np.bool_]:
    """Voxels whose centres lie inside or on the contours of one slice.

    Parameters
    ----------
    polygons : sequence of ndarray, shape (n, 2)
        Corners (x, y) of each contour, mm; the last joins the first.
    xs, ys : ndarray, shape (columns,) and (rows,)
        Coordinates of the voxel centres, mm, rising or falling by far more than `EDGE`.

    Returns
    -------
    ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> outer = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    >>> hole = outer / 4 + 1.5
    >>> rasterise([outer, hole], np.arange(5.0), np.arange(5.0)).astype(int)
    array([[1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1],
           [1, 1, 0, 1, 1],
           [1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1]])
    """
    return drawn(polygons, xs, ys)[0]


def drawn(polygons: Sequence[Points], xs: Points, ys: Points) -> tuple[NDArray[np.bool_], int]:
    """As `rasterise`, and the number of voxels where contours cross: even-odd and the union differ in them.

    A hole inside a contour, an island inside the hole and contours side by side cross nowhere.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [4.5, 0.5], [4.5, 4.5], [0.5, 4.5]])
    >>> [drawn([square, other], np.arange(9.0), np.arange(9.0))[1] for other in (square / 2 + 0.6, square + 3)]
    [0, 1]
    """
    if len(xs) > 1 and xs[0] > xs[-1]:
        region, crossed = drawn(polygons, xs[::-1], ys)
        return region[:, ::-1], crossed
    if len(ys) > 1 and ys[0] > ys[-1]:
        region, crossed = drawn(polygons, xs, ys[::-1])
        return region[::-1], crossed
    depth, edge, crossed = np.zeros((len(ys), len(xs)), np.int32), np.zeros((len(ys), len(xs)), np.bool_), 0
    # From large to small, each contour lies evenly deep in those before it, unless it crosses one of them.
    for polygon in sorted(polygons, key=_extent, reverse=True):
        part = _part(polygon, xs, ys)
        x, y, under = xs[part[1]], ys[part[0]], depth[part]
        inside = _interior(polygon, x, y)
        if len(polygons) > 1 and (depths := under[inside]).size:
            crossed += int(np.count_nonzero(depths > depths.min()))
        under += inside
        edge[part] |= _edge(polygon, x, y)
    return (depth & 1).astype(np.bool_) | edge, crossed


def repeated(polygons: Sequence[Points]) -> bool:
    """True when two contours run through the same points, wherever they start and whichever way they turn.

    By the even-odd rule the two would erase each other. Points may have any number of coordinates.

    >>> square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    >>> repeated([square, square[::-1]]), repeated([square, square / 2])
    (True, False)
    """
    return len({polygon[np.lexsort(polygon.T)].tobytes() for polygon in polygons}) < len(polygons)


def area(polygon: Points) -> float:
    """Area that a contour encloses (shoelace formula: parts turned about in the opposite sense are subtracted).

    >>> area(np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0]]))
    6.0
    """
    x, y = (polygon - polygon[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2)


def _extent(polygon: Points) -> tuple[float, float]:
    """Order in which an outer contour comes after those within it: area of the bounding box, then its own."""
    width, height = np.ptp(polygon, axis=0)
    return float(width * height), area(polygon)


def _part(polygon: Points, xs: Points, ys: Points) -> tuple[slice, slice]:
    """Rows and columns whose centres lie in the polygon's bounding box."""
    (x0, y0), (x1, y1) = polygon.min(axis=0) - EDGE, polygon.max(axis=0) + EDGE
    (i0, i1), (j0, j1) = np.searchsorted(xs, [x0, x1]), np.searchsorted(ys, [y0, y1])
    return slice(int(j0), int(j1)), slice(int(i0), int(i1))


def _interior(polygon: Points, xs: Points, ys: Points) -> NDArray[np.bool_]:
    """Even-odd interior: each row toggles at every crossing; what happens just on an edge is left to `_edge`."""
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    width = len(xs) + 1
    toggles = np.zeros((len(ys), width), np.int64)
    for side, row in _runs(np.searchsorted(ys, np.minimum(y0, y1)), np.searchsorted(ys, np.maximum(y0, y1))):
        crossing = x0[side] + (ys[row] - y0[side]) * ((x1 - x0)[side] / (y1 - y0)[side])
        column = np.searchsorted(xs, crossing)
        toggles += np.bincount(row * width + column, minlength=toggles.size).reshape(toggles.shape)
    return (np.cumsum(toggles, axis=1)[:, :-1] & 1).astype(np.bool_)


def _edge(polygon: Points, xs: Points, ys: Points) -> NDArray[np.bool_]:
    """Centres within `EDGE` of a side: the nearest centre of each row for steep sides, of each column for flat ones."""
    out = np.zeros((len(ys), len(xs)), np.bool_)
    if out.size:
        along = np.roll(polygon, -1, axis=0) - polygon
        steep = abs(along[:, 1]) >= abs(along[:, 0])
        _mark(out, polygon[steep], along[steep], xs, ys)
        _mark(out.T, polygon[~steep][:, ::-1], along[~steep][:, ::-1], ys, xs)
    return out


def _mark(out: NDArray[np.bool_], start: Points, along: Points, xs: Points, ys: Points) -> None:
    """Set the centres that lie on steep sides; the nearest of a row is enough, as voxels are far larger than EDGE."""
    low, high = np.minimum(start[:, 1], start[:, 1] + along[:, 1]), np.maximum(start[:, 1], start[:, 1] + along[:, 1])
    between = (xs[:-1] + xs[1:]) / 2
    for side, row in _runs(np.searchsorted(ys, low - EDGE), np.searchsorted(ys, high + EDGE, side="right")):
        (x, y), (dx, dy) = start[side].T, along[side].T
        at = np.divide(ys[row] - y, dy, out=np.zeros(len(row)), where=dy != 0).clip(0, 1)
        column = np.searchsorted(between, x + at * dx)
        px, py, square = xs[column] - x, ys[row] - y, dx * dx + dy * dy
        at = np.divide(px * dx + py * dy, square, out=np.zeros(len(row)), where=square > 0).clip(0, 1)
        close = (px - at * dx) ** 2 + (py - at * dy) ** 2 <= EDGE * EDGE
        out[row[close], column[close]] = True


def _runs(first: NDArray[np.int64], stop: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every (n, number) with first[n] <= number < stop[n], some `CHUNK` at a time.

    >>> list(_runs(np.array([3, 0, 7]), np.array([5, 0, 8])))
    [(array([0, 0, 2]), array([3, 4, 7]))]
    """
    count = stop - first
    before = np.cumsum(count) - count
    cuts = np.searchsorted(before, np.arange(0, count.sum(), CHUNK)).tolist()
    for a, b in pairwise([*cuts, len(count)]):
        owner = np.repeat(np.arange(a, b), count[a:b])
        yield owner, np.arange(len(owner)) + before[a] - before[owner] + first[owner]
