"""Size and form of the mask (IBSI 3.1); no intensity enters.

Notation: V and A volume and area of the triangle mesh (`ovfrad.radiomics.marching_cubes`); l1 >= l2 >= l3 the
eigenvalues of the covariance of the voxel centres, mm^2, over N as in PyRadiomics or over N - 1 as in IBSI. "Slice",
"column" and "row" are planes of constant k, j and i of the array as it is stored: the three 2-D diameters change
when stored axes are permuted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.diameters import largest_diameters
from ovfrad.radiomics.marching_cubes import surface_and_volume
from ovfrad.radiomics.region import Region

OVER_N = "covariance over N; profile ibsi: over N - 1, a factor sqrt(N / (N - 1))"
FROM_SPHERICITY = "a function of Sphericity"

shape = FeatureClass("shape", "size and form of the mask")


@dataclass(frozen=True, eq=False)
class Form:
    """Measures of a mask.

    Attributes
    ----------
    area, volume : float
        Of the mesh, mm^2 and mm^3.
    voxel_volume : float
        Number of voxels times the volume of one, mm^3.
    axes : ndarray of float64, shape (3,)
        Eigenvalues l1 >= l2 >= l3 of the voxel centres' covariance, mm^2.
    diameters : tuple of float
        Largest distance between mesh vertices within planes of constant k, of constant j, of constant i, and in
        space, mm.
    """

    area: float
    volume: float
    voxel_volume: float
    axes: np.ndarray
    diameters: tuple[float, float, float, float]

    @classmethod
    def of(cls, region: Region, ddof: int = 0, where: str = "mask") -> Form:
        """Measure a region's mask; `ddof` is 0 for PyRadiomics' covariance (over N), 1 for IBSI's (over N - 1)."""
        area, volume = surface_and_volume(region.mask, region.spacing)
        count, matrix = covariance(region.mask, region.spacing, ddof, where)
        diameters = largest_diameters(region.mask, region.spacing)
        return cls(area, volume, count * region.voxel_volume, principal(matrix), diameters)


def covariance(
    mask: np.ndarray, spacing: tuple[float, float, float], ddof: int = 0, where: str = "mask"
) -> tuple[int, np.ndarray]:
    """Number of voxels, and the covariance of their centres over N - `ddof`, mm^2, shape (3, 3), axes (k, j, i).

    >>> n, matrix = covariance(np.pad(np.ones((1, 1, 3), bool), 1), (1.0, 1.0, 2.0), ddof=1)
    >>> n, matrix.diagonal().tolist()
    (3, [0.0, 0.0, 4.0])
    """
    from ovfrad.radiomics.shape_kernels import moments

    n, k, j, i, kk, jj, ii, kj, ki, ji = map(int, moments(np.ascontiguousarray(mask).view(np.uint8)))
    if n < 2:
        raise InputError("E_ROI_TOO_SMALL", where, "the mask is one voxel", "axes of a shape need at least two")
    first = (k, j, i)
    second = ((kk, kj, ki), (kj, jj, ji), (ki, ji, ii))
    # whole numbers of any size, so that a flat mask has a variance of 0 across it and not one of rounding
    exact = [[(n * second[a][b] - first[a] * first[b]) / (n * (n - ddof)) for b in range(3)] for a in range(3)]
    return n, np.array(exact) * np.outer(spacing, spacing)


def principal(matrix: np.ndarray) -> np.ndarray:
    """Eigenvalues of a covariance matrix, descending; those that are rounding errors beside the largest are 0."""
    found = np.linalg.eigvalsh(matrix)[::-1]
    return np.where(found < 1e-12 * found[0], 0.0, found)


@shape.feature("Compactness1", "morph_comp_1", "SKGS", note=FROM_SPHERICITY, optional=True)
def compactness_1(f: Form) -> float:
    """V / sqrt(pi A^3): 1 / (6 pi) for a sphere."""
    return float(f.volume / np.sqrt(np.pi * f.area**3))


