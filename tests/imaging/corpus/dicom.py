"""DICOM objects written with pydicom from plain arrays: CT slices, enhanced CT, and the patient they belong to."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from .base import MARKER, Array, body, put

IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".1.99", ".2"))
ROOT = "1.2.826.0.1.3680043.8.498.20240"
"""Every UID of the corpus begins with it; none may be shown."""
PATIENT, STUDY, SERIES, FRAME = "ID7", f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3"
CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
SEG, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"

Change = Callable[[Dataset, int], Any]


def ds(value: float) -> str:
    """A number as a decimal string of at most 16 characters (DICOM PS3.5 6.2)."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def item(**values: Any) -> Dataset:
    """A dataset of keywords; a list of datasets is a sequence."""
    made = Dataset()
    for keyword, value in values.items():
        is_sequence = isinstance(value, list) and value and isinstance(value[0], Dataset)
        setattr(made, keyword, Items(value) if is_sequence else value)
    return made


def put_in(one: Dataset, keyword: str, value: Any) -> None:
    """Set a tag, even to what its kind forbids (words for a number)."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    texts = value if isinstance(value, list) else [value]
    if dictionary_VR(tag) in ("DS", "IS", "CS") and all(isinstance(text, str) for text in texts):
        raw = "\\".join(texts).encode()
        raw += b" " * (len(raw) % 2)
        one[tag] = RawDataElement(Tag(tag), dictionary_VR(tag), len(raw), raw, 0, False, True)
    else:
        setattr(one, keyword, value)


def patient(sop_class: str, instance: str, modality: str) -> Dataset:
    """What every object of this patient has: names in every tag that holds one."""
    made = item(
        SpecificCharacterSet="ISO_IR 100", SOPClassUID=sop_class, SOPInstanceUID=instance, Modality=modality,
        PatientName=f"{MARKER}^Jane", PatientID=PATIENT, PatientBirthDate="19480711", PatientSex="F",
        OtherPatientIDs=f"{MARKER}2", PatientComments=f"{MARKER} lives in {MARKER}", PatientAddress=MARKER,
        ReferringPhysicianName=f"{MARKER}^Doctor", InstitutionName=f"{MARKER} hospital", StationName=MARKER,
        OperatorsName=f"{MARKER}^Operator", AccessionNumber=MARKER, StudyID=MARKER, StudyDescription=MARKER,
        SeriesDescription=MARKER, StudyDate="20240229", SeriesDate="20240229", ContentDate="20240229",
        StudyTime="112233", Manufacturer="MAKER", StudyInstanceUID=STUDY, FrameOfReferenceUID=FRAME,
    )  # fmt: skip
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = sop_class, instance
    made.file_meta.TransferSyntaxUID = EXPLICIT
    return made


def pixels(made: Dataset, stored: Array, **more: Any) -> None:
    """Image pixel module of one frame (row, column) or several."""
    made.Rows, made.Columns = stored.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8 * stored.dtype.itemsize
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, int(stored.dtype.kind == "i")
    made.add_new("PixelData", "OW", stored.tobytes())
    for keyword, value in more.items():
        setattr(made, keyword, value)


def axes_of(affine: NDArray[np.float64]) -> tuple[list[str], list[str], float]:
    """ImageOrientationPatient, PixelSpacing (row, column) and slice distance of an affine."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    unit = affine[:3, :3] / spacing
    return [ds(v) for v in [*unit[:, 0], *unit[:, 1]]], [ds(spacing[1]), ds(spacing[0])], float(spacing[2])


def slices(hu: Array, affine: NDArray[np.float64], series: str = SERIES) -> list[Dataset]:
    """A CT series of `hu` (k, j, i), stored as unsigned with an intercept of -1024."""
    orientation, spacing, step = axes_of(affine)
    made = []
    for k, plane in enumerate(hu):
        one = patient(CT, f"{series}.{k + 1}", "CT")
        for keyword, value in {
            "SeriesInstanceUID": series, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "InstanceNumber": k + 1,
            "SliceThickness": ds(step), "KVP": "120", "ImageOrientationPatient": orientation, "PixelSpacing": spacing,
            "ImagePositionPatient": [ds(v) for v in affine[:3, 2] * k + affine[:3, 3]],
            "RescaleSlope": "1", "RescaleIntercept": "-1024", "RescaleType": "HU",
        }.items():  # fmt: skip
            setattr(one, keyword, value)
        pixels(one, (plane.astype("i4") + 1024).clip(0).astype("u2"))
        made.append(one)
    return made


