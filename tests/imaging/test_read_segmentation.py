"""DICOM SEG: frames are placed by themselves; whatever does not fit the CT voxel by voxel is refused in one line."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from ovfrad.errors import InputError
from ovfrad.imaging import read_roi
from ovfrad.imaging.dicom.sandbox import facts
from ovfrad.imaging.dicom.segmentation import Segmentation, open_segmentation
from ovfrad.imaging.geometry import Turn, turned
from ovfrad.imaging.masks.segments import Segment
from ovfrad.imaging.source import Source
from ovfrad.imaging.volume import Grid, Volume

REFERENCE = Path(__file__).parents[1] / "reference" / "imaging"
AFFINE = np.array([[0.8, 0, 0, -12.0], [0, 0.7, 0, 40.5], [0, 0, 2.5, -300.0], [0, 0, 0, 1.0]])
SHAPE = (9, 11, 13)
WHO = {"patient": "Secret-ID", "frame": "1.2.3.4", "series": "1.2.3.5", "study": "1.2.3.6"}
KINDS = {"BINARY": "1.2.840.10008.5.1.4.1.1.66.4", "LABELMAP": "1.2.840.10008.5.1.4.1.1.66.7"}


def no_planes(numbers: Any) -> Any:
    raise AssertionError("the CT's voxels are not needed")


CT = Source(Path("ct"), Grid(SHAPE, AFFINE), 16, no_planes, identity=WHO)


def two_labels() -> NDArray[np.uint8]:
    """An odd shape, so that a flip or a shift shows, and a second one beside it."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 3:8, 4:10] = 1
    labels[3, 4:6, 6:9] = 0
    labels[2, 3, 4] = labels[4, 7, 9] = 0
    labels[7:, 1:3, 10:] = 2
    return labels


def item(**elements: Any) -> Dataset:
    out = Dataset()
    for keyword, value in elements.items():
        setattr(out, keyword, value)
    return out


def texts(values: NDArray[Any]) -> list[str]:
    return [f"{v:.10g}" for v in values]


def stored(labels: Volume, kind: str, bits: int, every: bool) -> tuple[list[tuple[int, int]], NDArray[Any]]:
    """(segment, slice) of each frame, and the frames."""
    array = labels.array
    if kind == "LABELMAP":
        return [(0, k) for k in range(len(array))], array.astype(np.uint16 if bits == 16 else np.uint8)
    numbers = [int(v) for v in np.unique(array) if v]
    frames = [(v, k) for v in numbers for k in range(len(array)) if every or (array[k] == v).any()]
    return frames, np.stack([array[k] == v for v, k in frames])


