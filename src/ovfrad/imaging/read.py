"""The one place where images are opened: every command reads through `read_roi`, so that none reads otherwise.

An input is read right, read right with a warning that names it, or refused in one line. A mask is never resampled
onto a CT: it must lie on the CT's grid, in whatever axis order it is stored.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.astlof import label_of
from ovfrad.errors import InputError, warn
from ovfrad.imaging._source import Source
from ovfrad.imaging.flags import doubts
from ovfrad.imaging.geometry import Box, box_affine, crop, grid_fault, mask_box, matched
from ovfrad.imaging.plausibility import check_ct, check_region, labels_of
from ovfrad.imaging.volume import Grid, Roi, Volume

if TYPE_CHECKING:
    from ovfrad.study.settings import Imaging

ACCEPTED = "a NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) file"
SAMPLE = 1_000_000
"""Voxels, about, on which the values of a CT are judged."""

Note = tuple[str, Path, str, str]


def _whole(shape: tuple[int, ...]) -> Box:
    return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])


def _open(path: Path, kind: str) -> Source:
    """Open a file or a series folder by its name; `kind` is CT or mask."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError("E_FILE_MISSING", path, "no such file or folder", f"check the path of the {kind}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise InputError("E_FILE_KIND", path, "is a device, pipe or socket", f"give {ACCEPTED}")
    try:
        return _open_folder(path, kind) if stat.S_ISDIR(mode) else _open_file(path, kind)
    except OSError as error:
        fault = f"cannot be read ({error.strerror or type(error).__name__})"
        raise InputError("E_FILE_ACCESS", path, fault, f"check the {kind} and its rights") from error


def _open_folder(path: Path, kind: str) -> Source:
    from ovfrad.imaging._dicom import open_dicom
    from ovfrad.imaging._series import modality

    if kind == "CT":
        return open_dicom(path)
    raise _not_a_mask(path, modality(path), "is a folder")


def _not_a_mask(path: Path, found: str, otherwise: str) -> InputError:
    names = {"SEG": "is a DICOM SEG", "RTSTRUCT": "is an RTSTRUCT", "CT": "is a CT series"}
    late = ", which is not supported yet" if found in ("SEG", "RTSTRUCT") else ""
    return InputError("E_MASK_FORMAT", path, names.get(found, otherwise) + late, f"give the mask as {ACCEPTED}")


def _open_file(path: Path, kind: str) -> Source:
    name = path.name.lower()
    if name.endswith(".seg.nrrd"):
        raise InputError(
            "E_MASK_FORMAT", path, "is a 3D Slicer segmentation, which is not supported yet",
            "export it as a label map (.nii.gz or .nrrd)",
        )  # fmt: skip
    if name.endswith((".nii", ".nii.gz")):
        from ovfrad.imaging._nifti import open_nifti

        return open_nifti(path)
    if name.endswith(".nrrd"):
        from ovfrad.imaging._nrrd import open_nrrd

        return open_nrrd(path)
    if name.endswith(".mha"):
        from ovfrad.imaging._metaimage import open_metaimage

        return open_metaimage(path)
    with path.open("rb") as stream:
        is_dicom = name.endswith(".dcm") or stream.read(132)[128:] == b"DICM"
    if is_dicom and kind == "mask":
        from ovfrad.imaging._series import modality

        raise _not_a_mask(path, modality(path), "is one DICOM file")
    fault = "is one DICOM file" if is_dicom else "is of no format read here"
    folder = f"give the folder of a DICOM series or {ACCEPTED}" if kind == "CT" else f"give the mask as {ACCEPTED}"
    raise InputError("E_FORMAT", path, fault, folder)


def _check_finite(source: Source) -> None:
    """Refuse NaN and infinity anywhere in the image, plane by plane; integers have none."""
    for k in range(source.shape[0]):
        plane = source.load((slice(k, k + 1), *_whole(source.shape)[1:]))
        if plane.dtype.kind != "f":
            return
        if not np.isfinite(plane).all():
            raise InputError(
                "E_IMAGE_NONFINITE", source.path, "holds NaN or infinite values", "replace them before the export"
            )


