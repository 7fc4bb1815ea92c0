"""An enhanced multi-frame CT reads as its series does, and only when it is one stack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

from ovfrad.errors import InputError
from ovfrad.imaging import read_volume
from ovfrad.imaging.dicom.ct import open_dicom

ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
MOVED = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
}


def group(data: Dataset, sequences: Any) -> Dataset:
    """Functional groups of a slice."""
    made = Dataset()
    for name in sequences:
        one = Dataset()
        for keyword in MOVED[name]:
            one[keyword] = data[keyword]
        setattr(made, name, Sequence([one]))
    return made


def content(stack: str, time: int) -> Sequence:
    one = Dataset()
    one.StackID, one.TemporalPositionIndex = stack, time
    return Sequence([one])


def enhance(series: Path, path: Path, per_frame: Any = ("PlanePositionSequence",)) -> Dataset:
    """The series as one enhanced CT; not yet saved."""
    slices = [pydicom.dcmread(p) for p in sorted(series.iterdir())]
    slices = [slices[n] for n in np.random.default_rng(0).permutation(len(slices))]
    one = pydicom.dcmread(series / "slice_0001.dcm")
    shared = [name for name in MOVED if name not in per_frame]
    one.SharedFunctionalGroupsSequence = Sequence([group(slices[0], shared)])
    one.PerFrameFunctionalGroupsSequence = Sequence([group(data, per_frame) for data in slices])
    for frame in one.PerFrameFunctionalGroupsSequence:
        frame.FrameContentSequence = content("1", 1)
    for keyword in [k for keywords in MOVED.values() for k in keywords]:
        delattr(one, keyword)
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = ENHANCED
    one.NumberOfFrames = len(slices)
    one.PixelData = b"".join(data.PixelData for data in slices)
    one.filename = str(path)
    return one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "enhanced.dcm"


def save(one: Dataset) -> Path:
    path = Path(str(one.filename))
    path.parent.mkdir(exist_ok=True)
    one.save_as(path, enforce_file_format=True)
    return path


def stack(path: Path) -> NDArray[Any]:
    source = open_dicom(path)
    return np.stack([plane.copy() for _, plane in source.planes(range(source.grid.shape[0]))])


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        open_dicom(path)
    return str(error.value)


@pytest.mark.parametrize("per_frame", [("PlanePositionSequence",), tuple(MOVED)])
@pytest.mark.parametrize("kind", [ENHANCED, "1.2.840.10008.5.1.4.1.1.2.2"])
def test_it_reads_like_its_series(series: Path, path: Path, per_frame: tuple[str, ...], kind: str) -> None:
    one = enhance(series, path, per_frame)
    one.SOPClassUID = kind
    save(one)
    wanted, found = read_volume(series), read_volume(path)
    np.testing.assert_array_equal(found.array, wanted.array)
    np.testing.assert_allclose(found.affine, wanted.affine, atol=1e-9)
    source = open_dicom(path)
    assert source.notes == ()
    assert source.facts["slice_thickness_mm"] == 2.0
    assert source.facts["kvp"] == 120.0


def test_it_may_lie_alone_in_a_folder(series: Path, tmp_path: Path) -> None:
    one = enhance(series, tmp_path / "folder" / "enhanced.dcm")
    folder = save(one).parent
    (folder / "readme.txt").write_text("x", encoding="utf-8")
    np.testing.assert_array_equal(stack(folder), stack(series))
    (folder / "second.dcm").write_bytes((folder / "enhanced.dcm").read_bytes())
    assert refusal(folder) == (
        "E_DICOM_MULTIFRAME second.dcm: lies beside another file, and one of them is an enhanced CT; "
        "an enhanced CT is read when it is alone in its folder, or by its own path"
    )


def test_each_frame_has_its_own_rescale(series: Path, path: Path) -> None:
    wanted = stack(series)
    one = enhance(series, path, ("PlanePositionSequence", "PixelValueTransformationSequence"))
    stored = np.frombuffer(one.PixelData, "<i2").reshape(24, -1).copy()
    for n, frame in enumerate(one.PerFrameFunctionalGroupsSequence):
        stored[n] = stored[n] * 4 - 100 * n
        frame.PixelValueTransformationSequence[0].RescaleSlope = "0.25"
        frame.PixelValueTransformationSequence[0].RescaleIntercept = str(-1024 + 25 * n)
    one.PixelData = stored.tobytes()
    save(one)
    np.testing.assert_array_equal(stack(path), wanted)
    assert [note[0] for note in open_dicom(path).notes] == ["W_DICOM_RESCALE"]


@pytest.mark.parametrize("table", ["none", "basic", "extended", "split"])
def test_compressed_frames_are_found_by_every_table(series: Path, path: Path, table: str) -> None:
    """Of frames in one fragment each; split ones need the table of their starts."""
    wanted = stack(series)
    one = enhance(series, path)
    size = len(one.PixelData) // 24
    single = Path(f"{path}.one")
    streams = []
    for n in range(24):
        data = pydicom.dcmread(series / "slice_0001.dcm")
        data.PixelData = one.PixelData[n * size : (n + 1) * size]
        data.save_as(single)
        streams.append(_jpeg(single))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    one.PixelData = encapsulate(streams, fragments_per_frame=3 if table == "split" else 1, has_bot=table != "none")
    if table == "extended":
        from pydicom.encaps import encapsulate_extended

        pixels, offsets, lengths = encapsulate_extended(streams)
        one.PixelData, one.ExtendedOffsetTable, one.ExtendedOffsetTableLengths = pixels, offsets, lengths
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    save(one)
    np.testing.assert_array_equal(stack(path), wanted)


def _jpeg(path: Path) -> bytes:
    import gdcm

    reader, writer, changer = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(path))
    assert reader.Read()
    changer.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    changer.SetInput(reader.GetImage())
    assert changer.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(changer.GetOutput())
    assert writer.Write()
    return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


def _frame(n: int, sequence: str, **values: Any) -> Callable[[Dataset], None]:
    def change(one: Dataset) -> None:
        for keyword, value in values.items():
            setattr(getattr(one.PerFrameFunctionalGroupsSequence[n], sequence)[0], keyword, value)

    return change


def _without(name: str) -> Callable[[Dataset], None]:
    return lambda one: delattr(one.SharedFunctionalGroupsSequence[0], name)


def _tag(**values: Any) -> Callable[[Dataset], None]:
    return lambda one: [setattr(one, keyword, value) for keyword, value in values.items()] and None


AGAIN = "export the series again from the scanner or PACS"
FAULTS = {
    "E_DICOM_MULTIFRAME enhanced.dcm: holds 2 stacks; give a CT of one stack; export the one that is meant": _frame(
        3, "FrameContentSequence", StackID="2"
    ),
    "E_DICOM_MULTIFRAME enhanced.dcm: holds 2 points of time; give a CT of one stack; export the one that is meant": (
        _frame(3, "FrameContentSequence", TemporalPositionIndex=2)
    ),
    "E_DICOM_MULTIFRAME enhanced.dcm: describes 24 of its frames, which are 25; export it again from the scanner": _tag(
        NumberOfFrames=25
    ),
    f"E_DICOM_TAG enhanced.dcm: ImagePositionPatient is missing or not 3 numbers (frame 4); {AGAIN}": (
        lambda one: delattr(one.PerFrameFunctionalGroupsSequence[3], "PlanePositionSequence")
    ),
    f"E_DICOM_TAG enhanced.dcm: RescaleSlope is missing or no number (frame 1); {AGAIN}": _without(
        "PixelValueTransformationSequence"
    ),
    f"E_DICOM_TAG enhanced.dcm: PixelSpacing is missing or not 2 numbers (frame 1); {AGAIN}": _without(
        "PixelMeasuresSequence"
    ),
    f"E_DICOM_TAG enhanced.dcm: ImageOrientationPatient is missing or not 6 numbers (frame 1); {AGAIN}": _without(
        "PlaneOrientationSequence"
    ),
    "E_NOT_CT enhanced.dcm: its header says modality MR (frame 1); give a CT series": _tag(Modality="MR"),
    "E_DICOM_DERIVED enhanced.dcm: is a projection or rendering (MAX_IP) (frame 1); export the original series": _tag(
        ImageType=["DERIVED", "PRIMARY", "MAX_IP", "MAXIMUM"]
    ),
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_is_no_single_stack_of_hu_is_refused(series: Path, path: Path, text: str) -> None:
    one = enhance(series, path)
    FAULTS[text](one)
    save(one)
    assert refusal(path) == text


def test_a_frame_moved_or_doubled_is_refused(series: Path, path: Path) -> None:
    one = enhance(series, path)
    places = [f.PlanePositionSequence[0].ImagePositionPatient[2] for f in one.PerFrameFunctionalGroupsSequence]
    middle, next_one = places.index(-280), places.index(-278)
    position = one.PerFrameFunctionalGroupsSequence[middle].PlanePositionSequence[0]
    position.ImagePositionPatient = [-12, 40.5, -278]
    save(one)
    first, second = sorted((middle + 1, next_one + 1), key=lambda n: f"frame {n}")
    assert refusal(path) == (
        f"E_DICOM_DUPLICATE enhanced.dcm: frame {first} and frame {second} lie at one place (-278.00 mm); "
        "keep one slice a place"
    )
    position.ImagePositionPatient = [-12, 40.5, -279]
    save(one)
    assert refusal(path).startswith("E_DICOM_GAP enhanced.dcm: ")
    position.ImagePositionPatient = [-11, 40.5, -280]
    save(one)
    assert refusal(path).startswith("E_DICOM_MIXED enhanced.dcm: ImagePositionPatient lies 1 mm beside the stack")


def test_missing_pixels_are_refused(series: Path, path: Path) -> None:
    one = enhance(series, path)
    one.PixelData = one.PixelData[:-4600]
    save(one)
    assert refusal(path).startswith("E_IMAGE_TRUNCATED enhanced.dcm: holds 105800 bytes of the 110400 ")
