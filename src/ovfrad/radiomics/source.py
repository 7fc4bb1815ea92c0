"""Images and masks in whatever form they come: files, SimpleITK images, arrays, volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.errors import InputError
from ovfrad.radiomics.processing.source import Place

if TYPE_CHECKING:
    import SimpleITK

    from ovfrad.imaging.volume import Roi, Volume

    AnyImage = str | PathLike[str] | np.ndarray | SimpleITK.Image | Volume | Roi
else:
    AnyImage = Any

GRID_TOLERANCE = 0.01
"""Voxels by which the grids of a SimpleITK image and mask may differ, as files' may."""


@dataclass(frozen=True, eq=False)
class Source:
    """An image and a mask on one grid.

    Attributes
    ----------
    image : ndarray, shape (k, j, i)
        As it was given, not copied where that can be helped.
    mask : ndarray of bool, shape (k, j, i)
    spacing : tuple of float
        Voxel size (k, j, i), mm.
    name : str
        The case, for messages.
    place : Place, optional
        Origin and direction, where the image has them.
    """

    image: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float, float]
    name: str
    place: Place | None = None


def source_of(image: Any, mask: Any, label: int | str | None, spacing: Sequence[float] | None = None) -> Source:
    """Image and mask of a region; `label` as in `sources_of`. A `Roi` needs no mask."""
    if hasattr(image, "ct") and hasattr(image, "case_id"):
        if mask is not None or spacing is not None:
            raise InputError("E_USAGE", "extract", "a Roi has a mask and spacing of its own", "give the Roi alone")
        return _from_roi(image)
    if mask is None:
        raise InputError("E_USAGE", "extract", "there is no mask", "give image and mask, or a Roi")
    return next(source for _, source in sources_of(image, mask, [label], spacing))


