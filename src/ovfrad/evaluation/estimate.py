"""What may be printed: a number with its interval, method and number of cases, and a p value. Else: not built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROUNDING = 1e-9
"""How far an estimate may lie outside its own interval through floating-point rounding alone."""


class PValue(float):
    """A p value: a float that cannot lie outside 0 to 1.

    >>> PValue(0.04)
    0.04
    >>> PValue(2.34)
    Traceback (most recent call last):
    ValueError: a p value lies between 0 and 1; got 2.34.
    """

    __slots__ = ()

    def __new__(cls, value: float) -> PValue:
        """Return `value` as a p value; ValueError for what is none, NaN included."""
        number = float(value)
        if not 0 <= number <= 1:
            raise ValueError(f"a p value lies between 0 and 1; got {number:g}.")
        return super().__new__(cls, number)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that was estimated, or the reason why it was not.

    Attributes
    ----------
    estimate : float or None
        The value; None where it does not exist, and then `method` says why.
    low, high : float or None
        Interval limits: both or neither, and never without the estimate they contain.
    method : str
        How the interval (or, without one, the estimate) was made.
    n : int
        Rows (vertebrae) it rests on.
    patients : int or None
        Patients these rows come from.

    Examples
    --------
    >>> print(Estimate(0.789, 0.712, 0.853, "cluster-robust DeLong, logit", 110, 97))
    0.79 (0.71 to 0.85; cluster-robust DeLong, logit; n = 110 vertebrae of 97 patients)
    >>> Estimate(0.7, 0.8, 0.9, "percentile", 20)
    Traceback (most recent call last):
    ValueError: the interval 0.8 to 0.9 does not contain its estimate 0.7.
    """

    estimate: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    patients: int | None = None

    def __post_init__(self) -> None:
        for name in ("estimate", "low", "high"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two limits or none; one is missing.")
        if any(v is not None and not math.isfinite(v) for v in (self.estimate, self.low, self.high)):
            raise ValueError("an estimate and its limits must be finite; use None where there is no value.")
        if self.low is None or self.high is None:
            return
        if self.estimate is None:
            raise ValueError("an interval needs its estimate; got limits without one.")
        if not self.low - ROUNDING <= self.estimate <= self.high + ROUNDING:
            raise ValueError(
                f"the interval {self.low:.3g} to {self.high:.3g} does not contain its estimate {self.estimate:.3g}."
            )

    @classmethod
    def without(cls, reason: str, n: int, patients: int | None = None) -> Estimate:
        """Return the absent estimate: no value, and the reason in its place."""
        return cls(None, None, None, reason, int(n), patients)

    @property
    def has_interval(self) -> bool:
        """Whether there are limits."""
        return self.low is not None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimate:
        """Return the estimate that `as_dict` wrote; ValueError where its numbers contradict each other."""
        estimate, low, high, n, patients = map(values.get, ("estimate", "low", "high", "n", "n_patients"))
        return cls(estimate, low, high, str(values.get("method", "")), n or 0, patients)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values: `estimate, low, high, method, n, n_patients`; None, never NaN."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "method": self.method,
            "n": int(self.n),
            "n_patients": None if self.patients is None else int(self.patients),
        }

    def __str__(self) -> str:
        cases = f"n = {self.n}" if self.patients is None else f"n = {self.n} vertebrae of {self.patients} patients"
        if self.estimate is None:
            return f"none ({self.method}; {cases})"
        limits = "" if self.low is None else f"{self.low:.2f} to {self.high:.2f}; "
        return f"{self.estimate:.2f} ({limits}{self.method}; {cases})"


def quantile_of_normal(level: float) -> float:
    """Return z of a two-sided interval: 1.96 for 0.95.

    >>> round(quantile_of_normal(0.95), 3)
    1.96
    """
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level}.")
    return float(ndtri(0.5 + level / 2))


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927).

    >>> [round(v, 3) for v in wilson(5, 5)]
    [0.566, 1.0]
    """
    z = quantile_of_normal(level)
    share, z2 = successes / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))
