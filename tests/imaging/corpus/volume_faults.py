"""Volume files that a reader must not believe: wrong headers, damaged bytes, values that are no HU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .base import LABEL, REFUSED, REFUSED_OR_WARNED, WARNED, Build, Catalogue, Inputs, body, numbers, put
from .volumes import ct_nifti, image, mask_beside, sheared, zipped
from .writers import gz, mha, nifti, nrrd, setting

CATALOGUE = Catalogue("image")
add = CATALOGUE.add


def _geometry() -> None:
    for name, edit in {
        "no_orientation": setting(sform_code=0, qform_code=0), "form_code_99": setting(sform_code=99, qform_code=99),
        "form_code_negative": setting(sform_code=-1, qform_code=-1),
        "forms_mirrored": lambda h: h["srow"].__setitem__(0, -h["srow"][0]),
        "forms_5_mm_apart": lambda h: h["srow"].__setitem__((2, 3), h["srow"][2, 3] + 5),
        "forms_half_a_voxel_apart": lambda h: h["srow"].__setitem__((0, 3), h["srow"][0, 3] + 0.375),
        "forms_of_other_spacing": lambda h: h["srow"].__setitem__((2, 2), 2.0),
        "sform_zero": setting(srow=np.zeros((3, 4)), qform_code=0),
        "sform_nan": setting(srow=np.full((3, 4), np.nan), qform_code=0),
        "sform_flat": setting(srow=[[-0.75, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1.5, 0]], qform_code=0),
        "sform_two_axes_alike": setting(srow=[[-0.75, -0.625, 0, 0], [0, 0, 0, 0], [0, 0, 1.5, 0]], qform_code=0),
        "quaternion_too_long": setting(quatern=[1, 1, 1], sform_code=0),
        "quaternion_nan": setting(quatern=[np.nan, 0, 0], sform_code=0),
        "offset_nan": setting(qoffset=[np.nan, 0, 0], sform_code=0),
        "offset_infinite": lambda h: h["srow"].__setitem__((0, 3), np.inf),
        "handedness_of_a_half": setting(pixdim_0=0.5, sform_code=0),
        "spacing_zero": setting(pixdim_3=0), "spacing_negative": setting(pixdim_1=-0.75),
        "spacing_nan": setting(pixdim_2=np.nan), "spacing_infinite": setting(pixdim_2=np.inf),
        "spacing_zero_qform_only": setting(pixdim_3=0, sform_code=0),
        "spacing_negative_qform_only": setting(pixdim_1=-0.75, sform_code=0),
        "spacing_of_a_metre": setting(pixdim_3=1000, sform_code=0),
        "spacing_of_a_micrometre": setting(pixdim_3=1e-3, sform_code=0),
        "pixdim_against_sform": setting(pixdim_3=3.0, qform_code=0),
    }.items():  # fmt: skip
        add(f"ct_{name}", image("ct.nii", ct_nifti(edit=edit)), REFUSED)
    add("ct_unit_metres", image("ct.nii", ct_nifti(edit=setting(xyzt_units=1))), REFUSED_OR_WARNED)
    add("ct_unit_micrometres", image("ct.nii", ct_nifti(edit=setting(xyzt_units=3))), REFUSED_OR_WARNED)
    add("ct_unit_5_unknown", image("ct.nii", ct_nifti(edit=setting(xyzt_units=5))), REFUSED_OR_WARNED)
    for slant in (0.02, 0.2):
        add(f"ct_shear_{slant}", image("ct.nii", ct_nifti(forms="s", affine=sheared(slant))), REFUSED)
    for text, change in {
        "no_space": {"space": None, "space directions": None, "space origin": None, "spacings": "0.75 0.625 1.5"},
        "no_origin": {"space origin": None}, "no_directions": {"space directions": None},
        "unknown_space": {"space": "scanner-xyz"}, "nan_direction": {"space directions": "(nan,0,0) (0,1,0) (0,0,1)"},
        "zero_direction": {"space directions": "(0,0,0) (0,0.625,0) (0,0,1.5)"},
        "two_directions": {"space directions": "(0.75,0,0) (0,0.625,0)"},
        "sheared": {"space directions": "(0.75,0.2,0) (0,0.625,0) (0,0,1.5)"},
    }.items():  # fmt: skip
        add(f"ct_nrrd_{text}", image("ct.nrrd", lambda c=change: nrrd(body().hu, body().affine, change=c)), REFUSED)
    for text, change in {
        "no_matrix": {"TransformMatrix": None}, "no_offset": {"Offset": None}, "no_spacing": {"ElementSpacing": None},
        "zero_spacing": {"ElementSpacing": "0.75 0 1.5"}, "negative_spacing": {"ElementSpacing": "0.75 0.625 -1.5"},
        "nan_spacing": {"ElementSpacing": "0.75 nan 1.5"}, "zero_matrix": {"TransformMatrix": "0 0 0 0 0 0 0 0 0"},
        "sheared": {"TransformMatrix": "1 0 0 0.2 0.98 0 0 0 1"},
    }.items():  # fmt: skip
        add(f"ct_mha_{text}", image("ct.mha", lambda c=change: mha(body().hu, body().affine, change=c)), REFUSED)


def _text_headers() -> None:
    for text, change in {
        "detached": {"data file": "ct.raw"}, "block": {"type": "block"}, "unknown_type": {"type": "quaternion"},
        "unknown_encoding": {"encoding": "rot13"}, "no_sizes": {"sizes": None}, "zero_size": {"sizes": "50 60 0"},
        "negative_size": {"sizes": "50 -60 40"}, "size_of_words": {"sizes": "many more most"},
        "no_type": {"type": None}, "no_endian": {"endian": None}, "wrong_sizes": {"sizes": "50 60 41"},
        "time_series": {"dimension": "4", "sizes": "50 60 20 2", "kinds": "domain domain domain list",
                        "space directions": "(0.75,0,0) (0,0.625,0) (0,0,1.5) none"},
        "wrong_type": {"type": "float"}, "colours": {"kinds": "RGB-color domain domain"},
        "dimension_of_5": {"dimension": "5"}, "digits": {"sizes": "9" * 5000 + " 60 40"},
        "superscript": {"sizes": "5² 60 40"}, "dimension_of_words": {"dimension": "three"},
    }.items():  # fmt: skip
        add(f"ct_nrrd_{text}", image("ct.nrrd", lambda c=change: nrrd(body().hu, body().affine, change=c)), REFUSED)
    for text, change in {
        "detached": {"ElementDataFile": "ct.raw"}, "list": {"ElementDataFile": "LIST"},
        "channels": {"ElementNumberOfChannels": "3"}, "wrong_type": {"ElementType": "MET_FLOAT"},
        "unknown_type": {"ElementType": "MET_STRANGE"}, "wrong_size": {"DimSize": "50 60 41"},
        "zero_size": {"DimSize": "50 0 40"}, "digits": {"DimSize": "9" * 5000 + " 60 40"}, "no_size": {"DimSize": None},
        "text": {"BinaryData": "False"}, "said_compressed": {"CompressedData": "True"},
        "dims_of_2": {"NDims": "2"}, "dims_of_words": {"NDims": "three"},
        "wrong_order_word": {"BinaryDataByteOrderMSB": "Yes"},
        "time_series": {"NDims": "4", "DimSize": "50 60 20 2", "ElementSpacing": "0.75 0.625 1.5 1",
                        "Offset": "0 0 0 0", "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"},
    }.items():  # fmt: skip
        add(f"ct_mha_{text}", image("ct.mha", lambda c=change: mha(body().hu, body().affine, change=c)), REFUSED)
    add("ct_nrrd_line_twice", image("ct.nrrd", lambda: nrrd(body().hu, body().affine, extra="type: float")), REFUSED)
    add("ct_mha_line_twice", image("ct.mha", lambda: mha(
        body().hu, body().affine).replace(b"ElementSpacing", b"ElementSpacing = 1 1 1\nElementSpacing")),
        REFUSED)  # fmt: skip


def _damage() -> None:
    forms: dict[str, Callable[[], bytes]] = {
        "nii": ct_nifti(), "nii.gz": zipped(ct_nifti()), "nrrd": lambda: nrrd(body().hu, body().affine),
        "gz.nrrd": lambda: nrrd(body().hu, body().affine, encoding="gzip"),
        "mha": lambda: mha(body().hu, body().affine),
        "zlib.mha": lambda: mha(body().hu, body().affine, compressed=True), "2.nii": ct_nifti(version=2),
    }  # fmt: skip
    for form, content in forms.items():
        for keep in (0, 1, 17, 200, 347, 352, 0.3, 0.5, 0.9, -9, -8, -4, -1):
            add(f"ct_cut_at_{keep}.{form}", image(f"ct.{form}", lambda c=content, n=keep: _cut(c(), n)), REFUSED)
        add(f"ct_surplus.{form}", image(f"ct.{form}", lambda c=content: c() + b"surplus bytes"), REFUSED_OR_WARNED)
    for form in ("nii.gz", "gz.nrrd", "zlib.mha"):
        add(f"ct_bit_flips.{form}", _flipped(f"ct.{form}", forms[form], 0.2, 0.95), REFUSED)
        for back in (1, 4, *(() if form == "zlib.mha" else (5, 8))):
            add(f"ct_trailer_byte_{back}.{form}", image(
                f"ct.{form}", lambda c=forms[form], n=back: c()[:-n] + bytes([c()[-n] ^ 1]) + c()[len(c()) - n + 1 :]
            ), REFUSED)  # fmt: skip
    add("ct_second_member_cut.nii.gz", image("ct.nii.gz", lambda: gz(ct_nifti()(), 2)[:-30]), REFUSED)
    add("ct_last_member_missing.nii.gz", image("ct.nii.gz", lambda: gz(ct_nifti()()[:120000])), REFUSED)
    add("ct_twice_in_one.nii.gz", image("ct.nii.gz", lambda: gz(ct_nifti()()) * 2), REFUSED)
    for name, content in {
        "ct.nii": b"<html>not found</html>" * 99, "ct.nii.gz": b"PK\3\4" + bytes(4000), "ct.nrrd": b"NRRD0005\n\n",
        "ct.mha": b"\x89PNG\r\n\x1a\n" + bytes(900), "ct.jpg": b"\xff\xd8\xff\xe0" + bytes(900), "ct": b"hello",
        "ct.dcm": bytes(128) + b"DICM" + bytes(300), "ct.npy": b"\x93NUMPY" + bytes(900), "zeros.nii": bytes(240352),
    }.items():  # fmt: skip
        add(f"ct_is_something_else_{name}", image(name, lambda c=content: c), REFUSED)
    for name, edit in {
        "dim_one_more": setting(dim_1=51), "dim_one_less": setting(dim_3=39), "dim0_zero": setting(dim_0=0),
        "dim0_eight": setting(dim_0=8), "dim0_negative": setting(dim_0=-3), "dim_negative": setting(dim_2=-60),
        "dim_zero": setting(dim_3=0), "dims_swapped_and_two": setting(dim=[4, 50, 60, 20, 2, 1, 1, 1]),
        "dims_flat": setting(dim=[2, 50, 2400, 1, 1, 1, 1, 1]), "bitpix_8": setting(bitpix=8),
        "bitpix_32": setting(bitpix=32), "bitpix_negative": setting(bitpix=-16), "type_0": setting(datatype=0),
        "type_unknown": setting(datatype=77), "type_float": setting(datatype=16, bitpix=32),
        "type_bit": setting(datatype=1, bitpix=1), "type_float128": setting(datatype=1536, bitpix=128),
        "offset_0": setting(vox_offset=0), "offset_351": setting(vox_offset=351), "offset_400": setting(vox_offset=400),
        "offset_nan": setting(vox_offset=np.nan), "offset_huge": setting(vox_offset=1e30),
        "offset_negative": setting(vox_offset=-352), "offset_broken": setting(vox_offset=352.5),
        "header_size_0": setting(sizeof_hdr=0), "header_size_540": setting(sizeof_hdr=540),
        "magic_of_a_pair": setting(magic=b"ni1"), "magic_missing": setting(magic=b""),
        "magic_n+3": setting(magic=b"n+3"),
        "slope_infinite": setting(scl_slope=np.inf), "intercept_nan": setting(scl_inter=np.nan),
        "intercept_infinite": setting(scl_inter=-np.inf), "slope_huge": setting(scl_slope=1e30),
    }.items():  # fmt: skip
        add(f"ct_header_{name}", image("ct.nii", ct_nifti(edit=edit)), REFUSED)
        add(f"ct_header_{name}.gz", image("ct.nii.gz", zipped(ct_nifti(edit=edit))), REFUSED)
    for name, edit in {
        "dims": setting(dim_3=-40), "magic": setting(magic=b"n+2\0\n\n\n\n"), "size": setting(sizeof_hdr=348),
        "offset": setting(vox_offset=-1), "huge": setting(dim_1=2**62),
    }.items():  # fmt: skip
        add(f"ct_nifti2_wrong_{name}", image("ct.nii", ct_nifti(version=2, edit=edit)), REFUSED)


def _cut(content: bytes, keep: float) -> bytes:
    return content[: int(keep * len(content)) if isinstance(keep, float) else keep]


def _flipped(name: str, content: Callable[[], bytes], start: float, stop: float) -> Build:
    """Three damaged bytes at places that the seed chooses."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        whole = bytearray(content())
        for at in rng.integers(int(start * len(whole)), int(stop * len(whole)), 3):
            whole[at] ^= int(rng.integers(1, 256))
        return Inputs(put(folder / name, bytes(whole)), mask_beside(folder))

    return build


