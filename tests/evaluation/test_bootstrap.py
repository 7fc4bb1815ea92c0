"""The patient bootstrap: resamples of whole patients, AUC of all resamples at once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ovfrad.evaluation import bootstrap
from ovfrad.evaluation.bootstrap import Resamples, class_aucs, percentile, weighted_auc


def test_every_resample_draws_as_many_patients_with_all_their_rows() -> None:
    patients = np.array(["c", "a", "b", "a", "c", "c"])
    counts = next(Resamples.of(patients, 6, 500).chunks())
    assert counts.shape == (6, 500)
    assert (counts[1] == counts[3]).all()
    assert (counts[0] == counts[4]).all()
    assert (counts[[0, 1, 2]].sum(axis=0) == 3).all()


def test_the_row_order_does_not_change_a_patients_draws() -> None:
    one = next(Resamples.of(["a", "b", "c"], 3, 50).chunks())
    other = next(Resamples.of(["c", "b", "a"], 3, 50).chunks())
    assert (one == other[::-1]).all()


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_auc_equals_scikit_learn_on_repeated_rows(ties: bool) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80).astype(bool)
    score = rng.integers(5, size=80).astype(float) if ties else rng.standard_normal(80)
    weights = next(Resamples.of(None, 80, 20).chunks())
    found = weighted_auc(y, score, weights)
    for b in range(20):
        assert found[b] == pytest.approx(roc_auc_score(y, score, sample_weight=weights[:, b]), abs=1e-12)


def test_class_aucs_are_those_of_every_class_and_resample() -> None:
    rng = np.random.default_rng(5)
    y, p, patients = rng.integers(3, size=60), rng.random((60, 3)).round(1), rng.integers(40, size=60)
    found = class_aucs(y, p, patients, 150)
    weights = next(Resamples.of(patients, 60, 150).chunks())
    assert found.shape == (150, 3)
    for b in (0, 149):
        rows = np.repeat(np.arange(60), weights[:, b].astype(int))
        expected = [roc_auc_score(y[rows] == k, p[rows, k]) for k in range(3)]
        assert found[b] == pytest.approx(expected, abs=1e-12)


def test_a_resample_without_cases_has_no_auc() -> None:
    weights = np.array([[0.0, 1.0], [2.0, 1.0]], dtype=np.float32)
    found = weighted_auc(np.array([True, False]), np.array([2.0, 1.0]), weights)
    assert np.isnan(found[0])
    assert found[1] == 1.0


def test_memory_stays_flat_in_chunks_that_cover_all_resamples(monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "CHUNK_CELLS", 700)
    blocks = list(Resamples.of(None, 10, 150).chunks())
    assert [block.shape[1] for block in blocks] == [70, 70, 10]
    assert not (blocks[0] == blocks[1]).all()


def test_percentile_never_shows_an_interval_without_its_estimate() -> None:
    assert percentile(np.linspace(0, 1, 1000), 0.5, 10, 10).low == pytest.approx(0.025)
    assert percentile(np.linspace(0, 1, 1000), None, 10, 10).estimate is None
    assert percentile(np.linspace(0, 1, 1000), 1.5, 10, 10).method == "no interval: resampling shifts this metric"
    assert percentile(np.full(1000, np.nan), 0.5, 10, 10).method == "no interval: defined in 0 resamples only"
    assert percentile(np.ones(1000), 1.0, 10, 10).low is None
