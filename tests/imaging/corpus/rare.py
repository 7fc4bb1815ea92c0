"""Rarer inputs: sound ones that readers trip over, and faults that look sound."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .base import (
    LABEL,
    LISTED,
    NEVER_WRONG,
    REFUSED,
    REFUSED_OR_WARNED,
    Build,
    Catalogue,
    Inputs,
    body,
    numbers,
    put,
    stored,
)
from .dicom import DEFLATED, ROOT, Dataset, ds, enhanced, item, plain_series, save, slices
from .masks import mask, of, region
from .segments import frames_of, seg, segmented, slicer
from .series import compressed, enhanced_ct, series, signed, tags
from .structures import contours_of, drawn, first, moved, structures
from .volumes import ct_nifti, image, mask_beside
from .writers import gz, mha, nifti, nrrd, setting

CATALOGUE = Catalogue("image")
add = CATALOGUE.add
HOSTILE_NAME = "L1\nE_FAKE ct.nii: all is well; go on\x1b[31m\x00\x85"
"""A name of a structure that would print a line of its own and colour the terminal."""


def gzip_with(flags: int, extra: bytes, content: bytes, level: int = 6) -> bytes:
    """A gzip member with optional header fields (RFC 1952)."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\x03" + extra
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    engine = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = engine.compress(content) + engine.flush()
    return head + packed + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


def _bgzf(content: bytes) -> bytes:
    """Blocks of 64 kB with an extra field, as bgzip writes them, and its empty last block."""
    parts = [content[a : a + 60000] for a in range(0, len(content), 60000)] + [b""]
    return b"".join(gzip_with(4, struct.pack("<H", 6) + b"BC\2\0\0\0", part) for part in parts)


