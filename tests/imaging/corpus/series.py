"""CT as DICOM: the same series written otherwise, and folders that hold no single CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .base import (
    LABEL,
    NEVER_WRONG,
    REFUSED_OR_WARNED,
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
    BIG,
    DEFLATED,
    IMPLICIT,
    Change,
    Dataset,
    ds,
    enhanced,
    plain_series,
    put_in,
    save,
    save_all,
    slices,
    transcode,
)
from .volumes import mask_beside
from .writers import gz, nifti

CATALOGUE = Catalogue("dicom")
add = CATALOGUE.add
ONE = "slice_017.dcm"


def series(
    change: Change | None = None, only: int | None = None,
    then: Callable[[Path, np.random.Generator], None] | None = None,
    faulty: tuple[str, ...] = (), made: Callable[[], list[Dataset]] | None = None, **how: Any,
) -> Build:  # fmt: skip
    """A series whose datasets are changed (all, or one) and whose folder is then changed by `then`."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        if change is made is None and not how:
            plain_series(folder)
        else:
            datasets = made() if made else slices(body().hu, body().affine)
            for n, one in enumerate(datasets):
                if change and only in (None, n):
                    change(one, n)
            save_all(datasets, folder / "series", **how)
        if then:
            then(folder / "series", rng)
        return Inputs(folder / "series", mask_beside(folder), faulty=faulty)

    return build


def tags(**values: Any) -> Change:
    """Set tags; None deletes one."""

    def change(one: Dataset, n: int) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(one, keyword)
            else:
                put_in(one, keyword, value)

    return change


def _names(kind: str) -> Callable[[Path, np.random.Generator], None]:
    def rename(folder: Path, rng: np.random.Generator) -> None:
        files = sorted(folder.iterdir())
        order = rng.permutation(len(files)) if kind != "reversed" else range(len(files))[::-1]
        for n, path in zip(order, files, strict=True):
            path.rename(folder / (f"IM{n:05d}" if kind == "no_suffix" else f"a{n:03d}.dcm"))

    return rename


def _per_slice(one: Dataset, n: int) -> None:
    stored_values = np.frombuffer(one.PixelData, "<u2").astype("i4") - 1024
    one.PixelData = (stored_values * 4 + 40 * n).astype("<i2").tobytes()
    one.PixelRepresentation, one.RescaleSlope, one.RescaleIntercept = 1, "0.25", ds(-10 * n)


def signed(one: Dataset, n: int) -> None:
    one.PixelData = (np.frombuffer(one.PixelData, "<u2").astype("i4") - 1024).astype("<i2").tobytes()
    one.PixelRepresentation, one.RescaleIntercept = 1, "0"


def _bits_12(one: Dataset, n: int) -> None:
    one.BitsStored, one.HighBit = 12, 11


def _padded(one: Dataset, n: int) -> None:
    signed(one, n)
    array = np.frombuffer(one.PixelData, "<i2").reshape(60, 50).copy()
    array[:3] = -2000
    one.PixelData, one.PixelPaddingValue = array.tobytes(), -2000


def _overlay_bits(one: Dataset, n: int) -> None:
    """An old retired overlay in the bits above those stored."""
    _bits_12(one, n)
    one.PixelData = (np.frombuffer(one.PixelData, "<u2") | 0x1000).tobytes()


def _beside(folder: Path, rng: np.random.Generator) -> None:
    (folder / "README.txt").write_text("a CT")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(40))
    (folder / ".DS_Store").write_bytes(bytes(99))
    (folder / "Thumbs.db").write_bytes(bytes(99))
    (folder / "viewer.json").write_text("{}")


def compressed(syntax: str) -> Callable[[Path, np.random.Generator], None]:
    def compress(folder: Path, rng: np.random.Generator) -> None:
        for path in folder.iterdir():
            transcode(path, syntax)

    return compress


def _turned(axes: Any, flips: Any) -> Callable[[], list[Dataset]]:
    return lambda: slices(*stored(body().hu, body().affine, axes, flips))


def _oblique(folder: Path, rng: np.random.Generator) -> Inputs:
    affine = rotated(body().affine, 23, 0)
    save_all(slices(body().hu, affine), folder / "series")
    truth = numbers(body().hu, body().labels == LABEL, affine)
    return Inputs(folder / "series", put(folder / "mask.nii.gz", gz(nifti(body().labels, affine))), truth=truth)


