"""3D Slicer's segmentations (.seg.nrrd): an NRRD label map with a table of segments, in layers where they overlap.

Keys: `SegmentN_Name`, `SegmentN_LabelValue`, `SegmentN_Layer`. The stored grid may be a part of the image's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ovfrad.imaging.formats.nrrd import nrrd_header, open_nrrd
from ovfrad.imaging.formats.text import refuse_header, shown
from ovfrad.imaging.masks.labelmap import LabelMap, check_grid, packed
from ovfrad.imaging.masks.segments import Segment, plain_name
from ovfrad.imaging.volume import Grid


def _whole(path: Path, text: str, key: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise refuse_header(path, f"its {key} is '{shown(text)}'")
    return int(text)


def _table(path: Path, head: dict[str, str]) -> Iterator[tuple[Segment, tuple[int, int]]]:
    """Segments of the header with their layer and value."""
    for key in head:
        if named := re.fullmatch(r"segment([0-9]{1,4})_labelvalue", key):
            field = {name: head.get(f"segment{named[1]}_{name}", "").removeprefix("=") for name in ("name", "layer")}
            value = _whole(path, head[key].removeprefix("="), "label value")
            if value == 0:
                raise refuse_header(path, "its table gives a segment the value 0, which is no segment")
            name = plain_name(field["name"].encode("latin-1").decode("utf-8", "replace"))
            yield Segment(value, name or None), (_whole(path, field["layer"] or "0", "layer"), value)


def open_slicer(path: Path, ct: Grid) -> LabelMap:
    """Segments of a file, on a part of the CT's grid or the whole."""
    table = list(_table(path, nrrd_header(path)[0]))
    values = dict(table)
    if len(values) < len(table) or len(set(values.values())) < len(table):
        raise refuse_header(path, "two segments of its table are one")
    source = open_nrrd(path, layered=True)
    check_grid(source, ct, part=True)
    slices, shape = packed(source)
    layers = shape[2] if len(shape) == 3 else 1
    if any(layer >= layers for layer, _ in values.values()):
        raise refuse_header(path, f"its table of segments names more layers than the {layers} there are")
    known = {value for _, value in values.values()}
    present = set().union(*(one.labels for one in slices.values()))
    values |= {Segment(n): (0, n) for n in sorted(present - known)}
    segments = tuple(sorted(values, key=lambda s: s.number))
    return LabelMap(path, slices, shape, source.grid.affine, ct, segments, source.notes, values)
