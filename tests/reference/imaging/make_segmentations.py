"""Writes the segmentations beside it with highdicom: two segments on a small oblique CT of a formula.

pip install highdicom==0.28.2 pyjpegls==1.5.1
python tests/reference/imaging/make_segmentations.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from highdicom.seg import SegmentationTypeValues as Kind
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from segments import ALONG, COSINES, ORIGIN, SHAPE, SPACING, labels

ROOT = "1.2.826.0.1.3680043.8.498.7"


def ct() -> list[Dataset]:
    """Headers of a CT series."""
    slices = []
    for k in range(SHAPE[0]):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID, one.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.1.{k + 1}"
        one.PatientID, one.PatientName, one.PatientBirthDate, one.PatientSex = "P1", "", "", ""
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = f"{ROOT}.2", f"{ROOT}.3", f"{ROOT}.4"
        one.StudyID, one.StudyDate, one.StudyTime, one.AccessionNumber, one.ReferringPhysicianName = "", "", "", "", ""
        one.Modality, one.InstanceNumber, one.ImageType = "CT", k + 1, ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.Rows, one.Columns, one.PixelSpacing, one.SliceThickness = SHAPE[1], SHAPE[2], list(SPACING), 2.5
        one.ImageOrientationPatient = list(COSINES)
        one.ImagePositionPatient = [float(v) for v in ORIGIN + k * ALONG]
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.PixelData = bytes(2 * SHAPE[1] * SHAPE[2])
        slices.append(one)
    return slices


def write(name: str, kind: Kind, syntax: str) -> None:
    """One file beside this script."""
    described = [
        SegmentDescription(n, f"vertebra L{n}", codes.SCT.AnatomicalStructure, codes.SCT.Vertebra, "MANUAL")
        for n in (1, 2)
    ]
    array = labels()
    if kind == Kind.FRACTIONAL:
        array = np.stack([array == 1, array == 2], axis=-1).astype(np.float32)
    made = Segmentation(
        ct(), array, kind, described, f"{ROOT}.5", 2, f"{ROOT}.6", 1, "maker", "model", "1", "1",
        transfer_syntax_uid=syntax,
    )  # fmt: skip
    for date in ("InstanceCreationDate", "ContentDate"):
        setattr(made, date, "20200101")
    for time in ("InstanceCreationTime", "ContentTime"):
        setattr(made, time, "120000")
    made.save_as(Path(__file__).with_name(f"{name}.dcm"))


if __name__ == "__main__":
    write("seg_binary", Kind.BINARY, ExplicitVRLittleEndian)
    write("seg_fractional", Kind.FRACTIONAL, RLELossless)
    write("seg_labelmap", Kind.LABELMAP, ExplicitVRLittleEndian)
    write("seg_labelmap_rle", Kind.LABELMAP, RLELossless)
    write("seg_labelmap_jpegls", Kind.LABELMAP, JPEGLSLossless)
