"""Masks as RTSTRUCT: contours along the edges of voxels, so that the region they enclose is beyond dispute."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
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
    Build,
    Catalogue,
    Inputs,
    body,
    numbers,
    rotated,
)
from .dicom import (
    CT,
    FRAME,
    IMPLICIT,
    ROOT,
    RTSTRUCT,
    SERIES,
    STUDY,
    Dataset,
    ds,
    item,
    patient,
    plain_series,
    put_in,
    save,
    save_all,
    slices,
)
from .masks import ct_beside

CATALOGUE = Catalogue("mask")
add = CATALOGUE.add
NAMES = {1: "body of L1", 2: "body of L2"}
BY_NAME = ("--label", "body of L1")
Loop = NDArray[np.float64]
"""Points (i, j) of a closed line."""


def loops(plane: NDArray[np.bool_]) -> list[Loop]:
    """Closed lines along the edges of the voxels of a plane (j, i), in half voxels; holes are lines of their own."""
    after: dict[tuple[float, float], list[tuple[float, float]]] = {}
    padded = np.pad(plane, 1)
    for j, i in np.argwhere(plane):
        # The inside lies to the left of each edge.
        for outside, a, b in (
            (padded[j, i + 1], (-0.5, -0.5), (0.5, -0.5)), (padded[j + 1, i + 2], (0.5, -0.5), (0.5, 0.5)),
            (padded[j + 2, i + 1], (0.5, 0.5), (-0.5, 0.5)), (padded[j + 1, i], (-0.5, 0.5), (-0.5, -0.5)),
        ):  # fmt: skip
            if not outside:
                after.setdefault((i + a[0], j + a[1]), []).append((i + b[0], j + b[1]))
    found = []
    while after:
        start = at = next(iter(after))
        line = []
        while not line or at != start:
            line.append(at)
            following = after[at].pop()
            if not after[at]:
                del after[at]
            at = following
        found.append(np.array(line))
    return found


def keyhole(outer: Loop, hole: Loop) -> Loop:
    """One line round a region with a hole: in and out along a straight cut between columns."""
    n = int(np.lexsort((hole[:, 0], hole[:, 1]))[0])
    above = [m for m, p in enumerate(outer) if p[0] == hole[n, 0] and p[1] < hole[n, 1]]
    m = max(above, key=lambda index: outer[index, 1])
    turned = np.roll(hole, -n, axis=0)
    return np.concatenate([outer[: m + 1], turned, turned[:1], outer[m:]])


def points(line: Loop, k: float, affine: NDArray[np.float64]) -> list[str]:
    """Contour data of a line in the slice k."""
    places = np.column_stack([line, np.full(len(line), k), np.ones(len(line))]) @ affine.T
    return [ds(v) for v in places[:, :3].ravel()]


def contour(data: list[str], kind: str = "CLOSED_PLANAR") -> Dataset:
    made = item(ContourGeometricType=kind, NumberOfContourPoints=len(data) // 3)
    put_in(made, "ContourData", data)
    return made


def contours_of(mask: Array, affine: NDArray[np.float64]) -> list[Dataset]:
    """Contours of a region (k, j, i), slice by slice."""
    return [contour(points(line, k, affine)) for k, line in _lines(mask.shape, np.ascontiguousarray(mask).tobytes())]


@cache
def _lines(shape: tuple[int, ...], content: bytes) -> list[tuple[int, Loop]]:
    mask = np.frombuffer(content, bool).reshape(shape)
    return [(k, line) for k, plane in enumerate(mask) if plane.any() for line in loops(plane)]


def structures(rois: dict[int, list[Dataset]], names: dict[int, str] | None = None) -> Dataset:
    """An RTSTRUCT (PS3.3 A.19) of contours by ROI number."""
    made = patient(RTSTRUCT, f"{ROOT}.60", "RTSTRUCT")
    made.SeriesInstanceUID, made.StructureSetLabel = f"{ROOT}.6", "RS"
    images = [item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{SERIES}.{k + 1}") for k in range(40)]
    series = item(SeriesInstanceUID=SERIES, ContourImageSequence=images)
    study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.2", ReferencedSOPInstanceUID=STUDY)
    study.RTReferencedSeriesSequence = [series]
    made.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=[study])]
    names = names or NAMES
    made.StructureSetROISequence = [
        item(ROINumber=n, ROIName=names[n], ReferencedFrameOfReferenceUID=FRAME, ROIGenerationAlgorithm="MANUAL")
        for n in rois
    ]
    made.ROIContourSequence = [
        item(ReferencedROINumber=n, ROIDisplayColor=[255, 0, 0], ContourSequence=contours)
        for n, contours in rois.items()
    ]  # fmt: skip
    made.RTROIObservationsSequence = [
        item(ObservationNumber=n, ReferencedROINumber=n, RTROIInterpretedType="ORGAN", ROIInterpreter="") for n in rois
    ]
    return made


def plain() -> Dataset:
    return structures({n: contours_of(body().labels == label, body().affine) for n, label in ((1, LABEL), (2, OTHER))})


def drawn(
    change: Callable[[Dataset], Any] | None = None, made: Callable[[], Dataset] = plain,
    arguments: tuple[str, ...] = BY_NAME, nifti_ct: bool = False, name: str = "rs.dcm",
    then: Callable[[bytes], bytes] | None = None, affine: NDArray[np.float64] | None = None, **more: Any,
) -> Build:  # fmt: skip
    """An RTSTRUCT beside the CT's series."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        one = made()
        if change:
            change(one)
        path = save(one, folder / name, **({"syntax": IMPLICIT} if name.startswith("implicit") else {}))
        if then:
            path.write_bytes(then(path.read_bytes()))
        ct = ct_beside(folder) if nifti_ct else plain_series(folder)
        if affine is not None:
            save_all(slices(body().hu, affine), ct)
        return Inputs(ct, folder / name.split("/")[0], arguments, **more)

    return build


