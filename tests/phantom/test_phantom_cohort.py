"""The phantom's cohort against the tables of Liu J et al., JMIR Med Inform 2025;13:e75665."""

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from ovfrad.astlof import AstlofScore, bone_density_points
from ovfrad.errors import InputError
from ovfrad.phantom.anatomy import SIZES_MM
from ovfrad.phantom.cohort import LEVELS, Case, apportion, sample_cohort
from ovfrad.phantom.items import COHORT_CLASSES, TREATED, item_table, second_reading


@pytest.fixture(scope="module")
def paper() -> list[Case]:
    return sample_cohort(1098, seed=3)


@pytest.fixture(scope="module")
def patients(paper: list[Case]) -> list[Case]:
    return list({case.patient_id: case for case in paper}.values())


def test_counts_are_those_of_the_paper(paper: list[Case], patients: list[Case]) -> None:
    fractures = Counter(Counter(case.patient_id for case in paper).values())
    assert fractures == {1: 879, 2: 87, 3: 15}
    assert Counter(case.cohort for case in paper) == {"train": 750, "internal": 187, "external": 110, "prospective": 51}
    assert sum(case.sex == "F" for case in patients) == 687


def test_classes_by_cohort_are_those_of_table_1(paper: list[Case]) -> None:
    found = Counter((case.cohort, case.treatment_class) for case in paper)
    assert {c: tuple(found[c, k] for k in range(3)) for c in COHORT_CLASSES} == COHORT_CLASSES


def test_ages_t_scores_and_fractures_are_near_table_1(paper: list[Case], patients: list[Case]) -> None:
    age = np.array([case.age for case in patients])
    t_score = np.array([case.findings.t_score for case in patients])
    assert age.mean() == pytest.approx(69.56, abs=1.0) and age.std() == pytest.approx(9.88, abs=0.7)
    assert age.min() >= 50 and age.max() <= 95
    assert t_score.mean() == pytest.approx(-2.8, abs=0.1) and t_score.std() == pytest.approx(0.8, abs=0.07)
    assert np.mean([case.vertebra in LEVELS and case.vertebra[0] == "T" for case in paper]) == pytest.approx(
        1 / 3, abs=0.05
    )
    assert np.mean([case.findings.stage == "acute" for case in paper]) == pytest.approx(2 / 3, abs=0.05)


def test_treatments_follow_table_2(paper: list[Case]) -> None:
    found = Counter((case.treatment_class, case.treatment) for case in paper)
    for k, name in enumerate(("conservative", "PVA", "open surgery")):
        for klass, total in enumerate((508, 482, 108)):
            assert found[klass, name] / total == pytest.approx(TREATED[klass][k] / total, abs=0.12)


def test_no_patient_is_in_two_cohorts_or_has_a_level_twice(paper: list[Case]) -> None:
    assert len({(case.patient_id, case.cohort) for case in paper}) == len({case.patient_id for case in paper})
    assert len({(case.patient_id, case.vertebra) for case in paper}) == len(paper)
    for attribute in ("age", "sex", "scanner", "acquired", "twice_drawn"):
        assert len({(case.patient_id, getattr(case, attribute)) for case in paper}) == 981


def test_centres_scanners_and_dates(paper: list[Case]) -> None:
    center = {"train": "A", "internal": "A", "external": "B", "prospective": "C"}
    assert all(case.center == center[case.cohort] == case.scanner.center for case in paper)
    assert len({case.scanner.name for case in paper if case.center == "A"}) == 2
    for case in paper:
        first = date(2024, 1, 1) if case.center == "C" else date(2018, 12, 1)
        assert first <= case.acquired <= date(2024, 12, 31)


def test_label_is_the_astlof_score_of_the_items(paper: list[Case]) -> None:
    for case in paper:
        density = bone_density_points(case.findings.t_score)
        score = AstlofScore(case.findings.morphology, case.findings.mri, density, case.pain)
        assert (case.score, case.treatment_class) == (score.total, score.treatment_class)


def test_two_readers_agree_as_readers_do(paper: list[Case]) -> None:
    first = np.array([(case.findings.morphology, case.findings.mri, case.pain) for case in paper])
    second = np.array([case.second for case in paper])
    for item in range(3):
        kappas = [cohen_kappa_score(first[:, item], second[:, item], weights=w) for w in ("linear", "quadratic")]
        assert np.mean(kappas) == pytest.approx(0.8, abs=0.05)


