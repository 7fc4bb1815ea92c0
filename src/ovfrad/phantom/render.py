"""From a row of the phantom's case table to a CT crop with masks; same seed, same voxels.

It tests software, not patients.

>>> from ovfrad.phantom.cohort import sample_cohort
>>> phantom = render(sample_cohort(40, seed=1)[0])
>>> phantom.image.dtype.name, phantom.image.shape == phantom.mask.shape, bool(phantom.mask.any())
('int16', True, True)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from ovfrad.phantom.anatomy import Anatomy, column_frame
from ovfrad.phantom.body import Truth, add_bodies
from ovfrad.phantom.cohort import Case
from ovfrad.phantom.fields import F32, Grid, random_field
from ovfrad.phantom.scanners import Scanner, scan
from ovfrad.phantom.surroundings import add_arch, soft_tissue

#: Extent of a crop (z, y, x), mm.
CROP_MM = (74.0, 94.0, 90.0)
#: From the crop's anterior edge to the centre of the body, so that the arch fits behind, mm.
ANTERIOR_MM = 40.0
#: A second reader's contour wanders by this SD and is off by a constant of the other SD, mm.
READER_WANDER_MM, READER_BIAS_MM = 0.5, 0.12


@dataclass(frozen=True, eq=False)
class Phantom:
    """A rendered case; arrays are (k, j, i) along superior, posterior and left.

    Parameters
    ----------
    image : ndarray of int16
        HU.
    mask, mask_reader2 : ndarray of bool
        The vertebral body, by the first and the second reader.
    neighbours : ndarray of int8
        1 in the body above, -1 in the body below.
    whole : ndarray of bool
        The vertebra with its arch.
    affine : ndarray, shape (4, 4)
        (i, j, k, 1) to LPS mm.
    truth : dict
        What was drawn: pattern, height_loss, trabecular_hu, noise_hu, tube_current_ma and, with a cleft, its content.
    """

    image: NDArray[np.int16]
    mask: NDArray[np.bool_]
    mask_reader2: NDArray[np.bool_]
    neighbours: NDArray[np.int8]
    whole: NDArray[np.bool_]
    affine: NDArray[np.float64]
    truth: Truth


def crop_grid(scanner: Scanner) -> tuple[Grid, NDArray[np.float64]]:
    """Grid of a scanner round the body's centre, and its affine (i, j, k, 1) -> LPS mm."""
    step = (scanner.slice_mm, scanner.pixel_mm, scanner.pixel_mm)
    start = (-0.5 * CROP_MM[0], -ANTERIOR_MM, -0.5 * CROP_MM[2])
    affine = np.diag([*step[::-1], 1.0])
    affine[:3, 3] = start[::-1]
    return Grid.spanning(CROP_MM, start, step), affine


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of a mask: no reader leaves islands of a few voxels."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])))


def render(case: Case, scanner: Scanner | None = None) -> Phantom:
    """Render the case's vertebra.

    Parameters
    ----------
    case : Case
        A row of the case table; its image shows `case.shown`.
    scanner : Scanner, optional
        Another scanner than the case's: the same anatomy on its grid, with trabeculae below a voxel drawn anew.

    Returns
    -------
    Phantom
        CT crop and masks.
    """
    scanner = scanner or case.scanner
    shape_rng, texture_rng, scan_rng, reader_rng = np.random.default_rng(case.seed).spawn(4)
    anatomy = Anatomy.draw(case, shape_rng)
    grid, affine = crop_grid(scanner)
    with threadpool_limits(1):  # sums in one order, so that voxels do not depend on the number of cores
        frame = column_frame(grid, anatomy, shape_rng)
        hu = soft_tissue(grid, anatomy, shape_rng)
        arch, own_arch = add_arch(hu, frame, grid, anatomy, shape_rng)
        bodies, truth = add_bodies(hu, frame, grid, arch, anatomy, texture_rng)
        result = scan(hu, grid, scanner, anatomy.thoracic, scan_rng)
        target: F32 = np.where(frame.level == 0, bodies, np.float32(50))
        slip = READER_WANDER_MM * random_field(reader_rng, grid, 5.0) + reader_rng.normal(0, READER_BIAS_MM)
    mask = largest(ndimage.binary_closing(target < 0) if anatomy.fracture.pattern == "burst" else target < 0)
    second = largest(target + slip * (np.abs(target) < 3) < 0)
    neighbours = (frame.level * ((bodies < 0) & (frame.level != 0))).astype(np.int8)
    fracture = anatomy.fracture
    drawn: Truth = {
        "pattern": fracture.pattern, "height_loss": fracture.loss, "retropulsion_mm": fracture.retropulsion,
        "trabecular_hu": anatomy.trabecular_hu, "noise_hu": result.noise_hu, "tube_current_ma": result.current_ma,
    }  # fmt: skip
    return Phantom(result.image, mask, second, neighbours, mask | own_arch, affine, drawn | truth)