def _ct(source: Source, box: Box, require_ct: bool, *, as_stored: bool = False) -> Volume:
    """Voxels of `box`, judged together with a sample of the whole image (of its slices, for DICOM).

    They are float32, or as stored: integers stay integers, as the HU of a DICOM series are.
    """
    if source.is_dicom_ct:
        planes = source.load((box[0], *_whole(source.shape)[1:]))
        part, sample = planes[(slice(None), *box[1:])], planes[:, ::3, ::3]
    else:
        _check_finite(source)
        step = max(1, round((np.prod(source.shape, dtype=float) / SAMPLE) ** (1 / 3)))
        part, sample = source.load(box), source.load((slice(None, None, step),) * 3)
    if require_ct:
        ends = np.array([part.min(), part.max()], dtype=sample.dtype)
        check_ct(source.path, np.append(sample.ravel(), ends), source.bits, source.is_dicom_ct)
    if as_stored and source.is_dicom_ct:
        part = in_whole_numbers(part)
    return Volume(
        np.ascontiguousarray(part, dtype=part.dtype if as_stored else np.float32), box_affine(source.affine, box)
    )


def in_whole_numbers(image: NDArray[Any]) -> NDArray[Any]:
    """As int16 where every value is a whole number that fits, else as it is."""
    found = np.empty(image.shape, np.int16)
    for part, plane in zip(found, image, strict=True):
        if not (plane.min() >= -32768 and plane.max() <= 32767):
            return image
        part[...] = plane
        if not np.array_equal(part, plane):
            return image
    return found


def read_volume(path: str | Path) -> Volume:
    """Read a whole image: NIfTI, NRRD or MetaImage file, or the folder of a DICOM CT series.

    Parameters
    ----------
    path : path
        Nothing is assumed about the values; `read_roi` judges whether they are HU.

    Returns
    -------
    Volume
        float32, axes as stored.
    """
    source = _open(Path(path), "CT")
    for note in source.notes:
        warn(*note)
    return _ct(source, _whole(source.shape), require_ct=False)


def _chosen(path: Path, present: list[int], label: int | None, vertebra: str | None, scheme: str | None) -> int:
    """Number of the label to use."""
    listed = ", ".join(map(str, present))
    if not present:
        raise InputError("E_MASK_EMPTY", path, "has no voxel above 0", "give a mask with the vertebra drawn in")
    named = _by_name(path, vertebra, scheme) if vertebra is not None and scheme is not None else None
    if None not in (label, named) and label != named:
        raise InputError(
            "E_MASK_LABEL", path, f"label {label} was asked for, but {vertebra} is {named} in scheme {scheme}",
            "name the label or the vertebra, or let them agree",
        )  # fmt: skip
    number = label if label is not None else named
    if number is None and len(present) > 1:
        raise InputError(
            "E_MASK_LABEL", path, f"holds the labels {listed} and none was chosen",
            "name one by its number, or by vertebra and scheme",
        )  # fmt: skip
    if number is not None and number not in present:
        name = f" ({vertebra} in scheme {scheme})" if named is not None else ""
        raise InputError(
            "E_MASK_LABEL", path, f"label {number}{name} has no voxel (labels present: {listed})",
            "name one that is present",
        )  # fmt: skip
    return present[0] if number is None else number


def _by_name(path: Path, vertebra: str, scheme: str) -> int:
    try:
        return label_of(vertebra, scheme)
    except ValueError as error:
        raise InputError(
            "E_MASK_SCHEME",
            path,
            str(error).rstrip("."),
            "name a vertebra (T12, L1) and the scheme of the mask's numbers",
        ) from error


def _label_map(path: Path) -> tuple[Volume, tuple[Note, ...]]:
    """Labels of a mask file as stored, and what is odd about it."""
    source = _open(path, "mask")
    _check_finite(source)
    return Volume(source.load(_whole(source.shape)), source.affine), source.notes


def _drawn(path: Path, labels: Volume, number: int) -> Volume:
    """Mask of one label."""
    mask = labels.array == number
    if mask.all():
        raise InputError("E_MASK_FULL", path, "covers the whole image", "give a mask of one vertebra")
    return Volume(mask, labels.affine)


