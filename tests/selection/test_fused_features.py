"""The learned chain as a whole: what it keeps, that it learns from training rows alone, that it can be stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone

from ovfrad.errors import InputError
from ovfrad.selection import FusedFeatures
from ovfrad.study.settings import Harmonisation, Selection

OURS = "ovfrad.selection."


def _study(n: int = 160, seed: int = 0, signal: float = 1.0) -> dict[str, Any]:
    """Rows of two scanners: 20 radiomics in four blocks, 40 deep features, a second reader of 30 rows."""
    rng = np.random.default_rng(seed)
    patient = [f"P{i:03d}" for i in np.sort(rng.integers(0, int(0.85 * n), n))]
    index = pd.MultiIndex.from_arrays([patient, [f"V{i}" for i in range(n)]], names=["patient_id", "vertebra"])
    y = rng.choice(3, n, p=[0.46, 0.44, 0.1])
    common = rng.normal(size=(n, 4))
    common[:, 0] += signal * y
    radiomics = np.repeat(common, 5, axis=1) + np.tile([0.2, 0.3, 0.6, 0.9, 1.2], 4) * rng.normal(size=(n, 20))
    deep = np.maximum(rng.normal(size=(n, 6)) @ rng.normal(size=(6, 40)) + rng.normal(size=(n, 40)), 0)
    deep[:, :4] += signal * (y == 2)[:, None]
    batch = rng.choice(["A", "B"], n, p=[0.6, 0.4])
    radiomics[batch == "B"] = 2 * radiomics[batch == "B"] + 3
    names = [f"original_glcm_F{j:02d}" for j in range(20)]
    X = pd.DataFrame(radiomics, index=index, columns=names)
    reader2 = X.iloc[rng.choice(n, 30, replace=False)].copy()
    reader2 += 0.1 * rng.normal(size=reader2.shape)
    reader2["original_glcm_F19"] = rng.normal(size=30)
    X = X.join(pd.DataFrame(deep, index=index, columns=[f"deep_random_{j:04d}" for j in range(40)]))
    return {"X": X, "y": pd.Series(y, index=index), "groups": np.array(patient), "batch": batch, "reader2": reader2}


def _take(study: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    part = {key: study[key][rows] for key in ("groups", "batch")}
    return {**part, "X": study["X"].iloc[rows], "y": study["y"].iloc[rows], "reader2": study["reader2"]}


def test_fused_set_and_trace() -> None:
    study = _study()
    chain = FusedFeatures(arm="random").fit(**study)
    counts, names = chain.trace_["counts"], chain.trace_["names"]
    assert (counts["radiomics"], counts["icc"], counts["deep"]) == (20, 19, 40)
    assert "original_glcm_F19" not in names["icc"]
    assert counts["icc"] >= counts["spearman"] > counts["lasso"] > 0
    assert counts["fusion"] == counts["lasso"] + counts["pca"]
    fused = chain.transform(study["X"], batch=study["batch"])
    assert fused.columns.tolist() == chain.fused_ == names["fused"]
    assert any(name.startswith("pc_") for name in chain.fused_)
    assert any(name.startswith("original_") for name in chain.fused_)
    np.testing.assert_allclose(fused.mean(), 0, atol=1e-9)
    np.testing.assert_allclose(fused.std(ddof=0), 1)
    assert chain.trace_["batches"] == {"A": (study["batch"] == "A").sum(), "B": (study["batch"] == "B").sum()}
    assert (chain.trace_["icc_pairs"], chain.trace_["n_batches"]) == (30, 2)


def test_dense_set_is_all_reproducible_radiomics_and_the_components() -> None:
    study = _study()
    chain = FusedFeatures(arm="random").fit(**study)
    dense = chain.transform_dense(study["X"], batch=study["batch"])
    assert dense.columns.tolist() == chain.trace_["names"]["icc"] + chain.trace_["names"]["pca"]
    in_a, in_b = (dense.loc[study["batch"] == name, "original_glcm_F10"] for name in "AB")
    assert abs(in_a.mean() - in_b.mean()) < 0.2
    assert abs(in_b.std() / in_a.std() - 1) < 0.2


def test_rad_score_is_the_weighted_sum_of_the_fused_set() -> None:
    study = _study()
    for arm in ("random", None):
        chain = FusedFeatures(arm=arm).fit(**study)
        lasso = chain.rad_score_.lasso_
        fused = chain.transform(study["X"], batch=study["batch"])
        by_hand = lasso.intercept_ + fused.to_numpy() @ lasso.coef_[lasso.support_]
        np.testing.assert_allclose(chain.rad_score(study["X"], batch=study["batch"]), by_hand)
        assert set(chain.rad_score_.coefficients()["feature"]) == set(chain.fused_)


def test_columns_in_another_order_change_nothing() -> None:
    study = _study()
    expected = FusedFeatures(arm="random").fit(**study).transform(study["X"], batch=study["batch"])
    for seed in range(3):
        shuffled = {**study, "X": study["X"].sample(frac=1, axis=1, random_state=seed)}
        found = FusedFeatures(arm="random").fit(**shuffled).transform(study["X"], batch=study["batch"])
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_nothing_is_learned_from_rows_that_are_not_given() -> None:
    """Test rows, their labels and their second reader's values may be anything: the chain of the fold is the same."""
    study = _study()
    train, test = np.arange(110), np.arange(110, 160)
    chain = FusedFeatures(arm="random").fit(**_take(study, train))
    spoiled = {**study, "reader2": study["reader2"].copy()}
    outside = ~spoiled["reader2"].index.isin(study["X"].index[train])
    assert outside.any()
    spoiled["reader2"].loc[outside] = 1e6
    again = FusedFeatures(arm="random").fit(**_take(spoiled, train))
    held_out = {"X": study["X"].iloc[test], "batch": study["batch"][test]}
    pd.testing.assert_frame_equal(chain.transform(**held_out), again.transform(**held_out), check_exact=True)


