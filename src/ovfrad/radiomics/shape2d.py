"""Size and form of a mask of one slice, in its plane (PyRadiomics' shape2D); no intensity enters.

The outline is a polygon by marching squares: its vertices lie halfway between two neighbouring pixel centres of which
one is inside, and pixels that touch at a corner only are not joined. A square of 2 x 2 pixel centres has few patterns,
each with a length of outline and a share of the square inside, so that perimeter P and surface S are histograms of
patterns times a table. l1 >= l2 are the eigenvalues of the covariance (over N) of the pixel centres, mm^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.diameters import largest_diameters
from ovfrad.radiomics.region import Region
from ovfrad.radiomics.shape import covariance, principal

NO_IBSI = "IBSI has no morphology of one slice"

shape2d = FeatureClass("shape2D", "size and form of a mask of one slice")


@dataclass(frozen=True, eq=False)
class Outline:
    """Measures of a mask of one slice.

    Attributes
    ----------
    perimeter, surface : float
        Of the polygon, mm and mm^2.
    pixel_surface : float
        Number of pixels times the surface of one, mm^2.
    axes : ndarray of float64, shape (2,)
        Eigenvalues l1 >= l2 of the pixel centres' covariance, mm^2.
    diameter : float
        Largest distance between two vertices of the polygon, mm.
    """

    perimeter: float
    surface: float
    pixel_surface: float
    axes: np.ndarray
    diameter: float

    @classmethod
    def of(cls, region: Region, axis: int = 0, where: str = "mask") -> Outline:
        """Measure a region's mask (k, j, i) whose only slice lies across array axis `axis` (force2Ddimension)."""
        slices = region.mask.shape[axis] - 2
        if slices > 1:
            fault = f"the mask spans {slices} slices along array axis {axis} ({'kji'[axis]})"
            raise InputError("E_SHAPE2D", where, fault, "shape2D takes a mask of one slice across force2Ddimension")
        across = [other for other in range(3) if other != axis]
        pixel = (region.spacing[across[0]], region.spacing[across[1]])
        perimeter, surface = perimeter_and_surface(region.mask.take(1, axis), pixel)
        count, matrix = covariance(region.mask, region.spacing, where=where)
        diameter = largest_diameters(region.mask, region.spacing)[axis]
        axes = principal(matrix[np.ix_(across, across)])
        return cls(perimeter, surface, count * pixel[0] * pixel[1], axes, diameter)


def perimeter_and_surface(mask: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float]:
    """Length (mm) and surface (mm^2) of the outline of a padded mask of two axes with pixels of `spacing`.

    >>> perimeter_and_surface(np.pad(np.ones((1, 1), bool), 1), (6.0, 8.0))  # a rhombus of half a pixel
    (20.0, 24.0)
    """
    tall, wide = spacing
    bits = mask.astype(np.uint8)
    pattern = bits[:-1, :-1] | bits[:-1, 1:] << 1 | bits[1:, 1:] << 2 | bits[1:, :-1] << 3
    counts = np.bincount(pattern.ravel(), minlength=16)
    corner = counts[[1, 2, 4, 8]].sum()  # one corner inside
    notch = counts[[7, 11, 13, 14]].sum()  # one corner outside
    touch = counts[[5, 10]].sum()  # two corners inside that only touch
    beside, above = counts[[3, 12]].sum(), counts[[6, 9]].sum()  # neighbours along the second, the first axis
    slant = np.hypot(tall, wide) / 2
    length = slant * (corner + notch + 2 * touch) + wide * beside + tall * above
    share = (corner + 7 * notch + 2 * touch) / 8 + (beside + above) / 2 + counts[15]
    return float(length), float(share * tall * wide)


@shape2d.feature("Elongation", note=NO_IBSI)
def elongation(f: Outline) -> float:
    """sqrt(l2 / l1): 1 for a circle, 0 for a line."""
    return float(np.sqrt(f.axes[1] / f.axes[0]))


@shape2d.feature("MajorAxisLength", unit="mm", note=NO_IBSI)
def major_axis_length(f: Outline) -> float:
    """4 sqrt(l1)."""
    return 4 * float(np.sqrt(f.axes[0]))


@shape2d.feature("MaximumDiameter", unit="mm", note=NO_IBSI)
def maximum_diameter(f: Outline) -> float:
    """Largest distance between two vertices of the outline."""
    return f.diameter


@shape2d.feature("MeshSurface", unit="mm^2", note=NO_IBSI)
def mesh_surface(f: Outline) -> float:
    """S, the surface inside the outline."""
    return f.surface


@shape2d.feature("MinorAxisLength", unit="mm", note=NO_IBSI)
def minor_axis_length(f: Outline) -> float:
    """4 sqrt(l2)."""
    return 4 * float(np.sqrt(f.axes[1]))


@shape2d.feature("Perimeter", unit="mm", note=NO_IBSI)
def perimeter(f: Outline) -> float:
    """P, the length of the outline."""
    return f.perimeter


@shape2d.feature("PerimeterSurfaceRatio", unit="1/mm", note=NO_IBSI)
def perimeter_surface_ratio(f: Outline) -> float:
    """P / S."""
    return f.perimeter / f.surface


@shape2d.feature("PixelSurface", unit="mm^2", note=NO_IBSI)
def pixel_surface(f: Outline) -> float:
    """Number of pixels times the surface of one."""
    return f.pixel_surface


@shape2d.feature("SphericalDisproportion", note=f"{NO_IBSI}; the inverse of Sphericity", optional=True)
def spherical_disproportion(f: Outline) -> float:
    """P / (2 sqrt(pi S)): 1 for a circle."""
    return f.perimeter / float(2 * np.sqrt(np.pi * f.surface))


@shape2d.feature("Sphericity", note=NO_IBSI)
def sphericity(f: Outline) -> float:
    """2 sqrt(pi S) / P: 1 for a circle."""
    return float(2 * np.sqrt(np.pi * f.surface)) / f.perimeter
