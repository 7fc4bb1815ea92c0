"""What the filters did and what the chosen features mean here: reproducibility, redundancy, direction (E2, E3, E8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ovfrad.selection.spearman import absolute_spearman

MOST_DRAWN = 3000
"""Features beyond which the matrix of correlations is neither kept nor drawn."""


def reproducibility(names: NDArray, icc: NDArray[np.float64], lower: NDArray[np.float64], kept: NDArray[np.bool_]) -> (
    pd.DataFrame
):  # fmt: skip
    """ICC of every feature that two outlines measured, highest first.

    Returns
    -------
    DataFrame
        feature, icc, lower (limit of the 95% interval), kept.
    """
    table = pd.DataFrame({"feature": list(map(str, names)), "icc": icc, "lower": lower, "kept": kept})
    return table[table["icc"].notna()].sort_values("icc", ascending=False, kind="stable").reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Redundancy:
    """Features that say the same, and which of them stayed.

    Parameters
    ----------
    members : DataFrame
        feature, stands_in (the kept feature nearest to it; itself where kept), rho (their |Spearman rho|).
    order : tuple of str
        Features side by side as average linkage of 1 - |rho| puts them; empty where there are too many to draw.
    rho : ndarray of uint8 of shape (n, n)
        |rho| in that order, 0..255.
    """

    members: pd.DataFrame
    order: tuple[str, ...]
    rho: NDArray[np.uint8]

    def clusters(self) -> pd.DataFrame:
        """Kept features with the number of those that they stand for, largest first.

        Returns
        -------
        DataFrame
            feature, size (with itself), least_rho, others (names).
        """
        rows = []
        for name, part in self.members.groupby("stands_in", sort=True):
            others = part[part["feature"] != name]
            least = float(others["rho"].min()) if len(others) else np.nan
            rows.append((name, len(part), least, ", ".join(others["feature"])))
        table = pd.DataFrame(rows, columns=["feature", "size", "least_rho", "others"])
        return table.sort_values("size", ascending=False, kind="stable").reset_index(drop=True)


def redundancy(frame: pd.DataFrame, kept: list[str]) -> Redundancy:
    """Nearest kept feature of every feature that varies.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        Training rows as the filter saw them.
    kept : list of str
        Columns that it kept.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [1.0, 4, 9, 17], "c": [2.0, 1, 4, 3]})
    >>> redundancy(frame, ["b", "c"]).clusters()[["feature", "size"]].values.tolist()
    [['b', 2], ['c', 1]]
    """
    varied = frame.loc[:, frame.nunique() > 1]
    rho = absolute_spearman(varied.to_numpy(float))
    names = [str(name) for name in varied.columns]
    chosen = np.array([names.index(name) for name in kept if name in set(names)], dtype=int)
    nearest = chosen[rho[:, chosen].argmax(axis=1)] if len(chosen) else np.arange(len(names))
    nearest[chosen] = chosen
    members = pd.DataFrame(
        {
            "feature": names,
            "stands_in": [names[j] for j in nearest],
            "rho": rho[np.arange(len(names)), nearest],
        }
    )
    order = _side_by_side(rho) if 2 < len(names) <= MOST_DRAWN else np.zeros(0, dtype=int)
    drawn = np.round(255 * rho[np.ix_(order, order)]).astype(np.uint8)
    return Redundancy(members, tuple(names[j] for j in order), drawn)


def _side_by_side(rho: NDArray[np.float64]) -> NDArray[np.int_]:
    """Order of the leaves of average linkage of 1 - |rho|."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distance = np.maximum(1 - (rho + rho.T) / 2, 0)
    np.fill_diagonal(distance, 0)
    leaves: NDArray[np.int_] = leaves_list(linkage(squareform(distance, checks=False), "average"))
    return leaves


def directions(frame: pd.DataFrame, codes: NDArray[np.integer], classes: tuple[str, ...]) -> pd.DataFrame:
    """Mean of every feature in each class, and Spearman's rho with the class code; training rows.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows,)
        Class codes 0 .. K-1.
    classes : tuple of str

    Returns
    -------
    DataFrame
        feature, rho (NaN for a constant), mean_<class> for each class, sd (of all rows).

    Examples
    --------
    >>> directions(pd.DataFrame({"a": [1.0, 2, 3, 4]}), np.array([0, 0, 1, 1]), ("no", "yes")).round(2).values.tolist()
    [['a', 0.89, 1.5, 3.5, 1.29]]
    """
    ranks = frame.rank().to_numpy()
    order = pd.Series(codes).rank().to_numpy()
    ranks, order = ranks - ranks.mean(axis=0), order - order.mean()
    size = np.sqrt((ranks**2).sum(axis=0) * (order**2).sum())
    rho = np.divide(order @ ranks, size, out=np.full(frame.shape[1], np.nan), where=size > 0)
    table = pd.DataFrame({"feature": list(map(str, frame.columns)), "rho": rho})
    for k, name in enumerate(classes):
        table[f"mean_{name}"] = frame.to_numpy(float)[codes == k].mean(axis=0)
    return table.assign(sd=frame.to_numpy(float).std(axis=0, ddof=1))
