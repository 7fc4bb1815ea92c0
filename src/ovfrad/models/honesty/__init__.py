"""Checks that the numbers are honest (METHODS G1 to G4, A6, E12): each is a row PASS, WARN or FAIL with its numbers."""

from ovfrad.models.honesty.check import Check, Status, worst
from ovfrad.models.honesty.copies import copies, siblings
from ovfrad.models.honesty.isolation import isolation
from ovfrad.models.honesty.ledger import check_cohorts, check_ledger, ledger
from ovfrad.models.honesty.permutation import judge_permutations, permutation_audit, permute_by_patient
from ovfrad.models.honesty.proxies import label_parts, label_proxy, numeric_columns
from ovfrad.models.honesty.sentinels import scanner_only, sentinels, shuffled_voxels, too_good, usable_signal
from ovfrad.models.honesty.traces import bookkeeping, gaps

__all__ = [
    "Check",
    "Status",
    "bookkeeping",
    "check_cohorts",
    "check_ledger",
    "copies",
    "gaps",
    "isolation",
    "judge_permutations",
    "label_parts",
    "label_proxy",
    "ledger",
    "numeric_columns",
    "permutation_audit",
    "permute_by_patient",
    "scanner_only",
    "sentinels",
    "shuffled_voxels",
    "siblings",
    "too_good",
    "usable_signal",
    "worst",
]
