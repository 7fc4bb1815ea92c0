"""ICC, Spearman and pruning filters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata, spearmanr

from ovfrad.errors import InputError, InputWarning
from ovfrad.evaluation.agreement import icc
from ovfrad.selection import CorrelationPrune, IccFilter, SpearmanFilter
from ovfrad.selection.spearman import midranks


def _readers(n: int = 40, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two readers of n patients: one feature they agree on, one with an offset, one of noise, one deep."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_arrays([[f"P{i:03d}" for i in range(n)], ["L1"] * n], names=["patient_id", "vertebra"])
    true = rng.normal(size=n)
    first = pd.DataFrame({"volume": true, "offset": true, "noise": rng.normal(size=n)}, index=index)
    second = pd.DataFrame(
        {"volume": true + 0.1 * rng.normal(size=n), "offset": true + 2, "noise": rng.normal(size=n)}, index=index
    )
    return first.assign(deep_random_0000=rng.normal(size=n)), second


def test_icc_keeps_what_readers_agree_on_and_exempts_deep_features() -> None:
    first, second = _readers()
    fitted = IccFilter(0.8).fit(first, reader2=second)
    assert fitted.get_feature_names_out().tolist() == ["volume", "deep_random_0000"]
    assert (fitted.n_pairs_, fitted.n_patients_) == (40, 40)
    assert fitted.lower_[0] < fitted.icc_[0] < 1
    assert np.isnan(fitted.icc_[3])


def test_icc_is_the_absolute_agreement_of_evaluation() -> None:
    first, second = _readers()
    fitted = IccFilter(level=0.9).fit(first, reader2=second)
    agreement = icc(first[second.columns], second, kind="2,1", level=0.9)
    np.testing.assert_allclose(fitted.icc_[:3], agreement.estimate)
    np.testing.assert_allclose(fitted.lower_[:3], agreement.low)


def test_icc_of_other_kinds() -> None:
    """A constant offset between readers costs agreement and not consistency."""
    first, second = _readers()
    kept = {kind: IccFilter(0.8, kind=kind).fit(first, reader2=second) for kind in ("1,1", "2,1", "3,1")}
    at = list(first.columns).index("offset")
    assert [bool(one.support_[at]) for one in kept.values()] == [False, False, True]
    for kind, one in kept.items():
        found = icc(first["offset"].to_numpy(), second["offset"].to_numpy(), kind=kind)
        np.testing.assert_allclose(
            [one.icc_[at], one.lower_[at], one.upper_[at]], np.ravel([found.estimate, found.low, found.high])
        )


def test_icc_lower_bound_is_stricter() -> None:
    first, second = _readers(14)
    second["volume"] = first["volume"] + 0.8 * np.random.default_rng(1).normal(size=14)
    by_estimate = IccFilter(0.8, bound="estimate").fit(first, reader2=second)
    by_lower = IccFilter(0.8, bound="lower").fit(first, reader2=second)
    assert by_estimate.support_[0]
    assert not by_lower.support_[0]


def test_icc_uses_only_rows_of_x() -> None:
    first, second = _readers()
    part = IccFilter().fit(first.iloc[:25], reader2=second)
    again = IccFilter().fit(first.iloc[:25], reader2=second.iloc[:25].sample(frac=1, random_state=0))
    assert part.n_pairs_ == 25
    np.testing.assert_allclose(part.icc_[:3], again.icc_[:3])


def test_icc_without_second_reader_keeps_all_and_says_so() -> None:
    first, second = _readers()
    for reader2 in (None, second.iloc[:0], second.rename(index=str.lower, level=0)):
        fitted = IccFilter().fit(first, reader2=reader2)
        assert fitted.support_.all()
        assert fitted.n_pairs_ == 0


def test_icc_of_few_patients_warns() -> None:
    first, second = _readers()
    with pytest.warns(InputWarning) as caught:
        IccFilter().fit(first, reader2=second.iloc[:9])
    assert str(caught[0].message) == (
        "W_ICC_FEW reproducibility: fewer than 10 training patients have a second outline (a reader's or a perturbed "
        "one); the choice of reproducible features is unsure"
    )


def test_icc_of_identical_constant_columns_is_full_agreement() -> None:
    first, second = _readers()
    fitted = IccFilter().fit(first.assign(volume=3.0), reader2=second.assign(volume=3.0))
    assert fitted.icc_[0] == 1
    assert fitted.support_[0]


def test_icc_refuses_an_unlike_reader() -> None:
    first, second = _readers()
    with pytest.raises(InputError) as error:
        IccFilter().fit(first, reader2=second.drop(columns="noise"))
    assert str(error.value) == (
        "E_READER2 second reader: 1 features of reader 1 are absent, the first 'noise'; "
        "give both readers the same columns"
    )
    second.iloc[3, 1] = np.inf
    with pytest.raises(InputError) as error:
        IccFilter().fit(first, reader2=second)
    assert str(error.value) == (
        "E_NOT_FINITE second reader: column 'offset' has 1 values that are missing or infinite, the first in row "
        "P003 L1; leave the column or these rows out, or impute before the study"
    )


def _blocks(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(80, 6))
    values = np.repeat(common, 5, axis=1) + 0.25 * rng.normal(size=(80, 30))
    frame = pd.DataFrame(values, columns=[f"f{j:02d}" for j in range(30)])
    return frame.assign(twin=frame["f00"], flat=1.0, ties=np.round(frame["f07"]))


def test_spearman_leaves_no_pair_above_the_threshold_and_no_constant() -> None:
    X = _blocks()
    kept = SpearmanFilter(0.9).fit(X).get_feature_names_out()
    rho = np.abs(spearmanr(X[kept]).statistic) - np.eye(len(kept))
    assert rho.max() <= 0.9
    assert "flat" not in kept
    assert 6 <= len(kept) < 30


@pytest.mark.parametrize("seed", range(5))
def test_spearman_does_not_depend_on_column_order(seed: int) -> None:
    X = _blocks()
    shuffled = X.sample(frac=1, axis=1, random_state=seed)
    kept = SpearmanFilter(0.9).fit(X).get_feature_names_out()
    assert sorted(SpearmanFilter(0.9).fit(shuffled).get_feature_names_out()) == sorted(kept)


def test_spearman_keeps_the_first_name_of_two_equals() -> None:
    X = _blocks()
    assert SpearmanFilter(0.999).fit(X[["twin", "f00"]]).get_feature_names_out().tolist() == ["f00"]


def test_spearman_drops_the_hub_and_by_order_its_partners() -> None:
    """b is near a and c, which are not near each other: most partners first drops b, column order b's partners."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, 400))
    X = pd.DataFrame({"b": a + c, "a": a, "c": c})
    assert SpearmanFilter(0.6).fit(X).get_feature_names_out().tolist() == ["a", "c"]
    assert SpearmanFilter(0.6, rule="order").fit(X).get_feature_names_out().tolist() == ["b"]


