"""`prepare`: stored orientation never matters, nothing is made up outside the scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ovfrad.errors import InputError
from ovfrad.imaging import Roi, Volume, prepare, read_roi, write_nifti
from ovfrad.imaging.geometry import Turn, turned
from ovfrad.imaging.resample import grid_axis, resample_image, resample_mask
from ovfrad.study.settings import Imaging

SETTINGS = Imaging()


def test_a_cubic_polynomial_is_reproduced_between_the_voxels() -> None:
    k, j, i = np.indices((20, 24, 28)).astype(float)

    def field(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 0.02 * (x - 14) ** 3 - 0.5 * (y - 12) ** 2 + 3 * z

    volume = Volume(field(k, j, i).astype(np.float32), np.diag([1.5, 1.5, 2.0, 1.0]))
    new = resample_image(volume, 1.0)
    kk, jj, ii = np.indices(new.array.shape)
    point = np.linalg.inv(volume.affine) @ new.affine @ np.stack([ii.ravel(), jj.ravel(), kk.ravel(), np.ones(ii.size)])
    wanted = field(*point[2::-1]).reshape(new.array.shape)
    inner = (slice(8, -8),) * 3  # the mirrored ends are no polynomial
    np.testing.assert_allclose(new.array[inner], wanted[inner], atol=0.02)


def test_agrees_with_scipy_splines() -> None:
    rng = np.random.default_rng(1)
    volume = Volume(rng.normal(100, 50, (12, 15, 18)).astype(np.float32), np.diag([0.7, 0.9, 2.5, 1.0]))
    axes = [grid_axis(n, s, 1.0) for n, s in zip((18, 15, 12), volume.spacing, strict=True)]
    points = np.meshgrid(*axes[::-1], indexing="ij")
    wanted = ndimage.map_coordinates(volume.array.astype(float), points, order=3, mode="mirror")
    np.testing.assert_allclose(resample_image(volume, 1.0).array, wanted, atol=1e-3)


def test_the_new_grid_stays_inside_the_stored_centres() -> None:
    for size, old in [(1, 3.0), (2, 0.4), (30, 0.9765625), (40, 3.27), (7, 1.0)]:
        axis = grid_axis(size, old, 1.0)
        assert axis[0] >= 0
        assert axis[-1] <= size - 1
        assert axis[0] == pytest.approx(size - 1 - axis[-1])
        assert axis[0] * old < 0.5 + 1e-9


def test_voxels_of_the_wanted_size_are_kept_bit_by_bit() -> None:
    volume = Volume(np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32), np.eye(4))
    np.testing.assert_array_equal(resample_image(volume, 1.0).array, volume.array)


def test_thin_stacks_are_resampled() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4):
        volume = Volume(rng.normal(0, 100, (n, 9, 9)).astype(np.float32), np.diag([1.0, 1.0, 2.0, 1.0]))
        new = resample_image(volume, 1.0)
        np.testing.assert_allclose(new.array[::2], volume.array, atol=1e-2)


def test_a_jitter_of_the_spacing_moves_no_mask_voxel() -> None:
    mask = np.random.default_rng(0).random((9, 9, 9)) > 0.5
    first = resample_mask(Volume(mask, np.diag([2.0, 2.0, 2.0, 1.0])), 1.0)
    for off in (-1e-6, 1e-6):
        second = resample_mask(Volume(mask, np.diag([2.0 + off, 2.0, 2.0, 1.0])), 1.0)
        np.testing.assert_array_equal(first.array, second.array)


@pytest.mark.parametrize(
    "turn", [Turn((2, 0, 1), (1, -1, -1)), Turn((0, 1, 2), (-1, -1, 1)), Turn((1, 2, 0), (-1, 1, 1))]
)
def test_all_stored_orientations_are_prepared_alike(volumes: tuple[Volume, Volume], tmp_path: Path, turn: Turn) -> None:
    ct, mask = volumes
    first = prepare(_roi(ct, mask, tmp_path / "a"), SETTINGS)
    other = prepare(_roi(turned(ct, turn), turned(mask, turn), tmp_path / "b"), SETTINGS)
    mixed = prepare(_roi(turned(ct, turn), mask, tmp_path / "c"), SETTINGS)
    for roi in (other, mixed):
        np.testing.assert_array_equal(roi.ct.array, first.ct.array)
        np.testing.assert_array_equal(roi.mask.array, first.mask.array)
        np.testing.assert_allclose(roi.ct.affine, first.ct.affine, atol=1e-4)


def _roi(ct: Volume, mask: Volume, folder: Path) -> Roi:
    folder.mkdir()
    paths = write_nifti(ct, folder / "ct.nii"), write_nifti(mask, folder / "mask.nii.gz")
    return read_roi(*paths, label=20, margin_mm=6)


def test_the_real_pir_crop_and_its_ras_and_lps_copies_are_prepared_alike(shared: Path, tmp_path: Path) -> None:
    import nibabel

    folder = shared / "data/spine_ct/l3_crop"
    paths = folder / "sub-ct_label-22_ct.nii.gz", folder / "sub-ct_seg-vert_label-22_msk.nii.gz"
    first = prepare(read_roi(*paths, label=22), SETTINGS)
    for codes in ("RAS", "LPS", "SLA"):
        copies = []
        for path in paths:
            image = nibabel.load(path)
            turn = nibabel.orientations.ornt_transform(
                nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(codes)
            )
            copies.append(tmp_path / f"{codes}_{path.name}")
            nibabel.save(image.as_reoriented(turn), copies[-1])
        for pair in (copies, [paths[0], copies[1]]):
            other = prepare(read_roi(*pair, label=22), SETTINGS)
            np.testing.assert_array_equal(other.ct.array, first.ct.array)
            np.testing.assert_array_equal(other.mask.array, first.mask.array)


def test_a_speck_that_vanishes_is_refused() -> None:
    mask = np.zeros((6, 6, 6), bool)
    mask[0, 0, 0] = True
    grid = np.diag([0.3, 0.3, 0.3, 1.0])
    with pytest.raises(InputError) as error:
        prepare(Roi(Volume(np.zeros((6, 6, 6), np.float32), grid), Volume(mask, grid), "P1 L1"), SETTINGS)
    assert str(error.value) == (
        "E_MASK_SMALL P1 L1: the mask has no voxel left at 1 mm; give a mask of the whole vertebral body"
    )
