"""The scanners of the three centres and what an acquisition does to the true HU.

Makers and models are those of the paper (Methods, CT); sharpness, noise and HU shifts are plausible choices that give
ComBat something to learn.

>>> [scanner.center for scanner in SCANNERS]
['A', 'A', 'B', 'B', 'C']
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ovfrad.phantom.fields import F32, Grid, Rng, random_field


class Scanner(NamedTuple):
    """A CT scanner with its usual reconstruction.

    Parameters
    ----------
    name, maker, model, kernel, center : str
        Names as in cases.csv and the DICOM header.
    pixel_mm, slice_mm : float
        Voxel size in the plane, and slice thickness and increment.
    psf_mm : float
        Full width at half maximum of the in-plane point spread function.
    edge : float
        Overshoot of a sharp kernel at edges; 0 for a soft one.
    noise_hu : float
        Standard deviation of the noise at 200 mA and 1 mm slices in the lumbar spine.
    gain, offset_hu : float
        HU scale and shift against water and air calibration.
    shading_hu : float
        Standard deviation of the slow drift that beam hardening leaves.
    """

    name: str
    maker: str
    model: str
    kernel: str
    center: str
    pixel_mm: float
    slice_mm: float
    psf_mm: float
    edge: float
    noise_hu: float
    gain: float = 1.0
    offset_hu: float = 0.0
    shading_hu: float = 6.0


SCANNERS = (
    Scanner("Somatom Definition", "SIEMENS", "SOMATOM Definition Flash", "B31f", "A", 0.70, 1.0, 1.1, 0.0, 34.0),
    Scanner("Sensation 64", "SIEMENS", "Sensation 64", "B50f", "A", 0.74, 1.5, 0.9, 0.30, 44.0, offset_hu=5.0),
    Scanner("LightSpeed Ultra", "GE MEDICAL SYSTEMS", "LightSpeed Ultra", "STANDARD", "B", 0.78, 1.25, 1.3, 0.0, 40.0,
            gain=1.04, offset_hu=-8.0, shading_hu=9.0),
    Scanner("Optima CT670", "GE MEDICAL SYSTEMS", "Optima CT670", "BONE", "B", 0.78, 1.0, 0.8, 0.35, 46.0, gain=1.02,
            offset_hu=-5.0),
    Scanner("Brilliance iCT", "Philips", "Brilliance iCT", "YB", "C", 0.68, 0.9, 0.9, 0.30, 40.0, gain=0.97,
            offset_hu=6.0),
)  # fmt: skip
#: Tube voltage in kV and range of tube currents in mA (paper, Methods).
KVP, CURRENT_MA = 120, (118.0, 320.0)
#: FWHM of a Gaussian over its standard deviation.
FWHM = 2.355


class Scan(NamedTuple):
    """An acquisition: `image` (k, j, i) in HU, its noise SD in HU and the tube current in mA."""

    image: NDArray[np.int16]
    noise_hu: float
    current_ma: float


def blurred(image: F32, scanner: Scanner, in_plane: float, through: float) -> F32:
    """`image` with Gaussian blur: `in_plane` times the scanner's SD, and `through` of a slice."""
    sigma = in_plane * scanner.psf_mm / FWHM / scanner.pixel_mm
    for axis, s in ((0, through), (1, sigma), (2, sigma)):
        image = ndimage.gaussian_filter1d(image, s, axis=axis, truncate=3)
    return image


def scan(hu: F32, grid: Grid, scanner: Scanner, thoracic: bool, rng: Rng) -> Scan:
    """One acquisition of the true `hu` (k, j, i): blur, overshoot, correlated noise, shading, HU scale.

    Noise falls with the root of dose and slice thickness, and is lower between lungs.
    """
    image = blurred(hu, scanner, 1.0, 0.4)
    noise = blurred(rng.standard_normal(hu.shape, np.float32), scanner, 0.9, 0.35)
    if scanner.edge:
        width = round(4 / scanner.pixel_mm)
        for axis in (1, 2):
            image += 0.5 * scanner.edge * (image - ndimage.gaussian_filter1d(image, 1.1 / scanner.pixel_mm, axis=axis,
                                                                             truncate=2.5))  # fmt: skip
            noise += 0.5 * scanner.edge * (noise - ndimage.uniform_filter1d(noise, width, axis=axis))
    current = rng.uniform(*CURRENT_MA)
    sd = scanner.noise_hu / math.sqrt(current / 200 * scanner.slice_mm)
    sd *= (0.8 if thoracic else 1.0) * rng.uniform(0.85, 1.2)
    image += noise * (sd / float(noise.std())) + scanner.shading_hu * random_field(rng, grid, 25.0)
    image = image * scanner.gain + scanner.offset_hu + rng.normal(0, 2)
    return Scan(np.clip(np.rint(image), -1024, 3071).astype(np.int16), sd, current)
