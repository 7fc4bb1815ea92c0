"""Features of one tuned network turned onto the axes of another (orthogonal Procrustes, Schönemann 1966)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Turn:
    """A shift and a turn of the space of features, without stretching.

    Attributes
    ----------
    theirs, ours : ndarray of shape (d,)
        Means of the same rows in both spaces.
    left, right : ndarray of shape (d, r)
        Orthonormal; the turn is left @ right.T on the space that the rows span, and nothing on the rest.
    """

    theirs: NDArray[np.float64]
    ours: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def learn(cls, theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> Self:
        """From the features (n, d) of the same rows by both networks; class labels are not used."""
        first, second = theirs.mean(0, dtype=float), ours.mean(0, dtype=float)
        a, b = np.asarray(theirs, float) - first, np.asarray(ours, float) - second
        # a.T @ b = qa (ra @ rb.T) qb.T with thin QR of the transposes: an SVD of n x n in place of d x d
        (qa, ra), (qb, rb) = np.linalg.qr(a.T), np.linalg.qr(b.T)
        u, power, vt = np.linalg.svd(ra @ rb.T)
        kept = power > 1e-10 * power.max(initial=0.0)
        return cls(first, second, qa @ u[:, kept], qb @ vt[kept].T)

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (n, d) of their network as ours would have them."""
        turned: NDArray[np.float32] = ((features - self.theirs) @ self.left @ self.right.T + self.ours).astype("f4")
        return turned