def _one(value: float, inside: bool) -> Callable[..., Any]:
    """The CT as float with one voxel changed, in the vertebra or in a far corner."""

    def change(hu: Any) -> Any:
        array = hu.astype("f4")
        array[tuple(np.argwhere(body().labels == LABEL)[50]) if inside else (0, 0, 0)] = value
        return array

    return change


def _values() -> None:
    for name, value in {"nan": np.nan, "infinite": np.inf, "minus_infinite": -np.inf}.items():
        for where in ("inside", "far"):
            array = _one(value, where == "inside")
            add(f"ct_one_{name}_{where}", image("ct.nii.gz", zipped(ct_nifti(array=array))), REFUSED)
            add(
                f"ct_one_{name}_{where}.mha", image("ct.mha", lambda a=array: mha(a(body().hu), body().affine)), REFUSED
            )
    add("ct_all_nan", image("ct.nii", ct_nifti(array=lambda hu: np.full(hu.shape, np.nan, "f4"))), REFUSED)
    add("ct_complex", image("ct.nii", ct_nifti(array=lambda hu: hu.astype("c8"))), REFUSED)
    add("ct_complex128", image("ct.nii.gz", zipped(ct_nifti(array=lambda hu: hu.astype("c16")))), REFUSED)
    add("ct_rgb", image("ct.nii", lambda: nifti(np.zeros((40, 60, 150), "u1"), body().affine, size=(50, 60, 40),
                                               edit=setting(datatype=128, bitpix=24))), REFUSED)  # fmt: skip
    add("ct_rgba", image("ct.nii", lambda: nifti(np.zeros((40, 60, 200), "u1"), body().affine, size=(50, 60, 40),
                                                edit=setting(datatype=2304, bitpix=32))), REFUSED)  # fmt: skip
    for name, array in {
        "plus_1024": lambda hu: hu + np.int16(1024), "12_bit": lambda hu: (hu + 1024).clip(0, 4095).astype("u2"),
        "minus_1024": lambda hu: hu - np.int16(1024),
        "times_10": lambda hu: hu * 10.0, "over_10": lambda hu: hu / 10,
        "window_255": lambda hu: ((hu + 250) / 1500 * 255).clip(0, 255).astype("u1"),
        "window_255_int16": lambda hu: ((hu + 250) / 1500 * 255).clip(0, 255).astype("i2"),
        "window_255_signed_8": lambda hu: ((hu + 250) / 12).clip(-128, 127).astype("i1"),
        "window_1_float": lambda hu: ((hu + 250) / 1500).clip(0, 1).astype("f4"),
        "zscore": lambda hu: ((hu - hu.mean()) / hu.std()).astype("f4"), "constant": lambda hu: np.full_like(hu, 100),
        "zeros": np.zeros_like, "air": lambda hu: np.full_like(hu, -1000), "of_65535": lambda hu: hu.astype("u2"),
        "mr": lambda hu: np.abs(hu.astype("f4") / 3 + 330), "pet": lambda hu: (np.abs(hu) / 150).astype("f4"),
        "millionfold": lambda hu: hu * 1e6, "labels": lambda hu: body().labels,
        "noise": lambda hu: np.random.default_rng(1).integers(-32768, 32767, hu.shape).astype("i2"),
        "no_bone": lambda hu: hu.clip(-1024, 90),
    }.items():  # fmt: skip
        content = ct_nifti(array=lambda hu, a=array: np.ascontiguousarray(a(hu)))
        add(f"ct_values_{name}", image("ct.nii.gz", zipped(content)), REFUSED)
    add("ct_values_bone_window_in_hu", image("ct.nii.gz", zipped(ct_nifti(array=lambda hu: hu.clip(-20, 1000)))),
        REFUSED_OR_WARNED)  # fmt: skip
    eighth = ct_nifti(array=lambda hu: ((hu.clip(-1024, 1000) + 1024) // 8).astype("u1"), scale=(8.0, -1024.0))
    add("ct_values_256_levels", image("ct.nii.gz", zipped(eighth)), REFUSED)
    both = ("ct.nii", "mask.nii.gz")  # the values are bone's, inverted: nobody can say which file is at fault
    add("ct_values_inverted", image("ct.nii", ct_nifti(array=lambda hu: -hu), faulty=both), REFUSED)
    add("ct_slope_negative", image("ct.nii", ct_nifti(scale=(-1.0, 0.0)), faulty=both), REFUSED)
    for name, scale in {"of_10": (10.0, 0.0), "tiny": (1e-6, 0.0),
                        "intercept_1024": (1.0, 1024.0), "intercept_minus_1024": (1.0, -1024.0)}.items():  # fmt: skip
        add(f"ct_slope_{name}", image("ct.nii", ct_nifti(scale=scale)), REFUSED)
    add("ct_slope_2", image("ct.nii", ct_nifti(scale=(2.0, 0.0)), truth=_rescaled(2, 0)), REFUSED_OR_WARNED)
    add("ct_values_plus_1000", image("ct.nii", ct_nifti(scale=(1.0, 1000.0)), truth=_rescaled(1, 1000)),
        REFUSED_OR_WARNED)  # fmt: skip
    add("ct_slope_1.1", image("ct.nii", ct_nifti(scale=(1.1, 0.0)), truth=_rescaled(1.1, 0)), WARNED)
    add("ct_one_slice", image("ct.nii", ct_nifti(array=lambda hu: hu[:1]), faulty=("ct.nii", "mask.nii.gz")), REFUSED)


def _rescaled(slope: float, inter: float) -> dict[str, Any]:
    return numbers(body().hu * np.float64(np.float32(slope)) + inter, body().labels == LABEL, body().affine)


_geometry()
_text_headers()
_damage()
_values()
