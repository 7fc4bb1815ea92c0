"""CT images as NIfTI, NRRD and MetaImage: the same content stored otherwise, and what a reader must not believe."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np

from .base import (
    LABEL,
    NEVER_WRONG,
    WARNED,
    Build,
    Catalogue,
    Inputs,
    body,
    numbers,
    put,
    rotated,
    stored,
)
from .writers import gz, mha, nifti, nrrd, setting

CATALOGUE = Catalogue("image")
add = CATALOGUE.add

TURNS = [*product(permutations(range(3)), product((1, -1), repeat=3))]
"""All 48 ways to order and flip three axes."""


@cache
def plain_mask() -> bytes:
    """The usual mask of the body, .nii.gz."""
    return gz(nifti(body().labels, body().affine))


def mask_beside(folder: Path) -> Path:
    return put(folder / "mask.nii.gz", plain_mask())


def image(name: str, content: Callable[[], bytes], **truth: Any) -> Build:
    """An input whose CT is `content` in the file `name`."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        return Inputs(put(folder / name, content()), mask_beside(folder), **truth)

    return build


def ct_nifti(**how: Any) -> Callable[[], bytes]:
    """A .nii of the body's CT; `array` and `affine` may be replaced."""

    def content() -> bytes:
        array, affine = how.get("array", body().hu), how.get("affine", body().affine)
        array = array(body().hu) if callable(array) else array
        affine = affine(body().affine) if callable(affine) else affine
        return nifti(array, affine, **{key: v for key, v in how.items() if key not in ("array", "affine")})

    return content


def turned(form: Callable[..., bytes], axes: Any, flips: Any, **how: Any) -> Callable[[], bytes]:
    return lambda: form(*stored(body().hu, body().affine, axes, flips), **how)


def zipped(content: Callable[[], bytes], members: int = 1) -> Callable[[], bytes]:
    return lambda: gz(content(), members)


def _axes() -> None:
    for axes, flips in TURNS[::4]:
        name = "".join("ijk"[a] + "-+"[f > 0] for a, f in zip(axes, flips, strict=True))
        add(f"ct_axes_{name}", image("ct.nii.gz", zipped(turned(nifti, axes, flips))))
    for n, (axes, flips) in enumerate(TURNS[1::5]):
        name = "".join("ijk"[a] + "-+"[f > 0] for a, f in zip(axes, flips, strict=True))
        forms = "sq"[n % 2]
        add(f"ct_{forms}form_only_{name}", image("ct.nii", turned(nifti, axes, flips, forms=forms)))
    add("ct_nrrd_turned", image("ct.nrrd", turned(nrrd, (2, 0, 1), (-1, 1, 1))))
    add("ct_mha_turned", image("ct.mha", turned(mha, (1, 2, 0), (1, -1, -1))))


