"""Small tables without signal, each with the structure that one kind of leak feeds on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ovfrad.models.rows import Rows


def rows_of(X: np.ndarray, codes: np.ndarray, patients: list[str], **more: object) -> Rows:
    """Rows of patients with one or more vertebrae; columns f000, f001, ..."""
    vertebra = [f"T{5 + i}" for i in pd.Series(patients).groupby(patients).cumcount()]
    index = pd.MultiIndex.from_arrays([patients, vertebra], names=["patient_id", "vertebra"])
    frame = pd.DataFrame(X, index=index, columns=[f"f{j:03d}" for j in range(X.shape[1])])
    return Rows(frame, pd.Series(codes, index=index), np.array(patients, dtype=object), **more)  # type: ignore[arg-type]


def names(n: int, letter: str = "P") -> list[str]:
    """P000, P001, ..."""
    return [f"{letter}{i:03d}" for i in range(n)]


def noise(n: int = 45, p: int = 12, seed: int = 0, share: float = 0.5) -> Rows:
    """Independent normal numbers; `share` of the rows are of class 1."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(n) < round(share * n)).astype(int)
    return rows_of(rng.normal(size=(n, p)), rng.permutation(codes), names(n))


def wide(seed: int = 0) -> Rows:
    """More columns than rows, among which some fit any labels."""
    return noise(60, 300, seed)


def few(seed: int = 0) -> Rows:
    """Thirty rows: ten to be judged on, among which the best of several models is a matter of luck."""
    return noise(30, 12, seed)


def rare(seed: int = 0) -> Rows:
    """A quarter of the rows are of class 1, so that a user would oversample it."""
    return noise(80, 6, seed, share=0.25)


def siblings(seed: int = 0) -> Rows:
    """Three vertebrae a patient, alike as those of one spine, of one class."""
    rng = np.random.default_rng(seed)
    spine = rng.normal(size=(30, 8))
    X = np.repeat(spine, 3, axis=0) + rng.normal(scale=0.2, size=(90, 8))
    codes = np.repeat(rng.permutation(np.arange(30) % 2), 3)
    return rows_of(X, codes, [name for name in names(30) for _ in range(3)])


def copies(seed: int = 0) -> Rows:
    """Every case twice, the second time under another patient's name; `groups` knows which are one."""
    one = noise(36, 8, seed)
    twin = one.X.set_axis(pd.MultiIndex.from_arrays([names(36, "Q"), ["T5"] * 36], names=one.X.index.names))
    X = pd.concat([one.X, twin])
    return Rows(X, pd.Series(np.tile(one.codes, 2), index=X.index), np.tile(one.groups, 2))


def scanners(seed: int = 0) -> Rows:
    """Fifteen scanners of four cases each, with shifts of their own."""
    rng = np.random.default_rng(seed)
    one = noise(60, 80, seed)
    batch = np.array([f"S{i:02d}" for i in np.arange(60) % 15], dtype=object)
    shift = rng.normal(size=(15, 80))[np.arange(60) % 15]
    return replace(one, X=one.X + shift, batch=batch)


def two_readers(seed: int = 0) -> Rows:
    """A second reader of every case; the ICC of the columns falls from nearly 1 to below 0.5."""
    rng = np.random.default_rng(seed)
    one = noise(60, 12, seed)
    return replace(one, reader2=one.X + rng.normal(size=one.X.shape) * np.linspace(0.1, 1.5, 12))


def gaps(seed: int = 0) -> Rows:
    """Half of the cells are empty."""
    one = noise(60, 12, seed)
    return replace(one, X=one.X.mask(np.random.default_rng(seed + 1).random(one.X.shape) < 0.5))