def write(
    path: Path, labels: Volume, kind: str = "BINARY", *, bits: int = 0, every: bool = False,
    syntax: str = ExplicitVRLittleEndian, seed: int | None = None, change: Callable[[Dataset], Any] | None = None,
) -> Path:  # fmt: skip
    """A segmentation with the least that the standard asks for."""
    bits = bits or (1 if kind == "BINARY" else 8)
    frames, planes = stored(labels, kind, bits, every)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(frames))
        frames, planes = [frames[n] for n in order], planes[order]
    if kind == "FRACTIONAL":
        planes = planes.astype(np.uint8) * 200
    flat = np.packbits(planes.ravel(), bitorder="little") if bits == 1 else planes.astype(f"<u{bits // 8}")
    out = item(
        SOPClassUID=KINDS.get(kind, KINDS["BINARY"]), SOPInstanceUID="1.2.9", Modality="SEG",
        PatientName="Secret^Name", PatientID=WHO["patient"], FrameOfReferenceUID=WHO["frame"],
        SeriesInstanceUID="1.2.10", SegmentationType=kind, Rows=planes.shape[1], Columns=planes.shape[2],
        NumberOfFrames=str(len(frames)), SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=0,
        ReferencedSeriesSequence=[item(SeriesInstanceUID=WHO["series"])],
    )  # fmt: skip
    if kind == "FRACTIONAL":
        out.MaximumFractionalValue, out.SegmentationFractionalType = 200, "PROBABILITY"
    out.SegmentSequence = [
        item(SegmentNumber=int(v), SegmentLabel=f"vertebra L{v}") for v in np.unique(labels.array) if v
    ]
    across, down, along = labels.affine[:3, 0], labels.affine[:3, 1], labels.affine[:3, 2]
    sizes = [np.linalg.norm(v) for v in (down, across)]
    measures = item(PixelSpacing=texts(np.array(sizes)), SliceThickness="2.5")
    orientation = item(ImageOrientationPatient=texts(np.r_[across / sizes[1], down / sizes[0]]))
    shared = item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])
    out.SharedFunctionalGroupsSequence = [shared]
    out.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=texts(labels.affine[:3, 3] + k * along))],
            **({"SegmentIdentificationSequence": [item(ReferencedSegmentNumber=v)]} if v else {}),
        )
        for v, k in frames
    ]
    if syntax == RLELossless:
        options = {
            "rows": out.Rows, "columns": out.Columns, "samples_per_pixel": 1, "bits_allocated": bits,
            "bits_stored": bits, "pixel_representation": 0, "number_of_frames": 1,
            "photometric_interpretation": "MONOCHROME2",
        }  # fmt: skip
        coded = [
            RLELosslessEncoder.encode(np.ascontiguousarray(plane).tobytes(), encoding_plugin="pydicom", **options)
            for plane in flat
        ]
        out.PixelData = encapsulate(coded)
    else:
        out.PixelData = flat.tobytes() + b"\0" * (flat.nbytes % 2)
    out["PixelData"].VR = "OB" if bits <= 8 else "OW"
    if change:
        change(out)
    out.file_meta = FileMetaDataset()
    out.file_meta.TransferSyntaxUID = syntax
    out.file_meta.MediaStorageSOPClassUID, out.file_meta.MediaStorageSOPInstanceUID = out.SOPClassUID, "1.2.9"
    out.save_as(path, enforce_file_format=True)
    return path


def opened(path: Path, ct: Source = CT) -> Segmentation:
    (parsed,) = facts([path])
    return open_segmentation(parsed, ct)


def voxels(mask: Segmentation, segment: Segment) -> NDArray[np.bool_]:
    drawn = mask.draw(segment)
    out = np.zeros(SHAPE, bool)
    out[drawn.box] = drawn.array
    return out


def assert_read(path: Path, ct: Source = CT) -> None:
    mask = opened(path, ct)
    assert mask.segments == (Segment(1, "vertebra L1"), Segment(2, "vertebra L2"))
    for segment in mask.segments:
        assert np.array_equal(voxels(mask, segment), two_labels() == segment.number)


def refusal(path: Path, ct: Source = CT, number: int = 1) -> str:
    with pytest.raises(InputError) as error:
        mask = opened(path, ct)
        mask.draw(next(s for s in mask.segments if s.number == number))
    line = str(error.value)
    assert "\n" not in line and "Secret" not in line and "1.2." not in line
    assert line.split()[1] == f"{path.name}:"
    return line.split()[0] + " " + line.split(": ", 1)[1]


LABELS = Volume(two_labels(), AFFINE)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_bits_cross_bytes_between_frames(tmp_path: Path, syntax: str, every: bool) -> None:
    assert SHAPE[1] * SHAPE[2] % 8
    assert_read(write(tmp_path / "a.dcm", LABELS, syntax=syntax, every=every))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless])
def test_label_maps(tmp_path: Path, bits: int, syntax: str) -> None:
    path = write(tmp_path / "a.dcm", LABELS, "LABELMAP", bits=bits, syntax=syntax, seed=3)
    assert_read(path)

    def background(data: Dataset) -> None:
        data.SegmentSequence = [item(SegmentNumber=0, SegmentLabel="background"), *data.SegmentSequence]

    assert_read(write(tmp_path / "b.dcm", LABELS, "LABELMAP", bits=bits, syntax=syntax, change=background))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_fractions_must_be_none_or_whole(tmp_path: Path, syntax: str) -> None:
    assert_read(write(tmp_path / "a.dcm", LABELS, "FRACTIONAL", syntax=syntax))

    def lower(data: Dataset) -> None:
        data.MaximumFractionalValue = 255

    path = write(tmp_path / "b.dcm", LABELS, "FRACTIONAL", syntax=syntax, change=lower)
    assert refusal(path).startswith("E_MASK_FRACTION segment 1 has values other than 0 and 255;")


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_frames_of_any_orientation_and_order(tmp_path: Path, axes: tuple[int, int, int]) -> None:
    for n, signs in enumerate(product((1, -1), repeat=3)):
        path = write(tmp_path / f"{n}.dcm", turned(LABELS, Turn(axes, signs)), seed=n)
        assert_read(path)


