"""Masks as NIfTI, NRRD and MetaImage: the same region stored otherwise, regions to doubt, and what is no mask."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .base import (
    LABEL,
    LISTED,
    NEVER_WRONG,
    OTHER,
    REFUSED,
    REFUSED_OR_WARNED,
    WARNED,
    Array,
    Build,
    Catalogue,
    Inputs,
    body,
    numbers,
    put,
    rotated,
    stored,
)
from .volumes import TURNS, ct_nifti
from .writers import gz, mha, nifti, nrrd, setting

CATALOGUE = Catalogue("mask")
add = CATALOGUE.add
ONE = ("--label", "1")


def ct_beside(folder: Path) -> Path:
    return put(folder / "ct.nii", ct_nifti()())


def mask(name: str, content: Callable[[], bytes], **more: Any) -> Build:
    """An input whose mask is `content` in the file `name`."""

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        return Inputs(ct_beside(folder), put(folder / name, content()), **more)

    return build


def of(change: Callable[[Array], Array] = lambda labels: labels, **how: Any) -> Callable[[], bytes]:
    """A .nii of the changed labels."""
    return lambda: nifti(np.ascontiguousarray(change(body().labels)), how.pop("affine", body().affine), **how)


def region(drawn: Callable[[Array], Array], **more: Any) -> Build:
    """A mask (label 1) drawn anew, with its true numbers."""
    name = "mask.nii.gz"

    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        inside = drawn(body().labels)
        truth = numbers(body().hu, inside, body().affine)
        content = gz(nifti(inside.astype("u1"), body().affine))
        return Inputs(ct_beside(folder), put(folder / name, content), ONE, truth, **more)

    return build


def _stored_otherwise() -> None:
    for axes, flips in TURNS[2::4]:
        name = "".join("ijk"[a] + "-+"[f > 0] for a, f in zip(axes, flips, strict=True))
        for form, suffix in ((nifti, "nii"), (nrrd, "nrrd"), (mha, "mha")):
            add(f"mask_axes_{name}.{suffix}", mask(
                f"mask.{suffix}", lambda f=form, a=axes,
                s=flips: f(*stored(body().labels, body().affine, a, s))))  # fmt: skip
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
        add(f"mask_{kind}", mask("mask.nii.gz", lambda k=kind: gz(of(lambda x: x.astype(k))())))
    for kind, order, version in product(("i2", "f4"), "<>", (1, 2)):
        add(f"mask_{kind}_nifti{version}_{'little' if order == '<' else 'big'}", mask(
            "mask.nii", of(lambda x, k=kind: x.astype(k), version=version, order=order)))  # fmt: skip
    for forms in "sq":
        add(f"mask_{forms}form_only", mask("mask.nii.gz", lambda f=forms: gz(of(forms=f)())))
    add("mask_scaled_0_1_to_20", mask("mask.nii", of(lambda x: (x == LABEL).astype("u1"), scale=(20.0, 0.0))),
        may=("W_",))  # fmt: skip
    add("mask_4d_of_one", mask("mask.nii", of(size=(50, 60, 40, 1))))
    add("mask_gz_members", mask("mask.nii.gz", lambda: gz(of()(), 4)))
    add("mask_nrrd_gzip", mask("mask.nrrd", lambda: nrrd(body().labels, body().affine, encoding="gzip")))
    add("mask_nrrd_ras_big", mask("mask.nrrd", lambda: nrrd(
        body().labels.astype("u2"), body().affine, space="right-anterior-superior", order="big")))  # fmt: skip
    add("mask_nrrd_no_endian_8_bit", mask("mask.nrrd", lambda: nrrd(
        body().labels, body().affine, change={"endian": None})))  # fmt: skip
    add("mask_mha_compressed", mask("mask.mha", lambda: mha(body().labels, body().affine, compressed=True)))
    for name, bend in {
        "origin": lambda a: a + np.outer([0.004, -0.003, 0.008, 0], [0, 0, 0, 1]),
        "spacing": lambda a: a * [1 + 5e-5, 1 - 5e-5, 1 + 5e-5, 1], "rotation": lambda a: _about(a, 3e-3),
    }.items():  # fmt: skip
        add(f"mask_jitter_of_{name}", mask("mask.nrrd", lambda b=bend: nrrd(body().labels, b(body().affine))))
        add(f"mask_jitter_of_{name}_turned", mask("mask.nii", lambda b=bend: nifti(
            *stored(body().labels, b(body().affine), (2, 0, 1), (-1, 1, -1)))))  # fmt: skip
    add("mask_written_by_itk_snap", mask("snap.nii.gz", lambda: gz(of(
        lambda x: x.astype("u2"), edit=setting(descrip=b"", qform_code=1, sform_code=1, regular=b"r"))())))  # fmt: skip
    second = body().numbers(OTHER)
    add("mask_second_label", mask("mask.nii.gz", lambda: gz(of()()), arguments=("--label", "21"), truth=second))
    add(
        "mask_only_label_is_taken",
        mask("mask.nii", of(lambda x: np.where(x == LABEL, 7, 0).astype("u1")), arguments=()),
    )
    for label in (255, 300, 1000, 32767):
        add(f"mask_label_{label}", mask("mask.nii", of(
            lambda x, n=label: np.where(x == LABEL, n, 0).astype("u2")),
            arguments=("--label", str(label))))  # fmt: skip
    for scheme, number in {"verse": 20, "totalsegmentator": 31, "totalsegmentator_v1": 22}.items():
        add(f"mask_by_vertebra_{scheme}", mask(
            "mask.nii", of(lambda x, n=number: np.where(x == LABEL, n, np.where(x == OTHER, n + 1, 0)).astype("u1")),
            arguments=("--vertebra", "L1", "--scheme", scheme)))  # fmt: skip
    add("mask_many_organs", mask("mask.nii", of(_organs)))
    add("mask_of_minus_zero", mask("mask.nii", of(lambda x: np.where(x > 0, x, -0.0).astype("f4"))))


def _organs(labels: Array) -> Array:
    """Labels 22 to 138 strewn over the background, as in a map of the whole body."""
    found = labels.copy()
    k, j, i = np.indices(labels.shape)
    return np.where((labels == 0) & (j > 50), 22 + (i + 50 * k) % 117, found).astype("u1")


def _about(affine: Any, degrees: float) -> Any:
    """Turned round the middle of the body, so that only the corners leave their places."""
    middle = affine @ [24.5, 29.5, 19.5, 1]
    there, back = np.eye(4), np.eye(4)
    there[:3, 3], back[:3, 3] = -middle[:3], middle[:3]
    return back @ rotated(there @ affine, degrees)


def _other_grids() -> None:
    name = "mask.nii.gz"
    for text, voxels in {"0.05": 0.05, "0.5": 0.5, "1": 1, "7": 7, "500": 500}.items():
        moved = body().affine + np.outer([0, 0.625 * voxels, 0, 0], [0, 0, 0, 1])
        add(f"mask_shifted_by_{text}_voxels", mask(name, lambda a=moved: gz(nifti(body().labels, a))), REFUSED)
    for text, affine in {
        "rotated_by_5_degrees": rotated(body().affine, 5), "rotated_by_0.5_degrees": _about(body().affine, 0.5),
        "of_doubled_spacing": body().affine * [2, 2, 2, 1], "of_spacing_1_percent_off": body().affine * [1.01, 1, 1, 1],
        "in_ras_taken_for_lps": np.diag([-1, -1, 1, 1]) @ body().affine,
        "upside_down": body().affine * [1, 1, -1, 1], "at_the_origin": np.diag([0.75, 0.625, 1.5, 1.0]),
        "without_geometry": np.eye(4),
    }.items():  # fmt: skip
        add(f"mask_{text}", mask(name, lambda a=affine: gz(nifti(body().labels, a))), REFUSED)
    for text, cut in {
        "one_slice_less": np.s_[:-1], "half_of_the_columns": np.s_[:, :, ::2], "one_slice": np.s_[16:17],
        "axes_swapped_without_header": None,
    }.items():  # fmt: skip
        array = body().labels[cut] if cut is not None else body().labels.transpose(0, 2, 1)
        add(f"mask_{text}", mask(name, lambda a=array: gz(nifti(np.ascontiguousarray(a), body().affine))), REFUSED)
    crop = np.eye(4)
    crop[:3, 3] = [4, 5, 2]
    add("mask_cropped_with_its_origin", mask(name, lambda: gz(nifti(
        np.ascontiguousarray(body().labels[2:-2, 5:-3, 4:-4]), body().affine @ crop))), NEVER_WRONG)  # fmt: skip
    for text, edit in {
        "no_orientation": setting(sform_code=0, qform_code=0),
        "forms_mirrored": lambda h: h["srow"].__setitem__(0, -h["srow"][0]), "spacing_zero": setting(pixdim_3=0),
        "spacing_negative": setting(pixdim_1=-0.75), "bitpix": setting(bitpix=16), "dim": setting(dim_3=41),
        "offset": setting(vox_offset=360), "type": setting(datatype=4), "slope_nan": setting(scl_inter=np.nan),
        "rgb": setting(datatype=128, bitpix=24), "complex": setting(datatype=32, bitpix=64),
    }.items():  # fmt: skip
        add(f"mask_header_{text}", mask("mask.nii", of(edit=edit)), REFUSED)


def _no_masks() -> None:
    name = "mask.nii.gz"
    for text, change in {
        "empty": np.zeros_like, "everything": lambda x: np.full_like(x, LABEL),
        "absent_label": lambda x: x * (x == OTHER),
        "probability": lambda x: (x / 25).astype("f4"), "probability_doubles": lambda x: np.where(x == LABEL, 0.9, 0.0),
        "smoothed": _smoothed, "fraction_20.5": lambda x: np.where(x > 0, x + 0.5, 0).astype("f4"),
        "one_fraction": lambda x: np.where(np.indices(x.shape).sum(0) == 0, 0.3, x).astype("f4"),
        "one_nan": lambda x: np.where(np.indices(x.shape).sum(0) == 0, np.nan, x).astype("f4"),
        "one_infinite": lambda x: np.where(np.indices(x.shape).sum(0) == 0, np.inf, x).astype("f4"),
        "negative_labels": lambda x: -x.astype("i2"),
        "ct": lambda x: body().hu, "ct_as_float": lambda x: body().hu.astype("f4"),
        "ct_shifted": lambda x: (body().hu + 1100).astype("u2"),
        "complex": lambda x: x.astype("c8"),
    }.items():  # fmt: skip
        content = of(lambda x, c=change: np.ascontiguousarray(c(x)))
        add(f"mask_of_{text}", mask(name, lambda c=content: gz(c())), REFUSED)
    for text, arguments in {
        "zero": ("--label", "0"), "negative": ("--label", "-1"), "absent": ("--label", "5"),
        "word": ("--label", "abc"), "vertebra_without_scheme": ("--vertebra", "L1"), "fraction": ("--label", "20.5"),
        "unknown_scheme": ("--vertebra", "L1", "--scheme", "none"),
        "clash": ("--label", "20", "--vertebra", "L3", "--scheme", "verse"),
        "absent_vertebra": ("--vertebra", "T1", "--scheme", "verse"), "huge": ("--label", "9" * 30),
    }.items():  # fmt: skip
        add(f"label_{text}", mask(name, lambda: gz(of()()), arguments=arguments,
                                  faulty=(name, "ovfrad inspect")), REFUSED)  # fmt: skip
    add("label_none_of_two", mask(name, lambda: gz(of()()), arguments=()), LISTED)
    add("mask_of_one_negative", mask("mask.nii", of(lambda x: np.where(x == OTHER, -5, x).astype("i2"))), NEVER_WRONG)
    add("mask_of_window_of_8_bits", mask("mask.nii", of(lambda x: ((body().hu + 250) / 6).clip(0, 255).astype("u1"))),
        REFUSED_OR_WARNED)  # fmt: skip
    add("mask_of_300_labels", mask("mask.nii", of(_strewn), arguments=("--label", "20")), REFUSED_OR_WARNED)
    add("mask_of_two_volumes", mask("mask.nii", of(lambda x: x[:, :, :], size=(50, 60, 20, 2))), REFUSED)
    add("mask_and_ct_swapped", _swapped, REFUSED)
    add("mask_is_the_ct_file", _same, REFUSED)
    forms: dict[str, Callable[[], bytes]] = {
        "nii": of(), "nii.gz": lambda: gz(of()()), "nrrd": lambda: nrrd(body().labels, body().affine),
        "gz.nrrd": lambda: nrrd(body().labels, body().affine, encoding="gzip"),
        "mha": lambda: mha(body().labels, body().affine, compressed=True),
    }  # fmt: skip
    for form, content in forms.items():
        for keep in (0, 60, 400, 0.5, 0.97, -6, -1):
            add(f"mask_cut_at_{keep}.{form}", mask(
                f"mask.{form}", lambda c=content, n=keep: c()[: int(n * len(c())) if isinstance(n, float) else n]
            ), REFUSED)  # fmt: skip
    add("mask_trailer_crc.nii.gz", mask(name, lambda: _flip(gz(of()()), -7)), REFUSED)
    add("mask_trailer_length.nii.gz", mask(name, lambda: _flip(gz(of()()), -1)), REFUSED)
    for other, content in {
        "mask.png": b"\x89PNG\r\n\x1a\n",
        "mask.txt": b"20 20 21",
        "mask.nii.gz": b"\0" * 700,
    }.items():
        add(f"mask_is_something_else_{other}", mask(other, lambda c=content: c * 3), REFUSED)


def _flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x10]) + (content[at + 1 :] if at != -1 else b"")


def _smoothed(labels: Array) -> Array:
    """A label map resampled linearly."""
    return ((labels + np.roll(labels, 1, 2).astype("f4")) / 2).astype("f4")


def _strewn(labels: Array) -> Array:
    found = labels.astype("u2")
    found[0, :6] = np.arange(300).reshape(6, 50) + 30
    return found


def _swapped(folder: Path, rng: np.random.Generator) -> Inputs:
    return Inputs(put(folder / "mask.nii", of()()), ct_beside(folder), faulty=("mask.nii", "ct.nii"))


def _same(folder: Path, rng: np.random.Generator) -> Inputs:
    return Inputs(ct_beside(folder), folder / "ct.nii")


def _regions() -> None:
    k, j, i = np.indices(body().labels.shape)
    k0, j0, i0 = (round(float(axis.mean())) for axis in np.nonzero(body().labels == LABEL))
    ball = lambda r: (k - k0) ** 2 + (j - j0) ** 2 + (i - i0) ** 2 <= r**2  # noqa: E731
    add("region_of_one_voxel", region(lambda x: ball(0)), REFUSED_OR_WARNED, warns=("W_MASK_SMALL",))
    add("region_of_0.3_ml", region(lambda x: ball(4)), WARNED, warns=("W_MASK_SMALL",))
    add("region_of_one_slice", region(lambda x: (x == LABEL) & (k == k0)), WARNED, warns=("W_MASK_SMALL",))
    add("region_in_two_bodies", region(lambda x: (x > 0) & (abs(k - k0 - 9) > 4)), WARNED, warns=("W_MASK_PIECES",))
    add("region_with_a_far_island", region(
        lambda x: ((x == LABEL) & (k < k0 + 2)) | ((x == OTHER) & (k > k0 + 12) & (j > j0)), faulty=()
    ), WARNED, warns=("W_MASK_PIECES",))  # fmt: skip
    add("region_with_a_stray_voxel", region(lambda x: (x == LABEL) | ((k == k0 + 20) & (j == j0) & (i == i0))),
        NEVER_WRONG, may=("W_MASK_PIECES",))  # fmt: skip
    add("region_at_the_border", region(lambda x: (x == OTHER) | ((k > k0 + 18) & (np.roll(x, 6, 0) == OTHER))),
        WARNED, warns=("W_MASK_BORDER",))  # fmt: skip
    add("region_of_fat", region(lambda x: (body().hu < -60) & (body().hu > -140) & (k > 5) & (k < 30)),
        REFUSED_OR_WARNED, warns=("W_ROI", "W_MASK"))  # fmt: skip
    add("region_of_air", region(lambda x: (body().hu < -900) & (k > 5) & (k < 30)), REFUSED)
    add("region_of_all_but_a_rim", region(lambda x: (k > 0) & (j > 0)), REFUSED_OR_WARNED)
    add("region_of_95_percent", region(lambda x: k > 1), REFUSED_OR_WARNED)
    add("region_of_all_but_one_voxel", region(lambda x: k + j + i > 0), REFUSED_OR_WARNED)
    add("region_hollow", region(lambda x: (x == LABEL) & ~ball(4)), NEVER_WRONG)
    add("region_of_160_ml", _large, WARNED, warns=("W_MASK_LARGE",))
    add("region_with_metal", _metal, WARNED, warns=("W_METAL",))
    add("region_beside_metal", _metal_beside, WARNED, warns=("W_METAL",))
    add("region_of_padding", _padding, REFUSED_OR_WARNED)


def _large(folder: Path, rng: np.random.Generator) -> Inputs:
    one = body((2.5, 2.0, 2.9))
    ct = put(folder / "ct.nii.gz", gz(nifti(one.hu, one.affine)))
    return Inputs(ct, put(folder / "mask.nii.gz", gz(nifti(one.labels, one.affine))), truth=one.numbers())


def _changed_ct(change: Callable[[Array], Array]) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        hu = change(body().hu.copy())
        truth = numbers(hu, body().labels == LABEL, body().affine)
        ct = put(folder / "ct.nii", nifti(hu, body().affine))
        return Inputs(ct, put(folder / "mask.nii.gz", gz(of()())), truth=truth)

    return build


def _with_metal(at: int) -> Callable[[Array], Array]:
    def change(hu: Array) -> Array:
        k, j, i = np.argwhere(body().labels == LABEL).max(0) + at if at else np.argwhere(body().labels == LABEL)[900]
        hu[k, j, i] = 3071
        return hu

    return change


def _outside(hu: Array) -> Array:
    hu[tuple(np.argwhere(body().labels == LABEL)[:40].T)] = -2000
    return hu


_metal, _metal_beside, _padding = _changed_ct(_with_metal(0)), _changed_ct(_with_metal(2)), _changed_ct(_outside)
_stored_otherwise()
_other_grids()
_no_masks()
_regions()
