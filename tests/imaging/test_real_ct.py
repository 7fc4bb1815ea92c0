"""Real CTs read right, the real MR is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging import flags, inspect, read_roi
from ovfrad.study.settings import Imaging

VOLUMES_ML = {"L1": 35.61, "L2": 36.42, "L3": 38.34, "L4": 39.04, "L5": 34.02}
"""Published with the data set for its VerSe-numbered file."""


@pytest.mark.parametrize("vertebra", VOLUMES_ML)
def test_published_volumes_of_the_torso(shared: Path, vertebra: str) -> None:
    folder = shared / "data/spine_ct/torso"
    roi = read_roi(folder / "ct.nii.gz", folder / "vertebrae_verse.nii.gz", vertebra=vertebra, scheme="verse")
    found = inspect(roi)
    assert round(found["volume_mm3"] / 1000, 2) == VOLUMES_ML[vertebra]
    assert found["warnings"] == []
    if vertebra == "L1":
        assert found["mean_hu"] == pytest.approx(148.1, abs=0.05)


def test_a_vertebra_cut_by_the_border_is_told(shared: Path) -> None:
    folder = shared / "data/spine_ct/torso"
    with pytest.warns(InputWarning, match=r"^W_MASK_BORDER vertebrae_verse.nii.gz: the region touches the border"):
        roi = read_roi(folder / "ct.nii.gz", folder / "vertebrae_verse.nii.gz", vertebra="T12", scheme="verse")
    assert round(inspect(roi)["volume_mm3"] / 1000, 2) == 30.70


def test_schemes_name_the_same_place(shared: Path) -> None:
    """Bodies and whole vertebrae: their centres lie some 12 mm apart, neighbouring levels over 30."""
    folder = shared / "data/spine_ct/torso"
    centres = [
        inspect(read_roi(folder / "ct.nii.gz", folder / f"vertebrae_{scheme}.nii.gz", vertebra="L3", scheme=scheme))
        for scheme in ("verse", "totalsegmentator")
    ]
    apart = np.subtract(centres[0]["centroid_lps"], centres[1]["centroid_lps"])
    assert np.linalg.norm(apart) < 20


def test_the_real_mr_is_refused(shared: Path) -> None:
    folder = shared / "data/spine_ct/mr"
    with pytest.raises(InputError) as error:
        read_roi(folder / "sub-mri_label-6_T2w.nii.gz", folder / "sub-mri_seg-vert_label-6_msk.nii.gz", label=6)
    assert str(error.value) == (
        "E_NOT_CT sub-mri_label-6_T2w.nii.gz: values run from 0 to 387 and 0 % lie below -30, where a CT shows fat; "
        "give the original CT in HU, its rescale applied; MR is not read"
    )


@pytest.mark.parametrize(("case", "voxels"), [("nifti_019", 5564), ("nifti_025", 9655)])
def test_real_sarcoma_cts_are_read_and_their_thick_slices_told(shared: Path, case: str, voxels: int) -> None:
    folder = shared / "data/sarcoma_ct" / case
    with pytest.warns(InputWarning, match=r"^W_THICK_SLICES CT_image.nii.gz: slices of 3.27 mm; above 3 mm"):
        roi = read_roi(folder / "CT_image.nii.gz", folder / "CT_mask.nii.gz")
    assert inspect(roi)["voxels"] == voxels
    assert [name for name, on in flags(roi, Imaging()).items() if on] == ["thick_slices"]