def _stored_otherwise() -> None:
    add("ct_nii", image("ct.nii", ct_nifti()))
    add("ct_nii_gz", image("ct.nii.gz", zipped(ct_nifti())))
    add("ct_gz_three_members", image("ct.nii.gz", zipped(ct_nifti(), 3)))
    add("ct_gz_zero_padding", image("ct.nii.gz", lambda: gz(ct_nifti()()) + bytes(512)), may=("W_",))
    for version, order in product((1, 2), "<>"):
        add(f"ct_nifti{version}_{'little' if order == '<' else 'big'}",
            image("ct.nii.gz", zipped(ct_nifti(version=version, order=order))))  # fmt: skip
    for kind in ("f4", "f8", "i4", "i8"):
        add(f"ct_{kind}", image("ct.nii.gz", zipped(ct_nifti(array=lambda hu, t=kind: hu.astype(t)))))
        add(f"ct_{kind}_big", image("ct.nii", ct_nifti(array=lambda hu, t=kind: hu.astype(t), order=">")))
    add("ct_uint16_intercept", image("ct.nii", ct_nifti(array=lambda hu: (hu + 1024).clip(0).astype("u2"),
                                                       scale=(1.0, -1024.0)), truth=_clipped(-1024)))  # fmt: skip
    add("ct_scaled_half", image("ct.nii", ct_nifti(array=lambda hu: hu * np.int16(2), scale=(0.5, 0.0))),
        may=("W_NIFTI_SCALE",))  # fmt: skip
    add("ct_scaled_quarter_intercept", image(
        "ct.nii.gz", zipped(ct_nifti(array=lambda hu: ((hu.astype("i4") - 100) * 4), scale=(0.25, 100.0)))
    ), may=("W_NIFTI_SCALE",))  # fmt: skip
    add("ct_float_scaled", image("ct.nii", ct_nifti(array=lambda hu: (hu / 2).astype("f4"), scale=(2.0, 0.0))),
        may=("W_NIFTI_SCALE",))  # fmt: skip
    add("ct_slope_zero", image("ct.nii", ct_nifti(scale=(0.0, 0.0))))
    add("ct_slope_zero_intercept_ignored", image("ct.nii", ct_nifti(scale=(0.0, 7.0))), NEVER_WRONG)
    add("ct_slope_nan", image("ct.nii", ct_nifti(scale=(np.nan, np.nan))))
    add("ct_4d_of_one", image("ct.nii.gz", zipped(ct_nifti(size=(50, 60, 40, 1)))))
    add("ct_5d_of_ones", image("ct.nii", ct_nifti(size=(50, 60, 40, 1, 1))))
    add("ct_dims_behind_are_zero", image("ct.nii", ct_nifti(edit=setting(dim=[3, 50, 60, 40, 0, 0, 0, 0]))))
    add(
        "ct_extension", image("ct.nii.gz", zipped(ct_nifti(extension=b"\x20\0\0\0\x06\0\0\0" + b"a comment".ljust(24))))
    )
    add("ct_forms_of_codes_4_and_1", image("ct.nii", ct_nifti(edit=setting(sform_code=4, qform_code=1))))
    add("ct_qfac_zero_counts_as_one", image("ct.nii", ct_nifti(forms="q", edit=setting(pixdim_0=0))))
    add("ct_unit_not_said", image("ct.nii", ct_nifti(edit=setting(xyzt_units=0))), may=("W_",))
    add("ct_unit_with_seconds", image("ct.nii", ct_nifti(edit=setting(xyzt_units=10))))
    add("ct_unused_fields", image("ct.nii", ct_nifti(edit=setting(
        cal_max=300, cal_min=-200, glmax=9, intent_code=0, descrip=b"x" * 80, aux_file=b"y" * 24, dim_info=57,
        toffset=2.5, extents=16384, regular=b"r", pixdim_4=1, pixdim_5=1))))  # fmt: skip
    add("ct_gzip_named_nii", image("ct.nii", zipped(ct_nifti())), NEVER_WRONG)
    add("ct_raw_named_nii_gz", image("ct.nii.gz", ct_nifti()), NEVER_WRONG)
    add("ct_upper_case_name", image("CT.NII.GZ", zipped(ct_nifti())), NEVER_WRONG)
    add("ct_spaces_and_umlauts_in_the_name", image("ct größe 1 (kopie).nii.gz", zipped(ct_nifti())))
    add("ct_by_link", _by_link)
    add("ct_written_by_nibabel", _by_nibabel)
    add("ct_written_by_itk", _by_itk("ct.nii.gz"))
    add("ct_written_by_itk_nrrd", _by_itk("ct.nrrd"))
    add("ct_written_by_itk_mha", _by_itk("ct.mha"))
    add("ct_qform_rounded_to_six_digits", image("ct.nii", ct_nifti(edit=_rounded)), may=("W_NIFTI_FORMS",))


def _clipped(low: int) -> dict[str, Any]:
    return numbers(body().hu.clip(low), body().labels == LABEL, body().affine)


def _rounded(head: Any) -> None:
    head["qoffset"] = head["qoffset"] + np.float32(1e-3)
    head["quatern"] = head["quatern"].round(6)


def _by_link(folder: Path, rng: np.random.Generator) -> Inputs:
    put(folder / "away" / "kept.nii.gz", gz(ct_nifti()()))
    (folder / "ct.nii.gz").symlink_to(folder / "away" / "kept.nii.gz")
    return Inputs(folder / "ct.nii.gz", mask_beside(folder))


def _by_nibabel(folder: Path, rng: np.random.Generator) -> Inputs:
    import nibabel

    ras = np.diag([-1, -1, 1, 1]) @ body().affine
    nibabel.Nifti1Image(body().hu.transpose(2, 1, 0), ras).to_filename(folder / "ct.nii.gz")
    return Inputs(folder / "ct.nii.gz", mask_beside(folder))


def _by_itk(name: str) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        import SimpleITK

        one = SimpleITK.GetImageFromArray(body().hu)
        one.SetSpacing([float(body().affine[n, n]) for n in range(3)])
        one.SetOrigin([float(v) for v in body().affine[:3, 3]])
        SimpleITK.WriteImage(one, str(folder / name), useCompression=True)
        return Inputs(folder / name, mask_beside(folder))

    return build


def _oblique(degrees: float, about: int) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        affine = rotated(body().affine, degrees, about)
        ct = put(folder / "ct.nrrd", nrrd(body().hu, affine))
        truth = numbers(body().hu, body().labels == LABEL, affine)
        return Inputs(ct, put(folder / "mask.nii.gz", gz(nifti(body().labels, affine))), truth=truth)

    return build


def shifted(voxels: float) -> Callable[..., Any]:
    def moved_affine(affine: Any) -> Any:
        moved = affine.copy()
        moved[:3, 3] += moved[:3, :3] @ [voxels, -voxels, voxels]
        return moved

    return moved_affine