def test_an_oblique_ct(tmp_path: Path) -> None:
    t = np.deg2rad(17)
    turn = np.array([[np.cos(t), -np.sin(t), 0, 0], [np.sin(t), np.cos(t), 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    labels = turned(Volume(two_labels(), turn @ AFFINE), Turn((1, 0, 2), (1, -1, -1)))
    ct = Source(CT.path, Grid(SHAPE, turn @ AFFINE), 16, no_planes, identity=WHO)
    assert_read(write(tmp_path / "a.dcm", labels), ct)
    assert refusal(write(tmp_path / "b.dcm", labels)).startswith("E_MASK_GRID origin is 0.3 mm off the CT's along y")


def test_frames_smaller_and_larger_than_the_slices_of_the_ct(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[:3, 3] += AFFINE[:3, :3] @ [3, 1, 1]
    assert_read(write(tmp_path / "a.dcm", Volume(two_labels()[1:, 1:9, 3:], moved)))
    moved[:3, 3] -= AFFINE[:3, :3] @ [5, 3, 4]
    wide = np.pad(two_labels(), ((3, 2), (2, 2), (2, 2)))
    assert_read(write(tmp_path / "b.dcm", Volume(wide, moved), every=True))
    wide[0, 5, 5] = 1
    assert refusal(write(tmp_path / "c.dcm", Volume(wide, moved))).startswith("E_MASK_OUTSIDE 1 of its slices")
    wide[0, 5, 5], wide[5, 0, 5] = 0, 1
    assert refusal(write(tmp_path / "d.dcm", Volume(wide, moved))).startswith("E_MASK_OUTSIDE 1 of its voxels")


def test_geometry_may_stand_in_each_frame(tmp_path: Path) -> None:
    def spread(data: Dataset) -> None:
        shared = data.SharedFunctionalGroupsSequence[0]
        for frame in data.PerFrameFunctionalGroupsSequence:
            frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
            frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
        del data.SharedFunctionalGroupsSequence

    assert_read(write(tmp_path / "a.dcm", LABELS, change=spread))


def test_one_segment_may_stand_in_what_frames_share(tmp_path: Path) -> None:
    def share(data: Dataset) -> None:
        groups = data.PerFrameFunctionalGroupsSequence
        data.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = groups[0].SegmentIdentificationSequence
        for frame in groups:
            del frame.SegmentIdentificationSequence

    path = write(tmp_path / "a.dcm", Volume(LABELS.array * (LABELS.array == 1), AFFINE), change=share)
    mask = opened(path)
    assert np.array_equal(voxels(mask, mask.segments[0]), two_labels() == 1)


def moved(n: int, by: tuple[float, float, float]) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        place = data.PerFrameFunctionalGroupsSequence[n].PlanePositionSequence[0]
        place.ImagePositionPatient = texts(np.array(place.ImagePositionPatient, dtype=float) + by)

    return change


def test_jitter_of_a_hundredth_voxel_is_no_other_grid(tmp_path: Path) -> None:
    assert_read(write(tmp_path / "a.dcm", LABELS, change=moved(1, (0.0079, -0.0069, 0.024))))
    assert refusal(write(tmp_path / "b.dcm", LABELS, change=moved(1, (0.02, 0, 0)))) == (
        "E_MASK_GRID its voxels lie 0.02 mm beside those of the CT; resample the mask onto the CT or export it again"
    )
    assert "E_MASK_GRID its voxels lie 1.2 mm" in refusal(
        write(tmp_path / "c.dcm", LABELS, change=moved(2, (0, 0, 1.25)))
    )


def test_frames_of_a_ct_of_uneven_steps(tmp_path: Path) -> None:
    """Its grid has the mean step; the segmentation repeats the places of its slices."""
    path = write(tmp_path / "a.dcm", LABELS, change=moved(1, (0, 0, 0.1)))
    uneven = replace(CT, notes=(("W_DICOM_STEPS", CT.path, "slice distances vary by 4 %", "their mean is used"),))
    assert refusal(path).startswith("E_MASK_GRID its voxels lie 0.1 mm")
    assert_read(path, uneven)
    assert_read(write(tmp_path / "b.dcm", LABELS, change=moved(0, (0, 0, 0.1))), uneven)
    assert refusal(write(tmp_path / "c.dcm", LABELS, change=moved(1, (0, 0, 0.3))), uneven).startswith("E_MASK_GRID")
    assert refusal(write(tmp_path / "d.dcm", LABELS, change=moved(1, (0.1, 0, 0))), uneven).startswith("E_MASK_GRID")


@pytest.mark.parametrize(
    ("affine", "start"),
    [
        (AFFINE * [[1.1], [1], [1], [1]], "E_MASK_GRID spacing is 0.88 x 0.7 x 2.5 mm, the CT's 0.8 x 0.7 x 2.5 mm"),
        (AFFINE + np.pad([[0.4]], ((0, 3), (3, 0))), "E_MASK_GRID origin is 0.4 mm off the CT's along x"),
        (AFFINE * [[1], [1], [2], [1]], "E_SEG_SPARSE its slices are 2 slices of the CT apart"),
        (AFFINE * [[1], [1], [0.5], [1]], "E_MASK_GRID its voxels lie 1.2 mm"),
    ],
)
def test_another_grid(tmp_path: Path, affine: NDArray[Any], start: str) -> None:
    other = affine.copy()
    other[2, 3] = -300.0 - (other[2, 2] == 5.0) * 5.0
    assert refusal(write(tmp_path / "a.dcm", Volume(two_labels(), other))).startswith(start)


def drop(*keywords: str) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        for keyword in keywords:
            delattr(data, keyword)

    return change


def put(**elements: Any) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        for keyword, value in elements.items():
            setattr(data, keyword, value)

    return change


def same_place(data: Dataset) -> None:
    groups = data.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence = groups[0].PlanePositionSequence


def no_place(data: Dataset) -> None:
    del data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def wild_place(data: Dataset) -> None:
    data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient = ["1e30", "0", "0"]


def flat_orientation(data: Dataset) -> None:
    group = data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    group.ImageOrientationPatient = ["1", "0", "0", "1", "0", "0"]


def zero_spacing(data: Dataset) -> None:
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["0.7", "0"]


def twisted(data: Dataset) -> None:
    group = item(ImageOrientationPatient=["0", "1", "0", "1", "0", "0"])
    data.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = [group]


def strange_segment(data: Dataset) -> None:
    group = data.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0]
    group.ReferencedSegmentNumber = 9


def same_number(data: Dataset) -> None:
    data.SegmentSequence[1].SegmentNumber = 1


def cut(data: Dataset) -> None:
    data.PixelData = data.PixelData[:-8]


def more(data: Dataset) -> None:
    data.PixelData = data.PixelData + bytes(8)


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (cut, "E_IMAGE_TRUNCATED holds 100 bytes of the 108 its header announces"),
        (more, "E_IMAGE_SURPLUS"),
        (drop("PixelData"), "E_SEG_FRAMES has no pixels"),
        (put(NumberOfFrames="5"), "E_SEG_FRAMES announces 5 frames and describes 6"),
        (put(NumberOfFrames="2147483647"), "E_SEG_FRAMES announces 2147483647 frames and describes 6"),
        (put(Rows=65535, Columns=65535), "E_SEG_SIZE has frames of 65535 x 65535 voxels"),
        (put(Rows=4096, Columns=4096), "E_IMAGE_TRUNCATED holds 108 bytes of the 12582912"),
        (put(Rows=0), "E_SEG_SIZE has frames of 0 x 13"),
        (drop("Rows"), "E_SEG_SIZE"),
        (put(BitsAllocated=8), "E_IMAGE_TRUNCATED"),
        (put(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "E_DICOM_FILE says SEG, but is of another SOP class"),
        (put(BitsAllocated=12), "E_SEG_TYPE"),
        (put(SegmentationType="SECRET"), "E_SEG_TYPE"),
        (put(SamplesPerPixel=3), "E_SEG_TYPE"),
        (drop("SegmentSequence"), "E_SEG_SEGMENTS describes no segment"),
        (same_number, "E_SEG_SEGMENTS"),
        (strange_segment, "E_SEG_SEGMENTS has frames of segment 9, which it does not describe"),
        (drop("PerFrameFunctionalGroupsSequence"), "E_SEG_FRAMES announces 6 frames and describes 0"),
        (drop("SharedFunctionalGroupsSequence"), "E_SEG_FRAMES its frame 1 has no ImageOrientationPatient"),
        (no_place, "E_SEG_FRAMES its frame 3 has no ImagePositionPatient of 3 numbers"),
        (wild_place, "E_SEG_FRAMES a frame has a ImagePositionPatient of 1e+30"),
        (flat_orientation, "E_SEG_FRAMES its orientation or spacing is none"),
        (zero_spacing, "E_SEG_FRAMES its orientation or spacing is none"),
        (twisted, "E_SEG_FRAMES its frames differ in orientation or spacing"),
        (same_place, "E_SEG_TWICE"),
        (put(PatientID="Secret-Other"), "E_MASK_PATIENT its PatientID is not the CT's"),
    ],
)
def test_what_is_no_segmentation(tmp_path: Path, change: Callable[[Dataset], None], start: str) -> None:
    assert refusal(write(tmp_path / "a.dcm", LABELS, change=change)).startswith(start)


def test_values_that_no_segment_has(tmp_path: Path) -> None:
    def forget(data: Dataset) -> None:
        data.SegmentSequence = data.SegmentSequence[:1]

    path = write(tmp_path / "a.dcm", LABELS, "LABELMAP", change=forget)
    assert refusal(path).startswith("E_SEG_SEGMENTS holds the value 2, which no segment has")
    path = write(tmp_path / "b.dcm", LABELS, "LABELMAP", change=same_place)
    assert refusal(path).startswith("E_SEG_TWICE")


def test_damaged_compressed_frames(tmp_path: Path) -> None:
    def shorten(data: Dataset) -> None:
        frames = list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=9))
        data.PixelData = encapsulate([frames[0][:66], *frames[1:]])

    def lose(data: Dataset) -> None:
        data.PixelData = encapsulate(list(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=9))[:-1])

    for change in (shorten, lose):
        path = write(tmp_path / "a.dcm", LABELS, "LABELMAP", syntax=RLELossless, change=change)
        assert refusal(path).split()[0] in ("E_SEG_FRAMES", "E_DICOM_FILE")


