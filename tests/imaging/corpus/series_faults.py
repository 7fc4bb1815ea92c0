"""DICOM folders that hold no single CT, no CT at all, or damaged files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from .base import MARKER, NEVER_WRONG, REFUSED, REFUSED_OR_WARNED, WARNED, Catalogue, body, put, stored
from .dicom import BIG, DEFLATED, EXPLICIT, ROOT, Change, Dataset, ds, element, save, slices, transcode, with_bytes
from .series import ONE, compressed, enhanced_ct, series, signed, tags

CATALOGUE = Catalogue("dicom")
add = CATALOGUE.add


def _stacks() -> None:
    for name, missing in {"one": [17], "two": [9, 25], "every_second_in_part": [21, 23, 25, 27]}.items():
        add(f"dicom_missing_{name}", series(then=_without(missing)), REFUSED)
    add("dicom_missing_last_ones", series(then=_without([39, 40]), faulty=("mask.nii.gz",)), REFUSED)
    add("dicom_two_at_one_place", series(lambda d, n: setattr(d, "ImagePositionPatient", _place(16)), only=17), REFUSED)
    add("dicom_steps_change", series(_at(lambda n: n + max(0, n - 20) * 0.5)), REFUSED)
    add("dicom_steps_grow", series(_at(lambda n: n * (1 + n / 100))), REFUSED)
    add("dicom_one_slice_30_percent_off", series(_at(lambda n: n + 0.3 * (n == 14))), REFUSED)
    add("dicom_one_slice_5_percent_off", series(_at(lambda n: n + 0.05 * (n == 14))), REFUSED_OR_WARNED)
    for degrees in (1, 10, 25):
        add(f"dicom_gantry_tilt_{degrees}", series(_tilted(degrees)), REFUSED)
    add("dicom_gantry_tilt_tag_only", series(tags(GantryDetectorTilt="15")), NEVER_WRONG)
    for name, values in {
        "series": {"SeriesInstanceUID": f"{ROOT}.9"}, "studies": {"StudyInstanceUID": f"{ROOT}.9"},
        "patients": {"PatientID": "ID8"}, "frames_of_reference": {"FrameOfReferenceUID": f"{ROOT}.9"},
        "spacings": {"PixelSpacing": ["0.7", "0.75"]},
        "orientations": {"ImageOrientationPatient": ["1", "0", "0", "0", "-1", "0"]},
        "tilted_orientations": {"ImageOrientationPatient": ["1", "0", "0", "0", "0.9998", "0.02"]},
        "sizes": {"Rows": 50, "Columns": 60}, "modalities": {"Modality": "PT"},
    }.items():  # fmt: skip
        add(f"dicom_mixed_{name}_half", series(lambda d, n, v=values: tags(**v)(d, n) if n > 22 else None), REFUSED)
        add(f"dicom_mixed_{name}_one", series(tags(**values), only=16), REFUSED)
    add("dicom_two_whole_series", series(made=lambda: [
        *slices(body().hu, body().affine), *slices(body().hu, body().affine, f"{ROOT}.8")]), REFUSED)  # fmt: skip
    add("dicom_localizer_inside", series(made=_localizer), REFUSED)
    add("dicom_localizer_alone", series(tags(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])), REFUSED)
    add("dicom_one_slice_only", series(then=_without(range(2, 41))), REFUSED)
    add("dicom_two_slices_only", series(then=_without(range(3, 41)), faulty=("series", "mask.nii.gz")), REFUSED)
    add("dicom_empty_folder", series(then=_without(range(1, 41))), REFUSED)
    add("dicom_texts_only", series(then=_texts_only), REFUSED)


def _texts_only(folder: Path, rng: np.random.Generator) -> None:
    _without(range(1, 41))(folder, rng)
    (folder / "README.txt").write_text("all gone")


def _without(numbers_gone: Any) -> Callable[[Path, np.random.Generator], None]:
    def remove(folder: Path, rng: np.random.Generator) -> None:
        for n in numbers_gone:
            (folder / f"slice_{n:03d}.dcm").unlink()

    return remove


def _place(k: float) -> list[str]:
    return ["-18.5", "40.25", ds(-310.5 + 1.5 * k)]


def _at(place: Callable[[int], float]) -> Change:
    return lambda d, n: setattr(d, "ImagePositionPatient", _place(place(n)))


def _tilted(degrees: float) -> Change:
    """The gantry leans: slices stay parallel and each lies a little further back than its normal says."""
    aside = float(np.tan(np.radians(degrees)))

    def change(one: Dataset, n: int) -> None:
        one.ImagePositionPatient = ["-18.5", ds(40.25 + 1.5 * n * aside), ds(-310.5 + 1.5 * n)]

    return change


def _localizer() -> list[Dataset]:
    """The usual series and a coronal overview in the same series."""
    made = slices(body().hu, body().affine)
    scout = slices(*stored(body().hu, body().affine, (0, 2, 1), (1, -1, 1)))[30]
    scout.ImageType, scout.InstanceNumber = ["ORIGINAL", "PRIMARY", "LOCALIZER"], 0
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.2.99"
    return [*made, scout]


def _faults() -> None:
    for name, values in {
        "monochrome1": {"PhotometricInterpretation": "MONOCHROME1"},
        "palette": {"PhotometricInterpretation": "PALETTE COLOR"},
        "slope_missing": {"RescaleSlope": None}, "intercept_missing": {"RescaleIntercept": None},
        "rescale_missing": {"RescaleSlope": None, "RescaleIntercept": None}, "slope_zero": {"RescaleSlope": "0"},
        "slope_nan": {"RescaleSlope": "nan"}, "slope_infinite": {"RescaleSlope": "inf"},
        "slope_of_words": {"RescaleSlope": "one"},
        "slope_negative": {"RescaleSlope": "-1"},
        "intercept_two": {"RescaleIntercept": ["0", "-1024"]}, "rescale_type_od": {"RescaleType": "OD"},
        "modality_mr": {"Modality": "MR"}, "modality_pt": {"Modality": "PT"}, "modality_us": {"Modality": "US"},
        "modality_missing": {"Modality": None}, "modality_empty": {"Modality": ""},
        "spacing_missing": {"PixelSpacing": None},
        "spacing_zero": {"PixelSpacing": ["0", "0.75"]}, "spacing_negative": {"PixelSpacing": ["-0.625", "0.75"]},
        "spacing_nan": {"PixelSpacing": ["nan", "0.75"]}, "spacing_of_one": {"PixelSpacing": "0.625"},
        "spacing_huge": {"PixelSpacing": ["625", "750"]}, "orientation_missing": {"ImageOrientationPatient": None},
        "orientation_zero": {"ImageOrientationPatient": ["0"] * 6},
        "orientation_long": {"ImageOrientationPatient": ["2", "0", "0", "0", "2", "0"]},
        "orientation_parallel": {"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]},
        "orientation_sheared": {"ImageOrientationPatient": ["1", "0", "0", "0.1", "0.995", "0"]},
        "orientation_nan": {"ImageOrientationPatient": ["nan", "0", "0", "0", "1", "0"]},
        "orientation_of_five": {"ImageOrientationPatient": ["1", "0", "0", "0", "1"]},
        "position_missing": {"ImagePositionPatient": None}, "position_nan": {"ImagePositionPatient": ["0", "0", "nan"]},
        "position_of_two": {"ImagePositionPatient": ["0", "0"]},
        "positions_all_alike": {"ImagePositionPatient": ["0", "0", "0"]},
        "bits_stored_40": {"BitsStored": 40}, "bits_stored_0": {"BitsStored": 0},
        "bits_allocated_32": {"BitsAllocated": 32},
        "bits_allocated_missing": {"BitsAllocated": None}, "three_samples": {"SamplesPerPixel": 3},
        "rows_zero": {"Rows": 0}, "rows_missing": {"Rows": None}, "rows_more": {"Rows": 61},
        "rows_most": {"Rows": 65535, "Columns": 65535},
        "frames_of_five": {"NumberOfFrames": "5"}, "frames_negative": {"NumberOfFrames": "-1"},
        "no_pixels": {"PixelData": None},
        "sop_class_of_mr": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"},
        "secondary_capture_of_colour": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"},
    }.items():  # fmt: skip
        add(f"dicom_{name}", series(tags(**values)), REFUSED)
        if name in (
            "monochrome1",
            "slope_zero",
            "slope_missing",
            "spacing_zero",
            "position_missing",
            "rows_more",
            "no_pixels",
        ):
            add(f"dicom_{name}_in_one", series(tags(**values), only=16, faulty=(ONE, "series")), REFUSED)
    add(
        "dicom_signed_said_unsigned",
        series(lambda d, n: (signed(d, n), setattr(d, "PixelRepresentation", 0))),
        REFUSED,
    )
    add("dicom_8_bits", series(_eight_bits), REFUSED)
    add("dicom_values_of_a_window", series(_windowed), REFUSED)
    add("dicom_values_plus_1024", series(tags(RescaleIntercept="0")), REFUSED_OR_WARNED)
    add("dicom_values_minus_1024", series(tags(RescaleIntercept="-2048")), REFUSED)
    add("dicom_slope_of_10", series(tags(RescaleSlope="10")), REFUSED)
    add("dicom_rescale_type_us", series(tags(RescaleType="US")), NEVER_WRONG)
    add("dicom_contrast", series(tags(ContrastBolusAgent="ULTRAVIST 370")), WARNED, warns=("W_CONTRAST",))
    add("dicom_secondary_capture_said_ct", series(tags(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ConversionType="WSD")),
        NEVER_WRONG)  # fmt: skip
    add("dicom_jpeg2000_said_lossy_is_not", series(then=compressed("JPEG2000")), NEVER_WRONG)
    add("dicom_lossy", series(then=_lossy), REFUSED_OR_WARNED)
    add("dicom_said_lossy", series(tags(LossyImageCompression="01", LossyImageCompressionRatio="12")), WARNED)
    add("dicom_names_in_wrong_tags", series(tags(
        Modality=MARKER, RescaleType=MARKER, PhotometricInterpretation=MARKER, ImageType=[MARKER])),
        REFUSED)  # fmt: skip
    add("dicom_name_as_colour", series(tags(PhotometricInterpretation=MARKER)), REFUSED)
    add("dicom_name_as_unit", series(tags(RescaleType=MARKER)), REFUSED)
    add("dicom_name_as_slope", series(tags(RescaleSlope=MARKER)), REFUSED)
    add("dicom_name_as_spacing", series(tags(PixelSpacing=[MARKER, MARKER])), REFUSED)


def _eight_bits(one: Dataset, n: int) -> None:
    values = (np.frombuffer(one.PixelData, "<u2").astype("f4") - 774) / 1500 * 255
    one.add_new("PixelData", "OB", values.clip(0, 255).astype("u1").tobytes())
    one.BitsAllocated, one.BitsStored, one.HighBit, one.RescaleIntercept = 8, 8, 7, "0"


def _windowed(one: Dataset, n: int) -> None:
    values = (np.frombuffer(one.PixelData, "<u2").astype("f4") - 774) / 1500 * 255
    one.PixelData, one.RescaleIntercept = values.clip(0, 255).astype("<u2").tobytes(), "0"


def _damage() -> None:
    for keep in (0, 50, 128, 132, 200, 600, 0.3, 0.7, -2):
        add(f"dicom_cut_at_{keep}", series(then=_cut(keep), faulty=(ONE, "series")), REFUSED)
    for syntax in ("RLELossless", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"):
        for keep in (0.5, 0.9):
            add(f"dicom_{syntax}_cut_at_{keep}", series(
                then=_both(compressed(syntax), _cut(keep)), faulty=(ONE, "series")), REFUSED)  # fmt: skip
    add("dicom_deflated_cut", series(syntax=DEFLATED, then=_cut(0.8), faulty=(ONE, "series")), REFUSED)
    add("dicom_deflated_damaged", series(syntax=DEFLATED, then=_noise(0.5), faulty=(ONE, "series")), REFUSED)
    add("dicom_surplus_pixels", series(lambda d, n: setattr(d, "PixelData", d.PixelData + bytes(400)), only=16,
                                       faulty=(ONE, "series")), REFUSED_OR_WARNED)  # fmt: skip
    for name, content in {
        "IM0001": b"hello", "extra.dcm": b"", "scan.nii.gz": bytes(900), "zero.dcm": bytes(5000),
        "page.html": None, "meta_only.dcm": bytes(128) + b"DICM",
    }.items():  # fmt: skip
        expect = {"page.html": NEVER_WRONG, "scan.nii.gz": WARNED}.get(name, REFUSED)
        add(f"dicom_beside_{name}", series(then=lambda f, r, n=name, c=content: put(f / n, c or b"<html>")), expect)
    add("dicom_nested_100", series(then=_nested(100)), NEVER_WRONG)
    add("dicom_wrong_byte_order_said", series(then=_replaced(EXPLICIT.encode() + b"\0", BIG.encode() + b"\0"),
                                              faulty=(ONE, "series")), REFUSED)  # fmt: skip
    add("dicom_said_jpeg", series(then=_said_jpeg, faulty=(ONE, "series")), REFUSED)
    add("dicom_unknown_syntax", series(then=_replaced(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
                                       faulty=(ONE, "series")), REFUSED)  # fmt: skip
    add("dicom_pixel_length_a_lie", series(then=_pixel_length(0xFFFFFFF0), faulty=(ONE, "series")), REFUSED)
    add("dicom_pixel_length_undefined", series(then=_pixel_length(0xFFFFFFFF), faulty=(ONE, "series")), REFUSED)
    add("dicom_element_of_4_gib", series(then=lambda f, r: with_bytes(
        f / ONE, element(9, 0x1001, b"UN", b"abc", 0xFFFFFFF0)), faulty=(ONE, "series")), REFUSED)  # fmt: skip


def _cut(keep: float) -> Callable[[Path, np.random.Generator], None]:
    def cut(folder: Path, rng: np.random.Generator) -> None:
        content = (folder / ONE).read_bytes()
        (folder / ONE).write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])

    return cut


def _both(*steps: Callable[[Path, np.random.Generator], Any]) -> Callable[[Path, np.random.Generator], None]:
    return lambda folder, rng: [step(folder, rng) for step in steps] and None


def _noise(where: float) -> Callable[[Path, np.random.Generator], None]:
    def noise(folder: Path, rng: np.random.Generator) -> None:
        content = bytearray((folder / ONE).read_bytes())
        at = int(where * len(content))
        content[at : at + 8] = rng.integers(0, 256, 8, dtype="u1").tobytes()
        (folder / ONE).write_bytes(content)

    return noise


def _replaced(old: bytes, new: bytes) -> Callable[[Path, np.random.Generator], None]:
    """One text in one file, the file meta group's length kept right."""

    def replace(folder: Path, rng: np.random.Generator) -> None:
        content = (folder / ONE).read_bytes()
        assert old in content
        (folder / ONE).write_bytes(content.replace(old, new.ljust(len(old), b"\0"), 1))

    return replace


