"""Masks as DICOM SEG, RTSTRUCT and 3D Slicer segmentation: regions with names, on the CT's grid or beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import (
    LABEL,
    LISTED,
    NEVER_WRONG,
    OTHER,
    REFUSED,
    REFUSED_OR_WARNED,
    Array,
    Body,
    Build,
    Catalogue,
    Inputs,
    body,
    numbers,
    put,
    rotated,
    stored,
)
from .dicom import (
    CT,
    IMPLICIT,
    ROOT,
    SEG,
    SERIES,
    Dataset,
    axes_of,
    ds,
    item,
    patient,
    plain_series,
    put_in,
    save,
    transcode,
)
from .masks import ct_beside

CATALOGUE = Catalogue("mask")
add = CATALOGUE.add
NAMES = {1: "body of L1", 2: "body of L2"}
BY_NUMBER, BY_NAME = ("--label", "1"), ("--label", "body of L1")
Frame = tuple[int, NDArray[np.bool_], NDArray[np.float64]]
"""Segment number, plane (row, column), position of its first pixel."""


def frames_of(labels: Array, affine: NDArray[np.float64], with_empty: bool = False) -> list[Frame]:
    """Frames of both segments, slice by slice; empty planes are left out unless asked for."""
    found = []
    for number, label in ((1, LABEL), (2, OTHER)):
        for k, plane in enumerate(labels == label):
            if with_empty or plane.any():
                found.append((number, plane, affine[:3, 2] * k + affine[:3, 3]))
    return found


def seg(frames: Sequence[Frame], affine: NDArray[np.float64], per_frame: bool = False, kind: str = "BINARY") -> Dataset:
    """A DICOM segmentation (PS3.3 A.51) on planes of the affine's i and j."""
    orientation, spacing, step = axes_of(affine)
    made = patient(SEG, f"{ROOT}.50", "SEG")
    made.SeriesInstanceUID, made.InstanceNumber = f"{ROOT}.5", 1
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.ContentLabel, made.SegmentationType = "SEGMENTATION", kind
    made.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES, ReferencedInstanceSequence=[
        item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{SERIES}.{k + 1}") for k in range(40)])]  # fmt: skip
    made.SegmentSequence = [
        item(SegmentNumber=number, SegmentLabel=name, SegmentAlgorithmType="MANUAL")
        for number, name in NAMES.items()
    ]  # fmt: skip
    groups = {
        "PixelMeasuresSequence": [item(PixelSpacing=spacing, SliceThickness=ds(step), SpacingBetweenSlices=ds(step))],
        "PlaneOrientationSequence": [item(ImageOrientationPatient=orientation)],
    }
    made.SharedFunctionalGroupsSequence = [item(**({} if per_frame else groups))]
    made.PerFrameFunctionalGroupsSequence = [
        item(
            FrameContentSequence=[item(DimensionIndexValues=[number, n + 1])],
            PlanePositionSequence=[item(ImagePositionPatient=[ds(v) for v in position])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
            **(groups if per_frame else {}),
        )
        for n, (number, _, position) in enumerate(frames)
    ]
    planes = np.stack([plane for _, plane, _ in frames])
    made.NumberOfFrames, (made.Rows, made.Columns) = len(frames), planes.shape[1:]
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    if kind == "BINARY":
        content = np.packbits(planes.ravel(), bitorder="little").tobytes()
    else:
        made.MaximumFractionalValue, made.SegmentationFractionalType = 255, "PROBABILITY"
        content = (planes * 255.0).astype("u1").tobytes()
    made.add_new("PixelData", "OB", content + bytes(len(content) % 2))
    return made


def segmented(
    change: Callable[[Dataset], Any] | None = None, made: Callable[[], Dataset] | None = None, syntax: str = "",
    arguments: tuple[str, ...] = BY_NUMBER, then: Callable[[bytes], bytes] | None = None, nifti_ct: bool = False,
    name: str = "seg.dcm", **more: Any,
) -> Build:  # fmt: skip
    """A SEG beside the CT's series."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        one = made() if made else seg(frames_of(body().labels, body().affine), body().affine)
        if change:
            change(one)
        path = save(one, folder / name, **({"syntax": syntax} if syntax.startswith("1.") else {}))
        if syntax and not syntax.startswith("1."):
            transcode(path, syntax)
        if then:
            path.write_bytes(then(path.read_bytes()))
        ct = ct_beside(folder) if nifti_ct else plain_series(folder)
        return Inputs(ct, folder / name.split("/")[0], arguments, **more)

    return build


def _seg_of(labels: Array, affine: NDArray[np.float64], with_empty: bool = False, **how: Any) -> Callable[[], Dataset]:
    return lambda: seg(frames_of(labels, affine, with_empty), affine, **how)


def _turned(axes: Any, flips: Any) -> Callable[[], Dataset]:
    return lambda: seg(*_both(*stored(body().labels, body().affine, axes, flips)))


def _both(labels: Array, affine: NDArray[np.float64]) -> tuple[list[Frame], NDArray[np.float64]]:
    return frames_of(labels, affine), affine


def _cropped() -> Dataset:
    """43 columns: planes do not end at whole bytes."""
    shift = np.eye(4)
    shift[:3, 3] = [5, 3, 0]
    return seg(*_both(np.ascontiguousarray(body().labels[:, 3:-2, 5:-2]), body().affine @ shift))


def _overlapping() -> Dataset:
    """Segment 2 covers the upper half of segment 1 too."""
    frames = frames_of(body().labels, body().affine)
    k = np.nonzero(body().labels == LABEL)[0]
    upper = [(2, plane, place) for n, plane, place in frames if n == 1 and place[2] > -310.5 + 1.5 * k.mean()]
    return seg([*frames, *upper], body().affine)


def _segmentations() -> None:
    order = np.random.default_rng(5)
    plain = frames_of(body().labels, body().affine)
    add("seg_plain", segmented())
    add("seg_by_name", segmented(arguments=BY_NAME))
    add("seg_second", segmented(arguments=("--label", "2"), truth=body().numbers(OTHER)))
    add("seg_with_empty_frames", segmented(made=_seg_of(body().labels, body().affine, True)))
    add("seg_frames_reversed", segmented(made=lambda: seg(plain[::-1], body().affine)))
    add("seg_frames_shuffled", segmented(made=lambda: seg(
        [plain[n] for n in order.permutation(len(plain))], body().affine)))  # fmt: skip
    add("seg_groups_per_frame", segmented(made=_seg_of(body().labels, body().affine, per_frame=True)))
    add("seg_cropped_columns", segmented(made=_cropped))
    add("seg_implicit", segmented(syntax=IMPLICIT))
    add("seg_no_thickness", segmented(lambda d: [
        delattr(d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], tag)
        for tag in ("SliceThickness", "SpacingBetweenSlices")]))  # fmt: skip
    for name, axes, flips in (
        ("rows_reversed", (0, 1, 2), (-1, 1, 1)), ("turned_180", (0, 1, 2), (-1, -1, 1)),
        ("rows_are_columns", (1, 0, 2), (1, 1, 1)), ("head_first", (0, 1, 2), (1, 1, -1)),
        ("sagittal", (1, 2, 0), (1, -1, 1)), ("coronal", (0, 2, 1), (1, -1, -1)),
    ):  # fmt: skip
        add(f"seg_{name}", segmented(made=_turned(axes, flips)))
    one = [frame for frame in plain if frame[0] == 1]
    add("seg_one_segment_is_taken", segmented(lambda d: setattr(d, "SegmentSequence", d.SegmentSequence[:1]),
                                              made=lambda: seg(one, body().affine), arguments=()))  # fmt: skip
    add("seg_overlapping", segmented(made=_overlapping))
    add(
        "seg_fraction_of_0_and_1", segmented(made=_seg_of(body().labels, body().affine, kind="FRACTIONAL")), NEVER_WRONG
    )
    add("seg_for_a_nifti_ct", segmented(nifti_ct=True), may=("W_",))
    add("seg_in_a_folder", segmented(name="seg/1.dcm"), NEVER_WRONG)
    add("seg_without_suffix", segmented(name="SEG0001"))
    add("seg_without_references", segmented(lambda d: delattr(d, "ReferencedSeriesSequence")), may=("W_",))
    add("seg_of_another_series_same_frame", segmented(
        lambda d: setattr(d.ReferencedSeriesSequence[0], "SeriesInstanceUID", f"{ROOT}.77")), NEVER_WRONG)  # fmt: skip
    add(
        "seg_other_frame_of_reference",
        segmented(lambda d: setattr(d, "FrameOfReferenceUID", f"{ROOT}.66")),
        REFUSED_OR_WARNED,
    )
    add("seg_other_patient", segmented(lambda d: setattr(d, "PatientID", "ID8")), REFUSED_OR_WARNED)
    add("seg_other_study", segmented(lambda d: setattr(d, "StudyInstanceUID", f"{ROOT}.66")), NEVER_WRONG)
    half = np.random.default_rng(0).random((40, 60, 50))
    smooth = [(n, plane * half[0], place) for n, plane, place in plain]
    for name, make in {
        "fractional": lambda: seg(smooth, body().affine, kind="FRACTIONAL"),
        "empty": _seg_of(body().labels, body().affine, True),
        "shifted_half_a_voxel": _seg_of(body().labels, body().affine + _shift(0, 0.3, 0)),
        "between_the_slices": _seg_of(body().labels, body().affine + _shift(0, 0, 0.75)),
        "other_spacing": _seg_of(body().labels, body().affine * [1.2, 1.2, 1, 1]),
        "other_spacing_of_slices": _seg_of(body().labels, body().affine * [1, 1, 1.3, 1]),
        "rotated": _seg_of(body().labels, rotated(body().affine, 4)),
        "outside": _seg_of(body().labels, body().affine + _shift(0, 0, 600)),
    }.items():  # fmt: skip
        change = (lambda d: setattr(d, "PixelData", bytes(len(d.PixelData)))) if name == "empty" else None
        add(f"seg_{name}", segmented(change, made=make), REFUSED)
    for name, change in {
        "no_frames_of_it": lambda d: [setattr(
            f.SegmentIdentificationSequence[0], "ReferencedSegmentNumber",
            2) for f in d.PerFrameFunctionalGroupsSequence],
        "pixels_cut": lambda d: setattr(d, "PixelData", d.PixelData[:-400]),
        "frames_more_than_said": lambda d: setattr(d, "NumberOfFrames", d.NumberOfFrames + 3),
        "frames_fewer_than_said": lambda d: setattr(d, "NumberOfFrames", 4),
        "frames_without_number": lambda d: delattr(d, "NumberOfFrames"),
        "rows_more": lambda d: setattr(d, "Rows", 61), "columns_zero": lambda d: setattr(d, "Columns", 0),
        "group_missing": lambda d: d.PerFrameFunctionalGroupsSequence.pop(3),
        "groups_missing": lambda d: delattr(d, "PerFrameFunctionalGroupsSequence"),
        "shared_missing": lambda d: delattr(d, "SharedFunctionalGroupsSequence"),
        "position_missing": lambda d: delattr(d.PerFrameFunctionalGroupsSequence[2], "PlanePositionSequence"),
        "position_nan": lambda d: put_in(
            d.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0], "ImagePositionPatient", ["nan", "0", "0"]),
        "segment_not_named": lambda d: d.SegmentSequence.pop(0), "no_segments": lambda d: delattr(d, "SegmentSequence"),
        "number_of_0": lambda d: setattr(
            d.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0], "ReferencedSegmentNumber", 0),
        "orientation_zero": lambda d: put_in(
            d.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0], "ImageOrientationPatient", ["0"] * 6),
        "spacing_zero": lambda d: put_in(
            d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", ["0", "0"]),
        "no_pixels": lambda d: delattr(d, "PixelData"), "16_bits": lambda d: setattr(d, "BitsAllocated", 16),
        "two_frames_at_one_place": _frame_twice,
    }.items():  # fmt: skip
        add(f"seg_bad_{name}", segmented(change), REFUSED)
    add(
        "seg_names_alike",
        segmented(lambda d: setattr(d.SegmentSequence[1], "SegmentLabel", NAMES[1]), arguments=BY_NAME),
        REFUSED,
    )
    add("seg_numbers_alike", segmented(lambda d: setattr(d.SegmentSequence[1], "SegmentNumber", 1)), REFUSED)
    add("seg_label_none", segmented(arguments=()), LISTED)
    for name, arguments in {"absent": ("--label", "9"), "unknown": ("--label", "liver")}.items():
        add(f"seg_label_{name}", segmented(arguments=arguments), REFUSED)
    for keep in (0.1, 0.5, 0.9, -1):
        add(f"seg_cut_at_{keep}", segmented(then=lambda c, n=keep: c[: int(n * len(c)) if n > 0 else -1]), REFUSED)
    add("seg_frame_missing_inside", segmented(made=lambda: seg(
        [f for n, f in enumerate(plain) if n != 8], body().affine), truth=_without_a_plane(8)),
        NEVER_WRONG)  # fmt: skip


def _shift(*mm: float) -> NDArray[np.float64]:
    return np.outer([*mm, 0], [0, 0, 0, 1]).astype(np.float64)


def _without_a_plane(nth: int) -> dict[str, Any]:
    """Truth where a frame is left out: an omitted frame says that its plane is empty."""
    mask = body().labels == LABEL
    mask[np.flatnonzero(mask.any((1, 2)))[nth]] = False
    return numbers(body().hu, mask, body().affine)


def _frame_twice(one: Dataset) -> None:
    groups = one.PerFrameFunctionalGroupsSequence
    groups[4].PlanePositionSequence = groups[5].PlanePositionSequence


def slicer(layers: Array, affine: NDArray[np.float64], table: Sequence[dict[str, Any]], **how: Any) -> bytes:
    """A .seg.nrrd; `table` has a row a segment, its keys as in `Segment0_Name`."""
    from .writers import nrrd

    lines = ["Segmentation_MasterRepresentation:=Binary labelmap", "Segmentation_ReferenceImageExtentOffset:=0 0 0"]
    lines += [f"Segment{n}_{key}:={value}" for n, row in enumerate(table) for key, value in row.items()]
    return nrrd(layers, affine, extra="\n".join(lines), **({"encoding": "gzip"} | how))


def _row(n: int, value: int, layer: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "ID": f"Segment_{n}", "Name": NAMES[n], "Color": "0.5 0.5 0.4", "LabelValue": value, "Layer": layer,
        "Extent": "0 49 0 59 0 39", "Tags": "Segmentation.Status:inprogress|",
    } | more  # fmt: skip


def _slicer(content: Callable[[Body], bytes], arguments: tuple[str, ...] = BY_NAME, **more: Any) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        return Inputs(ct_beside(folder), put(folder / "mask.seg.nrrd", content(body())), arguments, **more)

    return build


def _slicer_files() -> None:
    two = (_row(1, LABEL), _row(2, OTHER))
    plain = lambda b: slicer(b.labels, b.affine, two)  # noqa: E731
    crop = np.eye(4)
    crop[:3, 3] = [2, 1, 3]
    add("slicer_by_name", _slicer(plain))
    add("slicer_second", _slicer(plain, ("--label", NAMES[2]), truth=body().numbers(OTHER)))
    add("slicer_ras", _slicer(lambda b: slicer(b.labels, b.affine, two, space="right-anterior-superior")))
    add("slicer_raw", _slicer(lambda b: slicer(b.labels, b.affine, two, encoding="raw")))
    add("slicer_rows_in_other_order", _slicer(lambda b: slicer(b.labels, b.affine, two[::-1])))
    add("slicer_turned", _slicer(lambda b: slicer(*stored(b.labels, b.affine, (2, 0, 1), (1, -1, 1)), two)))
    add("slicer_cropped", _slicer(lambda b: slicer(
        np.ascontiguousarray(b.labels[3:-2, 1:, 2:-5]), b.affine @ crop, two)))  # fmt: skip
    layers = lambda b: np.stack([(b.labels == LABEL), (b.labels > 0)], -1).astype("u1")  # noqa: E731
    add("slicer_layers", _slicer(lambda b: slicer(layers(b), b.affine, (_row(1, 1), _row(2, 1, 1)))))
    add("slicer_layers_second", _slicer(
        lambda b: slicer(layers(b), b.affine, (_row(1, 1), _row(2, 1, 1))), ("--label", NAMES[2]),
        truth=numbers(body().hu, body().labels > 0, body().affine)))  # fmt: skip
    add("slicer_one_is_taken", _slicer(lambda b: slicer((b.labels == LABEL).astype("u1"), b.affine, (_row(1, 1),)), ()))
    add("slicer_no_layer_lines", _slicer(lambda b: slicer(
        b.labels, b.affine,
        [{k: v for k, v in row.items() if k not in ("Layer", "Extent")} for row in two])))  # fmt: skip
    add("slicer_name_absent", _slicer(plain, ("--label", "body of L5")), REFUSED)
    add("slicer_none_chosen", _slicer(plain, ()), LISTED)
    add("slicer_no_table", _slicer(lambda b: slicer(b.labels, b.affine, ()), ("--label", "20")), NEVER_WRONG)
    for name, table in {
        "names_alike": (_row(1, LABEL), _row(2, OTHER, Name=NAMES[1])), "value_absent": (_row(1, 9), _row(2, OTHER)),
        "layer_absent": (_row(1, LABEL, 3), _row(2, OTHER)), "value_of_words": (_row(1, LABEL, LabelValue="many"),),
        "layer_negative": (_row(1, LABEL, -1),), "value_of_digits": (_row(1, LABEL, LabelValue="9" * 5000),),
    }.items():  # fmt: skip
        add(f"slicer_{name}", _slicer(lambda b, t=table: slicer(b.labels, b.affine, t)), REFUSED)
    add("slicer_empty", _slicer(lambda b: slicer(b.labels * 0, b.affine, two)), REFUSED)
    add("slicer_off_the_grid", _slicer(lambda b: slicer(b.labels, b.affine + _shift(0, 0.3, 0), two)), REFUSED)
    add("slicer_outside", _slicer(lambda b: slicer(b.labels, b.affine + _shift(0, 0, 600), two)), REFUSED)
    add(
        "slicer_partly_outside",
        _slicer(lambda b: slicer(b.labels, b.affine + _shift(0, 0, -18), two)),
        REFUSED_OR_WARNED,
    )
    add("slicer_fractions", _slicer(lambda b: slicer((b.labels / 3).astype("f4"), b.affine, two)), REFUSED)
    for keep in (0.1, 0.6, -4):
        add(f"slicer_cut_at_{keep}", _slicer(
            lambda b, n=keep: plain(b)[: int(n * len(plain(b))) if n > 0 else n]), REFUSED)  # fmt: skip


_segmentations()
_slicer_files()
