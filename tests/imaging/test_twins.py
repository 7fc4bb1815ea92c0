"""The same content stored another way has the same numbers, whatever is combined with what."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))  # for `corpus`

from corpus.base import LABEL, body, numbers, rotated, stored
from corpus.dicom import save
from corpus.segments import frames_of, seg
from corpus.structures import contours_of, structures
from corpus.twins import Scanner, Storage, oblique, scanners, storages
from corpus.volumes import TURNS

from ovfrad.cli import app
from ovfrad.cli.console import guarded

EXACT = 1e-6
FAR = 1e-3
"""mm by which float32 headers of oblique grids may move a centroid 300 mm from the origin."""
quick = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def inspected(image: Path, mask: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """What `inspect` says, and its stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = guarded(app, ["inspect", str(image), str(mask), *(arguments or ("--label", str(LABEL))), "--json"])
    assert code == 0, err.getvalue()
    return json.loads(out.getvalue()), err.getvalue()


def assert_same(found: tuple[dict[str, Any], str], affine: Any, may: tuple[str, ...] = ("W_NIFTI_SCALE",)) -> None:
    said = [line.split()[0] for line in found[1].splitlines()]
    assert set(said) <= set(may), found[1]
    for key, value in numbers(body().hu, body().labels == LABEL, affine).items():
        within = {"rel": 1e-6, "abs": FAR} if key == "centroid_lps" else {"rel": EXACT}
        assert found[0][key] == pytest.approx(value, **within), key


@quick
@given(ct=storages(), mask=storages(0.009, (None,), ("u1", "i2", "u4", "f4")))
def test_volumes(ct: Storage, mask: Storage) -> None:
    with a_folder() as folder:
        found = inspected(
            ct.write(body().hu, body().affine, folder / "ct"), mask.write(body().labels, body().affine, folder / "mask")
        )
    assert_same(found, body().affine)


@quick
@given(affine=oblique(), ct=storages(), mask=storages(0.005, (None,), ("u1", "f8")))
def test_oblique_volumes(affine: Any, ct: Storage, mask: Storage) -> None:
    with a_folder() as folder:
        found = inspected(
            ct.write(body().hu, affine, folder / "ct"), mask.write(body().labels, affine, folder / "mask")
        )
    assert_same(found, affine)


@quick
@given(scanner=scanners(), mask=storages(0.005, (None,), ("u1",)))
def test_series(scanner: Scanner, mask: Storage) -> None:
    with a_folder() as folder:
        found = inspected(
            scanner.write(body().hu, body().affine, folder / "series"),
            mask.write(body().labels, body().affine, folder / "mask"),
        )
    assert_same(found, body().affine, ("W_DICOM_RESCALE",))


@quick
@given(scanner=scanners(), turn=st.sampled_from(TURNS), per_frame=st.booleans(), with_empty=st.booleans())
def test_segmentations(scanner: Scanner, turn: Any, per_frame: bool, with_empty: bool) -> None:
    labels, affine = stored(body().labels, body().affine, *turn)
    with a_folder() as folder:
        mask = save(seg(frames_of(labels, affine, with_empty), affine, per_frame), folder / "seg.dcm")
        found = inspected(scanner.write(body().hu, body().affine, folder / "series"), mask, "--label", "body of L1")
    assert_same(found, body().affine, ("W_DICOM_RESCALE",))


@quick
@given(scanner=scanners(), tilt=st.sampled_from((0.0, 0.0, 5.0, -31.0)))
def test_structures(scanner: Scanner, tilt: float) -> None:
    """Contours lie in the slices, so these keep their plane; rows and columns may be stored in any order."""
    axes, flips = scanner.turn
    held = replace(scanner, turn=((0, 1, 2) if axes[0] < axes[1] else (1, 0, 2), flips))
    affine = rotated(body().affine, tilt, 0)
    with a_folder() as folder:
        mask = save(structures({1: contours_of(body().labels == LABEL, affine)}), folder / "rs.dcm")
        found = inspected(held.write(body().hu, affine, folder / "series"), mask, "--label", "body of L1")
    assert_same(found, affine, ("W_DICOM_RESCALE",))
