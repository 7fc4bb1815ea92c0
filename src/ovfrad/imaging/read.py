"""From a CT and a mask to one region: every command reads through `read_roi`, so that none reads otherwise.

An input is read right, read right with a warning that names it, or refused in one line. A mask is never resampled
onto a CT: it must lie on the CT's grid, in whatever axis order it is stored.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError, warn
from ovfrad.imaging.flags import doubts
from ovfrad.imaging.geometry import Box, mask_box
from ovfrad.imaging.intensity import read_ct, readable, voxels
from ovfrad.imaging.masks.choice import choose
from ovfrad.imaging.masks.labelmap import LabelMap
from ovfrad.imaging.masks.segments import Drawn, Labels, Segment
from ovfrad.imaging.opening import open_ct, open_labels, open_mask
from ovfrad.imaging.plausibility import check_region
from ovfrad.imaging.source import Note, Source
from ovfrad.imaging.volume import Grid, Roi, Volume

if TYPE_CHECKING:
    from ovfrad.study.settings import Imaging

MOST_VOXELS = 2**26
"""Voxels of a region's box with its margin: a vertebra at 0.25 mm has 58 million."""
LISTING_S = 5.0
"""Seconds for drawing the structures of a mask to list their sizes: a plan has dozens, some as large as the patient."""
FULL = 0.9
"""Share of an image that no vertebra fills, however tightly the image was cropped."""


def read_volume(path: str | Path) -> Volume:
    """Read a whole image: NIfTI, NRRD or MetaImage file, or a DICOM CT series.

    Parameters
    ----------
    path : path
        Nothing is assumed about the values; `read_roi` judges whether they are HU.

    Returns
    -------
    Volume
        Integers where the file holds whole numbers without a slope, else float32; axes as stored.
    """
    with readable(Path(path)):
        source = open_ct(Path(path))
        for note in source.notes:
            warn(*note)
        whole_numbers = not source.floats and (source.slope, source.intercept) == (1, 0)
        return voxels(source, whole(source.grid), as_stored=whole_numbers)[0]


def read_mask(
    path: str | Path, label: int | str | None = None, *, vertebra: str | None = None, scheme: str | None = None
) -> Volume:
    """Read one label of a label map without its CT.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage label map. DICOM SEG and RTSTRUCT need the grid of the CT: `read_roi`.
    label : int or str, optional
        Its number. Without label and vertebra the mask must hold exactly one.
    vertebra, scheme : str, optional
        Vertebra (T12, L1) and label scheme (`ovfrad.astlof.SCHEMES`) instead of a number.

    Returns
    -------
    Volume
        bool, axes as stored.
    """
    path = Path(path)
    with readable(path):
        source = open_labels(path)
        labels = open_mask(path, source)
        for note in labels.notes:
            warn(*note)
        drawn = _drawn(labels, choose(labels, label, vertebra, scheme), source.grid)
        return Volume(_put(drawn, whole(source.grid)), source.grid.affine)


def read_roi(
    ct: str | Path,
    mask: str | Path,
    *,
    label: int | str | None = None,
    vertebra: str | None = None,
    scheme: str | None = None,
    case_id: str | None = None,
    margin_mm: float | None = 15.0,
    require_ct: bool = True,
    settings: Imaging | None = None,
) -> Roi:
    """Read one vertebra: CT and mask on one grid, cropped round the mask.

    Parameters
    ----------
    ct : path
        NIfTI, NRRD or MetaImage file, folder of a DICOM CT series, or enhanced DICOM CT file.
    mask : path
        Label map on the CT's grid (permuted or flipped axes are matched), .seg.nrrd, DICOM SEG or RTSTRUCT.
    label : int or str, optional
        Number, or name of the segment or ROI.
    vertebra, scheme : str, optional
        Vertebra (T12, L1) and label scheme (`ovfrad.astlof.SCHEMES`) instead of a number. A vertebra without a
        scheme is looked for among the file's names, where it has any.
    case_id : str, optional
        Name in tables; default: the mask's file name.
    margin_mm : float or None
        Tissue kept round the mask's box, mm, at least one voxel; None keeps the whole image.
    require_ct : bool
        Refuse values that are no CT's and regions that are no bone; False for radiomics of any image.
    settings : Imaging, optional
        Limits of the warnings; default: those of a study.

    Returns
    -------
    Roi
        Axes as the CT stores them; what is doubtful is warned of and kept in `warnings`.
    """
    ct, mask = Path(ct), Path(mask)
    with readable(ct):
        source = open_ct(ct)
    labels = _on(source, mask)
    with readable(mask):
        drawn = _drawn(labels, choose(labels, label, vertebra, scheme), source.grid)
    box = whole(source.grid) if margin_mm is None else _with_margin(drawn, source.grid, margin_mm)
    if margin_mm is not None and np.prod([part.stop - part.start for part in box], dtype=float) > MOST_VOXELS:
        raise InputError("E_MASK_LARGE", mask, "spans most of the image", "give a mask of one vertebra")
    with readable(ct):
        image, notes = read_ct(source, box, require_ct)
    region = Volume(_put(drawn, box), image.affine)
    name = case_id or mask.name.split(".")[0]
    return _roi(source, image, region, mask, (*source.notes, *notes, *labels.notes), name, require_ct, settings)