def test_transform_is_row_by_row_and_leaves_the_chain_alone() -> None:
    study = _study()
    chain = FusedFeatures(arm="random").fit(**_take(study, np.arange(110)))
    before = skops.io.dumps(chain.trace_), chain.combat_.gamma_.copy(), chain.pca_.components_.copy()
    rest, batch = study["X"].iloc[110:], study["batch"][110:]
    together = chain.transform(rest, batch=batch)
    for i in (0, 7, 49):
        alone = chain.transform(rest.iloc[[i]], batch=batch[[i]])
        pd.testing.assert_frame_equal(alone, together.iloc[[i]], rtol=1e-9)
    np.testing.assert_array_equal(chain.combat_.gamma_, before[1])
    np.testing.assert_array_equal(chain.pca_.components_, before[2])


def test_no_signal_may_leave_an_empty_fused_set() -> None:
    study = _study(signal=0, seed=3)
    chain = FusedFeatures().fit(**study)
    assert chain.fused_ == []
    assert chain.transform(study["X"], batch=study["batch"]).shape == (160, 0)
    np.testing.assert_allclose(chain.rad_score(study["X"], batch=study["batch"]), study["y"].mean())
    assert chain.transform_dense(study["X"], batch=study["batch"]).shape == (160, 19)


def test_selection_inside_the_fold_does_not_see_noise_as_signal() -> None:
    """Rad-score of held-out rows without signal: correlation with the class averages about 0 (50 held-out rows)."""
    correlations = []
    for seed in range(8):
        study = _study(signal=0, seed=seed)
        chain = FusedFeatures(arm="random", lasso_rule="min").fit(**_take(study, np.arange(110)))
        score = chain.rad_score(study["X"].iloc[110:], batch=study["batch"][110:]).to_numpy()
        if np.ptp(score) > 0:
            correlations.append(np.corrcoef(score, study["y"].iloc[110:])[0, 1])
    assert abs(np.mean([*correlations, 0])) < 3 / np.sqrt(50 * 8)