def first(one: Dataset) -> Any:
    """Contours of the first ROI."""
    return one.ROIContourSequence[0].ContourSequence


def each(change: Callable[[Dataset, int], Any]) -> Callable[[Dataset], Any]:
    return lambda one: [change(line, n) for n, line in enumerate(first(one))]


def moved(line: Dataset, *mm: float) -> None:
    """A contour in another place."""
    line.ContourData = [ds(v) for v in (np.reshape([float(v) for v in line.ContourData], (-1, 3)) + mm).ravel()]


def reversed_line(line: Dataset, n: int = 0) -> None:
    line.ContourData = [ds(v) for v in np.reshape([float(v) for v in line.ContourData], (-1, 3))[::-1].ravel()]


def _hollow() -> tuple[Array, dict[str, Any]]:
    """The body with a cave inside each of its middle slices."""
    k, j, i = np.indices(body().labels.shape)
    k0, j0, i0 = (round(float(axis.mean())) for axis in np.nonzero(body().labels == LABEL))
    cave = ((j - j0) ** 2 + (i - i0) ** 2 < 16) & (abs(k - k0) < 4)
    mask = (body().labels == LABEL) & ~cave
    return mask, numbers(body().hu, mask, body().affine)


def _with_keyholes() -> Dataset:
    mask, _ = _hollow()
    made = []
    for k, plane in enumerate(mask):
        lines = sorted(loops(plane), key=len, reverse=True) if plane.any() else []
        if len(lines) == 2:
            lines = [keyhole(*lines)]
        made += [contour(points(line, k, body().affine)) for line in lines]
    return structures({1: made, 2: contours_of(body().labels == OTHER, body().affine)})


