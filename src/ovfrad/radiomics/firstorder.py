"""First-order statistics: the distribution of intensities, without their places (IBSI 3.3 and 3.4).

Notation: x the N intensities inside the region, p(i) the share of voxels with grey level i.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.region import Sample

EPS = float(np.spacing(1.0))
"""Added inside logarithms, as PyRadiomics does, so that 0 log 0 = 0."""

firstorder = FeatureClass("firstorder", "distribution of intensities")


@dataclass(frozen=True, eq=False)
class Distribution:
    """Intensities of a region.

    Attributes
    ----------
    x : ndarray of float64
        Intensities in ascending order.
    p : ndarray of float64
        Share of each grey level that occurs.
    voxel_volume : float
        Volume of a voxel, mm^3.
    shift : float
        Added to intensities before they are squared (PyRadiomics' voxelArrayShift).
    normal : float
        Kurtosis from which that of the region is counted: 0, or a normal distribution's 3 (IBSI).
    """

    x: np.ndarray
    p: np.ndarray
    voxel_volume: float
    shift: float = 0.0
    normal: float = 0.0

    @classmethod
    def of(cls, found: Sample, shift: float = 0.0, normal: float = 0.0) -> Distribution:
        """Sort the region's intensities and count its grey levels."""
        share = found.counts[found.grey] / found.values.size
        with np.errstate(over="ignore"):
            short = found.values.astype(np.float32)  # sorts in half the time, and holds most images without loss
        x = np.sort(short if np.array_equal(short, found.values) else found.values).astype(np.float64)
        return cls(x, share, found.region.voxel_volume, shift, normal)

    @cached_property
    def mean(self) -> float:
        """Mean intensity."""
        return float(self.x.mean())

    @cached_property
    def moments(self) -> tuple[float, float, float, float]:
        """Means of |x - mean| and of the powers 2, 3, 4 of x - mean."""
        from ovfrad.radiomics.firstorder_kernels import moments

        return moments(self.x, self.mean)

    @property
    def variance(self) -> float:
        """Mean squared deviation."""
        return self.moments[1]

    def percentile(self, q: float) -> float:
        """Percentile with linear interpolation between the two nearest order statistics."""
        place = q / 100 * (self.x.size - 1)
        low = int(place)
        high = min(low + 1, self.x.size - 1)
        return float(self.x[low] + (self.x[high] - self.x[low]) * (place - low))

    @cached_property
    def energy(self) -> float:
        """Sum of squared, shifted intensities."""
        shifted = self.x + self.shift
        return float(shifted @ shifted)


@firstorder.feature("10Percentile", "stat_p10", "QG58", "HU")
def percentile_10(d: Distribution) -> float:
    """10th percentile of x."""
    return d.percentile(10)


@firstorder.feature("90Percentile", "stat_p90", "8DWT", "HU")
def percentile_90(d: Distribution) -> float:
    """90th percentile of x."""
    return d.percentile(90)


@firstorder.feature("Energy", "stat_energy", "N8CA", "HU^2", note="of x + voxelArrayShift; IBSI shifts nothing")
def energy(d: Distribution) -> float:
    """Sum of x^2; grows with the number of voxels."""
    return d.energy


@firstorder.feature(
    "Entropy", "ih_entropy", "TLU2", "bit", note="of grey levels, whose bins differ between the profiles"
)
def entropy(d: Distribution) -> float:
    """-sum_i p(i) log2 p(i)."""
    return float(-np.sum(d.p * np.log2(d.p + EPS)))


@firstorder.feature("InterquartileRange", "stat_iqr", "SALO", "HU")
def interquartile_range(d: Distribution) -> float:
    """75th minus 25th percentile of x."""
    return d.percentile(75) - d.percentile(25)


@firstorder.feature(
    "Kurtosis", "stat_kurt", "IPH6", note="profile ibsi: the excess, 3 less; 0 for a flat region under both"
)
def kurtosis(d: Distribution) -> float:
    """Mean of (x - mean)^4 over variance^2."""
    return d.moments[3] / d.variance**2 - d.normal if d.variance > 0 else 0.0


@firstorder.feature("Maximum", "stat_max", "84IY", "HU")
def maximum(d: Distribution) -> float:
    """Largest x."""
    return float(d.x[-1])


@firstorder.feature("MeanAbsoluteDeviation", "stat_mad", "4FUA", "HU")
def mean_absolute_deviation(d: Distribution) -> float:
    """Mean of |x - mean|."""
    return d.moments[0]


@firstorder.feature("Mean", "stat_mean", "Q4LE", "HU")
def mean(d: Distribution) -> float:
    """Sum of x over N."""
    return d.mean


@firstorder.feature("Median", "stat_median", "Y12H", "HU")
def median(d: Distribution) -> float:
    """50th percentile of x."""
    return d.percentile(50)


@firstorder.feature("Minimum", "stat_min", "1GSF", "HU")
def minimum(d: Distribution) -> float:
    """Smallest x."""
    return float(d.x[0])


@firstorder.feature("Range", "stat_range", "2OJQ", "HU")
def intensity_range(d: Distribution) -> float:
    """Largest minus smallest x."""
    return float(d.x[-1] - d.x[0])


@firstorder.feature(
    "RobustMeanAbsoluteDeviation",
    "stat_rmad",
    "1128",
    "HU",
    note="0 where no x lies between the percentiles (two voxels)",
)
def robust_mean_absolute_deviation(d: Distribution) -> float:
    """Mean of |x - mean| over the x from the 10th to the 90th percentile, both included."""
    from ovfrad.radiomics.firstorder_kernels import moments

    low = np.searchsorted(d.x, d.percentile(10), side="left")
    high = np.searchsorted(d.x, d.percentile(90), side="right")
    middle = d.x[low:high]
    return moments(middle, float(middle.mean()))[0] if middle.size else 0.0


@firstorder.feature("RootMeanSquared", "stat_rms", "5ZWQ", "HU", note="of x + voxelArrayShift; IBSI shifts nothing")
def root_mean_squared(d: Distribution) -> float:
    """sqrt(sum x^2 / N)."""
    return float(np.sqrt(d.energy / d.x.size))


@firstorder.feature("Skewness", "stat_skew", "KE2A", note="0 for a flat region")
def skewness(d: Distribution) -> float:
    """Mean of (x - mean)^3 over variance^1.5."""
    return d.moments[2] / d.variance**1.5 if d.variance > 0 else 0.0


@firstorder.feature("StandardDeviation", unit="HU", note="the root of Variance; not a feature of IBSI", optional=True)
def standard_deviation(d: Distribution) -> float:
    """sqrt(variance), over N."""
    return float(np.sqrt(d.variance))


@firstorder.feature("TotalEnergy", unit="HU^2 mm^3", note="not in IBSI; of x + voxelArrayShift")
def total_energy(d: Distribution) -> float:
    """Energy times the volume of a voxel."""
    return d.energy * d.voxel_volume


@firstorder.feature(
    "Uniformity", "ih_uniformity", "BJ5W", note="of grey levels, whose bins differ between the profiles"
)
def uniformity(d: Distribution) -> float:
    """sum_i p(i)^2."""
    return float(d.p @ d.p)


@firstorder.feature("Variance", "stat_var", "ECT3", "HU^2")
def variance(d: Distribution) -> float:
    """Mean of (x - mean)^2, over N."""
    return d.variance
