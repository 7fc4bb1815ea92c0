"""RTSTRUCT: closed contours on the slices of the CT; whatever lies elsewhere is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from scipy import ndimage

from ovfrad.errors import InputError
from ovfrad.imaging import read_roi
from ovfrad.imaging.dicom.sandbox import facts
from ovfrad.imaging.dicom.structures import Structures, open_structures
from ovfrad.imaging.geometry import Turn, turned
from ovfrad.imaging.masks.contours import area
from ovfrad.imaging.masks.segments import Segment
from ovfrad.imaging.source import Source
from ovfrad.imaging.volume import Grid, Volume

AFFINE = np.array([[0.8, 0, 0, -12.0], [0, 0.7, 0, 40.5], [0, 0, 2.5, -300.0], [0, 0, 0, 1.0]])
SHAPE = (12, 30, 32)
WHO = {"patient": "Secret-ID", "frame": "1.2.3.4", "series": "1.2.3.5", "study": "1.2.3.6"}
SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
Contours = list[NDArray[Any]]


def no_planes(numbers: Any) -> Any:
    raise AssertionError("the CT's voxels are not needed")


def the_ct(affine: NDArray[Any] = AFFINE, shape: tuple[int, int, int] = SHAPE, **who: str) -> Source:
    return Source(Path("ct"), Grid(shape, affine), 16, no_planes, identity={**WHO, **who})


def place(index: NDArray[Any], affine: NDArray[Any] = AFFINE) -> NDArray[Any]:
    """(i, j, k) to LPS mm."""
    return index @ affine[:3, :3].T + affine[:3, 3]


def level(shape: NDArray[Any], k: float) -> NDArray[Any]:
    """A contour (i, j) on slice k, LPS mm."""
    return place(np.c_[shape, np.full(len(shape), float(k))])


def box(i: float, j: float, side: float) -> NDArray[Any]:
    """A square round (i, j)."""
    return np.array([i, j]) + side * SQUARE


def blob(k: int) -> Contours:
    """A round outline with a round hole."""
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.c_[np.cos(t), np.sin(t)]
    return [level([15.3, 14.1] + (6 + k) / 2 * ring, k), level([16.2, 14.4] + 1.4 * ring[::-1], k)]


BLOB = [contour for k in range(3, 8) for contour in blob(k)]


def item(**elements: Any) -> Dataset:
    out = Dataset()
    for keyword, value in elements.items():
        setattr(out, keyword, value)
    return out


def contour(points: NDArray[Any], kind: str = "CLOSED_PLANAR") -> Dataset:
    data = [f"{v:.4f}" for v in np.asarray(points).ravel()]
    return item(ContourGeometricType=kind, NumberOfContourPoints=str(len(points)), ContourData=data)


def write(
    path: Path, rois: dict[str, Contours], *, kind: str = "CLOSED_PLANAR", syntax: str = ExplicitVRLittleEndian,
    change: Callable[[Dataset], Any] | None = None,
) -> Path:  # fmt: skip
    """A structure set; ROI numbers begin at 1."""
    series = item(SeriesInstanceUID=WHO["series"])
    study = item(RTReferencedSeriesSequence=[series])
    out = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", SOPInstanceUID="1.2.9", Modality="RTSTRUCT",
        PatientName="Secret^Name", PatientID=WHO["patient"], SeriesInstanceUID="1.2.10",
        ReferencedFrameOfReferenceSequence=[
            item(FrameOfReferenceUID=WHO["frame"], RTReferencedStudySequence=[study])
        ],
        StructureSetROISequence=[
            item(ROINumber=str(n), ReferencedFrameOfReferenceUID=WHO["frame"], ROIName=name)
            for n, name in enumerate(rois, 1)
        ],
        ROIContourSequence=[
            item(ReferencedROINumber=str(n), ContourSequence=[contour(points, kind) for points in contours])
            for n, contours in enumerate(rois.values(), 1)
        ],
    )  # fmt: skip
    if change:
        change(out)
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = syntax
    out.file_meta.MediaStorageSOPClassUID, out.file_meta.MediaStorageSOPInstanceUID = out.SOPClassUID, "1.2.9"
    out.save_as(path, enforce_file_format=True)
    return path


def opened(path: Path, ct: Source | None = None) -> Structures:
    (parsed,) = facts([path])
    return open_structures(parsed, ct or the_ct())


def voxels(mask: Structures, number: int = 1) -> NDArray[np.bool_]:
    drawn = mask.draw(next(s for s in mask.segments if s.number == number))
    out = np.zeros(mask.ct.grid.shape, bool)
    out[drawn.box] = drawn.array
    return out


def read(tmp_path: Path, contours: Contours, **options: Any) -> NDArray[np.bool_]:
    return voxels(opened(write(tmp_path / "a.dcm", {"L1": contours}, **options)))


def refusal(path: Path, ct: Source | None = None, number: int = 1) -> str:
    with pytest.raises(InputError) as error:
        voxels(opened(path, ct), number)
    line = str(error.value)
    assert "\n" not in line and "Secret" not in line and "1.2.3" not in line
    assert line.split()[1] == f"{path.name}:"
    return line.split()[0] + " " + line.split(": ", 1)[1]


def in_rings() -> NDArray[np.bool_]:
    """What the contours of `blob` hold: voxels by their distance."""
    k, j, i = np.indices(SHAPE)
    outer = np.hypot(i - 15.3, j - 14.1) < (6 + k) / 2 * np.cos(np.pi / 60) ** 0.5
    return outer & ~(np.hypot(i - 16.2, j - 14.4) < 1.4) & (k >= 3) & (k <= 7)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_rings(tmp_path: Path, kind: str, syntax: str) -> None:
    found = read(tmp_path, BLOB, kind=kind, syntax=syntax)
    assert np.array_equal(found, in_rings())
    enclosed = sum(area(c[:, :2]) * (-1) ** n for n, c in enumerate(BLOB)) * 2.5
    assert found.sum() * 0.8 * 0.7 * 2.5 == pytest.approx(enclosed, rel=0.02)


def test_squares_on_edges_and_centres_of_voxels(tmp_path: Path) -> None:
    wanted = np.zeros(SHAPE, bool)
    wanted[4, 8:13, 6:11] = True
    assert np.array_equal(read(tmp_path, [level(box(8, 10, 5), 4)]), wanted)
    assert np.array_equal(read(tmp_path, [level(box(8, 10, 4), 4)]), wanted)
    wanted[4, 9:12, 7:10] = False
    assert np.array_equal(read(tmp_path, [level(box(8, 10, 5), 4), level(box(8, 10, 3), 4)]), wanted)


def test_any_storage_of_the_ct_gives_the_same_places(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", {"L1": BLOB})
    wanted = Volume(in_rings(), AFFINE)
    for turn in (
        Turn((0, 1, 2), (-1, 1, -1)),
        Turn((1, 0, 2), (1, -1, 1)),
        Turn((2, 0, 1), (1, 1, -1)),
        Turn((1, 2, 0), (-1, 1, 1)),
    ):
        stored = turned(wanted, turn)
        assert np.array_equal(voxels(opened(path, the_ct(stored.affine, stored.array.shape))), stored.array)


def test_an_oblique_ct(tmp_path: Path) -> None:
    t = np.deg2rad(20)
    turn = np.array([[1, 0, 0, 0], [0, np.cos(t), -np.sin(t), 0], [0, np.sin(t), np.cos(t), 0], [0, 0, 0, 1]])
    path = write(tmp_path / "a.dcm", {"L1": [c @ turn[:3, :3].T for c in BLOB]})
    assert np.array_equal(voxels(opened(path, the_ct(turn @ AFFINE))), in_rings())
    assert refusal(path).startswith("E_RTSTRUCT_PLANE ROI 1 (L1) has contours across the slices of the CT")


def test_contours_across_rows_or_columns(tmp_path: Path) -> None:
    sagittal = [place(np.c_[np.full(4, i), box(10, 6, 5)]) for i in (12.0, 13.0)]
    coronal = [place(np.insert(box(10, 6, 5), 1, j, axis=1)) for j in (20.0, 21.0, 22.0)]
    wanted = np.zeros(SHAPE, bool)
    wanted[4:9, 8:13, 12:14] = True
    assert np.array_equal(read(tmp_path, sagittal), wanted)
    wanted[:] = False
    wanted[4:9, 20:23, 8:13] = True
    assert np.array_equal(read(tmp_path, coronal), wanted)
    path = write(tmp_path / "b.dcm", {"L1": coronal + sagittal})
    assert refusal(path).startswith("E_RTSTRUCT_PLANE")


def test_a_contour_beside_its_slice(tmp_path: Path) -> None:
    near = [c + np.array([0, 0, 0.24]) for c in BLOB]
    assert np.array_equal(read(tmp_path, near), in_rings())
    path = write(tmp_path / "b.dcm", {"L1": [*BLOB[:-1], BLOB[-1] + [0, 0, 0.7]]})
    assert refusal(path) == (
        "E_RTSTRUCT_SLICES ROI 1 (L1) has contours 0.7 mm beside the nearest slice of the CT; "
        "give the mask that was drawn on this CT"
    )
    path = write(tmp_path / "c.dcm", {"L1": [*BLOB[:-1], BLOB[-1] + np.linspace(0, 0.7, 60)[:, None] * [0, 0, 1]]})
    assert refusal(path).startswith("E_RTSTRUCT_PLANE")


def test_contours_that_leave_the_image(tmp_path: Path) -> None:
    wanted = np.zeros(SHAPE, bool)
    wanted[0] = True
    edge = np.array([[-0.5, -0.5], [31.5, -0.5], [31.5, 29.5], [-0.5, 29.5]])
    assert np.array_equal(read(tmp_path, [level(edge, 0)]), wanted)
    for contours in ([level(edge + 0.1, 0)], [level(box(9, 9, 4), 11), level(box(9, 9, 4), 12)]):
        path = write(tmp_path / "b.dcm", {"L1": contours})
        assert refusal(path).startswith(
            f"E_MASK_OUTSIDE 1 of {len(contours)} contours of ROI 1 (L1) lie outside the CT"
        )


def test_slices_without_a_contour(tmp_path: Path) -> None:
    mask = opened(write(tmp_path / "a.dcm", {"L1": [c for k in (3, 4, 6, 7) for c in blob(k)]}))
    assert mask.notes == ()
    wanted = in_rings()
    wanted[5] = False
    assert np.array_equal(voxels(mask), wanted)
    assert [note[0] for note in mask.notes] == ["W_CONTOUR_GAP"]
    assert "on 1 of the 5 slices it spans" in mask.notes[0][2]
    voxels(mask)
    assert len(mask.notes) == 1
    path = write(tmp_path / "b.dcm", {"L1": [c for k in (3, 5, 7) for c in blob(k)]})
    assert refusal(path).startswith(
        "E_RTSTRUCT_SPARSE ROI 1 (L1) has no two contours on neighbouring slices (2 slices of 2.5 mm"
    )


def test_crossing_and_repeated_contours(tmp_path: Path) -> None:
    mask = opened(write(tmp_path / "a.dcm", {"L1": [level(box(8, 10, 5), 4), level(box(11, 12, 5), 4)]}))
    found = voxels(mask)
    assert found[4].sum() == 25 + 25 - 2 * 6
    assert [(n[0], n[2]) for n in mask.notes] == [("W_CONTOUR_CROSS", "contours of ROI 1 (L1) overlap in 6 voxels")]
    path = write(tmp_path / "b.dcm", {"L1": [*BLOB, np.roll(BLOB[0][::-1], 5, axis=0)]})
    assert refusal(path).startswith("E_RTSTRUCT_TWICE ROI 1 (L1) has one contour twice")


def test_points_and_open_lines(tmp_path: Path) -> None:
    def mix(data: Dataset) -> None:
        data.ROIContourSequence[0].ContourSequence.append(contour(level(np.array([[3.0, 3.0]]), 9), "POINT"))
        data.ROIContourSequence[0].ContourSequence.append(contour(level(box(3, 3, 4), 9), "OPEN_PLANAR"))

    mask = opened(write(tmp_path / "a.dcm", {"L1": BLOB}, change=mix))
    assert np.array_equal(voxels(mask), in_rings())
    assert [(n[0], n[2]) for n in mask.notes] == [("W_CONTOUR_TYPE", "ROI 1 (L1) has 2 points or open lines")]
    for kind in ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR", "CLOSED", ""):
        path = write(tmp_path / "b.dcm", {"L1": BLOB}, kind=kind)
        assert refusal(path).startswith("E_RTSTRUCT_TYPE ROI 1 (L1) has points or open lines only")


def test_regions_are_told_apart_by_number(tmp_path: Path) -> None:
    def same_name(data: Dataset) -> None:
        data.StructureSetROISequence[1].ROIName = "L1"

    path = write(tmp_path / "a.dcm", {"L1": BLOB, "L2": [level(box(5, 5, 3), 1)], "empty": []}, change=same_name)
    mask = opened(path)
    assert mask.segments == (Segment(1, "L1"), Segment(2, "L1"), Segment(3, "empty"))
    assert np.array_equal(voxels(mask, 1), in_rings())
    assert voxels(mask, 2).sum() == 9
    assert refusal(path, number=3).startswith("E_MASK_EMPTY label 3 (empty) has no voxel")

    def without(data: Dataset) -> None:
        del data.ROIContourSequence[2].ContourSequence
        data.ROIContourSequence = data.ROIContourSequence[:2]

    path = write(tmp_path / "b.dcm", {"L1": BLOB, "L2": [level(box(5, 5, 3), 1)], "empty": []}, change=without)
    assert refusal(path, number=3).startswith("E_MASK_EMPTY")
    path = write(tmp_path / "c.dcm", {"tiny": [level(box(5.4, 5.4, 0.3), 1)]})
    assert refusal(path).startswith("E_MASK_EMPTY label 1 (tiny) has no voxel")


def put_points(text: str) -> Callable[[Dataset], None]:
    """Coordinates of the first contour, as raw text; the file must be implicit, so that their type is not written."""

    def change(data: Dataset) -> None:
        first = data.ROIContourSequence[0].ContourSequence[0]
        first["ContourData"] = DataElement("ContourData", "OB", text.encode() + b" " * (len(text) % 2))
        first.NumberOfContourPoints = str((text.count("\\") + 1) // 3)

    return change


GOOD = "\\".join(f"{v:.3f}" for v in level(box(8, 10, 5), 4).ravel())


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("\\", " \\ "), " " + GOOD, GOOD.replace(".000", ".0000e+00")])
def test_ways_to_write_numbers(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, [BLOB[0]], change=put_points(text), syntax=ImplicitVRLittleEndian).sum() == 25


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (GOOD + "\\5", "E_RTSTRUCT_DATA a contour has 13 coordinates, which is no multiple of three"),
        (GOOD.replace("-7.600", "Secret", 1), "E_RTSTRUCT_DATA a coordinate of a contour is no finite number"),
        ("nan" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("inf" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("1e999" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("1e30" + GOOD[6:], "E_RTSTRUCT_DATA a point of a contour lies 1e+27 m off"),
        ("1_0" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("1 0" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("1,0" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        ("" + GOOD[6:], "E_RTSTRUCT_DATA a coordinate"),
        (GOOD + "\\", "E_RTSTRUCT_DATA a coordinate"),
        ("1\\2\\3\\4\\5\\6", "E_RTSTRUCT_POINTS ROI 1 (L1) has a closed contour of 2 points"),
        ("", "E_RTSTRUCT_POINTS ROI 1 (L1) has a closed contour of 0 points"),
    ],
)
def test_what_is_no_contour(tmp_path: Path, text: str, start: str) -> None:
    path = write(tmp_path / "a.dcm", {"L1": [BLOB[0]]}, change=put_points(text), syntax=ImplicitVRLittleEndian)
    assert refusal(path).startswith(start)


def announced(data: Dataset) -> None:
    data.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = "61"


def same_number(data: Dataset) -> None:
    data.StructureSetROISequence[1].ROINumber = "1"


def same_reference(data: Dataset) -> None:
    data.ROIContourSequence[1].ReferencedROINumber = "1"


def unknown_number(data: Dataset) -> None:
    data.ROIContourSequence[1].ReferencedROINumber = "7"


def no_number(data: Dataset) -> None:
    del data.StructureSetROISequence[1].ROINumber


def no_rois(data: Dataset) -> None:
    del data.StructureSetROISequence, data.ROIContourSequence


def no_list(data: Dataset) -> None:
    del data.StructureSetROISequence


def no_contours(data: Dataset) -> None:
    del data.ROIContourSequence


def other_class(data: Dataset) -> None:
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"


def other_patient(data: Dataset) -> None:
    data.PatientID = "Secret-Other"


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (other_class, "E_DICOM_FILE says RTSTRUCT, but is of another SOP class"),
        (announced, "E_RTSTRUCT_POINTS ROI 1 (L1) has a closed contour of 60 points (61 announced)"),
        (same_number, "E_RTSTRUCT_ROI two of its ROIs have one number"),
        (same_reference, "E_RTSTRUCT_ROI its contours are not sorted"),
        (unknown_number, "E_RTSTRUCT_ROI 1 of its ROIs have contours and no entry"),
        (no_number, "E_RTSTRUCT_ROI a ROI has no number"),
        (no_rois, "E_RTSTRUCT_ROI holds no ROI"),
        (no_list, "E_RTSTRUCT_ROI 2 of its ROIs have contours and no entry"),
        (no_contours, "E_MASK_EMPTY label 1 (L1) has no voxel"),
        (other_patient, "E_MASK_PATIENT"),
    ],
)
def test_what_is_no_structure_set(tmp_path: Path, change: Callable[[Dataset], None], start: str) -> None:
    assert refusal(write(tmp_path / "a.dcm", {"L1": BLOB, "L2": blob(9)}, change=change)).startswith(start)


def test_ten_million_points(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.dcm",
        {"L1": [BLOB[0]]},
        syntax=ImplicitVRLittleEndian,
        change=put_points("\\".join(["1"] * 30_000_000)),
    )
    assert refusal(path).startswith("E_RTSTRUCT_SIZE has more than 4000000 points")


def test_contours_that_cross_the_image_without_end(tmp_path: Path) -> None:
    zigzag = np.tile([[2.0, 2.0], [28.0, 27.0]], (1_100_000, 1))
    text = "\\".join(f"{x:.1f}\\{y:.1f}\\-290" for x, y in place(np.c_[zigzag, zigzag[:, :1]])[:, :2])
    path = write(tmp_path / "a.dcm", {"L1": [BLOB[0]]}, syntax=ImplicitVRLittleEndian, change=put_points(text))
    assert refusal(path).startswith("E_RTSTRUCT_SIZE the contours of ROI 1 (L1) cross rows more than 50 million times")


def test_more_contours_than_a_region_has(tmp_path: Path) -> None:
    def repeat(data: Dataset) -> None:
        shared = data.ROIContourSequence[0].ContourSequence[0]
        data.ROIContourSequence[0].ContourSequence = [shared] * 20_001

    path = write(tmp_path / "a.dcm", {"L1": [level(box(5, 5, 3), 1)]}, change=repeat)
    assert refusal(path).startswith("E_RTSTRUCT_SIZE ROI 1 (L1) has 20001 contours")


@pytest.mark.parametrize(
    ("frame", "series", "said"),
    [
        (WHO["frame"], WHO["series"], None),
        (WHO["frame"], "1.2.77", "W_MASK_SERIES"),
        ("1.2.88", WHO["series"], "W_MASK_FRAME"),
        ("1.2.88", "1.2.77", "E_MASK_FRAME"),
        ("", "", "W_MASK_IDENTITY"),
    ],
)
def test_frame_and_series(tmp_path: Path, frame: str, series: str, said: str | None) -> None:
    def change(data: Dataset) -> None:
        data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = frame
        drawn_on = data.ReferencedFrameOfReferenceSequence[0]
        drawn_on.FrameOfReferenceUID = frame
        drawn_on.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID = series

    path = write(tmp_path / "a.dcm", {"L1": BLOB}, change=change)
    if said and said.startswith("E_"):
        assert refusal(path).split()[0] == said
    else:
        mask = opened(path)
        assert np.array_equal(voxels(mask), in_rings())
        assert [note[0] for note in mask.notes] == ([said] if said else [])


def test_a_region_of_another_image_in_one_file(tmp_path: Path) -> None:
    def change(data: Dataset) -> None:
        data.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3.99"

    path = write(tmp_path / "a.dcm", {"L1": BLOB, "on MR": BLOB}, change=change)
    assert np.array_equal(voxels(opened(path), 1), in_rings())
    assert refusal(path, number=2).startswith("E_MASK_FRAME ROI 2 (on MR) was drawn in another frame of reference")


def test_the_tumour_of_a_real_structure_set(shared: Path) -> None:
    """As large as its contours say, and voxel by voxel what matplotlib finds inside them."""
    folder = shared / "data/sarcoma_ct/dicom_003"
    roi = read_roi(folder / "image", folder / "mask", label="GTV_Mass_CT", margin_mm=None, require_ct=False)
    assert roi.warnings == ()
    mask, grid = roi.mask.array, roi.ct
    outlines = pydicom.dcmread(folder / "mask/RS.dcm").ROIContourSequence[0].ContourSequence
    wanted, enclosed = np.zeros_like(mask), 0.0
    centres = np.stack(np.meshgrid(np.arange(mask.shape[2]), np.arange(mask.shape[1])), axis=-1).reshape(-1, 2)
    for one in outlines:
        points = np.array(one.ContourData, dtype=float).reshape(-1, 3)
        index = (points - grid.origin) / grid.spacing
        assert np.array_equal(grid.direction, np.eye(3))
        wanted[round(index[0, 2])] ^= Outline(index[:, :2]).contains_points(centres).reshape(mask.shape[1:])
        enclosed += area(points[:, :2]) * grid.spacing[2]
    assert np.array_equal(mask, wanted)
    assert mask.sum() * grid.voxel_mm3 == pytest.approx(enclosed, rel=1e-3)
    assert mask.sum() == 25_693
    assert ndimage.label(mask)[1] == 1
    assert grid.array[mask].mean() == pytest.approx(29.47, abs=0.01)  # soft tissue
