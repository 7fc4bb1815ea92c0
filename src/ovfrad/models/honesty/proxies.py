"""Columns that are the outcome in other words, or a part of it (METHODS A6)."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import rankdata

from ovfrad.astlof import LABEL_COMPONENTS
from ovfrad.models.honesty.check import Check
from ovfrad.models.rows import Rows
from ovfrad.selection.columns import families

PROXY = 0.998
"""One-vs-rest AUC of a single column from which it may be the outcome in other words. (Spondylolisthesis is told by
its grade, the very measure that defines it, with .992 in the UCI Vertebral Column data.)"""
SAME = 0.95
"""|Spearman| with a part of the label from which a column is that part."""
SAME_CUTS = 0.998
"""The same as AUC, at every step of a part of the label with few levels."""
FEW_LEVELS = 9
LEAST = 5
"""Rows on either side of a comparison below which it is not made."""
LEVEL = 0.001
"""Chance, over all columns, at which a column without signal is called any of this."""
ALWAYS = {"label", "target", "outcome"}
TOKENS = {"tscore", "dxa", "dexa", "bmd", "stir", "oedema", "edema", "vas", "odi", "pain", "astlof", "surgery",
          "surgical", "conservative", "kyphoplasty", "vertebroplasty", "treatment"}  # fmt: skip
"""Words in a column's name that speak of DXA, MRI, pain, or of what was done afterwards: of the ASTLOF label."""


def numeric_columns(rows: Rows) -> pd.DataFrame:
    """Features and numeric clinical columns that vary; gaps of features take the median."""
    features = rows.X.fillna(rows.X.median())
    frame = features if rows.clinical is None else pd.concat([features, rows.clinical], axis=1)
    frame = frame.loc[:, ~frame.columns.duplicated()].select_dtypes("number").astype(float)
    values = frame.to_numpy()
    return frame.loc[:, np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)]


