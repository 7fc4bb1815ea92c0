"""The part of a `ReportInput` about the network: what it sees, how it was tuned, where it looks (METHODS D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class NetworkLook:
    """What is drawn of the network of the headline's arm, and of the tuning of every arm.

    Attributes
    ----------
    patches : sequence of (case, label, ndarray of shape (size, size))
        What the network sees, bone window 0..1.
    plane, size, margin, channels
        How patches were cut, as the study file has them.
    attribution : mapping
        `what`, `layer`, `input`, `map`, `weights`; empty where there is none.
    arrays : mapping of str to ndarray
        patches, cam, relevance (n, size, size), cases; components, excited (c, m, size, size), excited_cases,
        excited_scores.
    tuning : mapping
        `<recipe>/<arm>` -> curves, rest, tune, precision, device, notes.
    """

    patches: Sequence[tuple[str, str, np.ndarray]] = ()
    plane: str = "sagittal"
    size: int = 64
    margin: float = 0.1
    channels: str = "repeat"
    attribution: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)
