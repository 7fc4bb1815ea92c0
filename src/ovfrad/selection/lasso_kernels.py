"""The inner loop of the LASSO of smooth losses (numba)."""

from __future__ import annotations

import numpy as np

from ovfrad.evaluation.compiled import compiled


@compiled
def sweep(curvature: np.ndarray, slope: np.ndarray, w: np.ndarray, penalty: np.ndarray, sweeps: int) -> None:
    """Coordinate descent on  w'Hw / 2 + const'w + sum(penalty |w|);  `slope` and `w` change in place.

    Parameters
    ----------
    curvature : ndarray of shape (m, m)
        H, symmetric, its diagonal above 0.
    slope : ndarray of shape (m,)
        Gradient of the quadratic at `w`.
    w, penalty : ndarray of shape (m,)
    sweeps : int
        Most passes over all coordinates; fewer where one changes nothing.
    """
    for _ in range(sweeps):
        still = True
        for j in range(len(w)):
            bend = curvature[j, j]
            wish = w[j] - slope[j] / bend
            room = penalty[j] / bend
            new = wish - room if wish > room else wish + room if wish < -room else 0.0
            step = new - w[j]
            if step != 0.0:
                still = False
                w[j] = new
                for i in range(len(w)):
                    slope[i] += step * curvature[j, i]
        if still:
            return