def test_big_endian_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", LABELS, syntax=ExplicitVRBigEndian)
    assert refusal(path).startswith("E_DICOM_SYNTAX is stored big-endian")


def test_an_empty_segment(tmp_path: Path) -> None:
    def announce(data: Dataset) -> None:
        data.SegmentSequence = [*data.SegmentSequence, item(SegmentNumber=3, SegmentLabel="L3")]

    path = write(tmp_path / "a.dcm", LABELS, change=announce)
    assert refusal(path, number=3).startswith("E_MASK_EMPTY label 3 (L3) has no voxel")

    def clear(data: Dataset) -> None:
        data.PixelData = bytes(len(data.PixelData))

    assert refusal(write(tmp_path / "b.dcm", LABELS, change=clear)).startswith("E_MASK_EMPTY label 1 (vertebra L1)")


@pytest.mark.filterwarnings("ignore:The value length")
def test_names_are_fit_to_be_shown(tmp_path: Path) -> None:
    def rename(data: Dataset) -> None:
        data.SegmentSequence[0].SegmentLabel = "L1\x1b[31m\u202e" + 100 * "x"
        data.SegmentSequence[1].SegmentLabel = ""
        data.SegmentSequence[1].SegmentedPropertyTypeCodeSequence = [item(CodeMeaning="Second vertebra")]
        data.SpecificCharacterSet = "ISO_IR 192"

    first, second = opened(write(tmp_path / "a.dcm", LABELS, change=rename)).segments
    assert first == Segment(1, ("L1 [31m " + 100 * "x")[:64])
    assert second == Segment(2, "Second vertebra")