def read_mask(
    path: str | Path, label: int | None = None, *, vertebra: str | None = None, scheme: str | None = None
) -> Volume:
    """Read one label of a mask.

    Parameters
    ----------
    path : path
        NIfTI, NRRD or MetaImage label map.
    label : int, optional
        Its number. Without label and vertebra the mask must hold exactly one.
    vertebra, scheme : str, optional
        Vertebra (T12, L1) and label scheme (`ovfrad.astlof.SCHEMES`) instead of a number. A vertebra without a
        scheme names the case, not the label.

    Returns
    -------
    Volume
        bool, axes as stored.
    """
    path = Path(path)
    labels, notes = _label_map(path)
    for note in notes:
        warn(*note)
    return _drawn(path, labels, _chosen(path, labels_of(path, labels.array), label, vertebra, scheme))


def read_roi(
    ct: str | Path,
    mask: str | Path,
    *,
    label: int | None = None,
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
        NIfTI, NRRD or MetaImage file, or folder of a DICOM CT series.
    mask : path
        Label map on the CT's grid; permuted or flipped axes are matched.
    label, vertebra, scheme
        Which label, see `read_mask`.
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
    source = _open(ct, "CT")
    labels, notes = _on_grid(mask, source)
    number = _chosen(mask, labels_of(mask, labels.array), label, vertebra, scheme)
    drawn = _drawn(mask, labels, number)
    box = _whole(source.shape) if margin_mm is None else mask_box(drawn.array, drawn.spacing, margin_mm)
    image = _ct(source, box, require_ct)
    name = case_id or mask.name.split(".")[0]
    return _roi(source, image, crop(drawn, box), mask, (*source.notes, *notes), name, require_ct, settings)


def read_rois(image: str | Path, mask: str | Path, labels: Sequence[int | None]) -> Iterator[Roi]:
    """Read several regions of one image, which is opened once, kept whole and in its stored type.

    Unlike `read_roi` it takes any organ of any modality; an image that cannot be CT in HU is told of. The case of each
    region is named by the mask's file and the label; a label of None is the only one there is.
    """
    image, mask = Path(image), Path(mask)
    source = _open(image, "CT")
    stored, notes = _on_grid(mask, source)
    present = labels_of(mask, stored.array)
    numbers = [_chosen(mask, present, label, None, None) for label in labels]
    whole = _ct(source, _whole(source.shape), require_ct=False, as_stored=True)
    notes = (*source.notes, *notes, *_no_ct(source, whole.array))
    for number in numbers:
        name = f"{mask.name} label {number}"
        yield _roi(source, whole, _drawn(mask, stored, number), mask, notes, name, False, None)
        notes = ()  # said once


def _no_ct(source: Source, image: NDArray[Any]) -> tuple[Note, ...]:
    """What speaks against an image being CT, as a note."""
    step = max(1, round((image.size / SAMPLE) ** (1 / 3)))
    sample = image[::step, ::step, ::step].ravel()
    try:
        check_ct(source.path, np.append(sample, [image.min(), image.max()]), source.bits, source.is_dicom_ct)
    except InputError as error:
        return (
            (error.code.replace("E_", "W_", 1), source.path, error.fault, "features are of grey values, not of HU"),
        )
    return ()


def _on_grid(mask: Path, source: Source) -> tuple[Volume, tuple[Note, ...]]:
    """Labels of a mask file on the axes of a CT; refused where the grids differ."""
    labels, notes = _label_map(mask)
    grid = Grid(source.shape, source.affine)
    labels = matched(labels, grid)
    if fault := grid_fault(labels, grid):
        raise InputError("E_MASK_GRID", mask, fault, "resample the mask onto the CT or export it again")
    return Volume(labels.array, source.affine), notes


def _roi(
    source: Source, image: Volume, region: Volume, mask: Path, notes: tuple[Note, ...], name: str,
    require_ct: bool, settings: Imaging | None,
) -> Roi:  # fmt: skip
    """A region with the warnings of its files, said and kept."""
    region = Volume(np.ascontiguousarray(region.array), image.affine)
    if require_ct:
        notes = (*notes, *check_region(source.path, mask, image.array[region.array]))
        notes = (*notes, *doubts(image, region, source.facts, source.path, mask, settings))
    for note in notes:
        warn(*note)
    lines = tuple(str(InputError(*note)) for note in notes)
    facts = source.facts or {"pixel_mm": min(image.spacing)}
    return Roi(image, region, name, dict(facts), lines)
