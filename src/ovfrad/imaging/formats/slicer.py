"""3D Slicer's segmentations (.seg.nrrd): an NRRD label map with a table of segments, in layers where they overlap.

Keys: `SegmentN_Name`, `SegmentN_LabelValue`, `SegmentN_Layer`. The stored grid may be a part of the image's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ovfrad.imaging.formats.nrrd import nrrd_header, open_nrrd
from ovfrad.imaging.formats.text import refuse_header, shown
from ovfrad.imaging.geometry import matched
from ovfrad.imaging.masks.labelmap import LabelMap, labels_in
from ovfrad.imaging.masks.segments import Segment, plain_name, start_on
from ovfrad.imaging.volume import Grid, Volume


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
    k, j, i = source.grid.shape
    turned = matched(Volume(np.broadcast_to(np.uint8(0), (k, j, i)), source.grid.affine), ct)
    start = start_on(path, turned.grid, ct, part=True)
    array, present = labels_in(path, source)
    layered = array.reshape(k, j, i, -1)
    layers = [matched(Volume(layered[..., n], source.grid.affine), ct).array for n in range(layered.shape[3])]
    if any(layer >= len(layers) for layer, _ in values.values()):
        raise refuse_header(path, f"its table of segments names more layers than the {len(layers)} there are")
    known = {value for _, value in values.values()}
    values |= {Segment(n): (0, n) for n in present if n not in known}
    return LabelMap(path, tuple(layers), start, ct, tuple(sorted(values, key=lambda s: s.number)), source.notes, values)