@pytest.mark.parametrize(
    ("frame", "series", "said"),
    [
        (WHO["frame"], WHO["series"], None),
        (WHO["frame"], "", None),
        (WHO["frame"], "1.2.77", "W_MASK_SERIES"),
        ("1.2.88", WHO["series"], "W_MASK_FRAME"),
        ("1.2.88", "1.2.77", "E_MASK_FRAME"),
        ("1.2.88", "", "E_MASK_FRAME"),
        ("", WHO["series"], None),
        ("", "1.2.77", "E_MASK_SERIES"),
        ("", "", "W_MASK_IDENTITY"),
    ],
)
def test_frame_and_series(tmp_path: Path, frame: str, series: str, said: str | None) -> None:
    def change(data: Dataset) -> None:
        data.FrameOfReferenceUID = frame
        data.ReferencedSeriesSequence = [item(SeriesInstanceUID=series)] if series else []

    path = write(tmp_path / "a.dcm", LABELS, change=change)
    if said and said.startswith("E_"):
        assert refusal(path).split()[0] == said
    else:
        assert_read(path)
        assert [note[0] for note in opened(path).notes] == ([said] if said else [])
    bare = Source(CT.path, CT.grid, 16, no_planes)
    assert opened(path, bare).notes == ()
    assert_read(path, bare)


