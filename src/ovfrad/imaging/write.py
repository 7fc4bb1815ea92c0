"""Volumes to files: NIfTI-1 and DICOM CT series, written aside, read back, compared, then put in place.

Reading back is not a luxury: a full disk leaves short files without an error from most image libraries.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.volume import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI counts x to the right and y to the front, DICOM to the left and to the back."""

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
INTERCEPT = -1024
"""Rescale intercept of written slices, HU: stored values are signed 16-bit, HU = stored - 1024."""


def _as_stored(array: NDArray[Any], dtype: DTypeLike | None) -> NDArray[Any]:
    """Array in the type it is stored as; integers are rounded to and must hold every value."""
    if dtype is None:
        dtype = np.uint8 if array.dtype == np.bool_ else array.dtype
    kind = np.dtype(dtype)
    if kind not in [np.dtype(t) for t in ("u1", "i2", "u2", "i4", "f4", "f8")]:
        raise ValueError(f"NIfTI files are written as 8-bit to 32-bit integers or floats, not as {kind}")
    if kind.kind in "iu" and array.dtype.kind == "f":
        array = np.rint(array)
    stored = array.astype(kind)
    if kind.kind in "iu" and not np.array_equal(stored, array):
        raise ValueError(f"values {array.min():g} to {array.max():g} do not fit {kind}")
    return stored


def write_nifti(volume: Volume, path: str | Path, dtype: DTypeLike | None = None) -> Path:
    """Write a NIfTI-1 file (.nii, .nii.gz); equal volumes give equal bytes.

    Parameters
    ----------
    volume : Volume
        bool is stored as uint8.
    path : path
        Ends in .nii or .nii.gz; a file of that name is replaced.
    dtype : dtype, optional
        Stored type, e.g. "int16" for CT (rounded to whole HU); default: the array's own.

    Returns
    -------
    Path
        The file written.
    """
    import nibabel

    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"a NIfTI file ends in .nii or .nii.gz: {path.name}")
    stored = _as_stored(volume.array, dtype)
    image = nibabel.Nifti1Image(stored.transpose(2, 1, 0), LPS_TO_RAS @ volume.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(LPS_TO_RAS @ volume.affine, code=1)
    image.set_qform(LPS_TO_RAS @ volume.affine, code=1)
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, compresslevel=4, mtime=0)
    _write_checked(content, path)
    return path


def _write_checked(content: bytes, path: Path) -> None:
    """Write bytes to a neighbouring temporary file, read them back, and rename it into place."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if aside.read_bytes() != content:
            raise InputError(
                "E_WRITE", path, "what was written does not read back", "check the disk and its free space"
            )
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_dicom_series(volume: Volume, folder: str | Path, **tags: Any) -> Path:
    """Write one DICOM CT series, a file per slice along k, uncompressed.

    Parameters
    ----------
    volume : Volume
        HU, rounded to whole numbers.
    folder : path
        Made; refused when it exists and is not empty.
    **tags
        Further attributes by DICOM keyword (`Manufacturer="A", KVP=120, SliceThickness=3.0, PatientID="P1"`);
        UIDs follow from the voxels and the tags, so that equal input gives equal files.

    Returns
    -------
    Path
        The folder written.

    Examples
    --------
    >>> volume = Volume(np.zeros((2, 4, 4), np.float32), np.eye(4))
    >>> write_dicom_series(volume, "series", Kernel="B30f")
    Traceback (most recent call last):
    ValueError: not a DICOM keyword: Kernel
    """
    _import_pydicom()
    from pydicom.datadict import tag_for_keyword

    folder = Path(folder)
    for keyword in tags:
        if tag_for_keyword(keyword) is None:
            raise ValueError(f"not a DICOM keyword: {keyword}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("E_FOLDER_NOT_EMPTY", folder, "exists already", "name a new or an empty folder")
    axes = volume.direction
    if abs(np.cross(axes[:, 0], axes[:, 1]) @ axes[:, 2]) < 1 - 1e-6:
        raise ValueError("slices of a DICOM series lie along their normal; this volume's axes are sheared")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _write_slices(volume, aside, tags)
        if folder.is_dir():
            folder.rmdir()
        aside.chmod(0o755)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _import_pydicom() -> None:
    """Import pydicom, and GDCM with it, which takes any folder named `dl` on the path for a module of old Python."""
    if "pydicom" in sys.modules or "dl" in sys.modules:
        return
    sys.modules["dl"] = None  # type: ignore[assignment]  # as if it were not there
    try:
        import pydicom  # noqa: F401
    finally:
        del sys.modules["dl"]


def _write_slices(volume: Volume, folder: Path, tags: dict[str, Any]) -> None:
    """Every slice of a series as a file, each read back."""
    from pydicom import dcmread

    stored = _as_stored(volume.array - INTERCEPT, np.int16)
    digest = hashlib.sha256(stored.tobytes() + volume.affine.tobytes() + repr(sorted(tags.items())).encode())
    uid = f"2.25.{int.from_bytes(digest.digest()[:14], 'big')}"
    for k in range(stored.shape[0]):
        path = folder / f"slice_{k + 1:04d}.dcm"
        _slice(volume, stored[k], k, uid, tags).save_as(path, enforce_file_format=True)
        if dcmread(path).PixelData != stored[k].tobytes():
            raise InputError(
                "E_WRITE", path, "what was written does not read back", "check the disk and its free space"
            )


def _slice(volume: Volume, pixels: NDArray[np.int16], k: int, uid: str, tags: dict[str, Any]) -> Any:
    """One CT Image Storage dataset (DICOM PS3.3 A.3)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT_IMAGE_STORAGE
    meta.MediaStorageSOPInstanceUID = f"{uid}.{k + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CT_IMAGE_STORAGE, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = f"{uid}.0", f"{uid}.0.1", f"{uid}.0.2"
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.PatientName = data.PatientID = ""
    data.InstanceNumber = k + 1
    direction, spacing = volume.direction, volume.spacing
    position = volume.affine @ [0, 0, k, 1]
    data.ImagePositionPatient = [f"{v:.9g}" for v in position[:3]]
    data.ImageOrientationPatient = [f"{v:.9g}" for v in (*direction[:, 0], *direction[:, 1])]
    data.PixelSpacing = [f"{spacing[1]:.9g}", f"{spacing[0]:.9g}"]
    data.SliceThickness = f"{spacing[2]:.9g}"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = str(INTERCEPT), "1", "HU"
    data.PixelData = pixels.astype("<i2").tobytes()
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    return data
