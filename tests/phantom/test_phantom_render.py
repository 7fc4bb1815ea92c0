"""What a rendered case must show: size, density, loss of height, clefts, the canal, and two readers' masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ovfrad.phantom.anatomy import Anatomy
from ovfrad.phantom.cohort import Case, sample_cohort
from ovfrad.phantom.fields import Grid, coverage, random_field, rod
from ovfrad.phantom.fracture import Fracture
from ovfrad.phantom.items import Findings
from ovfrad.phantom.render import Phantom, render
from ovfrad.phantom.scanners import SCANNERS


@pytest.fixture(scope="module")
def case() -> Case:
    return replace(sample_cohort(40, 0)[0], vertebra="L1", sex="F", scanner=SCANNERS[0], seed=7)


def shown(
    case: Case, morphology: int, mri: int = 1, t_score: float = -2.5, stage: str = "acute", seed: int = 7
) -> Case:
    return replace(case, shown=Findings(morphology, mri, t_score, stage), seed=seed)  # type: ignore[arg-type]


def ml(phantom: Phantom) -> float:
    return float(phantom.mask.sum() * np.prod(np.diag(phantom.affine)[:3]) / 1000)


def test_same_seed_same_voxels_and_other_seed_others(case: Case) -> None:
    one, same, other = render(case), render(case), render(replace(case, seed=8))
    assert np.array_equal(one.image, same.image) and np.array_equal(one.mask_reader2, same.mask_reader2)
    assert one.truth == same.truth
    assert not np.array_equal(one.image, other.image)


def test_the_body_lies_inside_the_crop_in_one_piece(case: Case) -> None:
    for morphology in range(3):
        phantom = render(shown(case, morphology))
        for mask in (phantom.mask, phantom.mask_reader2):
            assert ndimage.label(mask)[1] == 1
            inner = mask[5:-5, 5:-5, 5:-5]
            assert inner.sum() == mask.sum()


def test_sizes_follow_level_and_sex(case: Case) -> None:
    """Volumes of unbroken bodies; a woman's L1 body measures about 20 to 30 ml on CT, T6 about a third of it."""
    l1 = ml(render(shown(case, 0)))
    assert 17 < l1 < 33
    assert ml(render(shown(replace(case, sex="M"), 0))) / l1 == pytest.approx(0.9**-3, rel=0.05)
    assert 0.25 < ml(render(shown(replace(case, vertebra="T6"), 0))) / l1 < 0.55


def test_loss_of_height_costs_volume_and_spares_the_neighbours(case: Case) -> None:
    whole, broken = render(shown(case, 0)), render(shown(case, 2))
    assert ml(broken) < 0.85 * ml(whole)
    assert broken.truth["height_loss"] > 0.3 > 0.1 > whole.truth["height_loss"]  # type: ignore[operator]


def test_density_follows_the_t_score(case: Case) -> None:
    def inner_hu(t_score: float) -> float:
        values = []
        for seed in range(3):
            phantom = render(shown(case, 0, t_score=t_score, seed=seed))
            values.append(phantom.image[ndimage.binary_erosion(phantom.mask, iterations=4)].mean())
        return float(np.mean(values))

    assert inner_hu(-1.0) - inner_hu(-4.0) == pytest.approx(99, abs=30)


def test_a_burst_body_stands_back_into_the_canal(case: Case) -> None:
    def back_mm(morphology: int) -> float:
        """Where the midline of the upper half of the posterior wall lies, mm behind the centre of the crop."""
        phantom = render(shown(case, morphology))
        ks = np.nonzero(phantom.mask.any((1, 2)))[0]
        middle = phantom.mask[ks[len(ks) // 2] : ks[-1], :, :]
        i = middle.shape[2] // 2
        j = np.nonzero(middle[:, :, i - 3 : i + 4].any((0, 2)))[0].max()
        return float(phantom.affine[1, 3] + phantom.affine[1, 1] * j)

    assert back_mm(2) > back_mm(0) + 1.5


def test_vacuum_shows_gas_or_fluid_and_oedema_hardly_anything(case: Case) -> None:
    kinds = set()
    for seed in range(6):
        phantom = render(shown(case, 1, mri=2, seed=seed))
        kinds.add(phantom.truth["cleft"])
        inner = phantom.image[ndimage.binary_erosion(phantom.mask, iterations=3)]
        if phantom.truth["cleft"] == "gas":
            assert inner.min() < -150
    assert kinds == {"gas", "fluid"}
    dry, wet = (render(shown(case, 0, mri=mri, stage="chronic")) for mri in (0, 1))
    assert 0 < wet.image[wet.mask].mean() - dry.image[dry.mask].mean() < 25


def test_pain_is_not_visible(case: Case) -> None:
    assert np.array_equal(render(replace(case, pain=0)).image, render(replace(case, pain=2)).image)


def test_readers_draw_nearly_the_same(case: Case) -> None:
    phantom = render(shown(case, 1))
    dice = 2 * (phantom.mask & phantom.mask_reader2).sum() / (phantom.mask.sum() + phantom.mask_reader2.sum())
    assert 0.92 < dice < 0.99


def test_masks_exclude_each_other_and_the_neighbours_lie_above_and_below(case: Case) -> None:
    phantom = render(case)
    assert not (phantom.mask & (phantom.neighbours != 0)).any()
    centre = np.argwhere(phantom.mask).mean(axis=0)[0]
    assert (
        np.argwhere(phantom.neighbours == 1).mean(axis=0)[0]
        > centre
        > np.argwhere(phantom.neighbours == -1).mean(axis=0)[0]
    )
    assert phantom.whole.sum() > 1.1 * phantom.mask.sum()


def test_another_scanner_sees_the_same_anatomy_on_its_grid(case: Case) -> None:
    volumes = [ml(render(case, scanner)) for scanner in SCANNERS]
    assert max(volumes) / min(volumes) < 1.04
    shapes = {render(case, scanner).image.shape for scanner in SCANNERS[:3]}
    assert len(shapes) == 3


def test_spread_of_the_patterns(case: Case) -> None:
    rng = np.random.default_rng(0)
    drawn = [Fracture.draw(Findings(1, 1, -3.0, "acute"), rng) for _ in range(200)]
    assert {fracture.pattern for fracture in drawn} == {"wedge", "biconcave", "crush"}
    assert all(0.14 <= fracture.loss <= 0.40 for fracture in drawn)
    assert Anatomy.draw(shown(case, 2), rng).fracture.retropulsion >= 2.5


def test_fields_have_unit_variance_and_do_not_depend_on_the_grid() -> None:
    coarse = Grid.spanning((60, 60, 60), (-30, -30, -30), (2, 2, 2))
    fine = Grid.spanning((60, 60, 60), (-30, -30, -30), (1, 1, 1))
    one, two = (random_field(np.random.default_rng(1), grid, 5.0) for grid in (coarse, fine))
    assert np.allclose(one, two[::2, ::2, ::2], atol=1e-4)
    assert one.std() == pytest.approx(1, abs=0.1)


def test_coverage_and_rod() -> None:
    distance = np.array([-1, -0.25, 0, 0.25, 1], np.float32)
    assert coverage(distance, 1.0).tolist() == [1, 0.75, 0.5, 0.25, 0]
    x, y, z = (np.array(v, np.float32) for v in ([0, 3, 0], [0, 0, 0], [0, 0, 7]))
    assert rod((x, y, z), (0, 0, -5), (0, 0, 5), 1.0, 1.0).tolist() == [-1, 2, 1]