def _equal() -> None:
    hollow, truth = _hollow()
    add("rs_by_name", drawn())
    add("rs_by_number", drawn(arguments=("--label", "1")))
    add("rs_second", drawn(arguments=("--label", "body of L2"), truth=body().numbers(OTHER)))
    add(
        "rs_one_is_taken",
        drawn(made=lambda: structures({1: contours_of(body().labels == LABEL, body().affine)}), arguments=()),
    )
    add("rs_hole", drawn(made=lambda: structures({1: contours_of(hollow, body().affine)}), truth=truth))
    add("rs_keyhole", drawn(made=_with_keyholes, truth=truth))
    add("rs_hole_xor", drawn(each(lambda line, n: setattr(line, "ContourGeometricType", "CLOSEDPLANAR_XOR")),
                             made=lambda: structures({1: contours_of(hollow, body().affine)}), truth=truth),
                             NEVER_WRONG)  # fmt: skip
    add("rs_clockwise", drawn(each(reversed_line)))
    add("rs_some_clockwise", drawn(each(lambda line, n: reversed_line(line) if n % 2 else None)))
    add("rs_shuffled", drawn(lambda d: setattr(d.ROIContourSequence[0], "ContourSequence", [*first(d)][::-1])))
    add("rs_first_point_repeated", drawn(each(_closed)))
    add("rs_rounded_to_0.01", drawn(each(lambda line, n: setattr(
        line, "ContourData", [f"{float(v):.2f}" for v in line.ContourData]))))  # fmt: skip
    add("rs_slices_jitter", drawn(each(lambda line, n: moved(line, 0, 0, 0.01 * (-1) ** n))), may=("W_",))
    add("rs_implicit", drawn(name="implicit.dcm"))
    add("rs_without_suffix", drawn(name="RS"))
    add("rs_in_a_folder", drawn(name="rs/RS.dcm"), NEVER_WRONG)
    add("rs_for_a_nifti_ct", drawn(nifti_ct=True), may=("W_",))
    add("rs_no_references", drawn(lambda d: delattr(d, "ReferencedFrameOfReferenceSequence")), may=("W_",))
    add("rs_two_pieces_a_slice", drawn(made=_cut_in_two, truth=_halves()[1]), may=("W_MASK_PIECES",))
    affine = rotated(body().affine, 23, 0)
    add("rs_oblique", drawn(made=lambda: structures({1: contours_of(body().labels == LABEL, affine)}), affine=affine,
                            truth=numbers(body().hu, body().labels == LABEL, affine)))  # fmt: skip
    add("rs_observations_missing", drawn(lambda d: delattr(d, "RTROIObservationsSequence")))
    add("rs_roi_of_points_beside", drawn(made=lambda: structures(
        {1: contours_of(body().labels == LABEL, body().affine), 3: [contour(["0", "50", "-290"], "POINT")]},
        {1: NAMES[1], 3: "isocentre"})))  # fmt: skip
    add("rs_empty_roi_beside", drawn(lambda d: delattr(d.ROIContourSequence[1], "ContourSequence")))


def _closed(line: Dataset, n: int) -> None:
    line.ContourData = [*line.ContourData, *line.ContourData[:3]]
    line.NumberOfContourPoints += 1


def _halves() -> tuple[Array, dict[str, Any]]:
    mask = (body().labels == LABEL) & (np.indices(body().labels.shape)[2] % 16 != 8)
    return mask, numbers(body().hu, mask, body().affine)


def _cut_in_two() -> Dataset:
    return structures({1: contours_of(_halves()[0], body().affine)})


