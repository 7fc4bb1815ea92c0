"""Opens images and masks: what kind of file it is, and the reader for it. Nothing else of the project opens any."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from ovfrad.errors import InputError
from ovfrad.imaging.masks.segments import Labels
from ovfrad.imaging.source import Source

IMAGES = "the folder of a DICOM series or a NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) file"
MASKS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .seg.nrrd), MetaImage (.mha), DICOM SEG or RTSTRUCT"


def open_ct(path: Path) -> Source:
    """Open an image by its name and first bytes: header and grid are checked, no voxel is read yet."""
    if _is_folder(path, "CT", IMAGES):
        return _open_series(path)
    if reader := _voxel_file(path):
        return reader(path)
    if _is_dicom(path):
        return _open_series(path)
    raise InputError("E_FORMAT", path, "is of no format read here", f"give {IMAGES}")


def open_labels(path: Path) -> Source:
    """Open a label map without a CT, for its grid."""
    reader = None if _is_folder(path, "mask", MASKS) else _voxel_file(path)
    if reader is None or path.name.lower().endswith(".seg.nrrd"):
        raise InputError(
            "E_MASK_FORMAT", path, "is no label map with a grid of its own", "read it together with its CT"
        )
    return reader(path)


def open_mask(path: Path, ct: Source) -> Labels:
    """Open a mask by its name and first bytes and compare it with the grid of a CT."""
    if _is_folder(path, "mask", MASKS):
        return _open_objects(_only_file(path), ct)
    if path.name.lower().endswith(".seg.nrrd"):
        from ovfrad.imaging.formats.slicer import open_slicer

        return open_slicer(path, ct.grid)
    if reader := _voxel_file(path):
        from ovfrad.imaging.masks.labelmap import open_label_map

        return open_label_map(reader(path), ct.grid)
    if _is_dicom(path):
        return _open_objects(path, ct)
    raise InputError("E_FORMAT", path, "is of no format read here", f"give the mask as {MASKS}")


def _is_folder(path: Path, kind: str, accepted: str) -> bool:
    """True for a folder, False for a plain file; anything else is refused before it is opened."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError("E_FILE_MISSING", path, "no such file or folder", f"check the path of the {kind}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise InputError("E_FILE_KIND", path, "is a device, pipe or socket", f"give {accepted}")
    return stat.S_ISDIR(mode)


def _voxel_file(path: Path) -> Callable[[Path], Source] | None:
    """Reader of a file of voxels, by its name."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        from ovfrad.imaging.formats.nifti import open_nifti

        return open_nifti
    if name.endswith(".nrrd"):
        from ovfrad.imaging.formats.nrrd import open_nrrd

        return open_nrrd
    if name.endswith(".mha"):
        from ovfrad.imaging.formats.metaimage import open_metaimage

        return open_metaimage
    return None


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return path.suffix.lower() == ".dcm" or stream.read(132)[128:] == b"DICM"


def _open_series(path: Path) -> Source:
    from ovfrad.imaging.dicom.ct import open_dicom

    return open_dicom(path)


def _only_file(folder: Path) -> Path:
    """The one DICOM object of a folder, as archives export a segmentation."""
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".") and _is_dicom(p)]
    if not files:
        raise InputError("E_MASK_FORMAT", folder, "is a folder without a DICOM object", f"give the mask as {MASKS}")
    if len(files) > 1:
        raise InputError(
            "E_MASK_FORMAT", folder, f"holds {len(files)} DICOM files", "give the one file of the SEG or RTSTRUCT"
        )
    return files[0]


def _open_objects(path: Path, ct: Source) -> Labels:
    """DICOM SEG or RTSTRUCT."""
    from ovfrad.imaging.dicom.sandbox import facts

    (parsed,) = facts([path])
    modality = str(parsed.values.get("Modality", ""))
    if modality == "SEG":
        from ovfrad.imaging.dicom.segmentation import open_segmentation

        return open_segmentation(parsed, ct)
    if modality == "RTSTRUCT":
        from ovfrad.imaging.dicom.structures import open_structures

        return open_structures(parsed, ct)
    fault = "is a slice of a CT" if modality == "CT" else "is a DICOM file without segments or contours"
    raise InputError("E_MASK_FORMAT", path, fault, f"give the mask as {MASKS}")
