"""One pass of a two-channel filter bank through an array (numba).

Sums run over the coefficients in the order of PyWavelets' own loops and in the precision of the data, so that the
results agree with it to the last bit. That matters: where an image is constant, detail bands hold nothing but rounding,
and its sign decides between the grey-level bins on either side of 0. PyWavelets goes through the coefficients upwards,
except that those which reach beyond the end of the period (`wrapped` of them) come first and downwards.

The innermost loops run along contiguous rows and are vectorised; two coefficients are taken at a time, because the
loops are bound by loads and stores.
"""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled


@compiled
def across_rows(
    data: np.ndarray, low: np.ndarray, high: np.ndarray, wrapped: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Filter along axis 1 of `data`, where the filter fits: out[n] = sum over t of taps[t] data[n + T - 1 - t].

    Parameters
    ----------
    data : ndarray of float, shape (outer, n + T - 1, middle, inner)
        C-contiguous, float32 or float64.
    low, high : ndarray, shape (T,)
        Decomposition filters, T even, in the type of `data`.
    wrapped : ndarray of int64, shape (n,)
        Number of coefficients that are taken first and downwards.

    Returns
    -------
    two ndarrays, shape (outer, n, middle, inner)
        The low-pass and the high-pass channel.
    """
    taps = low.size
    outer, padded, middle, inner = data.shape
    shape = (outer, padded - taps + 1, middle, inner)
    smooth, detail = np.empty(shape, data.dtype), np.empty(shape, data.dtype)
    for a in range(outer):
        for n in range(shape[1]):
            for m in range(middle):
                s, d = smooth[a, n, m], detail[a, n, m]
                for step in range(0, taps, 2):
                    t0, t1 = _turn(step, wrapped[n]), _turn(step + 1, wrapped[n])
                    l0, l1, h0, h1 = low[t0], low[t1], high[t0], high[t1]
                    u, v = data[a, n + taps - 1 - t0, m], data[a, n + taps - 1 - t1, m]
                    if step == 0:
                        for x in range(inner):
                            s[x] = l0 * u[x] + l1 * v[x]
                            d[x] = h0 * u[x] + h1 * v[x]
                    else:
                        for x in range(inner):
                            s[x] = (s[x] + l0 * u[x]) + l1 * v[x]
                            d[x] = (d[x] + h0 * u[x]) + h1 * v[x]
    return smooth, detail


@compiled
def along_rows(
    data: np.ndarray, low: np.ndarray, high: np.ndarray, wrapped: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Filter along the last axis of `data`, shape (rows, n + T - 1), where the filter fits: see `across_rows`."""
    taps = low.size
    rows, padded = data.shape
    shape = (rows, padded - taps + 1)
    smooth, detail = np.empty(shape, data.dtype), np.empty(shape, data.dtype)
    for r in range(rows):
        s, d = smooth[r], detail[r]
        for t in range(0, taps, 2):
            l0, l1, h0, h1 = low[t], low[t + 1], high[t], high[t + 1]
            u, v = data[r, taps - 1 - t :], data[r, taps - 2 - t :]
            if t == 0:
                for x in range(shape[1]):
                    s[x] = l0 * u[x] + l1 * v[x]
                    d[x] = h0 * u[x] + h1 * v[x]
            else:
                for x in range(shape[1]):
                    s[x] = (s[x] + l0 * u[x]) + l1 * v[x]
                    d[x] = (d[x] + h0 * u[x]) + h1 * v[x]
    for x in range(shape[1]):
        if wrapped[x] < 2:  # the order is the same
            continue
        smooth[:, x], detail[:, x] = 0, 0
        for step in range(taps):
            t = _turn(step, wrapped[x])
            for r in range(rows):
                smooth[r, x] += low[t] * data[r, x + taps - 1 - t]
                detail[r, x] += high[t] * data[r, x + taps - 1 - t]
    return smooth, detail


@compiled
def _turn(step: int, wrapped: int) -> int:
    """Which coefficient comes at this step."""
    return wrapped - 1 - step if step < wrapped else step