def _stored_otherwise() -> None:
    add("dicom_plain", series())
    for kind in ("shuffled", "reversed", "no_suffix"):
        add(f"dicom_names_{kind}", series(then=_names(kind)))
    add("dicom_numbers_all_alike", series(tags(InstanceNumber=1)))
    add("dicom_numbers_missing", series(tags(InstanceNumber=None)))
    add("dicom_numbers_shuffled", series(lambda d, n: setattr(d, "InstanceNumber", (7 * n) % 40 + 1)))
    add("dicom_rescale_per_slice", series(_per_slice), may=("W_DICOM_RESCALE",))
    add("dicom_signed", series(signed))
    add("dicom_12_bits", series(_bits_12))
    add("dicom_padding_value", series(_padded))
    add("dicom_overlay_in_high_bits", series(_overlay_bits), NEVER_WRONG)
    add("dicom_rescale_as_1.000000", series(tags(RescaleSlope="1.000000", RescaleIntercept="-1024.000000")))
    add("dicom_rescale_type_missing", series(tags(RescaleType=None)))
    add("dicom_files_beside", series(then=_beside))
    for name, syntax in {"implicit": IMPLICIT, "big_endian": BIG, "deflated": DEFLATED}.items():
        add(f"dicom_{name}", series(syntax=syntax))
    add("dicom_big_endian_signed", series(signed, syntax=BIG))
    add("dicom_without_preamble", series(preamble=False))
    for syntax in (
        "RLELossless",
        "JPEGLosslessProcess14",
        "JPEGLosslessProcess14_1",
        "JPEGLSLossless",
        "JPEG2000Lossless",
    ):
        add(f"dicom_{syntax}", series(then=compressed(syntax)))
        add(f"dicom_{syntax}_signed", series(signed, then=compressed(syntax)))
        add(f"dicom_{syntax}_12_bits", series(_bits_12, then=compressed(syntax)))
    for name, axes, flips in (
        ("sagittal", (1, 2, 0), (1, -1, 1)), ("coronal", (0, 2, 1), (1, -1, 1)), ("feet_first", (0, 1, 2), (1, 1, -1)),
        ("rows_and_columns_swapped", (1, 0, 2), (1, 1, 1)), ("prone", (0, 1, 2), (-1, -1, 1)),
        ("mirrored", (0, 1, 2), (-1, 1, 1)),
    ):  # fmt: skip
        add(f"dicom_{name}", series(made=_turned(axes, flips)))
    add("dicom_oblique", _oblique)
    add("dicom_positions_rounded_to_0.01", series(lambda d, n: setattr(
        d, "ImagePositionPatient", [f"{float(v):.2f}" for v in d.ImagePositionPatient])))  # fmt: skip
    add("dicom_positions_jitter", series(lambda d, n: setattr(
        d, "ImagePositionPatient",
        [*d.ImagePositionPatient[:2], f"{-310.5 + 1.5 * n + 1e-3 * (n in (9, 20)):.4f}"])))  # fmt: skip
    add("dicom_spacing_between_slices_wrong", series(tags(SpacingBetweenSlices="9")), may=("W_",))
    add("dicom_thickness_missing", series(tags(SliceThickness=None)))
    add("dicom_thin_overlapping", series(tags(SliceThickness="2.5")), may=("W_",))
    add("dicom_sparse", series(tags(SliceThickness="0.5")), NEVER_WRONG)
    add("dicom_no_patient", series(tags(PatientID=None, PatientName=None)), may=("W_",))
    add("dicom_no_frame_of_reference", series(tags(FrameOfReferenceUID=None)), may=("W_",))
    add("dicom_no_image_type", series(tags(ImageType=None)), may=("W_",))
    add("dicom_derived", series(tags(ImageType=["DERIVED", "SECONDARY", "MPR"])), may=("W_",))
    add("dicom_private_tags", series(lambda d, n: d.add_new(0x00091001, "UN", b"private" * 300)))
    add("dicom_slash_behind", _with_slash)
    add("dicom_folder_in_a_folder", _in_a_folder, NEVER_WRONG)
    add("dicom_one_file_of_a_series", _one_file, NEVER_WRONG)
    add(
        "dicom_same_bytes_twice",
        series(then=lambda f, r: put(f / "copy.dcm", (f / ONE).read_bytes())),
        REFUSED_OR_WARNED,
    )
    add("dicom_charset_unknown", series(tags(SpecificCharacterSet="ISO_IR 999")))
    add("dicom_utf8_names", series(tags(SpecificCharacterSet="ISO_IR 192", InstitutionName="Krankenhaus Würzburg")))
    for name, how in {
        "in_order": {}, "shuffled": {"order": np.random.default_rng(3).permutation(40)},
        "groups_per_frame": {"shared": False},
    }.items():  # fmt: skip
        add(f"enhanced_{name}", enhanced_ct(how))
        add(f"enhanced_{name}_in_a_folder", enhanced_ct(how, "series/enhanced.dcm"))
    for syntax in ("RLELossless", "JPEG2000Lossless", "JPEGLSLossless"):
        add(f"enhanced_{syntax}", enhanced_ct({}, syntax=syntax))


def enhanced_ct(
    how: dict[str, Any], name: str = "enhanced.dcm", syntax: str = "", change: Callable[[Dataset], Any] | None = None
) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        one = enhanced(body().hu, body().affine, **how)
        if change:
            change(one)
        path = save(one, folder / name)
        if syntax:
            transcode(path, syntax)
        return Inputs(folder / name.split("/")[0], mask_beside(folder))

    return build


def _with_slash(folder: Path, rng: np.random.Generator) -> Inputs:
    plain_series(folder)
    return Inputs(Path(f"{folder}/./series/"), mask_beside(folder))


def _in_a_folder(folder: Path, rng: np.random.Generator) -> Inputs:
    plain_series(folder / "outer")
    return Inputs(folder / "outer", mask_beside(folder))


def _one_file(folder: Path, rng: np.random.Generator) -> Inputs:
    plain_series(folder)
    return Inputs(folder / "series" / ONE, mask_beside(folder), faulty=(ONE, "series"))


_stored_otherwise()
