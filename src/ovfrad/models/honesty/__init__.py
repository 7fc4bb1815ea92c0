"""Checks that the numbers are honest (METHODS G1 to G4, A6, E12): each is a row PASS, WARN or FAIL with its numbers."""

from ovfrad.models.honesty.check import Check, Status, worst
from ovfrad.models.honesty.copies import siblings
from ovfrad.models.honesty.isolation import isolation
from ovfrad.models.honesty.ledger import check_ledger, ledger
from ovfrad.models.honesty.permutation import judge_permutations, permutation_audit, permute_by_patient
from ovfrad.models.honesty.sentinels import sentinels, shuffled_voxels, usable_signal

__all__ = [
    "Check",
    "Status",
    "check_ledger",
    "isolation",
    "judge_permutations",
    "ledger",
    "permutation_audit",
    "permute_by_patient",
    "sentinels",
    "shuffled_voxels",
    "siblings",
    "usable_signal",
    "worst",
]
