"""HU that cannot be: a wrong scale shows in the air, a filled file in a region without noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging import Roi, Volume, read_roi, write_nifti
from ovfrad.imaging.plausibility import odd_values

Files = tuple[Path, Path]
Values = NDArray[np.float64]
LUNG = np.random.default_rng(2).normal(-850, 12, 40_000)


def in_air(volumes: tuple[Volume, Volume], change: Callable[[Values], Values], folder: Path) -> Files:
    """The body in air, its HU changed, and the mask on its grid."""
    ct, mask = volumes
    k, j, i = ct.array.shape
    wide = np.random.default_rng(1).normal(-1000, 8, (k, j + 30, i + 30))
    wide[:, 15:-15, 15:-15] = ct.array
    labels = np.pad(mask.array, ((0, 0), (15, 15), (15, 15)))
    image = Volume(change(np.rint(wide)).astype(np.float32), ct.affine)
    return write_nifti(image, folder / "ct.nii"), write_nifti(Volume(labels, ct.affine), folder / "mask.nii.gz")


def read(files: Files) -> Roi:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_roi(*files, label=20)


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (0.5, "% of its voxels lie near -500 HU, like air, which has -1000 HU"),
        (0.6, "% of its voxels lie near -600 HU, like air, which has -1000 HU"),
        (1.3, "% of its voxels lie below -1100 HU and are no padding"),
        (2.0, "% of its voxels lie below -1100 HU and are no padding"),
    ],
)
def test_air_of_a_wrong_scale_is_told_of(
    tmp_path: Path, volumes: tuple[Volume, Volume], factor: float, text: str
) -> None:
    (line,) = read(in_air(volumes, lambda hu: hu * factor, tmp_path)).warnings
    assert line.startswith("W_CT_SCALE ct.nii: ") and text in line
    assert line.endswith("; slope or intercept may be wrong: compare with the original")


def test_a_tenth_of_hu_is_told_of(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    def change(hu: Values) -> Values:
        hu = np.where(hu < -900, hu, 6 * hu)  # fat of -600 HU and bone of 2000, so that a tenth passes for CT
        return hu / 10

    (line,) = read(in_air(volumes, change, tmp_path)).warnings
    assert line.startswith("W_CT_SCALE ct.nii: 100 % of what is not air lies within ±250 HU")


@pytest.mark.parametrize(
    "values",
    [
        np.concatenate([LUNG, np.full(20_000, -100.0), np.linspace(0, 800, 20_000)]),
        np.concatenate([np.full(50_000, -3024.0), np.full(50_000, -2000.0), np.linspace(-120, 800, 50_000)]),
        np.concatenate([np.full(40_000, -2048.0) + LUNG / 1e5, np.linspace(-120, 800, 50_000)]),
        np.concatenate([LUNG - 150, np.linspace(-120, 800, 90_000)]),
    ],
    ids=["lung", "two paddings", "a resampled padding", "noisy air"],
)
def test_lung_air_and_padding_are_right(values: Values) -> None:
    assert odd_values(Path("ct.nii"), values) == ()


def test_a_ct_turned_round_is_named_itself(tmp_path: Path, volumes: tuple[Volume, Volume]) -> None:
    with pytest.raises(InputError, match=r"^E_CT_SCALE ct\.nii: 6\d % of its voxels lie above 900 HU; .*sign or scale"):
        read(in_air(volumes, np.negative, tmp_path))


@pytest.mark.parametrize(("first", "said"), [(12, ("W_ROI_VALUES", "36.4 %")), (0, ("E_ROI_VALUES", "100 %"))])
def test_a_region_filled_with_one_value_is_no_tissue(
    tmp_path: Path, volumes: tuple[Volume, Volume], first: int, said: tuple[str, str]
) -> None:
    def change(hu: Values) -> Values:
        hu[first:17, 20:-20, 20:-20] = 0  # as programs fill what a file lacks
        return hu

    files = in_air(volumes, change, tmp_path)
    try:
        (line,) = read(files).warnings
    except InputError as error:
        line = str(error)
    assert line.startswith(said[0]) and "mask.nii.gz: covers voxels of which" in line and f"{said[1]} have one" in line
