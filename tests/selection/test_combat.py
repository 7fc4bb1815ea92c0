"""ComBat: the R package's numbers, what it may not do, and the odd batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.selection import ComBat
from ovfrad.selection.shrinkage import shrink

R_TOLERANCE = 1e-3  # the published files stop R's empirical Bayes iteration at a relative change of 1e-4
R_CLOSED_FORM = 1e-9  # without that iteration both are closed formulas
R_CONVERGED = 1e-6  # sva's iteration run to a relative change of 1e-14 (combat_sva.R)
REFERENCE = Path(__file__).parents[1] / "reference" / "selection"
BATCH = np.repeat(["one", "two"], 5)
COVARIATE = pd.DataFrame({"disease": [1, 0] * 5})


def _images(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "data/combat/input.csv").T.reset_index(drop=True)


def _options() -> list[str]:
    found = []
    for prior in ("parametric", "nonparametric"):
        for covariate in ("adjusted", "unadjusted"):
            for rest in ("", "_batchref", "_meanonly", "_meanonly_batchref", "_noeb", "_noeb_batchref",
                         "_noeb_meanonly", "_noeb_meanonly_batchref"):  # fmt: skip
                found.append(f"{prior}_{covariate}{rest}")
    return found


@pytest.mark.parametrize("options", _options())
def test_equals_r_for_every_option_set(options: str, shared: Path) -> None:
    expected = pd.read_csv(shared / f"data/combat/testdata_combat_{options}_r.csv").T.to_numpy()[-10:]
    X, parts = _images(shared), options.split("_")
    combat = ComBat(
        parametric="parametric" in parts,
        empirical_bayes="noeb" not in parts,
        mean_only="meanonly" in parts,
        reference="one" if "batchref" in parts else None,
    )
    rows = {"batch": BATCH, "covariates": COVARIATE if "adjusted" in parts else None}
    found = combat.fit(X, **rows).transform(X, **rows)
    iterated = "parametric" in parts and "noeb" not in parts and "meanonly" not in parts
    np.testing.assert_allclose(found, expected, rtol=0, atol=R_TOLERANCE if iterated else R_CLOSED_FORM)


def _of_sva() -> list[tuple[str, bool, bool, str]]:
    keys = ["prior", "adjusted", "mean_only", "reference"]
    table = pd.read_csv(REFERENCE / "combat_sva.csv", usecols=keys, keep_default_na=False)
    return [tuple(row) for row in table.drop_duplicates().to_numpy()]


@pytest.mark.parametrize(("prior", "adjusted", "mean_only", "reference"), _of_sva())
def test_equals_sva_run_to_convergence(prior: str, adjusted: bool, mean_only: bool, reference: str) -> None:
    """Three batches of 7 to 9 rows, a number and a category as covariates, 20 features."""
    data = pd.read_csv(REFERENCE / "combat_sva_data.csv")
    X, covariates = data.filter(regex=r"^f\d"), data[["age", "female"]] if adjusted else None
    combat = ComBat(parametric=prior == "parametric", mean_only=mean_only, reference=reference or None)
    found = combat.fit(X, batch=data["batch"], covariates=covariates).transform(
        X, batch=data["batch"], covariates=covariates
    )
    table = pd.read_csv(REFERENCE / "combat_sva.csv", keep_default_na=False)
    own = table.query(
        "prior == @prior and adjusted == @adjusted and mean_only == @mean_only and reference == @reference"
    )
    np.testing.assert_allclose(found, own[X.columns].astype(float), rtol=0, atol=R_CONVERGED)


def test_sva_covers_every_option_set_once() -> None:
    assert len(_of_sva()) == 16


def test_trained_with_a_covariate_and_applied_without_it(shared: Path) -> None:
    X = _images(shared)
    combat = ComBat(reference=None).fit(X, batch=BATCH, covariates=COVARIATE)
    rows = [0, 1, 5, 6]
    expected = pd.read_csv(shared / "data/combat/training_test_scenario2_r.csv").T
    np.testing.assert_allclose(combat.transform(X.iloc[rows], batch=BATCH[rows]), expected, atol=R_TOLERANCE)


def test_parametric_estimates_solve_the_posterior_equations(scanners: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, batch = scanners
    rows = X[batch == "B"].to_numpy()
    standard = (rows - X.to_numpy().mean(axis=0)) / X.to_numpy().std(axis=0)
    gamma, delta = shrink(standard, np.ones(X.shape[1], dtype=bool), True, True, False)
    n, plain, ratio = len(rows), standard.mean(axis=0), standard.var(axis=0, ddof=1)
    tau, mean, variance = plain.var(ddof=1), ratio.mean(), ratio.var(ddof=1)
    shape, scale = (2 * variance + mean**2) / variance, (mean * variance + mean**3) / variance
    np.testing.assert_allclose(gamma, (n * tau * plain + delta * plain.mean()) / (n * tau + delta), rtol=1e-9)
    total = ((standard - gamma) ** 2).sum(axis=0)
    np.testing.assert_allclose(delta, (scale + total / 2) / (n / 2 + shape - 1), rtol=1e-9)


@pytest.fixture
def scanners() -> tuple[pd.DataFrame, np.ndarray]:
    """120 rows x 30 features; scanner B shifted and stretched; an index that is not 0, 1, 2, ..."""
    rng = np.random.default_rng(7)
    batch = rng.permutation(np.repeat(["A", "B"], [70, 50]))
    values = 10 + rng.normal(size=(120, 30))
    values[batch == "B"] = 14 + 2 * (values[batch == "B"] - 10)
    index = pd.Index([f"P{i:03d}" for i in rng.permutation(120)], name="patient_id")
    return pd.DataFrame(values, index=index, columns=[f"f{j:02d}" for j in range(30)]), batch


@pytest.mark.parametrize("parametric", [True, False])
def test_the_largest_batch_stays_and_the_other_comes_to_it(scanners, parametric: bool) -> None:
    X, batch = scanners
    combat = ComBat(parametric=parametric).fit(X, batch=batch)
    after = combat.transform(X, batch=batch)
    assert combat.reference_ == "A"
    pd.testing.assert_frame_equal(after[batch == "A"], X[batch == "A"])
    assert abs(after[batch == "B"].mean().mean() - X[batch == "A"].mean().mean()) < 0.1
    assert abs(after[batch == "B"].std().mean() / X[batch == "A"].std().mean() - 1) < 0.05


def test_a_row_is_corrected_alone_as_among_others(scanners) -> None:
    X, batch = scanners
    combat = ComBat().fit(X, batch=batch)
    row = int(np.flatnonzero(batch == "B")[3])
    alone = combat.transform(X.iloc[[row]], batch=batch[[row]])
    pd.testing.assert_frame_equal(alone, combat.transform(X, batch=batch).iloc[[row]])


def test_the_outcome_changes_nothing(scanners) -> None:
    X, batch = scanners
    one = ComBat().fit(X, np.zeros(120), batch=batch).transform(X, batch=batch)
    other = ComBat().fit(X, np.arange(120), batch=batch).transform(X, batch=batch)
    pd.testing.assert_frame_equal(one, other)


def test_series_go_by_index_and_arrays_by_position(scanners) -> None:
    X, batch = scanners
    shuffled = pd.Series(batch, index=X.index).sample(frac=1, random_state=0)
    expected = ComBat().fit(X, batch=batch).transform(X, batch=batch)
    pd.testing.assert_frame_equal(ComBat().fit(X, batch=shuffled).transform(X, batch=shuffled), expected)
    with pytest.raises(InputError) as error:
        ComBat().fit(X, batch=shuffled.rename(index=str.lower))
    assert str(error.value) == (
        "E_ROWS batch: its index is not that of the features; index both by the same patient_id and vertebra"
    )


def test_one_batch_is_nothing_to_learn(scanners) -> None:
    X, _ = scanners
    combat = ComBat().fit(X, batch=["A"] * 120)
    assert combat.n_batches_ == 1
    pd.testing.assert_frame_equal(combat.transform(X, batch=["Z"] * 120), X)
    assert not combat.harmonised(["A", "Z"]).any()


def test_an_unseen_batch_stays_as_it_is_and_is_named(scanners) -> None:
    X, batch = scanners
    combat = ComBat().fit(X, batch=batch)
    new = np.where(np.arange(120) < 5, "C", batch).astype(object)
    new[0] = None
    after = combat.transform(X, batch=new)
    pd.testing.assert_frame_equal(after.iloc[:5], X.iloc[:5])
    assert combat.not_seen(new) == ["not stated", "C"]
    assert combat.harmonised(new).tolist() == [False] * 5 + [True] * 115


def test_a_batch_of_one_row_moves_and_is_not_stretched(scanners) -> None:
    X, batch = scanners
    lone = batch.astype(object)
    lone[0] = "C"
    combat = ComBat(empirical_bayes=False).fit(X, batch=lone)
    i = combat.batches_.tolist().index("C")
    assert (combat.delta_[i] == 1).all()
    after = combat.transform(X, batch=lone)
    np.testing.assert_allclose(after.iloc[0], X[lone == "A"].mean())


@pytest.mark.parametrize("parametric", [True, False])
def test_constant_features_stay_and_disturb_nothing(scanners, parametric: bool) -> None:
    X, batch = scanners
    wide = X.assign(always=0.1, per_scanner=np.where(batch == "A", 1.0, 3.0))
    after = ComBat(parametric=parametric).fit(wide, batch=batch).transform(wide, batch=batch)
    assert (after["always"] == 0.1).all()
    np.testing.assert_allclose(after["per_scanner"], 1.0)
    plain = ComBat(parametric=parametric).fit(X, batch=batch).transform(X, batch=batch)
    pd.testing.assert_frame_equal(after[X.columns], plain)


def test_covariates_are_kept(scanners) -> None:
    X, _ = scanners
    rng = np.random.default_rng(3)
    sex = rng.choice(["F", "M"], 120)
    batch = np.where(rng.random(120) < np.where(sex == "F", 0.8, 0.2), "A", "B")
    true = rng.normal(size=X.shape) + 2.0 * (sex == "M")[:, None]
    seen = pd.DataFrame(true + 3.0 * (batch == "B")[:, None], index=X.index, columns=X.columns)
    sexes = pd.DataFrame({"sex": sex}, index=X.index)
    kept = ComBat().fit(seen, batch=batch, covariates=sexes).transform(seen, batch=batch, covariates=sexes)
    lost = ComBat().fit(seen, batch=batch).transform(seen, batch=batch)
    difference = [frame[sex == "M"].mean().mean() - frame[sex == "F"].mean().mean() for frame in (kept, lost)]
    assert abs(difference[0] - 2) < 0.2
    assert difference[1] < 1.5


def test_adapt_learns_a_new_centre_from_unlabelled_rows(scanners) -> None:
    X, batch = scanners
    combat = ComBat(unseen="adapt").fit(X, batch=batch)
    centre = X[batch == "A"].iloc[:40] * 3 + 5
    before = combat.gamma_.copy()
    adapted = combat.adapt(centre, ["N"] * 40)
    assert adapted.adapted_ == ["N"]
    assert adapted.batches_.tolist() == ["A", "B", "N"]
    after = adapted.transform(centre, batch=["N"] * 40)
    assert abs(after.mean().mean() - X[batch == "A"].mean().mean()) < 0.1
    pd.testing.assert_frame_equal(adapted.transform(X, batch=batch), combat.transform(X, batch=batch))
    np.testing.assert_array_equal(combat.gamma_, before)
    assert combat.batches_.tolist() == ["A", "B"]


def test_adapt_needs_enough_cases_and_permission(scanners) -> None:
    X, batch = scanners
    combat = ComBat(unseen="adapt").fit(X, batch=batch)
    with pytest.warns(InputWarning) as caught:
        combat.adapt(X.iloc[:29], ["N"] * 29)
    assert str(caught[0].message) == (
        "W_BATCH_ADAPT batch: only 29 cases of 'N' to learn its location and scale; the correction is rough below 30"
    )
    with pytest.raises(InputError) as error:
        combat.adapt(X.iloc[:9], ["N"] * 9)
    assert str(error.value) == (
        "E_BATCH_ADAPT batch: 9 cases of 'N', too few to learn its location and scale; 10 are needed, 30 are enough"
    )
    with pytest.raises(InputError, match="an unseen batch is left as it is under `unseen: none`"):
        ComBat().fit(X, batch=batch).adapt(X, ["N"] * 120)


def test_refusals(scanners) -> None:
    X, batch = scanners
    missing = batch.astype(object)
    missing[:3] = None
    with pytest.raises(InputError, match="E_BATCH_MISSING batch: 3 of 120 training rows name no batch; "):
        ComBat().fit(X, batch=missing)
    with pytest.raises(InputError, match="E_BATCH_REFERENCE batch: no training row of 'Z'; name one of A, B"):
        ComBat(reference="Z").fit(X, batch=batch)
    with pytest.raises(InputError, match="E_BATCH_NONE batch: the features were harmonised over A, B, and these rows"):
        ComBat().fit(X, batch=batch).transform(X)
    confounded = pd.DataFrame({"age": np.where(batch == "A", 60.0, 70.0)}, index=X.index)
    with pytest.raises(InputError, match=r"E_BATCH_CONFOUNDED covariates: \['age'\] cannot be told from the batch"):
        ComBat().fit(X, batch=batch, covariates=confounded)
    gap = pd.DataFrame({"age": np.r_[np.nan, np.arange(119)]}, index=X.index)
    with pytest.raises(InputError, match="E_COVARIATES covariates: a value is missing"):
        ComBat().fit(X, batch=batch, covariates=gap)
    with pytest.raises(InputError, match="E_ROWS batch: 2 for 120 rows of features; give one value for each row"):
        ComBat().fit(X, batch=["A", "B"])
