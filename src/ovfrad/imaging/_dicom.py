"""A DICOM CT series as a folder, one slice a file, each slice with its own rescale (DICOM PS3.3 C.7.6.2, C.8.2.1)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging._series import Slice, normal_of, number_of, ordered_slices, slice_step
from ovfrad.imaging._source import Source, check_axes, check_size
from ovfrad.imaging.geometry import Box


def _notes(folder: Path, slices: list[Slice], step: float) -> list[tuple[str, Path, str, str]]:
    notes = []
    thickness = _mean(slices, "SliceThickness")
    if thickness and step > 1.5 * thickness:
        fault = f"slices of {thickness:.3g} mm lie {step:.3g} mm apart"
        notes.append(("W_DICOM_SPARSE", folder, fault, "bone between the slices is not seen"))
    rescales = {(float(s.head.RescaleSlope), float(s.head.RescaleIntercept)) for s in slices}
    if len(rescales) > 1:
        notes.append(
            ("W_DICOM_RESCALE", folder, f"its slices have {len(rescales)} rescales", "each slice's own is used")
        )
    if any(str(s.head.get("LossyImageCompression", "")) == "01" for s in slices):
        notes.append(("W_DICOM_LOSSY", folder, "was compressed with loss", "texture features may differ"))
    return notes


def _mean(slices: list[Slice], keyword: str) -> float | None:
    values = []
    for s in slices:
        try:
            values.append(float(s.head.get(keyword)))
        except (TypeError, ValueError):
            continue
    return float(np.mean(values)) if values and np.isfinite(values).all() else None


def _facts(slices: list[Slice]) -> dict[str, str | float]:
    """Facts for the acquisition table; absent where no header has them."""
    facts: dict[str, str | float] = {}
    head = slices[0].head
    for name, keyword in (("manufacturer", "Manufacturer"), ("model", "ManufacturerModelName")):
        if text := str(head.get(keyword) or "").strip():
            facts[name] = text
    kernel = head.get("ConvolutionKernel")
    if kernel:
        facts["kernel"] = str(kernel) if isinstance(kernel, str) else " ".join(str(k) for k in kernel)
    for name, keyword in (("kvp", "KVP"), ("ma", "XRayTubeCurrent"), ("slice_thickness_mm", "SliceThickness")):
        if (value := _mean(slices, keyword)) is not None:
            facts[name] = value
    facts["pixel_mm"] = float(head.PixelSpacing[1])
    if str(head.get("ContrastBolusAgent") or "").strip():
        facts["contrast"] = "yes"
    return facts


def _pixels(one: Slice) -> NDArray[np.float64]:
    """HU of one slice, (row, column)."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(one.path)
            stored = _decoded(data, one.path)
        except InputError:
            raise
        except Exception as error:  # decoders raise whatever damaged bytes make them raise
            raise InputError(
                "E_DICOM_FILE", one.path, "its pixels cannot be read", "copy or export the series again"
            ) from error
    shape, bits = (int(one.head.Rows), int(one.head.Columns)), int(one.head.BitsStored)
    low, high = (-(1 << bits - 1), 1 << bits - 1) if int(one.head.PixelRepresentation) else (0, 1 << bits)
    if stored.shape != shape or stored.min() < low or stored.max() >= high:
        raise InputError(
            "E_DICOM_FILE", one.path, f"its pixels are not {shape[0]} x {shape[1]} values of {bits} bits",
            "copy or export the series again",
        )  # fmt: skip
    return stored * number_of(one.path, one.head, "RescaleSlope") + number_of(one.path, one.head, "RescaleIntercept")


def _decoded(data: Any, path: Path) -> NDArray[Any]:
    """Stored values; compressed slices that pydicom has no decoder for are decoded by ITK."""
    if not data.file_meta.TransferSyntaxUID.is_compressed:
        wanted = int(data.Rows) * int(data.Columns) * 2
        if len(data.PixelData) != wanted:
            raise InputError(
                "E_IMAGE_TRUNCATED", path, f"holds {len(data.PixelData)} bytes of the {wanted} its header announces",
                "the file was cut off; copy or export it again",
            )  # fmt: skip
        return np.asarray(data.pixel_array)
    try:
        return np.asarray(data.pixel_array)
    except (RuntimeError, NotImplementedError):
        import SimpleITK

        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        return np.rint((image[0] - float(data.RescaleIntercept)) / float(data.RescaleSlope))


def open_dicom(folder: Path) -> Source:
    """Check the headers of a series; pixels are read only for the slices that a box asks for."""
    slices = ordered_slices(folder)
    step, notes = slice_step(folder, slices)
    head, normal = slices[0].head, normal_of(slices[0])
    rows, columns = np.asarray(head.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    shape = (len(slices), int(head.Rows), int(head.Columns))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = rows * float(head.PixelSpacing[1]), columns * float(head.PixelSpacing[0])
    affine[:3, 2], affine[:3, 3] = normal * step, slices[0].position
    check_size(folder, shape, 2)
    check_axes(folder, shape, affine)

    def load(box: Box) -> NDArray[Any]:
        return np.stack([_pixels(s)[box[1:]] for s in slices[box[0]]]).astype(np.float32)

    notes += _notes(folder, slices, step)
    return Source(folder, shape, affine, 16, load, is_dicom_ct=True, facts=_facts(slices), notes=tuple(notes))