def _faults() -> None:
    name = lambda d, n, to: setattr(d.StructureSetROISequence[n], "ROIName", to)  # noqa: E731
    for text, change in {
        "names_alike": lambda d: name(d, 1, NAMES[1]),
        "no_contours": lambda d: delattr(d.ROIContourSequence[0], "ContourSequence"),
        "no_contour_sequence": lambda d: delattr(d, "ROIContourSequence"),
        "no_roi_sequence": lambda d: delattr(d, "StructureSetROISequence"),
        "points_only": each(_to_point), "two_points_each": each(lambda line, n: _shortened(line, 6)),
        "not_in_threes": each(lambda line, n: _shortened(line, 31)),
        "nan": each(lambda line, n: put_in(line, "ContourData", ["nan", "0", "0"] * 5)),
        "words": each(lambda line, n: put_in(line, "ContourData", ["here", "and", "there"] * 5)),
        "infinite": each(lambda line, n: put_in(line, "ContourData", ["inf", "0", "-300"] * 5)),
        "not_planar": each(_bent), "sagittal": each(_sagittal), "outside": each(lambda line, n: moved(line, 0, 0, 600)),
        "far_aside": each(lambda line, n: moved(line, 900, 0, 0)),
        "data_missing": each(lambda line, n: delattr(line, "ContourData")),
    }.items():  # fmt: skip
        add(f"rs_{text}", drawn(change), REFUSED)
    for text, change in {
        "between_the_slices": each(lambda line, n: moved(line, 0, 0, 0.6)),
        "open_planar": each(lambda line, n: setattr(line, "ContourGeometricType", "OPEN_PLANAR")),
        "open_nonplanar": each(lambda line, n: setattr(line, "ContourGeometricType", "OPEN_NONPLANAR")),
        "unknown_type": each(lambda line, n: setattr(line, "ContourGeometricType", "SPLINE")),
        "half_outside": each(lambda line, n: moved(line, 20, 0, 0)),
        "one_slice_missing": lambda d: first(d).pop(8), "every_second_slice": lambda d: setattr(
            d.ROIContourSequence[0], "ContourSequence", [*first(d)][::2]),
        "other_patient": lambda d: setattr(d, "PatientID", "ID8"),
        "other_frame_of_reference": _other_frame, "point_among_them": lambda d: _to_point(first(d)[3], 3),
        "number_of_points_wrong": each(lambda line, n: setattr(line, "NumberOfContourPoints", 7)),
        "one_contour_between": lambda d: moved(first(d)[4], 0, 0, 0.75),
        "contour_twice": lambda d: first(d).append(first(d)[6]),
        "one_contour_bent": lambda d: _bent(first(d)[4], 4),
        "one_contour_outside": lambda d: moved(first(d)[0], 0, 0, -600),
    }.items():  # fmt: skip
        add(f"rs_{text}", drawn(change), REFUSED_OR_WARNED)
    add("rs_other_study", drawn(lambda d: setattr(d, "StudyInstanceUID", f"{ROOT}.66")), NEVER_WRONG)
    add("rs_roi_twice", drawn(lambda d: d.ROIContourSequence.append(d.ROIContourSequence[0])), REFUSED_OR_WARNED)
    add("rs_numbers_alike", drawn(lambda d: setattr(d.StructureSetROISequence[1], "ROINumber", 1)), REFUSED_OR_WARNED)
    add("rs_label_none", drawn(arguments=()), LISTED)
    for text, arguments in {"absent": ("--label", "liver"), "number_absent": ("--label", "7")}.items():
        add(f"rs_label_{text}", drawn(arguments=arguments), REFUSED)
    for keep in (0.05, 0.5, 0.95, -3):
        add(f"rs_cut_at_{keep}", drawn(then=lambda c, n=keep: c[: int(n * len(c)) if n > 0 else n]), REFUSED)


def _to_point(line: Dataset, n: int) -> None:
    line.ContourGeometricType, line.ContourData, line.NumberOfContourPoints = "POINT", [*line.ContourData[:3]], 1


def _shortened(line: Dataset, count: int) -> None:
    line.ContourData, line.NumberOfContourPoints = [*line.ContourData[:count]], count // 3


def _bent(line: Dataset, n: int) -> None:
    data = np.reshape([float(v) for v in line.ContourData], (-1, 3))
    data[:, 2] += np.linspace(-4, 4, len(data))
    line.ContourData = [ds(v) for v in data.ravel()]


def _sagittal(line: Dataset, n: int) -> None:
    data = np.reshape([float(v) for v in line.ContourData], (-1, 3)).copy()
    data[:, 2], data[:, 0] = data[:, 0] - 290, n * 0.75
    line.ContourData = [ds(v) for v in data.ravel()]


def _other_frame(one: Dataset) -> None:
    one.FrameOfReferenceUID = f"{ROOT}.66"
    one.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = f"{ROOT}.66"
    for roi in one.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = f"{ROOT}.66"


_equal()
_faults()
