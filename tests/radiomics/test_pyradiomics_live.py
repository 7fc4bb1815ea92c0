"""Against PyRadiomics 3.0.1 itself, where OVFRAD_PYRADIOMICS names the Python of an environment that has it.

tests/reference/radiomics/make_reference.py says how such an environment is made. Beside the stored cases this runs
random ones, whose numbers are nowhere stored.
"""

from __future__ import annotations

import os
import subprocess

import pytest
from cases import TABLES, unseen_cases
from comparison import disagreements, extract_ours, numbers, read_table

PYTHON = os.environ.get("OVFRAD_PYRADIOMICS")
UNSEEN = unseen_cases(60)

pytestmark = pytest.mark.skipif(not PYTHON, reason="OVFRAD_PYRADIOMICS names no Python with PyRadiomics 3.0.1")


@pytest.fixture(scope="module")
def live(reference, shared, tmp_path_factory):
    """Tables of this very run, table -> case -> feature -> text."""
    out = tmp_path_factory.mktemp("live")
    command = [PYTHON, str(reference / "make_reference.py"), str(shared), "--out", str(out)]
    subprocess.run([*command, "--unseen", str(len(UNSEEN))], check=True)
    assert (out / "pyradiomics_3.0.1.txt").read_text(encoding="utf-8").startswith("pyradiomics 3.0.1\n")
    return {table: read_table(out / f"{table}_3.0.1.csv") for table in (*TABLES, "baseline", "unseen")}


@pytest.mark.parametrize("table", [*TABLES, "baseline"])
def test_the_stored_numbers_are_what_pyradiomics_gives(live, reference, table):
    stored = read_table(reference / f"{table}_3.0.1.csv")
    assert live[table].keys() == stored.keys()
    for name, column in stored.items():
        given = live[table][name]
        assert given.get("error") == column.get("error")
        if "error" not in column:
            assert disagreements(numbers(given), numbers(column)) == [], name


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in ("image_types", "image_types_2d") for name in TABLES[table]]
)
def test_every_image_type(live, shared, table, name):
    found, _ = extract_ours(TABLES[table][name], shared)
    assert disagreements(found, numbers(live[table][name])) == []


@pytest.mark.parametrize("name", UNSEEN)
def test_random_regions_under_random_settings(live, shared, name):
    found, _ = extract_ours(UNSEEN[name], shared)
    assert disagreements(found, numbers(live["unseen"][name])) == []