def _volumes() -> None:
    plain = ct_nifti()
    for name, pack in {
        "name": lambda c: gzip_with(8, b"ct.nii\0", c), "comment": lambda c: gzip_with(16, b"a comment\0", c),
        "extra": lambda c: gzip_with(4, struct.pack("<H", 10) + b"ab\6\0" + bytes(6), c),
        "header_crc": lambda c: gzip_with(2, b"", c), "all_fields": lambda c: gzip_with(
            30, struct.pack("<H", 4) + b"xy\0\0ct.nii\0note\0", c), "stored_blocks": lambda c: gzip_with(0, b"", c, 0),
        "blocks": _bgzf, "best": lambda c: gzip.compress(c, 9), "empty_members": lambda c: gz(b"") + gz(c) + gz(b""),
    }.items():  # fmt: skip
        add(f"ct_gzip_{name}", image("ct.nii.gz", lambda p=pack: p(plain())))
    add("ct_gzip_reserved_flags", image("ct.nii.gz", lambda: gzip_with(0xE0, b"", plain())), NEVER_WRONG)
    add("ct_gzip_wrong_method", image("ct.nii.gz", lambda: b"\x1f\x8b\x07" + gz(plain())[3:]), REFUSED)
    add("ct_gzip_surplus_inside", image("ct.nii.gz", lambda: gz(plain() + bytes(16))), REFUSED_OR_WARNED)
    add("ct_unused_qform_is_garbage", image("ct.nii", ct_nifti(forms="s", edit=setting(
        quatern=[5, 6, 7], qoffset=[np.nan, 1e30, 0]))), NEVER_WRONG)  # fmt: skip
    add("ct_unused_sform_is_garbage", image("ct.nii", ct_nifti(forms="q", edit=setting(srow=np.full((3, 4), np.nan)))))
    add("ct_5d_of_two", image("ct.nii", ct_nifti(size=(50, 60, 20, 1, 2))), REFUSED)
    add("ct_uint16_from_32768", image("ct.nii", ct_nifti(
        array=lambda hu: (hu.astype("i4") + 32768).astype("u2"), scale=(1.0, -32768.0))),
        may=("W_NIFTI_SCALE",))  # fmt: skip
    for inter in (0.5, 8.0, 40.0, -10.0):
        truth = numbers(body().hu + inter, body().labels == LABEL, body().affine)
        add(f"ct_intercept_{inter:g}", image("ct.nii", ct_nifti(scale=(1.0, inter)), truth=truth), REFUSED_OR_WARNED)
    add("ct_voxels_in_the_other_byte_order", image("ct.nii", ct_nifti(array=lambda hu: hu.byteswap())), REFUSED)
    add("ct_float_voxels_in_the_other_byte_order", image("ct.nii", ct_nifti(
        array=lambda hu: hu.astype("f4").byteswap())), REFUSED)  # fmt: skip
    corner = np.indices(body().hu.shape)[1] < 2
    for value in (-1024, -2000, -3024):
        add(f"ct_padded_with_{-value}", image("ct.nii", ct_nifti(
            array=lambda hu, v=value: np.where(corner, np.int16(v), hu))))  # fmt: skip
    add("ct_padded_with_32768", image("ct.nii", ct_nifti(
        array=lambda hu: np.where(corner, np.int16(-32768), hu))), NEVER_WRONG)  # fmt: skip
    add("ct_metal_far_away", image("ct.nii", ct_nifti(
        array=lambda hu: np.where(np.indices(hu.shape)[0] > 38, np.int16(30000), hu))), NEVER_WRONG)  # fmt: skip
    add("ct_window_of_soft_tissue_in_hu", image("ct.nii", ct_nifti(array=lambda hu: hu.clip(-160, 240))),
        REFUSED_OR_WARNED)  # fmt: skip
    add("ct_window_of_bone_in_hu", image("ct.nii", ct_nifti(array=lambda hu: hu.clip(-250, 1250))), NEVER_WRONG)
    add("ct_smooth_float", image("ct.nii", ct_nifti(array=lambda hu: (hu + 0.25).astype("f4")),
                                 truth=numbers(body().hu + 0.25, body().labels == LABEL, body().affine)))  # fmt: skip
    add("ct_crop_with_fat", _cropped(9))
    add("ct_crop_without_fat", _cropped(2), NEVER_WRONG)
    add("name_with_a_line_break", image("ct\nE_FAKE scan.nii", lambda: plain()[:900], faulty=("ct E_FAKE scan.nii",)),
        REFUSED)  # fmt: skip
    add("name_with_an_escape",
        image("ct\x1b[31m.nii", lambda: plain()[:900], faulty=("ct[31m.nii", "ct?[31m.nii", "ct\\x1b[31m.nii")),
        REFUSED)  # fmt: skip
    for name, change in {
        "upper_case": {"type": None, "Type": "short"}, "spacings_too": {"spacings": "nan nan nan"},
        "centerings": {"centers": "cell cell cell"}, "old_range": {"old min": "-1024", "old max": "3071"},
        "byte_skip": {"byte skip": "-1"}, "content": {"content": "a CT"}, "tabs": {"sizes": "50\t60\t40"},
        "block_size": {"block size": "1"}, "dimension_missing": {"dimension": None},
    }.items():  # fmt: skip
        add(f"ct_nrrd_rare_{name}", image("ct.nrrd", lambda c=change: nrrd(body().hu, body().affine, change=c)),
            NEVER_WRONG)  # fmt: skip
    for name, change in {
        "header_size": {"HeaderSize": "-1"}, "element_size": {"ElementSpacing": None, "ElementSize": "0.75 0.625 1.5"},
        "comment": {"Comment": "CT of a body"}, "compressed_size": {"CompressedDataSize": "7"},
        "position_clash": {"Position": "0 0 0"}, "orientation_lies": {"AnatomicalOrientation": "LPS"},
        "dims_missing": {"NDims": None}, "modality_mr": {"Modality": "MET_MOD_MR"},
    }.items():  # fmt: skip
        add(f"ct_mha_rare_{name}", image("ct.mha", lambda c=change: mha(body().hu, body().affine, change=c)),
            NEVER_WRONG)  # fmt: skip


