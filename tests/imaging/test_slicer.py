"""3D Slicer's segmentations: names, layers, cropped extents; and the choice of a structure by name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.errors import InputError
from ovfrad.imaging import Volume, inspect, read_roi

Files = tuple[Path, Path]
Table = list[tuple[str, int, int]]


def slicer(
    path: Path, layers: list[np.ndarray], table: Table, affine: np.ndarray, start: tuple[int, int, int] = (0, 0, 0)
) -> Path:
    """A .seg.nrrd of layers (k, j, i) that begin at voxel `start` (k, j, i) of a grid."""
    stored = np.stack(layers, axis=-1).astype(np.uint8)
    k, j, i, n = stored.shape
    origin = affine[:3, 3] + affine[:3, :3] @ np.array(start[::-1])
    directions = " ".join("(" + ",".join(map(str, affine[:3, axis])) + ")" for axis in range(3))
    lines = [
        "NRRD0004", "# Complete NRRD file format specification at:", "type: unsigned char",
        f"dimension: {4 if n > 1 else 3}", "space: left-posterior-superior",
        f"sizes: {f'{n} ' if n > 1 else ''}{i} {j} {k}", f"space directions: {'none ' if n > 1 else ''}{directions}",
        f"kinds: {'list ' if n > 1 else ''}domain domain domain", "encoding: gzip",
        f"space origin: ({','.join(map(str, origin))})",
    ]  # fmt: skip
    for m, (name, value, layer) in enumerate(table):
        lines += [
            f"Segment{m}_ID:=Segment_{m}", f"Segment{m}_Name:={name}", f"Segment{m}_LabelValue:={value}",
            f"Segment{m}_Layer:={layer}",
        ]  # fmt: skip
    path.write_bytes("\n".join([*lines, "", ""]).encode() + gzip.compress(stored.tobytes()))
    return path


@pytest.fixture
def labels(volumes: tuple[Volume, Volume]) -> tuple[np.ndarray, np.ndarray]:
    return volumes[1].array, volumes[1].affine


def facts(ct: Path, mask: Path, **how: Any) -> dict[str, Any]:
    found = inspect(read_roi(ct, mask, **how))
    del found["warnings"]  # they name the file
    return found


def refusal(ct: Path, mask: Path, **how: Any) -> str:
    with pytest.raises(InputError) as error:
        read_roi(ct, mask, **how)
    return str(error.value)


@pytest.mark.filterwarnings("ignore::ovfrad.errors.InputWarning")
def test_names_layers_and_values(files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    array, affine = labels
    one = slicer(tmp_path / "one.seg.nrrd", [array], [("L1", 20, 0), ("vertebra L2", 21, 0)], affine)
    two = slicer(tmp_path / "two.seg.nrrd", [array == 20, array > 0], [("L1", 1, 0), ("both", 1, 1)], affine)
    wanted = facts(*files, label=20)
    for how in ({"label": 20}, {"label": "20"}, {"label": "L1"}, {"label": " l1 "}, {"vertebra": "L1"}):
        assert facts(files[0], one, **how) == wanted
    assert facts(files[0], one, label="L2") == facts(files[0], one, vertebra="L2") == facts(*files, label=21)
    th = slicer(tmp_path / "th.seg.nrrd", [array], [("Th11", 20, 0), ("vertebrae_Th12", 21, 0)], affine)
    assert facts(files[0], th, label="T11") == facts(files[0], th, vertebra="T11") == wanted
    assert facts(files[0], th, label="th12") == facts(*files, label=21)
    assert facts(files[0], two, label="L1") == wanted
    assert facts(files[0], two, label="both")["voxels"] == np.count_nonzero(array)
    lone = slicer(tmp_path / "lone.seg.nrrd", [np.where(array == 21, array, 0)], [("vertebrae_L2", 21, 0)], affine)
    for how in ({"vertebra": "L1"}, {"label": 21, "vertebra": "L1"}):
        assert refusal(files[0], lone, **how) == (
            "E_MASK_LABEL lone.seg.nrrd: label 21 is 'vertebrae_L2' by its own names, not L1; correct the vertebra, or "
            "give its mask"
        )
    assert refusal(files[0], two, label=1) == (
        "E_MASK_LABEL two.seg.nrrd: has 2 structures that fit '1': 1 'L1', 1 'both'; "
        "ask by what differs, number or name"
    )
    assert refusal(files[0], one, label="L3") == (
        "E_MASK_LABEL one.seg.nrrd: has no 'L3' (labels present: 20 'L1', 21 'vertebra L2'); name one that is present"
    )


def test_a_cropped_extent_is_placed(files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    array, affine = labels
    part = slicer(tmp_path / "part.seg.nrrd", [array[3:18, 8:42, 6:40] == 20], [("L1", 1, 0)], affine, (3, 8, 6))
    assert facts(files[0], part) == facts(*files, label=20)


def test_an_extent_beyond_the_image_may_be_empty_there(
    files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    array, affine = labels
    wide = np.pad(array == 20, 5)
    path = slicer(tmp_path / "wide.seg.nrrd", [wide], [("L1", 1, 0)], affine, (-5, -5, -5))
    assert facts(files[0], path) == facts(*files, label=20)
    wide[0, 0, 0] = True
    slicer(path, [wide], [("L1", 1, 0)], affine, (-5, -5, -5))
    assert refusal(files[0], path) == (
        "E_MASK_OUTSIDE wide.seg.nrrd: 1 of its voxels lie outside the CT; check that mask and CT belong together"
    )


def test_a_shifted_extent_is_refused(files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    array, affine = labels
    moved = affine.copy()
    moved[0, 3] += 0.3
    path = slicer(tmp_path / "moved.seg.nrrd", [array == 20], [("L1", 1, 0)], moved)
    assert refusal(files[0], path).startswith("E_MASK_GRID moved.seg.nrrd: origin is 0.3 mm off the CT's along x; ")


def test_a_table_that_does_not_fit_is_refused(
    files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    array, affine = labels
    path = slicer(tmp_path / "odd.seg.nrrd", [array == 20], [("L1", 1, 3)], affine)
    assert refusal(files[0], path).startswith(
        "E_IMAGE_HEADER odd.seg.nrrd: its table of segments names more layers than the 1 there are; "
    )
    empty = slicer(path, [array == 20], [("L1", 1, 0), ("L2", 2, 0)], affine)
    assert refusal(files[0], empty, label="L2").startswith("E_MASK_EMPTY odd.seg.nrrd: label 2 (L2) has no voxel; ")


def test_inspect_lists_what_a_mask_holds(
    files: Files, labels: tuple[np.ndarray, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array, affine = labels
    mask = slicer(tmp_path / "one.seg.nrrd", [array], [("L1", 20, 0), ("=cmd\x1b[31m", 21, 0)], affine)
    assert guarded(app, ["inspect", str(files[0]), str(mask), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["labels"] == [
        {"label": 20, "name": "L1", "voxels": 4455, "volume_mm3": pytest.approx(4455 * 1.28, rel=1e-6)},
        {"label": 21, "name": "=cmd [31m", "voxels": 2025, "volume_mm3": pytest.approx(2025 * 1.28, rel=1e-6)},
    ]
    assert shown.err.startswith("E_MASK_LABEL one.seg.nrrd: holds the labels 20 'L1', 21 ")
    assert guarded(app, ["inspect", str(files[0]), str(files[1]), "--scheme", "verse"]) == 2
    shown = capsys.readouterr()
    assert [line.split() for line in shown.out.splitlines()] == [
        ["20", "L1", "4,455", "voxels", "5.70", "ml"],
        ["21", "L2", "2,025", "voxels", "2.59", "ml"],
    ]