def test_arms_do_not_see_each_other() -> None:
    study = _study()
    other = study["X"].filter(like="deep_").rename(columns=lambda name: name.replace("random", "imagenet")) * 2
    both = {**study, "X": study["X"].join(other)}
    one = FusedFeatures(arm="random").fit(**study).transform(study["X"], batch=study["batch"])
    two = FusedFeatures(arm="random").fit(**both).transform(both["X"], batch=study["batch"])
    pd.testing.assert_frame_equal(one, two)
    assert FusedFeatures(arm="none").fit(**both).trace_["counts"]["deep"] == 0


def test_any_column_names_and_two_classes() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    X = pd.DataFrame(rng.normal(size=(120, 4)), columns=["pelvic_tilt", "age", "slope", "radius"])
    X["slope"] += 2 * y
    chain = FusedFeatures().fit(X, y)
    assert chain.fused_ == ["slope"]
    unordered = FusedFeatures(ordered=False).fit(X, np.arange(120) % 3)
    assert unordered.rad_score_ is None
    with pytest.raises(ValueError, match=r"a LASSO with one coefficient vector per class gives no rad-score\."):
        unordered.rad_score(X)


def test_paper_recipe_prunes_and_takes_more() -> None:
    study = _study(seed=2)
    selection = Selection(spearman_rule="order", lasso_rule="min", prune_above=0.5)
    chain = FusedFeatures.from_settings(Harmonisation(), selection, arm="random", random_state=3).fit(**study)
    counts = chain.trace_["counts"]
    assert chain.get_params()["random_state"] == 3
    assert counts["prune"] < counts["lasso"]
    kept = chain.transform_dense(study["X"], batch=study["batch"])[chain.trace_["names"]["prune"]]
    assert (kept.corr("spearman").abs() - np.eye(counts["prune"])).max().max() <= 0.5


def test_kinds_of_the_lasso() -> None:
    study = _study()
    for kind, scored in (("ordinal", True), ("cox", True), ("multinomial", False), ("ovr", False)):
        chain = FusedFeatures.from_settings(Harmonisation(), Selection(lasso_kind=kind)).fit(**study)
        assert chain.lasso_.kind == kind
        assert chain.fused_
        assert (chain.rad_score_ is not None) == scored == Selection(lasso_kind=kind).scored(True, 3)
    assert FusedFeatures(ordered=False).fit(**study).lasso_.kind == "ovr"
    assert FusedFeatures(ordered=False, lasso_kind="multinomial").fit(**study).lasso_.kind == "multinomial"
    for kind in ("ordinal", "cox"):
        with pytest.raises(ValueError, match=f"lasso_kind '{kind}' needs classes with an order"):
            FusedFeatures(ordered=False, lasso_kind=kind).fit(**study)


def test_times_choose_the_features_where_they_are_given() -> None:
    study = _study()
    rng = np.random.default_rng(4)
    hazard = study["X"]["original_glcm_F05"] * np.where(study["batch"] == "B", 0.5, 1.0)
    survival = pd.DataFrame({"event": rng.random(len(hazard)) < 0.8, "time": rng.exponential(np.exp(-hazard))})
    survival = survival.set_axis(study["X"].index)[::-1]  # put into the order of the features by its index
    assert FusedFeatures(lasso_kind="cox").fit(**study, survival=survival).fused_ == ["original_glcm_F05"]
    assert FusedFeatures(lasso_kind="cox").fit(**study).fused_ == ["original_glcm_F01"]


def test_no_harmonisation_where_the_study_says_so() -> None:
    study = _study()
    chain = FusedFeatures.from_settings(Harmonisation(batch="none"), Selection()).fit(**study)
    dense = chain.transform_dense(study["X"])
    pd.testing.assert_frame_equal(dense, study["X"][dense.columns])
    assert chain.trace_["n_batches"] == 1
    assert not chain.harmonised(["A", "B"]).any()