def test_spearman_keeps_the_less_redundant_of_a_pair() -> None:
    """a and z are partners; a is also nearer to c (below the threshold), so z stays though its name comes later."""
    rng = np.random.default_rng(0)
    z, rest = rng.normal(size=(2, 400))
    a = z + 0.3 * rest
    X = pd.DataFrame({"a": a, "c": a + 3 * rest, "z": z})
    assert SpearmanFilter(0.9).fit(X).get_feature_names_out().tolist() == ["c", "z"]


def test_spearman_refuses_an_unknown_rule() -> None:
    with pytest.raises(ValueError, match=r"rule must be 'degree' or 'order'; got 'random'\."):
        SpearmanFilter(rule="random").fit(_blocks())


def test_prune_keeps_the_stronger_of_a_pair() -> None:
    X = _blocks()[["f00", "f01", "f05", "flat"]]
    assert CorrelationPrune(0.5).fit(X, strength=[0.1, -0.3, 0.2, 1]).support_.tolist() == [False, True, True, False]
    outcome = (X["f00"] > 0).astype(int)
    assert CorrelationPrune(0.5).fit(X, outcome).support_.tolist() == [True, False, True, False]
    with pytest.raises(ValueError, match=r"strength has 2 values for 4 features\."):
        CorrelationPrune().fit(X, strength=[1, 2])


ODD = st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-15, -5e-324])


@given(arrays(np.float64, (3, 17), elements=ODD))
def test_midranks_are_scipy_s(rows: np.ndarray) -> None:
    np.testing.assert_array_equal(midranks(rows), rankdata(rows, axis=1))


@pytest.mark.parametrize("n", [2, 3, 1024, 1025])
def test_midranks_of_any_number_of_rows(n: int) -> None:
    rows = np.stack([np.random.default_rng(n).normal(size=n).round(digits) for digits in (0, 1, 3, 17)])
    np.testing.assert_array_equal(midranks(rows), rankdata(rows, axis=1))
