"""Features of many patches, gathered in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from ovfrad.deep import features as module
from ovfrad.deep import weights
from ovfrad.deep.features import features


def test_blocks_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirteen patches in batches of four and blocks of five, from an array and from a stream."""
    patches = np.random.default_rng(0).random((13, 3, 64, 64), dtype=np.float32)
    backbone = weights.load("random")
    whole = features(patches, backbone, batch_size=4)
    monkeypatch.setattr(module, "BLOCK", 5)
    assert whole.shape == (13, 2048)
    np.testing.assert_array_equal(features(patches, backbone, batch_size=4), whole)
    np.testing.assert_array_equal(features(iter(patches), backbone, batch_size=4), whole)
    assert features(patches[:0], backbone).shape == (0, 2048)