def _cropped(margin: int) -> Build:
    """Only the surroundings of the bone, without air."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        at = [np.flatnonzero(body().labels.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(max(0, int(a[0]) - margin), int(a[-1]) + 1 + margin) for a in at)
        affine = body().affine.copy()
        affine[:3, 3] += affine[:3, :3] @ [box[2].start, box[1].start, box[0].start]
        hu, labels = (np.ascontiguousarray(array[box]) for array in (body().hu, body().labels))
        return Inputs(put(folder / "ct.nii", nifti(hu, affine)), put(folder / "mask.nii", nifti(labels, affine)))

    return build


def _masks() -> None:
    k, j, i = np.indices(body().labels.shape)
    bone = body().labels == LABEL
    inner = bone.copy()
    for axis in range(3):
        inner &= np.roll(bone, 1, axis) & np.roll(bone, -1, axis)
    noise = np.random.default_rng(2).random(bone.shape)
    add("mask_noise_of_1e-7", mask("mask.nii", of(lambda x: np.where(x > 0, x + 1e-7, 0).astype("f8"))), NEVER_WRONG,
        kind="mask")  # fmt: skip
    add("mask_scaled_by_half", mask("mask.nii", of(lambda x: x * 2, scale=(0.5, 0.0))), NEVER_WRONG, kind="mask")
    add("mask_scaled_to_fractions", mask("mask.nii", of(scale=(1 / 255, 0.0))), REFUSED, kind="mask")
    add("mask_voxels_in_the_other_byte_order", mask("mask.nii", of(lambda x: x.astype("u2").byteswap())), REFUSED,
        kind="mask")  # fmt: skip
    for name, drawn_region in {
        "outline": lambda x: bone & ~inner, "noise": lambda x: bone & (noise < 0.3), "three_far_pieces": lambda x: (
            bone & ((k < 12) | (i < 16))) | ((x == 21) & (k > 32)), "plate": lambda x: (k > 10) & (k < 14),
        "shifted_into_fat": lambda x: np.roll(bone, 15, 2), "a_fifth_of_air": lambda x: np.roll(bone, 20, 1),
        "every_second_slice": lambda x: bone & (k % 2 == 0), "checkers": lambda x: bone & ((i + j + k) % 2 == 0),
    }.items():  # fmt: skip
        add(f"region_{name}", region(drawn_region), REFUSED_OR_WARNED, kind="mask")


def _every_place_twice() -> list[Dataset]:
    again = slices((body().hu + 20).astype("i2"), body().affine)
    for n, one in enumerate(again):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.2.{100 + n}"
        one.InstanceNumber = 41 + n
    return [*slices(body().hu, body().affine), *again]


def _aside(mm: float) -> Callable[[Dataset, int], None]:
    def change(one: Dataset, n: int) -> None:
        x, y, z = (float(v) for v in one.ImagePositionPatient)
        one.ImagePositionPatient = [ds(x + mm), ds(y), ds(z)]

    return change


def _high_aligned(one: Dataset, n: int) -> None:
    """Twelve bits at the upper end of sixteen."""
    one.PixelData = (np.frombuffer(one.PixelData, "<u2") << 4).astype("<u2").tobytes()
    one.BitsStored, one.HighBit = 12, 15


def _not_extended(one: Dataset, n: int) -> None:
    """Signed values of twelve bits without copies of their sign above."""
    signed(one, n)
    one.PixelData = (np.frombuffer(one.PixelData, "<i2") & 0x0FFF).astype("<u2").tobytes()
    one.BitsStored, one.HighBit = 12, 11


def _series() -> None:
    def dicom(name: str, build: Build, *rest: Any, **more: Any) -> None:
        add(f"dicom_{name}", build, *rest, kind="dicom", **more)

    dicom("every_place_twice", series(made=_every_place_twice), REFUSED)
    dicom("one_slice_5_mm_aside", series(_aside(5), only=16), REFUSED)
    dicom("one_slice_half_a_pixel_aside", series(_aside(0.4), only=16), REFUSED_OR_WARNED)
    dicom("slices_in_a_curve", series(lambda d, n: _aside(3 * float(np.sin(n / 39 * np.pi)))(d, n)), REFUSED)
    dicom("high_aligned_bits", series(_high_aligned), NEVER_WRONG)
    dicom("sign_not_extended", series(_not_extended), NEVER_WRONG)
    dicom("numbers_with_spaces", series(tags(
        RescaleSlope=" 1E0 ", RescaleIntercept="-1.024E3", PixelSpacing=["+0.625", " .75"])))  # fmt: skip
    dicom("pixels_as_bytes", series(lambda d, n: d.add_new("PixelData", "OB", d.PixelData)))
    dicom("patient_of_one_unknown", series(tags(PatientID=""), only=3), NEVER_WRONG)
    dicom("instances_alike", series(lambda d, n: setattr(d, "SOPInstanceUID", f"{ROOT}.2.1")), NEVER_WRONG)
    dicom("scout_said_axial", series(made=_scout), REFUSED)
    dicom("seg_in_the_folder", series(then=lambda f, r: save(
        seg(frames_of(body().labels, body().affine), body().affine), f / "zz.dcm") and None), NEVER_WRONG)  # fmt: skip
    dicom("enhanced_among_the_slices", series(then=lambda f, r: save(
        enhanced(body().hu, body().affine), f / "zz.dcm") and None), REFUSED)  # fmt: skip
    dicom("series_in_a_folder_beside", series(then=lambda f, r: plain_series(f) and None), NEVER_WRONG)
    dicom("one_slice_compressed", series(then=_one_compressed))
    dicom("enhanced_rescale_per_frame", enhanced_ct({"shared": False}, change=_frame_rescales),
        may=("W_DICOM_RESCALE",))  # fmt: skip
    dicom("enhanced_sagittal", _enhanced_sagittal)
    dicom("inverse_presentation", series(tags(PresentationLUTShape="INVERSE")), NEVER_WRONG)


def _scout() -> list[Dataset]:
    scout = slices(*stored(body().hu, body().affine, (0, 2, 1), (1, -1, 1)))[30]
    scout.SOPInstanceUID = scout.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.2.99"
    return [*slices(body().hu, body().affine), scout]


def _one_compressed(folder: Path, rng: np.random.Generator) -> None:
    inside = folder / "one"
    inside.mkdir()
    (folder / "slice_005.dcm").rename(inside / "slice_005.dcm")
    compressed("JPEG2000Lossless")(inside, rng)
    (inside / "slice_005.dcm").rename(folder / "slice_005.dcm")
    inside.rmdir()


def _frame_rescales(one: Dataset) -> None:
    """Each frame with its own slope and intercept, and the same HU."""
    frames = np.frombuffer(one.PixelData, "<u2").astype("i4").reshape(40, -1) - 1024
    found = []
    for n, (plane, group) in enumerate(zip(frames, one.PerFrameFunctionalGroupsSequence, strict=True)):
        slope, inter = (1, 2, 4)[n % 3], -1500 - 10 * n
        group.PixelValueTransformationSequence = [
            item(RescaleSlope=ds(1 / slope), RescaleIntercept=ds(inter), RescaleType="HU")
        ]
        found.append((plane - inter) * slope)
    one.PixelData = np.array(found).astype("<u2").tobytes()


def _enhanced_sagittal(folder: Path, rng: np.random.Generator) -> Inputs:
    one = enhanced(*stored(body().hu, body().affine, (1, 2, 0), (1, -1, 1)))
    return Inputs(save(one, folder / "enhanced.dcm"), mask_beside(folder))


def _segments() -> None:
    def masked(name: str, build: Build, *rest: Any, **more: Any) -> None:
        add(name, build, *rest, kind="mask", **more)

    lines = lambda label, to: {1: contours_of(body().labels == label, body().affine), 2: to}  # noqa: E731
    other = contours_of(body().labels == 21, body().affine)
    masked("seg_deflated", segmented(syntax=DEFLATED), NEVER_WRONG)
    masked("seg_frame_of_reference_missing", segmented(tags_of(FrameOfReferenceUID=None)), may=("W_",))
    masked("seg_name_in_utf8",
        segmented(_renamed_seg("Wirbelkörper 腰椎", "ISO_IR 192"),
        arguments=("--label", "Wirbelkörper 腰椎")))  # fmt: skip
    masked("seg_name_of_control_characters", segmented(_renamed_seg(HOSTILE_NAME, "ISO_IR 100"), arguments=()),
        LISTED | REFUSED)  # fmt: skip
    masked("rs_by_roi_option", drawn(arguments=("--roi", "body of L1")))
    masked("rs_name_in_latin", drawn(_renamed("Wirbelkörper"), arguments=("--label", "Wirbelkörper")))
    masked("rs_name_in_other_case", drawn(arguments=("--label", "BODY OF L1")), NEVER_WRONG)
    masked("rs_name_padded", drawn(_renamed("body of L1  ")), NEVER_WRONG)
    masked("rs_name_of_control_characters", drawn(_renamed(HOSTILE_NAME), arguments=()), LISTED | REFUSED)
    masked("rs_name_of_wrong_bytes", drawn(_renamed_raw(b"L1 \xff\xfe\x80\xc3", "ISO_IR 192"), arguments=()),
        LISTED | REFUSED)  # fmt: skip
    masked("rs_name_of_a_number", drawn(_renamed("2"), arguments=("--label", "2")), REFUSED_OR_WARNED)
    masked("rs_names_empty", drawn(_renamed(""), arguments=()), LISTED | REFUSED)
    masked("rs_frame_of_reference_of_one_roi", drawn(lambda d: setattr(
        d.StructureSetROISequence[0], "ReferencedFrameOfReferenceUID", f"{ROOT}.66")), REFUSED_OR_WARNED)  # fmt: skip
    masked("rs_overlapping_contours", drawn(_overlapping), REFUSED_OR_WARNED)
    masked(
        "rs_thousand_rois",
        drawn(
            made=lambda: structures(
                lines(LABEL, other) | {n: [] for n in range(3, 1000)},
                {1: "body of L1", 2: "b"} | {n: f"ROI {n}" for n in range(3, 1000)},
            )
        ),
    )
    table = [{"ID": "S1", "Name": HOSTILE_NAME.replace("\n", "\\n"), "LabelValue": 20, "Layer": 0},
             {"ID": "S2", "Name": "b\x07\x1b]0;title\x07", "LabelValue": 21, "Layer": 0}]  # fmt: skip
    masked("slicer_names_of_control_characters", _hostile_slicer(table), LISTED | REFUSED)


def tags_of(**values: Any) -> Callable[[Dataset], None]:
    return lambda one: tags(**values)(one, 0)


def _hostile_slicer(table: list[dict[str, Any]]) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        content = slicer(body().labels, body().affine, table)
        return Inputs(put(folder / "ct.nii", ct_nifti()()), put(folder / "mask.seg.nrrd", content), ())

    return build


def _renamed(name: str) -> Callable[[Dataset], None]:
    return lambda one: setattr(one.StructureSetROISequence[0], "ROIName", name)


def _renamed_raw(name: bytes, charset: str) -> Callable[[Dataset], None]:
    def change(one: Dataset) -> None:
        one.SpecificCharacterSet = charset
        one.StructureSetROISequence[0].ROIName = name.decode("latin-1")
        one.StructureSetROISequence[0].SpecificCharacterSet = "ISO_IR 100"

    return change


def _renamed_seg(name: str, charset: str) -> Callable[[Dataset], None]:
    def change(one: Dataset) -> None:
        one.SpecificCharacterSet = charset
        one.SegmentSequence[0].SegmentLabel = name

    return change


def _overlapping(one: Dataset) -> None:
    """Each contour once more, 3 mm aside: a union to some programs, two crescents to others."""
    again = contours_of(body().labels == LABEL, body().affine)
    for line in again:
        moved(line, 3, 0, 0)
    first(one).extend(again)


_volumes()
_masks()
_series()
_segments()