def of_tables(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns that are neither radiomics nor deep features by their names."""
    return frame.loc[:, [kind == "other" for kind in families(map(str, frame.columns))]]


def rank_aucs(ranks: np.ndarray, case: np.ndarray) -> np.ndarray:
    """AUC of every column of ranks (midranks of ties), shape (n_columns,)."""
    m = int(case.sum())
    return (ranks[case].sum(axis=0) - m * (m + 1) / 2) / (m * (len(ranks) - m))


def label_proxy(frame: pd.DataFrame, codes: np.ndarray) -> Check:
    """Ask whether a single column tells a class from the others as only the outcome itself should (A6)."""
    counts = np.bincount(codes)
    classes = [k for k in range(len(counts)) if min(counts[k], len(codes) - counts[k]) >= LEAST]
    if not frame.shape[1] or not classes:
        return Check("label proxy", "PASS", None, PROXY, "No column varies, or no class has five rows to compare.")
    ranks = rankdata(frame.to_numpy(), axis=0)
    found = np.array([np.abs(rank_aucs(ranks, codes == k) - 0.5) + 0.5 for k in classes])
    k, j = np.unravel_index(int(found.argmax()), found.shape)
    best, name = float(found[k, j]), str(frame.columns[j])
    told = f"the best single column, {name}, reads AUC {best:.3f} for class {classes[k]} against the others"
    if best < PROXY or _by_chance(len(codes), int(counts[classes[k]]), found.size) > LEVEL:
        return Check("label proxy", "PASS", best, PROXY, f"No column is the outcome in other words: {told}.")
    exact = [str(column) for column in frame.columns[(found >= PROXY).any(axis=0)] if _tells(frame[column], codes)]
    if exact:
        text = f"Column {exact[0]} tells every class without error: it is the outcome, or made from it."
        return Check("label proxy", "FAIL", best, PROXY, text)
    text = f"A column may be the outcome in other words: {told}. Leave it out if it is part of the label or follows it."
    return Check("label proxy", "WARN", best, PROXY, text)


def _by_chance(n: int, m: int, looked_at: int) -> float:
    """Expected number of columns without signal that separate m of n rows from the rest."""
    return float(np.exp(np.log(2.0 * looked_at) + gammaln(m + 1) + gammaln(n - m + 1) - gammaln(n + 1)))


def _tells(column: pd.Series, codes: np.ndarray) -> bool:
    """Whether the classes lie in ranges of this column that do not meet."""
    spans = sorted((column[codes == k].min(), column[codes == k].max()) for k in np.unique(codes))
    return all(upper < lower for (_, upper), (lower, _) in pairwise(spans))


def label_parts(frame: pd.DataFrame, cases: pd.DataFrame, outcome: str) -> Check:
    """Compare every column with the parts of the label that the case table knows, and its name with their words (A6).

    A renamed, rescaled or binned T-score or MRI item follows the original; one that is in no case table is found by
    its name alone. Radiomics and deep features are measurements, and may follow what is seen in CT: they are not
    looked at.
    """
    frame = of_tables(frame)
    parts = [name for name in LABEL_COMPONENTS if name not in ("astlof_class", outcome)]
    label = {_plain(name) for name in LABEL_COMPONENTS}
    by_leave = [str(name) for name in frame.columns if _plain(str(name)) in label]
    if by_leave:
        text = f"Column {by_leave[0]} is part of the label or follows from it, and is used at the user's wish."
        return Check("label parts", "WARN", len(by_leave), 0, text)
    for part in (name for name in parts if name in cases and cases[name].notna().any()):
        followers = _followers(frame, cases[part])
        if followers:
            text = f"Column {followers[0]} follows {part}, which is the label, part of it or its consequence."
            return Check("label parts", "FAIL", len(followers), 0, text)
    words = ALWAYS | {word.lower() for word in re.split(r"[^A-Za-z]+", outcome) if len(word) > 3}
    words |= TOKENS if outcome == "astlof_class" else set()
    named = [str(name) for name in frame.columns if _tokens(str(name)) & words]
    if named:
        text = f"Column {named[0]} is named as if it were part of the label or followed it; leave it out if it does."
        return Check("label parts", "WARN", len(named), 0, text)
    return Check("label parts", "PASS", 0, 0, f"No column follows a part of the label ({frame.shape[1]} looked at).")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _tokens(name: str) -> set[str]:
    """Words of a column's name, also two neighbours as one: T-Score holds tscore."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return {*words, *("".join(pair) for pair in pairwise(words))}


def _followers(frame: pd.DataFrame, part: pd.Series) -> list[str]:
    """Columns in step with a part of the label, on the rows where it is known."""
    known = part.notna().to_numpy()
    if not frame.shape[1] or known.sum() < 2 * LEAST:
        return []
    part, frame = part[known], frame[known]
    if not pd.api.types.is_numeric_dtype(part):
        found = [_steps(frame.to_numpy(), (part == level).to_numpy(float)) for level in part.unique()]
        return [str(name) for name in frame.columns[np.max(found, axis=0) >= SAME_CUTS]]
    numbers = part.to_numpy(dtype=float)
    if len(np.unique(numbers)) <= FEW_LEVELS:
        return [str(name) for name in frame.columns[_steps(frame.to_numpy(), numbers) >= SAME_CUTS]]
    ranks = rankdata(frame.to_numpy(), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.abs(np.nan_to_num(np.corrcoef(ranks.T, rankdata(numbers))[-1, :-1]))
    binned = [n for n in frame.columns if frame[n].nunique() <= FEW_LEVELS]
    in_step = [str(n) for n in binned if _steps(numbers[:, None], frame[n].to_numpy())[0] >= SAME_CUTS]
    return list(dict.fromkeys([*(str(name) for name in frame.columns[rho >= SAME]), *in_step]))


def _steps(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Least AUC of each column over the steps of `levels`, in one direction; 0 without a step that can be judged."""
    ranks = rankdata(values, axis=0)
    cuts = [cut for cut in np.unique(levels)[1:] if min((levels >= cut).sum(), (levels < cut).sum()) >= LEAST]
    if not cuts:
        return np.zeros(values.shape[1])
    rising = np.array([rank_aucs(ranks, levels >= cut) for cut in cuts])
    return np.maximum(rising.min(axis=0), (1 - rising).min(axis=0))