def test_unseen_centre_stays_or_is_adapted() -> None:
    study = _study()
    chain = FusedFeatures(unseen="adapt").fit(**study)
    new = study["X"] * 3 + 2
    adapted = chain.adapt(new, batch=["N"] * 160)
    assert chain.harmonised(["A", "N"]).tolist() == [True, False]
    assert adapted.harmonised(["A", "N"]).tolist() == [True, True]
    left = chain.transform_dense(new, batch=["N"] * 160)
    pd.testing.assert_frame_equal(left, new[left.columns])
    spread = adapted.transform_dense(new, batch=["N"] * 160).std().mean()
    assert spread < left.std().mean() / 2


def test_survives_skops_with_our_types_alone() -> None:
    study = _study()
    chain = FusedFeatures(arm="random", prune_above=0.9, unseen="adapt").fit(**study)
    covariates = pd.DataFrame({"sex": np.tile(["F", "M"], 80)}, index=study["X"].index)
    with_covariates = FusedFeatures(arm="random").fit(**study, covariates=covariates)
    for fitted, extra in ((chain, {}), (with_covariates, {"covariates": covariates})):
        stored = skops.io.dumps(fitted)
        types = skops.io.get_untrusted_types(data=stored)
        assert [name for name in types if not name.startswith(OURS)] == []
        loaded = skops.io.loads(stored, trusted=types)
        rows = {"batch": study["batch"], **extra}
        expected = fitted.transform(study["X"], **rows)
        pd.testing.assert_frame_equal(loaded.transform(study["X"], **rows), expected, check_exact=True)
        assert loaded.trace_ == fitted.trace_
        assert loaded.rad_score_.coefficients().equals(fitted.rad_score_.coefficients())


def test_clone_and_repeat_give_the_same() -> None:
    study = _study()
    chain = FusedFeatures(arm="random").fit(**study)
    again = clone(chain).fit(**study)
    rows = {"X": study["X"], "batch": study["batch"]}
    pd.testing.assert_frame_equal(chain.transform(**rows), again.transform(**rows), check_exact=True)


def test_refusals() -> None:
    study = _study()
    holed = study["X"].copy()
    holed.iloc[4, 2] = np.nan
    row = " ".join(holed.index[4])
    with pytest.raises(InputError) as error:
        FusedFeatures().fit(**{**study, "X": holed})
    assert str(error.value) == (
        "E_NOT_FINITE features: column 'original_glcm_F02' has 1 values that are missing or infinite, the first in "
        f"row {row}; leave the column or these rows out, or impute before the study"
    )
    chain = FusedFeatures().fit(**study)
    with pytest.raises(InputError, match="E_NOT_FINITE features: column 'original_glcm_F02' has 1 values"):
        chain.transform(holed, batch=study["batch"])
    with pytest.raises(InputError) as error:
        chain.transform(study["X"].drop(columns="original_glcm_F05"), batch=study["batch"])
    assert str(error.value) == (
        "E_FEATURES_ABSENT features: 1 of 20 features are absent, the first 'original_glcm_F05'; "
        "extract them with the settings of the study"
    )
    flat = pd.DataFrame({"volume": 1.0, "height": 2.0}, index=study["X"].index)
    with pytest.raises(InputError) as error:
        FusedFeatures().fit(flat, study["y"])
    assert str(error.value) == (
        "E_NO_FEATURES features: no feature is left after the filters; lower icc_min, or look at the feature table"
    )
    with pytest.raises(InputError, match="E_COLUMN_TWICE features: column 'volume' occurs twice; keep one"):
        FusedFeatures().fit(pd.concat([flat, flat], axis=1), study["y"])
    with pytest.raises(TypeError, match=r"X must be a DataFrame with the names of the features; got ndarray\."):
        FusedFeatures().fit(flat.to_numpy(), study["y"])
