"""What each step of a fitted chain kept, as plain numbers and lists, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ovfrad.selection.fused import FusedFeatures


def trace(chain: FusedFeatures, n_rows: int, patients: np.ndarray | None) -> dict[str, Any]:
    """Names and numbers at each step of a chain fitted to `n_rows` rows of `patients` (None: each row its own).

    Returns
    -------
    dict
        `counts` and `names` after radiomics (all), icc, spearman, lasso, prune, deep (all; counted only), pca, fusion
        and fused; `n_rows`, `n_patients`; `batches` (rows of each), `n_batches`, `reference`; `icc_pairs`,
        `icc_patients`; `pca_variance` kept; `alpha_radiomics`, `alpha_fusion` (None where that LASSO did not run).
    """
    names = _names(chain)
    combat, icc, pca = chain.combat_, chain.icc_, chain.pca_
    return {
        "counts": {step: len(kept) for step, kept in names.items()} | {"deep": len(chain.deep_)},
        "names": names,
        "n_rows": n_rows,
        "n_patients": n_rows if patients is None else len(np.unique(patients)),
        "batches": {}
        if combat is None
        else dict(zip(combat.batches_.tolist(), combat.batch_sizes_.tolist(), strict=True)),
        "n_batches": 0 if combat is None else combat.n_batches_,
        "reference": None if combat is None else combat.reference_,
        "icc_pairs": 0 if icc is None else icc.n_pairs_,
        "icc_patients": 0 if icc is None else icc.n_patients_,
        "pca_variance": 0.0 if pca is None else float(pca.explained_variance_ratio_.sum()),
        "alpha_radiomics": None if chain.lasso_ is None else chain.lasso_.alpha_,
        "alpha_fusion": None if chain.fusion_ is None else chain.fusion_.alpha_,
    }


def _names(chain: FusedFeatures) -> dict[str, list[str]]:
    """Names kept after each step; a step that did not run keeps what it was given, or nothing had come to it."""
    names = {"radiomics": list(chain.radiomics_)}
    for step, fitted in (("icc", chain.icc_), ("spearman", chain.spearman_), ("lasso", chain.lasso_)):
        names[step] = [] if fitted is None else list(map(str, fitted.get_feature_names_out()))
    pruned = chain.prune_ or chain.lasso_
    names["prune"] = [] if pruned is None else list(map(str, pruned.get_feature_names_out()))
    names["pca"] = [] if chain.pca_ is None else list(map(str, chain.pca_.get_feature_names_out()))
    return names | {"fusion": list(chain.fusion_columns_), "fused": list(chain.fused_)}