def _geometry() -> None:
    add("oblique_17_degrees", _oblique(17, 0))
    add("oblique_40_degrees", _oblique(40, 2))
    add("ct_shear_of_rounding", image("ct.nii", ct_nifti(forms="s", affine=sheared(2e-5)), truth=numbers(
        body().hu, body().labels == LABEL, sheared(2e-5)(body().affine))))  # fmt: skip


def sheared(slant: float) -> Callable[..., Any]:
    def bent(affine: Any) -> Any:
        crooked = affine.copy()
        crooked[1, 2] += slant
        return crooked

    return bent


def _text_formats() -> None:
    for space in ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "LPS", "RAS"):
        add(f"ct_nrrd_{space}", image("ct.nrrd", lambda s=space: nrrd(body().hu, body().affine, space=s)))
    add("ct_nrrd_gzip", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, encoding="gzip")))
    add("ct_nrrd_gz_members", image("ct.nrrd", lambda: nrrd(
        body().hu, body().affine, encoding="gzip", data=gz(body().hu.tobytes(), 3))))  # fmt: skip
    add("ct_nrrd_big", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, order="big")))
    add("ct_nrrd_float", image("ct.nrrd", lambda: nrrd(body().hu.astype("f4"), body().affine, encoding="gz")))
    add("ct_nrrd_crlf", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, newline="\r\n")), NEVER_WRONG)
    add("ct_nrrd_key_values", image("ct.nrrd", lambda: nrrd(
        body().hu, body().affine, extra="modality:=CT\nnote:=a: b := c\n# another comment")))  # fmt: skip
    add("ct_nrrd_kinds_space_and_units", image("ct.nrrd", lambda: nrrd(
        body().hu, body().affine, change={"kinds": "space space space", "space units": '"mm" "mm" "mm"'})))  # fmt: skip
    add("ct_nrrd_type_int16", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, change={"type": "int16_t"})))
    add("ct_nrrd_measurement_frame", image("ct.nrrd", lambda: nrrd(
        body().hu, body().affine, change={"measurement frame": "(1,0,0) (0,1,0) (0,0,1)"})), may=("W_",))  # fmt: skip
    add("ct_nrrd_4d_of_one", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, change={
        "dimension": "4", "sizes": "50 60 40 1", "kinds": "domain domain domain list",
        "space directions": "(0.75,0,0) (0,0.625,0) (0,0,1.5) none"})))  # fmt: skip
    add("ct_mha", image("ct.mha", lambda: mha(body().hu, body().affine)))
    add("ct_mha_compressed", image("ct.mha", lambda: mha(body().hu, body().affine, compressed=True)))
    add("ct_mha_big", image("ct.mha", lambda: mha(body().hu, body().affine, msb=True)))
    add("ct_mha_big_compressed", image("ct.mha", lambda: mha(body().hu, body().affine, msb=True, compressed=True)))
    add("ct_mha_double", image("ct.mha", lambda: mha(body().hu.astype("f8"), body().affine)))
    add("ct_mha_position", image("ct.mha", lambda: mha(body().hu, body().affine, change={
        "Offset": None, "Position": " ".join(map(str, body().affine[:3, 3]))})))  # fmt: skip
    add("ct_mha_4d_of_one", image("ct.mha", lambda: mha(body().hu, body().affine, change={
        "NDims": "4", "DimSize": "50 60 40 1", "ElementSpacing": "0.75 0.625 1.5 1", "Offset": "-18.5 40.25 -310.5 0",
        "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "CenterOfRotation": "0 0 0 0"})))  # fmt: skip
    add("ct_nrrd_bzip2", image("ct.nrrd", _bzip2), NEVER_WRONG)
    add("ct_nrrd_text", image("ct.nrrd", lambda: nrrd(
        body().hu, body().affine, change={"encoding": "ascii"},
        data=" ".join(map(str, body().hu.ravel())).encode())), NEVER_WRONG)  # fmt: skip


def _bzip2() -> bytes:
    import bz2

    return nrrd(body().hu, body().affine, encoding="bzip2", data=bz2.compress(body().hu.tobytes()))


def _thick(spacing: tuple[float, float, float]) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        one = body(spacing)
        ct = put(folder / "ct.nii.gz", gz(nifti(one.hu, one.affine)))
        return Inputs(ct, put(folder / "mask.nii.gz", gz(nifti(one.labels, one.affine))), truth=one.numbers())

    return build


_axes()
_stored_otherwise()
_geometry()
_text_formats()
add("ct_slices_of_5_mm", _thick((0.75, 0.625, 5.0)), WARNED, warns=("W_THICK_SLICES",))
add("ct_slices_of_8_mm_sideways", _thick((8.0, 0.625, 1.5)), WARNED, warns=("W_THICK_SLICES",))
add("ct_jitter_of_0.004_voxel", image(
    "ct.nrrd", lambda: nrrd(body().hu, shifted(0.004)(body().affine)),
    truth=numbers(body().hu, body().labels == LABEL, shifted(0.004)(body().affine))))  # fmt: skip