def test_a_reader_is_at_most_one_point_off() -> None:
    rng = np.random.default_rng(0)
    assert {second_reading(0, 1, rng) for _ in range(300)} == {0, 1}
    assert {second_reading(1, 1, rng) for _ in range(300)} == {0, 1, 2}
    assert {second_reading(2, 1, rng) for _ in range(300)} == {1, 2}


@pytest.mark.parametrize(("vertebrae", "least"), [(1098, 30), (120, 10), (40, 10)])
def test_second_reader_draws_training_patients(vertebrae: int, least: int) -> None:
    cases = sample_cohort(vertebrae)
    twice = {case.patient_id for case in cases if case.twice_drawn}
    assert least <= len(twice) <= 30
    assert {case.cohort for case in cases if case.twice_drawn} == {"train"}


@pytest.mark.parametrize("vertebrae", [40, 41, 57, 80, 120, 333])
@pytest.mark.parametrize("seed", range(5))
def test_small_cohorts_hold_every_class_everywhere(vertebrae: int, seed: int) -> None:
    cases = sample_cohort(vertebrae, seed)
    found = Counter((case.cohort, case.treatment_class) for case in cases)
    assert len(cases) == vertebrae
    assert min(found["train", k] for k in range(3)) >= 4
    assert all(found[cohort, k] >= 1 for cohort in COHORT_CLASSES for k in range(3))


def test_same_seed_same_cohort_and_other_seed_another() -> None:
    assert sample_cohort(60, 1) == sample_cohort(60, 1) != sample_cohort(60, 2)


def test_with_signal_images_show_the_items_and_without_they_do_not() -> None:
    assert all(case.shown == case.findings for case in sample_cohort(100, 0, signal=1))
    mixed = np.mean([case.shown is case.findings for case in sample_cohort(600, 0, signal=0.5)])
    assert mixed == pytest.approx(0.5, abs=0.08)


def test_without_signal_nothing_shown_tells_the_class() -> None:
    """AUC over 20 cohorts of what the image is drawn from: shown items, and body size by level and sex."""
    looks = {
        "items": lambda case: case.shown.morphology + case.shown.mri + case.shown.bone_density,
        "t_score": lambda case: case.shown.t_score,
        "acute": lambda case: case.shown.stage == "acute",
        "size": lambda case: np.prod(SIZES_MM[case.vertebra]) * (0.73 if case.sex == "F" else 1),
    }
    cohorts = [sample_cohort(400, seed, signal=0) for seed in range(20)]
    for look in looks.values():
        aucs = [
            roc_auc_score([case.treatment_class > 0 for case in cases], [look(case) for case in cases])
            for cases in cohorts
        ]
        assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)


def test_with_signal_the_shown_items_tell_much_but_not_all() -> None:
    cases = sample_cohort(1098, 0)
    seen = [case.shown.morphology + case.shown.mri + case.shown.bone_density for case in cases]
    assert 0.85 < roc_auc_score([case.treatment_class > 0 for case in cases], seen) < 0.97


def test_item_table_is_a_distribution_with_the_papers_class_shares() -> None:
    table = item_table()
    points = np.indices((3, 3, 3, 3)).sum(axis=0)
    assert table.min() >= 0 and table.sum() == pytest.approx(1)
    assert table[points <= 3].sum() == pytest.approx(508 / 1098, abs=1e-6)
    assert table[points >= 5].sum() == pytest.approx(108 / 1098, abs=1e-6)
    assert table[0, 0].sum() == 0  # a fracture without deformity and without oedema would not be found


def test_apportion_keeps_the_total_and_the_least() -> None:
    assert apportion(7, (1, 1, 1), 0) == [3, 2, 2]
    assert apportion(23, (345, 338, 67), 4) == [9, 10, 4]
    assert apportion(3, (345, 338, 67), 4) == [1, 1, 1]


def test_refusals() -> None:
    with pytest.raises(InputError) as size:
        sample_cohort(39)
    assert str(size.value) == (
        "E_PHANTOM_SIZE vertebrae: 39 cannot hold every class in four cohorts; ask for 40 or more"
    )
    with pytest.raises(InputError) as signal:
        sample_cohort(100, signal=1.5)
    assert str(signal.value) == "E_PHANTOM_SIGNAL signal: 1.5 is no share; give a number from 0 to 1"