def sources_of(
    image: Any, mask: Any, labels: Sequence[int | str | None], spacing: Sequence[float] | None = None
) -> Iterator[tuple[int | str | None, Source]]:
    """Label, and image and mask, of each region; `spacing` (k, j, i) is that of arrays, mm.

    A label of None is the only one that the mask holds; a name is one of a file.
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise InputError("E_USAGE", "extract_many", f"labels are {labels!r}", "give a list, even of one")
    if not (labels := list(labels)):
        raise InputError("E_USAGE", "extract_many", "no label is asked for", "name at least one")
    for label in labels:
        if label is not None and not _is_label(label) and not (isinstance(label, str) and label.strip()):
            raise InputError("E_MASK_LABEL", "label", f"{label!r} is no label", "give a whole number from 1 up")
    if twice := {label for label in labels if labels.count(label) > 1}:
        fault = f"{', '.join(map(str, twice))} {'are' if len(twice) > 1 else 'is'} asked for more than once"
        raise InputError("E_MASK_LABEL", "labels", fault, "name each once")
    kinds = {_kind(image), _kind(mask)}
    if len(kinds) > 1:
        fault = f"image and mask are {' and '.join(sorted(kinds))}"
        raise InputError("E_USAGE", "extract", fault, "give two of a kind: paths, SimpleITK images, arrays or volumes")
    if spacing is not None and kinds != {"arrays"}:
        raise InputError("E_USAGE", "extract", "spacing is given beside images that have their own", "leave it out")
    kind = kinds.pop()
    if kind == "paths":
        yield from _from_paths(Path(image), Path(mask), labels)
        return
    whole, stored, steps, place = _GRIDS[kind](image, mask, spacing)
    if stored.dtype.kind not in "biuf":
        raise InputError("E_MASK_KIND", "mask", f"its values are {stored.dtype}", "give labels, or an array of bool")
    if stored.dtype == bool and len(labels) > 1:
        raise InputError("E_MASK_LABEL", "mask", f"{len(labels)} labels of an array of bool", "give an array of labels")
    for label in labels:
        if isinstance(label, str):
            raise InputError("E_MASK_LABEL", "label", f"{label!r} is a name, and {kind} have none", "give its number")
        number, inside = _labelled(stored, label)
        name = "mask" if number is None else f"mask label {number}"
        yield number, Source(whole, inside, steps, name, place)


def _is_label(given: Any) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool) and float(given) > 0 and float(given).is_integer()


def _labelled(stored: np.ndarray, label: int | None) -> tuple[int | None, np.ndarray]:
    """Number and mask of a label; an array of bool has none."""
    if stored.dtype == bool:
        return None, stored
    if label is None:
        present = _present(stored)
        if len(present) != 1:
            raise InputError("E_MASK_LABEL", "mask", f"it holds the labels {_listed(present)}", "choose one: label=")
        label = present[0]
    inside = stored == label
    if not inside.any():
        fault = f"label {label} has no voxel (labels present: {_listed(_present(stored))})"
        raise InputError("E_MASK_LABEL", "mask", fault, "name one that is present")
    return label, inside


def _present(stored: np.ndarray) -> list[int]:
    """Labels of a mask; one with fractions, as of probabilities or after resampling, has none."""
    found = np.unique(stored[stored != 0])
    if found.size == 0:
        raise InputError("E_MASK_EMPTY", "mask", "the mask has no voxel", "give a mask with the region in it")
    if not np.all(np.isfinite(found) & (found == np.round(found))):
        fault = f"values from {found[0]:.4g} to {found[-1]:.4g} are not whole numbers"
        raise InputError("E_MASK_FRACTION", "mask", fault, "give labels, or mask >= 0.5")
    return [int(number) for number in found]


def _listed(labels: list[int]) -> str:
    return ", ".join(map(str, labels[:20])) + (", ..." if len(labels) > 20 else "")


def _kind(given: Any) -> str:
    if isinstance(given, str | PathLike):
        return "paths"
    if isinstance(given, np.ma.MaskedArray):
        raise InputError("E_IMAGE_KIND", "extract", "a masked array", "fill it: its mask would be passed over")
    if isinstance(given, np.ndarray):
        return "arrays"
    if hasattr(given, "GetSpacing"):
        return "SimpleITK images"
    if hasattr(given, "affine") and hasattr(given, "array"):
        return "volumes"
    remedy = "give paths, SimpleITK images, arrays (k, j, i) or volumes"
    raise InputError("E_USAGE", "extract", f"{type(given).__name__} is no image", remedy)


def _from_roi(roi: Roi) -> Source:
    mask = roi.mask.array.astype(bool, copy=False)
    return Source(roi.ct.array, mask, roi.ct.spacing[::-1], roi.case_id, _place(roi.ct))


def _place(volume: Volume) -> Place:
    return Place(volume.origin, tuple(volume.direction.ravel().tolist()))


def _from_paths(
    image: Path, mask: Path, labels: Sequence[int | str | None]
) -> Iterator[tuple[int | str | None, Source]]:
    """Read the image once, of any modality as PyRadiomics takes it; one that cannot be CT is told of."""
    from ovfrad import imaging

    for label, roi in zip(labels, imaging.read_rois(image, mask, labels), strict=True):
        yield label, _from_roi(roi)


Grid = tuple[np.ndarray, np.ndarray, tuple[float, float, float], Place | None]
"""Image, labels or mask of bool (k, j, i), spacing (k, j, i) mm, origin and direction."""


def _of_arrays(image: np.ndarray, mask: np.ndarray, spacing: Sequence[float] | None) -> Grid:
    try:
        k, j, i = (1.0, 1.0, 1.0) if spacing is None else map(float, spacing)
    except (TypeError, ValueError):
        fault = f"{spacing!r} is not three numbers"
        raise InputError("E_SPACING", "spacing", fault, "give three, mm, in the order (k, j, i)") from None
    return image, mask, (k, j, i), None


def _of_simpleitk(image: Any, mask: Any, _spacing: None) -> Grid:
    import SimpleITK

    for name, given in (("image", image), ("mask", mask)):
        if given.GetDimension() != 3 or given.GetNumberOfComponentsPerPixel() != 1:
            fault = f"{given.GetDimension()} dimensions, {given.GetNumberOfComponentsPerPixel()} values a voxel"
            raise InputError("E_GRID", name, fault, "give a volume of three dimensions with one value a voxel")
    _check_grids(image, mask)
    place = Place(image.GetOrigin(), image.GetDirection())
    return (
        SimpleITK.GetArrayViewFromImage(image),
        SimpleITK.GetArrayViewFromImage(mask),
        image.GetSpacing()[::-1],
        place,
    )


def _of_volumes(image: Volume, mask: Volume, _spacing: None) -> Grid:
    from ovfrad.imaging.geometry import grid_fault

    if fault := grid_fault(mask, image.grid):
        raise InputError("E_MASK_GRID", "mask", fault, "resample the mask onto the image")
    return image.array, mask.array, image.spacing[::-1], _place(image)


_GRIDS: dict[str, Callable[..., Grid]] = {
    "arrays": _of_arrays,
    "SimpleITK images": _of_simpleitk,
    "volumes": _of_volumes,
}


def _check_grids(image: Any, mask: Any) -> None:
    """Refuse a mask whose corners lie more than `GRID_TOLERANCE` voxels from the image's."""
    remedy = "resample the mask onto the image"
    if image.GetSize() != mask.GetSize():
        raise InputError("E_MASK_GRID", "mask", f"size {mask.GetSize()}, the image's is {image.GetSize()}", remedy)
    last = [size - 1 for size in image.GetSize()]
    for corner in ([0, 0, 0], last, [last[0], 0, 0], [0, last[1], 0], [0, 0, last[2]]):
        there = image.TransformPhysicalPointToContinuousIndex(mask.TransformIndexToPhysicalPoint(corner))
        off = float(np.abs(np.subtract(there, corner)).max())
        if off > GRID_TOLERANCE:
            raise InputError("E_MASK_GRID", "mask", f"a corner is {off:.2g} voxels off the image's", remedy)
