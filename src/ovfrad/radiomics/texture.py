"""From the grey levels of a region to its five texture matrices.

A matrix is counted for each direction, in slices or in space, and then left alone (features are averaged over
directions) or merged with the others, evenly or with PyRadiomics' weights. IBSI's six aggregations are the three
ways to group voxels (by slice; over slices, no pair crossing them; in space) times these two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.glcm import Cooccurrence
from ovfrad.radiomics.ngtdm import ToneDifference
from ovfrad.radiomics.region import Region, Sample, Step
from ovfrad.radiomics.sizes import SizeMatrix

if TYPE_CHECKING:
    from ovfrad.radiomics.settings import Settings

SCATTERED = "textures need a connected region"


@dataclass(frozen=True)
class Texture:
    """How matrices are counted and put together.

    Attributes
    ----------
    by_slice : bool
        One set of matrices for each slice instead of one for the region.
    merged : bool
        Sum the directions' matrices, evenly unless `weighting` says otherwise.
    weighting : str, optional
        PyRadiomics' weightingNorm.
    symmetric : bool
        Count each pair of the co-occurrence matrix in both senses.
    alpha : int
        Largest difference of levels of dependent neighbours.
    lone_voxels : bool
        Count voxels without neighbours in the tone-difference matrix, and directions in which no line crosses two
        voxels in the run-length matrix leave the mean: PyRadiomics' way; IBSI's is the contrary.
    """

    by_slice: bool = False
    merged: bool = False
    weighting: str | None = None
    symmetric: bool = True
    alpha: int = 0
    lone_voxels: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Texture:
        """What settings ask for."""
        if settings.profile == "ibsi":
            where, how = settings.aggregation.rsplit("_", 1)
            return cls(where == "2D", how == "comb", None, True, settings.gldm_a, lone_voxels=False)
        weighting = settings.weighting_norm
        return cls(False, weighting is not None, weighting, settings.symmetrical_glcm, settings.gldm_a)


def _groups(found: Sample, texture: Texture) -> list[np.ndarray]:
    """Flat positions of the voxels of each slice, or of all."""
    region = found.region
    return [region.voxels[places] for places in region.slices] if texture.by_slice else [region.voxels]


def cooccurrence(found: Sample, texture: Texture, where: str = "mask") -> Cooccurrence:
    """Pairs of levels at the region's distances; directions (and slices) without a pair are left out."""
    from ovfrad.radiomics.texture_kernels import cooccurrences

    region = found.region
    sets = []
    for voxels in _groups(found, texture):
        counts = cooccurrences(found.rank_box, voxels, region.offsets, found.grey.size)
        sets.append(_merge(counts, region.steps, region, texture, "glcm"))
    matrices = Cooccurrence.of(np.concatenate(sets) if len(sets) > 1 else sets[0], found.grey, texture.symmetric)
    if matrices.counts.shape[0] == 0:
        fault = f"no two of the mask's {region.voxels.size} voxels are neighbours"
        raise InputError("E_ROI_SCATTERED", where, fault, SCATTERED)
    return matrices


def run_lengths(found: Sample, texture: Texture, where: str = "mask") -> SizeMatrix:
    """Runs of equal level along each direction; size = length, voxels."""
    from ovfrad.radiomics.texture_kernels import runs

    region = found.region
    sets = []
    for voxels in _groups(found, texture):
        counts = runs(found.rank_box, voxels, region.near_offsets, found.grey.size)
        if texture.lone_voxels:
            counts = counts[_has_lines(region, counts)] if not texture.merged else counts
        sets.append(_merge(counts, region.near_steps, region, texture, "glrlm"))
    counts = np.concatenate(_widened(sets)) if len(sets) > 1 else sets[0]
    if counts.shape[0] == 0:
        fault = f"no line crosses two of the mask's {region.voxels.size} voxels"
        raise InputError("E_ROI_SCATTERED", where, fault, SCATTERED)
    return SizeMatrix(counts.astype(float), found.grey.astype(float), np.arange(1.0, counts.shape[2] + 1))


def _widened(sets: list[np.ndarray]) -> list[np.ndarray]:
    """Run counts (directions, n, m) of each slice with columns up to the longest run of all."""
    longest = max(counts.shape[2] for counts in sets)
    return [np.pad(counts, ((0, 0), (0, 0), (0, longest - counts.shape[2]))) for counts in sets]


def _merge(counts: np.ndarray, steps: tuple[Step, ...], region: Region, texture: Texture, kind: str) -> np.ndarray:
    """Directions' matrices (directions, n, m) as they are, or their weighted sum (1, n, m)."""
    if not texture.merged:
        return counts
    if texture.weighting in (None, "no_weighting"):
        return counts.sum(axis=0, keepdims=True)
    length = np.abs(np.array(steps)) * region.spacing
    norm = {"manhattan": length.sum(axis=1), "euclidean": np.sqrt((length**2).sum(axis=1)), "infinity": length.max(1)}
    weight = norm[str(texture.weighting)]
    weight = np.exp(-(weight**2)) if kind == "glcm" else weight  # PyRadiomics weighs runs by the length itself
    return np.einsum("d,dij->ij", weight, counts)[None]


def _has_lines(region: Region, counts: np.ndarray) -> np.ndarray:
    """Tell for each direction whether some line holds more than one voxel of the region, touching or not."""
    found = np.asarray(counts[:, :, 1:].any(axis=(1, 2)))
    if not found.all():
        places = np.argwhere(region.mask)
        for number, step in enumerate(region.near_steps):
            if not found[number]:
                moving = int(np.flatnonzero(step)[0])  # slide each voxel along the line to coordinate 0 of this axis
                start = places - places[:, moving, None] * step[moving] * np.array(step)
                found[number] = len(np.unique(start, axis=0)) < len(places)
    return found


def zone_sizes(found: Sample, texture: Texture) -> SizeMatrix:
    """Zones of touching voxels of equal level, 26-connected in space and 8-connected in slices; size in voxels."""
    from ovfrad.radiomics.zone_kernels import tally, zones

    sets = [zones(found.rank_box, voxels, found.region.near_offsets) for voxels in _groups(found, texture)]
    n = found.grey.size
    rows = np.concatenate([level + number * n for number, (level, _) in enumerate(sets)])  # all sets in one table
    counts, sizes = tally(rows, np.concatenate([size for _, size in sets]), len(sets) * n)
    return SizeMatrix(counts.reshape(len(sets), n, -1).astype(float), found.grey.astype(float), sizes.astype(float))


def neighbourhood(found: Sample, texture: Texture) -> tuple[SizeMatrix, list[ToneDifference]]:
    """Dependence counts, and tone differences (one for the region, or one a slice), of the same neighbours."""
    from ovfrad.radiomics.texture_kernels import neighbourhoods

    grey, dependences, tones = found.grey.astype(float), [], []
    for voxels in _groups(found, texture):
        counts, s, alone = neighbourhoods(found.rank_box, voxels, found.region.offsets, found.grey, texture.alpha)
        dependences.append(counts)
        n = counts.sum(axis=1) - (0 if texture.lone_voxels else alone)
        if n.any():
            tones.append(ToneDifference(grey[n > 0], n[n > 0].astype(float), s[n > 0]))
    sizes = np.arange(1.0, dependences[0].shape[1] + 1)
    return SizeMatrix(np.array(dependences, float), grey, sizes), tones
