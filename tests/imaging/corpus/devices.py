"""What must not hang, fill the memory or be waited for: pipes, devices, links, folders, bombs, sizes without end."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .base import LABEL, NEVER_WRONG, REFUSED, REFUSED_OR_WARNED, Build, Catalogue, Inputs, body, numbers, put
from .dicom import DEFLATED, IMPLICIT, element, plain_series, save, slices, transcode, with_bytes
from .masks import ct_beside
from .segments import frames_of, seg
from .series import ONE
from .series_faults import nested
from .structures import structures
from .volumes import mask_beside
from .writers import gz, mha, nifti, nrrd, setting

CATALOGUE = Catalogue("image")
GB = 1_000_000_000
SHAPE = (1000, 1024, 1024)
"""(k, j, i): 2.1 GB of int16, within what a reader may have to take."""


def add(name: str, build: Build, expect: frozenset[str] = REFUSED, *, hostile: bool = True, **more: Any) -> None:
    CATALOGUE.add(name, build, expect, hostile=hostile, **more)


def as_image(name: str, make: Callable[[Path], Any], sized: bool = True) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        folder.mkdir(exist_ok=True)
        make(folder / name)
        # Where the file is sound but for its size, the small mask is what does not fit.
        return Inputs(folder / name, mask_beside(folder), faulty=(name, *([] if sized else ["mask.nii.gz"])))

    return build


def as_mask(name: str, make: Callable[[Path], Any]) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        ct = ct_beside(folder)
        make(folder / name)
        return Inputs(ct, folder / name)

    return build


def in_series(make: Callable[[Path], Any], name: str = "slice_041.dcm", **more: Any) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        plain_series(folder)
        make(folder / "series" / name)
        return Inputs(folder / "series", mask_beside(folder), faulty=(name, "series"), **more)

    return build


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _socket(path: Path) -> None:
    """A socket outlives its program as a name."""
    here = os.getcwd()  # noqa: PTH109
    os.chdir(path.parent)  # the path of a socket is at most some 100 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _places() -> None:
    for name in ("ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha", "ct.dcm", "ct"):
        add(f"pipe_as_{name}", as_image(name, os.mkfifo), hostile=name == "ct.nii")
    for name in ("mask.nii.gz", "mask.seg.nrrd", "mask.dcm"):
        add(f"pipe_as_{name}", as_mask(name, os.mkfifo), kind="mask", hostile=name == "mask.nii.gz")
    add("pipe_in_a_series", in_series(os.mkfifo), NEVER_WRONG, kind="dicom", may=("W_",))
    for device in ("zero", "urandom", "null", "full"):
        for name in ("ct.nii", "ct.nii.gz", "ct.dcm", "ct.nrrd"):
            add(f"link_to_dev_{device}_as_{name}", as_image(name, link_to(f"/dev/{device}")),
                hostile=(device, name) == ("zero", "ct.nii.gz"))  # fmt: skip
        add(f"link_to_dev_{device}_as_mask", as_mask("mask.nii", link_to(f"/dev/{device}")), kind="mask",
            hostile=False)  # fmt: skip
    add("link_to_dev_zero_in_a_series", in_series(link_to("/dev/zero")), NEVER_WRONG, kind="dicom", may=("W_",))
    for name in ("ct.nii.gz", "ct.mha", "ct.dcm", "ct"):
        add(f"folder_as_{name}", as_image(name, Path.mkdir), hostile=False)
    for name in ("mask.nii.gz", "mask"):
        add(f"folder_as_{name}", as_mask(name, Path.mkdir), kind="mask", hostile=False)
    add("file_as_a_folder", _file_as_folder, hostile=False)
    add("link_to_nothing", as_image("ct.nii", link_to("nowhere.nii")), hostile=False)
    add("link_to_itself", as_image("ct.nii", link_to("ct.nii")), hostile=False)
    add(
        "link_to_nothing_in_a_series",
        in_series(link_to("nowhere.dcm")),
        NEVER_WRONG,
        kind="dicom",
        hostile=False,
        may=("W_",),
    )
    add("socket_as_ct", as_image("ct.nii", _socket), hostile=False)
    add("no_such_file", as_image("ct.nii", lambda path: None), hostile=False)
    add("no_such_mask", as_mask("mask.nii", lambda path: None), kind="mask", hostile=False)
    add("name_too_long", as_image("x" * 300 + ".nii", lambda path: None), hostile=False)
    add("no_right_to_read", as_image("ct.nii", _locked), NEVER_WRONG, hostile=False)
    add("no_right_to_read_mask", as_mask("mask.nii.gz", _locked_mask), NEVER_WRONG, kind="mask", hostile=False)


def _file_as_folder(folder: Path, rng: np.random.Generator) -> Inputs:
    return Inputs(ct_beside(folder) / "series", mask_beside(folder))


def _locked(path: Path) -> None:
    put(path, nifti(body().hu, body().affine)).chmod(0)


def _locked_mask(path: Path) -> None:
    mask_beside(path.parent).chmod(0)


def zeros(size: int, wbits: int) -> Iterator[bytes]:
    """Compressed zeros: gzip (31), zlib (15) or raw deflate (-15), some thousandth of `size`."""
    block, rest = 1 << 26, size
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    engine.compress(bytes(1 << 20))
    engine.flush(zlib.Z_FULL_FLUSH)
    repeated = engine.compress(bytes(block)) + engine.flush(zlib.Z_FULL_FLUSH)
    if wbits == 15:
        yield b"\x78\xda"
    while rest >= block:
        yield repeated
        rest -= block
    yield engine.compress(bytes(rest)) + engine.flush(zlib.Z_FINISH)
    if wbits == 15:
        yield struct.pack(">HH", size % 65521, 1)


def zero_member(size: int) -> bytes:
    """Members of gzip that hold `size` zeros."""
    block = gzip.compress(bytes(1 << 24), 9, mtime=0)
    return block * (size >> 24) + gzip.compress(bytes(size & ((1 << 24) - 1)), 9, mtime=0)


def _tall_nifti(kind: str = "i2", shape: tuple[int, int, int] = SHAPE) -> bytes:
    """Header of a large volume, without its voxels."""
    return nifti(np.zeros((0, 1, 1), kind), body().affine, size=shape[::-1])


def _sparse(head: bytes, size: int) -> Callable[[Path], None]:
    """A file of `size` bytes that begins with `head` and takes no room."""

    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.write(head)
            stream.truncate(size)

    return make


def _sizes() -> None:
    whole = lambda path, content: put(path, content)  # noqa: E731
    terabytes = {"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}
    for name, content in {
        "terabytes.nii": nifti(body().hu, body().affine, edit=setting(**terabytes)),
        "terabytes.nii.gz": gz(nifti(body().hu, body().affine, edit=setting(**terabytes))),
        "seven_dims.nii": nifti(body().hu, body().affine, edit=setting(dim=[7, *[32767] * 7])),
        "exabytes.nii": nifti(body().hu, body().affine, version=2,
        edit=setting(dim=[3, 2**40, 2**40, 2**40, 1, 1, 1, 1])),
        "overflow.nii": nifti(body().hu, body().affine, version=2,
        edit=setting(dim=[3, 2**32, 2**32, 2**33, 1, 1, 1, 1])),
        "terabytes.nrrd": nrrd(body().hu, body().affine, change={"sizes": "100000 100000 100000"}),
        "terabytes.gz.nrrd": nrrd(body().hu, body().affine, encoding="gzip", change={"sizes": "99999 99999 999"}),
        "terabytes.mha": mha(body().hu, body().affine, change={"DimSize": "100000 100000 100000"}),
        "terabytes.zlib.mha": mha(body().hu, body().affine, compressed=True, change={"DimSize": "99999 99999 999"}),
        "dimensions.nrrd": nrrd(body().hu, body().affine, change={"dimension": "999999999", "sizes": "2 " * 200000}),
        "gigabytes.nii": nifti(body().hu, body().affine, edit=setting(dim=[3, 1024, 1024, 2000, 1, 1, 1, 1])),
        "gigabytes.nii.gz": gz(nifti(body().hu, body().affine, edit=setting(dim=[3, 1024, 1024, 2000, 1, 1, 1, 1]))),
    }.items():  # fmt: skip
        hostile = name in ("terabytes.nii.gz", "terabytes.mha", "gigabytes.nii.gz")
        add(f"header_of_{name}", as_image(name, lambda p, c=content: whole(p, c)), hostile=hostile)
    layers = nrrd(body().labels, body().affine, change={
        "dimension": "4", "sizes": "1000000 5000 6000 4000", "kinds": "list domain domain domain",
        "space directions": "none (0.75,0,0) (0,0.625,0) (0,0,1.5)"})  # fmt: skip
    add("header_of_terabytes.seg.nrrd", as_mask("mask.seg.nrrd", lambda p: whole(p, layers)), kind="mask")
    add("sparse_zeros.nii", as_image("ct.nii", _sparse(_tall_nifti(), 352 + 2 * int(np.prod(SHAPE))), sized=False))
    add("sparse_terabyte.nii", as_image("ct.nii", _sparse(_tall_nifti(), 1 << 40)))
    add("sparse_header.nrrd", as_image("ct.nrrd", _sparse(b"NRRD0004\ntype: short\n", 8 * GB)))
    add("sparse_header.mha", as_image("ct.mha", _sparse(b"ObjectType = Image\n", 8 * GB)))
    add("sparse_extension.nii", as_image("ct.nii", _sparse(
        nifti(np.zeros((0, 1, 1), "i2"), body().affine, size=(50, 60, 40), edit=setting(vox_offset=2.0**32)),
        2**32 + 240000)))  # fmt: skip
    add("sparse.dcm", in_series(_sparse(bytes(128) + b"DICM", 8 * GB)), kind="dicom")


def _bombs() -> None:
    voxels = 2 * int(np.prod(SHAPE))
    head = gz(_tall_nifti())
    bomb = lambda path: put(path, head + zero_member(voxels))  # noqa: E731
    add("bomb.nii.gz", as_image("ct.nii.gz", bomb, sized=False))
    add("bomb_of_ct_and_mask.nii.gz", _two_bombs)
    add("bomb_behind_the_voxels.nii.gz", as_image("ct.nii.gz", lambda path: put(
        path, gz(nifti(body().hu, body().affine)) + zero_member(8 * GB))))  # fmt: skip
    add("bomb_behind_the_mask.nii.gz", as_mask("mask.nii.gz", lambda path: put(
        path, gz(nifti(body().labels, body().affine)) + zero_member(8 * GB))), kind="mask")  # fmt: skip
    sizes = " ".join(map(str, SHAPE[::-1]))
    empty = np.zeros((0, 1, 1), "i2")
    add("bomb.nrrd", as_image("ct.nrrd", lambda path: put(path, nrrd(
        empty, body().affine, encoding="gzip", change={"sizes": sizes}, data=zero_member(voxels))),
        sized=False))  # fmt: skip
    add("bomb.mha", as_image("ct.mha", lambda path: put(path, mha(
        empty, body().affine, compressed=True, change={"DimSize": sizes}, data=b"".join(zeros(voxels, 15)))),
        sized=False))  # fmt: skip
    add("bomb_behind_the_voxels.mha", as_image("ct.mha", lambda path: put(path, mha(
        body().hu, body().affine, compressed=True, data=b"".join(zeros(8 * GB, 15))))))  # fmt: skip
    add("many_members.nii.gz", as_image("ct.nii.gz", lambda path: put(
        path, gz(nifti(body().hu, body().affine)) + gzip.compress(b"", mtime=0) * 500_000)), NEVER_WRONG,
        may=("W_",))  # fmt: skip
    add("large_but_sound.nii.gz", _large_but_sound, NEVER_WRONG, may=("W_",))
    add("bomb_deflated.dcm", in_series(_deflated_bomb, ONE), kind="dicom")
    sizes_in = {
        "JPEG2000Lossless": struct.pack(">II", 50, 60),
        "JPEGLosslessProcess14_1": struct.pack(">HH", 60, 50),
        "JPEGLSLossless": struct.pack(">HH", 60, 50),
    }
    for syntax, old in sizes_in.items():
        add(f"codestream_of_65535_{syntax}", in_series(_patched(syntax, old, False), ONE), kind="dicom")
        add(f"codestream_and_header_of_65535_{syntax}", in_series(_patched(syntax, old, True), ONE), kind="dicom")


def _two_bombs(folder: Path, rng: np.random.Generator) -> Inputs:
    ct = put(folder / "ct.nii.gz", gz(_tall_nifti()) + zero_member(2 * int(np.prod(SHAPE))))
    mask = put(folder / "mask.nii.gz", gz(_tall_nifti("u1")) + zero_member(int(np.prod(SHAPE))))
    return Inputs(ct, mask, faulty=("ct.nii.gz", "mask.nii.gz"))


def _large_but_sound(folder: Path, rng: np.random.Generator) -> Inputs:
    """A CT of 2 GB in a small file: the rows of a plane are alike, eleven planes take turns; a mask of 12 slices."""
    depth, side, _ = SHAPE
    rows = [np.resize(body().hu[16, 22 + n], side).astype("i2") + np.arange(side, dtype="i2") % 97 for n in range(11)]
    planes = [gzip.compress(np.tile(row, (side, 1)).tobytes(), 1, mtime=0) for row in rows]
    ct = put(folder / "ct.nii.gz", gz(_tall_nifti()) + b"".join(planes[k % 11] for k in range(depth)))
    square = np.zeros((side, side), "u1")
    square[500:520, :40] = LABEL * (rows[0][:40] > 100)
    blank, drawn = (gzip.compress(p.tobytes(), 1, mtime=0) for p in (square * 0, square))
    mask = put(folder / "mask.nii.gz", gz(_tall_nifti("u1")) + blank * 400 + drawn * 12 + blank * (depth - 412))
    affine = body().affine.copy()
    affine[:3, 3] += affine[:3, 2] * 400
    slab = np.stack([np.tile(rows[k % 11], (side, 1)) for k in range(400, 412)])
    return Inputs(ct, mask, truth=numbers(slab, np.tile(square > 0, (12, 1, 1)), affine))


def _deflated_bomb(path: Path) -> None:
    """A slice whose deflated dataset goes on for 4 GB behind its pixels."""
    made = slices(body().hu, body().affine)[16]
    save(made, path, DEFLATED)
    content = path.read_bytes()
    start = 144 + struct.unpack("<I", content[140:144])[0]
    dataset = zlib.decompress(content[start:], -15)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    extra = element(0x7FE1, 0x1001, b"OB", b"", 4_000_000_000)
    first = engine.compress(dataset + extra) + engine.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(content[:start] + first + b"".join(zeros(4_000_000_000, -15)))


def _patched(syntax: str, old: bytes, header: bool) -> Callable[[Path], None]:
    """A compressed slice whose codestream says 65535 x 65535 pixels, as its header may."""

    def make(path: Path) -> None:
        transcode(path, syntax)
        content = path.read_bytes()
        before, mark, behind = content.rpartition(old) if syntax != "JPEG2000Lossless" else content.partition(old)
        assert mark
        wide = struct.pack(">II" if len(old) == 8 else ">HH", 65535, 65535)
        content = before + wide + behind
        if header:
            for group, number, value in ((0x28, 0x10, 60), (0x28, 0x11, 50)):
                content = content.replace(
                    element(group, number, b"US", struct.pack("<H", value)),
                    element(group, number, b"US", struct.pack("<H", 65535)),
                )
        path.write_bytes(content)

    return make


def _dicom() -> None:
    for depth in (3000, 100_000):
        add(f"nested_{depth}", in_series(lambda p, d=depth: with_bytes(p, nested(d)), ONE), NEVER_WRONG, kind="dicom")
    add("element_of_800_mb", in_series(_with_hole(800_000_000), ONE), NEVER_WRONG, kind="dicom")
    add("element_of_3_gb", in_series(_with_hole(3_000_000_000), ONE), NEVER_WRONG, kind="dicom")
    add("pixels_of_3_gb", in_series(_wide_slice, ONE), kind="dicom")
    add("sequence_of_million_items", in_series(_items, ONE), NEVER_WRONG, kind="dicom")
    add("seg_of_two_thousand_million_frames", _seg_said(NumberOfFrames=2**31 - 1), kind="mask")
    add("seg_of_65535_rows", _seg_said(Rows=65535, Columns=65535, NumberOfFrames=65535), kind="mask")
    add(
        "contour_of_a_million_points",
        _long_contour(1_000_000, 3.0),
        REFUSED_OR_WARNED | NEVER_WRONG,
        kind="mask",
        may=("W_",),
    )
    add("contour_of_coordinates_of_1e30", _long_contour(100, 1e30), kind="mask")
    add("contours_of_a_hundred_thousand", _many_contours, NEVER_WRONG, kind="mask", may=("W_",))


def _with_hole(size: int) -> Callable[[Path], None]:
    """A private element of zeros that takes no room on the disk."""

    def make(path: Path) -> None:
        before, name, behind = path.read_bytes().partition(b"\x10\x00\x10\x00PN")
        with path.open("wb") as stream:
            stream.write(before + element(9, 0x1001, b"OB", b"", size))
            stream.seek(size, os.SEEK_CUR)
            stream.write(name + behind)

    return make


def _wide_slice(path: Path) -> None:
    one = slices(body().hu, body().affine)[16]
    one.Rows, one.Columns = 50_000, 30_000
    save(one, path)
    content = path.read_bytes()
    at = content.index(struct.pack("<HH2sH", 0x7FE0, 0x10, b"OW", 0)) + 8
    _sparse(content[:at] + struct.pack("<I", 3_000_000_000), at + 4 + 3_000_000_000)(path)


def _items(path: Path) -> None:
    one = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    with_bytes(path, element(9, 0x1001, b"SQ", one * 1_000_000))


def _seg_said(**values: int) -> Build:
    def build(folder: Path, rng: np.random.Generator) -> Inputs:
        one = seg(frames_of(body().labels, body().affine), body().affine)
        for keyword, value in values.items():
            setattr(one, keyword, value)
        save(one, folder / "seg.dcm")
        return Inputs(plain_series(folder), folder / "seg.dcm", ("--label", "1"))

    return build


def _implicit(group: int, number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, number, len(value) + len(value) % 2) + value + b" " * (len(value) % 2)


def _one_item(value: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def _structures(contours: list[bytes], folder: Path) -> Inputs:
    """An RTSTRUCT whose contours, texts of numbers, are written as bytes: pydicom would take minutes."""
    one = structures({1: []})
    del one.ROIContourSequence, one.RTROIObservationsSequence
    path = save(one, folder / "rs.dcm", IMPLICIT)
    lines = b"".join(
        _one_item(
            _implicit(0x3006, 0x42, b"CLOSED_PLANAR")
            + _implicit(0x3006, 0x46, str((text.count(b"\\") + 1) // 3).encode())
            + _implicit(0x3006, 0x50, text)
        )
        for text in contours
    )
    roi = _implicit(0x3006, 0x40, lines) + _implicit(0x3006, 0x84, b"1")
    path.write_bytes(path.read_bytes() + _implicit(0x3006, 0x39, _one_item(roi)))
    return Inputs(plain_series(folder), path, ("--label", "1"), truth={})


def _circle(count: int, radius: float, place: float) -> bytes:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    places = np.column_stack([radius * np.cos(angle), 58 + radius * np.sin(angle), np.full(count, place)])
    return "\\".join(f"{v:.5g}" if radius > 1e6 else f"{v:.5f}" for v in places.ravel()).encode()


def _long_contour(count: int, radius: float) -> Build:
    return lambda folder, rng: _structures([_circle(count, radius, -285.0)], folder)


def _many_contours(folder: Path, rng: np.random.Generator) -> Inputs:
    places = [-310.5 + 1.5 * (10 + n % 12) for n in range(100_000)]
    return _structures([_circle(6, 5 + n / 50_000, place) for n, place in enumerate(places)], folder)


_places()
_sizes()
_bombs()
_dicom()
