"""DICOM series: places decide, not names and numbers; what is no one complete CT is refused."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import RLELossless

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging import Volume, flags, inspect, read_roi, read_volume, write_dicom_series
from ovfrad.study.settings import Imaging

Change = Callable[[Any, int], Any]


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as error:
        read_roi(*args, **kwargs) if len(args) > 1 else read_volume(*args, **kwargs)
    assert "\n" not in str(error.value)
    assert "Secret" not in str(error.value)
    return str(error.value)


def edit(series: Path, change: Change, only: int | None = None) -> None:
    for n, path in enumerate(sorted(series.iterdir())):
        if only is None or n == only:
            data = pydicom.dcmread(path)
            change(data, n)
            data.save_as(path)


@pytest.fixture
def wanted(files: tuple[Path, Path]) -> dict[str, Any]:
    return inspect(read_roi(*files, label=20))


def assert_equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        assert found[key] == pytest.approx(value, rel=1e-6, abs=1e-4), key


def test_a_series_reads_like_its_nifti(series: Path, files: tuple[Path, Path], wanted: dict[str, Any]) -> None:
    roi = read_roi(series, files[1], label=20)
    assert_equal(inspect(roi), wanted)
    assert roi.acquisition == {
        "header": "DICOM", "manufacturer": "MAKER", "kvp": 120.0, "ma": 200.0, "slice_thickness_mm": 2.0,
        "pixel_mm": 0.8,
    }  # fmt: skip


def test_names_and_numbers_of_slices_do_not_matter(
    series: Path, files: tuple[Path, Path], wanted: dict[str, Any]
) -> None:
    def number(data: Any, n: int) -> None:
        data.InstanceNumber = 1

    edit(series, number)
    paths = sorted(series.iterdir())
    random.Random(0).shuffle(paths)
    for n, path in enumerate(paths):
        path.rename(series / f"IM{n}")
    (series / ".hidden").write_text("x")
    (series / "DICOMDIR").write_text("x")
    (series / "readme.txt").write_text("x")
    assert_equal(inspect(read_roi(series, files[1], label=20)), wanted)


def test_each_slice_has_its_own_rescale(series: Path, files: tuple[Path, Path], wanted: dict[str, Any]) -> None:
    def rescale(data: Any, n: int) -> None:
        stored = np.frombuffer(data.PixelData, "<i2")
        data.PixelData = (stored * 4 - 100 * n).astype("<i2").tobytes()
        data.RescaleSlope, data.RescaleIntercept = "0.25", str(-1024 + 25 * n)

    edit(series, rescale)
    line = "W_DICOM_RESCALE series: its slices have 24 rescales; each slice's own is used"
    with pytest.warns(InputWarning) as caught:
        found = inspect(read_roi(series, files[1], label=20))
    assert [str(w.message) for w in caught] == found["warnings"] == [line]
    assert_equal(found | {"warnings": []}, wanted)


def test_slices_stacked_the_other_way_round_are_the_same(
    tmp_path: Path, volumes: tuple[Volume, Volume], files: tuple[Path, Path], wanted: dict[str, Any]
) -> None:
    from ovfrad.imaging.geometry import Turn, turned

    turn = Turn((1, 0, 2), (1, -1, -1))
    folder = write_dicom_series(turned(volumes[0], turn), tmp_path / "turned")
    found = inspect(read_roi(folder, files[1], label=20))
    for key in ("voxels", "volume_mm3", "mean_hu", "sd_hu", "centroid_lps"):
        assert found[key] == pytest.approx(wanted[key], rel=1e-6, abs=1e-4), key


def _compress(path: Path, how: str) -> None:
    if how == "RLE":
        data = pydicom.dcmread(path)
        data.compress(RLELossless, generate_instance_uid=False)
        data.save_as(path)
        return
    image = SimpleITK.ReadImage(str(path))
    short = SimpleITK.Cast(image, SimpleITK.sitkInt16)
    for key in image.GetMetaDataKeys():
        short.SetMetaData(key, image.GetMetaData(key))
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor(how)
    writer.SetFileName(str(path))
    writer.Execute(short)


@pytest.mark.parametrize(
    ("how", "syntax"),
    [
        ("RLE", "1.2.840.10008.1.2.5"),
        ("JPEG", "1.2.840.10008.1.2.4.70"),  # lossless process 14: pydicom alone has no decoder
        ("JPEG2000", "1.2.840.10008.1.2.4.90"),
    ],
)
def test_compressed_slices_are_read(
    how: str, syntax: str, series: Path, files: tuple[Path, Path], wanted: dict[str, Any]
) -> None:
    for path in series.iterdir():
        _compress(path, how)
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    assert_equal(inspect(read_roi(series, files[1], label=20)), wanted)
    path = series / "slice_0010.dcm"
    path.write_bytes(path.read_bytes()[:-400])
    assert refusal(series, files[1], label=20) == (
        "E_IMAGE_TRUNCATED slice_0010.dcm: its compressed pixels do not end within the file; "
        "the file was cut off; copy or export it again"
    )


@pytest.mark.parametrize("folder", ["spine_ct/dicom/series", "sarcoma_ct/dicom_003/image"])
def test_real_series_agree_with_itk(shared: Path, folder: str) -> None:
    path = shared / "data" / folder
    image = SimpleITK.ReadImage(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, SimpleITK.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.origin, image.GetOrigin(), atol=1e-6)
    np.testing.assert_allclose(volume.spacing, image.GetSpacing(), rtol=1e-6)


def test_a_missing_slice_a_second_one_and_changing_steps_are_refused(series: Path) -> None:
    sorted(series.iterdir())[10].rename(series.parent / "out.dcm")
    assert refusal(series) == (
        "E_DICOM_GAP series: 4 mm between slice_0010.dcm and slice_0012.dcm, else 2 mm; "
        "a slice is missing or the steps change; export the whole series"
    )
    (series.parent / "out.dcm").rename(series / "slice_0011.dcm")
    (series / "copy.dcm").write_bytes((series / "slice_0005.dcm").read_bytes())
    assert refusal(series) == (
        "E_DICOM_DUPLICATE series: copy.dcm and slice_0005.dcm lie at one place (-292.00 mm); keep one slice a place"
    )
    (series / "copy.dcm").unlink()

    def stretch(data: Any, n: int) -> None:
        data.ImagePositionPatient = [-12, 40.5, -300 + 2 * n + max(0, n - 12)]

    edit(series, stretch)
    assert refusal(series).startswith("E_DICOM_GAP series: ")


def test_a_little_unevenness_is_told(series: Path, files: tuple[Path, Path]) -> None:
    def shake(data: Any, n: int) -> None:
        data.ImagePositionPatient = [-12, 40.5, -300 + 2 * n + (0.1 if n == 4 else 0)]

    edit(series, shake)
    with pytest.warns(InputWarning, match=r"^W_DICOM_STEPS series: slice distances vary by 5 %; their mean is used$"):
        read_roi(series, files[1], label=20)


def _tag(**tags: Any) -> Change:
    def change(data: Any, n: int) -> None:
        for keyword, value in tags.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)

    return change


EVERY = {
    "E_NOT_CT slice_0001.dcm: its header says modality MR; give a CT series": _tag(Modality="MR"),
    "E_DICOM_PIXELS slice_0001.dcm: photometric interpretation is MONOCHROME1; "
    "CT slices are MONOCHROME2; export the original series": _tag(PhotometricInterpretation="MONOCHROME1"),
    "E_DICOM_TAG slice_0001.dcm: RescaleSlope is missing or no number; "
    "export the series again from the scanner or PACS": _tag(RescaleSlope=None),
    "E_DICOM_TAG slice_0001.dcm: RescaleIntercept is missing or no number; "
    "export the series again from the scanner or PACS": _tag(RescaleIntercept=None),
    "E_DICOM_RESCALE slice_0001.dcm: RescaleSlope is 0; export the original series": _tag(RescaleSlope="0"),
    "E_DICOM_RESCALE slice_0001.dcm: its values are in OD, not HU; give a CT in HU": _tag(RescaleType="OD"),
    "E_CT_8BIT slice_0001.dcm: has 8 bits a pixel; CT slices have 16; export the original series": _tag(
        BitsAllocated=8, BitsStored=8, HighBit=7
    ),
    "E_DICOM_RESCALE slice_0001.dcm: has a table in place of a rescale; export the original series": _tag(
        ModalityLUTSequence=[]
    ),
    "E_DICOM_RESCALE slice_0001.dcm: its values are in another unit, not HU; give a CT in HU": _tag(
        RescaleType="Secret"
    ),
    "E_DICOM_RESCALE slice_0001.dcm: its rescale makes no value below 0 HU, and fat has -100; "
    "export the original series": _tag(PixelRepresentation=0, RescaleIntercept="0"),
    "E_CT_8BIT slice_0001.dcm: stores 8 bits a pixel; CT slices store 12 to 16; export the original series": _tag(
        BitsStored=8, HighBit=7
    ),
    "E_DICOM_PIXELS slice_0001.dcm: BitsStored is 12 and HighBit is 15; the highest bit is the last stored one "
    "(at most 15); export the original series": _tag(BitsStored=12),
    "E_DICOM_PIXELS slice_0001.dcm: photometric interpretation is unknown; "
    "CT slices are MONOCHROME2; export the original series": _tag(PhotometricInterpretation="SECRET"),
    "E_NOT_CT slice_0001.dcm: is a secondary capture by its SOP class; export the original series": _tag(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7"
    ),
    "E_NOT_CT slice_0001.dcm: is no CT image by its SOP class; export the original series": _tag(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4"
    ),
    "E_DICOM_DERIVED slice_0001.dcm: is a projection or rendering (MIP); export the original series": _tag(
        ImageType=["DERIVED", "SECONDARY", "MIP"]
    ),
    "E_IMAGE_SURPLUS slice_0001.dcm: holds more bytes than its header announces; header and voxels do not belong "
    "together; export the file again": lambda data, n: setattr(data, "PixelData", data.PixelData + bytes(2)),
    "E_DICOM_FILE slice_0001.dcm: holds no pixels; copy or export the series again": _tag(PixelData=None),
    "E_DICOM_TAG slice_0001.dcm: Rows or Columns is 0; export the series again from the scanner or PACS": _tag(Rows=0),
    "E_DICOM_TAG slice_0001.dcm: PixelSpacing is missing or not 2 numbers; "
    "export the series again from the scanner or PACS": _tag(PixelSpacing=None),
    "E_IMAGE_SPACING slice_0001.dcm: PixelSpacing is 0.8 x 0 mm; spacing is positive; "
    "export the series again from the scanner or PACS": _tag(PixelSpacing=[0.8, 0]),
    "E_IMAGE_SPACING slice_0001.dcm: PixelSpacing is -0.8 x 0.8 mm; spacing is positive; "
    "export the series again from the scanner or PACS": _tag(PixelSpacing=[-0.8, 0.8]),
    "E_IMAGE_SPACING series: voxels of 0.001 x 0.8 x 2 mm; "
    "a CT has a spacing between 0.01 and 100 mm on each axis; export the file again": _tag(PixelSpacing=[0.8, 0.001]),
    "E_DICOM_TAG slice_0001.dcm: ImagePositionPatient is missing or not 3 numbers; "
    "export the series again from the scanner or PACS": _tag(ImagePositionPatient=None),
    "E_DICOM_TAG slice_0001.dcm: ImageOrientationPatient is not two perpendicular unit vectors; "
    "export the series again from the scanner or PACS": _tag(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]),
    "E_DICOM_MULTIFRAME slice_0001.dcm: holds 24 frames and is no enhanced CT; "
    "a file holds one slice, or is an enhanced CT; export it again": _tag(NumberOfFrames=24),
    "E_DICOM_LOCALIZER slice_0001.dcm: is a localizer; keep the slices of the series alone in the folder": _tag(
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ),
    "E_IMAGE_TRUNCATED slice_0001.dcm: holds 4000 bytes of the 4600 its header announces; "
    "the file was cut off; copy or export it again": lambda data, n: setattr(data, "PixelData", data.PixelData[:4000]),
}


@pytest.mark.parametrize("text", EVERY)
def test_slices_that_are_no_ct_in_hu_are_refused(series: Path, text: str) -> None:
    edit(series, EVERY[text])
    assert refusal(series) == text


ONE = {
    "E_DICOM_PATIENT series: holds 2 patients (23 + 1 files); give one series a folder": _tag(PatientID="P2"),
    "E_DICOM_MIXED slice_0006.dcm: ImagePositionPatient lies 1 mm beside the stack of the other slices; the slices of "
    "one CT lie straight above each other; export the series again": _tag(ImagePositionPatient=[-11, 40.5, -290]),
    "E_DICOM_SERIES series: holds 2 series (23 + 1 files); give one series a folder": _tag(SeriesInstanceUID="1.2.3"),
    "E_DICOM_SERIES series: holds 2 studies (23 + 1 files); give one series a folder": _tag(StudyInstanceUID="1.2.3"),
    "E_DICOM_MIXED slice_0006.dcm: PixelSpacing differs from that of slice_0001.dcm; the slices of one CT share size, "
    "spacing and orientation; give one series a folder": _tag(PixelSpacing=[0.8, 0.9]),
    "E_DICOM_MIXED slice_0006.dcm: ImageOrientationPatient differs from that of slice_0001.dcm; the slices of one CT "
    "share size, spacing and orientation; give one series a folder": _tag(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "E_DICOM_MIXED slice_0006.dcm: Rows differs from that of slice_0001.dcm; the slices of one CT share size, "
    "spacing and orientation; give one series a folder": _tag(Rows=10),
    "E_DICOM_TAG slice_0006.dcm: Rows is missing or no number; export the series again from the scanner or PACS": _tag(
        Rows=None
    ),
    "E_DICOM_TAG slice_0006.dcm: PixelRepresentation is missing or no number; "
    "export the series again from the scanner or PACS": _tag(PixelRepresentation=None),
    "E_DICOM_LOCALIZER slice_0006.dcm: is a localizer; keep the slices of the series alone in the folder": _tag(
        ImageType="LOCALIZER"
    ),
    "E_NOT_CT slice_0006.dcm: its header says no known modality; give a CT series": _tag(Modality=None),
}


@pytest.mark.parametrize("text", ONE)
def test_one_slice_that_does_not_belong_is_refused(series: Path, text: str) -> None:
    edit(series, ONE[text], only=5)
    assert refusal(series) == text


def test_a_slice_of_another_name_is_of_another_patient(series: Path) -> None:
    edit(series, _tag(PatientName="Secret^Other"), only=5)
    assert refusal(series) == "E_DICOM_PATIENT series: holds 2 patients (23 + 1 files); give one series a folder"


def test_gantry_tilt_is_refused(series: Path) -> None:
    def tilt(data: Any, n: int) -> None:
        data.ImagePositionPatient = [-12, 40.5 + 0.3 * n, -300 + 2 * n]

    edit(series, tilt)
    assert refusal(series) == (
        "E_DICOM_TILT series: the slices are tilted by 8.5 degrees against their stack (gantry tilt); "
        "resample the series onto a rectangular grid, or give the untilted reconstruction"
    )


@pytest.mark.parametrize("size", [0, 100, 200, 600, 900])
def test_a_slice_cut_off_in_its_header_is_refused(series: Path, size: int) -> None:
    path = series / "slice_0006.dcm"
    path.write_bytes(path.read_bytes()[:size])
    codes = ("E_DICOM_FILE", "E_DICOM_TAG", "E_DICOM_PIXELS", "E_NOT_CT", "E_IMAGE_TRUNCATED")
    assert refusal(series).split(":")[0] in [f"{code} slice_0006.dcm" for code in codes]


def test_a_slice_cut_off_in_its_pixels_is_refused(series: Path) -> None:
    path = series / "slice_0006.dcm"
    path.write_bytes(path.read_bytes()[:-50])
    assert refusal(series).split(":")[0] in ("E_DICOM_FILE slice_0006.dcm", "E_IMAGE_TRUNCATED slice_0006.dcm")


def test_a_foreign_file_is_refused(series: Path) -> None:
    (series / "IM99").write_bytes(b"not DICOM at all" * 30)
    assert refusal(series) == (
        "E_DICOM_FILE IM99: cannot be read as DICOM; "
        "a series folder holds the slices of one CT and nothing else; copy or export it again"
    )


def test_contrast_gaps_and_loss_are_told(series: Path, files: tuple[Path, Path]) -> None:
    edit(series, _tag(ContrastBolusAgent="X", SliceThickness="1.0", LossyImageCompression="01"))
    with pytest.warns(InputWarning) as caught:
        roi = read_roi(series, files[1], label=20)
    assert [str(w.message) for w in caught] == [
        "W_DICOM_SPARSE series: slices of 1 mm lie 2 mm apart; bone between the slices is not seen",
        "W_DICOM_LOSSY series: was compressed with loss; texture features may differ",
        "W_CONTRAST series: its header names a contrast agent; contrast raises HU in bone",
    ]
    assert flags(roi, Imaging())["contrast"]


def test_contrast_that_any_slice_names_is_told(series: Path, files: tuple[Path, Path]) -> None:
    edit(series, _tag(ContrastBolusAgent="X"), only=7)
    with pytest.warns(InputWarning, match="^W_CONTRAST series: "):
        read_roi(series, files[1], label=20)


@pytest.mark.parametrize("name", ["desktop.ini", "Export.LOG"])
def test_what_can_be_no_slice_is_passed_over(series: Path, files: tuple[Path, Path], wanted: Any, name: str) -> None:
    (series / name).write_bytes(files[1].read_bytes())
    assert_equal(inspect(read_roi(series, files[1], label=20)), wanted)


def test_another_volume_beside_the_slices_is_told(series: Path, files: tuple[Path, Path], wanted: Any) -> None:
    inside = series / "mask.nii.gz"
    inside.write_bytes(files[1].read_bytes())
    with pytest.warns(InputWarning, match="^W_DICOM_FOLDER series: holds 1 other volume beside the slices; they are "):
        found = inspect(read_roi(series, inside, label=20))
    assert len(found.pop("warnings")) == 1
    assert_equal(found, {key: value for key, value in wanted.items() if key != "warnings"})


def test_a_tilt_that_only_the_header_names_and_changing_kernels_are_told(series: Path) -> None:
    edit(series, _tag(GantryDetectorTilt="15", ConvolutionKernel="B30f"))
    edit(series, _tag(ConvolutionKernel="B70f"), only=5)
    with pytest.warns(InputWarning) as caught:
        read_volume(series)
    assert [str(w.message) for w in caught] == [
        "W_DICOM_TILT series: its header names a gantry tilt of 15 degrees that the places of the slices do not show; "
        "shapes are wrong if the slices were not corrected for it",
        "W_DICOM_ACQUISITION series: its slices have 2 kernels or tube voltages; texture and HU differ between them",
    ]


def test_folders_in_a_series_are_told_and_what_is_no_file_is_refused(series: Path) -> None:
    (series / "more").mkdir()
    with pytest.warns(
        InputWarning, match=r"^W_DICOM_FOLDER series: holds 1 more folders; slices in them are not read$"
    ):
        read_volume(series)
    (series / "IM99").symlink_to(series / "nowhere")
    assert refusal(series).startswith("E_DICOM_FILE IM99: is no file (a device, a pipe or a link to nothing); ")
    (series / "IM99").unlink()
    os.mkfifo(series / "IM99")
    assert refusal(series).startswith("E_DICOM_FILE IM99: is no file ")


def test_slices_may_lack_an_emptied_class_and_a_name(series: Path, files: tuple[Path, Path], wanted: Any) -> None:
    """As anonymisers leave them."""
    edit(series, _tag(SOPClassUID="", PatientID=None, PatientName=None, SOPInstanceUID="", RescaleType=None))
    assert_equal(inspect(read_roi(series, files[1], label=20)), wanted)


def test_one_file_of_a_series_and_a_dicom_mask_are_refused(series: Path, files: tuple[Path, Path]) -> None:
    assert refusal(series / "slice_0001.dcm") == (
        "E_FORMAT slice_0001.dcm: is one DICOM file; give the folder of its series"
    )
    assert refusal(files[0], series, label=1).startswith("E_MASK_FORMAT series: holds 24 DICOM files; ")
    assert refusal(files[0], series / "slice_0001.dcm", label=1).startswith(
        "E_MASK_FORMAT slice_0001.dcm: is a slice of a CT; "
    )


def test_the_real_series_with_its_segmentation_is_read(shared: Path) -> None:
    folder = shared / "data/spine_ct/dicom"
    with pytest.warns(InputWarning) as caught:
        roi = read_roi(folder / "series", folder / "segmentation.nii.gz", vertebra="T12", scheme="totalsegmentator")
    assert [str(w.message).split(":")[0] for w in caught] == ["W_CONTRAST series", "W_MASK_BORDER segmentation.nii.gz"]
    assert inspect(roi)["voxels"] == 23576
    assert roi.acquisition == {
        "header": "DICOM", "manufacturer": "SIEMENS", "model": "Biograph40_mCT 4R", "kernel": "Br38f 3", "kvp": 120.0,
        "ma": pytest.approx(614.9), "slice_thickness_mm": 3.0, "pixel_mm": 0.9765625, "contrast": "yes",
    }  # fmt: skip


def test_a_structure_set_beside_the_slices_is_passed_over(
    series: Path, files: tuple[Path, Path], wanted: dict[str, Any]
) -> None:
    def as_structures(data: Any, n: int) -> None:
        data.Modality, data.SOPClassUID = "RTSTRUCT", "1.2.840.10008.5.1.4.1.1.481.3"
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID

    first = sorted(series.iterdir())[0]
    shutil.copy(first, series / "zz_RS.dcm")
    edit(series, as_structures, only=len(list(series.iterdir())) - 1)
    with pytest.warns(InputWarning, match=r"^W_DICOM_FOLDER series: holds 1 RTSTRUCT beside the slices; they are "):
        found = inspect(read_roi(series, files[1], label=20))
    del found["warnings"]
    assert_equal(wanted, {**wanted, **found})


def test_rounded_places_give_the_step_that_the_header_names(
    series: Path, files: tuple[Path, Path], wanted: dict[str, Any]
) -> None:
    def jitter(data: Any, n: int) -> None:
        x, y, z = (float(v) for v in data.ImagePositionPatient)
        data.ImagePositionPatient = [x, y, f"{z + (-1) ** n * 0.009:.4f}"]

    edit(series, jitter)
    found = inspect(read_roi(series, files[1], label=20))
    for key in ("volume_mm3", "spacing_mm", "mean_hu"):
        assert found[key] == pytest.approx(wanted[key], rel=1e-7)