def _said_jpeg(folder: Path, rng: np.random.Generator) -> None:
    """Raw pixels under the name of a compressed transfer syntax."""
    path = folder / ONE
    content = path.read_bytes()
    old, new = element(2, 0x10, b"UI", EXPLICIT.encode() + b"\0"), element(2, 0x10, b"UI", b"1.2.840.10008.1.2.4.70")
    length = struct.unpack("<I", content[140:144])[0] + len(new) - len(old)
    path.write_bytes(content[:140] + struct.pack("<I", length) + content[144:].replace(old, new, 1))


def _pixel_length(length: int) -> Callable[[Path, np.random.Generator], None]:
    def lie(folder: Path, rng: np.random.Generator) -> None:
        content = (folder / ONE).read_bytes()
        at = content.index(struct.pack("<HH2sH", 0x7FE0, 0x10, b"OW", 0)) + 8
        (folder / ONE).write_bytes(content[:at] + struct.pack("<I", length) + content[at + 4 :])

    return lie


def nested(depth: int) -> bytes:
    """Sequences of undefined length, one in another."""
    opened = element(9, 0x1001, b"SQ", b"", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return opened * depth + closed * depth


def _nested(depth: int) -> Callable[[Path, np.random.Generator], None]:
    return lambda folder, rng: with_bytes(folder / ONE, nested(depth))


def _lossy(folder: Path, rng: np.random.Generator) -> None:
    """Every value a little wrong, and the header says why (PS3.3 C.7.6.1.1.5)."""
    for path in sorted(folder.iterdir()):
        one = pydicom.dcmread(path)
        one.PixelData = (np.frombuffer(one.PixelData, "<u2") // 6 * 6).tobytes()
        one.LossyImageCompression, one.LossyImageCompressionMethod = "01", "ISO_14495_1"
        save(one, path)
        transcode(path, "JPEGLSNearLossless")


def _enhanced() -> None:
    for name, change in {
        "frame_missing": lambda d: d.PerFrameFunctionalGroupsSequence.pop(9),
        "number_of_frames": tags_of(NumberOfFrames=41),
        "position_missing": lambda d: delattr(d.PerFrameFunctionalGroupsSequence[5], "PlanePositionSequence"),
        "orientation_missing": lambda d: delattr(d.SharedFunctionalGroupsSequence[0], "PlaneOrientationSequence"),
        "rescale_missing": lambda d: delattr(d.SharedFunctionalGroupsSequence[0], "PixelValueTransformationSequence"),
        "measures_missing": lambda d: delattr(d.SharedFunctionalGroupsSequence[0], "PixelMeasuresSequence"),
        "cut": lambda d: setattr(d, "PixelData", d.PixelData[:-6000]), "mr": tags_of(Modality="MR"),
        "monochrome1": tags_of(PhotometricInterpretation="MONOCHROME1"), "two_frames_at_one_place": _same_place,
        "unevenly_spaced": _moved_frame,
    }.items():  # fmt: skip
        add(f"enhanced_bad_{name}", enhanced_ct({}, change=change), REFUSED)


def tags_of(**values: Any) -> Callable[[Dataset], None]:
    return lambda one: tags(**values)(one, 0)


def _same_place(one: Dataset) -> None:
    frames = one.PerFrameFunctionalGroupsSequence
    frames[7].PlanePositionSequence = frames[8].PlanePositionSequence


def _moved_frame(one: Dataset) -> None:
    position = one.PerFrameFunctionalGroupsSequence[12].PlanePositionSequence[0]
    position.ImagePositionPatient = [*position.ImagePositionPatient[:2], ds(-310.5 + 12.4 * 1.5)]


_stacks()
_faults()
_damage()
_enhanced()