def test_patients_are_compared_where_both_are_named(tmp_path: Path) -> None:
    assert_read(write(tmp_path / "a.dcm", LABELS, change=put(PatientID="")))
    assert_read(write(tmp_path / "b.dcm", LABELS, change=put(PatientID="Secret-ID ")))


def test_with_the_series_it_was_drawn_on(series: Path, tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    first = pydicom.dcmread(next(series.iterdir()))

    def drawn_on(data: Dataset) -> None:
        data.PatientID, data.FrameOfReferenceUID = first.PatientID, first.FrameOfReferenceUID
        data.ReferencedSeriesSequence[0].SeriesInstanceUID = first.SeriesInstanceUID

    path = write(tmp_path / "mask.dcm", volumes[1], change=drawn_on, seed=0)
    roi = read_roi(series, path, label="vertebra L20", margin_mm=None)
    assert np.array_equal(roi.mask.array, volumes[1].array == 20)
    assert roi.warnings == ()
    with pytest.raises(InputError, match=r"^E_MASK_FRAME mask.dcm: its frame of reference is not the CT's;"):
        read_roi(series, write(path, volumes[1], change=put(PatientID="P1")), label=20)


@pytest.mark.parametrize("name", ["binary", "fractional", "labelmap", "labelmap_rle", "labelmap_jpegls"])
def test_files_of_another_writer(name: str) -> None:
    """Files that highdicom wrote; see tests/reference/imaging."""
    made = runpy.run_path(str(REFERENCE / "segments.py"))
    across, down = np.array(made["COSINES"]).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = across * made["SPACING"][1], down * made["SPACING"][0]
    affine[:3, 2], affine[:3, 3] = made["ALONG"], made["ORIGIN"]
    ct = Source(CT.path, Grid(made["SHAPE"], affine), 16, no_planes, identity={"patient": "P1"})
    mask = opened(REFERENCE / f"seg_{name}.dcm", ct)
    assert [segment.name for segment in mask.segments] == ["vertebra L1", "vertebra L2"]
    for segment in mask.segments:
        drawn = mask.draw(segment)
        found = np.zeros(made["SHAPE"], bool)
        found[drawn.box] = drawn.array
        assert np.array_equal(found, made["labels"]() == segment.number)