def read_rois(image: str | Path, mask: str | Path, labels: Sequence[int | str | None]) -> Iterator[Roi]:
    """Read several regions of one image, which is opened once, kept whole and in its stored type.

    Unlike `read_roi` it takes any organ of any modality; an image that cannot be CT in HU is told of. The case of each
    region is named by the mask's file and the label; a label of None is the only one there is.
    """
    image, mask = Path(image), Path(mask)
    with readable(image):
        source = open_ct(image)
    opened = _on(source, mask)
    with readable(mask):
        chosen = [choose(opened, label) for label in labels]
        drawn = [_drawn(opened, segment, source.grid) for segment in chosen]
    with readable(image):
        stored, notes = read_ct(source, whole(source.grid), require_ct=False, as_stored=True)
    notes = (*source.notes, *notes, *opened.notes)
    for segment, one in zip(chosen, drawn, strict=True):
        region = Volume(_put(one, whole(source.grid)), source.grid.affine)
        yield _roi(source, stored, region, mask, notes, f"{mask.name} label {segment.number}", False, None)
        notes = ()  # said once


def read_segments(ct: str | Path, mask: str | Path) -> list[tuple[Segment, int | None, float | None]]:
    """Structures of a mask, each with its voxels and its volume, mm^3.

    Both are None for one that cannot be drawn, and for those that `LISTING_S` does not suffice to draw.
    """
    ct, mask = Path(ct), Path(mask)
    with readable(ct):
        source = open_ct(ct)
    labels = _on(source, mask)
    with readable(mask):
        sizes = list(_sizes(labels))
    one = source.grid.voxel_mm3
    return [(s, n, None if n is None else n * one) for s, n in zip(labels.segments, sizes, strict=True)]


def _on(source: Source, mask: Path) -> Labels:
    """A mask opened on the grid of a CT; where the grids differ, a CT cut off or damaged is named in its stead."""
    try:
        with readable(mask):
            return open_mask(mask, source)
    except InputError as error:
        if error.code == "E_MASK_GRID":
            with readable(source.path):
                deque(source.planes([]), maxlen=0)
        raise


def _sizes(labels: Labels) -> Iterator[int | None]:
    """Voxels of each structure, as far as time allows; label maps are counted in one pass."""
    if isinstance(labels, LabelMap) and labels.values is None:
        yield from labels.sizes()
        return
    by = time.monotonic() + LISTING_S
    for segment in labels.segments:
        try:
            yield int(np.count_nonzero(labels.draw(segment).array)) if time.monotonic() < by else None
        except InputError:
            yield None


def whole(grid: Grid) -> Box:
    """Box of a whole image."""
    k, j, i = grid.shape
    return slice(0, k), slice(0, j), slice(0, i)


def _drawn(labels: Labels, segment: Segment, grid: Grid) -> Drawn:
    """A structure that does not fill the image."""
    drawn = labels.draw(segment)
    share = np.count_nonzero(drawn.array) / np.prod(grid.shape, dtype=float)
    if share > FULL:
        fault = "covers the whole image" if share == 1 else f"covers {100 * share:.3g} % of the image"
        raise InputError("E_MASK_FULL", labels.path, fault, "give a mask of one vertebra")
    return drawn


def _with_margin(drawn: Drawn, grid: Grid, margin_mm: float) -> Box:
    k, j, i = (part.start for part in drawn.box)
    return mask_box(drawn.array, grid.spacing, margin_mm, (k, j, i), grid.shape)


def _put(drawn: Drawn, box: Box) -> NDArray[np.bool_]:
    """The drawn voxels inside a box of the CT that holds them all."""
    mask = np.zeros([part.stop - part.start for part in box], bool)
    inner = [slice(d.start - b.start, d.stop - b.start) for d, b in zip(drawn.box, box, strict=True)]
    mask[inner[0], inner[1], inner[2]] = drawn.array
    return mask


def _roi(
    source: Source, image: Volume, region: Volume, mask: Path, notes: tuple[Note, ...], name: str,
    require_ct: bool, settings: Imaging | None,
) -> Roi:  # fmt: skip
    """A region with the warnings of its files, said and kept."""
    if require_ct:
        notes = (*notes, *check_region(source.path, mask, image.array[region.array]))
        notes = (*notes, *doubts(image, region, source.facts, source.path, mask, settings))
    for note in notes:
        warn(*note)
    lines = tuple(str(InputError(*note)) for note in notes)
    facts: dict[str, Any] = dict(source.facts) or {"pixel_mm": min(image.spacing)}
    return Roi(image, region, name, facts, lines)