def save(one: Dataset, path: Path, syntax: str = EXPLICIT, preamble: bool = True) -> Path:
    """Write a dataset whatever is wrong with it; pixels are swapped for big endian."""
    path.parent.mkdir(parents=True, exist_ok=True)
    one.file_meta.TransferSyntaxUID = syntax
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        if syntax == BIG and "PixelData" in one and one.BitsAllocated == 16:
            one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
        if preamble:
            one.save_as(path, enforce_file_format=True)
        else:
            del one.file_meta
            one.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return path


def save_all(made: Sequence[Dataset], folder: Path, names: Iterable[str] = (), **how: Any) -> Path:
    """Write a series, one slice a file."""
    names = list(names) or [f"slice_{n:03d}.dcm" for n in range(1, len(made) + 1)]
    for one, name in zip(made, names, strict=True):
        save(one, folder / name, **how)
    return folder


@cache
def _plain_files() -> tuple[bytes, ...]:
    with TemporaryDirectory() as folder:
        save_all(slices(body().hu, body().affine), Path(folder))
        return tuple(path.read_bytes() for path in sorted(Path(folder).iterdir()))


def plain_series(folder: Path) -> Path:
    """The usual CT of the body in `folder`/series."""
    for n, content in enumerate(_plain_files(), 1):
        put(folder / "series" / f"slice_{n:03d}.dcm", content)
    return folder / "series"


def transcode(path: Path, syntax: str) -> None:
    """Compress a file in place with GDCM; `syntax` is a name of `gdcm.TransferSyntax`."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change(), f"GDCM cannot write {syntax}"
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()


def enhanced(
    hu: Array, affine: NDArray[np.float64], order: Sequence[int] | None = None, shared: bool = True
) -> Dataset:
    """An enhanced CT (PS3.3 A.38) of `hu` (k, j, i), frames in `order`; geometry shared by all frames or in each."""
    orientation, spacing, step = axes_of(affine)
    order = list(order if order is not None else range(len(hu)))
    made = patient(ENHANCED_CT, f"{ROOT}.40", "CT")
    made.SeriesInstanceUID, made.InstanceNumber, made.NumberOfFrames = f"{ROOT}.4", 1, len(order)
    made.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    groups = {
        "PixelMeasuresSequence": [item(PixelSpacing=spacing, SliceThickness=ds(step))],
        "PlaneOrientationSequence": [item(ImageOrientationPatient=orientation)],
        "PixelValueTransformationSequence": [item(RescaleSlope="1", RescaleIntercept="-1024", RescaleType="HU")],
        "CTImageFrameTypeSequence": [item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])],
    }
    made.SharedFunctionalGroupsSequence = [item(**(groups if shared else {}))]
    made.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[ds(v) for v in affine[:3, 2] * k + affine[:3, 3]])],
            FrameContentSequence=[
                item(StackID="1", InStackPositionNumber=int(k) + 1, DimensionIndexValues=[1, int(k) + 1])
            ],
            **({} if shared else groups),
        )
        for k in order
    ]
    pixels(made, (hu[order].astype("i4") + 1024).clip(0).astype("u2"))
    return made


def element(group: int, number: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One element, explicit VR little endian, whose stated length may be a lie."""
    length = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD"):
        return struct.pack("<HH2sHI", group, number, vr, 0, length) + value
    return struct.pack("<HH2sH", group, number, vr, length) + value


def with_bytes(path: Path, extra: bytes) -> None:
    """Put raw elements before PatientName, where a group 0009 belongs."""
    before, name, behind = path.read_bytes().partition(b"\x10\x00\x10\x00PN")
    path.write_bytes(before + extra + name + behind)