@shape.feature("Compactness2", "morph_comp_2", "BQWJ", note=FROM_SPHERICITY, optional=True)
def compactness_2(f: Form) -> float:
    """36 pi V^2 / A^3: 1 for a sphere."""
    return float(36 * np.pi * f.volume**2 / f.area**3)


@shape.feature("Elongation", "morph_pca_elongation", "Q3CK")
def elongation(f: Form) -> float:
    """sqrt(l2 / l1): 1 for a circular section, 0 for a line."""
    return float(np.sqrt(f.axes[1] / f.axes[0]))


@shape.feature("Flatness", "morph_pca_flatness", "N17B")
def flatness(f: Form) -> float:
    """sqrt(l3 / l1): 1 for a sphere, 0 for a mask of one slice."""
    return float(np.sqrt(f.axes[2] / f.axes[0]))


@shape.feature("LeastAxisLength", "morph_pca_least_axis", "7J51", "mm", note=OVER_N)
def least_axis_length(f: Form) -> float:
    """4 sqrt(l3)."""
    return 4 * float(np.sqrt(f.axes[2]))


@shape.feature("MajorAxisLength", "morph_pca_maj_axis", "TDIC", "mm", note=OVER_N)
def major_axis_length(f: Form) -> float:
    """4 sqrt(l1)."""
    return 4 * float(np.sqrt(f.axes[0]))


@shape.feature("Maximum2DDiameterColumn", unit="mm", note="not in IBSI")
def maximum_2d_diameter_column(f: Form) -> float:
    """Largest distance between mesh vertices of equal j (the coronal plane when axes are LPS)."""
    return f.diameters[1]


@shape.feature("Maximum2DDiameterRow", unit="mm", note="not in IBSI")
def maximum_2d_diameter_row(f: Form) -> float:
    """Largest distance between mesh vertices of equal i (the sagittal plane when axes are LPS)."""
    return f.diameters[2]


@shape.feature("Maximum2DDiameterSlice", unit="mm", note="not in IBSI")
def maximum_2d_diameter_slice(f: Form) -> float:
    """Largest distance between mesh vertices of equal k (the axial plane when axes are LPS)."""
    return f.diameters[0]


@shape.feature("Maximum3DDiameter", "morph_diam", "L0JK", "mm")
def maximum_3d_diameter(f: Form) -> float:
    """Largest distance between mesh vertices."""
    return f.diameters[3]


@shape.feature("MeshVolume", "morph_volume", "RNU0", "mm^3")
def mesh_volume(f: Form) -> float:
    """V = sum over triangles abc of (a x b) . c / 6."""
    return f.volume


@shape.feature("MinorAxisLength", "morph_pca_min_axis", "P9VJ", "mm", note=OVER_N)
def minor_axis_length(f: Form) -> float:
    """4 sqrt(l2)."""
    return 4 * float(np.sqrt(f.axes[1]))


@shape.feature("SphericalDisproportion", "morph_sph_dispr", "KRCK", note=FROM_SPHERICITY, optional=True)
def spherical_disproportion(f: Form) -> float:
    """A / (36 pi V^2)^(1/3): 1 for a sphere."""
    return float(f.area / (36 * np.pi * f.volume**2) ** (1 / 3))


@shape.feature("Sphericity", "morph_sphericity", "QCFX")
def sphericity(f: Form) -> float:
    """(36 pi V^2)^(1/3) / A: 1 for a sphere."""
    return float((36 * np.pi * f.volume**2) ** (1 / 3) / f.area)


@shape.feature("SurfaceArea", "morph_area_mesh", "C0JK", "mm^2")
def surface_area(f: Form) -> float:
    """A = sum over triangles abc of |(b - a) x (c - a)| / 2."""
    return f.area


@shape.feature("SurfaceVolumeRatio", "morph_av", "2PR5", "1/mm")
def surface_volume_ratio(f: Form) -> float:
    """A / V."""
    return f.area / f.volume


@shape.feature("VoxelVolume", "morph_vol_approx", "YEKZ", "mm^3")
def voxel_volume(f: Form) -> float:
    """Number of voxels times the volume of one."""
    return f.voxel_volume
